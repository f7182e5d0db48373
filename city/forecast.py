"""Whether a squad will be late, from how long its own cases took so far. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Fewer cases say nothing of a category, squad and hour: then of category and squad, then of the
# category.
ENOUGH = 30
ANY_SQUAD, ANY_HOUR = "", -1
# Percentiles of a table: 0 %, 5 %, … 100 %.
STEPS = 20


@dataclass(frozen=True, slots=True)
class HandlingTimes:
    """How long handling took in `count` cases: 21 percentiles in seconds, never falling."""

    count: int
    percentiles: tuple[float, ...]

    def share_done(self, seconds: float) -> float:
        """The share that was handled within so many seconds, 0 to 1."""
        p = self.percentiles
        if seconds < p[0]:
            return 0.0
        if seconds >= p[-1]:
            return 1.0
        at = bisect_right(p, seconds) - 1
        inside = (seconds - p[at]) / (p[at + 1] - p[at])
        return (at + inside) / STEPS


@dataclass(frozen=True, slots=True)
class Forecast:
    """`probability` (0 to 1) that it is late; of how many cases of what (`basis`)."""

    probability: float
    count: int
    basis: str  # hour, squad or category


Tables = Mapping[tuple[str, str, int], HandlingTimes]  # by category, squad and hour


def find_times(
    tables: Tables, category: str, squad: str, hour: int
) -> tuple[str, HandlingTimes] | None:
    """The closest table with enough cases."""
    for basis, key in (
        ("hour", (category, squad, hour)),
        ("squad", (category, squad, ANY_HOUR)),
        ("category", (category, ANY_SQUAD, ANY_HOUR)),
    ):
        found = tables.get(key)
        if found is not None and found.count >= ENOUGH:
            return basis, found
    return None


def forecast(
    tables: Tables, category: str, squad: str, hour: int, elapsed_s: float, limit_s: float
) -> Forecast | None:
    """How likely it is that an attempt that has run for `elapsed_s` is not handled at `limit_s`
    after it began; None where history says too little. Who took longer than anybody before is
    expected to be late."""
    found = find_times(tables, category, squad, hour)
    if found is None:
        return None
    basis, times = found
    if elapsed_s >= limit_s:
        return Forecast(1.0, times.count, basis)
    open_now = 1 - times.share_done(elapsed_s)
    open_then = 1 - times.share_done(limit_s)
    return Forecast(open_then / open_now if open_now > 0 else 1.0, times.count, basis)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of `count` attempts with a forecast from `low` up to `high`: `expected` late on the mean of
    the forecasts, and how many were."""

    low: float
    high: float
    count: int
    expected: float
    late: int


def calibrate(outcomes: Sequence[tuple[float, bool]], bands: int = 5) -> list[Calibration]:
    """What was forecast against what came, by bands of the forecast; empty ones are left out."""
    found = []
    for band in range(bands):
        low, high = band / bands, (band + 1) / bands
        inside = [
            (p, late)
            for p, late in outcomes
            if low <= p < high or (band == bands - 1 and p == high)
        ]
        if inside:
            found.append(
                Calibration(
                    low,
                    high,
                    len(inside),
                    sum(p for p, _ in inside) / len(inside),
                    sum(late for _, late in inside),
                )
            )
    return found
