"""Stored readings as a history: first who came near a limit at all, then their readings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np

from alerts.history import History, MetricColumns, build_columns
from alerts.limits import LimitRule, is_about
from alerts.rules import Rule
from alerts.surroundings import pipes_of
from alerts.watch import KINDS
from alerts.watch.kind import LimitKind
from db import evaluation, readings_past
from db.pool import Connection
from db.readings_past import Extents


def load_history(conn: Connection, rules: Sequence[Rule], from_: datetime, to: datetime) -> History:
    """What these rules need of the readings in [from_, to)."""
    devices = {device.id: device for device in evaluation.list_watched_devices(conn)}
    beside = pipes_of(conn, devices.values())
    metrics = sorted({metric for rule in rules for metric in KINDS[rule.watch].metrics(rule)})
    extents = readings_past.list_extents(conn, metrics, from_, to)
    outline = History(devices, {m: _as_columns(e) for m, e in extents.items()}, to, beside)
    wanted = _wanted(rules, outline)
    columns = {
        metric: _load(conn, metric, ids, outline.columns[metric], from_, to)
        for metric, ids in wanted.items()
        if metric in outline.columns and ids
    }
    return History(devices, columns, to, beside)


def _wanted(rules: Iterable[Rule], outline: History) -> Mapping[int, set[int]]:
    """Devices by metric of which the readings can matter, judged by their extremes."""
    wanted: dict[int, set[int]] = defaultdict(set)
    for rule in rules:
        kind = KINDS[rule.watch]
        if isinstance(rule, LimitRule) and isinstance(kind, LimitKind):
            ids = set(kind.reaching(rule, outline))
        else:
            ids = {d.id for d in outline.devices.values() if is_about(rule, d)}
        for metric in kind.metrics(rule):
            wanted[metric] |= ids
    return wanted


def _as_columns(extents: Extents) -> MetricColumns:
    """Extremes as if they were two readings a device: the lowest first, the highest last."""
    count = len(extents.device_id)
    starts = np.arange(0, 2 * count + 1, 2)

    def both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.stack([one, other], axis=1).ravel()

    ts_us = both(extents.first_us, extents.last_us)
    value = both(extents.lowest, extents.highest)
    return MetricColumns(
        extents.device_id.astype(np.int64),
        starts,
        ts_us,
        ts_us,
        value,
        np.zeros(2 * count, np.int8),
    )


def _load(
    conn: Connection,
    metric: int,
    ids: set[int],
    known: MetricColumns,
    from_: datetime,
    to: datetime,
) -> MetricColumns:
    present = sorted(ids.intersection(known.device_ids.tolist()))
    everybody = len(present) == len(known.device_ids)
    rows = readings_past.copy_readings(conn, metric, None if everybody else present, from_, to)
    return build_columns(rows.device_id, rows.ts_us, rows.received_us, rows.value, rows.quality)
