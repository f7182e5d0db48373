"""Is a place gas-free: cleared alarms, quiet sensors and an engineer's release. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# Where a rule gives no clear limit: this share of the limit (domain.md 3.4, proposal).
CLEAR_SHARE = 0.5
# A sensor that has not reported for so many of its intervals proves nothing (domain.md 4.2).
SILENT_INTERVALS = 3
# Comparisons whose dangerous side is below the limit (oxygen).
FALLING = frozenset({"at_or_below", "below"})


@dataclass(frozen=True, slots=True)
class Watched:
    """One gas alarm of the incident and what its sensor measured in the gas-free period."""

    device: str
    stands: bool
    cleared_at: datetime | None
    ended_at: datetime | None  # reset by a person where the sensor could not clear it
    limit: float | None
    clear_limit: float | None
    comparison: str
    readings: int
    lowest: float | None
    highest: float | None
    newest_at: datetime | None
    report_interval: timedelta


@dataclass(frozen=True, slots=True)
class GasStanding:
    """The verdict with its reason; `free_at` when it will be free if nothing happens."""

    needed: bool  # the category asks for a release at all
    quiet: bool  # no gas alarm stands
    released: bool
    free: bool
    reason: str
    device: str = ""
    free_at: datetime | None = None


def judge_gas(
    needed: bool,
    period: timedelta,
    watched: Sequence[Watched],
    released_at: datetime | None,
    now: datetime,
) -> GasStanding:
    """Free when every sensor stayed clear for the whole period and an engineer released it."""
    released = released_at is not None
    if not needed:
        return GasStanding(False, True, released, True, "not_a_gas_case")
    for one in watched:
        if one.stands:
            return GasStanding(True, False, released, False, "alarm_stands", one.device)
    free_at = None
    for one in watched:
        reason, since = _quiet_since(one, released_at, now)
        if since is not None and since + period > now:
            reason = "gas_free_period_runs"
            free_at = max(free_at or since, since + period)
        if reason and reason != "gas_free_period_runs":
            return GasStanding(True, True, released, False, reason, one.device)
    if free_at is not None:
        return GasStanding(True, True, released, False, "gas_free_period_runs", free_at=free_at)
    if not released:
        return GasStanding(True, True, False, False, "release_missing")
    return GasStanding(True, True, True, True, "gas_free")


def _quiet_since(
    one: Watched, released_at: datetime | None, now: datetime
) -> tuple[str, datetime | None]:
    """A reason why the sensor does not prove anything, or since when it is quiet."""
    if one.cleared_at is None:
        # A person reset the alarm of a dead or replaced sensor: the engineer's own
        # measurement starts the period.
        if released_at is None or one.ended_at is None:
            return "release_missing", None
        return "", max(one.ended_at, released_at)
    if one.newest_at is None or now - one.newest_at > SILENT_INTERVALS * one.report_interval:
        return "sensor_silent", None
    if not _is_clear(one):
        return "reading_not_clear", None
    return "", one.cleared_at


def _is_clear(one: Watched) -> bool:
    if one.limit is None or one.lowest is None or one.highest is None:
        return True
    if one.comparison in FALLING:
        return one.lowest >= (one.clear_limit if one.clear_limit is not None else one.limit)
    bound = one.clear_limit if one.clear_limit is not None else CLEAR_SHARE * one.limit
    return one.highest <= bound
