"""What a rule would have raised on stored readings: the same judgement, nothing written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alerts.judge import Clear, Outcome, Raise, Sample, Standing, Start, Stop, fall_due, judge
from alerts.reasons import as_json, sentence
from alerts.rules import Rule, Watch
from alerts.screen import applies_to
from city.errors import InvalidInput
from db import evaluation, readings_past
from db.evaluation import WatchedDevice
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class WouldRaise:
    """An alarm that the rule would have raised; `cleared_at` None: still there at the end."""

    device: str
    rule: str
    severity: str
    sensed_at: datetime
    cleared_at: datetime | None
    reason: dict[str, Any]
    text_zh: str
    text_en: str


@dataclass(slots=True)
class _Run:
    """One device on its way through history."""

    rule: Rule
    device: WatchedDevice
    standing: Standing = field(default_factory=lambda: Standing(owned=True))
    open: WouldRaise | None = None
    found: list[WouldRaise] = field(default_factory=list)


def backtest(conn: Connection, rule: Rule, from_: datetime, to: datetime) -> list[WouldRaise]:
    """Judge the stored readings of [from_, to) by `rule`, whether or not it is in force."""
    if rule.watch is not Watch.READING or rule.metric is None:
        raise InvalidInput("watch", rule.watch.value, "only rules on readings have a history")
    if from_ >= to:
        raise InvalidInput("from", from_, f"must be before {to.isoformat()}")
    devices = {d.id: d for d in evaluation.list_watched_devices(conn) if applies_to(rule, d)}
    found: list[WouldRaise] = []
    for device_id, past in readings_past.by_device(
        conn, rule.metric.id, sorted(devices), from_, to
    ):
        samples = (Sample(p.ts, p.received_at, p.value, p.quality) for p in past)
        found += replay(rule, devices[device_id], samples, to)
    return sorted(found, key=lambda w: (w.sensed_at, w.device))


def replay(
    rule: Rule, device: WatchedDevice, samples: Iterable[Sample], to: datetime
) -> list[WouldRaise]:
    """Alarms of one device over samples in the order of their time. Pure."""
    run = _Run(rule, device)
    for sample in samples:
        for outcome in list(fall_due(rule, run.standing, sample.ts)):
            _take(run, outcome)
        for outcome in list(judge(rule, device.id, device.attributes, run.standing, sample)):
            _take(run, outcome)
    for outcome in list(fall_due(rule, run.standing, to)):
        _take(run, outcome)
    return run.found + ([run.open] if run.open else [])


def _take(run: _Run, outcome: Outcome) -> None:
    standing = run.standing
    timers = dict(standing.timers)
    if isinstance(outcome, Start):
        run.standing = replace(standing, timers={**timers, outcome.timer.severity: outcome.timer})
    elif isinstance(outcome, Stop):
        timers.pop(outcome.severity, None)
        run.standing = replace(standing, timers=timers)
    elif isinstance(outcome, Raise):
        _raise(run, outcome)
    elif run.open is not None and isinstance(outcome, Clear):
        run.found.append(replace(run.open, cleared_at=outcome.at))
        run.open = None
        run.standing = replace(standing, active=None, active_since=None)


def _raise(run: _Run, outcome: Raise) -> None:
    active = run.standing.active
    if active is not None and active <= outcome.severity:
        return
    sensed_at = run.open.sensed_at if run.open else outcome.sensed_at
    run.open = WouldRaise(
        device=run.device.code,
        rule=run.rule.code,
        severity=outcome.severity.name.lower(),
        sensed_at=sensed_at,
        cleared_at=None,
        reason=as_json(outcome.reason),
        text_zh=sentence(outcome.reason, "zh"),
        text_en=sentence(outcome.reason, "en"),
    )
    run.standing = replace(run.standing, active=outcome.severity, active_since=outcome.reason.since)
