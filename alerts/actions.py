"""What people do: acknowledge, shelve, reset or release an alarm.

Silencing the sound is no act on an alarm: it is a matter of one console, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.book import AlarmBook, refused
from alerts.levels import ACTIVE, levels_of
from alerts.lifecycle import (
    GAS_CONDITION,
    HELD,
    Input,
    allowed_inputs,
    is_red_gas,
    why_not_released,
)
from alerts.save import save
from city.alarm import Alarm, AlarmState
from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.event import NewEvent
from city.incident import Role
from city.person import Caller
from city.stale_version import is_stale_version
from db import alarms, evaluation
from db.events import append_events
from db.pool import Connection

# Shelving is always for a time (IEC 62682; a day is the example of the standard).
SHELVE_LONGEST = timedelta(hours=24)
DESK = frozenset({Role.ADMIN, Role.DISPATCHER, Role.GAS_ENGINEER, Role.SYSTEM})
# Declaring a gas alarm over although its sensor has not said so is an engineer's decision.
GAS_RESET = frozenset({Role.ADMIN, Role.GAS_ENGINEER, Role.SYSTEM})
# Acknowledged at once: as many as a person can have looked at in a list.
TOGETHER_MAX = 200


@dataclass(frozen=True, slots=True)
class Shelving:
    """What muting an alarm would be. `alone` is False where a second person has agreed."""

    until: datetime
    reason: str
    by: str
    alone: bool = True


def acknowledge(
    conn: Connection, caller: Caller, alarm_id: int, version: int, now: datetime
) -> Alarm:
    """Somebody has seen the alarm and will act."""
    return _act(conn, caller, alarm_id, version, Input.ACKNOWLEDGE, now)


def acknowledge_together(
    conn: Connection, caller: Caller, wanted: Mapping[int, int], now: datetime
) -> list[Alarm]:
    """Acknowledge several alarms, ids to versions: all of them or, if one is red gas, is unknown
    or does not fit, none. A red gas alarm is looked at by itself."""
    _need_role(caller, DESK)
    if not 1 <= len(wanted) <= TOGETHER_MAX:
        raise InvalidInput("alarms", len(wanted), f"must be 1 to {TOGETHER_MAX} alarms")
    alarms.lock_district(conn, caller.district)
    found = [alarms.find_alarm(conn, alarm_id) for alarm_id in sorted(wanted)]
    mine = [alarm for alarm in found if alarm is not None and _sees(caller, alarm.district)]
    if missing := wanted.keys() - {alarm.id for alarm in mine}:
        raise NotFound("alarm", min(missing))
    gas = evaluation.list_gas_categories(conn)
    red = [alarm for alarm in mine if is_red_gas(alarm, None, gas)]
    if red:
        raise _refused_together(red, "red_gas", "red gas alarms are acknowledged one by one")
    moved = [alarm for alarm in mine if is_stale_version(wanted[alarm.id], alarm.version)]
    if moved:
        raise _refused_together(moved, "changed", "these alarms have changed: look at them again")
    unfit = [alarm for alarm in mine if not _may_be_acknowledged(alarm)]
    if unfit:
        raise _refused_together(unfit, "unfit", "these alarms wait for no acknowledgement")
    book = AlarmBook(now, mine)
    done = [book.act(a.condition, Input.ACKNOWLEDGE, caller.name, {"together": len(mine)})
            for a in mine]  # fmt: skip
    append_events(conn, save(conn, book))
    return done


def shelve(
    conn: Connection,
    caller: Caller,
    alarm_id: int,
    version: int,
    until: datetime,
    reason: str,
    now: datetime,
) -> Alarm:
    """Mute an alarm for a time of at most a day; who and why are kept. Red gas is a `Conflict`:
    it takes two people (`app.shelving`)."""
    wanted = Shelving(until, reason, caller.name)
    changed, events = write_shelving(conn, caller, alarm_id, version, wanted, now)
    append_events(conn, events)
    return changed


def check_shelving(until: datetime, reason: str, now: datetime) -> None:
    """Refuse a time that is over or too long, and shelving without a reason."""
    if not now < until <= now + SHELVE_LONGEST:
        longest = SHELVE_LONGEST // timedelta(hours=1)
        raise InvalidInput("until", until, f"must be after now and within {longest} hours")
    if not reason.strip():
        raise InvalidInput("reason", reason, "is needed to shelve an alarm")


def needs_second_person(conn: Connection, caller: Caller, alarm_id: int) -> Alarm | None:
    """The alarm, if it is one that nobody mutes alone; `NotFound` where there is none."""
    alarm = alarms.find_alarm(conn, alarm_id)
    if alarm is None or not _sees(caller, alarm.district):
        raise NotFound("alarm", alarm_id)
    return alarm if _takes_two(conn, alarm) else None


def _takes_two(conn: Connection, alarm: Alarm) -> bool:
    """What would be muted is the level at which the alarm stands: a worse one speaks."""
    return is_red_gas(alarm, levels_of(alarm).present, evaluation.list_gas_categories(conn))


def write_shelving(
    conn: Connection,
    caller: Caller,
    alarm_id: int,
    version: int | None,
    wanted: Shelving,
    now: datetime,
) -> tuple[Alarm, Sequence[NewEvent]]:
    """The same for whoever changes more: the events are theirs to append, last."""
    check_shelving(wanted.until, wanted.reason, now)
    alarm = _load(conn, caller, alarm_id, version)
    if wanted.alone and _takes_two(conn, alarm):
        raise refused(alarm, "a red gas alarm is not shelved by one person alone")
    why = wanted.reason.strip()
    return _change(
        conn, caller, alarm, Input.SHELVE, now, {"until": wanted.until.isoformat(), "why": why},
        shelved_until=wanted.until, shelved_by=wanted.by, shelve_reason=why,
    )  # fmt: skip


def unshelve(conn: Connection, caller: Caller, alarm_id: int, version: int, now: datetime) -> Alarm:
    """End shelving early."""
    return _act(
        conn, caller, alarm_id, version, Input.UNSHELVE, now, {"why": "person"},
        shelved_until=None,
    )  # fmt: skip


def reset(conn: Connection, caller: Caller, alarm_id: int, version: int, now: datetime) -> Alarm:
    """Declare an alarm over, which releases a latched one. One whose condition still stands needs
    the right role for gas; one that latches, the role and the time that its rule says."""
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
    alarm = _load(conn, caller, alarm_id, version)
    changed, events = _change(conn, caller, alarm, wanted, now, facts, **columns)
    append_events(conn, events)
    return changed


def _load(conn: Connection, caller: Caller, alarm_id: int, version: int | None) -> Alarm:
    """The alarm, locked, as this person saw it; `version` None: whatever it is now."""
    _need_role(caller, DESK)
    alarms.lock_district_of(conn, alarm_id)
    alarm = alarms.find_alarm(conn, alarm_id)
    if alarm is None or not _sees(caller, alarm.district):
        raise NotFound("alarm", alarm_id)
    if version is not None and is_stale_version(version, alarm.version):
        raise refused(alarm, f"the alarm has changed: it is at version {alarm.version}")
    if alarm.state is AlarmState.NORMAL:
        raise refused(alarm, "the alarm is over")
    return alarm


def _change(
    conn: Connection,
    caller: Caller,
    alarm: Alarm,
    wanted: Input,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
    **columns: Any,
) -> tuple[Alarm, Sequence[NewEvent]]:
    if wanted is Input.UNSHELVE and alarm.shelved_until is None:
        raise refused(alarm, "the alarm is not shelved")
    if (
        wanted is Input.RESET
        and alarm.state in ACTIVE
        and alarm.condition.startswith(GAS_CONDITION)
    ):
        _need_role(caller, GAS_RESET)
    if wanted is Input.RESET:
        _check_release(caller, alarm, now)
    if wanted is Input.SHELVE:
        columns["shelved_severity"] = levels_of(alarm).present or alarm.severity
    book = AlarmBook(now, [alarm])
    changed = book.act(alarm.condition, wanted, caller.name, facts, **columns)
    return changed, save(conn, book)


def _check_release(caller: Caller, alarm: Alarm, now: datetime) -> None:
    """A latching alarm goes by its own terms, whoever asks."""
    if alarm.latch_s is None:
        return
    if problem := why_not_released(alarm, now):
        raise refused(alarm, problem)
    if alarm.state in HELD and alarm.release_role and caller.role is not Role.SYSTEM:
        _need_role(caller, frozenset({Role(alarm.release_role)}))


def _may_be_acknowledged(alarm: Alarm) -> bool:
    return Input.ACKNOWLEDGE.value in allowed_inputs(alarm.state, shelved=False)


def _refused_together(found: Sequence[Alarm], why: str, problem: str) -> Conflict:
    names = ", ".join(f"{alarm.id} ({alarm.condition})" for alarm in found)
    return Conflict(
        f"{problem}: {names}; nothing was acknowledged",
        current={
            "refused": why,
            "alarms": [
                {"id": a.id, "condition": a.condition, "severity": int(a.severity),
                 "state": a.state.value, "version": a.version}
                for a in found
            ],
        },
    )  # fmt: skip


def _need_role(caller: Caller, allowed: frozenset[Role]) -> None:
    if caller.role not in allowed:
        raise Forbidden(f"role {caller.role.value} may not do this")


def _sees(caller: Caller, district: str) -> bool:
    return caller.role is Role.SYSTEM or caller.district == district
