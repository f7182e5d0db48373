"""How far a shown value may be trusted: its quality, its age, what is known of its sensor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from city.reading import Quality

# A value is stale when so many of the device's report intervals have gone by since it was
# measured: radio loses a message now and then, three in a row it does not.
STALE_INTERVALS = 3


# Words on values in the order in which they are said of a device. That a message came late, or is
# simulated, says nothing against the device.
STATE_ORDER = ("stuck", "clock", "clock_replaced", "suspect", "stale")


class FaultKind(StrEnum):
    """What a job finds wrong with a device."""

    STUCK = "stuck"  # the same value for longer than a working sensor can give it
    CLOCK = "clock"  # its time is not ours


def is_stale(age_s: float, report_interval_s: float) -> bool:
    """Whether the device should have measured again since."""
    return age_s > STALE_INTERVALS * report_interval_s


def trust_words(
    quality: int, age_s: float, report_interval_s: float, faults: Iterable[str] = ()
) -> list[str]:
    """What to know before a value is believed, the gravest first; ["good"] if nothing.

    `faults` are the kinds of fault of this metric and of the whole device. What was measured in
    the future was measured by a wrong clock, whether or not that has been noticed yet.
    """
    known = set(faults)
    if age_s < 0:
        known.add(FaultKind.CLOCK)
    words = [str(fault) for fault in (FaultKind.STUCK, FaultKind.CLOCK) if fault in known]
    if is_stale(age_s, report_interval_s):
        words.append("stale")
    if quality != Quality.GOOD:
        words.append(Quality(quality).name.lower())
    return words or ["good"]


def state_words(
    *,
    retired: bool,
    out_of_service: bool,
    trust: Iterable[Iterable[str]],
) -> list[str]:
    """What to know of a device before any of its newest values (`trust_words` of each) is
    believed, the gravest first; empty if nothing."""
    said = {word for words in trust for word in words} - {"good"}
    states = (("retired", retired), ("out_of_service", out_of_service))
    return [word for word, holds in states if holds] + [w for w in STATE_ORDER if w in said]


@dataclass(frozen=True, slots=True)
class ShownClock:
    """How far a device's clock is from ours, and when that was measured."""

    lag_s: float | None
    least_s: float | None
    readings: int
    replaced: int
    measured_at: datetime
