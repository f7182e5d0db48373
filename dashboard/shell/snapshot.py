"""What every wall shows, as plain values: incidents, alarms, squads and figures as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from city.clock import Standing, standing
from city.event import Event
from city.squad import Squad, SquadPlace
from dashboard.shell.packing import Rows
from dashboard.shell.stages import Fault
from db.kpi import KpiRow
from replay import shown
from replay.picture import CASE_PARTS, Change, Picture, apply_all, changes_of
from replay.shown import Headline, ShownAlarm, ShownCall, ShownIncident


def ms(at: datetime | None) -> int | None:
    """Epoch milliseconds, the unit of time on the live channel."""
    return None if at is None else round(at.timestamp() * 1000)


def incident_json(row: ShownIncident, now: datetime) -> dict[str, Any]:
    """An open incident and how its nearest clock stands at `now`."""
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
        "standing": stands(row, now),
        "version": row.version,
        "demo": row.demo,
        "device": row.device,
    }


def stands(row: ShownIncident, now: datetime) -> Standing | None:
    """How the nearest clock stands; None where none runs."""
    if row.due_at is None or row.warn_at is None:
        return None
    return standing(row.due_at, row.warn_at, now, paused_at=row.paused_at)


def alarm_json(row: ShownAlarm, now: datetime) -> dict[str, Any]:
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


def is_shelved(row: ShownAlarm, now: datetime) -> bool:
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


def calls_json(rows: Iterable[ShownCall]) -> list[dict[str, Any]]:
    """Calls for help that nobody has acknowledged."""
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "person": row.person,
            "squad": row.squad,
            "incident_id": row.incident_id,
            "acted": ms(row.acted_at),
            "raised": ms(row.raised_at),
            "heard": ms(row.heard_at),
            "lon": row.lon,
            "lat": row.lat,
        }
        for row in rows
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
        "dispatching": _share(today.dispatch_in_time, today.dispatch_due)
        if today
        else _share(0, 0),
        "acknowledging": _share(today.acknowledge_in_time, today.acknowledge_due)
        if today
        else _share(0, 0),
        "handling": _share(today.handled, today.due_to_handle) if today else _share(0, 0),
        "in_time": _share(today.closed_in_time, today.due_to_close) if today else _share(0, 0),
        "devices": {"reporting": counted.reporting, "total": counted.total},
        "alarms_live": alarms_live,
        "lit": _share(counted.lit, counted.lamps_due),
    }


def _share(num: int, den: int) -> dict[str, int]:
    return {"num": num, "den": den}


@dataclass(slots=True)
class Screen:
    """What one district's walls show: the fold of the event log, and what is beside it.

    `incidents` and `alarms` are rows of `picture` as they are shown, brought up to date with it.
    """

    zone: ZoneInfo
    picture: Picture
    demo: bool = False
    incidents: dict[int, ShownIncident] = field(default_factory=dict)
    alarms: dict[int, ShownAlarm] = field(default_factory=dict)
    places: Mapping[str, SquadPlace] = field(default_factory=dict)
    squads: dict[str, list[Any]] = field(default_factory=dict)  # as `squad_json` shows them
    kpi: dict[str, Any] = field(default_factory=dict)

    @property
    def rev(self) -> int:
        """The event up to which this is the fold."""
        return self.picture.seq

    def sorted_incidents(self) -> list[ShownIncident]:
        """Worst and oldest first."""
        return sorted(self.incidents.values(), key=lambda row: row.order)

    def sorted_alarms(self) -> list[ShownAlarm]:
        """Worst and newest first."""
        return sorted(self.alarms.values(), key=lambda row: (row.severity, -row.id))

    def severities(self, now: datetime) -> dict[int, int]:
        """Worst severity of the live alarms of each device; shelved ones colour nothing."""
        worst: dict[int, int] = {}
        for row in self.alarms.values():
            if row.device_id is not None and not is_shelved(row, now):
                worst[row.device_id] = min(row.severity, worst.get(row.device_id, row.severity))
        return worst


def show(screen: Screen, picture: Picture, now: datetime) -> None:
    """Start from a picture."""
    screen.picture = picture
    screen.demo = shown.has_demo_rows(picture)
    screen.incidents = {row.id: row for row in shown.incidents(picture)}
    screen.alarms = {row.id: row for row in shown.alarms(picture)}
    take_squads(screen, now)


@dataclass(slots=True)
class Touched:
    """What a run of events may have changed on the screens."""

    incidents: set[int] = field(default_factory=set)
    alarms: set[int] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    kinds: dict[str, None] = field(default_factory=dict)  # in the order of the log

    def note(self, event: Event, changes: Iterable[Change]) -> None:
        """One more event: what it is about and whose rows it carries."""
        self.kinds[event.kind] = None
        what, _, key = event.subject.partition(":")
        if what == "incident" and key.isdigit():
            self.incidents.add(int(key))
        elif what == "alarm" and key.isdigit():
            self.alarms.add(int(key))
        for change in changes:
            self.tables.add(change.table)
            if change.table == "incident":
                self.incidents.add(change.key["id"])
            elif change.table in CASE_PARTS:
                self.incidents.add(change.key["incident_id"])
            elif change.table == "alarm":
                self.alarms.add(change.key["id"])
            elif change.table == "incident_alarm":
                self.alarms.add(change.key["alarm_id"])


def take_events(screen: Screen, events: Iterable[Event]) -> Touched:
    """Fold these events; what they may have changed here. What another district's events and
    rows touch is nothing of ours."""
    touched, district = Touched(), screen.picture.district
    told = [(event, changes_of(event)) for event in events]
    screen.picture = apply_all(screen.picture, told)
    for event, changes in told:
        if event.district == district or (changes and not event.district):
            touched.note(event, changes)
    return touched


def tell(screen: Screen, touched: Touched, now: datetime) -> dict[str, Any]:
    """Show what was folded, and return the frame that does the same on every screen."""
    if touched.tables & shown.NAMES:
        _look_at_all(screen, touched)
    incidents = [shown.incident(screen.picture, i) for i in sorted(touched.incidents)]
    alarms = [shown.alarm(screen.picture, i) for i in sorted(touched.alarms)]
    live_incidents = sorted(filter(None, incidents), key=lambda row: row.order)
    live_alarms = [row for row in alarms if row is not None]
    # What these screens never showed is not told of either: it may lie elsewhere.
    gone = sorted(
        (touched.incidents - {row.id for row in live_incidents}) & screen.incidents.keys()
    )
    alarms_gone = sorted((touched.alarms - {row.id for row in live_alarms}) & screen.alarms.keys())
    screen.incidents.update((row.id, row) for row in live_incidents)
    screen.alarms.update((row.id, row) for row in live_alarms)
    for incident_id in gone:
        screen.incidents.pop(incident_id, None)
    for alarm_id in alarms_gone:
        screen.alarms.pop(alarm_id, None)
    calls: dict[str, Any] = {}
    if "distress_call" in touched.tables:
        calls["calls"] = calls_json(shown.calls(screen.picture))
    return {
        **calls,
        "t": "ev",
        "rev": screen.rev,
        "now": ms(now),
        "kinds": list(touched.kinds),
        "incidents": [incident_json(row, now) for row in live_incidents],
        "gone": gone,
        "alarms": [alarm_json(row, now) for row in live_alarms],
        "alarms_gone": alarms_gone,
        "squads": take_squads(screen, now),
    }


def _look_at_all(screen: Screen, touched: Touched) -> None:
    """Names have changed that rows show: add those that look different by it."""
    if "device" in touched.tables:
        screen.demo = shown.has_demo_rows(screen.picture)
    for incident in shown.incidents(screen.picture):
        if screen.incidents.get(incident.id) != incident:
            touched.incidents.add(incident.id)
    for alarm in shown.alarms(screen.picture):
        if screen.alarms.get(alarm.id) != alarm:
            touched.alarms.add(alarm.id)


def take_squads(screen: Screen, now: datetime) -> list[list[Any]]:
    """Show squads as they are, carry and stand now; returns those that look different."""
    rows = shown.squads(screen.picture, screen.places, now)
    found = {row.code: squad_json(row, now, screen.zone) for row in rows}
    changed = [row for code, row in found.items() if screen.squads.get(code) != row]
    screen.squads = found
    return changed


class SnapshotParts:
    """The snapshot as JSON in parts: what has not changed since the last one is the same bytes."""

    def __init__(self) -> None:
        self._now: datetime | None = None
        self._incidents = Rows[ShownIncident](lambda row: incident_json(row, self._at))
        self._alarms = Rows[ShownAlarm](lambda row: alarm_json(row, self._at))

    @property
    def _at(self) -> datetime:
        assert self._now is not None, "`parts` says what time it is"
        return self._now

    def parts(
        self,
        screen: Screen,
        now: datetime,
        devices: tuple[bytes, bytes],
        latency_ms: float | None,
        faults: Sequence[Fault],
    ) -> list[bytes]:
        """The snapshot a screen starts from, as pieces of JSON; `devices` as
        `DeviceBoard.json_parts` gives them."""
        self._now = now
        base, young = devices
        head = {"rev": screen.rev, "now": ms(now), "demo": screen.demo}
        tail = {
            "squads": list(screen.squads.values()),
            "calls": calls_json(shown.calls(screen.picture)),
            "kpi": screen.kpi,
            "latency": {"sensor_to_commit_ms_p50": latency_ms},
            "faults": faults_json(faults),
        }
        return [
            msgspec.json.encode(head)[:-1] + b',"devices":[',
            base,
            (b"," if base and young else b"") + young + b'],"incidents":[',
            *self._incidents.parts(
                (row.id, row, stands(row, now)) for row in screen.sorted_incidents()
            ),
            b'],"alarms":[',
            *self._alarms.parts(
                (row.id, row, is_shelved(row, now)) for row in screen.sorted_alarms()
            ),
            b"]," + msgspec.json.encode(tail)[1:],
        ]


def sse(body: Any, *, rev: int | None = None) -> bytes:
    """One server-sent message; encoded once, then the same bytes go to every viewer."""
    head = b"" if rev is None else b"id: %d\n" % rev
    return head + b"data: " + msgspec.json.encode(body) + b"\n\n"
