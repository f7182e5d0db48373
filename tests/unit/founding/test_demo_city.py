"""The folder of the demonstration, and what the simulator and the fleet know of the same city."""

from __future__ import annotations

import pytest

from app.city_commands import read_files, shipped
from app.demo_city import FOLDER, read_demo_city
from db.seeds import grid
from db.seeds.squads import read_squads
from founding.check import judge_folder
from founding.parts import City


@pytest.fixture(scope="module")
def city() -> City:
    return read_demo_city()


def test_its_cells_are_those_on_which_the_fleet_stands(city: City) -> None:
    ours = {c.grid.code: (c.column, c.row, c.grid.west, c.grid.south) for c in grid.demo_grid()}
    theirs = {c.code: (c.column, c.row, c.west, c.south) for c in city.cells.values()}
    assert theirs == ours


def test_its_squads_are_those_that_the_simulator_plays(city: City) -> None:
    assert city.squads.keys() == {squad.code for squad in read_squads()}
    for squad in read_squads():
        part = city.squads[squad.code]
        assert (part.name_zh, part.name_en, part.kind) == (squad.name_zh, squad.name_en, squad.kind)
        assert (part.skills, part.grids, part.home) == (
            squad.skills,
            squad.duty_grids,
            squad.position,
        )
        assert part.shifts == tuple(sorted(squad.shifts, key=lambda shift: shift.start))


def test_its_squads_stand_in_a_tree_and_bring_their_kit(city: City) -> None:
    brigades = {(part.brigade_zh, part.brigade_en) for part in city.squads.values()}
    assert len(brigades) == 3
    assert all(zh and en for zh, en in brigades)
    gas = next(part for part in city.squads.values() if part.kind == "gas")
    assert {"gas_detector", "breathing_apparatus"} <= gas.kit


def test_a_brigade_has_one_name_in_each_language() -> None:
    files = read_files(FOLDER)
    text = files["squads.csv"].decode()
    twice = text.replace("Territorial Brigade (demo)", "Other Brigade", 1)
    half = text.replace("Territorial Brigade (demo)", "", 1)
    for wrong, problem in ((twice, "is called Other Brigade above"), (half, "is missing")):
        _, faults = judge_folder({**files, "squads.csv": wrong.encode()}, shipped())
        found = [(f.file, f.field) for f in faults if problem in str(f)]
        assert ("squads.csv", "brigade_en") in found, faults
