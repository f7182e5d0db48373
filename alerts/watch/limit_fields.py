"""Fields that all rules with limits have in common: their levels, and how an alarm is left."""

from __future__ import annotations

from alerts.fields import Fields
from alerts.limits import LimitRule
from alerts.rules import DAY_S, SEVERITIES, Level


def parse_levels(fields: Fields) -> tuple[Level, ...]:
    """The levels, from the mildest to the worst."""
    levels: list[Level] = []
    for part in fields.tables("level"):
        attribute = part.code("limit_attribute", default="")
        limit = None if attribute else part.number("limit")
        clear_limit = part.optional_number("clear_limit")
        if clear_limit is not None and not levels:
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
    ordered = [level.severity for level in levels]
    if len(set(ordered)) != len(ordered) or ordered != sorted(ordered, reverse=True):
        raise fields.wrong(
            "level", [s.name.lower() for s in ordered], "must run from the mildest to the worst"
        )
    return tuple(levels)


def check_clearing(rule: LimitRule, fields: Fields) -> None:
    """A clear limit on the wrong side of the limit would raise and clear at the same value."""
    if rule.clear_limit is not None and rule.clear_share is not None:
        raise fields.wrong("clear_share", rule.clear_share, "clear_limit is given too")
    limits = [level.limit for level in rule.levels if level.limit is not None]
    falling = rule.is_falling
    if sorted(limits, reverse=falling) != limits:
        raise fields.wrong("level.limit", limits, "a worse level needs a stricter limit")
    if rule.clear_share is not None and (rule.clear_share > 1) != falling:
        side = "at least" if falling else "at most"
        raise fields.wrong("clear_share", rule.clear_share, f"must be {side} 1")
    bounds = [(rule.clear_limit, limits[0])] if limits else []
    bounds += [(lv.clear_limit, lv.limit) for lv in rule.levels[1:] if lv.limit is not None]
    for clear_limit, limit in bounds:
        if clear_limit is not None and (limit - clear_limit) * (-1 if falling else 1) < 0:
            raise fields.wrong("clear_limit", clear_limit, f"is past the limit {limit:g}")
