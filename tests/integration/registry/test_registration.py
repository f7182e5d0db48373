"""Strangers wait in a bounded list; people approve, ignore, take out of service and exchange."""

from __future__ import annotations

import json
import threading
from dataclasses import replace as altered
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from city.device import Stranger
from city.errors import Conflict, InvalidInput, NotFound
from city.requests import ApproveRequest, OutOfServiceRequest, ReplaceRequest
from db import discovery
from db.device_changes import find_replaced, list_identities, list_replaced
from db.devices import list_registered, list_squad_districts
from db.discovery import note_strangers
from db.events import list_events
from db.pool import Connection, connect
from ingest.batch import Message, build_batch, decode_messages
from ingest.reporters import Reporters
from ingest.store_batch import replay_reject, store_batch
from registry import steps as registration
from tests.integration.ingest.field import DISTRICT, Field, milliseconds

SOON = timedelta(days=2)


def stranger(identity: str, at: datetime, **other: Any) -> Stranger:
    plain = Stranger("chirpstack", identity, "", at, at, 1, "a/topic", b"{}")
    return altered(plain, **other)


def waiting(conn: Connection) -> list[str]:
    return [row.identity for row in discovery.list_discovered(conn)]


def a_place(conn: Connection) -> tuple[float, float]:
    row = conn.execute(
        "SELECT west + (east - west) * 0.37, south + (north - south) * 0.41 FROM unit_grid"
        " ORDER BY code LIMIT 1 OFFSET 60"
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def wanted(conn: Connection, **other: Any) -> ApproveRequest:
    lon, lat = a_place(conn)
    return altered(ApproveRequest("NEW-1", "gas", "Gate", lon, lat), **other)


def found_id(conn: Connection, identity: str = "a84041ffff000001") -> int:
    row = conn.execute("SELECT id FROM discovered_device WHERE identity = %s", (identity,))
    return int(row.fetchone()[0])  # type: ignore[index]


def last_event(conn: Connection) -> Any:
    return list_events(conn, limit=10_000)[-1]


def store(field: Field, *messages: Message) -> None:
    """As the worker does."""
    registry = Reporters(
        list_registered(field.conn), list_squad_districts(field.conn), list_replaced(field.conn)
    )
    batch = build_batch(messages, decode_messages(messages), registry)
    store_batch(field.conn, batch, field.now)


def native(field: Field, code: str, value: float, later_s: float = 0) -> Message:
    at = field.now + timedelta(seconds=later_s)
    body = {"ts": milliseconds(at), "readings": {"ch4_pct_lel": value}}
    topic = f"city/v1/{DISTRICT}/gas/{code}/telemetry"
    return Message(topic, json.dumps(body).encode(), False, at)


# The waiting list


def test_a_stranger_seen_again_is_counted_and_shows_its_newest_message(
    db: Connection, now: datetime
) -> None:
    later = now + timedelta(seconds=9)
    note_strangers(db, [stranger("a84041ffff000001", now, kind="gas")])
    note_strangers(db, [stranger("a84041ffff000001", later, messages=3, last_payload=b"x" * 5000)])

    (row,) = discovery.list_discovered(db)

    assert (row.first_seen, row.last_seen, row.messages, row.kind) == (now, later, 4, "gas")
    assert (len(row.last_payload), row.payload_size) == (discovery.PAYLOAD_LIMIT, 5000)


def test_a_flood_pushes_out_its_own_kind_and_not_who_keeps_coming(
    db: Connection, now: datetime
) -> None:
    note_strangers(db, [stranger("honest", now, messages=2), stranger("ignored", now)])
    discovery.mark_decided(db, found_id(db, "ignored"), "ignored", "anna", now, None)
    for n in range(6):
        at = now + timedelta(seconds=n)
        flood = [stranger(f"fake-{n}-{i}", at) for i in range(10)]
        note_strangers(db, flood, waiting_max=20)

    names = waiting(db)
    assert len(names) == 20
    assert "honest" in names
    assert {name.split("-")[1] for name in names if name != "honest"} == {"4", "5"}
    assert discovery.count_discovered(db).ignored == 1


def test_workers_that_meet_the_same_strangers_never_deadlock(database_url: str) -> None:
    now = datetime.fromisoformat("2026-11-22T08:00:00+00:00")
    names = [f"s-{n}" for n in range(40)]
    errors: list[psycopg.Error] = []

    def work(order: list[str]) -> None:
        try:
            with connect(database_url) as conn:
                for _ in range(15):
                    note_strangers(conn, [stranger(n, now) for n in order], waiting_max=20)
                    conn.commit()
        except psycopg.Error as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(o,)) for o in (names, names[::-1]) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    with connect(database_url) as conn:
        assert len(waiting(conn)) == 20


def test_every_unknown_device_of_a_batch_waits_and_an_unknown_squad_does_not(field: Field) -> None:
    body = {"ts": milliseconds(field.now), "lon": 110.3, "lat": 20.0}
    squad = field.message("squad/nobody/position", body)
    hostile = field.message("gas/x\u0001y/telemetry", {"ts": 1, "readings": {"ch4_pct_lel": 1}})
    store(field, native(field, "NEW-A", 1.0), native(field, "NEW-B", 1.0), squad, hostile)

    assert sorted(waiting(field.conn)) == ["NEW-A", "NEW-B"]
    assert field.books() == (4, 0, 0, 4)


def test_who_was_registered_in_any_way_no_longer_waits(field: Field) -> None:
    note_strangers(field.conn, [altered(stranger(field.codes[0], field.now), format="native")])

    assert waiting(field.conn) == []
    assert discovery.count_discovered(field.conn).waiting == 0


# Approve and ignore


def test_an_approved_stranger_brings_its_quarantined_messages_in(field: Field) -> None:
    conn = field.conn
    store(field, native(field, "GAS-NEW", 3.5), native(field, "GAS-NEW", 4.5, 60))
    assert waiting(conn) == ["GAS-NEW"]

    code = registration.approve(
        conn, "anna", DISTRICT, found_id(conn, "GAS-NEW"), wanted(conn, code="GAS-NEW"), field.now
    )

    assert waiting(conn) == []
    event = last_event(conn)
    assert (event.kind, event.subject, event.actor) == (
        "device.registered",
        "device:GAS-NEW",
        "anna",
    )
    ids = discovery.list_stranger_rejects(conn, "native", [code], limit=10)
    assert len(ids) == discovery.count_stranger_rejects(conn, "native", [code]) == 2
    assert all(replay_reject(conn, reject_id, field.now) for reject_id in ids)
    values = conn.execute(
        "SELECT value FROM reading JOIN device d ON d.id = device_id WHERE d.code = %s ORDER BY ts",
        (code,),
    ).fetchall()
    assert values == [(3.5,), (4.5,)]
    assert discovery.count_stranger_rejects(conn, "native", [code]) == 0
    assert field.books()[0] == 2


def test_an_external_identity_is_kept_and_placed_in_its_grid(db: Connection, now: datetime) -> None:
    note_strangers(db, [stranger("a84041ffff000001", now)])

    registration.approve(
        db, "anna", DISTRICT, found_id(db), wanted(db, model="milesight-gs101"), now
    )

    row = db.execute(
        "SELECT format, external_id, model, unit_grid IS NOT NULL FROM device WHERE code = 'NEW-1'"
    ).fetchone()
    assert row == ("chirpstack", "a84041ffff000001", "milesight-gs101", True)


@pytest.mark.parametrize(
    ("change", "field_name", "code"),
    [
        ({"code": ""}, "code", "missing"),
        ({"kind": "volcano"}, "kind", "one_of"),
        ({"lon": 20.0, "lat": 110.36}, "lon, lat", "place_swapped"),
        ({"lon": 0.0, "lat": 0.0}, "lon, lat", "place_unset"),
        ({"model": "acme"}, "model", "model_unknown"),
        ({"report_interval_s": 0}, "report_interval_s", "interval"),
        ({"code": "GAS-000001"}, "code", "code_taken"),
    ],
)
def test_an_approval_is_judged_like_a_row_of_a_file(
    db: Connection, now: datetime, change: dict[str, Any], field_name: str, code: str
) -> None:
    note_strangers(db, [stranger("a84041ffff000001", now)])

    with pytest.raises(InvalidInput) as caught:
        registration.approve(db, "anna", DISTRICT, found_id(db), wanted(db, **change), now)

    assert (caught.value.field, caught.value.code) == (field_name, code)
    assert waiting(db) == ["a84041ffff000001"]


def test_an_ignored_stranger_is_counted_and_not_shown(db: Connection, now: datetime) -> None:
    note_strangers(db, [stranger("a84041ffff000001", now)])
    registration.ignore(db, "anna", DISTRICT, found_id(db), now)
    note_strangers(db, [stranger("a84041ffff000001", now, messages=4)])

    assert waiting(db) == []
    assert [r.messages for r in discovery.list_discovered(db, state="ignored")] == [5]
    assert last_event(db).kind == "device.ignored"
    with pytest.raises(Conflict):
        registration.ignore(db, "anna", DISTRICT, found_id(db), now)


def test_who_is_not_on_the_list_cannot_be_approved(db: Connection, now: datetime) -> None:
    with pytest.raises(NotFound):
        registration.approve(db, "anna", DISTRICT, 987654, wanted(db), now)


# Out of service


def take(conn: Connection, code: str, now: datetime, **other: Any) -> None:
    details = {"reason": "calibration", "return_due_at": now + SOON} | other
    request = OutOfServiceRequest(**details)
    registration.take_out_of_service(conn, "anna", DISTRICT, code, request, now)


def service(conn: Connection, code: str) -> Any:
    return conn.execute(
        "SELECT out_of_service_since, return_due_at, out_of_service_reason, out_of_service_by,"
        " version FROM device WHERE code = %s",
        (code,),
    ).fetchone()


def test_a_device_goes_out_of_service_until_a_day_and_comes_back(field: Field) -> None:
    code, now = field.codes[0], field.now
    take(field.conn, code, now)
    assert service(field.conn, code) == (now, now + SOON, "calibration", "anna", 2)
    assert last_event(field.conn).payload["return_due_at"] == (now + SOON).isoformat()

    longer = now + timedelta(hours=1)
    take(field.conn, code, longer, reason="part on order", version=2)
    assert service(field.conn, code)[:3] == (now, longer + SOON, "part on order")

    late = now + timedelta(days=3)
    registration.return_to_service(field.conn, "ben", DISTRICT, code, version=3, now=late)
    assert service(field.conn, code) == (None, None, "", None, 4)
    event = last_event(field.conn)
    assert (event.kind, event.actor) == ("device.returned_to_service", "ben")
    assert event.payload["overdue"] is True


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reason": "  "}, "missing"),
        ({"reason": "x" * 300}, "too_long"),
        ({"return_due_at": datetime.fromisoformat("2020-01-01T00:00:00+00:00")}, "return_past"),
        ({"return_due_at": datetime.fromisoformat("2190-01-01T00:00:00+00:00")}, "return_far"),
    ],
)
def test_out_of_service_needs_a_reason_and_a_day_not_too_far(
    field: Field, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        take(field.conn, field.codes[0], field.now, **change)
    assert caught.value.code == code


def test_a_stale_version_and_a_device_in_service_are_conflicts(field: Field) -> None:
    with pytest.raises(Conflict) as caught:
        take(field.conn, field.codes[0], field.now, version=7)
    assert caught.value.current["version"] == 1
    with pytest.raises(Conflict):
        registration.return_to_service(
            field.conn, "anna", DISTRICT, field.codes[0], version=None, now=field.now
        )
    with pytest.raises(NotFound):
        take(field.conn, "NOBODY", field.now)


# Exchanged hardware


def exchange(conn: Connection, code: str, now: datetime, **new: Any) -> None:
    request = ReplaceRequest("water inside", **new)
    registration.replace(conn, "anna", DISTRICT, code, request, now)


def test_exchanged_hardware_keeps_code_and_history_and_its_old_identity_is_refused_by_name(
    field: Field,
) -> None:
    conn, code = field.conn, field.codes[0]
    store(field, native(field, code, 1.5))
    device_id = field.device_id()
    new = {"format": "chirpstack", "external_id": "A84041FFFF000009", "model": "milesight-gs101"}
    exchange(conn, code, field.now, **new)

    assert field.device_id() == device_id
    present, past = list_identities(conn, DISTRICT, code)
    assert (present.format, present.identity, present.to) == (
        "chirpstack",
        "a84041ffff000009",
        None,
    )
    assert (past.format, past.identity, past.to) == ("native", code, field.now)
    assert present.from_ == past.to
    assert (past.reason, past.replaced_by) == ("water inside", "anna")
    assert find_replaced(conn, [code]) == {("native", code): code}
    assert last_event(conn).payload["new"]["identity"] == "a84041ffff000009"

    store(field, native(field, code, 2.5, 60))
    reason, detail, reject_id = field.row("SELECT reason, detail, id FROM reject")
    assert reason == "device_replaced"
    assert code in detail
    assert replay_reject(conn, reject_id, field.now) is False
    assert field.one("SELECT count(*) FROM reading WHERE device_id = %s", device_id) == 1
    assert waiting(conn) == []


def test_hardware_exchanged_twice_leaves_no_gap_in_its_history(field: Field) -> None:
    conn, code = field.conn, field.codes[0]
    for number in (1, 2):
        at = field.now + timedelta(hours=number)
        exchange(conn, code, at, format="chirpstack", external_id=f"a84041ffff00000{number}")

    found = list_identities(conn, DISTRICT, code)

    assert [row.identity for row in found] == ["a84041ffff000002", "a84041ffff000001", code]
    assert [row.from_ for row in found[:2]] == [row.to for row in found[1:]]


def test_a_native_device_keeps_its_code_whatever_hardware_sends_it(field: Field) -> None:
    conn, code = field.conn, field.codes[0]
    exchange(conn, code, field.now, model="generic-native")

    store(field, native(field, code, 2.5, 60))

    assert field.one("SELECT count(*) FROM reject") == 0
    assert len(list_identities(conn, DISTRICT, code)) == 2


@pytest.mark.parametrize(
    ("new", "field_name", "code"),
    [
        ({"format": "telepathy", "external_id": "x"}, "format", "one_of"),
        ({"format": "chirpstack"}, "external_id", "identity_missing"),
        ({"model": "acme"}, "model", "model_unknown"),
        ({"model": "dingtek-dc410"}, "model", "model_kind"),
        (
            {"format": "chirpstack", "external_id": "a84041ffff00000a"},
            "external_id",
            "identity_taken",
        ),
    ],
)
def test_new_hardware_is_judged_like_a_row_of_a_file(
    field: Field, new: dict[str, Any], field_name: str, code: str
) -> None:
    exchange(
        field.conn, field.codes[1], field.now, format="chirpstack", external_id="a84041ffff00000a"
    )

    with pytest.raises(InvalidInput) as caught:
        exchange(field.conn, field.codes[0], field.now, **new)

    assert (caught.value.field, caught.value.code) == (field_name, code)
    with pytest.raises(InvalidInput, match="already"):
        exchange(field.conn, field.codes[1], field.now, external_id="A84041FFFF00000A")
