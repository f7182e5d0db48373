"""Tables beside the rules: readings in, alarms out. No database, the same judgement as in force.

A file is TOML; `rules` are the codes that it is about, each `[[test]]` is a day of its own:

    rules = ["gas-lel"]

    [[test]]
    name = "climbs past both limits and comes back"
    until = "21:00"                      # how far time runs; else to the last reading

    [[test.device]]
    code = "G-1"
    kind = "gas"                         # also gas, attributes, lon, lat
    readings.ch4_pct_lel = ["20:00 0.5", "20:01 every 60s from 1 to 60", "every 60s 2 x 10"]

    [[test.alarm]]                       # all of them, in any order; none: nothing may be raised
    device = "G-1"
    severity = "orange"                  # when it is raised
    becomes = ["red 20:50"]              # every rise that is told afterwards
    rises = "20:20"
    clears = "21:06"                     # without it: it still stands at the end
    tolerance_s = 0
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from alerts.backtest import books_of, has_history
from alerts.book import Page
from alerts.fields import Fields
from alerts.history import History, build_columns
from alerts.levels import levels_of
from alerts.reasons import from_json
from alerts.rules import SEVERITIES, Rule
from alerts.series import Point, as_clock, parse_series, parse_time
from city.alarm import Alarm, AlarmChangeKind, Severity
from city.area import AreaKind
from city.device import WatchedDevice
from city.errors import InvalidInput
from city.moment import as_microseconds
from city.reading import METRICS, Metric

# Any day: tables know times of the clock only, and rules of the past are not asked.
DAY = datetime(2026, 1, 5, tzinfo=UTC)
TOLD = (AlarmChangeKind.ESCALATED, AlarmChangeKind.RETRIPPED)
GASES = ("", "methane", "lpg", "propane")


@dataclass(frozen=True, slots=True)
class Step:
    """A level and when it is told."""

    severity: Severity
    at: timedelta

    def __str__(self) -> str:
        return f"{self.severity.name.lower()} {as_clock(self.at)}"


@dataclass(frozen=True, slots=True)
class Expected:
    """An alarm as the table or the rules have it; `clears` None: it stands at the end."""

    device: str
    steps: tuple[Step, ...]
    clears: timedelta | None
    rule: str = ""  # "": whichever raised it
    tolerance: timedelta = timedelta(0)

    def fits(self, found: Expected) -> bool:
        """Whether the rules raised this alarm."""
        if self.device != found.device or (self.rule and self.rule != found.rule):
            return False
        if [s.severity for s in self.steps] != [s.severity for s in found.steps]:
            return False
        if (self.clears is None) != (found.clears is None):
            return False
        moments = [*zip(self.steps, found.steps, strict=True)]
        apart = [abs(one.at - other.at) for one, other in moments]
        if self.clears is not None and found.clears is not None:
            apart.append(abs(self.clears - found.clears))
        return all(span <= self.tolerance for span in apart)

    def __str__(self) -> str:
        until = f"clears {as_clock(self.clears)}" if self.clears is not None else "still stands"
        within = self.tolerance.total_seconds()
        return (
            f"{self.device}: {', '.join(map(str, self.steps))}, {until}"
            + (f" ({self.rule})" if self.rule else "")
            + (f", within {within:g} s" if within else "")
        )


@dataclass(frozen=True, slots=True)
class TableDevice:
    """A device and what it reports."""

    device: WatchedDevice
    readings: Mapping[Metric, Sequence[Point]]


@dataclass(frozen=True, slots=True)
class Table:
    """One test: what devices report, and the alarms that this comes to."""

    file: str
    name: str
    rules: tuple[str, ...]
    devices: Sequence[TableDevice]
    expected: Sequence[Expected]
    until: timedelta


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a table came to: alarms that were expected and not raised, and the other way round."""

    table: Table
    missing: Sequence[Expected] = ()
    unexpected: Sequence[Expected] = field(default=())

    @property
    def ok(self) -> bool:
        return not self.missing and not self.unexpected

    def as_lines(self) -> list[str]:
        """For people: one line, and one for each difference."""
        lines = [f"{'ok  ' if self.ok else 'FAIL'} {self.table.file}: {self.table.name}"]
        lines += [f"       - expected {alarm}" for alarm in self.missing]
        lines += [f"       + raised   {alarm}" for alarm in self.unexpected]
        return lines


def parse_tables(text: str, file: str, known: Mapping[str, Rule]) -> list[Table]:
    """The tests of a file; errors name file, field and value. `known` are the rules by code."""
    try:
        top = Fields(tomllib.loads(text), file)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(file, str(error), "is not valid TOML") from error
    codes = top.texts("rules")
    if not codes:
        raise top.wrong("rules", None, "must name the rules that the file is about")
    for code in codes:
        if code not in known:
            raise top.wrong("rules", code, "is no rule beside this file and none that ships")
        if not has_history(known[code]):
            raise top.wrong("rules", code, f"watches {known[code].watch}, which has no history")
    found = [_parse_table(part, file, tuple(codes)) for part in top.tables("test")]
    top.nothing_left()
    return found


def run_table(table: Table, known: Mapping[str, Rule]) -> Outcome:
    """Judge the readings of a table by its rules."""
    rules = {code: known[code] for code in table.rules}
    books = books_of(list(rules.values()), _history(table))
    raised = [_told(page, rules) for book in books for page in book.pages]
    left = sorted(raised, key=lambda alarm: alarm.steps[0].at)
    missing = []
    for wanted in table.expected:
        fitting = next((alarm for alarm in left if wanted.fits(alarm)), None)
        if fitting is None:
            missing.append(wanted)
        else:
            left.remove(fitting)
    return Outcome(table, missing, left)


def _history(table: Table) -> History:
    """The readings of all devices, each received as it was measured."""
    rows: dict[int, list[tuple[int, int, float, int]]] = {}
    for one in table.devices:
        for metric, points in one.readings.items():
            rows.setdefault(metric.id, []).extend(
                (one.device.id, as_microseconds(DAY + p.at), p.value, int(p.quality))
                for p in points
            )
    columns = {}
    for metric_id, found in rows.items():
        device, ts, value, quality = (np.array(part) for part in zip(*found, strict=True))
        columns[metric_id] = build_columns(device, ts, ts, value.astype(float), quality)
    devices = {one.device.id: one.device for one in table.devices}
    return History(devices, columns, DAY + table.until)


def _told(page: Page, rules: Mapping[str, Rule]) -> Expected:
    first = page.changes[0].alarm
    told = [first, *(change.alarm for change in page.changes if change.kind in TOLD)]
    cleared = page.alarm.cleared_at
    return Expected(
        page.alarm.condition.partition("/")[2],
        tuple(_step(alarm, rules) for alarm in told),
        None if cleared is None else cleared - DAY,
        first.rule_code,
    )


def _step(alarm: Alarm, rules: Mapping[str, Rule]) -> Step:
    """A level is told when its on-delay has run out; its reading lies that much before."""
    severity = levels_of(alarm).present or alarm.severity
    since = from_json(alarm.reason).since or alarm.sensed_at
    delays = [lv.on_delay for lv in rules[alarm.rule_code].levels if lv.severity == severity]
    return Step(severity, since + max(delays, default=timedelta(0)) - DAY)


def _parse_table(part: Fields, file: str, rules: tuple[str, ...]) -> Table:
    devices = [_parse_device(each, number) for number, each in enumerate(part.tables("device"), 1)]
    codes = [each.device.code for each in devices]
    if len(set(codes)) != len(codes):
        raise part.wrong("device", codes, "a code is given twice")
    last = max((p[-1].at for each in devices for p in each.readings.values()), default=None)
    if last is None:
        raise part.wrong("device", codes, "no device has readings")
    until = part.text("until", default="")
    end = parse_time(until, lambda v, problem: part.wrong("until", v, problem)) if until else last
    if end < last:
        raise part.wrong("until", until, f"is before the last reading at {as_clock(last)}")
    expected = [_parse_alarm(each, codes) for each in part.optional_tables("alarm")]
    table = Table(file, part.text("name"), rules, devices, expected, end)
    part.nothing_left()
    return table


def _parse_device(part: Fields, number: int) -> TableDevice:
    readings = {}
    for name, series in part.mapping("readings").items():
        if name not in METRICS:
            raise part.wrong("readings", name, "is not a canonical metric")
        field_ = f"readings.{name}"
        texts = [series] if isinstance(series, str) else series
        if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
            raise part.wrong(field_, series, "must be a text or a list of texts")
        readings[METRICS[name]] = parse_series(
            texts,
            lambda v, problem, of=field_: part.wrong(of, v, problem),  # type: ignore[misc]
        )
    device = WatchedDevice(
        id=number, code=part.text("code"), district="test", kind=part.text("kind"),
        gas=part.one_of("gas", GASES, default="") or None, unit_grid=None,
        lon=part.number("lon", default=0.0), lat=part.number("lat", default=0.0),
        attributes=dict(part.mapping("attributes")), report_interval_s=300, demo=False,
        out_of_service_since=None, return_due_at=None, areas=_areas(part),
    )  # fmt: skip
    part.nothing_left()
    return TableDevice(device, readings)


def _areas(part: Fields) -> dict[str, str]:
    kinds = [kind.value for kind in AreaKind]
    found = dict(part.mapping("areas"))
    for code, kind in found.items():
        if kind not in kinds:
            raise part.wrong(f"areas.{code}", kind, f"must be one of {', '.join(kinds)}")
    return found


def _parse_alarm(part: Fields, devices: Sequence[str]) -> Expected:
    def moment(name: str, value: str) -> timedelta:
        return parse_time(value, lambda v, problem: part.wrong(name, v, problem))

    first = SEVERITIES[part.one_of("severity", list(SEVERITIES))]
    steps = [Step(first, moment("rises", part.text("rises")))]
    for text in part.texts("becomes"):
        severity, _, at = text.partition(" ")
        if severity not in SEVERITIES:
            raise part.wrong("becomes", text, "must be a severity and a time, `red 20:50`")
        steps.append(Step(SEVERITIES[severity], moment("becomes", at)))
    clears = part.text("clears", default="")
    found = Expected(
        device=part.one_of("device", devices),
        steps=tuple(steps),
        clears=moment("clears", clears) if clears else None,
        rule=part.code("rule", default=""),
        tolerance=part.seconds("tolerance_s", default=0.0, high=86_400),
    )
    part.nothing_left()
    return found


def as_json(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """For machines: one object a table."""
    return [
        {
            "file": o.table.file, "test": o.table.name, "ok": o.ok,
            "missing": [str(alarm) for alarm in o.missing],
            "unexpected": [str(alarm) for alarm in o.unexpected],
        }
        for o in outcomes
    ]  # fmt: skip
