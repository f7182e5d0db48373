"""A stack of these tests' own: they kill servers that other tests would miss."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import stack as embedded


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.RunningStack]:
    data_dir: Path = tmp_path_factory.mktemp("data")
    with embedded.running(data_dir) as running:
        yield running
