"""What every wall shows, as plain values: incidents, alarms, squads and figures as JSON."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from city.clock import standing
from city.squad import Squad
from dashboard.shell.stages import Fault
from db.kpi import Headline, KpiRow
from db.walls import WallAlarm, WallIncident

# The snapshot is compressed once for all viewers; level 5 is within 5 % of the smallest.
GZIP_LEVEL = 5


def ms(at: datetime | None) -> int | None:
    """Epoch milliseconds, the unit of time on the live channel."""
    return None if at is None else round(at.timestamp() * 1000)


def incident_json(row: WallIncident, now: datetime) -> dict[str, Any]:
    """An open incident and how its nearest clock stands at `now`."""
    found = None
    if row.due_at is not None and row.warn_at is not None:
        found = standing(row.due_at, row.warn_at, now, paused_at=row.paused_at)
    return {
        "id": row.id,
        "number": row.number,
        "state": row.state,
        "severity": row.severity,
        "family": row.family,
        "category": row.category,
        "category_zh": row.category_zh,
        "category_en": row.category_en,
        "title_zh": row.title_zh,
        "title_en": row.title_en,
        "lon": row.lon,
        "lat": row.lat,
        "unit_grid": row.unit_grid,
        "street_name": row.street_name,
        "community_name": row.community_name,
        "source": row.source,
        "squad": row.squad,
        "squad_zh": row.squad_zh,
        "squad_en": row.squad_en,
        "opened": ms(row.opened_at),
        "clock": row.clock,
        "due": ms(row.due_at),
        "warn": ms(row.warn_at),
        "standing": found,
        "version": row.version,
        "demo": row.demo,
        "device": row.device,
    }


def alarm_json(row: WallAlarm, now: datetime) -> dict[str, Any]:
    """A live alarm; `shelved` while a person has muted it."""
    return {
        "id": row.id,
        "severity": row.severity,
        "state": row.state,
        "category": row.category,
        "device": row.device,
        "device_id": row.device_id,
        "lon": row.lon,
        "lat": row.lat,
        "unit_grid": row.unit_grid,
        "sensed": ms(row.sensed_at),
        "raised": ms(row.raised_at),
        "announced": ms(row.announced_at),
        "reason": row.reason,
        "incident_id": row.incident_id,
        "shelved": is_shelved(row, now),
        "version": row.version,
    }


def is_shelved(row: WallAlarm, now: datetime) -> bool:
    return row.shelved_until is not None and row.shelved_until > now


def squad_json(row: Squad, now: datetime, zone: ZoneInfo) -> list[Any]:
    """[code, name_zh, name_en, lon, lat, on_duty, open_incidents, kind]."""
    at = row.position
    return [
        row.code,
        row.name_zh,
        row.name_en,
        at.lon if at else None,
        at.lat if at else None,
        row.is_on_duty(now.astimezone(zone)),
        row.open_incidents,
        row.kind,
    ]


def faults_json(faults: Iterable[Fault]) -> list[dict[str, Any]]:
    """What does not go on, since when, and what of the picture is old because of it."""
    return [{"code": f.code, "since": ms(f.since), "old": f.old} for f in faults]


@dataclass(frozen=True, slots=True)
class Counted:
    """What the devices add to the headline."""

    reporting: int
    total: int
    lit: int
    lamps_due: int  # lamps that should be lit and say something; 0 by day


def kpi_json(
    head: Headline, today: KpiRow | None, counted: Counted, alarms_live: int
) -> dict[str, Any]:
    """The headline; a ratio travels as its two counts, so a reader sees what it is of."""
    return {
        "open": head.open,
        "overdue": head.overdue,
        "due_soon": head.due_soon,
        "opened_today": head.opened_today,
        "closed_today": head.closed_today,
        "handling": _share(today.handled, today.due_to_handle) if today else _share(0, 0),
        "in_time": _share(today.closed_in_time, today.due_to_close) if today else _share(0, 0),
        "devices": {"reporting": counted.reporting, "total": counted.total},
        "alarms_live": alarms_live,
        "lit": _share(counted.lit, counted.lamps_due),
    }


def _share(num: int, den: int) -> dict[str, int]:
    return {"num": num, "den": den}


@dataclass(slots=True)
class Picture:
    """The current state of one district's walls, as of revision `rev` of the event log."""

    zone: ZoneInfo
    rev: int = 0
    demo: bool = False
    incidents: dict[int, WallIncident] = field(default_factory=dict)
    alarms: dict[int, WallAlarm] = field(default_factory=dict)
    squads: dict[str, list[Any]] = field(default_factory=dict)  # as `squad_json` shows them
    kpi: dict[str, Any] = field(default_factory=dict)

    def as_json(self, now: datetime, devices: list[list[Any]], latency_ms: float | None) -> Any:
        """The snapshot a screen starts from."""
        incidents = sorted(
            self.incidents.values(), key=lambda row: (row.severity, row.opened_at, row.id)
        )
        alarms = sorted(self.alarms.values(), key=lambda row: (row.severity, -row.id))
        return {
            "rev": self.rev,
            "now": ms(now),
            "demo": self.demo,
            "devices": devices,
            "incidents": [incident_json(row, now) for row in incidents],
            "alarms": [alarm_json(row, now) for row in alarms],
            "squads": list(self.squads.values()),
            "kpi": self.kpi,
            "latency": {"sensor_to_commit_ms_p50": latency_ms},
        }

    def severities(self, now: datetime) -> dict[int, int]:
        """Worst severity of the live alarms of each device; shelved ones colour nothing."""
        worst: dict[int, int] = {}
        for row in self.alarms.values():
            if row.device_id is not None and not is_shelved(row, now):
                worst[row.device_id] = min(row.severity, worst.get(row.device_id, row.severity))
        return worst


@dataclass(frozen=True, slots=True)
class Touched:
    """Whose rows a run of events may have changed."""

    incidents: frozenset[int]
    alarms: frozenset[int]
    kinds: tuple[str, ...]


def touched_by(events: Iterable[tuple[str, str]]) -> Touched:
    """From (kind, subject) pairs, in the order of the log."""
    incidents, alarms = set(), set()
    kinds: dict[str, None] = {}
    for kind, subject in events:
        what, _, key = subject.partition(":")
        kinds[kind] = None
        if what == "incident" and key.isdigit():
            incidents.add(int(key))
        elif what == "alarm" and key.isdigit():
            alarms.add(int(key))
    return Touched(frozenset(incidents), frozenset(alarms), tuple(kinds))


@dataclass(frozen=True, slots=True)
class Fresh:
    """Rows read again after the events: what is not among them any more is gone."""

    touched: Touched
    incidents: Sequence[WallIncident]
    alarms: Sequence[WallAlarm]
    squads: Sequence[Squad]


def apply_fresh(picture: Picture, fresh: Fresh, rev: int, now: datetime) -> dict[str, Any]:
    """Bring the picture to `rev` and return the frame that does the same on every screen."""
    live_incidents = {row.id: row for row in fresh.incidents}
    live_alarms = {row.id: row for row in fresh.alarms}
    gone = sorted(i for i in fresh.touched.incidents if i not in live_incidents)
    alarms_gone = sorted(i for i in fresh.touched.alarms if i not in live_alarms)
    picture.incidents.update(live_incidents)
    picture.alarms.update(live_alarms)
    for incident_id in gone:
        picture.incidents.pop(incident_id, None)
    for alarm_id in alarms_gone:
        picture.alarms.pop(alarm_id, None)
    squads = take_squads(picture, fresh.squads, now)
    picture.rev = rev
    return {
        "t": "ev",
        "rev": rev,
        "now": ms(now),
        "kinds": list(fresh.touched.kinds),
        "incidents": [incident_json(row, now) for row in fresh.incidents],
        "gone": gone,
        "alarms": [alarm_json(row, now) for row in fresh.alarms],
        "alarms_gone": alarms_gone,
        "squads": squads,
        "kpi": picture.kpi,
    }


def take_squads(picture: Picture, rows: Sequence[Squad], now: datetime) -> list[list[Any]]:
    """Take over where squads are and what they carry; returns those that look different."""
    shown = {row.code: squad_json(row, now, picture.zone) for row in rows}
    changed = [row for code, row in shown.items() if picture.squads.get(code) != row]
    picture.squads = shown
    return changed


def sse(body: Any, *, rev: int | None = None) -> bytes:
    """One server-sent message; encoded once, then the same bytes go to every viewer."""
    head = b"" if rev is None else b"id: %d\n" % rev
    return head + b"data: " + msgspec.json.encode(body) + b"\n\n"


@dataclass(frozen=True, slots=True)
class Packed:
    """A JSON document ready to send, plain and compressed."""

    plain: bytes
    zipped: bytes


def pack(body: Any) -> Packed:
    """Encode and compress once."""
    plain = msgspec.json.encode(body)
    return Packed(plain, gzip.compress(plain, GZIP_LEVEL, mtime=0))
