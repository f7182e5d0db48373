"""The ladder of an overdue clock: reminder, supervision, yellow card, red card. Pure.

The end of the limit is supervised; a city says at which shares of the limit a clock reminds and
gives cards (as shipped 80 %, one limit over and two limits over). A level is never said twice, and
the yellow card is not said after the red one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from city.clock import ClockKind, Deadline, Pause, WorkCalendar
from city.delivery import Ladder
from dispatch import sla

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
    deadline: Deadline, calendar: WorkCalendar, pauses: Sequence[Pause], ladder: Ladder
) -> datetime | None:
    """When the next card of this clock falls due."""
    if deadline.kind not in CARDED or deadline.escalated == "red":
        return None
    share = ladder.red if deadline.escalated == "yellow" else ladder.yellow
    limit = sla.times(deadline.limit, share)
    return sla.deadline(deadline.started_at, limit, calendar, pauses_of(deadline, pauses)).due_at


def notice(
    deadline: Deadline,
    now: datetime,
    calendar: WorkCalendar,
    pauses: Sequence[Pause],
    ladder: Ladder,
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
        deadline = replace(deadline, escalate_at=next_card_at(deadline, calendar, pauses, ladder))
    if card:
        kinds.append(RED_CARD if card == "red" else YELLOW_CARD)
    return Noticed(deadline, tuple(kinds))
