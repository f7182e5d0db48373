"""Who of a squad could take a duty that somebody cannot do (顶班). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from city.certificate import Certificate
from city.roster import DAY, REST, Duty, spans_around

# Duties further away say nothing about the rest of this one.
AROUND = 3


@dataclass(frozen=True, slots=True)
class StandIn:
    """`rest_hours` is the shortest rest that they would have before or after it (None: no duty of
    theirs is near), `expired` the skills of the squad of which their certificate is over then."""

    person: str
    called: str
    rest_hours: float | None
    expired: tuple[str, ...]
    fit: bool


def rank_stand_ins(
    roster: Sequence[Duty],
    day: date,
    duty: Duty,
    skills: Iterable[str],
    people: Mapping[str, str],
    held: Iterable[Certificate],
) -> list[StandIn]:
    """Everybody of the squad but whoever has the duty, `people` being what they are called by
    name: the fit ones first, of these the longest rested."""
    wanted = frozenset(skills)
    over: dict[str, list[str]] = {}
    for one in held:
        if one.skill in wanted and one.valid_until < day:
            over.setdefault(one.person, []).append(one.skill)
    found = []
    for person, called in people.items():
        if person == duty.person:
            continue
        rest = shortest_rest(roster, day, duty, person)
        expired = tuple(sorted(over.get(person, ())))
        hours = None if rest is None else round(rest / timedelta(hours=1), 1)
        fit = not expired and (rest is None or rest >= REST)
        found.append(StandIn(person, called, hours, expired, fit))
    longest = float("inf")
    return sorted(
        found,
        key=lambda s: (not s.fit, -(longest if s.rest_hours is None else s.rest_hours), s.person),
    )


def shortest_rest(roster: Sequence[Duty], day: date, duty: Duty, person: str) -> timedelta | None:
    """For how long somebody would be off before or after this duty, whichever is less; None: no
    duty of theirs is near."""
    begin = datetime.combine(day, duty.start)
    end = datetime.combine(day + DAY if duty.end <= duty.start else day, duty.end)
    mine = [
        (since, until)
        for since, until, one in spans_around(roster, day + AROUND * DAY, 2 * AROUND)
        if one.person == person
    ]
    gaps = [begin - until if until <= begin else since - end for since, until in mine]
    return max(min(gaps), timedelta(0)) if gaps else None
