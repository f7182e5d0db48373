"""Delays of rules with limits that time alone brings to an end."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.book import Finding, place_of
from alerts.course import Running, fallen_due
from alerts.judge import Stop
from alerts.limits import LimitRule, applies_to
from alerts.save import load_book
from alerts.watch.kind import Look
from city.device import WatchedDevice
from db import evaluation, rule_timers
from db.pool import Connection

# Delays run out in spite of readings that wait, should evaluation stand still for so long.
WAIT_FOR_READINGS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Delays:
    """Delays that run, and the moment up to which they may run out."""

    running: Sequence[tuple[WatchedDevice, Sequence[Running]]]
    until: datetime


def due_districts(conn: Connection, rules: Sequence[LimitRule], now: datetime) -> list[str]:
    """Where a delay of these rules is over."""
    on, off = _delaying(rules)
    return rule_timers.list_due_districts(conn, now, on=on, off=off)


def load_delays(
    conn: Connection, rules: Sequence[LimitRule], look: Look, without: Collection[int] = ()
) -> Delays:
    """While readings wait to be judged the clock of delays stands at the oldest of them: one of
    them may end the delay. Devices `without` are looked at otherwise."""
    until = look.now
    waiting = evaluation.find_oldest_waiting(conn, look.district)
    if waiting is not None:
        until = min(until, max(waiting, until - WAIT_FOR_READINGS))
    on, off = _delaying(rules)
    due = rule_timers.list_due_devices(conn, look.district, until, on=on, off=off)
    ids = [device_id for device_id in due if device_id not in without]
    if not ids:
        return Delays((), until)
    load_book(conn, look.book, ids, [rule.code for rule in rules])
    devices = evaluation.list_watched_devices(conn, ids)
    return Delays([(d, look.book.running(rules, d)) for d in devices], until)


def judge_delays(delays: Delays) -> Iterator[Finding]:
    """What follows from those that are over. Pure."""
    for device, running in delays.running:
        watched = device.is_watched(delays.until)
        mine: list[Running] = []
        for rule, timer in running:
            if watched and applies_to(rule, device):
                mine.append((rule, timer))
            elif timer.due_at <= delays.until:  # the rule is not, or not now, about the device
                yield Finding(Stop(timer.severity), rule, place_of(device, rule))
        for rule, outcome in fallen_due(mine, delays.until, device_clock=False):
            yield Finding(outcome, rule, place_of(device, rule))


def _delaying(rules: Sequence[LimitRule]) -> tuple[list[str], list[str]]:
    """Codes of rules whose on-delays, and whose off-delays, run out by themselves."""
    on = [rule.code for rule in rules]
    return on, [rule.code for rule in rules if not rule.clear_needs_reading]
