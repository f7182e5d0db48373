"""Alarm rules: one TOML file each, checked down to the field and turned into frozen values."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from alerts.fields import Fields
from city.alarm import Severity
from city.errors import InvalidInput
from city.reading import METRICS, Metric

# A rule file is some twenty lines; anything larger is not one.
MAX_TEXT = 20_000
# Readings older than this when they reach us raise nothing, unless the rule says otherwise.
DEFAULT_MAX_AGE_S = 900.0
DAY_S = 86_400.0

SEVERITIES = {s.name.lower(): s for s in Severity}


class Watch(StrEnum):
    """What a rule looks at."""

    READING = "reading"  # values of one metric
    SILENCE = "silence"  # a device that used to report and no longer does
    FEED = "feed"  # nothing arrives from anybody
    GATEWAY = "gateway"  # nothing comes through a gateway or network server, or it says it is away
    LAMP = "lamp"  # a lamp that should be lit and is not
    VIDEO = "video"  # a video event that a person confirmed


class Comparison(StrEnum):
    AT_OR_ABOVE = "at_or_above"
    ABOVE = "above"
    AT_OR_BELOW = "at_or_below"
    BELOW = "below"
    EQUALS = "equals"
    DEVIATES_ABOVE = "deviates_above"  # distance from the device's own baseline


@dataclass(frozen=True, slots=True)
class Level:
    """One step of a rule: its limit, how bad that is, and how long it must last."""

    severity: Severity
    limit: float | None = None  # None: taken from `limit_attribute` of the device
    limit_attribute: str = ""
    on_delay: timedelta = timedelta(0)
    clear_limit: float | None = None  # of a worse level; None: as far from it as the rule's own


@dataclass(frozen=True, slots=True)
class LampTerms:
    """When a lamp counts as dark, and when dark lamps are one matter of their cabinet."""

    grace: timedelta  # around sunset and sunrise
    power_share: float  # of rated power times dimming level
    group_min: int  # dark lamps of one cabinet that make one alarm
    group_severity: Severity
    group_category: str


@dataclass(frozen=True, slots=True)
class Rule:
    """An alarm rule. Levels run from the mildest limit to the worst."""

    code: str
    title_zh: str
    title_en: str
    watch: Watch
    kinds: frozenset[str]  # of devices, or of gateways where these are watched; empty: any
    condition: str  # what is wrong; rules that measure the same hazard share it
    category: str  # incident category code, or "device"
    opens_incident: bool
    levels: tuple[Level, ...]
    source: str
    valid_from: datetime
    metric: Metric | None = None
    comparison: Comparison | None = None
    gas: str = ""  # only devices of this gas
    category_attribute: str = ""  # a device may name its own category (type of cover)
    baseline_attribute: str = ""
    clear_limit: float | None = None
    clear_share: float | None = None  # of the mildest limit, where that differs by device
    off_delay: timedelta = timedelta(0)
    clear_needs_reading: bool = False  # quiet never ends the alarm, only a good reading does
    max_age: timedelta = timedelta(seconds=DEFAULT_MAX_AGE_S)
    intervals: float = 0.0  # silence: reporting intervals without a reading or a frame
    lamp: LampTerms | None = None
    version: int = 0  # 0: not stored yet

    @property
    def worst(self) -> Severity:
        return min(level.severity for level in self.levels)


def parse_rule(toml_text: str, file: str = "rule") -> Rule:
    """Turn the text of a rule file into a rule; errors name file, field and value."""
    if len(toml_text) > MAX_TEXT:
        raise InvalidInput(file, f"{len(toml_text)} characters", f"at most {MAX_TEXT} are allowed")
    try:
        table = tomllib.loads(toml_text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(file, str(error), "is not valid TOML") from error
    return rule_from(table, file)


def rule_from(table: Mapping[str, Any], file: str = "rule", version: int = 0) -> Rule:
    """Turn a parsed table into a rule; every unknown or missing field is an error."""
    fields = Fields(table, file)
    watch = Watch(fields.one_of("watch", [w.value for w in Watch], default="reading"))
    code = fields.code("code")
    common: dict[str, Any] = {
        "code": code,
        "version": version,
        "title_zh": fields.text("title_zh"),
        "title_en": fields.text("title_en"),
        "watch": watch,
        "kinds": frozenset(fields.texts("kind")),
        "condition": fields.code("condition", default=code),
        "category": fields.text("category"),
        "category_attribute": fields.code("category_attribute", default=""),
        "opens_incident": fields.flag("opens_incident"),
        "levels": _levels(fields, watch),
        "source": fields.text("source"),
        "valid_from": fields.time("valid_from"),
        "off_delay": fields.seconds("off_delay_s", default=0.0, high=DAY_S),
    }
    special: dict[str, Any] = {}
    if watch is Watch.READING:
        special = _reading_terms(fields)
    elif watch in (Watch.SILENCE, Watch.GATEWAY):
        special = {"intervals": fields.number("intervals", low=1, high=1000)}
    elif watch is Watch.LAMP:
        special = {"lamp": _lamp_terms(fields)}
    fields.nothing_left()
    rule = Rule(**common, **special)
    _check_clearing(rule, file)
    return rule


def as_definition(toml_text: str) -> dict[str, Any]:
    """The parsed file with times as text, as it is stored beside the text."""
    table = tomllib.loads(toml_text)
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in table.items()
    }


def _reading_terms(fields: Fields) -> dict[str, Any]:
    comparison = Comparison(fields.one_of("comparison", [c.value for c in Comparison]))
    deviates = comparison is Comparison.DEVIATES_ABOVE
    return {
        "metric": METRICS[fields.one_of("metric", list(METRICS))],
        "comparison": comparison,
        "gas": fields.one_of("gas", ["", "methane", "lpg", "propane"], default=""),
        "baseline_attribute": fields.code("baseline_attribute") if deviates else "",
        "clear_limit": fields.optional_number("clear_limit"),
        "clear_share": fields.optional_number("clear_share", low=0, high=10),
        "clear_needs_reading": fields.flag("clear_needs_reading", default=False),
        "max_age": fields.seconds("max_age_s", default=DEFAULT_MAX_AGE_S, high=30 * DAY_S),
    }


def _lamp_terms(fields: Fields) -> LampTerms:
    return LampTerms(
        grace=fields.seconds("grace_s", high=7200),
        power_share=fields.number("power_share", low=0.01, high=1),
        group_min=int(fields.number("group_min", low=2, high=10_000)),
        group_severity=SEVERITIES[fields.one_of("group_severity", list(SEVERITIES))],
        group_category=fields.text("group_category"),
    )


def _levels(fields: Fields, watch: Watch) -> tuple[Level, ...]:
    levels: list[Level] = []
    for part in fields.tables("level"):
        attribute, limit = "", None
        if watch is Watch.READING:
            attribute = part.code("limit_attribute", default="")
            limit = None if attribute else part.number("limit")
        clear_limit = part.optional_number("clear_limit")
        if clear_limit is not None and (watch is not Watch.READING or not levels):
            raise part.wrong("clear_limit", clear_limit, "only a worse level has one of its own")
        levels.append(
            Level(
                severity=SEVERITIES[part.one_of("severity", list(SEVERITIES))],
                limit=limit,
                limit_attribute=attribute,
                on_delay=part.seconds("on_delay_s", default=0.0, high=DAY_S),
                clear_limit=clear_limit,
            )
        )
        part.nothing_left()
    if watch is not Watch.READING and len(levels) != 1:
        raise fields.wrong("level", len(levels), "exactly one is needed here")
    ordered = [level.severity for level in levels]
    if len(set(ordered)) != len(ordered) or ordered != sorted(ordered, reverse=True):
        raise fields.wrong(
            "level", [s.name.lower() for s in ordered], "must run from the mildest to the worst"
        )
    return tuple(levels)


def _check_clearing(rule: Rule, file: str) -> None:
    """A clear limit on the wrong side of the limit would raise and clear at the same value."""
    if rule.clear_limit is not None and rule.clear_share is not None:
        raise InvalidInput(f"{file}: clear_share", rule.clear_share, "clear_limit is given too")
    limits = [level.limit for level in rule.levels if level.limit is not None]
    falling = rule.comparison in (Comparison.AT_OR_BELOW, Comparison.BELOW)
    if sorted(limits, reverse=falling) != limits:
        raise InvalidInput(f"{file}: level.limit", limits, "a worse level needs a stricter limit")
    if rule.clear_share is not None and (rule.clear_share > 1) != falling:
        side = "at least" if falling else "at most"
        raise InvalidInput(f"{file}: clear_share", rule.clear_share, f"must be {side} 1")
    bounds = [(rule.clear_limit, limits[0])] if limits else []
    bounds += [(lv.clear_limit, lv.limit) for lv in rule.levels[1:] if lv.limit is not None]
    for clear_limit, limit in bounds:
        if clear_limit is not None and (limit - clear_limit) * (-1 if falling else 1) < 0:
            raise InvalidInput(f"{file}: clear_limit", clear_limit, f"is past the limit {limit:g}")
