"""Which rules tell that somebody opened something: what a work permit may cover. Pure."""

from __future__ import annotations

from alerts.limits import ReadingRule
from alerts.rules import Rule

OPENING_METRICS = frozenset({"cover_open", "tilt_deg"})


def is_opening(rule: Rule) -> bool:
    """Whether a rule is about a cover that is open or tilted; never about gas or water."""
    return isinstance(rule, ReadingRule) and rule.metric.name in OPENING_METRICS
