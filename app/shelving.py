"""Alarms that are shelved: by whoever may; a red gas alarm by one person who asks and another who
lets it happen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alerts import actions
from alerts.actions import Shelving
from alerts.book import refused
from city.alarm import Alarm, AlarmState
from city.approval import Approval, NewApproval
from city.errors import Conflict, NotFound
from city.event import NewEvent
from city.incident import Role
from city.person import Caller
from city.stale_version import is_stale_version
from db import alarms, users
from db.events import append_events, list_events
from db.pool import Connection
from db.scopes import is_alarm_inside
from people import approvals as steps
from people.approvals import ApprovalKind

RED_GAS = "red_gas_shelving"
ASKERS = (Role.GAS_ENGINEER, Role.ADMIN, Role.DISPATCHER)
# Whoever lets a red gas alarm be muted knows gas, or answers for the installation.
DECIDERS = (Role.GAS_ENGINEER, Role.ADMIN)


def shelve(
    conn: Connection,
    caller: Caller,
    alarm_id: int,
    version: int,
    until: datetime,
    reason: str,
    now: datetime,
) -> Alarm | Approval:
    """Mute an alarm; of red gas this is only asked for, and the request is the answer."""
    alarms.lock_district_of(conn, alarm_id)
    alarm = actions.needs_second_person(conn, caller, alarm_id)
    if alarm is None:
        return actions.shelve(conn, caller, alarm_id, version, until, reason, now)
    actions.check_shelving(until, reason, now)
    if is_stale_version(version, alarm.version):
        raise refused(alarm, f"the alarm has changed: it is at version {alarm.version}")
    if alarm.state is AlarmState.NORMAL:
        raise refused(alarm, "the alarm is over")
    others = [
        user.name
        for user in users.list_users(conn, caller.district)
        if user.role in DECIDERS
        and user.name != caller.name
        and is_alarm_inside(conn, users.caller_of(conn, user).scope, alarm.id)
    ]
    if not others:
        takes = " or ".join(role.value for role in DECIDERS)
        raise Conflict(
            f"a red gas alarm is not shelved by one person, and nobody else could agree: it takes "
            f"another {takes}", current={"refused": "nobody_else"},
        )  # fmt: skip
    change = {"alarm": alarm.id, "until": until.isoformat(), "reason": reason.strip()}
    new = NewApproval(
        kind=RED_GAS,
        what=f"alarm {alarm.condition} shelved",
        change=change,
        before=_facts(alarm),
        shown=_shown(alarm, until, reason.strip()),
    )
    asked = steps.ask(conn, KINDS, caller, new, reason, now)
    append_events(conn, asked.events)
    return asked.approval


def _facts(alarm: Alarm) -> dict[str, Any]:
    """What is agreed to be muted: an alarm that rose, came back or is over is another one."""
    announced = alarm.announced_at or alarm.raised_at
    return {
        "alarm": alarm.id,
        "severity": int(alarm.severity),
        "announced_at": announced.isoformat(),
        "over": alarm.state is AlarmState.NORMAL,
        "shelved": alarm.shelved_until is not None,
    }


def _shown(alarm: Alarm, until: datetime, reason: str) -> dict[str, Any]:
    return {
        "rules": [],
        "switch_off": False,
        "ends": [],
        "alarms": None,
        "shelve": {
            "alarm": alarm.id,
            "condition": alarm.condition,
            "severity": int(alarm.severity),
            "state": alarm.state.value,
            "since": alarm.sensed_at.isoformat(),
            "until": until.isoformat(),
            "reason": reason,
            "why": alarm.reason,
        },
    }


# The kind, as `people.approvals` wants it


def _before(
    conn: Connection, district: str, change: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    alarm = alarms.find_alarm(conn, change["alarm"])
    if alarm is None or alarm.district != district:
        raise NotFound("alarm", change["alarm"])
    return _facts(alarm)


def _moved(conn: Connection, approval: Approval) -> list[dict[str, Any]]:
    """Who or what changed the alarm since."""
    subject = f"alarm:{approval.change['alarm']}"
    return [
        {
            "actor": event.actor,
            "at": event.at.isoformat(timespec="seconds"),
            "what": f"{event.kind} {event.subject.partition(':')[2]}",
            "seq": event.seq,
        }
        for event in list_events(conn, subject=subject, since=approval.asked_at)
    ]


def _put(conn: Connection, approval: Approval, caller: Caller, now: datetime) -> list[NewEvent]:
    wanted = Shelving(
        until=datetime.fromisoformat(approval.change["until"]),
        reason=approval.change["reason"],
        by=f"{approval.asked_by}, {caller.name}",
        alone=False,
    )
    if wanted.until <= now:
        raise Conflict(
            "the time that was asked for is over; ask for it anew", current={"refused": "late"}
        )
    _, events = actions.write_shelving(conn, caller, approval.change["alarm"], None, wanted, now)
    return list(events)


KIND = ApprovalKind(DECIDERS, alarms.lock_alarms, _before, _moved, _put, askers=ASKERS)
KINDS: Mapping[str, ApprovalKind] = {RED_GAS: KIND}
