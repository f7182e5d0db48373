"""Which rules tell that somebody opened something: what a work permit may cover. Pure."""

from __future__ import annotations

from datetime import timedelta

from alerts.rules import Rule

OPENING_METRICS = frozenset({"cover_open", "tilt_deg"})
# No rule on covers looks further back.
LONGEST_MEMORY = timedelta(days=1)


def is_opening(rule: Rule) -> bool:
    """Whether a rule is about a cover that is open or tilted and about nothing else; never about
    gas or water."""
    parts = getattr(rule, "parts", None) or (rule,)
    metrics = [getattr(part, "metric", None) for part in parts]
    return all(metric is not None and metric.name in OPENING_METRICS for metric in metrics)


def memory_of(rule: Rule) -> timedelta:
    """How far back a rule looks: after a permit its window still holds what was open under it."""
    window = getattr(rule, "window", timedelta(0))
    return min(window, LONGEST_MEMORY) if isinstance(window, timedelta) else timedelta(0)
