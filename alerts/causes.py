"""Which gas alarms nobody has said a likely cause of yet, and what their readings say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from alerts.book import SYSTEM, AlarmBook
from alerts.cause import BACK, ETHANE, GAS_LEL, NEAR_M, TEMPERATURE, Cause, likely_cause
from alerts.history import History, lonlat
from alerts.surroundings import load_around, pipes_near
from city.alarm import Alarm
from city.device import WatchedDevice
from city.event import NewEvent
from city.place import distance_m
from db import alarms, evaluation
from db.pool import Connection

# Alarms assessed in one transaction.
AT_ONCE = 20
# No two devices within `NEAR_M` are further apart in latitude.
NEAR_DEG = 0.002


def assess_causes(
    conn: Connection, book: AlarmBook, district: str, now: datetime
) -> list[NewEvent]:
    """Add what likely made the gas to alarms that do not say it; the entries for the event log.

    A tag beside the alarm: no level, no state and nobody's work depends on it."""
    waiting = alarms.list_without_cause(conn, district, AT_ONCE)
    if not waiting:
        return []
    devices = {d.id: d for d in evaluation.list_devices_of(conn, district)}
    mine = [alarm for alarm in waiting if alarm.device_id in devices]
    history = _load(conn, mine, devices, now)
    book.add(mine)
    events = []
    for alarm in mine:
        if book.find(alarm.condition) is None:
            continue
        device = devices[alarm.device_id or 0]
        cause = likely_cause(device, history, max(alarm.sensed_at, _newest(device, history, now)))
        book.note(alarm.condition, as_facts(cause))
        events.append(_event(alarm, cause, now))
    return events


def as_facts(cause: Cause) -> dict[str, object]:
    """A cause as the alarm's reason has it."""
    evidence = [[one.code, one.weight] for one in cause.evidence]
    return {"likely_cause": cause.tag, "cause_weight": cause.weight, "cause_evidence": evidence}


def _load(
    conn: Connection,
    waiting: Sequence[Alarm],
    devices: Mapping[int, WatchedDevice],
    now: datetime,
) -> History:
    since = now - BACK
    ids = {alarm.device_id for alarm in waiting if alarm.device_id is not None}
    pipes = pipes_near(conn, ids, devices)
    near = {other.id for i in ids for other in _around(devices[i], devices.values())}
    near |= {i for i in pipes if any(pipes[i] & pipes.get(own, frozenset()) for own in ids)}
    spans = {
        GAS_LEL: dict.fromkeys(sorted(ids | near), since),
        ETHANE: dict.fromkeys(sorted(ids), since),
        TEMPERATURE: dict.fromkeys(sorted(ids), since),
    }
    return History(devices, load_around(conn, spans, now), now, pipes)


def _around(device: WatchedDevice, others: Iterable[WatchedDevice]) -> list[WatchedDevice]:
    return [
        other
        for other in others
        if other.gas
        and abs(other.lat - device.lat) < NEAR_DEG
        and other.id != device.id
        and distance_m(lonlat(device), lonlat(other)) <= NEAR_M
    ]


def _newest(device: WatchedDevice, history: History, now: datetime) -> datetime:
    series = history.of(device.id, GAS_LEL)
    return min(now, series.sample(len(series) - 1).ts) if len(series) else now


def _event(alarm: Alarm, cause: Cause, now: datetime) -> NewEvent:
    return NewEvent(
        at=now,
        district=alarm.district,
        kind="alarm.assessed",
        subject=f"alarm:{alarm.id}",
        actor=SYSTEM,
        payload={"alarm_id": alarm.id, "condition": alarm.condition, **as_facts(cause)},
    )
