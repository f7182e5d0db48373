"""Pure: what the screens show of a picture: open incidents, live alarms, squads, the headline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any

from city.incident import NamedIncident
from city.place import LonLat
from city.roster import Duty, days_around
from city.squad import Shift, Squad, SquadPlace
from replay.picture import Case, Device, Picture, Row, key_of, moment

CARRIED_BY_SQUAD = frozenset({"dispatched", "acknowledged", "on_site"})
OTHER_FAMILY = "other"
LAST_DAY = "9999-12-31"
# Tables whose rows are seen through others: a change of one may change any incident.
NAMES = frozenset({"incident_category", "division", "squad", "device"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownIncident(NamedIncident):
    """An open one."""

    @property
    def order(self) -> tuple[int, datetime, int]:
        """The worst first, of those the oldest."""
        return self.severity, self.opened_at, self.id


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """A live alarm and the incident it belongs to."""

    id: int
    severity: int
    state: str
    category: str
    device: str | None
    device_id: int | None
    lon: float
    lat: float
    unit_grid: str | None
    sensed_at: datetime
    raised_at: datetime
    announced_at: datetime  # it came, became worse or came back
    reason: dict[str, Any]
    incident_id: int | None
    shelved_until: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class Headline:
    """The figures on top of the wall."""

    open: int
    overdue: int
    due_soon: int
    opened_today: int
    closed_today: int


@dataclass(frozen=True, slots=True)
class ShownCall:
    """A call for help that nobody of the centre has acknowledged."""

    id: int
    kind: str
    person: str
    squad: str
    incident_id: int | None
    acted_at: datetime
    raised_at: datetime
    heard_at: datetime | None
    lon: float | None
    lat: float | None


def calls(picture: Picture) -> list[ShownCall]:
    """All open ones, the oldest first."""
    rows = sorted(picture.table("distress_call").values(), key=lambda row: int(row["id"]))
    return [
        ShownCall(
            id=row["id"],
            kind=row["kind"],
            person=row["person"],
            squad=row["squad"],
            incident_id=row["incident_id"],
            acted_at=moment(row["acted_at"]),
            raised_at=moment(row["raised_at"]),
            heard_at=moment(row["heard_at"]) if row["heard_at"] else None,
            lon=row["lon"],
            lat=row["lat"],
        )
        for row in rows
    ]


def incident(picture: Picture, incident_id: int) -> ShownIncident | None:
    """An open incident; None for one that is over or nobody's."""
    case = picture.cases.get(incident_id)
    return None if case is None else _incident(picture, case)


def incidents(picture: Picture) -> list[ShownIncident]:
    """All open ones, worst and oldest first."""
    found = [_incident(picture, case) for case in picture.cases.values()]
    return sorted(found, key=lambda row: row.order)


def _incident(picture: Picture, case: Case) -> ShownIncident:
    row = case.row
    category = _category(picture, row)
    squad = picture.table("squad").get(row["squad"] or "", {})
    clock = first_clock(case)
    return ShownIncident(
        id=row["id"],
        number=row["number"],
        state=row["state"],
        severity=row["severity"],
        family=category["family"] if category else OTHER_FAMILY,
        category=row["category"],
        category_zh=category["name_zh"] if category else row["category"],
        category_en=category["name_en"] if category else row["category"],
        title_zh=row["title_zh"],
        title_en=row["title_en"],
        lon=row["lon"],
        lat=row["lat"],
        unit_grid=row["unit_grid"],
        street_name=_division(picture, row["street"]),
        community_name=_division(picture, row["community"]),
        source=row["source"],
        squad=row["squad"],
        squad_zh=squad.get("name_zh"),
        squad_en=squad.get("name_en"),
        opened_at=moment(row["opened_at"]),
        clock=clock.get("clock"),
        due_at=_moment(clock.get("due_at")),
        warn_at=_moment(clock.get("warn_at")),
        paused_at=_moment(clock.get("paused_at")),
        version=row["version"],
        demo=row["demo"],
        device=_device_code(picture, row["device_id"]),
    )


def _category(picture: Picture, row: Row) -> Row:
    known = picture.table("incident_category")
    return known.get(key_of((row["category"], row["category_version"])), {})


def _division(picture: Picture, code: str | None) -> str | None:
    name: str | None = picture.table("division").get(code or "", {}).get("name")
    return name


def _device_code(picture: Picture, device_id: int | None) -> str | None:
    device = picture.devices.get(device_id or 0)
    return device.code if device else None


def first_clock(case: Case) -> Row:
    """The clock of a case that runs out first; empty when none runs."""
    running = [row for row in case.deadline.values() if not row["met_at"] and not row["stopped_at"]]
    return min(running, key=lambda row: (moment(row["due_at"]), row["id"]), default={})


def alarm(picture: Picture, alarm_id: int) -> ShownAlarm | None:
    """A live alarm; None for one that has ended or is nobody's."""
    row = picture.alarms.get(alarm_id)
    return None if row is None else _alarm(picture, row)


def alarms(picture: Picture) -> list[ShownAlarm]:
    """All that are not over, worst and newest first."""
    found = [_alarm(picture, row) for row in picture.alarms.values()]
    return sorted(found, key=lambda row: (row.severity, -row.raised_at.timestamp(), row.id))


def _alarm(picture: Picture, row: Row) -> ShownAlarm:
    return ShownAlarm(
        id=row["id"],
        severity=row["severity"],
        state=row["state"],
        category=row["category"],
        device=_device_code(picture, row["device_id"]),
        device_id=row["device_id"],
        lon=row["lon"],
        lat=row["lat"],
        unit_grid=row["unit_grid"],
        sensed_at=moment(row["sensed_at"]),
        raised_at=moment(row["raised_at"]),
        announced_at=moment(row["announced_at"] or row["raised_at"]),
        reason=row["reason"],
        incident_id=picture.links.get(row["id"]),
        shelved_until=_moment(row["shelved_until"]),
        version=row["version"],
    )


def squads(
    picture: Picture, places: Mapping[str, SquadPlace], now: datetime | None = None
) -> list[Squad]:
    """Active squads by code with what they carry; where they are comes from beside the log. Of a
    roster, which may be long, with `now` only the days around it."""
    rosters = _rosters(picture, now)
    shifts, grids = _by_squad(picture, "squad_shift"), _by_squad(picture, "squad_duty_grid")
    carried: dict[str, int] = {}
    for case in picture.cases.values():
        if case.row["state"] in CARRIED_BY_SQUAD and case.row["squad"]:
            carried[case.row["squad"]] = carried.get(case.row["squad"], 0) + 1
    return [
        replace(
            _squad(
                row, shifts.get(code, ()), grids.get(code, ()), places.get(code), carried.get(code)
            ),
            roster=rosters.get(code),
        )
        for code, row in sorted(picture.table("squad").items())
        if row["active"]
    ]


def _rosters(picture: Picture, now: datetime | None) -> dict[str, tuple[Duty, ...]]:
    """By the squads that have one, in the order of days and hours. Looked at every second, also
    where a year of many squads is entered."""
    first, last = days_around(now) if now else ("", LAST_DAY)
    found: dict[str, list[Duty]] = {}
    for row in picture.table("squad_roster").values():
        mine, day = found.setdefault(row["squad"], []), row["day"]
        if first <= day <= last or "-" not in day:
            start, end = (time.fromisoformat(row[name]) for name in ("start_at", "end_at"))
            mine.append(Duty(day, start, end, row["person"], row["phone"]))
    return {code: tuple(sorted(d, key=lambda x: (x.day, x.start))) for code, d in found.items()}


def _by_squad(picture: Picture, table: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in picture.table(table).values():
        found.setdefault(row["squad"], []).append(row)
    return found


def _squad(
    row: Row,
    shifts: Iterable[Row],
    grids: Iterable[Row],
    place: SquadPlace | None,
    carried: int | None,
) -> Squad:
    return Squad(
        code=row["code"],
        district=row["district"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        kind=row["kind"],
        skills=frozenset(row["skills"]),
        duty_grids=frozenset(grid["duty_grid"] for grid in grids),
        shifts=tuple(
            Shift(
                frozenset(shift["weekdays"]),
                time.fromisoformat(shift["start_at"]),
                time.fromisoformat(shift["end_at"]),
            )
            for shift in shifts
        ),
        position=LonLat(place.lon, place.lat) if place else None,
        position_at=place.at if place else None,
        open_incidents=carried or 0,
        # Rows of the log from before squads had them.
        brigade_zh=row.get("brigade_zh", ""),
        brigade_en=row.get("brigade_en", ""),
        kit=frozenset(row.get("kit", ())),
    )


def headline(picture: Picture, midnight: datetime, now: datetime) -> Headline:
    """Open, overdue and due-soon incidents now; opened and closed since `midnight`."""
    standing = [_standing(case, now) for case in picture.cases.values()]
    rows = [case.row for case in picture.cases.values()] + list(picture.past.values())
    return Headline(
        open=len(picture.cases),
        overdue=standing.count("overdue"),
        due_soon=standing.count("due_soon"),
        opened_today=sum(moment(row["opened_at"]) >= midnight for row in rows),
        closed_today=sum(
            row["state"] == "closed"
            and bool(row["closed_at"])
            and moment(row["closed_at"]) >= midnight
            for row in picture.past.values()
        ),
    )


def _standing(case: Case, now: datetime) -> str:
    """Of the worst of its clocks that run: "overdue", "due_soon" or ""."""
    found = ""
    for row in case.deadline.values():
        if row["met_at"] or row["stopped_at"] or row["paused_at"]:
            continue
        if moment(row["due_at"]) < now:
            return "overdue"
        if moment(row["warn_at"]) <= now:
            found = "due_soon"
    return found


def is_out_of_service(device: Device, now: datetime) -> bool:
    """Whether nobody waits for this device's values now."""
    if device.out_of_service_since is None:
        return False
    return device.return_due_at is None or moment(device.return_due_at) > now


def has_demo_rows(picture: Picture) -> bool:
    """Whether anything on this wall was invented."""
    return any(device.demo for device in picture.devices.values())


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment(text)
