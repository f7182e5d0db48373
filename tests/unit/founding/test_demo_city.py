"""The folder of the demonstration, and what the simulator and the fleet know of the same city."""

from __future__ import annotations

import pytest

from app.demo_city import read_demo_city
from db.seeds import grid
from db.seeds.squads import read_squads
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
