"""What the page of rosters and its API read: a week of every squad, who was on duty when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from city.certificate import Certificate
from city.errors import Forbidden
from city.person import Caller
from city.roster import DAY, REST, Duty, of_day, rest_before
from city.squad import Squad
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from dashboard.shell.who_sees_what import may_call
from db import certificates, squads
from db.pool import transaction
from db.walls import find_district
from replay.on_duty import read_duty

WEEK_DAYS = 7


def on_duty(caller: Caller, at: datetime | None, now: datetime) -> dict[str, Any]:
    """Who was on duty at a moment, as it was entered then; without one: now."""
    _check(caller)
    with transaction(parts().pool) as conn:
        district = find_district(conn, caller.district)
        zone = ZoneInfo(district.timezone if district else "UTC")
        found = read_duty(conn, caller.district, at or now, now, zone)
    items = [{"from": row.pop("from_"), **row} for row in as_plain(found.items)]
    return {"at": as_plain(found.at), "seq": found.seq, "items": items, "next": None}


def week(caller: Caller, first: date | None, now: datetime) -> dict[str, Any]:
    """The week that a day lies in, from its Monday on: what is entered now."""
    _check(caller)
    with transaction(parts().pool) as conn:
        district = find_district(conn, caller.district)
        zone = ZoneInfo(district.timezone if district else "UTC")
        there = squads.list_squads(conn, caller.district)
        held = certificates.list_certificates(conn)
    today = now.astimezone(zone).date()
    day = first or today
    monday = day - (day.isoweekday() - 1) * DAY
    by_person: dict[str, list[Certificate]] = {}
    for one in held:
        by_person.setdefault(one.person, []).append(one)
    return {
        "from": monday.isoformat(),
        "today": today.isoformat(),
        "items": [week_of(squad, monday, zone, by_person) for squad in by_brigade(there)],
        "next": None,
    }


def by_brigade(there: Sequence[Squad]) -> list[Squad]:
    """The tree as a list: brigades by name, then squads of none, each by its code. Pure."""
    return sorted(there, key=lambda s: (not s.brigade_zh, s.brigade_zh, s.code))


def _check(caller: Caller) -> None:
    if not may_call(caller):
        raise Forbidden("who is on duty is for the centre and the gas engineers")


def week_of(
    squad: Squad, monday: date, zone: ZoneInfo, held: Mapping[str, Sequence[Certificate]]
) -> dict[str, Any]:
    """One squad: its duties day by day, with what somebody should know of them. Pure."""
    days = [monday + n * DAY for n in range(WEEK_DAYS)]
    return {
        "squad": squad.code, "name_zh": squad.name_zh, "name_en": squad.name_en,
        "kind": squad.kind, "by_roster": squad.roster is not None,
        "brigade_zh": squad.brigade_zh, "brigade_en": squad.brigade_en,
        "skills": sorted(squad.skills), "kit": sorted(squad.kit),
        "days": [
            {"date": day.isoformat(), "duties": _duties(squad, day, zone, held)} for day in days
        ],
    }  # fmt: skip


def _duties(
    squad: Squad, day: date, zone: ZoneInfo, held: Mapping[str, Sequence[Certificate]]
) -> list[dict[str, Any]]:
    if squad.roster is None:
        mine = [shift for shift in squad.shifts if day.isoweekday() in shift.weekdays]
        return [
            _duty(shift.start.isoformat("minutes"), shift.end.isoformat("minutes"))
            for shift in sorted(mine, key=lambda shift: shift.start)
        ]
    return [
        {
            **_duty(duty.start.isoformat("minutes"), duty.end.isoformat("minutes")),
            "person": duty.person, "called": duty.called or duty.person, "phone": duty.phone,
            **_doubts(squad, duty, day, zone, held.get(duty.person, ())),
        }
        for duty in of_day(squad.roster, day)
    ]  # fmt: skip


def _duty(start: str, end: str) -> dict[str, Any]:
    return {
        "from": start, "to": end, "person": "", "called": "", "phone": "", "rest_hours": None,
        "expired": [],
    }  # fmt: skip


def _doubts(
    squad: Squad, duty: Duty, day: date, zone: ZoneInfo, held: Sequence[Certificate]
) -> dict[str, Any]:
    """Hours of rest where they are too few, and skills of the squad whose certificate is over."""
    begins = datetime.combine(day, duty.start, zone)
    rest = rest_before(squad.roster or (), begins)
    short = rest is not None and rest < REST
    return {
        "rest_hours": round(rest / timedelta(hours=1), 1) if rest is not None and short else None,
        "expired": sorted(
            one.skill for one in held if one.skill in squad.skills and one.valid_until < day
        ),
    }
