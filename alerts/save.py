"""A book of alarms and its rows: what stands is read, what changed is written, events last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alerts.book import SYSTEM, AlarmBook, Change
from alerts.judge import Timer
from alerts.reasons import as_json, from_json
from city.alarm import Alarm, Severity
from city.event import NewEvent
from city.permit import Noted
from db import alarms, permits, rule_timers
from db.alarms import ChangeRow
from db.pool import Connection
from db.rule_timers import TimerRow


def load_book(
    conn: Connection, book: AlarmBook, device_ids: Sequence[int], codes: Sequence[str]
) -> None:
    """Take the live alarms and running timers of these devices into the book."""
    timers = rule_timers.list_timers(conn, device_ids, codes)
    book.add(alarms.list_live_alarms(conn, device_ids=device_ids), (timer_from(t) for t in timers))


def save(conn: Connection, book: AlarmBook) -> list[NewEvent]:
    """Store everything that changed; the caller appends the returned events at the very end."""
    new = [page for page in book.pages if page.changes and not page.alarm.id]
    known = [page for page in book.pages if (page.changes or page.touched) and page.alarm.id]
    # First the old: an alarm that is over makes room for the next one of its condition.
    alarms.update_alarms(conn, [page.alarm for page in known])
    ids = alarms.insert_alarms(conn, [page.alarm for page in new])
    changes = [(page.alarm.id, change) for page in known for change in page.changes]
    changes += [(i, change) for i, page in zip(ids, new, strict=True) for change in page.changes]
    alarms.insert_changes(
        conn, [ChangeRow(i, c.kind.value, book.now, why_of(c)) for i, c in changes]
    )
    rule_timers.delete_timers(conn, sorted(book.stopped))
    rule_timers.save_timers(conn, [timer_row(k, t) for k, t in sorted(book.started.items())])
    noted = permits.save_notes(conn, list(book.noted.values()))
    events = [as_event(alarm_id, change) for alarm_id, change in changes]
    return [*events, *(_note_event(note, book) for note in noted)]


def _note_event(note: Noted, book: AlarmBook) -> NewEvent:
    """The log entry of what was first open under a permit."""
    return NewEvent(
        at=book.now,
        district=note.district,
        kind="permit.opened",
        subject=f"permit:{note.span.permit}",
        actor=SYSTEM,
        payload={
            "permit": note.span.permit,
            "condition": note.condition,
            "device_id": note.device_id,
            "sensed_at": note.sensed_at.isoformat(),
            "reason": note.reason,
        },
    )


def why_of(change: Change) -> dict[str, Any]:
    """Why it came to an end that no reading and no person brought about; empty: one of them did."""
    return dict(change.facts) if "because" in change.facts else {}


def as_event(alarm_id: int, change: Change) -> NewEvent:
    """The log entry of one change: the whole alarm as it was right after it."""
    alarm = change.alarm
    return NewEvent(
        at=change.at,
        district=alarm.district,
        kind=f"alarm.{change.kind.value}",
        subject=f"alarm:{alarm_id}",
        actor=change.actor,
        payload={"alarm_id": alarm_id, **describe(alarm), **change.facts},
    )


def describe(alarm: Alarm) -> dict[str, Any]:
    """What the event log says of an alarm."""
    return {
        "condition": alarm.condition,
        "device_id": alarm.device_id,
        "camera_event": alarm.camera_event,
        "category": alarm.category,
        "severity": alarm.severity.name.lower(),
        "state": alarm.state.value,
        "rule": alarm.rule_code,
        "rule_version": alarm.rule_version,
        "reason": alarm.reason,
        "opens_incident": alarm.opens_incident,
        "sensed_at": alarm.sensed_at.isoformat(),
        "received_at": alarm.received_at.isoformat(),
        "lon": alarm.lon,
        "lat": alarm.lat,
        "unit_grid": alarm.unit_grid,
        "demo": alarm.demo,
        "version": alarm.version,
    }


def timer_row(key: str, timer: Timer) -> TimerRow:
    return TimerRow(
        condition=key,
        rule_code=timer.rule_code,
        device_id=timer.device_id,
        direction="off" if timer.severity is None else "on",
        severity=None if timer.severity is None else int(timer.severity),
        started_at=timer.started_at,
        received_at=timer.received_at,
        due_at=timer.due_at,
        reason=as_json(timer.reason),
    )


def timer_from(row: TimerRow) -> Timer:
    """The reverse of `timer_row`."""
    return Timer(
        rule_code=row.rule_code,
        device_id=row.device_id,
        severity=None if row.severity is None else Severity(row.severity),
        started_at=row.started_at,
        received_at=row.received_at,
        due_at=row.due_at,
        reason=from_json(row.reason),
    )
