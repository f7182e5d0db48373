"""Allowed time: limits, pauses, deadlines, and the versioned working calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from city.errors import InvalidInput


class LimitUnit(StrEnum):
    """Units of an allowed time (domain.md 2.7)."""

    URGENT_HOUR = "urgent_hour"  # runs always, nights and holidays
    WORK_HOUR = "work_hour"  # 60 counted minutes inside the working windows
    WORK_DAY = "work_day"  # 8 counted hours inside the working windows
    NATURAL_DAY = "natural_day"  # 24 h, runs always


@dataclass(frozen=True, slots=True)
class Limit:
    """How much time is allowed, e.g. 4 work_hour. May be a fraction (0.5 work_day)."""

    amount: float
    unit: LimitUnit

    def __post_init__(self) -> None:
        if not 0 < self.amount <= 10_000:
            raise InvalidInput("limit", self.amount, "must be above 0 and at most 10000")

    def __str__(self) -> str:
        return f"{self.amount:g} {self.unit.value}"


@dataclass(frozen=True, slots=True)
class Pause:
    """A clock stood still from `start` to `end` (None: still paused); every clock obeys it."""

    start: datetime
    end: datetime | None
    reason: str = ""
    approved_by: str = ""


# Working windows of mainland China city management (domain.md 0, [S9] weak source):
# a calendar version carries its own, this is the default for new ones.
DEFAULT_WINDOWS: tuple[tuple[time, time], ...] = (
    (time(8), time(12)),
    (time(14), time(18)),
)


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Which days count, in which windows. `exceptions` maps a day to working or not; other
    days follow the week (Mon-Fri work). Known only up to `known_until`, inclusive."""

    code: str
    version: int
    exceptions: dict[date, bool]
    known_until: date
    timezone: str = "Asia/Shanghai"
    windows: tuple[tuple[time, time], ...] = DEFAULT_WINDOWS

    def is_working_day(self, day: date) -> bool:
        return self.exceptions.get(day, day.weekday() < 5)


@dataclass(frozen=True, slots=True)
class CountedDay:
    date: date
    minutes: float


@dataclass(frozen=True, slots=True)
class Due:
    """When a clock ends and how it was counted, day by day."""

    due_at: datetime
    calendar_code: str
    calendar_version: int
    counted: tuple[CountedDay, ...]
    beyond_calendar: bool  # falls after the last known year: weekends only, warn a person


class ClockKind(StrEnum):
    """The clocks of an incident (domain.md 2.2)."""

    VERIFY = "verify"
    FILE = "file"
    DISPATCH = "dispatch"
    ACKNOWLEDGE = "acknowledge"
    HANDLE = "handle"
    CHECK = "check"


class Standing(StrEnum):
    RUNNING = "running"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    PAUSED = "paused"
    MET = "met"
    MET_LATE = "met_late"


def standing(
    due_at: datetime,
    warn_at: datetime,
    now: datetime,
    *,
    met_at: datetime | None = None,
    paused_at: datetime | None = None,
) -> Standing:
    """How a clock stands; one that runs out exactly now is still in time."""
    if met_at is not None:
        return Standing.MET if met_at <= due_at else Standing.MET_LATE
    if paused_at is not None:
        return Standing.PAUSED
    if now > due_at:
        return Standing.OVERDUE
    return Standing.DUE_SOON if now >= warn_at else Standing.RUNNING


def as_minutes(limit: Limit) -> float:
    """Counted minutes of a limit: 1 work_day = 480, 1 natural_day = 1440."""
    per_unit = {
        LimitUnit.URGENT_HOUR: 60,
        LimitUnit.WORK_HOUR: 60,
        LimitUnit.WORK_DAY: 480,
        LimitUnit.NATURAL_DAY: 1440,
    }
    return limit.amount * per_unit[limit.unit]


def as_timedelta(limit: Limit) -> timedelta:
    return timedelta(minutes=as_minutes(limit))


@dataclass(frozen=True)
class Deadline:
    """One attempt of one clock. `id` is 0 until it is stored."""

    id: int
    district: str
    incident_id: int
    clock: str
    attempt: int
    started_at: datetime
    limit_amount: float
    limit_unit: str
    calendar: str
    calendar_version: int
    due_at: datetime
    beyond_calendar: bool
    counted: list[dict[str, Any]]  # {"date", "minutes"}
    warn_at: datetime
    warned_at: datetime | None = None
    overdue_at: datetime | None = None
    paused_at: datetime | None = None
    met_at: datetime | None = None
    stopped_at: datetime | None = None
    escalated: str = ""
    escalate_at: datetime | None = None
    carried_at: datetime | None = None  # it is that of a case that was merged into this one then

    @property
    def kind(self) -> ClockKind:
        return ClockKind(self.clock)

    @property
    def limit(self) -> Limit:
        return Limit(self.limit_amount, LimitUnit(self.limit_unit))

    @property
    def runs(self) -> bool:
        """Neither met nor stopped; it may be paused."""
        return self.met_at is None and self.stopped_at is None

    def standing(self, now: datetime) -> Standing:
        return standing(
            self.due_at, self.warn_at, now, met_at=self.met_at, paused_at=self.paused_at
        )


@dataclass(frozen=True)
class PauseRow:
    """All clocks of an incident stood still; an open one has no end yet."""

    id: int
    incident_id: int
    started_at: datetime
    ended_at: datetime | None
    resume_due_at: datetime | None
    reason: str
    approved_by: str

    def as_pause(self) -> Pause:
        return Pause(self.started_at, self.ended_at, self.reason, self.approved_by)
