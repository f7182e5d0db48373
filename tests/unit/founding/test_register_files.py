"""Lists of a city folder in another datum lie where they are."""

from __future__ import annotations

import pytest

from city.place import LonLat, distance_m
from city.register import RegisterEntry
from tests.unit.founding.conftest import Files, Judge

SHOPS = "code,name,lon,lat{more}\nS-1,王记面馆,112.5192,30.2013{datum}\n"
TRUCKS = 'code,plate,geometry\nT-1,琼A1,"LINESTRING (112.5072 30.2013, 112.5192 30.2013)"\n'
# What GCJ-02 calls 112.5192, 30.2013.
HERE = LonLat(112.5192, 30.2013)
STATED = b'[datums]\n"registers/shopfronts.csv" = "gcj02"\n"registers/muck_trucks.csv" = "gcj02"\n'


def entry(files: Files, judge: Judge, register: str, code: str) -> RegisterEntry:
    city, faults = judge(files)
    assert list(map(str, faults)) == []
    assert city is not None
    return (city.registers[register].entries or {})[code]


@pytest.mark.parametrize(
    ("more", "datum", "settings", "away_m"),
    [("", "", b"", 0), (",datum", ",gcj02", b"", 590), ("", "", STATED, 590)],
)
def test_a_point_is_moved_by_what_its_row_or_file_says(
    files: Files, judge: Judge, more: str, datum: str, settings: bytes, away_m: int
) -> None:
    files["city.toml"] += settings
    files["registers/shopfronts.csv"] = SHOPS.format(more=more, datum=datum).encode()
    if settings:
        files["registers/muck_trucks.csv"] = TRUCKS.encode()
    found = entry(files, judge, "shopfronts", "S-1")
    assert found.lon is not None
    assert found.lat is not None
    assert distance_m(LonLat(found.lon, found.lat), HERE) == pytest.approx(away_m, abs=30)


def test_so_is_a_route(files: Files, judge: Judge) -> None:
    files["registers/shopfronts.csv"] = SHOPS.format(more="", datum="").encode()
    files["registers/muck_trucks.csv"] = TRUCKS.encode()
    before = entry(files, judge, "muck_trucks", "T-1").geometry
    files["city.toml"] += STATED
    after = entry(files, judge, "muck_trucks", "T-1").geometry
    assert before is not None
    assert after is not None
    (old, _), (new, _) = before["coordinates"], after["coordinates"]
    assert distance_m(LonLat(*old), LonLat(*new)) == pytest.approx(590, abs=30)


def test_a_datum_nobody_knows_is_a_fault(files: Files, judge: Judge) -> None:
    text = SHOPS.format(more=",datum", datum=",moon")
    files["registers/shopfronts.csv"] = text.encode()
    _, faults = judge(files)
    assert [(f.row, f.field, f.value) for f in faults] == [(2, "datum", "moon")]
