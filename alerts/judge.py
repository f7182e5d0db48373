"""One reading of one device against one rule: what follows, and why. Pure.

Between limit and clear limit nothing changes (hysteresis). An on-delay or off-delay is a
`Timer`: a value that becomes a row, so that it outlives every process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from alerts.limits import LimitRule, baseline_of, is_clear, limit_of, trips, turned_by
from alerts.reasons import value_reason
from alerts.rules import Level
from city.alarm import Reason, Severity
from city.reading import Quality

# A message that says it is a simulation, or old history, raises and clears nothing.
NEVER_JUDGED = (Quality.LATE, Quality.SIMULATED)


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of the rule's metric."""

    ts: datetime
    received_at: datetime
    value: float
    quality: int = Quality.GOOD
    facts: Mapping[str, Any] = field(default_factory=dict)  # what else its reason says


@dataclass(frozen=True, slots=True)
class Timer:
    """A condition on its way in (severity set) or out (severity None) of an alarm."""

    rule_code: str
    device_id: int
    severity: Severity | None
    started_at: datetime
    received_at: datetime
    due_at: datetime  # by our clock, for ticks
    reason: Reason

    @property
    def ripe_at(self) -> datetime:
        """The same moment by the clock of the device, for its own later readings."""
        return self.started_at + (self.due_at - min(self.started_at, self.received_at))


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the rule before the reading, whatever other rules say of the hazard."""

    level: Severity | None = None  # None: the rule does not hold the alarm
    since: datetime | None = None  # when it came to this level
    again: bool = False  # it had been as bad before, so it is held there for the off-delay
    timers: Mapping[Severity | None, Timer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raise:
    severity: Severity
    reason: Reason
    sensed_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Ease:
    """The rule stands on, at a milder level."""

    severity: Severity
    at: datetime


@dataclass(frozen=True, slots=True)
class Clear:
    at: datetime


@dataclass(frozen=True, slots=True)
class Start:
    timer: Timer


@dataclass(frozen=True, slots=True)
class Stop:
    severity: Severity | None


Outcome = Raise | Ease | Clear | Start | Stop


def judge(
    rule: LimitRule,
    device_id: int,
    attributes: Mapping[str, Any],
    standing: Standing,
    sample: Sample,
) -> Iterator[Outcome]:
    """What a reading changes; the caller has dealt with what fell due before it (`fall_due`).

    A suspect reading (warm-up, fault code) may raise but never eases or clears: a faulty detector
    must not end a gas alarm.
    """
    if sample.quality in NEVER_JUDGED or sample.received_at - sample.ts > rule.max_age:
        return
    limits = [limit_of(level, attributes) for level in rule.levels]
    if limits[0] is None:
        return
    baseline = baseline_of(rule, attributes)
    signal = sample.value if baseline is None else turned_by(sample.value, baseline, rule)
    tripped = [
        (level, limit)
        for level, limit in zip(rule.levels, limits, strict=True)
        if limit is not None and trips(rule.comparison, signal, limit)
    ]
    if not rule.scope.is_hour(sample.ts):
        tripped, limits = [], [None] * len(limits)
    yield from _stop_beaten(standing.timers, {level.severity for level, _ in tripped}, sample)
    if sample.quality != Quality.SUSPECT:
        yield from _ease(rule, standing, sample, signal, limits)
    if tripped:
        yield from _trip(rule, device_id, standing, sample, tripped, baseline)
    elif sample.quality != Quality.SUSPECT:
        yield from _quiet(rule, device_id, standing, sample, signal, limits)


def fall_due(
    rule: LimitRule, standing: Standing, at: datetime, *, device_clock: bool = True
) -> Iterator[Outcome]:
    """Timers of the rule that have run out by `at`; the condition held all that time.

    `at` is the time of a reading, by the clock of its device, or `now` of a tick.
    """
    for severity, timer in standing.timers.items():
        due_at = timer.ripe_at if device_clock else timer.due_at
        if due_at > at or (severity is None and rule.clear_needs_reading):
            continue
        yield Stop(severity)
        if severity is None:
            yield Clear(due_at)
        else:
            yield Raise(severity, timer.reason, timer.started_at, timer.received_at)


def _ease(
    rule: LimitRule,
    standing: Standing,
    sample: Sample,
    signal: float,
    limits: Sequence[float | None],
) -> Iterator[Outcome]:
    """The level falls to the worst one that still holds, at once: its next rise is news.

    The deadband keeps a value at the limit from ringing for ever; one that swings through all of
    it is kept from it by the hold: a level reached again is left after the off-delay at the
    earliest. The last level is left by clearing only.
    """
    if standing.level is None or standing.since is None or _is_older(sample, standing):
        return
    if standing.again and sample.ts < standing.since + rule.off_delay:
        return
    held = [
        level.severity
        for number, (level, limit) in enumerate(zip(rule.levels, limits, strict=True))
        if limit is not None
        and (trips(rule.comparison, signal, limit) or not is_clear(rule, signal, limits, number))
    ]
    level = min(held, default=rule.levels[0].severity)
    if level > standing.level:
        yield Ease(level, sample.ts)


def _stop_beaten(
    timers: Mapping[Severity | None, Timer], tripped: set[Severity], sample: Sample
) -> Iterator[Outcome]:
    """On-delays of levels that this reading no longer reaches; an older reading stops none."""
    for severity, timer in timers.items():
        if severity is not None and severity not in tripped and timer.started_at <= sample.ts:
            yield Stop(severity)


def _trip(
    rule: LimitRule,
    device_id: int,
    standing: Standing,
    sample: Sample,
    tripped: list[tuple[Level, float]],
    baseline: float | None,
) -> Iterator[Outcome]:
    yield from _stop_leaving(standing, sample)
    reached = standing.level
    for level, limit in reversed(tripped):  # the worst first: it covers the milder ones
        if reached is not None and reached <= level.severity:
            continue
        reason = value_reason(rule, sample.value, limit, sample.ts, baseline, sample.facts)
        if not level.on_delay:
            reached = level.severity
            yield Raise(level.severity, reason, sample.ts, sample.received_at)
        elif level.severity not in standing.timers:
            yield Start(_timer(rule, device_id, level.severity, level.on_delay, sample, reason))
    for severity in standing.timers:
        if severity is not None and reached is not None and reached <= severity:
            yield Stop(severity)


def _quiet(
    rule: LimitRule,
    device_id: int,
    standing: Standing,
    sample: Sample,
    signal: float,
    limits: Sequence[float | None],
) -> Iterator[Outcome]:
    running = standing.timers.get(None)
    if not is_clear(rule, signal, limits):
        yield from _stop_leaving(standing, sample)
        return
    if standing.level is None:
        if running is not None:  # the alarm it was for is over
            yield Stop(None)
        return
    if _is_older(sample, standing):
        return
    if not rule.off_delay:
        yield Clear(sample.ts)
    elif running is None:
        reason = value_reason(rule, sample.value, limits[0] or 0.0, sample.ts)
        yield Start(_timer(rule, device_id, None, rule.off_delay, sample, reason))
    elif running.ripe_at <= sample.ts:
        yield Stop(None)
        yield Clear(sample.ts)


def _stop_leaving(standing: Standing, sample: Sample) -> Iterator[Outcome]:
    """The off-delay, by a reading that does not let the alarm go; an older reading stops none."""
    running = standing.timers.get(None)
    if running is not None and running.started_at <= sample.ts:
        yield Stop(None)


def _timer(
    rule: LimitRule,
    device_id: int,
    severity: Severity | None,
    delay: timedelta,
    sample: Sample,
    reason: Reason,
) -> Timer:
    # A device whose clock is ahead must not make us wait for its time to come.
    due_at = min(sample.ts, sample.received_at) + delay
    return Timer(rule.code, device_id, severity, sample.ts, sample.received_at, due_at, reason)


def _is_older(sample: Sample, standing: Standing) -> bool:
    return standing.since is not None and sample.ts <= standing.since
