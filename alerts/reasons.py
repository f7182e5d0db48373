"""Reasons: why a value tripped, and any reason as JSON for the database. Codes stay put. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from alerts.limits import Comparison, LimitRule, turned_by
from city.alarm import Reason

FIELDS = tuple(field.name for field in fields(Reason))
CODES: dict[Comparison, str] = {
    Comparison.AT_OR_ABOVE: "value_at_or_above_limit",
    Comparison.ABOVE: "value_above_limit",
    Comparison.AT_OR_BELOW: "value_at_or_below_limit",
    Comparison.BELOW: "value_below_limit",
    Comparison.EQUALS: "value_equals_limit",
    Comparison.DEVIATES_ABOVE: "deviates_from_baseline",
}


def as_json(reason: Reason) -> dict[str, Any]:
    """A reason as it is stored; `since` is RFC 3339."""
    stored = {name: getattr(reason, name) for name in FIELDS}
    stored["since"] = reason.since.isoformat() if reason.since else None
    stored["facts"] = dict(reason.facts)
    return stored


def from_json(stored: dict[str, Any]) -> Reason:
    """The reverse of `as_json`."""
    since = stored.get("since")
    return Reason(**{**stored, "since": datetime.fromisoformat(since) if since else None})


def value_reason(
    rule: LimitRule,
    value: float,
    limit: float,
    since: datetime,
    baseline: float | None = None,
    known: Mapping[str, Any] | None = None,
) -> Reason:
    """Why a value tripped a level of a rule; `known` is what else is to be said of the value."""
    code, of_rule = rule.said
    facts: dict[str, Any] = {"title_zh": rule.title_zh, "title_en": rule.title_en}
    facts |= {**of_rule, **(known or {})}
    if baseline is not None:
        facts |= {"baseline": baseline, "deviation": round(turned_by(value, baseline, rule), 3)}
    return Reason(
        code=code or CODES[rule.comparison],
        rule=rule.code,
        rule_version=rule.version,
        metric=rule.metric.name,
        value=value,
        limit=limit,
        unit=rule.unit,
        since=since,
        facts=facts,
    )
