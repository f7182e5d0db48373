"""What would make a rule on readings quieter: more distance before it clears, a longer delay,
another limit. Pure.

Starting values of deadbands and delays by what is measured (domain.md 7.1). A rule of gas safety is
never made later or blinder: of these only the distance and the off-delay are proposed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from alerts.gas_rules import is_gas_rule
from alerts.limits import Comparison, ReadingRule

# Share of the limit, and delay, by unit: level, pressure, temperature; what else there is, as flow.
DEADBANDS = {"cm": (0.05, 60), "kPa": (0.02, 15), "°C": (0.01, 60)}
OTHERWISE = (0.05, 15)
# A limit is moved by as much as a deadband is wide, and a chattering off-delay is doubled.
OFF_DELAY_LEAST_S = 60
OFF_DELAY_MOST_S = 3_600


@dataclass(frozen=True, slots=True)
class Proposal:
    """One change of a rule: `kind` is deadband, off_delay, on_delay or limit; `fields` are the
    fields of the rule file, with the values of now and those proposed."""

    kind: str
    rule: ReadingRule
    fields: dict[str, tuple[Any, Any]]


def propose(rule: ReadingRule, gas_categories: Collection[str]) -> list[Proposal]:
    """What can be tried on this rule, the mildest first."""
    share, delay_s = DEADBANDS.get(rule.metric.unit, OTHERWISE)
    found = [*_deadband(rule, share), _off_delay(rule)]
    if not is_gas_rule(rule, gas_categories):
        found += [_on_delay(rule, delay_s), *_limit(rule, share)]
    return found


def _deadband(rule: ReadingRule, share: float) -> list[Proposal]:
    limit = rule.levels[0].limit
    if rule.clear_share is not None:
        step = -share if not rule.is_falling else share
        wider = round(rule.clear_share + step, 3)
        if wider <= 0:
            return []
        changed = replace(rule, clear_share=wider)
        return [Proposal("deadband", changed, {"clear_share": (rule.clear_share, wider)})]
    if limit is None or rule.comparison is Comparison.EQUALS or limit == 0:
        return []
    sign = 1 if rule.is_falling else -1
    present = limit if rule.clear_limit is None else rule.clear_limit
    wider = round(present + sign * share * abs(limit), 3)
    changed = replace(rule, clear_limit=wider)
    return [Proposal("deadband", changed, {"clear_limit": (rule.clear_limit, wider)})]


def _off_delay(rule: ReadingRule) -> Proposal:
    present = rule.off_delay.total_seconds()
    longer = min(OFF_DELAY_MOST_S, max(OFF_DELAY_LEAST_S, 2 * present))
    changed = replace(rule, off_delay=timedelta(seconds=longer))
    return Proposal("off_delay", changed, {"off_delay_s": (present, longer)})


def _on_delay(rule: ReadingRule, delay_s: int) -> Proposal:
    mildest, *worse = rule.levels
    present = mildest.on_delay.total_seconds()
    longer = present + delay_s
    levels = (replace(mildest, on_delay=timedelta(seconds=longer)), *worse)
    changed = replace(rule, levels=levels)
    return Proposal("on_delay", changed, {"level.on_delay_s": (present, longer)})


def _limit(rule: ReadingRule, share: float) -> list[Proposal]:
    mildest, *worse = rule.levels
    if mildest.limit is None or rule.comparison is Comparison.EQUALS:
        return []
    sign = -1 if rule.is_falling else 1
    moved = round(mildest.limit + sign * share * abs(mildest.limit), 3)
    next_worse = next((level.limit for level in worse if level.limit is not None), None)
    if next_worse is not None and (next_worse - moved) * sign <= 0:
        return []
    changed = replace(rule, levels=(replace(mildest, limit=moved), *worse))
    return [Proposal("limit", changed, {"level.limit": (mildest.limit, moved)})]
