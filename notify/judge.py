"""Whether a step of a case still has to be told, how, and until when. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.clock import ClockKind, Deadline
from city.delivery import Step
from city.incident import Incident, IncidentState

# Before the squad has said that it takes the case on.
UNACKNOWLEDGED = frozenset(
    {
        IncidentState.REPORTED,
        IncidentState.VERIFYING,
        IncidentState.FILED,
        IncidentState.DISPATCHED,
    }
)
UNASSIGNED = UNACKNOWLEDGED - {IncidentState.DISPATCHED}
FIRST_CLOCKS = (ClockKind.FILE, ClockKind.VERIFY, ClockKind.DISPATCH)
# The least time in which a message is worth something, and the most for what is overdue.
SHORTEST, LONGEST = timedelta(minutes=10), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Matter:
    """What a message is about: a step of a case, and the attempt of a clock where it is one of a
    clock."""

    step: Step
    clock: str = ""
    attempt: int = 0


def is_news(matter: Matter, incident: Incident, deadlines: Sequence[Deadline]) -> bool:
    """Whether anybody has to be told, as the case is now."""
    if matter.step is Step.OPENED:
        return incident.state in UNASSIGNED
    if matter.step is Step.DISPATCHED:
        return incident.state is IncidentState.DISPATCHED
    clock = clock_of(matter, deadlines)
    if clock is None or not clock.runs or clock.paused_at is not None:
        return False
    # A reply is owed on when the case is over.
    return incident.is_open or clock.kind is ClockKind.REPLY


def is_page(incident: Incident) -> bool:
    """Whether it may wake somebody: nobody has taken the case on yet."""
    return incident.state in UNACKNOWLEDGED


def clock_of(matter: Matter, deadlines: Sequence[Deadline]) -> Deadline | None:
    """The clock that a message names: its own, else the one that waits for its reader."""
    if matter.clock:
        same = (d for d in deadlines if d.clock == matter.clock and d.attempt == matter.attempt)
        return next(same, None)
    wanted = (ClockKind.ACKNOWLEDGE,) if matter.step is Step.DISPATCHED else FIRST_CLOCKS
    return next((d for d in deadlines if d.kind in wanted and d.runs), None)


def expiry(matter: Matter, clock: Deadline | None, now: datetime) -> datetime:
    """After this nobody wants the message any more: the clock has run out, or the next step of
    what is overdue is told instead."""
    if clock is None:
        return now + LONGEST
    end: datetime | None = clock.due_at
    if matter.step in (Step.OVERDUE, Step.YELLOW, Step.RED):
        end = clock.escalate_at
    return max(min(end or now + LONGEST, now + LONGEST), now + SHORTEST)
