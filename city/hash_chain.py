"""The hash chain of the event log: each event carries the hash of all before it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC
from typing import Any

from city.event import Event, NewEvent

GENESIS = b"\0" * 32  # hash before the first event


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
