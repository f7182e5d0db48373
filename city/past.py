"""A past that is written into the log after the fact: what happened, before it has rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from city.alarm import Severity
from city.device import WatchedDevice
from city.incident import IncidentState, Source
from city.person import Caller
from city.place import LonLat
from city.requests import ActionRequest


@dataclass(frozen=True, slots=True)
class Trip:
    """A sensor's value that raises an alarm, and when it was seen and gone."""

    rule: str
    severity: Severity
    device: WatchedDevice
    name: str  # of the device
    value: float
    limit: float
    sensed_at: datetime
    raised_at: datetime
    seen_at: datetime
    seen_by: str
    cleared_at: datetime


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person, or the clockwork, does to an incident at a time. `evidence` are the stages
    that get a file just before it; `approved_by` is the duty chief who let it happen, where that
    takes one. The version that a request names does not count."""

    at: datetime
    caller: Caller
    request: ActionRequest
    evidence: tuple[str, ...] = ()
    approved_by: str = ""


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that happened in the city: where, who told of it, and what was done, in order."""

    opened_at: datetime
    category: str
    source: Source
    state: IncidentState  # in which it is opened
    at: LonLat
    caller: Caller
    deeds: tuple[Deed, ...]
    description: str = ""
    reporter: str = ""
    trip: Trip | None = None


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row as it is after a change: values as Python has them, by column."""

    table: str
    key: tuple[str, ...]
    row: dict[str, Any]
