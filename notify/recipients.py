"""Who is told of a step of a case, and when their quiet hours end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from city.clock import ClockKind
from city.delivery import RESPONSIBLE, SQUAD
from city.incident import Role
from city.squad import Squad

# Who has to act before a clock runs out; those of the squad's own clocks are the squad.
KEEPERS: Mapping[str, Role] = {
    ClockKind.VERIFY: Role.DISPATCHER,
    ClockKind.FILE: Role.DISPATCHER,
    ClockKind.DISPATCH: Role.DISPATCHER,
    ClockKind.CHECK: Role.CHECKER,
    ClockKind.REPLY: Role.DISPATCHER,
    ClockKind.CALL_BACK: Role.DISPATCHER,
}
DISPATCHER = Role.DISPATCHER.value


@dataclass(frozen=True, slots=True)
class Person:
    """`on_duty` None: no roster names them, so whoever is signed in is there."""

    name: str
    role: str
    squad: str | None
    signed_in: bool
    on_duty: bool | None = None

    @property
    def is_there(self) -> bool:
        return self.signed_in and self.on_duty is not False


@dataclass(frozen=True, slots=True)
class Asked:
    """What a step is about: the clock it is of, the squad that was sent, and whether it is gas."""

    clock: str
    squad: str | None
    squad_on_duty: bool
    is_gas: bool


def on_duty(squads: Iterable[Squad], local: datetime) -> dict[str, bool]:
    """Everybody whom a roster names: whether they are on duty at a local wall-clock time."""
    found: dict[str, bool] = {}
    for squad in squads:
        now = squad.duty_at(local)
        for duty in squad.roster or ():
            found[duty.person] = found.get(duty.person, False)
        if now is not None:
            found[now.person] = True
    return found


def choose(words: Sequence[str], asked: Asked, people: Sequence[Person]) -> list[str]:
    """Names of those who are told, in the order of the words. Nobody off duty or signed out is
    among them; where that leaves nobody, the dispatchers who are there."""
    there = [person for person in people if person.is_there]
    chosen: dict[str, None] = {}
    for word in words:
        for person in there:
            if _is_meant(word, asked, person):
                chosen[person.name] = None
    if not chosen:
        chosen = {person.name: None for person in there if person.role == DISPATCHER}
    return list(chosen)


def _is_meant(word: str, asked: Asked, person: Person) -> bool:
    if word == RESPONSIBLE:
        keeper = KEEPERS.get(asked.clock)
        return _is_of_squad(asked, person) if keeper is None else person.role == keeper
    if word == SQUAD:
        return _is_of_squad(asked, person)
    return person.role == word and (asked.is_gas or person.role != Role.GAS_ENGINEER)


def _is_of_squad(asked: Asked, person: Person) -> bool:
    """Who is on duty by the roster, or leads a squad that has none and is on its shift."""
    if asked.squad is None or person.squad != asked.squad or not asked.squad_on_duty:
        return False
    return person.on_duty is True or person.role == Role.SQUAD_LEADER


def quiet_until(begin: time | None, end: time | None, local: datetime) -> datetime | None:
    """When the quiet hours that a local time lies in are over; None outside of them. Hours that
    end before they begin run past midnight."""
    if begin is None or end is None or begin == end:
        return None
    clock = local.time()
    if begin < end:
        inside, days = begin <= clock < end, 0
    else:
        inside, days = clock >= begin or clock < end, 1 if clock >= begin else 0
    if not inside:
        return None
    day = local.date() + timedelta(days=days)
    return datetime.combine(day, end, local.tzinfo)
