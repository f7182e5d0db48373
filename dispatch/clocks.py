"""What a step does to the clocks of an incident: which start, are met, stop, move. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from city.clock import ClockKind, Deadline, Limit, Pause, WorkCalendar, as_minutes
from city.delivery import DEFAULT_LADDER, Ladder
from dispatch import sla
from dispatch.escalate import next_card_at, pauses_of
from dispatch.machine import Clocks


@dataclass(frozen=True)
class Terms:
    """What the clocks of one incident are counted by."""

    district: str
    incident_id: int
    calendar: WorkCalendar
    limits: Mapping[ClockKind, Limit]
    pauses: tuple[Pause, ...] = ()
    ladder: Ladder = DEFAULT_LADDER


@dataclass
class ClockChanges:
    """Rows to write, and what the event says about them."""

    new: list[Deadline] = field(default_factory=list)
    changed: list[Deadline] = field(default_factory=list)
    told: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def tell(self, what: str, deadline: Deadline, **more: Any) -> None:
        entry = {
            "clock": deadline.clock,
            "attempt": deadline.attempt,
            "limit": str(deadline.limit),
            "due_at": deadline.due_at.isoformat(),
            **more,
        }
        self.told.setdefault(what, []).append(entry)

    @property
    def beyond_calendar(self) -> list[Deadline]:
        """Clocks whose due time rests on days that the calendar does not know yet."""
        return [d for d in (*self.new, *self.changed) if d.runs and d.beyond_calendar]


def start_clock(kind: ClockKind, attempt: int, limit: Limit, now: datetime, by: Terms) -> Deadline:
    """A new attempt of a clock."""
    blank = Deadline(
        id=0,
        district=by.district,
        incident_id=by.incident_id,
        clock=kind.value,
        attempt=attempt,
        started_at=now,
        limit_amount=limit.amount,
        limit_unit=limit.unit.value,
        calendar=by.calendar.code,
        calendar_version=by.calendar.version,
        due_at=now,
        beyond_calendar=False,
        counted=[],
        warn_at=now,
    )
    return recount(blank, limit, by)


def recount(deadline: Deadline, limit: Limit, by: Terms) -> Deadline:
    """The same attempt counted again from its start: new limit, new pauses or new calendar."""
    pauses = pauses_of(deadline, by.pauses)
    due = sla.deadline(deadline.started_at, limit, by.calendar, pauses)
    counted = replace(
        deadline,
        limit_amount=limit.amount,
        limit_unit=limit.unit.value,
        calendar_version=due.calendar_version,
        due_at=due.due_at,
        beyond_calendar=due.beyond_calendar,
        counted=[{"date": d.date.isoformat(), "minutes": round(d.minutes, 6)} for d in due.counted],
        warn_at=sla.warn_at(deadline.started_at, limit, by.calendar, pauses, by.ladder.remind),
    )
    return replace(counted, escalate_at=next_card_at(counted, by.calendar, by.pauses, by.ladder))


def apply_clocks(
    order: Clocks,
    deadlines: Sequence[Deadline],
    now: datetime,
    by: Terms,
    carried_over: Limit | None = None,
    done_at: datetime | None = None,
) -> ClockChanges:
    """Carry out a step's clock orders; `carried_over` is what a returned squad has left,
    `done_at` when the step was taken if it is only heard of now: what is met was met then, and
    what starts or stops does so now, for nobody could know of it before."""
    changes = ClockChanges()
    for deadline in (d for d in deadlines if d.runs):
        if deadline.kind in order.met:
            _meet(changes, deadline, max(done_at or now, deadline.started_at))
        elif deadline.kind in order.stop or order.stop_all:
            stopped = replace(deadline, stopped_at=now)
            changes.changed.append(stopped)
            changes.tell("stopped", stopped)
        elif order.pause:
            changes.changed.append(replace(deadline, paused_at=now))
            changes.tell("paused", deadline)
        elif order.resume and deadline.paused_at is not None:
            resumed = replace(recount(deadline, deadline.limit, by), paused_at=None)
            changes.changed.append(_unwarned(resumed, now))
            changes.tell("resumed", resumed, due_before=deadline.due_at.isoformat())
    for kind in order.start:
        limit = by.limits[kind]
        if kind is ClockKind.HANDLE and carried_over is not None:
            limit = carried_over
        attempt = 1 + max((d.attempt for d in deadlines if d.kind is kind), default=0)
        started = start_clock(kind, attempt, limit, now, by)
        changes.new.append(started)
        changes.tell("started", started)
    return changes


def postpone(deadline: Deadline, original: Limit, now: datetime, by: Terms) -> ClockChanges:
    """One original limit more, counted on from the current due time."""
    later = _unwarned(recount(deadline, sla.plus(deadline.limit, original), by), now)
    changes = ClockChanges(changed=[later])
    changes.tell(
        "postponed",
        later,
        due_before=deadline.due_at.isoformat(),
        limit_before=str(deadline.limit),
    )
    return changes


def left_after_return(returned: Deadline, calendar: WorkCalendar, pauses: Sequence[Pause]) -> Limit:
    """What is left of a handling clock that a return stopped: the same squad gets no more."""
    assert returned.stopped_at is not None
    unit = returned.limit.unit
    spent = used(returned, returned.stopped_at, calendar, pauses)
    return sla.from_minutes(as_minutes(returned.limit) - spent.total_seconds() / 60, unit)


def used(
    deadline: Deadline, now: datetime, calendar: WorkCalendar, pauses: Sequence[Pause]
) -> timedelta:
    """Counted time of a clock up to now, or up to where it stands still or has ended."""
    end = deadline.met_at or deadline.stopped_at or deadline.paused_at or now
    clipped = pauses_of(deadline, pauses)
    return sla.used(deadline.started_at, end, deadline.limit.unit, calendar, clipped)


def carry(own: Deadline, merged: Deadline, now: datetime) -> Deadline:
    """A clock that goes on as the earlier one of a case that was merged into its own."""
    carried = replace(
        own,
        started_at=merged.started_at,
        limit_amount=merged.limit_amount,
        limit_unit=merged.limit_unit,
        calendar=merged.calendar,
        calendar_version=merged.calendar_version,
        due_at=merged.due_at,
        beyond_calendar=merged.beyond_calendar,
        counted=merged.counted,
        warn_at=merged.warn_at,
        escalate_at=merged.escalate_at,
        paused_at=own.paused_at and now,
        carried_at=now,
    )
    return _unwarned(carried, now)


def running(deadlines: Sequence[Deadline], kind: ClockKind) -> Deadline | None:
    """The attempt of a clock that is neither met nor stopped."""
    return next((d for d in deadlines if d.kind is kind and d.runs), None)


def _meet(changes: ClockChanges, deadline: Deadline, now: datetime) -> None:
    met = replace(deadline, met_at=now)
    if now <= met.due_at:  # what was said of it before this was heard of does not hold
        met = replace(met, overdue_at=None)
    changes.changed.append(met)
    changes.tell("met", met, late=now > met.due_at)


def _unwarned(deadline: Deadline, now: datetime) -> Deadline:
    """A clock that was moved may remind once more, if its reminder is ahead again."""
    return replace(deadline, warned_at=None) if deadline.warn_at > now else deadline
