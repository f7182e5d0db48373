"""Stored readings as a history: first who came near a limit at all, then their readings."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from alerts.history import History, MetricColumns, build_columns
from alerts.limits import LimitRule, is_about
from alerts.rules import Rule
from alerts.surroundings import pipes_of
from alerts.watch import KINDS
from alerts.watch.kind import LimitKind
from city.device import WatchedDevice
from db import evaluation, readings_past
from db.pool import Connection
from db.readings_past import Reach


def load_history(conn: Connection, rules: Sequence[Rule], from_: datetime, to: datetime) -> History:
    """What these rules need of the readings in [from_, to)."""
    devices = {device.id: device for device in evaluation.list_watched_devices(conn)}
    wanted = _wanted(conn, rules, devices, from_, to)
    columns = {
        metric: _load(conn, metric, ids, from_, to) for metric, ids in sorted(wanted.items()) if ids
    }
    history = History(devices, columns, to, pipes_of(conn, devices.values()))
    for kind in {rule.watch: KINDS[rule.watch] for rule in rules}.values():
        history = kind.prepared(conn, history, from_)
    return history


def _wanted(
    conn: Connection,
    rules: Sequence[Rule],
    devices: Mapping[int, WatchedDevice],
    from_: datetime,
    to: datetime,
) -> dict[int, set[int]]:
    """Devices by metric of which the readings can matter: those with a value in the reach of a
    rule, and all that a rule is about of which any value can."""
    reaches: dict[str, Sequence[Reach]] = {}
    about = {rule.code: {d.id for d in devices.values() if is_about(rule, d)} for rule in rules}
    for rule in rules:
        kind = KINDS[rule.watch]
        if isinstance(rule, LimitRule) and isinstance(kind, LimitKind):
            mine = [devices[device_id] for device_id in about[rule.code]]
            found = kind.reaches(rule, mine)
            if all(_is_bound(reach) for reach in found):
                reaches[rule.code] = found
    asked = [reach for mine in reaches.values() for reach in mine]
    known = readings_past.list_reaching(conn, asked, from_, to)
    wanted: dict[int, set[int]] = defaultdict(set)
    for rule in rules:
        ids = about[rule.code]
        if rule.code in reaches:
            metrics = {reach.metric_id for reach in reaches[rule.code]}
            ids = ids & {device for metric, device in known if metric in metrics}
        for metric in KINDS[rule.watch].metrics(rule):
            wanted[metric] |= ids
    return wanted


def _is_bound(reach: Reach) -> bool:
    """Whether it leaves anybody out."""
    given = reach.at_least is not None or reach.at_most is not None
    return given and reach.at_least != -math.inf and reach.at_most != math.inf


def _load(
    conn: Connection, metric: int, ids: set[int], from_: datetime, to: datetime
) -> MetricColumns:
    rows = readings_past.copy_readings(conn, metric, sorted(ids), from_, to)
    return build_columns(rows.device_id, rows.ts_us, rows.received_us, rows.value, rows.quality)
