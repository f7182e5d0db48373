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


@pytest.fixture
def deep_files(files: Files) -> Files:
    """The sample with a fourth level and duty grids of its own. Community 991201001001 has two
    blocks (微网格), one of them and what is left of the east are two duty grids, and two squads at
    one place differ in their grids alone."""
    files["city.toml"] += b'levels = ["district", "street", "community", "block"]\n'
    files["divisions.csv"] += (
        "99120100100101,一号微网格,block,991201001001,112.5125,30.202\n"
        "99120100100102,二号微网格,block,991201001001,112.5175,30.202\n"
    ).encode()
    files["duty-grids.csv"] = (
        "code,name,divisions\n"
        "E-1,东一网格,99120100100101\n"
        "E-2,东二网格,99120100100102;991201001002\n"
        "W,西网格,991201002\n"
    ).encode()
    squad = "territorial,manhole,{grids},112.51,30.208"
    files["squads.csv"] = "\n".join(
        [
            "code,name_zh,name_en,kind,skills,grids,lon,lat",
            f"XZ-01,甲队,A Squad,{squad.format(grids='991201002;E-2')}",
            f"XZ-02,乙队,B Squad,{squad.format(grids='99120100100101')}",
            "XZ-GAS,燃气应急队,Gas Response Squad,gas,gas,,112.51,30.21",
        ]
    ).encode()
    return files


@pytest.fixture(scope="session")
def judge() -> Judge:
    known = shipped()
    return lambda files: judge_folder(files, known)
