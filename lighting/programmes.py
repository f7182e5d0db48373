"""Programmes put in force, given to lamps, and followed: each due step asks its lamps once.

A lamp follows the programme of its own, else its cabinet's, else its street's, else the
district's. A step that was missed is not made up for: what counts is the level that the programme
has now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.event import NewEvent
from city.lamp_due import ORDER_OF_KINDS, Followed, Key, keys_of
from city.lamp_programme import (
    Programme,
    next_step,
    programme_level,
    programme_toml,
)
from city.lighting import COMMANDERS, FollowingLamp, Target, TargetKind, check_why
from city.person import Caller
from db import lamp_commands, lamp_programmes
from db.events import append_events
from db.lamp_commands import NewOrder, TargetLamp
from db.lamp_programmes import Assignment, DueStep, ProgrammeRow, load_followed
from db.pool import Connection
from db.scopes import refuse_devices_outside, refuse_not_whole
from lighting.commands import put_order

SYSTEM = "system"
# Assignments whose step falls due are followed in so many at once.
STEPS_AT_ONCE = 20


def save_programme(
    conn: Connection,
    caller: Caller,
    programme: Programme,
    version: int | None,
    why: str,
    now: datetime,
) -> tuple[ProgrammeRow, list[NewEvent]]:
    """Put a programme in force as its next version. `version` is the one it is made from, 0 of a
    new one; None: whatever it is."""
    _check(caller)
    refuse_not_whole(caller.scope, "a programme")
    why = check_why(why)
    lamp_programmes.lock_programmes(conn, caller.district)
    before = lamp_programmes.find_programme(conn, caller.district, programme.code)
    newest = 0 if before is None else before.version
    if version is not None and version != (0 if before and before.retired else newest):
        raise Conflict(
            f"programme {programme.code} is at version {newest}",
            current={"version": newest, "source": before.source if before else ""},
        )
    row = ProgrammeRow(
        programme.code, newest + 1, programme_toml(programme), False, caller.name, why, now
    )
    lamp_programmes.insert_programme(conn, caller.district, row)
    _reschedule(conn, caller.district, programme.code, now)
    told = {"version": row.version, "why": why, "steps": len(programme.steps)}
    return row, [_event(caller, "lamp_programme.saved", programme.code, now, told)]


def retire_programme(
    conn: Connection, caller: Caller, code: str, version: int | None, why: str, now: datetime
) -> tuple[ProgrammeRow, list[NewEvent]]:
    """Take a programme that nothing follows out of force."""
    _check(caller)
    refuse_not_whole(caller.scope, "a programme")
    why = check_why(why)
    lamp_programmes.lock_programmes(conn, caller.district)
    before = _find(conn, caller.district, code)
    if version is not None and version != before.version:
        raise Conflict(
            f"programme {code} is at version {before.version}", current={"version": before.version}
        )
    following = [
        row for row in lamp_programmes.list_assignments(conn, caller.district)
        if row.programme == code
    ]  # fmt: skip
    if following:
        first = following[0]
        raise Conflict(
            f"{len(following)} assignments follow programme {code}: first {first.target_kind}"
            f" {first.target or caller.district}",
            current={"assignments": len(following)},
        )
    row = ProgrammeRow(code, before.version + 1, before.source, True, caller.name, why, now)
    lamp_programmes.insert_programme(conn, caller.district, row)
    told = {"version": row.version, "why": why}
    return row, [_event(caller, "lamp_programme.retired", code, now, told)]


def assign(
    conn: Connection,
    caller: Caller,
    kind: str,
    target: str,
    programme: str,
    why: str,
    now: datetime,
) -> list[NewEvent]:
    """Let lamps follow a programme from its next step on; an empty one: none any more."""
    _check(caller)
    why = check_why(why)
    district = caller.district
    if kind not in [each.value for each in ORDER_OF_KINDS]:
        raise InvalidInput("target", kind, "must be lamp, cabinet, street or district")
    if (kind == TargetKind.DISTRICT) == bool(target):
        raise InvalidInput("code", target, "must name the target; the district has no code")
    lamp_programmes.lock_programmes(conn, district)
    if kind == TargetKind.DISTRICT:
        refuse_not_whole(caller.scope, "what all lamps follow")
    lamps = lamp_commands.list_target(conn, district, Target(TargetKind(kind), target))
    refuse_devices_outside(conn, caller.scope, [lamp.id for lamp in lamps])
    if not lamps:
        # No lamp says where it is.
        refuse_not_whole(caller.scope, f"{kind} {target}")
    if programme:
        _find(conn, district, programme)
        if not lamps:
            raise NotFound(f"lamp in service in {kind}", target or district)
    return follow(conn, caller, kind, target, programme, why, now)


def follow(
    conn: Connection,
    caller: Caller,
    kind: str,
    target: str,
    programme: str,
    why: str,
    now: datetime,
) -> list[NewEvent]:
    """The same without asking whether there are such lamps yet."""
    district = caller.district
    lamp_programmes.lock_programmes(conn, district)
    told = {"target": kind, "code": target, "why": why}
    if not programme:
        left = lamp_programmes.delete_assignment(conn, district, kind, target)
        if left is None:
            raise NotFound("assignment", f"{kind} {target}")
        return [_event(caller, "lamp_programme.unassigned", left, now, told)]
    _find(conn, district, programme)
    lamp_programmes.put_assignment(
        conn, district, Assignment(kind, target, programme), caller.name, now
    )
    _schedule(conn, load_followed(conn, district), DueStep(district, kind, target, now), now)
    return [_event(caller, "lamp_programme.assigned", programme, now, told)]


def tick(conn: Connection, now: datetime) -> int:
    """Ask lamps for the steps that are due; how many. Two at once share them, each step is asked
    for once."""
    events: list[NewEvent] = []
    due = lamp_programmes.claim_due_steps(conn, now, STEPS_AT_ONCE)
    for district in sorted({step.district for step in due}):
        followed = load_followed(conn, district)
        lamps = lamp_programmes.list_following_lamps(conn, district)
        for step in due:
            if step.district == district:
                events += _follow(conn, followed, lamps, step, now)
                _schedule(conn, followed, step, now, lamps)
    append_events(conn, events)
    return len(due)


def tick_new(conn: Connection, now: datetime) -> int:
    """Note the next step of what has none yet: its lamps came after it. How many there were."""
    found = lamp_programmes.list_unscheduled(conn, now)
    for district in sorted({step.district for step in found}):
        followed = load_followed(conn, district)
        lamps = lamp_programmes.list_following_lamps(conn, district)
        for step in found:
            if step.district == district:
                _schedule(conn, followed, step, now, lamps)
    return len(found)


def _follow(
    conn: Connection,
    followed: Followed,
    lamps: Sequence[FollowingLamp],
    step: DueStep,
    now: datetime,
) -> list[NewEvent]:
    key = (step.target_kind, step.target)
    mine = _lamps_of(followed, lamps, key)
    code = followed.assigned.get(key, "")
    programme = followed.programmes.get(code)
    if programme is None or not mine:
        return []
    level = programme_level(programme, lamp_commands.middle_of(mine), now, followed.calendar)
    if level is None:
        return []
    target = Target(TargetKind(step.target_kind), step.target)
    new = NewOrder(
        step.district, target, level, None, SYSTEM, f"programme {code}", len(mine), now, code,
        step.step_at,
    )  # fmt: skip
    found = put_order(conn, new, mine, now)
    return [] if found is None else found[1]


def _lamps_of(followed: Followed, lamps: Sequence[FollowingLamp], key: Key) -> list[TargetLamp]:
    return [
        TargetLamp(lamp.id, lamp.code, lamp.lon, lamp.lat)
        for lamp in lamps
        if followed.key_of(lamp) == key
    ]


def _schedule(
    conn: Connection,
    followed: Followed,
    step: DueStep,
    now: datetime,
    lamps: Sequence[FollowingLamp] | None = None,
) -> None:
    """Note when the next step of an assignment is due."""
    key = (step.target_kind, step.target)
    programme = followed.programmes.get(followed.assigned.get(key, ""))
    known = lamps or lamp_programmes.list_following_lamps(conn, step.district)
    # Lamps that follow a narrower assignment are where these are, too.
    mine = [
        TargetLamp(lamp.id, lamp.code, lamp.lon, lamp.lat) for lamp in known if key in keys_of(lamp)
    ]
    coming = (
        next_step(programme, lamp_commands.middle_of(mine), now, followed.calendar)
        if programme is not None and mine
        else None
    )
    lamp_programmes.put_step(conn, step, None if coming is None else coming.at)


def _reschedule(conn: Connection, district: str, code: str, now: datetime) -> None:
    """A programme has other steps: so have all that follow it."""
    followed = load_followed(conn, district)
    lamps = lamp_programmes.list_following_lamps(conn, district)
    for (kind, target), programme in followed.assigned.items():
        if programme == code:
            _schedule(conn, followed, DueStep(district, kind, target, now), now, lamps)


def _find(conn: Connection, district: str, code: str) -> ProgrammeRow:
    found = lamp_programmes.find_programme(conn, district, code)
    if found is None or found.retired:
        raise NotFound("programme", code)
    return found


def _check(caller: Caller) -> None:
    if caller.role not in COMMANDERS:
        takes = ", ".join(sorted(role.value for role in COMMANDERS))
        raise Forbidden(f"{caller.role.value} may not do this; it takes one of: {takes}")


def _event(
    caller: Caller, kind: str, code: str, now: datetime, payload: dict[str, Any]
) -> NewEvent:
    return NewEvent(now, caller.district, kind, f"lamp_programme:{code}", caller.name, payload)
