"""The folder of a district that is nowhere, and what ships with the product."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.city_commands import read_files, shipped
from founding.check import judge_folder
from founding.parts import City, Fault

SAMPLE = Path(__file__).parents[2] / "fixtures" / "cities" / "xingzhou"

Files = dict[str, bytes]
Judge = Callable[[Files], tuple[City | None, list[Fault]]]


@pytest.fixture
def files() -> Files:
    """Contents of the sample, to be changed at will."""
    return read_files(SAMPLE)


@pytest.fixture(scope="session")
def judge() -> Judge:
    known = shipped()
    return lambda files: judge_folder(files, known)
