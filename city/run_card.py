"""Run cards (预案卡): for a kind of matter, a place and a time who goes, by which plan, and what
is checked before which step. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from city.area import Span, hours_text, parse_hours
from city.errors import InvalidInput
from city.incident import Action
from city.reading import METRICS

CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
TEXT_MAX = 2_000
# Before what a step may have to be done.
BEFORE = (Action.ARRIVE, Action.HANDLE, Action.CLOSE)


@dataclass(frozen=True, slots=True)
class Measure:
    """A value to be measured on site; outside of its limits the step is not passed."""

    metric: str
    low: float | None = None
    high: float | None = None

    @property
    def unit(self) -> str:
        return METRICS[self.metric].unit

    def admits(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One line of the checklist. A blocking one has to be passed before the action `before`."""

    code: str
    text_zh: str
    text_en: str
    before: Action
    blocking: bool
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """Who goes: so many squads with a skill, of a kind where one is named."""

    skill: str
    squads: int = 1
    kind: str = ""


@dataclass(frozen=True, slots=True)
class RunCard:
    """`categories` are codes or beginnings of codes, `areas` codes of areas or their kinds; no
    areas: everywhere, no hours: always."""

    code: str
    title_zh: str
    title_en: str
    plan_zh: str
    plan_en: str
    categories: tuple[str, ...]
    areas: tuple[str, ...]
    hours: tuple[Span, ...]
    send: tuple[Send, ...]
    steps: tuple[CheckStep, ...]
    version: int = 0

    def specificity(self, category: str, areas: Collection[str], local: datetime) -> Any:
        """How exactly it says this matter; None: it is about another one."""
        fits = [len(code) for code in self.categories if category.startswith(code)]
        if not fits or (self.areas and set(self.areas).isdisjoint(areas)):
            return None
        if self.hours and not any(span.holds(local) for span in self.hours):
            return None
        return (bool(self.areas), max(fits), bool(self.hours))


def choose(
    cards: Iterable[RunCard], category: str, areas: Collection[str], local: datetime
) -> RunCard | None:
    """The card of a matter: that of its place before that of its category, the longer code before
    the shorter, that of the hour before that of any; then by code."""
    ranked = [
        (fit, card) for card in cards
        if (fit := card.specificity(category, areas, local)) is not None
    ]  # fmt: skip
    if not ranked:
        return None
    best = max(fit for fit, _ in ranked)
    return min((card for fit, card in ranked if fit == best), key=lambda card: card.code)


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answered to a step."""

    step: str
    measured: Mapping[str, float]
    passed: bool
    note: str
    answered_by: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Checklist:
    """The card of an incident and the newest answer to each of its steps."""

    card: RunCard
    answers: Mapping[str, Answer] = field(default_factory=dict)

    def missing(self, before: Action) -> list[CheckStep]:
        """Steps that block this action and are not passed."""
        return [
            step for step in self.card.steps
            if step.blocking and step.before is before and not self.is_passed(step)
        ]  # fmt: skip

    def is_passed(self, step: CheckStep) -> bool:
        answer = self.answers.get(step.code)
        return answer is not None and answer.passed


def judge_answer(step: CheckStep, measured: Mapping[str, float]) -> bool:
    """Whether an answer passes a step; a value that is missing or not asked for is refused."""
    wanted = {measure.metric: measure for measure in step.measures}
    for name in measured:
        if name not in wanted:
            raise InvalidInput(f"measured.{name}", measured[name], "is not asked for by this step")
    for name in wanted:
        if name not in measured:
            raise InvalidInput(f"measured.{name}", None, "is missing")
    return all(measure.admits(measured[name]) for name, measure in wanted.items())


# Files


def parse_card(text: str, file: str, version: int = 0) -> RunCard:
    """A card out of the TOML of its file; raises InvalidInput that names file, field and value."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(file, text[:40], f"is not TOML: {error}") from None
    table = _Table(file, "", given)
    card = RunCard(
        code=table.code("code"),
        title_zh=table.text("title_zh"),
        title_en=table.text("title_en"),
        plan_zh=table.text("plan_zh", default=""),
        plan_en=table.text("plan_en", default=""),
        categories=table.names("categories"),
        areas=table.names("areas", default=()),
        hours=table.hours("hours"),
        send=tuple(_send(part) for part in table.tables("send")),
        steps=tuple(_step(part) for part in table.tables("step", least=0)),
        version=version,
    )
    table.nothing_left()
    codes = [step.code for step in card.steps]
    for code in codes:
        if codes.count(code) > 1:
            raise InvalidInput(f"{file}: step.code", code, "is there twice")
    return card


def _send(table: _Table) -> Send:
    squads = table.number("squads", default=1)
    if squads is None or squads != int(squads) or not 1 <= squads <= 20:
        table.refuse("squads", squads, "must be a whole number from 1 to 20")
    found = Send(table.text("skill"), int(squads), table.text("kind", default=""))
    table.nothing_left()
    return found


def _step(table: _Table) -> CheckStep:
    before = table.text("before", default=Action.HANDLE.value)
    if before not in [action.value for action in BEFORE]:
        table.refuse("before", before, f"must be one of {', '.join(a.value for a in BEFORE)}")
    found = CheckStep(
        code=table.code("code"),
        text_zh=table.text("text_zh"),
        text_en=table.text("text_en"),
        before=Action(before),
        blocking=table.flag("blocking"),
        measures=tuple(_measure(part) for part in table.tables("measure", least=0)),
    )
    table.nothing_left()
    return found


def _measure(table: _Table) -> Measure:
    metric = table.text("metric")
    if metric not in METRICS:
        table.refuse("metric", metric, "is no metric")
    found = Measure(metric, table.number("low"), table.number("high"))
    if found.low is not None and found.high is not None and found.low > found.high:
        table.refuse("low", found.low, f"is above high, {found.high:g}")
    table.nothing_left()
    return found


class _Table:
    """Typed access to a table of the file; whatever is left over is misspelt."""

    def __init__(self, file: str, place: str, given: Mapping[str, Any]) -> None:
        self._file, self._place, self._given = file, place, dict(given)

    def refuse(self, name: str, value: object, problem: str) -> NoReturn:
        raise InvalidInput(f"{self._file}: {self._place}{name}", value, problem)

    def text(self, name: str, default: str | None = None) -> str:
        value = self._given.pop(name, default)
        if value is None:
            self.refuse(name, None, "is missing")
        if not isinstance(value, str) or len(value) > TEXT_MAX or "\0" in value:
            self.refuse(name, value, f"must be text of {TEXT_MAX} characters at most")
        if default is None and not value.strip():
            self.refuse(name, value, "is empty")
        return value.strip()

    def code(self, name: str) -> str:
        value = self.text(name)
        if not CODE.fullmatch(value):
            self.refuse(name, value, "must be small letters, digits and hyphens, 64 at most")
        return value

    def names(self, name: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        value = self._given.pop(name, default)
        if value is None:
            self.refuse(name, None, "is missing")
        if isinstance(value, str) or not all(isinstance(part, str) and part for part in value):
            self.refuse(name, value, "must be a list of texts")
        if default is None and not value:
            self.refuse(name, value, "is empty")
        return tuple(value)

    def hours(self, name: str) -> tuple[Span, ...]:
        text = self.text(name, default="")
        try:
            return parse_hours(text)
        except InvalidInput as error:
            self.refuse(name, error.value, error.problem)

    def number(self, name: str, default: float | None = None) -> float | None:
        value = self._given.pop(name, default)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            self.refuse(name, value, "must be a number")
        return value

    def flag(self, name: str) -> bool:
        value = self._given.pop(name, False)
        if not isinstance(value, bool):
            self.refuse(name, value, "must be true or false")
        return value

    def tables(self, name: str, least: int = 1) -> list[_Table]:
        value = self._given.pop(name, [])
        if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
            self.refuse(name, value, f"must be written as [[{name}]]")
        if len(value) < least:
            self.refuse(name, None, "is missing")
        return [_Table(self._file, f"{self._place}{name}.", part) for part in value]

    def nothing_left(self) -> None:
        for name, value in self._given.items():
            self.refuse(name, value, "is not known here")


def card_facts(card: RunCard) -> dict[str, Any]:
    """What people are shown of a card beside its steps."""
    return {
        "code": card.code, "version": card.version,
        "title_zh": card.title_zh, "title_en": card.title_en,
        "plan_zh": card.plan_zh, "plan_en": card.plan_en, "hours": hours_text(card.hours),
        "send": [
            {"skill": one.skill, "squads": one.squads, "kind": one.kind} for one in card.send
        ],
    }  # fmt: skip
