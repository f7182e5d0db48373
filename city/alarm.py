"""Alarms: a condition that needs a person (IEC 62682), and why it was raised."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any


class Severity(IntEnum):
    """1 is the worst; the colours are those of the emergency plans (domain.md 3.3)."""

    RED = 1
    ORANGE = 2
    YELLOW = 3
    BLUE = 4


class AlarmState(StrEnum):
    """IEC 62682. Shelving, inhibition and out-of-service are separate facts beside the state."""

    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned_unacknowledged"  # condition gone, nobody has looked yet
    NORMAL = "normal"  # over: condition gone and acknowledged


class AlarmChangeKind(StrEnum):
    RAISED = "raised"
    ESCALATED = "escalated"  # same condition, worse severity
    CLEARED = "cleared"
    RETRIPPED = "retripped"  # condition came back before the alarm was over
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a verdict was reached; stored with the alarm and shown to the person who asks."""

    code: str  # e.g. "value_at_or_above_limit"
    rule: str
    rule_version: int
    metric: str = ""
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    since: datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)
