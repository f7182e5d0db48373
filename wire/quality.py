"""How far a value and its time may be trusted: clock, range, staleness. Pure judgements."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from city.reading import REASON_NAN, REASON_RANGE, Metric, Reject

# A message may be this much ahead of our clock. Clocks set by GPS or NTP agree to a second,
# hand-set ones to minutes; beyond ten minutes the time is wrong.
FUTURE_LIMIT = timedelta(minutes=10)
# A live message whose time is older than this has a wrong clock (never set, or reset by a new
# battery): networks keep undelivered messages for hours, gateways for days. It must still be
# able to raise an alarm, so it gets the time of receipt.
STALE_LIMIT = timedelta(days=7)
# Stored history may be a year old, no more: what is older than the readings that are kept would be
# dropped within the hour, and each of its days would be a partition.
HISTORY_LIMIT = timedelta(days=370)


def is_in_future(ts: datetime, received_at: datetime) -> bool:
    """The time lies further ahead than any honest clock."""
    return ts - received_at > FUTURE_LIMIT


def is_implausibly_old(ts: datetime, received_at: datetime) -> bool:
    """The time lies so far back that a live message cannot have been on its way for so long."""
    return received_at - ts > STALE_LIMIT


def is_beyond_history(ts: datetime, received_at: datetime) -> bool:
    """The time lies so far back that a reading of then is not kept."""
    return received_at - ts > HISTORY_LIMIT


def out_of_range(
    field: str, value: float, metric: Metric, low: float | None = None, high: float | None = None
) -> Reject | None:
    """Why the value is impossible for the metric, or for the device model's own limits."""
    if not math.isfinite(value):
        return Reject(REASON_NAN, f"{field}: must be a finite number (got {value})")
    if metric.unit == "0/1" and value not in (0, 1):
        return Reject(REASON_RANGE, f"{field}: must be 0 or 1 (got {value:g})")
    lowest = metric.low if low is None else max(low, metric.low)
    highest = metric.high if high is None else min(high, metric.high)
    if lowest <= value <= highest:
        return None
    limits = f"{lowest:g} to {highest:g} {metric.unit}"
    return Reject(REASON_RANGE, f"{field}: must be {limits} (got {value:g})")
