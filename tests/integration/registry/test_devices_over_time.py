"""Devices renamed, moved, put right, retired, brought back; what hangs on them keeps its time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from city.errors import Conflict, InvalidInput
from city.requests import CorrectRequest, MoveRequest, ReasonRequest, RenameRequest, ReplaceRequest
from db.device_history import count_since_retired, list_then
from db.devices import list_registered
from db.events import list_newest
from db.pool import Connection
from ingest.reporters import Reporters
from registry import steps as registration
from registry.import_file import ImportReport, import_content
from tests.integration.ingest.field import DISTRICT, Field

WHY = "entered wrongly"


def row_of(conn: Connection, code: str, *columns: str) -> Any:
    found = conn.execute(f"SELECT {', '.join(columns)} FROM device WHERE code = %s", (code,))
    return found.fetchone()


def last_told(conn: Connection, code: str) -> Any:
    return list_newest(conn, f"device:{code}", limit=1)[0]


def test_a_renamed_device_keeps_its_code_and_says_who_why_and_what_was_before(field: Field) -> None:
    code = field.codes[0]
    before = row_of(field.conn, code, "name", "version")
    request = RenameRequest(" North  gate ", WHY, before[1])
    registration.rename(field.conn, "li", DISTRICT, code, request, field.now)
    assert row_of(field.conn, code, "name", "version") == ("North gate", before[1] + 1)
    told = last_told(field.conn, code)
    assert (told.kind, told.actor, told.payload["reason"]) == ("device.renamed", "li", WHY)
    assert told.payload["before"] == {"name": before[0]}
    assert told.payload["after"] == {"name": "North gate"}


def test_what_a_device_was_is_answered_for_every_moment(field: Field) -> None:
    code, conn = field.codes[0], field.conn
    first = row_of(conn, code, "name")[0]
    for hours, name in ((1, "Second"), (2, "Third")):
        at = field.now + timedelta(hours=hours)
        registration.rename(conn, "li", DISTRICT, code, RenameRequest(name, WHY), at)

    def name_at(hours: float) -> str:
        return list_then(conn, [code], field.now + timedelta(hours=hours))[code].name

    assert [name_at(h) for h in (0, 0.99, 1, 1.5, 2, 9)] == [
        first,
        first,
        "Second",
        "Second",
        "Third",
        "Third",
    ]


def test_a_moved_device_stands_in_its_new_grid_and_a_place_outside_is_refused(field: Field) -> None:
    code, conn = field.codes[0], field.conn
    cell = conn.execute(
        "SELECT code, (west + east) / 2, (south + north) / 2 FROM unit_grid ORDER BY code LIMIT 1"
        " OFFSET 300"
    ).fetchone()
    assert cell is not None
    grid, lon, lat = cell
    request = MoveRequest(lon, lat, "the pole was moved")
    registration.move(conn, "li", DISTRICT, code, request, field.now)
    assert row_of(conn, code, "unit_grid", "lon", "lat") == (grid, lon, lat)
    assert last_told(conn, code).kind == "device.moved"
    with pytest.raises(InvalidInput, match="lon, lat: lies outside"):
        registration.move(conn, "li", DISTRICT, code, MoveRequest(121.4, 31.2, WHY), field.now)
    with pytest.raises(InvalidInput, match="swapped"):
        registration.move(conn, "li", DISTRICT, code, MoveRequest(lat, lon, WHY), field.now)
    assert row_of(conn, code, "lon") == (lon,)


def test_a_correction_puts_attributes_beside_those_that_are_there(field: Field) -> None:
    code, conn = field.codes[0], field.conn
    conn.execute(
        "UPDATE device SET attributes = %s::jsonb WHERE code = %s", ('{"a": 1, "b": 2}', code)
    )
    wanted = CorrectRequest(WHY, report_interval_s=77, attributes={"b": None, "c": [3]})
    registration.correct(conn, "li", DISTRICT, code, wanted, field.now)
    assert row_of(conn, code, "attributes", "report_interval_s") == ({"a": 1, "c": [3]}, 77)
    for request, problem in (
        (CorrectRequest(WHY, model="no-such"), "model: is unknown"),
        (CorrectRequest(WHY, gas="air"), "gas: must be one of"),
        (CorrectRequest(WHY, report_interval_s=0), "report_interval_s: must be a whole number"),
        (CorrectRequest(" ", report_interval_s=9), "reason: is missing"),
        (CorrectRequest(WHY), "nothing would change"),
    ):
        with pytest.raises(InvalidInput, match=problem):
            registration.correct(conn, "li", DISTRICT, code, request, field.now)


def test_other_hardware_of_another_model_leaves_the_old_model_to_the_past(field: Field) -> None:
    code, conn = field.codes[0], field.conn
    old = row_of(conn, code, "model")[0]
    later = field.now + timedelta(hours=1)
    request = ReplaceRequest("new one", "", None, "generic-native")
    registration.replace(conn, "li", DISTRICT, code, request, later)
    assert list_then(conn, [code], field.now)[code].model == old
    assert list_then(conn, [code], later)[code].model == "generic-native"


# Retired


def test_what_a_retired_device_sends_is_counted_and_stored_nowhere(field: Field) -> None:
    code, conn = field.codes[0], field.conn
    request = ReasonRequest("removed with the old pole")
    registration.retire(conn, "li", DISTRICT, code, request, field.now)
    stored = field.store(field.telemetry({"ch4_pct_lel": 60.0}, field.now))
    assert stored.readings == 0
    reasons = conn.execute("SELECT reason, detail FROM reject WHERE device = %s", (code,))
    assert reasons.fetchall() == [("device_retired", f"device {code} was retired")]
    assert count_since_retired(conn, code).messages == 1
    assert field.one("SELECT count(*) FROM discovered_device WHERE identity = %s", code) == 0
    with pytest.raises(Conflict, match="was retired; bring it back"):
        registration.rename(conn, "li", DISTRICT, code, RenameRequest("x", WHY), field.now)


def test_a_code_comes_back_to_life_by_that_act_alone(field: Field) -> None:
    code, conn = field.codes[0], field.conn
    lon, lat, kind = row_of(conn, code, "lon", "lat", "kind")
    registration.retire(conn, "li", DISTRICT, code, ReasonRequest("gone"), field.now)
    again = given(conn, f"code,kind,name,lon,lat\n{code},{kind},Again,{lon},{lat}\n", field)
    assert [fault.code for fault in again.faults] == ["code_retired"]
    with pytest.raises(Conflict, match="was not retired"):
        registration.revive(conn, "li", DISTRICT, field.codes[1], ReasonRequest("back"), field.now)
    registration.revive(conn, "li", DISTRICT, code, ReasonRequest("found again"), field.now)
    assert last_told(conn, code).kind == "device.revived"
    assert field.store(field.telemetry({"ch4_pct_lel": 6.0}, field.now)).readings == 1


def test_the_hardware_and_the_place_of_a_retired_device_are_free(field: Field) -> None:
    code, conn = field.codes[0], field.conn
    conn.execute("UPDATE device SET external_id = 'SN-1' WHERE code = %s", (code,))
    lon, lat, kind = row_of(conn, code, "lon", "lat", "kind")
    registration.retire(conn, "li", DISTRICT, code, ReasonRequest("gone"), field.now)
    text = f"code,kind,name,lon,lat,external_id\nNEW-7,{kind},New,{lon},{lat},SN-1\n"
    assert given(conn, text, field).imported == 1
    found = Reporters(list_registered(conn)).find("native", "SN-1")
    assert found is not None
    assert found.code == "NEW-7"
    with pytest.raises(Conflict, match="another device has its identity"):
        registration.revive(conn, "li", DISTRICT, code, ReasonRequest("back"), field.now)


# Files


def given(
    conn: Connection, text: str, field: Field, why: str | None = None, *, dry_run: bool = False
) -> ImportReport:
    return import_content(
        conn,
        "devices.csv",
        text.encode(),
        dry_run=dry_run,
        now=field.now,
        actor="li",
        why=why,
        datum="wgs84",
    )


def test_changed_rows_of_a_file_change_devices_with_the_reason(field: Field) -> None:
    conn, (one, two) = field.conn, field.codes[:2]
    rows = [(code, *row_of(conn, code, "kind", "name", "lon", "lat")) for code in (one, two)]
    rows[0] = (*rows[0][:2], "By the school", *rows[0][3:])
    text = "code,kind,name,lon,lat,report_interval_s\n" + "".join(
        ",".join(map(str, (*row, ""))) + "\n" for row in rows
    )
    assert [fault.code for fault in given(conn, text, field).faults] == ["code_taken"] * 2
    tried = given(conn, text, field, "survey of May", dry_run=True)
    assert (tried.changed, tried.unchanged, tried.imported) == (1, 1, 0)
    assert row_of(conn, one, "name") != ("By the school",)
    interval = row_of(conn, one, "report_interval_s")
    report = given(conn, text, field, "survey of May")
    assert (report.changed, report.unchanged, list(report.faults)) == (1, 1, [])
    assert row_of(conn, one, "name") == ("By the school",)
    assert row_of(conn, one, "report_interval_s") == interval, "an empty cell changes nothing"
    told = last_told(conn, one)
    assert (told.kind, told.payload["reason"], told.payload["file"]) == (
        "device.renamed",
        "survey of May",
        "devices.csv",
    )
    assert "1 changed, 1 as they were" in report.as_text()


def test_a_file_changes_neither_kind_nor_identity(field: Field) -> None:
    conn, code = field.conn, field.codes[0]
    lon, lat = row_of(conn, code, "lon", "lat")
    text = f"code,kind,name,lon,lat,external_id\n{code},manhole,Gate,{lon},{lat},SN-9\n"
    report = given(conn, text, field, WHY)
    assert [(fault.field, fault.code) for fault in report.faults] == [
        ("kind", "fixed"),
        ("external_id", "fixed_hardware"),
    ]
    assert report.changed == 0
