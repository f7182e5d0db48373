"""What each squad that was sent made of its time: one attempt an assignment. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from city.clock import ClockKind, Deadline, Pause, WorkCalendar, as_minutes
from city.incident import Action, Assignment
from dispatch.clocks import used

# After these a squad starts anew, whatever it had left before.
NEW_ROUND = frozenset({Action.REWORK.value, Action.CLOSE.value, Action.CANCEL.value})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One assignment with its handling clock. Minutes are counted ones, used + remaining = limit;
    `end` is `running`, `handled` or the action that took the squad off it; `missed`: it did not
    finish by the due time, whoever finished later."""

    squad: str
    attempt: int
    sent_at: datetime
    ended_at: datetime | None
    end: str
    due_at: datetime
    limit_minutes: float
    used_minutes: float
    remaining_minutes: float
    missed: bool


def list_attempts(
    assignments: Sequence[Assignment],
    deadlines: Sequence[Deadline],
    pauses: Sequence[Pause],
    calendar_of: Callable[[str, int], WorkCalendar],
    now: datetime,
) -> list[Attempt]:
    """The attempts of a case, oldest first, each counted by the calendar of its time."""
    found = []
    for sent in assignments:
        clock = clock_of(sent, deadlines)
        if clock is None:
            continue
        calendar = calendar_of(clock.calendar, clock.calendar_version)
        spent = used(clock, now, calendar, pauses).total_seconds() / 60
        limit = as_minutes(clock.limit)
        ended_at = clock.met_at or clock.stopped_at
        end = "handled" if clock.met_at else sent.end_reason if ended_at else "running"
        found.append(
            Attempt(
                squad=sent.squad,
                attempt=clock.attempt,
                sent_at=sent.assigned_at,
                ended_at=ended_at,
                end=end or "stopped",
                due_at=clock.due_at,
                limit_minutes=round(limit, 3),
                used_minutes=round(spent, 3),
                remaining_minutes=round(limit - spent, 3),
                missed=is_missed(clock, now),
            )
        )
    return found


def is_missed(clock: Deadline, now: datetime) -> bool:
    """Whether a clock was not met by its due time; one that stands still runs out for nobody."""
    return (clock.met_at or clock.stopped_at or clock.paused_at or now) > clock.due_at


def clock_of(sent: Assignment, deadlines: Sequence[Deadline]) -> Deadline | None:
    """The handling clock of an assignment."""
    return next(
        (d for d in deadlines if d.kind is ClockKind.HANDLE and d.attempt == sent.attempt), None
    )


def returned_clock(
    squad: str, assignments: Sequence[Assignment], deadlines: Sequence[Deadline]
) -> Deadline | None:
    """The clock on which this squad gave the case back in this round, whoever was sent since."""
    for sent in reversed(assignments):
        if sent.end_reason in NEW_ROUND:
            return None
        if sent.squad == squad:
            clock = clock_of(sent, deadlines)
            return clock if clock is not None and clock.stopped_at is not None else None
    return None
