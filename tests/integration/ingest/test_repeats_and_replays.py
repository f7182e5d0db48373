"""Messages of several devices or without a time, sent again or taken out of quarantine."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from city.reading import METRICS, Quality
from db import ingest_workers, repeated_messages
from db.devices import NewDevice, insert_devices
from ingest.batch import decode_messages
from ingest.formats.sparkplug import resolve_sessions
from ingest.message import Message
from ingest.store_batch import replay_reject
from tests.integration.ingest.field import DISTRICT, Field
from tests.unit.ingest import sparkplug_messages as spb

HUM = "humidity_pct"


def register(field: Field, format_: str, identity: str, model: str = "", code: str = "") -> None:
    code = code or identity.replace("/", "-")
    place = (110.35, 20.0, None)
    device = NewDevice(
        code, DISTRICT, "manhole", model, format_, identity, code, *place, None, 3600, {}
    )
    insert_devices(field.conn, [device], field.now)


def uplink(eui: str, frame: int, data: str = "0367d200") -> dict[str, Any]:
    """One of Netmore's uplinks, without a time of its own: temperature 21.0 °C."""
    return {"devEui": eui, "payload": data, "fCntUp": frame, "fPort": "85"}


def netmore(field: Field, *uplinks: dict[str, Any], later_s: float = 0, **other: Any) -> Message:
    at = field.now + timedelta(seconds=later_s)
    return Message("feed/netmore/x", json.dumps(uplinks).encode(), False, at, **other)


def count(field: Field, code: str) -> int:
    return int(
        field.one(
            "SELECT count(*) FROM reading JOIN device ON device.id = device_id WHERE code = %s",
            code,
        )
    )


def waiting(field: Field, device: str = "") -> list[int]:
    rows = field.conn.execute(
        "SELECT id FROM reject WHERE replayed_at IS NULL AND (%s = '' OR device = %s) ORDER BY id",
        (device, device),
    ).fetchall()
    return [row[0] for row in rows]


def test_of_two_frames_in_one_message_only_the_repeated_one_is_left_out(field: Field) -> None:
    for number in (1, 2):
        register(field, "netmore", f"24e1bb000000000{number}", "milesight-em300-sld")
    first, second = uplink("24e1bb0000000001", 7), uplink("24e1bb0000000002", 8)

    field.store(netmore(field, second))
    field.store(netmore(field, first, second, later_s=5))

    assert count(field, "24e1bb0000000001") == 1
    assert count(field, "24e1bb0000000002") == 1
    assert field.books() == (2, 2, 0, 0)


def untimed(field: Field, later_s: float = 0, *, session: str = "w1-gas", **other: Any) -> Message:
    at = field.now + timedelta(seconds=later_s)
    topic = f"city/v1/{DISTRICT}/gas/{field.codes[0]}/telemetry"
    body = b'{"readings": {"ch4_pct_lel": 1}}'
    return Message(topic, body, False, at, session=session, **other)


def test_what_the_broker_sends_again_in_the_same_session_is_a_repeat(field: Field) -> None:
    field.store(untimed(field, mid=7, session="w1-gas"))
    field.store(untimed(field, 3, mid=7, session="w1-gas", again=True))
    assert field.books() == (2, 1, 1, 0)


@pytest.mark.parametrize(
    "other",
    [
        {"mid": 8, "session": "w1-gas"},
        {"mid": 8, "session": "w1-gas", "again": True},  # its first copy was never stored
        {"mid": 7, "session": "w2-gas", "again": True},
        {"mid": 7, "session": "w1-gas"},  # numbers are used again
    ],
    ids=str,
)
def test_the_same_words_in_another_message_are_news(field: Field, other: dict[str, Any]) -> None:
    field.store(untimed(field, mid=7, session="w1-gas"))
    field.store(untimed(field, 3, **other))
    assert field.books() == (2, 2, 0, 0)


def test_the_copy_of_gas_in_the_other_lane_is_a_repeat(field: Field) -> None:
    field.store(untimed(field, mid=7), untimed(field, 1, mid=3, session="w1"))
    field.store(untimed(field, 2, mid=3, session="w1", again=True))
    assert field.books() == (3, 1, 2, 0)


def test_gas_that_came_in_the_other_lane_only_is_stored(field: Field) -> None:
    """Published before the gas lane was there."""
    field.store(untimed(field, mid=3, session="w1"))
    assert field.books() == (1, 1, 0, 0)


def test_a_worker_taken_for_dead_does_not_store_what_its_substitute_has(field: Field) -> None:
    field.store(untimed(field, 3, mid=7, session="w1-gas", again=True))
    field.store(untimed(field, 0, mid=7, session="w1-gas"))
    assert field.books() == (2, 1, 1, 0)


def test_messages_are_remembered_while_a_worker_that_may_have_them_is_silent(
    field: Field,
) -> None:
    conn, now = field.conn, field.now
    ingest_workers.beat(conn, "w1", "w")
    field.store(untimed(field, mid=7, session="w1-gas"))
    conn.execute("UPDATE message_seen SET received_at = %s", (now - timedelta(hours=5),))
    conn.execute("UPDATE ingest_worker SET seen_at = %s", (now - timedelta(hours=5),))
    assert repeated_messages.forget_seen(conn, now) == 0
    ingest_workers.beat(conn, "w1", "w")
    assert repeated_messages.forget_seen(conn, now) == 2  # known in its session, and by its body


def test_every_unknown_device_of_a_message_finds_it_in_quarantine(field: Field) -> None:
    euis = ["24e1bb0000000001", "24e1bb0000000002"]
    field.store(netmore(field, *(uplink(eui, number) for number, eui in enumerate(euis))))
    assert field.books() == (1, 0, 0, 1)
    assert [len(waiting(field, eui)) for eui in euis] == [1, 1]

    register(field, "netmore", euis[1], "milesight-em300-sld")
    (second,) = waiting(field, euis[1])
    assert replay_reject(field.conn, second, field.now)
    assert (count(field, euis[1]), field.books()) == (1, (1, 0, 0, 1))

    register(field, "netmore", euis[0], "milesight-em300-sld")
    (first,) = waiting(field, euis[0])
    assert replay_reject(field.conn, first, field.now)
    assert (count(field, euis[0]), count(field, euis[1])) == (1, 1)
    assert field.books() == (1, 1, 0, 0)


def test_a_refused_part_is_replayed_though_another_device_is_still_unknown(field: Field) -> None:
    euis = [f"24e1bb000000000{number}" for number in (1, 2, 3)]
    register(field, "netmore", euis[0], "milesight-em300-sld")
    field.store(netmore(field, *(uplink(eui, number) for number, eui in enumerate(euis, 1))))
    register(field, "netmore", euis[1], "milesight-em300-sld")
    (part,) = waiting(field, euis[1])
    assert replay_reject(field.conn, part, field.now)
    assert (count(field, euis[1]), len(waiting(field, euis[2]))) == (1, 1)
    assert field.books() == (1, 1, 0, 0)


def test_a_replay_finds_the_device_however_its_identity_is_spelled(field: Field) -> None:
    body = json.dumps([uplink("24E1BB0000000001", 1)]).encode()
    field.store(Message("feed/netmore/x", body, False, field.now))
    register(field, "netmore", "24e1bb0000000001", "milesight-em300-sld")
    (kept,) = waiting(field)
    assert replay_reject(field.conn, kept, field.now)


def test_sparkplug_data_that_came_before_its_birth_is_replayed_with_its_names(
    field: Field,
) -> None:
    from_birth = {"alias": 4, "float_value": 55.5}
    register(field, "sparkplug", f"{spb.GROUP}/{spb.EDGE}", code="SPB-1")
    at = field.now
    data = Message(spb.topic("NDATA"), spb.payload(spb.metric(**from_birth), seq=1), False, at)
    field.store(data)
    (kept,) = waiting(field)
    assert not replay_reject(field.conn, kept, field.now)

    remember_birth(field, at)
    assert replay_reject(field.conn, kept, field.now)
    value = field.one("SELECT value FROM reading WHERE metric_id = %s", METRICS[HUM].id)
    assert value == 55.5


def remember_birth(field: Field, at: datetime) -> None:
    birth = Message(spb.topic("NBIRTH"), spb.node_birth(spb.metric(HUM, 50.0, alias=4)), False, at)
    resolve_sessions(field.conn, [birth], decode_messages([birth]), at)


@pytest.mark.parametrize("fault", [None, "warming up"])
def test_an_old_message_out_of_quarantine_raises_nothing(field: Field, fault: str | None) -> None:
    """Good, of a wrong clock or suspect: none of it is of now."""
    topic = f"city/v1/{DISTRICT}/gas/NEW-9/telemetry"
    body: dict[str, Any] = {"ts": 1000, "readings": {"ch4_pct_lel": 80}}
    body |= {"fault": fault} if fault else {}
    field.store(Message(topic, json.dumps(body).encode(), False, field.now - timedelta(days=2)))
    register(field, "native", "NEW-9")
    field.conn.execute("UPDATE device SET kind = 'gas' WHERE code = 'NEW-9'")
    (kept,) = waiting(field)
    assert replay_reject(field.conn, kept, field.now)
    assert field.one("SELECT quality FROM reading") == Quality.LATE
