"""Several points of one message: which of them is now, which were stored, and clocks never set."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from city.reading import Quality, TimeSource
from wire.values import Stamp

# Points of one message that lie this close to its newest were measured in one go (fast
# sampling, a slow radio) and may all raise an alarm; older ones were stored on purpose.
BURST = timedelta(minutes=10)
# The oldest time a set clock can show: devices start counting at 1970 or at 2000.
CLOCK_SET = datetime(2001, 1, 1, tzinfo=UTC)


def clock_is_set(ts: datetime) -> bool:
    """The time is later than where clocks that nobody has set begin to count."""
    return ts >= CLOCK_SET


def stamps(times: Iterable[datetime | None], received_at: datetime) -> list[Stamp]:
    """The stamp of each point. Without a time it is of now. If the clock was never set, the
    newest point is of now and the others keep their distance from it."""
    listed = list(times)
    newest = max((ts or received_at for ts in listed), default=received_at)
    judge = _stamp if clock_is_set(newest) else _shifted
    return [judge(ts, newest, received_at) for ts in listed]


def _stamp(ts: datetime | None, newest: datetime, received_at: datetime) -> Stamp:
    if ts is None:
        return Stamp(received_at, TimeSource.RECEIVED)
    if not clock_is_set(ts):
        return Stamp(received_at, TimeSource.RECEIVED, Quality.CLOCK_REPLACED)
    stored = newest - ts > BURST
    return Stamp(ts, TimeSource.DEVICE, Quality.LATE if stored else Quality.GOOD)


def _shifted(ts: datetime | None, newest: datetime, received_at: datetime) -> Stamp:
    age = timedelta(0) if ts is None else newest - ts
    quality = Quality.LATE if age > BURST else Quality.CLOCK_REPLACED
    return Stamp(received_at - age, TimeSource.RECEIVED, quality)
