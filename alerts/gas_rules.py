"""Which rules are gas safety: what warns of gas, and what tells that a detector is blind. Pure."""

from __future__ import annotations

from collections.abc import Collection

from alerts.limits import LimitRule
from alerts.rules import Rule

GAS_DETECTOR = "gas"
# What detectors of gases measure, whatever they are mounted in.
GAS_METRICS = frozenset({
    "ch4_pct_lel", "ch4_pct_vol", "gas_ppm", "gas_alarm", "co_ppm", "h2s_ppm", "o2_pct_vol",
    "nh3_ppm", "c2h6_ppm", "no_ppm", "no2_ppm", "so2_ppm", "o3_ppm", "co2_ppm",
})  # fmt: skip


def is_gas_rule(rule: Rule, gas_categories: Collection[str]) -> bool:
    """By what it measures, by the devices it is about, or by the cases that it opens."""
    measured = rule.metric.name if isinstance(rule, LimitRule) else ""
    return measured in GAS_METRICS or GAS_DETECTOR in rule.kinds or rule.category in gas_categories
