"""The event log: every change of an alarm, incident, squad, rule or setting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


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
