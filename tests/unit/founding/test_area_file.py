"""`areas.geojson` and `video.csv`: every fault named, and the same written out as was read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.city_commands import read_files, shipped
from app.demo_city import FOLDER
from city.area import AreaKind, hours_text
from city.datum import Datum
from founding.area_file import as_area_file, read_areas, with_areas, write_areas
from founding.export import write_folder
from founding.parts import Fault
from founding.tables import table_of, with_row, without_row
from tests.unit.founding.conftest import Files, Judge

POLYGON = [[[112.51, 30.2], [112.512, 30.2], [112.512, 30.202], [112.51, 30.202], [112.51, 30.2]]]
GOOD: dict[str, Any] = {
    "code": "S-1",
    "kind": "stalls",
    "name_zh": "早市",
    "name_en": "Market",
    "classes": ["hawker"],
    "hours": "1-5 06:00-09:00",
    "valid_from": "2026-01-01",
}


def collection(*features: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **more}).encode()


def feature(geometry: Any = None, **properties: Any) -> dict[str, Any]:
    shape = {"type": "Polygon", "coordinates": POLYGON} if geometry is None else geometry
    return {"type": "Feature", "properties": GOOD | properties, "geometry": shape}


def point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [lon, lat]}


def test_areas_are_part_of_a_city_and_come_out_as_they_went_in(files: Files, judge: Judge) -> None:
    place = feature(point(112.511, 30.201), code="P-1", kind="important", classes=[], radius_m=60)
    files["areas.geojson"] = collection(feature(), place)
    files["video.csv"] = b"type,camera,min_confidence,min_stay_s\nhawker,CAM-1,0.7,\n,,,60\n"
    city, faults = judge(files)
    assert (faults, city is None) == ([], False)
    assert city is not None
    assert city.areas is not None
    assert city.video_limits is not None
    market, school = city.areas["S-1"], city.areas["P-1"]
    assert (market.kind, market.classes) == (AreaKind.STALLS, ("hawker",))
    assert hours_text(market.hours) == "1-5 06:00-09:00"
    assert len(market.rings[0]) == 4
    assert (school.centre, school.radius_m) == ((112.511, 30.201), 60.0)
    assert [(x.entry, x.min_confidence, x.min_stay_s) for x in city.video_limits.values()] == [
        ("hawker@CAM-1", 0.7, None),
        ("*", None, 60),
    ]
    again, faults = judge({**files, **write_folder(city)})
    assert faults == []
    assert again is not None
    assert (again.areas, again.video_limits) == (city.areas, city.video_limits)


@pytest.mark.parametrize(
    ("changed", "field", "problem"),
    [
        ({"code": ""}, "code", "is missing"),
        ({"kind": "market"}, "kind", "must be one of stalls, hazard, important"),
        ({"classes": []}, "classes", "says what is permitted"),
        ({"kind": "hazard"}, "classes", "goes with stalls"),
        ({"classes": ["dragon"]}, "classes", "is no class of video events"),
        ({"hours": "6-9"}, "hours", "must be like"),
        ({"valid_until": "2025-12-31"}, "valid_until", "is before valid_from"),
        ({"valid_from": "1.1.2026"}, "valid_from", "must be YYYY-MM-DD"),
        ({"radius_m": 5}, "radius_m", "goes with a point"),
        ({"geometry": point(112.51, 30.2)}, "radius_m", "a point needs it"),
        ({"geometry": point(112.51, 30.2), "radius_m": -1}, "radius_m", "must be above 0"),
        ({"geometry": point(30.2, 112.51), "radius_m": 9}, "place", "axes swapped"),
        ({"geometry": point(113.6, 31.2), "radius_m": 9}, "place", "is outside the boundary"),
        ({"geometry": {"type": "LineString", "coordinates": POLYGON[0]}}, "place", "a Polygon"),
        (
            {
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[POLYGON[0][n] for n in (0, 2, 1, 3)]],
                }
            },
            "place",
            "crosses itself",
        ),
        ({"geometry": {"type": "Polygon", "coordinates": [POLYGON[0][:2]]}}, "place", "three"),
        ({"colour": "red"}, "colour", "is no property of an area"),
    ],
)
def test_every_fault_is_named(
    files: Files, judge: Judge, changed: dict[str, Any], field: str, problem: str
) -> None:
    files["areas.geojson"] = collection(feature(changed.pop("geometry", None), **changed))
    city, faults = judge(files)
    assert city is None
    found = [f for f in faults if f.field == field]
    assert found, faults
    assert (found[0].file, found[0].row) == ("areas.geojson", 1)
    assert problem in found[0].problem


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "is not JSON"),
        (b"[]", "must be a FeatureCollection"),
        (collection(feature(), feature()), "is in row 1 already"),
        (collection({"type": "Feature"}), "is missing"),
        (collection("x"), "is missing"),  # type: ignore[arg-type]
    ],
)
def test_a_file_that_is_wrong_as_a_whole(
    files: Files, judge: Judge, content: bytes, problem: str
) -> None:
    files["areas.geojson"] = content
    assert problem in "\n".join(map(str, judge(files)[1]))


def test_the_datum_of_the_file_or_of_a_feature_counts() -> None:
    faults: list[Fault] = []
    shifted = collection(feature(point(110.35, 20.03), radius_m=9), datum="gcj02")
    own = collection(feature(point(110.35, 20.03), radius_m=9, datum="gcj02"))
    plain = collection(feature(point(110.35, 20.03), radius_m=9))
    (a,), (b,) = read_areas(shifted, Datum.WGS84, faults), read_areas(own, Datum.WGS84, faults)
    (c,) = read_areas(plain, Datum.GCJ02, faults)
    (d,) = read_areas(plain, Datum.WGS84, faults)
    assert faults == []
    assert a.value == b.value == c.value
    assert a.value.centre is not None
    assert d.value.centre == (110.35, 20.03)
    assert 500e-5 > abs(a.value.centre[0] - 110.35) > 300e-5
    assert '"datum": "wgs84"' in write_areas({"S-1": a.value})


def test_the_table_and_the_file_say_the_same() -> None:
    table = table_of("areas")
    content = read_files(FOLDER)["areas.geojson"]
    rows = table.rows(content)
    names = [column.name for column in table.columns(content)]
    again = with_areas(names, [[r.values[n] for n in names] for r in rows])
    assert [r.values for r in table.rows(again)] == [r.values for r in rows]
    faults: list[Fault] = []
    assert read_areas(again, Datum.WGS84, faults) == read_areas(content, Datum.WGS84, faults)
    assert faults == []
    csv = "\n".join([",".join(names), "A-1,important,校,School,110.36 20.0,50,,,,,"]).encode()
    (row,) = table.rows(as_area_file(csv))
    assert (row.values["place"], row.values["radius_m"]) == ("110.36 20.0", "50")
    # What cannot be read stays as it is written, to be judged.
    wrong = {**rows[0].values, "place": "somewhere"}
    changed = table.rows(with_row(table, content, rows[0].values["code"], wrong))
    assert changed[0].values["place"] == "somewhere"
    assert len(table.rows(without_row(table, content, "STALL-01"))) == len(rows) - 1


def test_rows_of_video_limits_are_named_by_what_they_are_about(files: Files, judge: Judge) -> None:
    table = table_of("video")
    content = b"type,camera,min_confidence,min_stay_s\nhawker,,0.5,\n,CAM-1,,9\n"
    assert [row.values["entry"] for row in table.rows(content)] == ["hawker", "*@CAM-1"]
    files["video.csv"] = (
        b"type,camera,min_confidence,min_stay_s,note\n"
        b"dragon,,0.5,,\n,,,,why\nhawker,,2,,\nhawker,,0.5,-1,\noutstore,,0.4,,\noutstore,,0.5,,\n"
    )
    lines = [str(fault) for fault in judge(files)[1]]
    for row, problem in (
        (2, "is no class"),
        (3, "both missing"),
        (4, "share from 0 to 1"),
        (5, "whole number"),
        (7, "is in row 6 already"),
    ):
        assert any(f"row {row}," in line and problem in line for line in lines), problem
    assert "hawker" in shipped().video_types
