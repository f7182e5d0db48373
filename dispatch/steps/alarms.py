"""Alarm changes become incidents: join the open one of the same matter, or open one."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from city.alarm import AlarmChangeKind
from city.category import Category
from city.errors import Unavailable
from city.event import NewEvent
from city.incident import Incident, IncidentState, Source
from city.person import Caller, system_caller
from city.place import LonLat
from db import alarm_changes, categories, incidents, openings
from db.alarm_changes import WaitingChange
from db.events import append_events
from db.pool import Connection, is_away
from dispatch.grouping import (
    NEAR,
    SIMILAR_TIME,
    UNVERIFIED,
    Candidate,
    Similar,
    find_similar,
)
from dispatch.recall import ALARM_AGAIN, ALARM_NEAR
from dispatch.steps.acting import recall
from dispatch.steps.evidence import add_pictures
from dispatch.steps.opening import NewMatter, open_incident
from dispatch.steps.telling import event

log = logging.getLogger(__name__)

# Changes that ask nobody to do anything; every kind is one or the other.
NOTED = frozenset(
    {
        AlarmChangeKind.CLEARED,
        AlarmChangeKind.ACKNOWLEDGED,
        AlarmChangeKind.SHELVED,
        AlarmChangeKind.RESET,
        AlarmChangeKind.LATCHED,
    }
)
# Why an alarm joins the incident that holds its condition already.
SAME_CONDITION = "same_condition"

# A change that failed waits 1, 2, 4 … s, up to ten minutes.
LONGEST_WAIT_S = 600

# Changes after which somebody must be on the matter.
OPENING = frozenset(
    {
        AlarmChangeKind.RAISED,
        AlarmChangeKind.ESCALATED,
        AlarmChangeKind.RETRIPPED,
        AlarmChangeKind.UNSHELVED,
    }
)


def take_alarm_change(conn: Connection, now: datetime) -> bool:
    """Act on the oldest waiting alarm change; False when none waits. The caller commits."""
    change = alarm_changes.claim_change(conn, now)
    if change is None:
        return False
    try:
        with conn.transaction():  # a savepoint: the claim survives a failure
            events = _events_for(conn, change, now)
            alarm_changes.mark_taken(conn, change.id, now)
            append_events(conn, events)
    except Exception as error:
        if is_away(error):
            raise
        wait_s = min(LONGEST_WAIT_S, 2**change.attempts)
        log.exception("alarm change %s failed, next attempt in %s s", change.id, wait_s)
        alarm_changes.mark_failed(conn, change.id, now + timedelta(seconds=wait_s))
    return True


def _events_for(conn: Connection, change: WaitingChange, now: datetime) -> list[NewEvent]:
    kind = AlarmChangeKind(change.kind)
    if kind in NOTED or not _opens(change, kind, now):
        return _note(conn, change, now)
    category = categories.find_in_force(conn, change.category, change.district)
    openings.lock_opening(conn, change.district, category.family)
    joined = _join_own(conn, change, category, now)
    if joined is not None:
        return joined
    similar = _similar(conn, change, category)
    if similar is not None and similar.joins:
        joined = _join(conn, change, category, similar.incident_id, similar.because, now)
        if joined is not None:
            return joined
    matter = matter_of(change, category, similar)
    opened = open_incident(conn, system_caller(change.district), matter, now)
    if opened is None:
        # Another transaction opened it without the opening lock: the index held.
        joined = _join_own(conn, change, category, now)
        if joined is None:
            raise Unavailable(f"the incident of {change.condition} was just closed: once more")
        return joined
    alarm_changes.link_alarm(conn, change.alarm_id, opened.incident.id)
    return [*opened.events, *add_pictures(conn, opened.incident, now)]


def _opens(change: WaitingChange, kind: AlarmChangeKind, now: datetime) -> bool:
    """A muted alarm opens nothing; when it is unmuted and still stands, it does."""
    if not change.opens_incident:
        return False
    if kind is AlarmChangeKind.UNSHELVED:
        return change.condition_stands
    return change.shelved_until is None or change.shelved_until <= now


def _note(conn: Connection, change: WaitingChange, now: datetime) -> list[NewEvent]:
    """A change that asks nobody to do anything is noted on the open incident, if there is one."""
    incident_id = alarm_changes.find_incident_of(conn, change.alarm_id)
    if incident_id is None:
        return []
    incident = incidents.find_for_update(conn, incident_id)
    if not incident.is_open:
        return []
    return [change_told(incident, change, "incident.alarm_changed", now)]


def _join_own(
    conn: Connection, change: WaitingChange, category: Category, now: datetime
) -> list[NewEvent] | None:
    """Join the open incident that holds this condition already; None when there is none."""
    own = openings.find_open_holding(conn, change.condition)
    return None if own is None else _join(conn, change, category, own, SAME_CONDITION, now)


def _join(
    conn: Connection,
    change: WaitingChange,
    category: Category,
    incident_id: int,
    because: str,
    now: datetime,
) -> list[NewEvent] | None:
    """Take the alarm into an open incident and put somebody on it; None if that was closed, or
    went back to being unverified, before we held its lock."""
    incident = incidents.find_for_update(conn, incident_id)
    if not incident.is_open or (because != SAME_CONDITION and incident.state in UNVERIFIED):
        return None
    known = alarm_changes.find_incident_of(conn, change.alarm_id) == incident.id
    alarm_changes.link_alarm(conn, change.alarm_id, incident.id)
    updated = replace(incident, severity=min(incident.severity, change.severity))
    if category.needs_release and incident.released_at is not None:
        updated = replace(updated, released_at=None, released_by=None)
    if updated != incident:
        incidents.update_incident(conn, updated)
    reason = ALARM_NEAR if because == NEAR else ALARM_AGAIN
    device = change.device_code or change.condition
    return [
        *_joined_events(incident, updated, change, because, known, now),
        *recall(conn, incident.id, reason, device, now),
    ]


def _similar(conn: Connection, change: WaitingChange, category: Category) -> Similar | None:
    """The open incident that this may be the same matter as."""
    at = LonLat(change.lon, change.lat)
    # A camera sees many matters: that it is the same camera says nothing.
    device_id = None if change.camera_event else change.device_id
    candidate = Candidate(
        change.category, category.family, device_id, at, change.at, category.needs_release
    )
    neighbours = openings.list_neighbours(
        conn, change.district, category.family, change.at - SIMILAR_TIME, at, device_id
    )
    return find_similar(candidate, neighbours)


def _joined_events(
    before: Incident,
    after: Incident,
    change: WaitingChange,
    because: str,
    known: bool,
    now: datetime,
) -> list[NewEvent]:
    events = []
    if not known:
        events.append(change_told(after, change, "incident.alarm_joined", now, because=because))
    elif change.kind != AlarmChangeKind.RAISED:
        events.append(change_told(after, change, "incident.alarm_changed", now))
    if after.severity != before.severity:
        events.append(
            change_told(
                after, change, "incident.escalated", now,
                severity_before=before.severity, version=before.version + 1,
            )
        )  # fmt: skip
    if before.released_at is not None and after.released_at is None:
        events.append(change_told(after, change, "incident.release_voided", now))
    return events


def change_told(
    incident: Incident, change: WaitingChange, kind: str, now: datetime, **more: object
) -> NewEvent:
    caller: Caller = system_caller(change.district)
    return event(
        incident,
        kind,
        caller,
        now,
        alarm=change.alarm_id,
        change=change.kind,
        changed_at=change.at.isoformat(),
        condition=change.condition,
        device=change.device_code,
        severity=change.severity,
        **more,
    )


def matter_of(change: WaitingChange, category: Category, similar: Similar | None) -> NewMatter:
    """A sensor's alarm, or a video event that a person confirmed: verified, so filed at once."""
    return NewMatter(
        category=category,
        source=Source.VIDEO if change.camera_event else Source.SENSOR,
        state=IncidentState.FILED,
        severity=change.severity,
        at=LonLat(change.lon, change.lat),
        condition=change.condition,
        device_id=change.device_id,
        device_name=change.device_name or "",
        demo=change.demo,
        similar=similar,
        told={
            "alarm": change.alarm_id,
            "change": change.kind,
            "condition": change.condition,
            "device": change.device_code,
            "raised_at": change.at.isoformat(),
            "sensed_at": change.sensed_at.isoformat(),
            "alarm_reason": change.reason,
        },
    )
