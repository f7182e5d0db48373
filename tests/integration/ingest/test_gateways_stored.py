"""What messages say about gateways is stored with them, seldom enough and never without bound."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from city.gateway import Heard
from db import gateways
from db.gateways import GATEWAYS_PER_DEVICE
from db.pool import Connection, connect
from ingest.message import Message
from tests.integration.ingest.field import DISTRICT, Field

EUI = "24e124ffff00aa01"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def lorawan(field: Field) -> int:
    """One gas detector on ChirpStack."""
    return int(
        field.one(
            """
            INSERT INTO device (code, district, kind, name, format, external_id, lon, lat,
                                created_at)
            VALUES ('LW-1', %s, 'gas', 'LW-1', 'chirpstack', %s, 110.3, 20.0, %s) RETURNING id
            """,
            DISTRICT,
            EUI,
            field.now,
        )
    )


def frame(
    field: Field, at: datetime, *ways: tuple[str, float], retain: bool = False, count: int = 0
) -> Message:
    body = {
        "deviceInfo": {"devEui": EUI},
        "time": at.isoformat(),
        "fCnt": count,
        "fPort": 1,
        "object": {"ch4_pct_lel": 1.5},
        "rxInfo": [{"gatewayId": name, "rssi": rssi, "snr": 5.5} for name, rssi in ways],
    }
    topic = f"application/1/device/{EUI}/event/up"
    return Message(topic, json.dumps(body).encode(), retain, at)


def heard_at(field: Field, identity: str) -> Any:
    return field.one("SELECT heard_at FROM gateway WHERE identity = %s", identity)


def test_a_frame_is_stored_with_the_gateways_that_heard_it(field: Field, lorawan: int) -> None:
    field.store(frame(field, field.now, ("gw-1", -70), ("gw-2", -110)))
    first, second = gateways.list_heard_through(field.conn, lorawan)
    assert (first.identity, first.kind, first.rssi_dbm, first.snr_db) == (
        "gw-1",
        "lorawan_gateway",
        -70.0,
        5.5,
    )
    assert second.identity == "gw-2"
    assert first.heard_at == first.gateway_heard_at == field.now
    assert field.row("SELECT district, first_seen FROM gateway WHERE identity = 'gw-1'") == (
        DISTRICT,
        field.now,
    )
    server = field.row("SELECT format, heard_at FROM gateway WHERE kind = 'network_server'")
    assert server == ("chirpstack", field.now)
    assert field.books() == (1, 1, 0, 0)


@pytest.mark.parametrize("rssi", [1e300, 1e-300])
def test_a_signal_that_no_column_holds_costs_the_frame_nothing(
    field: Field, lorawan: int, rssi: float
) -> None:
    field.store(frame(field, field.now, ("gw-1", rssi)))
    (way,) = gateways.list_heard_through(field.conn, lorawan)
    assert way.rssi_dbm in (None, 0.0)
    assert field.books() == (1, 1, 0, 0)


def test_frames_that_follow_each_other_are_not_written_one_by_one(
    field: Field, lorawan: int
) -> None:
    for seconds in range(0, 61, 5):
        at = field.now + timedelta(seconds=seconds)
        field.store(frame(field, at, ("gw-1", -70), count=seconds))
        age = at - heard_at(field, "gw-1")
        assert age <= gateways.GATEWAY_EVERY
    (way,) = gateways.list_heard_through(field.conn, lorawan)
    assert way.heard_at == field.now  # 60 s are not over
    field.store(frame(field, field.now + timedelta(seconds=61), ("gw-1", -75), count=99))
    (way,) = gateways.list_heard_through(field.conn, lorawan)
    assert (way.heard_at, way.rssi_dbm) == (field.now + timedelta(seconds=61), -75.0)


def test_an_old_frame_takes_nothing_back(field: Field, lorawan: int) -> None:
    field.store(frame(field, field.now, ("gw-1", -70)))
    field.store(frame(field, field.now - 5 * MINUTE, ("gw-1", -99), count=1))
    (way,) = gateways.list_heard_through(field.conn, lorawan)
    assert (way.heard_at, way.rssi_dbm) == (field.now, -70.0)


def test_plain_telemetry_and_retained_frames_bring_no_gateway(field: Field, lorawan: int) -> None:
    field.store(
        field.telemetry({"ch4_pct_lel": 1.5}, field.now),
        frame(field, field.now, ("gw-1", -70), retain=True),
    )
    assert field.one("SELECT count(*) FROM gateway") == 0


def test_the_word_of_a_gateway_is_kept_apart_from_its_signs_of_life(field: Field) -> None:
    topic = "eu868/gateway/0016c001f0000001/state/conn"
    online = json.dumps({"gatewayId": "0016c001f0000001", "state": "ONLINE"}).encode()
    offline = json.dumps({"gatewayId": "0016c001f0000001", "state": "OFFLINE"}).encode()
    columns = "SELECT format, online, status_at, heard_at FROM gateway"
    field.store(Message(topic, online, False, field.now))
    assert field.row(columns) == ("chirpstack", True, field.now, field.now)
    later = field.now + MINUTE
    field.store(Message(topic, offline, False, later))
    assert field.row(columns) == ("chirpstack", False, later, field.now)
    # The same batch once more, and its parts the other way round: the newest word stands.
    field.store(Message(topic, offline, False, later), Message(topic, online, False, field.now))
    assert field.row(columns) == ("chirpstack", False, later, field.now)
    assert field.books() == (4, 4, 0, 0)


def test_an_edge_node_of_sparkplug_that_dies_is_a_gateway_that_goes(field: Field) -> None:
    field.store(Message("spBv1.0/North/NDEATH/cabinet-7", b"", False, field.now))
    assert field.row("SELECT kind, online, heard_at FROM gateway") == (
        "sparkplug_node",
        False,
        None,
    )


def note(conn: Connection, *heard: Heard, limit: int = 50) -> None:
    gateways.note_gateways(conn, heard, gateways_max=limit)


def test_a_flood_of_invented_gateways_pushes_out_its_own_kind(
    db: Connection, now: datetime
) -> None:
    def sign(name: str, at: datetime) -> Heard:
        return Heard("chirpstack", name, "lorawan_gateway", at)

    for days in (0, 2):
        note(db, *[sign(f"old-{n}", now + timedelta(days=days)) for n in range(20)])
    for second in range(20):
        at = now + timedelta(days=2, seconds=second)
        note(db, *[sign(f"made-up-{second}-{n}", at) for n in range(40)])
    row = db.execute(
        "SELECT count(*), count(*) FILTER (WHERE identity LIKE 'old-%') FROM gateway"
    ).fetchone()
    assert row == (50, 20)


def test_of_one_device_only_so_many_gateways_are_remembered(db: Connection, now: datetime) -> None:
    row = db.execute("SELECT min(id) FROM device").fetchone()
    assert row is not None
    for number in range(GATEWAYS_PER_DEVICE + 8):
        at = now + timedelta(seconds=number)
        note(db, Heard("ttn", f"gw-{number}", "lorawan_gateway", at, device_id=row[0]))
    kept = gateways.list_heard_through(db, row[0])
    assert len(kept) == GATEWAYS_PER_DEVICE
    assert kept[0].identity == f"gw-{GATEWAYS_PER_DEVICE + 7}"


def test_workers_that_note_the_same_gateways_in_any_order_never_deadlock(
    database_url: str, now: datetime
) -> None:
    with connect(database_url) as conn:
        ids = [row[0] for row in conn.execute("SELECT id FROM device LIMIT 20").fetchall()]
    failures: list[psycopg.Error] = []

    def work(turn: int) -> None:
        signs = [
            Heard("ttn", f"gw-{n}", "lorawan_gateway", now, device_id=device_id)
            for n in range(20)
            for device_id in ids
        ]
        try:
            with connect(database_url) as conn:
                for round_ in range(6):
                    at = now + (round_ * 3 + turn) * 2 * MINUTE
                    moved = [
                        Heard(s.format, s.identity, s.kind, at, device_id=s.device_id)
                        for s in (signs if turn % 2 else reversed(signs))
                    ]
                    gateways.note_gateways(conn, moved)
                    conn.commit()
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("gone", ["gateway", "device"])
def test_a_gateway_or_device_that_is_being_removed_is_passed_over(
    database_url: str, now: datetime, gone: str
) -> None:
    with connect(database_url) as first, connect(database_url) as second:
        (one,), (other,) = first.execute("SELECT id FROM device ORDER BY id LIMIT 2").fetchall()
        note(first, *[Heard("ttn", f"gw-{n}", "lorawan_gateway", now) for n in range(2)])
        first.commit()
        if gone == "gateway":
            second.execute("DELETE FROM gateway WHERE identity = 'gw-0'")
        else:
            second.execute("SELECT FROM device WHERE id = %s FOR UPDATE", (one,))
        first.execute("SET lock_timeout = '2s'")
        note(
            first,
            Heard("ttn", "gw-0", "lorawan_gateway", now, device_id=one),
            Heard("ttn", "gw-1", "lorawan_gateway", now, device_id=other),
        )
        kept = first.execute("SELECT device_id FROM device_gateway").fetchall()
        second.rollback()
    assert kept == [(other,)]


def test_a_gateway_that_is_just_heard_through_is_not_forgotten(
    database_url: str, now: datetime
) -> None:
    with connect(database_url) as first, connect(database_url) as second:
        row = first.execute("SELECT min(id) FROM device").fetchone()
        assert row is not None
        note(first, Heard("ttn", "gw-0", "lorawan_gateway", now))
        first.commit()
        note(first, Heard("ttn", "gw-0", "lorawan_gateway", now, device_id=row[0]))
        second.execute("SET lock_timeout = '2s'")
        note(second, Heard("ttn", "gw-1", "lorawan_gateway", now + MINUTE), limit=1)
        note(second, Heard("ttn", "gw-2", "lorawan_gateway", now + MINUTE), limit=0)
        kept = second.execute("SELECT identity FROM gateway").fetchall()
    assert kept == [("gw-0",)]


def test_a_device_that_was_removed_meanwhile_costs_nobody_else_anything(
    db: Connection, now: datetime
) -> None:
    note(db, Heard("ttn", "gw-1", "lorawan_gateway", now, device_id=2_000_000_000))
    assert db.execute("SELECT count(*) FROM gateway").fetchone() == (1,)
    assert db.execute("SELECT count(*) FROM device_gateway").fetchone() == (0,)
