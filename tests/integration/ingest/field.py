"""Devices of the demo district that send messages, and what the database made of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from db import ledger
from db.devices import list_registered, list_squad_districts
from db.pool import Connection
from ingest.batch import build_batch, decode_messages
from ingest.message import Message
from ingest.reporters import Reporters
from ingest.store_batch import NewestKnown, Stored, store_batch

DISTRICT = "460107"


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@dataclass(frozen=True)
class Field:
    """Stores messages as the worker does, without a broker."""

    conn: Connection
    now: datetime
    codes: tuple[str, ...]  # of native gas devices
    camera: str

    def telemetry(self, readings: dict[str, Any], at: datetime, device: int = 0) -> Message:
        body = json.dumps({"ts": milliseconds(at), "readings": readings}).encode()
        topic = f"city/v1/{DISTRICT}/gas/{self.codes[device]}/telemetry"
        return Message(topic, body, False, self.now)

    def message(self, topic: str, body: dict[str, Any], later_s: float = 0) -> Message:
        received_at = self.now + timedelta(seconds=later_s)
        return Message(f"city/v1/{DISTRICT}/{topic}", json.dumps(body).encode(), False, received_at)

    def video(self, phase: str, later_s: float = 0, **other: Any) -> Message:
        body = {
            "id": "ev-1",
            "type": "exposed_garbage",
            "phase": phase,
            "start": self.now.isoformat(),
            **other,
        }
        return self.message(f"video/{self.camera}/event", body, later_s)

    def store(self, *messages: Message, newest: NewestKnown | None = None) -> Stored:
        registry = Reporters(list_registered(self.conn), list_squad_districts(self.conn))
        batch = build_batch(messages, decode_messages(messages), registry)
        return store_batch(self.conn, batch, self.now, newest=newest)

    def device_id(self, device: int = 0) -> int:
        return int(self.one("SELECT id FROM device WHERE code = %s", self.codes[device]))

    def one(self, query: str, *parameters: Any) -> Any:
        row = self.row(query, *parameters)
        assert len(row) == 1
        return row[0]

    def row(self, query: str, *parameters: Any) -> tuple[Any, ...]:
        row = self.conn.execute(query, parameters).fetchone()
        assert row is not None
        return tuple(row)

    def books(self) -> tuple[int, int, int, int]:
        """received, stored, duplicate, rejected of everything; the ledger must balance."""
        day = timedelta(days=1)
        assert ledger.verify(self.conn, self.now - day, self.now + day) == []
        received, stored, duplicate, rejected = self.row(
            """
            SELECT coalesce(sum(received), 0)::int, coalesce(sum(stored), 0)::int,
                   coalesce(sum(duplicate), 0)::int, coalesce(sum(rejected), 0)::int
            FROM ingest_batch
            """
        )
        return received, stored, duplicate, rejected
