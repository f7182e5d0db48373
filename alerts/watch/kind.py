"""What a kind of alarm rule is: its fields, what it loads, how it judges, what it can say of the
past.

One file a kind. `alerts.rule_files` parses with it, `alerts.ticks` looks with it, `alerts.orphans`
asks it whether a rule still holds an alarm, `alerts.backtest` what would have been.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from alerts.book import AlarmBook, Finding
from alerts.fields import Fields
from alerts.history import History, Series
from alerts.limits import LimitRule, applies_to, is_about
from alerts.paths import Explained
from alerts.rules import DAY_S, SEVERITIES, Level, Rule
from city.alarm import Alarm
from city.device import WatchedDevice
from city.errors import InvalidInput
from city.event import NewEvent
from db.evaluation import ListeningSince
from db.pool import Connection
from db.readings_past import Reach

R = TypeVar("R", bound=Rule)
L = TypeVar("L", bound=LimitRule)
S = TypeVar("S")


@dataclass(slots=True)
class Look:
    """One look at a district, or around the whole city: what the kinds tell each other on it."""

    book: AlarmBook
    rules: Mapping[str, Rule]  # in force, by code
    listening: ListeningSince
    district: str = ""
    nothing_arrives: bool = False  # the whole feed is silent: nobody can be blamed for being so
    explained: Explained = field(default_factory=Explained)
    more: set[str] = field(default_factory=set)  # kinds that took a part of what is due only
    ahead: Mapping[str, Any] = field(default_factory=dict)  # what kinds read before the lock
    events: list[NewEvent] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return self.book.now


class Kind(ABC, Generic[R, S]):
    """A kind of rule; `R` are its rules, `S` is what it judges by."""

    name: ClassVar[str]  # value of `watch` in a rule file
    # Its reasons by code, Chinese and English, with the fields of the reason in braces.
    sentences: ClassVar[Mapping[str, tuple[str, str]]] = {}
    # Looked at for the whole city at once, every few seconds; else wherever `due` says, at once.
    city_wide: ClassVar[bool] = True

    @abstractmethod
    def parse(self, fields: Fields, common: dict[str, Any]) -> R:
        """A rule of this kind out of the fields that are its own, and those that all have."""

    def read_ahead(self, conn: Connection, rules: Sequence[R], now: datetime) -> Any:
        """What takes long to read and may be a moment old: read before evaluation has to wait,
        found in `Look.ahead` by the name of the kind. For city-wide kinds."""
        return None

    def read_district_ahead(
        self, conn: Connection, rules: Sequence[R], district: str, now: datetime
    ) -> Any:
        """The same of one district, for the other kinds."""
        return None

    @abstractmethod
    def load(self, conn: Connection, rules: Sequence[R], look: Look) -> S | None:
        """What the kind judges by; None: it does not judge now. Live alarms go into the book."""

    @abstractmethod
    def judge(self, rules: Sequence[R], state: S, now: datetime) -> Iterable[Finding]:
        """What follows; pure. The book takes it in afterwards, in this order."""

    def settle(self, conn: Connection, state: S, findings: Sequence[Finding], look: Look) -> None:
        """What else follows from the findings, once the book has taken them in."""
        return

    def due(self, conn: Connection, rules: Sequence[R], now: datetime) -> Iterable[str]:
        """Districts in which something has fallen due, for kinds that are not city-wide."""
        return ()

    def conditions(self, rule: R) -> tuple[str, ...]:
        """What the conditions of its alarms begin with."""
        return (rule.condition,)

    def is_about(self, rule: R, alarm: Alarm, device: WatchedDevice | None) -> bool:
        """Whether a rule can ever end an alarm of one of its conditions."""
        if device is not None:
            return is_about(rule, device)
        kind = alarm.reason.get("facts", {}).get("kind")
        return not rule.kinds or kind is None or kind in rule.kinds

    def metrics(self, rule: R) -> tuple[int, ...]:
        """Ids of the metrics that its past is told by; none: a rule of this kind has no past."""
        return ()

    def past(
        self, rules: Sequence[R], history: History, from_: datetime, to: datetime
    ) -> Iterator[AlarmBook]:
        """The alarms that rules of one condition would have raised. Pure."""
        raise InvalidInput("watch", self.name, "rules of this kind have no history")

    def prepared(self, conn: Connection, history: History, begin: datetime) -> History:
        """The history from `begin` on with what else of the database the kind looks at."""
        return history

    def lead(self, rule: R) -> timedelta:
        """How far before a moment readings matter to what is judged at it."""
        return timedelta(0)


class LimitKind(Kind[L, S]):
    """A kind whose rules compare one value a moment with limits; all of them share the fold."""

    @abstractmethod
    def reaching(self, rule: L, history: History) -> Sequence[int]:
        """Devices on which the rule can have raised anything. Cheap: whole arrays."""

    @abstractmethod
    def reaches(self, rule: L, devices: Sequence[WatchedDevice]) -> list[Reach]:
        """Values without which the rule raises nothing on any of these devices."""

    @abstractmethod
    def derive(self, rule: L, device: WatchedDevice, history: History) -> Series:
        """What the limits are compared with, at every moment at which it was measured. Pure."""

    def metrics(self, rule: L) -> tuple[int, ...]:
        return (rule.metric.id,)

    def is_about(self, rule: L, alarm: Alarm, device: WatchedDevice | None) -> bool:
        return device is not None and applies_to(rule, device)


def refuse_areas(fields: Fields, rule: Rule) -> None:
    """For kinds whose alarms are not of a device: an area would leave out nobody, or everybody."""
    for name, given in (("area", rule.scope.areas), ("area_kind", rule.scope.area_kinds)):
        if given:
            problem = f"rules that watch {rule.watch} are about no device that stands in an area"
            raise fields.wrong(f"scope.{name}", ", ".join(sorted(given)), problem)


def one_level(fields: Fields) -> tuple[Level, ...]:
    """The level of a rule that has no limits: how bad it is, and after what delay."""
    parts = fields.tables("level")
    levels = []
    for part in parts:
        levels.append(
            Level(
                severity=SEVERITIES[part.one_of("severity", list(SEVERITIES))],
                on_delay=part.seconds("on_delay_s", default=0.0, high=DAY_S),
            )
        )
        part.nothing_left()
    if len(levels) != 1:
        raise fields.wrong("level", len(levels), "exactly one is needed here")
    return tuple(levels)
