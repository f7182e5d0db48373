"""The unit grid of the demo district."""

from __future__ import annotations

from collections import defaultdict

import pytest
import shapely

from city.errors import InvalidInput
from city.place import LonLat, distance_m
from db.seeds import grid
from db.seeds.grid import CommunityPoint, build_grid, cell_index, demo_grid, find_cell


def test_a_cell_code_is_its_community_and_a_number_and_occurs_once() -> None:
    codes = [cell.grid.code for cell in demo_grid()]
    assert len(set(codes)) == len(codes)
    assert all(code.isdigit() and len(code) == 15 for code in codes)
    assert all(cell.grid.code.startswith(cell.grid.community) for cell in demo_grid())


def test_the_grid_covers_the_built_up_north_with_cells_of_ten_thousand_square_metres() -> None:
    assert 2_500 <= len(demo_grid()) <= 5_000
    for cell in (demo_grid()[0], demo_grid()[-1]):
        g = cell.grid
        width = distance_m(LonLat(g.west, g.south), LonLat(g.east, g.south))
        height = distance_m(LonLat(g.west, g.south), LonLat(g.west, g.north))
        assert width * height == pytest.approx(10_000, rel=0.02)


def test_every_cell_has_its_centre_inside_the_district() -> None:
    outline = grid.outline()
    centres = [cell.grid.centre for cell in demo_grid()]
    inside = shapely.contains_xy(outline, [c.lon for c in centres], [c.lat for c in centres])
    assert inside.all()


def test_cells_of_a_community_are_numbered_west_to_east_then_north_to_south() -> None:
    communities = defaultdict(list)
    for cell in demo_grid():
        communities[cell.grid.community].append(cell)
    for cells in communities.values():
        by_code = sorted(cells, key=lambda cell: cell.grid.code)
        assert [c.grid.code[12:] for c in by_code] == [f"{n + 1:03d}" for n in range(len(cells))]
        places = [(-cell.row, cell.column) for cell in by_code]
        assert places == sorted(places)


def test_every_cell_belongs_to_an_official_community_of_a_northern_street() -> None:
    official = {d.code for d in grid.divisions() if d.level == "community"}
    communities = {cell.grid.community for cell in demo_grid()}
    assert communities == {point.community for point in grid.community_points()}
    assert communities <= official
    assert {c[:9] for c in communities} == {f"46010700{n}" for n in range(1, 5)}


def test_a_cell_goes_to_the_nearest_community_point() -> None:
    square = shapely.box(110.33, 19.94, 110.33 + 4 * grid.CELL_LON, 19.94 + grid.CELL_LAT)
    west = CommunityPoint("460107001001", 110.3303, 19.9404)
    east = CommunityPoint("460107001002", 110.3335, 19.9404)
    cells = build_grid(square, [east, west])
    assert [(c.grid.community, c.column) for c in cells] == [
        ("460107001001", 0),
        ("460107001001", 1),
        ("460107001002", 2),
        ("460107001002", 3),
    ]


def test_a_community_with_more_cells_than_three_digits_can_number_is_refused() -> None:
    square = shapely.box(110.33, 19.94, 110.33 + 40 * grid.CELL_LON, 19.94 + 25 * grid.CELL_LAT)
    with pytest.raises(InvalidInput, match="999"):
        build_grid(square, [CommunityPoint("460107001001", 110.34, 19.95)])


def test_a_place_is_found_in_the_one_cell_that_holds_it() -> None:
    index = cell_index(demo_grid())
    for cell in demo_grid()[::97]:
        assert find_cell(index, cell.grid.centre) == cell.grid
        assert find_cell(index, LonLat(cell.grid.west, cell.grid.south)) == cell.grid
    assert find_cell(index, LonLat(110.5, 19.6)) is None
