"""The ladder of an overdue clock: reminder, supervision, yellow card, red card. Pure.

A proposal (domain.md 8): 80 % of the limit reminds, the end of the limit is supervised, one
limit over is a yellow card, two limits over a red one. A level is never said twice, and the
yellow card is not said after the red one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from city.clock import ClockKind, Deadline, Pause, WorkCalendar
from dispatch import sla

# How often the whole limit fits into the time used when a card falls due.
YELLOW_FACTOR, RED_FACTOR = 2.0, 3.0
# Cards go to the unit that handles; the other clocks are those of the centre itself.
CARDED = frozenset({ClockKind.HANDLE})

DUE_SOON = "incident.due_soon"
OVERDUE = "incident.overdue"
YELLOW_CARD = "incident.yellow_card"
RED_CARD = "incident.red_card"


@dataclass(frozen=True, slots=True)
class Noticed:
    """A clock as it is to be stored, and the events to be said, in order."""

    deadline: Deadline
    kinds: tuple[str, ...]


def pauses_of(deadline: Deadline, pauses: Sequence[Pause]) -> tuple[Pause, ...]:
    """The pauses as far as a clock stood still in them: one that was carried over from a merged
    case did so from then on only."""
    since = deadline.carried_at
    if since is None:
        return tuple(pauses)
    return tuple(
        replace(pause, start=max(pause.start, since))
        for pause in pauses
        if pause.end is None or pause.end > since
    )


def next_card_at(
    deadline: Deadline, calendar: WorkCalendar, pauses: Sequence[Pause]
) -> datetime | None:
    """When the next card of this clock falls due."""
    if deadline.kind not in CARDED or deadline.escalated == "red":
        return None
    factor = RED_FACTOR if deadline.escalated == "yellow" else YELLOW_FACTOR
    limit = sla.times(deadline.limit, factor)
    return sla.deadline(deadline.started_at, limit, calendar, pauses_of(deadline, pauses)).due_at


def notice(
    deadline: Deadline, now: datetime, calendar: WorkCalendar, pauses: Sequence[Pause]
) -> Noticed:
    """What has become true of a running clock since it was last looked at."""
    if not deadline.runs or deadline.paused_at is not None:
        return Noticed(deadline, ())
    kinds = []
    if now > deadline.due_at and deadline.overdue_at is None:
        kinds.append(OVERDUE)
        deadline = replace(deadline, overdue_at=now, warned_at=deadline.warned_at or now)
    elif now >= deadline.warn_at and deadline.warned_at is None:
        kinds.append(DUE_SOON)
        deadline = replace(deadline, warned_at=now)
    card = ""
    while deadline.escalate_at is not None and deadline.escalate_at <= now:
        card = "red" if deadline.escalated == "yellow" else "yellow"
        deadline = replace(deadline, escalated=card)
        deadline = replace(deadline, escalate_at=next_card_at(deadline, calendar, pauses))
    if card:
        kinds.append(RED_CARD if card == "red" else YELLOW_CARD)
    return Noticed(deadline, tuple(kinds))
