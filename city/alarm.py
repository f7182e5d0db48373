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
    # Condition gone, but the alarm is held until somebody who may releases it.
    LATCHED_UNACKNOWLEDGED = "latched_unacknowledged"
    LATCHED = "latched_acknowledged"
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
    LATCHED = "latched"  # the condition is gone, and the alarm waits for its release


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


@dataclass(frozen=True, slots=True)
class Alarm:
    """A row of `alarm`; `id` is 0 until it is stored."""

    id: int
    district: str
    condition: str
    rule_code: str
    rule_version: int
    category: str
    device_id: int | None
    camera_event: str | None
    severity: Severity
    state: AlarmState
    opens_incident: bool
    reason: dict[str, Any]
    sensed_at: datetime
    received_at: datetime
    raised_at: datetime
    lon: float
    lat: float
    unit_grid: str | None
    demo: bool
    cleared_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    ended_at: datetime | None = None
    shelved_until: datetime | None = None
    shelved_by: str | None = None
    shelve_reason: str | None = None
    shelved_severity: Severity | None = None  # how bad it was when it was muted
    announced_at: datetime | None = None  # raised, became worse or came back
    levels: dict[str, Any] = field(default_factory=dict)  # see `alerts.levels`
    # For how long the condition has to be gone before `release_role` may release it; None: the
    # alarm does not latch.
    latch_s: int | None = None
    release_role: str | None = None
    releasable_at: datetime | None = None  # while it is latched
    version: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "severity", Severity(self.severity))
        object.__setattr__(self, "state", AlarmState(self.state))
        if self.shelved_severity is not None:
            object.__setattr__(self, "shelved_severity", Severity(self.shelved_severity))


@dataclass(frozen=True, slots=True)
class SeenAlarm:
    """An alarm as somebody saw it who does something about it."""

    id: int
    version: int


@dataclass(frozen=True)
class IncidentAlarm:
    """An alarm of an incident, with what its rule calls clear."""

    id: int
    condition: str
    rule_code: str
    severity: int
    state: str
    reason: dict[str, Any]
    sensed_at: datetime
    raised_at: datetime
    cleared_at: datetime | None
    ended_at: datetime | None
    shelved_until: datetime | None
    device_id: int | None
    device_code: str | None
    report_interval_s: int | None
    metric_id: int | None
    comparison: str | None
    clear_limit: float | None
    clearing: bool  # its sensor reports that it is over; the off-delays run
    release_role: str | None  # who may release it, where it latches
    releasable_at: datetime | None

    @property
    def condition_stands(self) -> bool:
        return self.state in ("unacknowledged", "acknowledged")

    @property
    def is_latched(self) -> bool:
        """Its condition is gone, and it waits for its release."""
        return self.state in (AlarmState.LATCHED_UNACKNOWLEDGED, AlarmState.LATCHED)

    def is_loud(self, now: datetime) -> bool:
        """It stands, and nobody has muted it."""
        muted = self.shelved_until is not None and self.shelved_until > now
        return self.condition_stands and not muted


@dataclass(frozen=True, slots=True)
class Inhibition:
    """A condition that is not announced because another alarm explains it."""

    condition: str
    by_condition: str
    district: str
    device_id: int
    severity: int
    reason: dict[str, Any]
    since: datetime
