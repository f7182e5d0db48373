"""`feeds.toml`, `models/` and `pipes.geojson` of a city folder: read, judged, written again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from city.datum import Datum, from_wgs84
from city.feed import Feed
from city.place import LonLat
from founding.compare import compare, tables_of
from founding.export import write_folder
from founding.feeds_file import FEEDS
from founding.pipes import PIPES
from founding.tables import table_of, with_row, without_row
from tests.unit.founding.conftest import Files, Judge

NORTH = b"""
[[feed]]
name = "north"
format = "z2m"
topic = "zigbee2mqtt_north"
interval_s = 300
datum = "GCJ-02"

[[feed]]
name = "shelly"
enabled = false
"""
MODEL = b'title = "Acme"\nkind = "manhole"\ninterval_s = 60\n[[field]]\nnames = ["lvl"]\n'
MODEL += b'metric = "water_level_cm"\nunit = "cm"\n'
CODEC = b"function decodeUplink(input) { return {data: {lvl: input.bytes[0]}}; }\n"
LINE = [[112.51, 30.2], [112.515, 30.202]]


def pipes(*features: dict[str, Any], **more: Any) -> bytes:
    body = {"type": "FeatureCollection", "features": list(features), **more}
    return json.dumps(body, ensure_ascii=False).encode()


def section(line: Any = None, **properties: Any) -> dict[str, Any]:
    geometry = {"type": "LineString", "coordinates": LINE if line is None else line}
    values = {"code": "P-1", "pressure": "medium", **properties}
    return {"type": "Feature", "properties": values, "geometry": geometry}


def told(judge: Judge, files: Files) -> list[str]:
    return [str(fault) for fault in judge(files)[1]]


def test_what_a_folder_says_is_written_out_and_read_again_without_a_change(
    files: Files, judge: Judge
) -> None:
    files |= {
        FEEDS: NORTH,
        "models/acme.toml": MODEL,
        "models/acme.js": CODEC,
        PIPES: pipes(section(year=2004, diameter_mm="200", material="PE")),
    }
    city, faults = judge(files)
    assert faults == []
    assert city is not None
    assert city.feeds
    assert city.models
    assert city.pipes
    assert city.feeds["north"] == Feed(
        "north", "zigbee2mqtt", "zigbee2mqtt_north", "991201", 300, datum=Datum.GCJ02
    )
    assert (city.feeds["shelly"].enabled, city.feeds["tasmota"].enabled) == (False, True)
    assert city.models["acme"].codec == CODEC.decode()
    assert (city.pipes["P-1"].year, city.pipes["P-1"].diameter_mm) == (2004, 200)
    again, faults = judge(write_folder(city))
    assert faults == []
    assert again is not None
    assert compare(tables_of(again), tables_of(city)) == []


def test_a_folder_that_says_nothing_of_them_leaves_them_as_they_are(
    files: Files, judge: Judge
) -> None:
    with_them, _ = judge({**files, FEEDS: NORTH, PIPES: pipes(section())})
    without, _ = judge(files)
    assert with_them is not None
    assert without is not None
    assert compare(tables_of(without), tables_of(with_them)) == []
    assert [c.what for c in compare(tables_of(with_them), {"feed": {}, "pipe": {}})][-1] == "pipe"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('name="two"\nformat="shelly"\ntopic="#"', "topic: must begin with a level of its own"),
        ('name="a b"\nformat="zz"\ntopic="x"', "name: must have 1 to 64"),
        ('name="two"\nformat="zz"\ntopic="x"', "format: must be one of"),
        ('name="two"\ntopic="x"', "format: is missing"),
        ('name="two"\nformat="shelly"\ntopic="x"\nenabled="maybe"', "enabled: must be true"),
        ('name="two"\nformat="shelly"\ntopic="x"\ninterval_s=0', "interval_s: must be a whole"),
        ('name="two"\nformat="shelly"\ntopic="x"\ndatum="mars2"', "datum: must be one of"),
        ('name="two"\nformat="shelly"\ntopic="x"\nqos=1', "qos: is no field of a feed"),
        ('name="two"\nformat="shelly"\ntopic=["x"]', "topic: must be one value"),
        ('name="north"\nformat="shelly"\ntopic="x"', "name: is in row 2 already"),
        ('name="two"\nformat="shelly"\ntopic="zigbee2mqtt_north/x"', "the feeds two (zigbee2mq"),
        ('name="tasmota"\ntopic="x"', "topic: is fixed: tasmota is a shipped feed"),
        ('name="tasmota"\nformat="shelly"', "format: is fixed: tasmota is a shipped feed"),
    ],
)
def test_every_fault_of_a_feed_is_named_with_the_row_it_begins_in(
    files: Files, judge: Judge, entry: str, said: str
) -> None:
    files[FEEDS] = NORTH + b"\n[[feed]]\n" + entry.encode()
    found = told(judge, files)
    assert any(text.startswith("feeds.toml, row 13, ") and said in text for text in found), found


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"[[feed", "is not TOML"), (b"x = 1", "x: is no field"), (b"feed = 1", "must be tables")],
)
def test_a_file_of_feeds_that_is_none_is_said_so(
    files: Files, judge: Judge, content: bytes, said: str
) -> None:
    assert said in "".join(told(judge, {**files, FEEDS: content}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pipes(section(code="")), "row 1, code: is missing"),
        (pipes(section(pressure="huge")), "row 1, pressure: must be one of low, medium"),
        (pipes(section(year=20.5)), "row 1, year: must be a whole number from 1900 to 2100"),
        (pipes(section(diameter_mm="wide")), "row 1, diameter_mm: must be a whole number"),
        (pipes(section([[112.5, 30.2]])), "row 1, geometry: must have two points"),
        (pipes(section([[112.5, 30.2], [1, None]])), "geometry, point 2: must be a longitude"),
        (pipes(section([[30.2, 112.5], [30.2, 112.6]])), "point 1: has its axes swapped"),
        (pipes(section([[500000, 3300000], [1, 1]])), "point 1: must be degrees"),
        (pipes(section([[100, 20], [100.1, 20]])), "geometry: lies outside the boundary"),
        (pipes(section(), section()), "row 2, code: is in feature 1 already"),
        (pipes({"type": "Feature"}), "row 1, properties: are missing"),
        (pipes({**section(), "geometry": {"type": "Point"}}), "geometry: must be a LineString"),
        (pipes(section(), datum="moon"), "datum: must be one of"),
        (b"[]", "must be a FeatureCollection"),
        (b"{", "is not JSON"),
    ],
)
def test_every_fault_of_a_pipe_is_named_with_its_feature(
    files: Files, judge: Judge, content: bytes, said: str
) -> None:
    found = told(judge, {**files, PIPES: content})
    (fault,) = found
    assert fault.startswith("pipes.geojson")
    assert said in fault


def test_pipes_are_converted_from_the_datum_of_their_file(files: Files, judge: Judge) -> None:
    shifted = [from_wgs84(LonLat(*point), Datum.GCJ02) for point in LINE]
    line = [[point.lon, point.lat] for point in shifted]
    city, faults = judge({**files, PIPES: pipes(section(line, pressure="中压"), datum="GCJ-02")})
    assert faults == []
    assert city is not None
    assert city.pipes
    found = city.pipes["P-1"]
    assert found.pressure == "medium"
    assert [list(map(float, point)) for point in found.line] == [
        [pytest.approx(value, abs=1e-6) for value in point] for point in LINE
    ]


@pytest.mark.parametrize(
    ("text", "codec", "said"),
    [
        (MODEL.replace(b"water_level_cm", b"depth"), b"", "acme.toml, field 1: metric: is no"),
        (b"title = ", b"", "acme.toml: is not valid TOML"),
        (MODEL, b"function (", "acme.js, codec: "),
        (MODEL.replace(b"60", b"-1"), b"", "acme.toml, interval_s: must be seconds"),
    ],
)
def test_a_model_is_judged_as_model_check_does(
    files: Files, judge: Judge, text: bytes, codec: bytes, said: str
) -> None:
    files["models/acme.toml"] = text
    if codec:
        files["models/acme.js"] = codec
    found = told(judge, files)
    (fault,) = found
    assert f"models/{said}" in fault


def test_a_codec_without_a_model_is_named(files: Files, judge: Judge) -> None:
    files["models/acme.js"] = CODEC
    assert told(judge, files) == ["models/acme.js: has no model beside it: acme.toml is missing"]


def test_feeds_are_a_table_of_the_settings() -> None:
    table = table_of("feeds")
    rows = [row.values for row in table.rows(NORTH)]
    assert [row["name"] for row in rows] == ["north", "shelly"]
    new = {"name": "east", "format": "ttn", "topic": "east", "enabled": "false"}
    content = with_row(table, NORTH, "", new)
    assert [row.values["name"] for row in table.rows(content)] == ["north", "shelly", "east"]
    assert b"enabled = false" in content
    assert b"interval_s = 300" in content
    content = without_row(table, content, "north")
    assert [row.values["name"] for row in table.rows(content)] == ["shelly", "east"]


def test_an_uploaded_table_becomes_the_file() -> None:
    table = table_of("feeds")
    content = table.taken(b"", b"name,format,topic,interval_s\neast,ttn,east,60\n")
    assert b'topic = "east"' in content
    assert b"interval_s = 60" in content
    assert table.taken(b"", NORTH) == NORTH
    assert table.taken(b"", b"name,x\n1,2\n") == b"name,x\n1,2\n"
