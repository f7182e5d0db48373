"""Devices that count again, judged at once by their latest values and not by their next ones.

Rules on values judge here, rules over a window are asked to look at once. What is looked at every
few seconds anyway (silence, dark lamps, dates, gateways) needs nothing: it passes over a device
that is away, and no longer does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from alerts.book import AlarmBook
from alerts.course import judge_sample
from alerts.judge import Sample
from alerts.known import REFRESH_EVERY
from alerts.limits import ReadingRule, WindowRule, applies_to, on_readings, others
from alerts.rules import Rule
from alerts.save import load_book
from alerts.watch.silence import SilenceRule
from city.device import WatchedDevice
from db import evaluation, returns, window_looks
from db.pool import Connection
from db.readings_past import PastReading

# An engine may take a device for out of service for as long as it does not ask again: what was
# reported meanwhile is judged after that.
AGAIN_AFTER = 2 * REFRESH_EVERY
# Where no silence rule is about a kind of device.
SILENT_INTERVALS = 3.0


def judge_returned(
    conn: Connection, book: AlarmBook, rules: Mapping[str, Rule], district: str, now: datetime
) -> None:
    """Judge the latest values of devices of a district that are due. A value that is older than
    the device may be silent says nothing of now: that it is silent is an alarm of its own."""
    due = returns.claim_due(conn, district, now, now + AGAIN_AFTER)
    if not due:
        return
    reading = on_readings(rules.values())
    load_book(conn, book, due, [rule.code for rule in reading])
    found = evaluation.list_watched_devices(conn, due)
    devices = {device.id: device for device in found if device.is_watched(now)}
    looks: dict[tuple[str, int], datetime] = {}  # the oldest value that each has to look at
    for latest in returns.list_latest(conn, sorted(devices)):
        device = devices[latest.device_id]
        if now - latest.received_at <= may_be_silent(rules.values(), device):
            judge_latest(book, reading, device, latest)
            for code in looking(rules.values(), device, latest):
                looks.setdefault((code, device.id), latest.ts)
    window_looks.mark(conn, [(*key, since, now) for key, since in looks.items()])


def judge_latest(
    book: AlarmBook, rules: Iterable[ReadingRule], device: WatchedDevice, latest: PastReading
) -> None:
    """Judge one value by every rule on its metric, as if it had come now."""
    sample = Sample(latest.ts, latest.received_at, latest.value, latest.quality)
    mine = [rule for rule in rules if applies_to(rule, device)]
    for rule in mine:
        if rule.metric.id == latest.metric_id:
            judge_sample(book, rule, device, sample, others(rule, mine))


def looking(rules: Iterable[Rule], device: WatchedDevice, latest: PastReading) -> list[str]:
    """Codes of the rules over a window that have to look at a value."""
    return [
        rule.code
        for rule in rules
        if isinstance(rule, WindowRule)
        and latest.metric_id in rule.looks_at
        and applies_to(rule, device)
    ]


def may_be_silent(rules: Iterable[Rule], device: WatchedDevice) -> timedelta:
    """For how long a device may say nothing before it counts as silent."""
    intervals = [
        rule.intervals
        for rule in rules
        if isinstance(rule, SilenceRule) and (not rule.kinds or device.kind in rule.kinds)
    ]
    return timedelta(seconds=min(intervals, default=SILENT_INTERVALS) * device.report_interval_s)
