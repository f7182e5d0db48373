"""What people do: acknowledge, shelve, reset an alarm."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from alerts.book import AlarmBook, refused
from alerts.levels import ACTIVE, levels_of
from alerts.lifecycle import Input
from alerts.save import save
from city.alarm import Alarm, AlarmState
from city.errors import Forbidden, InvalidInput, NotFound
from city.incident import Role
from city.person import Caller
from city.stale_version import is_stale_version
from db import alarms
from db.events import append_events
from db.pool import Connection

# Shelving is always for a time (IEC 62682; a day is the example of the standard).
SHELVE_LONGEST = timedelta(hours=24)
DESK = frozenset({Role.ADMIN, Role.DISPATCHER, Role.GAS_ENGINEER, Role.SYSTEM})
# Declaring a gas alarm over although its sensor has not said so is an engineer's decision.
GAS_RESET = frozenset({Role.ADMIN, Role.GAS_ENGINEER, Role.SYSTEM})
GAS_CONDITION = "gas/"


def acknowledge(
    conn: Connection, caller: Caller, alarm_id: int, version: int, now: datetime
) -> Alarm:
    """Somebody has seen the alarm and will act."""
    return _act(conn, caller, alarm_id, version, Input.ACKNOWLEDGE, now)


def shelve(
    conn: Connection,
    caller: Caller,
    alarm_id: int,
    version: int,
    until: datetime,
    reason: str,
    now: datetime,
) -> Alarm:
    """Mute an alarm for a time of at most a day; who and why are kept."""
    if not now < until <= now + SHELVE_LONGEST:
        longest = SHELVE_LONGEST // timedelta(hours=1)
        raise InvalidInput("until", until, f"must be after now and within {longest} hours")
    if not reason.strip():
        raise InvalidInput("reason", reason, "is needed to shelve an alarm")
    facts = {"until": until.isoformat(), "why": reason.strip()}
    return _act(
        conn, caller, alarm_id, version, Input.SHELVE, now, facts,
        shelved_until=until, shelved_by=caller.name, shelve_reason=reason.strip(),
    )  # fmt: skip


def unshelve(conn: Connection, caller: Caller, alarm_id: int, version: int, now: datetime) -> Alarm:
    """End shelving early."""
    return _act(
        conn, caller, alarm_id, version, Input.UNSHELVE, now, {"why": "person"},
        shelved_until=None,
    )  # fmt: skip


def reset(conn: Connection, caller: Caller, alarm_id: int, version: int, now: datetime) -> Alarm:
    """Declare an alarm over; one whose condition still stands needs the right role for gas."""
    return _act(conn, caller, alarm_id, version, Input.RESET, now)


def _act(
    conn: Connection,
    caller: Caller,
    alarm_id: int,
    version: int,
    wanted: Input,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
    **columns: Any,
) -> Alarm:
    """Load, check, change and save one alarm for a person."""
    _need_role(caller, DESK)
    alarms.lock_district_of(conn, alarm_id)
    alarm = alarms.find_alarm(conn, alarm_id)
    if alarm is None or not _sees(caller, alarm.district):
        raise NotFound("alarm", alarm_id)
    if is_stale_version(version, alarm.version):
        raise refused(alarm, f"the alarm has changed: it is at version {alarm.version}")
    if alarm.state is AlarmState.NORMAL:
        raise refused(alarm, "the alarm is over")
    if wanted is Input.UNSHELVE and alarm.shelved_until is None:
        raise refused(alarm, "the alarm is not shelved")
    if (
        wanted is Input.RESET
        and alarm.state in ACTIVE
        and alarm.condition.startswith(GAS_CONDITION)
    ):
        _need_role(caller, GAS_RESET)
    if wanted is Input.SHELVE:
        columns["shelved_severity"] = levels_of(alarm).present or alarm.severity
    book = AlarmBook(now, [alarm])
    changed = book.act(alarm.condition, wanted, caller.name, facts, **columns)
    append_events(conn, save(conn, book))
    return changed


def _need_role(caller: Caller, allowed: frozenset[Role]) -> None:
    if caller.role not in allowed:
        raise Forbidden(f"role {caller.role.value} may not do this")


def _sees(caller: Caller, district: str) -> bool:
    return caller.role is Role.SYSTEM or caller.district == district
