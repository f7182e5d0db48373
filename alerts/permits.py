"""Covers that are open under a work permit: a note, and an alarm a minute after the permit ends.

A permit is a fact beside the rules: what it covers is judged as ever, and the book of alarms notes
what it would raise (`AlarmBook.permits`). Gas and water are never covered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.book import SYSTEM, AlarmBook
from alerts.limits import ReadingRule, on_readings
from alerts.openings import OPENING_METRICS, is_opening
from alerts.returns import judge_latest
from alerts.rules import Rule
from alerts.save import load_book
from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.event import NewEvent
from city.incident import Role
from city.permit import NewPermit, Noted, Span, check_permit, devices_in
from city.person import Caller
from city.reading import METRICS
from db import evaluation, permits, returns
from db.events import append_events
from db.permits import PermitRow
from db.pool import Connection
from db.scopes import refuse_devices_outside

MAKERS = frozenset({Role.ADMIN, Role.DISPATCHER, Role.GAS_ENGINEER, Role.SYSTEM})
# Devices that an entry of the log names; how many there are it says in any case.
NAMED_MAX = 100


def add_permit(conn: Connection, caller: Caller, new: NewPermit, now: datetime) -> PermitRow:
    """Store a permit with the devices that it is about; an alarm that stands already stands on."""
    _need_maker(caller)
    check_permit(new, now)
    covers = [METRICS[name].id for name in sorted(OPENING_METRICS)]
    devices = devices_in(new.place, permits.list_candidates(conn, caller.district, covers))
    ids = [device.id for device in devices]
    refuse_devices_outside(conn, caller.scope, ids)
    if permits.insert_permit(conn, caller.district, new, ids, caller.name, now) is None:
        raise InvalidInput("code", new.code, "is the number of another permit")
    found = permits.find_permit(conn, caller.district, new.code)
    assert found is not None, "it was stored just now"
    told = {
        "who": new.who, "why": new.why, "place": new.place.as_json(),
        "from": new.from_at.isoformat(), "until": new.until_at.isoformat(),
        "devices": len(devices), "named": [device.code for device in devices[:NAMED_MAX]],
    }  # fmt: skip
    append_events(conn, [_entry(found.district, "permit.made", new.code, caller.name, now, told)])
    return found


def end_permit(
    conn: Connection, caller: Caller, code: str, version: int | None, why: str, now: datetime
) -> PermitRow:
    """End a permit before its time: covers that are open in a minute are alarms."""
    _need_maker(caller)
    if not why.strip():
        raise InvalidInput("why", why, "must say why")
    found = permits.find_permit(conn, caller.district, code, lock=True)
    if found is None:
        raise NotFound("permit", code)
    (ids,) = permits.list_devices_of(conn, [found.id]).values() or ([],)
    refuse_devices_outside(conn, caller.scope, ids)
    current = {"until_at": found.until_at, "version": found.version, "ended_by": found.ended_by}
    if found.until_at <= now or found.ended_by is not None:
        raise Conflict("the permit is over", current=current)
    if version is not None and version != found.version:
        raise Conflict(f"the permit has changed: it is at version {found.version}", current=current)
    permits.end_permit(conn, found.id, caller.name, why, now)
    told = {"why": why, "until": found.until_at.isoformat()}
    append_events(conn, [_entry(found.district, "permit.ended", code, caller.name, now, told)])
    ended = permits.find_permit(conn, caller.district, code)
    assert ended is not None, "permits are never deleted"
    return ended


def load_spans(
    conn: Connection, concerned: Iterable[tuple[ReadingRule, int, datetime]], now: datetime
) -> Mapping[int, Sequence[Span]]:
    """The permits that may cover what is to be judged: of which rule, device and time."""
    opened = [(device, at) for rule, device, at in concerned if is_opening(rule)]
    if not opened:
        return {}
    since = min(at for _, at in opened)
    return permits.list_spans(conn, sorted({device for device, _ in opened}), since, now)


def judge_again(conn: Connection, noted: Iterable[Noted], now: datetime) -> None:
    """A reading may come after its permit was over: what is open is then looked at once more."""
    late = sorted({note.device_id for note in noted if note.span.over_at <= now})
    if late:
        returns.judge_at(conn, late, now)


def judge_over(
    conn: Connection, book: AlarmBook, rules: Mapping[str, Rule], district: str, now: datetime
) -> list[NewEvent]:
    """Permits of a district that have been over for a minute: the covers that are still open, by
    their newest values, unless another permit is about them. The entries for the log."""
    due = permits.claim_due(conn, district, now)
    if not due:
        return []
    of = permits.list_devices_of(conn, due.keys())
    ids = sorted({device_id for mine in of.values() for device_id in mine})
    opening = [rule for rule in on_readings(rules.values()) if is_opening(rule)]
    load_book(conn, book, ids, [rule.code for rule in opening])
    before = {rule.code: {a.device_id for a in book.live_of(rule.code)} for rule in opening}
    devices = {d.id: d for d in evaluation.list_watched_devices(conn, ids) if d.is_watched(now)}
    for latest in returns.list_latest(conn, sorted(devices)):
        judge_latest(book, opening, devices[latest.device_id], latest)
    found = {
        alarm.device_id: alarm.condition
        for rule in opening
        for alarm in book.live_of(rule.code)
        if alarm.device_id not in before[rule.code]
    }
    return [
        _entry(district, "permit.over", code, SYSTEM, now, {
            "devices": len(of.get(permit_id, ())),
            "open": sorted(found[i] for i in of.get(permit_id, ()) if i in found),
        })
        for permit_id, code in due.items()
    ]  # fmt: skip


def _need_maker(caller: Caller) -> None:
    if caller.role not in MAKERS:
        raise Forbidden(f"role {caller.role.value} may not do this")


def _entry(
    district: str, kind: str, code: str, actor: str, now: datetime, payload: Mapping[str, Any]
) -> NewEvent:
    return NewEvent(now, district, kind, f"permit:{code}", actor, {"permit": code, **payload})
