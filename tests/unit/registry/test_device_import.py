"""A device file: what is right is imported, what is wrong is named with row, field and value."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from city.datum import Datum, from_wgs84
from city.errors import InvalidInput
from city.place import LonLat, distance_m
from db.devices import DistrictOutline, TakenNames
from registry.device_files import read_file, read_rows
from registry.device_rows import Judged, judge_rows
from registry.import_file import ImportReport

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


# What spreadsheets and map programs write


def read_csv(content: bytes) -> Judged:
    return judge_rows(read_rows("d.csv", content), [DISTRICT], NOBODY)


def good_lines(separator: str = ",", end: str = "\n") -> str:
    lines = ("code,kind,name,lon,lat", "G-1,gas,北门,110.5,19.5", "G-2,gas,B,110.6,19.5")
    return end.join(lines).replace(",", separator) + end


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (good_lines().encode(), "utf-8"),
        (good_lines().encode("utf-8-sig"), "utf-8"),
        (good_lines(";").encode(), "utf-8"),
        (good_lines("\t").encode("utf-16"), "utf-16"),
        (good_lines(end="\r\n").encode("gbk"), "gb18030"),
        (good_lines(end="\r").encode(), "utf-8"),
    ],
)
def test_any_office_can_save_the_file(content: bytes, encoding: str) -> None:
    file = read_file("d.csv", content)
    judged = judge_rows(file.rows, [DISTRICT], NOBODY)

    assert file.encoding == encoding
    assert [(d.code, d.name) for d in judged.devices] == [("G-1", "北门"), ("G-2", "B")]


def test_the_report_says_in_what_encoding_a_file_was_read() -> None:
    said = ImportReport(1, 1, (), True, "gb18030").as_text()

    assert "read as gb18030" in said
    assert "read as" not in ImportReport(1, 1, (), True).as_text()


def test_a_name_over_two_lines_is_one_cell() -> None:
    judged = read_csv(b'code,kind,name,lon,lat\r\nG-1,gas,"North\r\ngate",110.5,19.5\r\n')

    assert [(d.code, d.name) for d in judged.devices] == [("G-1", "North gate")]


def test_rows_are_numbered_as_the_spreadsheet_shows_them() -> None:
    content = b'code,kind,name,lon,lat\nG-1,gas,"A\nB",110.5,19.5\n\nG-2,gas,C,,19.5\n'

    assert faults(read_csv(content)) == [(4, "lon")]


def test_a_comma_too_many_is_named_before_what_it_has_shifted() -> None:
    judged = read_csv(b"code,kind,name,lon,lat\nG-1,gas,Gate, north,110.5,19.5\n")

    assert judged.faults[0].code == "surplus"
    assert judged.devices == []


def test_a_position_that_was_never_set_is_called_that() -> None:
    assert judge("G-2,gas,A,0,0,,,,,,,\n").faults[0].code == "place_unset"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (f"{'G' * 65},gas,A,110.6,19.5,,,,,,,", "code_shape"),
        (f"G-2,gas,{'A' * 201},110.6,19.5,,,,,,,", "too_long"),
        ("G-2,gas,A,110.6,19.5,,,chirpstack,\x07bell,,,", "unprintable"),
        ('G-2,gas,A,110.6,19.5,,,,,,,"{""x"": NaN}"', "not_object"),
        ("G-2,gas,A,110.6,19.5,,,,,,1.5,", "interval"),
        ("G-2,gas,A,110.6,19.5,,,,,,99999999999,", "interval"),
        ("G-2,gas,A,1e999,19.5,,,,,,,", "not_number"),
    ],
)
def test_what_no_column_can_hold_is_a_fault(row: str, code: str) -> None:
    assert [fault.code for fault in judge(row + "\n").faults] == [code]


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("", "header_missing"),
        ("code,kind,name,lon,lat,code", "header_twice"),
        ("code,kind,name,lon,lat,modell", "header_unknown"),
    ],
)
def test_a_header_that_is_wrong_says_so_in_a_code(head: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_rows("d.csv", head.encode())
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("d.csv", b"code,kind,name,lon,lat\n" + b'"' + b"x" * 200_000, "file_csv"),
        ("d.csv", b"\xff\xff\x80", "file_encoding"),
        ("d.geojson", '{"type": "北"}'.encode("gbk"), "file_json"),
        ("d.geojson", b"[" * 100_000, "file_json"),
        ("d.geojson", b"[]", "file_geojson"),
        ("d.xlsx", b"PK", "file_ending"),
    ],
)
def test_what_is_no_device_file_is_refused_whole(name: str, content: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_rows(name, content)
    assert caught.value.code == code


@pytest.mark.parametrize("kind", ["LineString", "Polygon", "MultiPoint"])
def test_only_a_point_is_a_device(kind: str) -> None:
    item = {
        "type": "Feature",
        "properties": {"code": "G-1", "kind": "gas", "name": "A"},
        "geometry": {"type": kind, "coordinates": [[110.5, 19.5], [110.6, 19.5]]},
    }
    body = json.dumps({"type": "FeatureCollection", "features": [item]}).encode()

    judged = judge_rows(read_rows("d.geojson", body), [DISTRICT], NOBODY)

    assert [(f.field, f.code, f.facts) for f in judged.faults] == [
        ("geometry", "geometry", {"type": kind})
    ]


@pytest.mark.parametrize(
    ("point", "code"),
    [
        ([110, 19], None),
        ([0, 0], "place_unset"),
        ([None, 19.5], "missing"),
        (["x", 1], "not_number"),
        ([19, 110], "place_swapped"),
        ([110.5, 19.5, 12.0], None),
    ],
)
def test_coordinates_of_a_feature_are_judged_like_cells(point: list[Any], code: str | None) -> None:
    item = feature({"code": "G-1", "kind": "gas", "name": "A"}, point)
    body = b"\xef\xbb\xbf" + json.dumps({"type": "FeatureCollection", "features": [item]}).encode()

    judged = judge_rows(read_rows("d.geojson", body), [DISTRICT], NOBODY)

    assert [f.code for f in judged.faults][:1] == ([code] if code else [])


def test_features_that_are_none_and_values_that_are_objects_are_faults() -> None:
    strange = feature({"code": {"a": 1}, "kind": "gas", "name": "half \ud800"}, [110.5, 19.5])
    body = json.dumps({"type": "FeatureCollection", "features": [strange, 7, None]}).encode()

    judged = judge_rows(read_rows("d.geojson", body), [DISTRICT], NOBODY)

    assert judged.devices == []
    assert {(1, "not_text"), (1, "unstorable"), (2, "missing"), (3, "missing")} <= {
        (f.row, f.code) for f in judged.faults
    }


def test_what_two_rows_claim_names_the_first_of_them() -> None:
    judged = judge(GOOD + "G-1,gas,A,110.6,19.5,,,,,,,\nG-3,gas,A,110.5,19.5,,,,,,,\n")

    assert [(f.code, f.facts["row"]) for f in judged.faults] == [
        ("code_twice", 2),
        ("place_twice", 2),
    ]


def test_fifty_thousand_rows_are_judged_in_seconds() -> None:
    lines = (
        f"L-{n},light,Lamp {n},{110 + n % 500 * 0.002:.6f},{19 + n // 500 * 0.009:.6f}"
        f",460107,,chirpstack,24e124136b{n:06x},,60,"
        for n in range(50_000)
    )
    begun = time.perf_counter()

    judged = judge("\n".join(lines))

    assert (len(judged.devices), judged.faults) == (50_000, [])
    assert time.perf_counter() - begun < 15


def in_datum(datum: str, named: str, stated: Datum | None = None) -> Judged:
    """One row whose position, 110.5 E 19.5 N, is written in a datum that a column names."""
    there = from_wgs84(LonLat(110.5, 19.5), Datum(datum))
    content = f"code,kind,name,lon,lat,datum\nG-1,gas,A,{there.lon},{there.lat},{named}\n"
    return judge_rows(read_rows("d.csv", content.encode()), [DISTRICT], NOBODY, stated=stated)


@pytest.mark.parametrize(
    ("datum", "named"),
    [("gcj02", "GCJ-02"), ("gcj02", "火星坐标系"), ("bd09", "百度"), ("cgcs2000", "EPSG:4490")],
)
def test_a_position_is_converted_from_the_datum_its_row_names_and_kept(
    datum: str, named: str
) -> None:
    judged = in_datum(datum, named)

    (device,) = judged.devices
    there = from_wgs84(LonLat(110.5, 19.5), Datum(datum))
    assert distance_m(LonLat(device.lon, device.lat), LonLat(110.5, 19.5)) < 0.1
    kept = device.attributes["position_given"]
    assert kept == {"datum": datum, "lon": there.lon, "lat": there.lat}
    assert judged.datums == {Datum(datum)}


def test_a_position_in_wgs84_is_left_as_it_is() -> None:
    (device,) = in_datum("wgs84", "WGS 84").devices
    assert (device.lon, device.lat, device.attributes) == (110.5, 19.5, {})


def test_a_row_may_not_contradict_what_was_said_of_the_file() -> None:
    (fault,) = in_datum("gcj02", "gcj02", Datum.WGS84).faults
    assert (fault.row, fault.field, fault.value) == (2, "datum", "gcj02")
    assert "was told: wgs84" in fault.problem
    assert in_datum("gcj02", "", Datum.GCJ02).faults == []


def test_an_unknown_datum_is_a_fault_of_its_row() -> None:
    (fault,) = in_datum("wgs84", "beijing54").faults
    assert (fault.row, fault.field, fault.value, fault.code) == (2, "datum", "beijing54", "one_of")
    assert "gcj02" in fault.problem


def test_the_outline_is_held_against_the_converted_position() -> None:
    """At the edge of the district the given position is outside and the true one inside."""
    edge = from_wgs84(LonLat(110.9999, 19.5), Datum.GCJ02)
    assert edge.lon > 111.001
    content = f"code,kind,name,lon,lat\nG-1,gas,A,{edge.lon},{edge.lat}\n"
    rows = read_rows("d.csv", content.encode())
    assert judge_rows(rows, [DISTRICT], NOBODY).faults[0].code == "place_outside"
    assert judge_rows(rows, [DISTRICT], NOBODY, stated=Datum.GCJ02).faults == []


@pytest.mark.parametrize(
    ("crs", "name"),
    [
        (None, ""),
        ({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}, "4490"),
        ({"type": "name", "properties": {"name": "GCJ-02"}}, "GCJ-02"),
        ("EPSG:4326", "EPSG:4326"),
    ],
)
def test_the_crs_of_a_geojson_is_read(crs: Any, name: str) -> None:
    body = json.dumps({"type": "FeatureCollection", "crs": crs, "features": []}).encode()
    assert read_file("d.geojson", body).crs.endswith(name)


@pytest.mark.parametrize("crs", [{"type": "link"}, {"properties": {"name": 4490}}, 4490, [], ""])
def test_a_crs_without_a_name_is_refused(crs: Any) -> None:
    body = json.dumps({"type": "FeatureCollection", "crs": crs, "features": []}).encode()
    with pytest.raises(InvalidInput) as refused:
        read_file("d.geojson", body)
    assert (refused.value.field, refused.value.code) == ("crs", "file_crs")
