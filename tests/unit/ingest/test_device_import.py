"""A device file: what is right is imported, what is wrong is named with row, field and value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from city.errors import InvalidInput
from db.devices import DistrictOutline, TakenNames
from ingest.device_files import read_rows
from ingest.device_import import Judged, judge_rows

SQUARE = {
    "type": "Polygon",
    "coordinates": [[[110.0, 19.0], [111.0, 19.0], [111.0, 20.0], [110.0, 20.0], [110.0, 19.0]]],
}
DISTRICT = DistrictOutline("460107", SQUARE)
NOBODY = TakenNames(frozenset(), frozenset(), frozenset())
HEAD = "code,kind,name,lon,lat,district,model,format,external_id,gas,report_interval_s,attributes\n"
GOOD = 'G-1,gas,North gate,110.5,19.5,460107,,native,,methane,60,"{""cabinet"": ""C1""}"\n'


def judge(lines: str, taken: TakenNames = NOBODY) -> Judged:
    return judge_rows(read_rows("devices.csv", (HEAD + lines).encode()), [DISTRICT], taken)


def faults(judged: Judged) -> list[tuple[int, str]]:
    return [(fault.row, fault.field) for fault in judged.faults]


def test_a_good_row_becomes_a_device_with_all_its_values() -> None:
    judged = judge(GOOD)

    (device,) = judged.devices
    assert judged.faults == []
    assert (device.code, device.kind, device.lon, device.lat) == ("G-1", "gas", 110.5, 19.5)
    assert (device.gas, device.report_interval_s) == ("methane", 60)
    assert device.attributes == {"cabinet": "C1"}
    assert device.external_id is None


def test_optional_columns_may_be_missing_and_the_district_is_found_by_the_place() -> None:
    rows = read_rows("d.csv", b"code;kind;name;lon;lat\nL-1;light;Lamp;110.5;19.5\n")

    (device,) = judge_rows(rows, [DISTRICT], NOBODY).devices

    assert (device.district, device.format, device.report_interval_s) == ("460107", "native", 300)


@pytest.mark.parametrize(
    ("line", "field", "part_of_problem"),
    [
        (",gas,A,110.5,19.5,,,,,,,", "code", "missing"),
        ("G/1,gas,A,110.5,19.5,,,,,,,", "code", "without"),
        ("G-2,volcano,A,110.5,19.5,,,,,,,", "kind", "must be one of"),
        ("G-2,gas,A,19.5,110.5,,,,,,,", "lon, lat", "swapped"),
        ("G-2,gas,A,112.5,19.5,,,,,,,", "lon, lat", "outside the outline"),
        ("G-2,gas,A,east,19.5,,,,,,,", "lon", "must be a number"),
        ("G-2,gas,A,,19.5,,,,,,,", "lon", "is missing"),
        ("G-2,gas,A,nan,19.5,,,,,,,", "lon", "must be a number"),
        ("G-2,gas,A,110.5,19.5,999999,,,,,,", "district", "must be one of"),
        ("G-2,gas,A,110.5,19.5,,acme-9000,,,,,", "model", "unknown"),
        ("G-2,light,A,110.5,19.5,,milesight-gs101,,,,,", "model", "is a gas device"),
        ("G-2,gas,A,110.5,19.5,,,telepathy,x,,,", "format", "must be one of"),
        ("G-2,gas,A,110.5,19.5,,,chirpstack,,,,", "external_id", "missing"),
        ("G-2,gas,A,110.5,19.5,,,,,helium,,", "gas", "must be one of"),
        ("G-2,gas,A,110.5,19.5,,,,,,0,", "report_interval_s", "above 0"),
        ("G-2,gas,A,110.5,19.5,,,,,,,[1]", "attributes", "JSON object"),
        ("G-1,gas,A,110.6,19.5,,,,,,,", "code", "twice"),
        ("G-2,gas,A,110.5,19.5,,,,,,,", "lon, lat", "this spot"),
    ],
)
def test_a_faulty_row_is_named_and_the_good_one_before_it_is_imported(
    line: str, field: str, part_of_problem: str
) -> None:
    spot_is_free = "this spot" not in part_of_problem
    good = GOOD.replace("110.5", "110.4") if spot_is_free else GOOD

    judged = judge(good + line + "\n")

    assert [device.code for device in judged.devices] == ["G-1"]
    assert faults(judged) == [(3, field)]
    assert part_of_problem in judged.faults[0].problem


def test_a_lamp_and_a_camera_may_share_a_pole() -> None:
    judged = judge("L-1,light,A,110.5,19.5,,,,,,,\nC-1,camera,A,110.5,19.5,,,,,,,\n")

    assert judged.faults == []


def test_registered_devices_keep_their_code_place_and_identity() -> None:
    taken = TakenNames(
        frozenset({"G-1"}),
        frozenset({("chirpstack", "24e124136b000001")}),
        frozenset({("gas", 110.7, 19.7)}),
    )

    judged = judge(
        GOOD
        + "G-2,gas,A,110.6,19.5,,,chirpstack,24E124136B000001,,,\n"
        + "G-3,gas,A,110.7,19.7,,,,,,,\n",
        taken,
    )

    assert judged.devices == []
    assert faults(judged) == [(2, "code"), (3, "external_id"), (4, "lon, lat")]


def test_a_refused_row_claims_neither_code_nor_place_nor_identity() -> None:
    line = "G-2,gas,A,110.6,19.5,,{model},chirpstack,24e124136b000001,,,\n"

    judged = judge(line.format(model="acme-9000") + line.format(model="milesight-gs101"))

    assert faults(judged) == [(2, "model")]
    assert [(d.code, d.model) for d in judged.devices] == [("G-2", "milesight-gs101")]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("G-1,gas,A,110.6,19.5,,,chirpstack,24e124136b000001,,,\n", "code"),
        ("G-2,gas,A,110.5,19.5,,,chirpstack,24e124136b000001,,,\n", "lon, lat"),
    ],
)
def test_a_row_refused_for_what_another_has_does_not_claim_the_rest(line: str, field: str) -> None:
    judged = judge(GOOD + line + "G-3,gas,A,110.6,19.5,,,chirpstack,24e124136b000001,,,\n")

    assert faults(judged) == [(3, field)]
    assert [device.code for device in judged.devices] == ["G-1", "G-3"]


def test_an_eui_is_registered_in_lower_case_and_a_format_under_its_own_name() -> None:
    judged = judge("G-2,gas,A,110.6,19.5,,,TTS,A84041FFFF000001,,,\n")

    (device,) = judged.devices
    assert (device.format, device.external_id) == ("ttn", "a84041ffff000001")


def test_a_model_brings_the_interval_it_reports_in() -> None:
    judged = judge("G-2,gas,A,110.6,19.5,,milesight-gs101,chirpstack,24e124136b000001,,,\n")

    assert judged.devices[0].report_interval_s != 300
    assert judged.devices[0].model == "milesight-gs101"


def test_a_whole_number_is_a_longitude_like_any_other() -> None:
    judged = judge("G-2,gas,A,110,19,,,,,,,\n")

    assert judged.faults == []
    assert (judged.devices[0].lon, judged.devices[0].lat) == (110.0, 19.0)


def test_all_faults_of_a_row_are_reported() -> None:
    judged = judge("G-2,volcano,A,110.5,north,,,,,,x,\n")

    assert faults(judged) == [(2, "kind"), (2, "lat"), (2, "report_interval_s")]


def test_a_missing_column_refuses_the_file() -> None:
    with pytest.raises(InvalidInput, match="no column lon, lat") as caught:
        read_rows("d.csv", b"code,kind,name\nG-1,gas,A\n")
    assert caught.value.field == "header"


def test_a_column_nobody_knows_refuses_the_file() -> None:
    with pytest.raises(InvalidInput, match="longitude"):
        read_rows("d.csv", b"code,kind,name,lon,lat,longitude\n")


def test_a_spreadsheet_saved_in_a_chinese_office_is_read() -> None:
    rows = read_rows("d.csv", "code,kind,name,lon,lat\nG-1,gas,北门,110.5,19.5\n".encode("gb18030"))

    assert rows[0].values["name"] == "北门"


def test_geojson_points_are_devices() -> None:
    features = [
        feature({"code": "G-1", "kind": "gas", "name": "A", "attributes": {"x": 1}}, [110.5, 19.5]),
        feature({"code": "G-2", "kind": "gas", "name": "B"}, [19.5, 110.5]),
        {"type": "Feature", "properties": {"code": "G-3", "kind": "gas", "name": "C"}},
    ]
    body = json.dumps({"type": "FeatureCollection", "features": features}).encode()

    judged = judge_rows(read_rows("d.geojson", body), [DISTRICT], NOBODY)

    assert [(d.code, d.attributes) for d in judged.devices] == [("G-1", {"x": 1})]
    assert faults(judged) == [(2, "lon, lat"), (3, "lon"), (3, "lat")]


def test_a_nul_character_is_a_fault_and_not_a_crash_of_the_database() -> None:
    features = [feature({"code": "G-1", "kind": "gas", "name": "A\0"}, [110.5, 19.5])]
    body = json.dumps({"type": "FeatureCollection", "features": features}).encode()

    judged = judge_rows(read_rows("d.geojson", body), [DISTRICT], NOBODY)

    assert faults(judged) == [(1, "name")]


@pytest.mark.parametrize("name", ["devices.xlsx", "devices"])
def test_other_files_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="csv"):
        read_rows(name, b"")


def feature(properties: dict[str, Any], place: list[float]) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": place}
    return {"type": "Feature", "properties": properties, "geometry": geometry}
