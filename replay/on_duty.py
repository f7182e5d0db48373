"""Who was on duty at a moment, as the log had it then: what was entered later changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from city.roster import Duty, running_at
from city.squad import Squad
from db.events import last_seq, seq_at
from db.pool import Connection
from replay import shown
from replay.picture import Picture
from replay.read_picture import read_picture


@dataclass(frozen=True, slots=True)
class OnDuty:
    """A squad at a moment. By its roster somebody is named, from when to when; by weekly shifts
    nobody is."""

    squad: str
    name_zh: str
    name_en: str
    kind: str
    on_duty: bool
    person: str
    called: str
    phone: str
    from_: datetime | None
    to: datetime | None


@dataclass(frozen=True, slots=True)
class DutyThen:
    """`seq` is the last event that was known at the moment; 0: the log is younger than that."""

    at: datetime
    seq: int
    items: list[OnDuty]


def read_duty(
    conn: Connection, district: str, at: datetime, now: datetime, zone: ZoneInfo
) -> DutyThen:
    """The squads of a district at `at`; of a moment to come what is entered now."""
    seq = seq_at(conn, at) if at < now else last_seq(conn)
    if not seq:
        return DutyThen(at, 0, [])
    picture = read_picture(conn, district, seq)
    local = at.astimezone(zone)
    names = _display_names(picture)
    found = [_of_squad(squad, local, names) for squad in shown.squads(picture, {}, at)]
    return DutyThen(at, seq, found)


def _display_names(picture: Picture) -> Mapping[str, str]:
    return {row["name"]: row["display_name"] for row in picture.table("app_user").values()}


def _of_squad(squad: Squad, local: datetime, names: Mapping[str, str]) -> OnDuty:
    running = running_at(squad.roster or (), local)
    begin, end, duty = running or (None, None, Duty("", local.time(), local.time(), ""))
    return OnDuty(
        squad.code, squad.name_zh, squad.name_en, squad.kind, squad.is_on_duty(local),
        duty.person, names.get(duty.person) or duty.person, duty.phone,
        _at(begin, local), _at(end, local),
    )  # fmt: skip


def _at(wall: datetime | None, local: datetime) -> datetime | None:
    return None if wall is None else wall.replace(tzinfo=local.tzinfo)
