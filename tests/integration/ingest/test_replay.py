"""Quarantined messages tried again: one by one, in groups, and what they would come to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

import ingest.decode
from db import ledger
from db.devices import NewDevice, insert_devices
from db.pool import Connection
from db.rejects import Which, find_reject, list_rejects, list_replayable
from ingest.message import Message
from ingest.replay import decode_again, refusals, replay_group
from tests.integration.ingest.field import DISTRICT, Field


def from_stranger(field: Field, code: str, value: int, topic: str = "gas") -> Message:
    body = {"readings": {"ch4_pct_lel": value}}
    return field.message(f"{topic}/{code}/telemetry", body, later_s=-value)


def register(field: Field, code: str) -> None:
    place = (110.35, 20.0, None)
    device = NewDevice(code, DISTRICT, "gas", "", "native", None, code, *place, None, 60, {})
    insert_devices(field.conn, [device], field.now)


def begin(conn: Connection) -> Any:
    @contextmanager
    def nested() -> Iterator[Connection]:
        with conn.transaction():
            yield conn

    return nested


def test_a_group_stores_what_it_can_and_counts_the_reasons_of_the_rest(field: Field) -> None:
    field.store(*(from_stranger(field, code, n) for code in ("N-1", "N-2") for n in (1, 2, 3)))
    register(field, "N-1")
    ids = list_replayable(field.conn, Which(reason="device_unknown"))
    found = replay_group(begin(field.conn), [*ids, 987_654_321], field.now)
    assert (found.stored, found.missed, dict(found.refused)) == (3, 1, {"device_unknown": 3})
    assert "N-2" in found.example
    assert {reject.device for reject in list_rejects(field.conn)} == {"N-2"}
    hour = timedelta(hours=1)
    assert ledger.verify(field.conn, field.now - hour, field.now + hour) == []
    again = replay_group(begin(field.conn), ids[:1], field.now)
    assert (again.stored, again.missed) == (0, 1)


def test_what_a_message_would_come_to_changes_with_the_registry_and_stores_nothing(
    field: Field,
) -> None:
    field.store(from_stranger(field, "N-1", 1))
    (kept,) = list_rejects(field.conn)
    assert [reason for reason, _ in refusals(field.conn, kept, field.now)] == ["device_unknown"]
    register(field, "N-1")
    assert refusals(field.conn, kept, field.now) == []
    assert decode_again(field.conn, kept)["readings"][0]["metric"] == "ch4_pct_lel"
    assert find_reject(field.conn, kept.id) == kept


def test_a_decoder_that_fails_is_an_answer_too(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise TypeError("nobody thought of this")

    field.store(from_stranger(field, "N-1", 1))
    (kept,) = list_rejects(field.conn)
    monkeypatch.setattr(ingest.decode, "recognise", broken)
    assert decode_again(field.conn, kept) == {"error": "TypeError: nobody thought of this"}
