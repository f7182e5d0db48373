"""Which gas alarms nobody has said a likely cause of yet, and what their readings say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from alerts.book import SYSTEM, AlarmBook
from alerts.cause import BACK, ETHANE, GAS_LEL, NEAR_M, TEMPERATURE, Cause, likely_cause
from alerts.history import History, lonlat
from alerts.save import save
from alerts.surroundings import devices_near, load_around, pipes_near
from city.alarm import Alarm
from city.device import WatchedDevice
from city.event import NewEvent
from city.place import distance_m
from db import alarms
from db.events import append_events
from db.pool import Connection

# Alarms assessed in one transaction.
AT_ONCE = 20
# No two devices within `NEAR_M` are further apart in latitude.
NEAR_DEG = 0.002


def weigh_causes(conn: Connection, district: str, now: datetime) -> list[tuple[Alarm, Cause]]:
    """What likely made the gas, of alarms that do not say it. Nothing is locked meanwhile."""
    waiting = alarms.list_without_cause(conn, district, AT_ONCE)
    ids = {alarm.device_id for alarm in waiting if alarm.device_id is not None}
    devices = devices_near(conn, ids, NEAR_M, along_pipes=True)
    mine = [alarm for alarm in waiting if alarm.device_id in devices]
    history = _load(conn, mine, devices, now)
    found = []
    for alarm in mine:
        device = devices[alarm.device_id or 0]
        at = max(alarm.sensed_at, _newest(device, history, now))
        found.append((alarm, likely_cause(device, history, at)))
    return found


def say_causes(conn: Connection, weighed: Sequence[tuple[Alarm, Cause]], now: datetime) -> int:
    """Add causes to alarms of a district that the caller has locked, if they still stand; how many
    alarms changed.

    A tag beside the alarm: no level, no state and nobody's work depends on it."""
    book, events = AlarmBook(now), []
    book.add(alarms.list_live_alarms(conn, conditions=[alarm.condition for alarm, _ in weighed]))
    for alarm, cause in weighed:
        standing = book.find(alarm.condition)
        if standing is None or standing.id != alarm.id:
            continue
        book.note(alarm.condition, as_facts(cause))
        events.append(_event(alarm, cause, now))
    append_events(conn, [*events, *save(conn, book)])
    return book.changes()


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
