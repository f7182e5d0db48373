"""Readings that came after later ones of their device: found and judged in the order of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

import numpy as np

from alerts.book import AlarmBook, condition_of
from alerts.course import Situation, follow, lead_of, settle
from alerts.judge import Sample
from alerts.known import Known
from alerts.limits import ReadingRule, applies_to
from alerts.screen import Columns
from city.alarm import Alarm
from city.device import WatchedDevice
from city.moment import as_microseconds
from db import alarms, readings_past
from db.pool import Connection
from db.readings_past import Around, MetricReading, Span

Matter = tuple[int, str]  # device id and condition: what is judged as one
Found = Sequence[tuple[ReadingRule, WatchedDevice, Sample]]  # in the order of time


def find_overtaken(conn: Connection, known: Known, columns: Columns, found: Found) -> set[Matter]:
    """Of what is to be judged: where a later reading is stored that is not at hand."""
    oldest: dict[Matter, datetime] = {}
    for rule, device, sample in found:
        oldest.setdefault((device.id, rule.condition), sample.ts)
    at_hand = _times_at_hand(columns, [device_id for device_id, _ in oldest])
    spans, matters = [], []
    for matter, since in oldest.items():
        since_us = as_microseconds(since)
        for metric_id in _metrics(known, matter):
            times = at_hand.get((matter[0], metric_id), [])
            spans.append(Span(matter[0], metric_id, since, sum(ts >= since_us for ts in times)))
            matters.append(matter)
    return {matters[number] for number in readings_past.find_with_more(conn, spans)}


def judge_overtaken(
    conn: Connection, book: AlarmBook, known: Known, overtaken: Collection[Matter], found: Found
) -> None:
    """Follow the stored readings of each such device and condition once more, in order."""
    if not overtaken:
        return
    new: dict[Matter, list[tuple[ReadingRule, Sample]]] = defaultdict(list)
    for rule, device, sample in found:
        if (device.id, rule.condition) in overtaken:
            new[device.id, rule.condition].append((rule, sample))
    stored = _list_stored(conn, known, new)
    past = _list_alarms(conn, known, new, stored)
    for matter, items in new.items():
        device = known.devices[matter[0]]
        rules = rules_of(known, matter)
        samples = in_order(rules, stored.get(matter, ()), items)
        live = book.find(condition_of(rules[0], device.code))
        ended = past.get(matter, [])
        at = Situation(device, matter[1], rules, [*ended, live] if live else ended)
        fresh = {sample.ts for _, sample in items}
        course = follow(at, samples, at.timers(book).values(), fresh, book.now)
        settle(book, at, course, fresh)


def rules_of(known: Known, matter: Matter) -> list[ReadingRule]:
    """The rules in force that raise this condition of this device by a reading."""
    device = known.devices[matter[0]]
    return [rule for rule in known.raising(matter[1]) if applies_to(rule, device)]


def in_order(
    rules: Sequence[ReadingRule],
    stored: Sequence[MetricReading],
    new: Sequence[tuple[ReadingRule, Sample]],
) -> list[tuple[ReadingRule, Sample]]:
    """Stored and new readings by time, each once, with the rules that judge them. Readings from
    the future that came together share a time (that of their receipt) and differ by value."""
    found = {
        (r.ts, r.metric_id, r.value): Sample(r.ts, r.received_at, r.value, r.quality)
        for r in stored
    }
    for rule, sample in new:
        found[sample.ts, rule.metric.id, sample.value] = sample
    return [
        (rule, sample)
        for (_, metric_id, _), sample in sorted(found.items(), key=lambda item: item[0])
        for rule in rules
        if rule.metric.id == metric_id
    ]


def _times_at_hand(columns: Columns, device_ids: Sequence[int]) -> dict[tuple[int, int], list[int]]:
    rows = np.flatnonzero(np.isin(columns.device_id, device_ids))
    times: dict[tuple[int, int], list[int]] = defaultdict(list)
    for device_id, metric_id, ts_us in zip(
        columns.device_id[rows].tolist(),
        columns.metric_id[rows].tolist(),
        columns.ts_us[rows].tolist(),
        strict=True,
    ):
        times[device_id, metric_id].append(ts_us)
    return times


def _list_stored(
    conn: Connection, known: Known, new: dict[Matter, list[tuple[ReadingRule, Sample]]]
) -> dict[Matter, list[MetricReading]]:
    """Readings from before the oldest new one to the newest, by device and condition."""
    around, matters = [], []
    for matter, items in new.items():
        lead = lead_of(rules_of(known, matter))
        for metric_id in _metrics(known, matter):
            around.append(Around(matter[0], metric_id, items[0][1].ts, lead))
            matters.append(matter)
    stored: dict[Matter, list[MetricReading]] = defaultdict(list)
    for number, reading in readings_past.list_around(conn, around):
        stored[matters[number]].append(reading)
    return stored


def _list_alarms(
    conn: Connection,
    known: Known,
    new: dict[Matter, list[tuple[ReadingRule, Sample]]],
    stored: dict[Matter, list[MetricReading]],
) -> dict[Matter, list[Alarm]]:
    """Alarms that ended after the oldest reading of their device and condition, oldest first."""
    starts = {m: min([items[0][1].ts, *(r.ts for r in stored[m])]) for m, items in new.items()}
    names = {condition_of(rules_of(known, m)[0], known.devices[m[0]].code): m for m in new}
    found: dict[Matter, list[Alarm]] = defaultdict(list)
    for alarm in alarms.list_ended(
        conn, sorted({device_id for device_id, _ in new}), since=min(starts.values())
    ):
        matter = names.get(alarm.condition)
        if matter is not None and alarm.ended_at and alarm.ended_at >= starts[matter]:
            found[matter].append(alarm)
    return found


def _metrics(known: Known, matter: Matter) -> list[int]:
    """Metrics of the rules of a condition."""
    return sorted({rule.metric.id for rule in rules_of(known, matter)})
