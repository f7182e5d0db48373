"""The event log: every change of an alarm, incident, squad, rule or setting."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GENESIS = b"\0" * 32  # hash before the first event


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A change to append. `kind` is `subject.what`, e.g. `incident.dispatched`."""

    at: datetime
    district: str
    kind: str
    subject: str  # "incident:17", "alarm:4", "device:GD-000123"
    actor: str  # user name, "token:NAME" or "system"
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """A change in its place in the log. `rows` are the rows that it changed, as they are after
    it: JSON text `[{"key": {…}, "row": {…} or null, "table": …}]` exactly as the database prints
    it; None where it changed none, or where they were not asked for."""

    seq: int
    at: datetime
    district: str
    kind: str
    subject: str
    actor: str
    payload: dict[str, Any]
    prev_hash: bytes
    hash: bytes
    rows: str | None = None


def chain_hash(
    prev_hash: bytes, seq: int, event: NewEvent | Event, rows: str | None = None
) -> bytes:
    """SHA-256 over the previous hash and a canonical JSON form of the event with its rows."""
    told: dict[str, Any] = {
        "seq": seq,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "district": event.district,
        "kind": event.kind,
        "subject": event.subject,
        "actor": event.actor,
        "payload": event.payload,
    }
    if rows is not None:
        # As text: numbers would not all survive a parser.
        told["rows"] = rows
    body = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(prev_hash + body.encode()).digest()
