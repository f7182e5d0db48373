"""What is odd about a rule although it can be read: said before it is put in force. Pure.

An error is refused. A question is asked: whoever means it says so. A note is only told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from alerts.gas_rules import GAS_METRICS
from alerts.limits import (
    Comparison,
    LimitRule,
    ReadingRule,
    applies_to,
    is_about,
    is_clear,
    on_readings,
    trips,
)
from alerts.rules import Level, Rule
from alerts.scope import EVERYWHERE
from city.alarm import Severity
from city.device import WatchedDevice
from city.reading import Metric

# More alarms than these in the days of a backtest are read by nobody: three a day, of one rule.
NOISY_ALARMS = 100
NOISY_DAYS = 30

# Rules whose `kind` names devices; those of the others are gateways, or nothing at all.
OF_DEVICES = ("silence", "lamp")

_OF_MANHOLES = frozenset({
    "tilt_deg", "water_level_cm", "cover_open", "flooded", "distance_mm", "fill_pct", "vibration",
    "acceleration_g", "moved_m",
})  # fmt: skip
_OF_LAMPS = frozenset({
    "lamp_on", "dim_pct", "power_w", "voltage_v", "current_a", "energy_kwh", "leakage_ma",
    "power_factor", "frequency_hz", "apparent_power_va", "reactive_power_var", "operating_h",
    "illuminance_lx", "lamp_fault", "motion",
})  # fmt: skip
# What is measured by devices of these kinds only (contract, "canonical metrics"); a metric that is
# not here may come from any.
_MEASURED_BY = {
    **dict.fromkeys(GAS_METRICS, frozenset({"gas", "manhole"})),
    **dict.fromkeys(_OF_MANHOLES, frozenset({"manhole", "gas"})),
    **dict.fromkeys(_OF_LAMPS, frozenset({"light"})),
}


class Grade(StrEnum):
    ERROR = "error"
    ASK = "ask"
    NOTE = "note"


# Chinese and English, with the facts of the remark in braces.
SENTENCES = {
    "never_raises": (
        "{metric} 的取值范围是 {low} 至 {high}{unit}，永远达不到限值 {limit}：该级别不会报警",
        "{metric} lies between {low} and {high} {unit} and never reaches the limit of {limit}: "
        "this level never raises an alarm",
    ),
    "never_clears": (
        "{metric} 的取值范围是 {low} 至 {high}{unit}，没有任何值能解除报警（解除限值 {limit}）",
        "{metric} lies between {low} and {high} {unit}: no value ends the alarm "
        "(it ends past {limit})",
    ),
    "no_such_metric": (
        "类型为 {kinds} 的设备不测量 {metric}",
        "devices of the kind {kinds} do not measure {metric}",
    ),
    "no_device": (
        "目前没有一台设备适用此规则",
        "no device that is registered now is one that this rule is about",
    ),
    "contradicts": (
        "与规则 {other} 矛盾：{limit}{unit} 为{severity_zh}，而更严重的值 {other_limit}{unit} "
        "只为{other_severity_zh}",
        "contradicts the rule {other}: {limit} {unit} is {severity}, but the worse value of "
        "{other_limit} {unit} is only {other_severity}",
    ),
    "clears_past": (
        "解除限值 {limit}{unit} 已超过规则 {other} 的报警限值 {other_limit}{unit}："
        "报警不会因此结束",
        "the clear limit of {limit} {unit} is past the limit of the rule {other} "
        "({other_limit} {unit}): the alarm does not end there",
    ),
    "noisy": (
        "最近 {days} 天会有 {alarms} 次报警，超过 {most} 次",
        "it would have raised {alarms} alarms in the last {days} days, more than {most}",
    ),
}
SEVERITY_ZH = {
    Severity.RED: "红色", Severity.ORANGE: "橙色", Severity.YELLOW: "黄色", Severity.BLUE: "蓝色",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Remark:
    """One oddity: of which field and value, in words by `text`."""

    code: str
    grade: Grade
    rule: str
    field: str
    value: Any
    facts: dict[str, Any]

    def text(self, lang: str) -> str:
        zh, en = SENTENCES[self.code]
        facts = {k: f"{v:g}" if isinstance(v, float) else v for k, v in self.facts.items()}
        return (zh if lang == "zh" else en).format(**facts)

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code, "grade": self.grade.value, "rule": self.rule, "field": self.field,
            "value": self.value, "text_zh": self.text("zh"), "text_en": self.text("en"),
        }  # fmt: skip

    def __str__(self) -> str:
        """One line as the command line says it."""
        at = f"{self.field} = {self.value!r}: " if self.field else ""
        return f"{self.grade.value}: rule {self.rule}: {at}{self.text('en')}"


def look_at(
    rule: Rule, in_force: Iterable[Rule] = (), devices: Iterable[WatchedDevice] | None = None
) -> list[Remark]:
    """Everything odd about a rule beside those in force. `devices` are all that are registered;
    None: nobody knows them here."""
    found: list[Remark] = []
    if isinstance(rule, LimitRule):
        found += _unmeasured(rule)
    if isinstance(rule, ReadingRule):
        found += _never_raises(rule)
        found += _never_clears(rule)
        for other in on_readings(in_force):
            if other.code != rule.code and _same_hazard(rule, other):
                found += _contradictions(rule, other)
    if devices is not None and _needs_devices(rule) and not any(_about(rule, d) for d in devices):
        found.append(Remark("no_device", Grade.NOTE, rule.code, "kind", sorted(rule.kinds), {}))
    return found


def look_at_count(rule: str, alarms: int, days: float) -> list[Remark]:
    """Whether a backtest of so many days raised too many alarms; in fewer days than the full time
    it is said all the same."""
    if alarms <= NOISY_ALARMS:
        return []
    facts = {"alarms": alarms, "days": f"{days:.2g}", "most": NOISY_ALARMS}
    return [Remark("noisy", Grade.ASK, rule, "", alarms, facts)]


def worst(remarks: Iterable[Remark]) -> Grade | None:
    """The gravest grade among them."""
    grades = {remark.grade for remark in remarks}
    return next((grade for grade in Grade if grade in grades), None)


def _needs_devices(rule: Rule) -> bool:
    return isinstance(rule, LimitRule) or rule.watch in OF_DEVICES


def _about(rule: Rule, device: WatchedDevice) -> bool:
    return applies_to(rule, device) if isinstance(rule, LimitRule) else is_about(rule, device)


def _never_raises(rule: ReadingRule) -> Iterator[Remark]:
    """Levels whose limits lie outside of what can be measured. If the mildest does, none is ever
    reached; a worse one alone may stand for what a future sensor can measure."""
    reach = _signals(rule)
    for number, level in enumerate(rule.levels):
        if level.limit is None or any(trips(rule.comparison, v, level.limit) for v in reach):
            continue
        grade = Grade.ASK if number else Grade.ERROR
        facts = {**_range(rule.metric), "limit": level.limit}
        name = f"level[{number}].limit"
        yield Remark("never_raises", grade, rule.code, name, level.limit, facts)


def _never_clears(rule: ReadingRule) -> Iterator[Remark]:
    limit = rule.levels[0].limit
    if limit is None:
        return
    limits = [level.limit for level in rule.levels]
    for signal in _signals(rule):
        if not trips(rule.comparison, signal, limit) and is_clear(rule, signal, limits):
            return
    given = "level[0].limit" if rule.clear_limit is None else "clear_limit"
    bound = limit if rule.clear_limit is None else rule.clear_limit
    facts = {**_range(rule.metric), "limit": bound}
    yield Remark("never_clears", Grade.ERROR, rule.code, given, bound, facts)


def _signals(rule: ReadingRule) -> Sequence[float]:
    """The extremes of what the rule compares with its limit."""
    metric, low = rule.metric, rule.metric.low
    if metric.name in GAS_METRICS:
        low = max(low, 0.0)  # below zero a sensor drifts: nobody may wait for that
    if rule.comparison is Comparison.DEVIATES_ABOVE:
        return (0.0, 180.0 if metric.unit == "°" else metric.high - metric.low)
    if rule.comparison is Comparison.EQUALS and metric.unit != "0/1":
        known = [v.limit for v in rule.levels if v.limit is not None and low <= v.limit]
        return (low, metric.high, *(v for v in known if v <= metric.high))
    return (low, metric.high)


def _range(metric: Metric) -> dict[str, Any]:
    low = 0.0 if metric.name in GAS_METRICS else float(metric.low)
    return {"metric": metric.name, "unit": metric.unit, "low": low, "high": float(metric.high)}


def _unmeasured(rule: LimitRule) -> Iterator[Remark]:
    able = _MEASURED_BY.get(rule.metric.name)
    if able is None or not rule.kinds or rule.kinds & able:
        return
    facts = {"kinds": ", ".join(sorted(rule.kinds)), "metric": rule.metric.name}
    yield Remark("no_such_metric", Grade.ASK, rule.code, "metric", rule.metric.name, facts)


def _same_hazard(rule: ReadingRule, other: ReadingRule) -> bool:
    """Whether two rules compare the same values of the same devices in the same direction."""
    limits = (Comparison.EQUALS, Comparison.DEVIATES_ABOVE)
    return (
        (rule.condition, rule.metric.id) == (other.condition, other.metric.id)
        and rule.is_falling == other.is_falling
        and (rule.comparison == other.comparison or rule.comparison not in limits)
        and (other.comparison == rule.comparison or other.comparison not in limits)
        and not (rule.kinds and other.kinds and not rule.kinds & other.kinds)
        and not (rule.gas and other.gas and rule.gas != other.gas)
        and (rule.scope == other.scope or EVERYWHERE in (rule.scope, other.scope))
    )


def _contradictions(rule: ReadingRule, other: ReadingRule) -> Iterator[Remark]:
    for number, level in enumerate(rule.levels):
        for beside in other.levels:
            if _is_beaten(rule, level, beside):
                facts = _both(rule, level, other, beside)
                yield Remark(
                    "contradicts", Grade.ASK, rule.code, f"level[{number}].limit", level.limit,
                    facts,
                )  # fmt: skip
    beside, own = other.levels[0], rule.levels[0]
    bound = rule.clear_limit
    if bound is None or beside.limit is None or _is_milder(rule, bound, beside.limit):
        return
    if rule.comparison is Comparison.EQUALS or bound == beside.limit:
        return
    # A milder step below is how steps are built; one that is as bad makes this limit idle.
    grade = Grade.NOTE if beside.severity > own.severity else Grade.ASK
    facts = {
        "other": other.code, "unit": rule.metric.unit, "limit": bound, "other_limit": beside.limit,
    }  # fmt: skip
    yield Remark("clears_past", grade, rule.code, "clear_limit", bound, facts)


def _is_beaten(rule: ReadingRule, level: Level, beside: Level) -> bool:
    """Whether one of two levels is milder by its limit and worse by its severity."""
    if level.limit is None or beside.limit is None or rule.comparison is Comparison.EQUALS:
        return False
    milder = _is_milder(rule, level.limit, beside.limit)
    harsher = _is_milder(rule, beside.limit, level.limit)
    return (milder and level.severity < beside.severity) or (
        harsher and level.severity > beside.severity
    )


def _is_milder(rule: ReadingRule, one: float, other: float) -> bool:
    return one > other if rule.is_falling else one < other


def _both(rule: ReadingRule, level: Level, other: ReadingRule, beside: Level) -> dict[str, Any]:
    """The facts of two levels, the milder limit first."""
    assert level.limit is not None
    assert beside.limit is not None
    first, second = level, beside
    if _is_milder(rule, beside.limit, level.limit):
        first, second = beside, level
    return {
        "other": other.code, "unit": rule.metric.unit,
        "limit": first.limit, "other_limit": second.limit,
        "severity": first.severity.name.lower(), "severity_zh": SEVERITY_ZH[first.severity],
        "other_severity": second.severity.name.lower(),
        "other_severity_zh": SEVERITY_ZH[second.severity],
    }  # fmt: skip
