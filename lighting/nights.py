"""The lit rate of a night, street by street: computed once it is over, and again when asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from city.errors import Forbidden, InvalidInput
from city.event import NewEvent
from city.lamp_due import DueLamps
from city.lamp_programme import night_around
from city.lighting import COMMANDERS, FollowingLamp, NightOfStreet
from city.person import Caller
from city.place import LonLat
from city.scope import Scope
from db import calendars, lamp_programmes, lamp_states
from db.events import append_events
from db.lamp_programmes import load_followed
from db.lamp_states import LampNow
from db.pool import Connection
from db.scopes import refuse_not_whole
from lighting.lit_rate import (
    CHECK_EVERY,
    Counts,
    Said,
    checks_of,
    count_checks,
    slots_kept,
)

SYSTEM = "system"
# Readings that were kept back by a gateway have come by then.
AFTER_SUNRISE = timedelta(hours=2)
# Nights that are made up for after a standstill, and at the first start.
NIGHTS_BACK = 30
NIGHTS_AT_ONCE = 2
HOURS = CHECK_EVERY.total_seconds() / 3600


def tick(conn: Connection, now: datetime) -> int:
    """Compute the nights that are over and have no rows yet; how many."""
    done = 0
    for district in lamp_programmes.list_districts(conn):
        for night in _missing(conn, district, now)[:NIGHTS_AT_ONCE]:
            compute(conn, district, night, SYSTEM, "", now)
            done += 1
    return done


def recompute(
    conn: Connection, caller: Caller, night: date, why: str, now: datetime
) -> list[NightOfStreet]:
    """Compute one night anew from the readings that there are now."""
    if caller.role not in COMMANDERS:
        raise Forbidden(f"{caller.role.value} may not do this")
    refuse_not_whole(caller.scope, "computing a night")
    if night > last_night(conn, caller.district, now):
        raise InvalidInput("night", night.isoformat(), "is not over yet")
    return compute(conn, caller.district, night, caller.name, why, now)


def last_night(conn: Connection, district: str, now: datetime) -> date:
    """The date on which the newest night began that is over and whose readings are in."""
    lamps = lamp_programmes.list_following_lamps(conn, district)
    calendar = calendars.calendar_of(conn, district)
    today = now.astimezone(ZoneInfo(calendar.timezone)).date()
    night = today - timedelta(days=1)
    around = night_around(_middle(lamps), night, calendar.timezone) if lamps else None
    over = around is None or now >= around[1] + AFTER_SUNRISE
    return night if over else night - timedelta(days=1)


def _missing(conn: Connection, district: str, now: datetime) -> list[date]:
    """Nights without rows, newest first."""
    began = lamp_states.first_heard(conn, district)
    if began is None:
        return []
    last = last_night(conn, district, now)
    known = lamp_states.list_computed(conn, district, last - timedelta(days=NIGHTS_BACK))
    nights = (last - timedelta(days=back) for back in range(NIGHTS_BACK))
    return [night for night in nights if night not in known and night >= began.date()]


def compute(
    conn: Connection, district: str, night: date, actor: str, why: str, now: datetime
) -> list[NightOfStreet]:
    lamps = lamp_states.list_lamps_now(conn, Scope(district))
    found = judge_night(conn, district, night, lamps)
    lamp_states.save_night(conn, district, found, now)
    total = sum((Counts(n.lit, n.dark, n.unknown) for n in found), Counts())
    told = {
        "lamps": len(lamps), "due": total.due, "lit": total.lit, "dark": total.dark,
        "unknown": total.unknown, "why": why,
    }  # fmt: skip
    subject = f"lit_night:{night.isoformat()}"
    append_events(conn, [NewEvent(now, district, "lit_night.computed", subject, actor, told)])
    return found


def judge_night(
    conn: Connection, district: str, night: date, lamps: Sequence[LampNow]
) -> list[NightOfStreet]:
    """Every street's counts; a night without dark (in the far north) has no checks."""
    calendar = calendars.calendar_of(conn, district)
    followed = load_followed(conn, district)
    following = {
        lamp.id: FollowingLamp(lamp.id, lamp.code, lamp.cabinet, lamp.street, lamp.lon, lamp.lat)
        for lamp in lamps
    }
    around = night_around(_middle(list(following.values())), night, calendar.timezone)
    checks = checks_of(*around) if lamps and around else []
    kept = max((slots_kept(lamp.report_interval_s) for lamp in lamps), default=1)
    said: dict[int, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    if checks:
        begin = checks[0] - kept * CHECK_EVERY
        ids = [lamp.id for lamp in lamps]
        for row in lamp_states.list_said(conn, ids, begin, checks[-1], CHECK_EVERY):
            said[row.device_id][row.slot][row.metric] = row.value
    off = lamp_states.list_switched_off(conn, district, *_reach(checks)) if checks else {}
    due = DueLamps(followed, off)
    streets: dict[str, list[tuple[LampNow, Counts]]] = defaultdict(list)
    for lamp in lamps:
        mine = {slot: Said(**values) for slot, values in said[lamp.id].items()}
        counts = count_checks(
            mine, due.at_checks(following[lamp.id], checks), kept - 1,
            slots_kept(lamp.report_interval_s), lamp.rated_power_w,
        )  # fmt: skip
        streets[lamp.street].append((lamp, counts))
    return [_street(night, code, found) for code, found in sorted(streets.items())]


def _reach(checks: Sequence[datetime]) -> tuple[datetime, datetime]:
    """What was switched off since the noon before may be off still."""
    return checks[0] - timedelta(hours=12), checks[-1]


def _street(night: date, code: str, found: Sequence[tuple[LampNow, Counts]]) -> NightOfStreet:
    total = sum((counts for _, counts in found), Counts())
    return NightOfStreet(
        night, code, found[0][0].street_name, len(found), total.due, total.lit, total.dark,
        total.unknown, total.due * HOURS, total.dark * HOURS, total.unknown * HOURS,
    )  # fmt: skip


def _middle(lamps: Sequence[FollowingLamp]) -> LonLat:
    if not lamps:
        return LonLat(0.0, 0.0)
    return LonLat(
        sum(lamp.lon for lamp in lamps) / len(lamps), sum(lamp.lat for lamp in lamps) / len(lamps)
    )
