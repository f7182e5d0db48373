"""What of city folders waits for a second person, where their city has four eyes.

Gas safety rules wait, and that a city has four eyes no more. All else is put in force.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app import four_eyes
from app.four_eyes import RuleChange
from city.errors import Conflict
from city.event import NewEvent
from city.person import Caller
from db.pool import Connection
from founding.compare import Change
from founding.parts import City
from founding.steps import PutRules
from people.approvals import Asked

RULES = "rules"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of these cities a second person has to see: rules by their code. `district` is where
    it waits, None where nothing does."""

    district: str | None
    change: RuleChange


def find_waiting(
    conn: Connection, cities: Sequence[City], texts: Mapping[str, str], now: datetime
) -> Waiting:
    """`texts` are rules by the name of their file. Several cities whose changes wait in more than
    one of them are a `Conflict`: each has people of its own."""
    on = four_eyes.district_of_rules(conn, *(city.district.code for city in cities))
    if on is None:
        return Waiting(None, RuleChange())
    rules, _ = four_eyes.gas_rules_among(conn, texts, (), now)
    off = [
        city.district.code
        for city in cities
        if not city.district.four_eyes and four_eyes.is_on(conn, city.district.code)
    ]
    places = {*off, *([on] if rules else [])}
    if len(places) > 1:
        names = ", ".join(sorted(places))
        raise Conflict(f"something waits in {names}: name one folder at a time", current={})
    return Waiting(places.pop() if places else None, RuleChange(rules, switch_off=bool(off)))


def rule_texts(rules: Mapping[str, str]) -> dict[str, str]:
    """Texts by the file of a folder, from those by code."""
    return {f"{RULES}/{code}.toml": text for code, text in rules.items()}


class HeldBack:
    """Cities to be put in force, less what waits; `asked` is the request once it is stored."""

    def __init__(
        self,
        conn: Connection,
        cities: Sequence[City],
        put_others: PutRules,
        identify: Callable[[str], Caller],
        why: str,
        now: datetime,
    ) -> None:
        """Looks before anything is locked: at who of the district asks, which `identify` finds
        out, and at what the rules would have done."""
        self._put_others, self._why = put_others, why
        self._codes = [city.district.code for city in cities]
        self._on = four_eyes.districts_with(conn)
        texts = rule_texts({code: text for city in cities for code, text in city.rules.items()})
        self._waiting = find_waiting(conn, cities, texts, now)
        self._caller: Caller | None = None
        self._foreseen: Mapping[str, Any] | None = None
        self.asked: Asked | None = None
        self.cities = list(cities)
        if self._waiting.district is None:
            return
        found = four_eyes.foresee(conn, self._waiting.change.put, (), now)
        self._foreseen = four_eyes.foreseen_json(found)
        if self._waiting.change.switch_off:
            self.cities = [self._still_on(city) for city in cities]
        self._caller = identify(self._waiting.district)

    def _still_on(self, city: City) -> City:
        on = city.district.four_eyes or city.district.code in self._on
        return replace(city, district=replace(city.district, four_eyes=on))

    def look_again(self, conn: Connection) -> Callable[[], None]:
        """Nobody else switches it any more; had somebody, this was made on other cities."""

        def look() -> None:
            if four_eyes.districts_with(conn) != self._on:
                raise Conflict("four eyes were switched meanwhile: say it again", current={})

        return look

    def has(self, change: Change) -> bool:
        return change.what == "rule" and change.code in self._waiting.change.put

    def put_rules(
        self, conn: Connection, actor: str, texts: Mapping[str, str], now: datetime
    ) -> Sequence[NewEvent]:
        """Put the others in force, then store the request for these."""
        held = self._waiting.change.put
        if self._on and four_eyes.gas_rules_among(conn, texts, (), now)[0] != held:
            raise Conflict("a gas rule was changed meanwhile: say it again", current={})
        others = {file: text for file, text in texts.items() if file not in rule_texts(held)}
        events = [*self._put_others(conn, actor, others, now)]
        if self._caller is not None:
            four_eyes.check_categories(conn, self._codes, held, now)
            self.asked = four_eyes.ask(
                conn, self._caller, self._waiting.change, self._foreseen, self._why, now
            )
            events += self.asked.events
        return events
