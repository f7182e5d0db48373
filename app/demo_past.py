"""The past of the demonstration: planned by the simulator, played by the rules, written at once."""

from __future__ import annotations

import gc
import heapq
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from alerts import past as alarm_past
from alerts.known import load_rules
from alerts.rules import Rule
from app.demo_plan import DEMO_USERS, SETTING, planned_start
from app.settings import DEMO_DISTRICT
from city.alarm import Alarm, AlarmChangeKind
from city.category import Category
from city.clock import ClockKind, Limit
from city.event import NewEvent
from city.incident import Role
from city.past import Deed, Matter, Trip
from city.person import Caller
from db import (
    calendars,
    categories,
    checkpoints,
    districts,
    evaluation,
    past,
    places,
    squads,
    users,
)
from db.events import append_events, append_waiting
from db.past import PastLog, PlacedCell
from db.places import Place
from db.pool import Connection, connect
from db.seeds import grid
from dispatch import sla
from dispatch.clocks import Terms
from dispatch.past import PastCase, Rulebook, Written, open_case
from replay.checkpoint import FORMAT, encode
from replay.picture import Picture, fold_all
from replay.read_picture import read_picture
from simulator.past.plan import FAULTS, Planner
from simulator.past.town import Sensor, Spot, Town

# A checkpoint of the picture after so many events: any moment of the past is shown soon.
CHECKPOINT_EVERY = 6_000
# How long after a moment the clockwork, the engine and the dispatcher take notice.
TICK, TAKEN = timedelta(seconds=1), timedelta(seconds=0.4)
PHOTO_BEFORE = timedelta(seconds=20)
PHOTO_TYPE = "image/png"
PHOTO_WIDTH, PHOTO_HEIGHT = 16, 12

Step = Callable[[datetime], None]


def play_past(url: str, end: datetime, say: Callable[[str], None]) -> None:
    """Write the planned past up to its end, all of it or nothing; not where life has gone on
    without it."""
    with connect(url, application="gridwarden demo") as conn:
        start = planned_start(conn)
        if start is None or not past.is_untouched(conn, start):
            return
        say(f"playing {(end - start).days} days of the city's life")
        begun = time.monotonic()
        cases = write_past(conn, DEMO_DISTRICT, start, end)
        told = {"from": start.isoformat(), "to": end.isoformat(), "cases": cases}
        districts.save_setting(conn, "", SETTING, told, end)
        event = NewEvent(
            end, DEMO_DISTRICT, "demo.past_written", f"setting:{SETTING}", "seed", told
        )
        append_events(conn, [event])
        conn.commit()
        say(f"{cases} cases in {time.monotonic() - begun:.0f} s")


def write_past(conn: Connection, district: str, start: datetime, end: datetime) -> int:
    """Play everything between two moments; the caller commits. Answers how many cases."""
    append_waiting(conn, start)
    player = Player(conn, district, PastLog(conn), start)
    # Millions of small values without a circle: the collector would look at them again and again.
    collects = gc.isenabled()
    gc.disable()
    try:
        player.play(Planner(read_town(conn, district), start, end).matters(), end)
        player.finish()
    finally:
        if collects:
            gc.enable()
    return len(player.cases)


class Player:
    """Goes from moment to moment, as the processes would have, and keeps every row in the end."""

    def __init__(self, conn: Connection, district: str, log: PastLog, start: datetime) -> None:
        self._conn, self._district, self._log = conn, district, log
        self._cells = {c.unit_grid: c for c in past.list_cells(conn, district)}
        self._categories = {c.code: c for c in categories.list_in_force(conn, district)}
        self._rules: dict[str, Rule] = load_rules(conn, start)
        self._book = read_book(conn, district, log)
        self._picture = read_picture(conn, district)
        self._checked = self._picture.seq
        self._index = grid.cell_index(grid.demo_grid())
        self._moments: list[tuple[datetime, int, Step]] = []
        self._order = count()
        self._due: dict[int, datetime | None] = {}
        self._alarms: dict[int, Alarm] = {}
        self._changes: list[dict[str, Any]] = []
        self.cases: list[PastCase] = []

    def play(self, matters: Iterator[Matter], end: datetime) -> None:
        """Everything that happens before the end."""
        waiting = next(matters, None)
        while waiting is not None or self._moments:
            begins = waiting.trip.raised_at if waiting and waiting.trip else None
            begins = begins or (waiting.opened_at if waiting else end)
            if waiting is not None and (not self._moments or begins <= self._moments[0][0]):
                self._begin(waiting, begins)
                waiting = next(matters, None)
                continue
            at, _, step = heapq.heappop(self._moments)
            if at >= end:
                break
            step(at)
            if self._log.is_full:
                self._send()

    def finish(self) -> None:
        self._send()
        rows: dict[str, list[Any]] = {table: [] for table in past.TABLES}
        rows["alarm"] = [alarm_past.as_row(alarm) for alarm in self._alarms.values()]
        rows["alarm_change"] = self._changes
        for case in self.cases:
            rows["incident"].append(vars(case.incident))
            rows["incident_alarm"] += [
                {"alarm_id": alarm.id, "incident_id": case.incident.id} for alarm in case.alarms
            ]
            rows["deadline"] += [vars(d) for d in case.deadlines]
            rows["pause"] += [vars(p) for p in case.pauses]
            rows["assignment"] += case.assignments
            rows["evidence"] += [
                {"id": number, "size_bytes": len(new.content), **vars(new)}
                for number, new in case.evidence
            ]
        self._log.finish(rows)
        self._check(whole=True)

    def _at(self, at: datetime, step: Step) -> None:
        heapq.heappush(self._moments, (at, next(self._order), step))

    def _begin(self, matter: Matter, at: datetime) -> None:
        if matter.trip is None:
            self._at(at, partial(self._open, matter, None))
        else:
            self._at(at, partial(self._raise, matter, matter.trip))

    def _raise(self, matter: Matter, trip: Trip, at: datetime) -> None:
        noted = alarm_past.raise_alarm(trip, self._rules[trip.rule], self._log.number("alarm"))
        self._keep(noted, at)
        self._at(matter.opened_at, partial(self._open, matter, noted.alarm))

    def _open(self, matter: Matter, alarm: Alarm | None, at: datetime) -> None:
        place = self._place(matter)
        category = self._category(matter, alarm)
        case, written = open_case(matter, category, place, self._book, at, alarm)
        self.cases.append(case)
        self._write(case, written)
        if matter.trip is not None and alarm is not None:
            trip, alarm_id = matter.trip, alarm.id
            see = partial(self._change, case, trip, alarm_id, AlarmChangeKind.ACKNOWLEDGED)
            self._at(trip.seen_at, see)
            clear = partial(self._change, case, trip, alarm_id, AlarmChangeKind.CLEARED)
            self._at(trip.cleared_at, clear)
        for deed in matter.deeds:
            for stage in deed.evidence:
                self._at(deed.at - PHOTO_BEFORE, partial(self._hand_in, case, stage, deed))
            self._at(deed.at, partial(self._act, case, deed))

    def _category(self, matter: Matter, alarm: Alarm | None) -> Category:
        code = matter.category if alarm is None else alarm.category
        assert code == matter.category, f"the plan is about {matter.category}, its alarm {code}"
        return self._categories[code]

    def _place(self, matter: Matter) -> Place:
        cell = grid.find_cell(self._index, matter.at)
        known: PlacedCell | None = self._cells.get(cell.code) if cell else None
        return known.place if known else Place()

    def _act(self, case: PastCase, deed: Deed, at: datetime) -> None:
        self._write(case, case.act(deed))

    def _hand_in(self, case: PastCase, stage: str, deed: Deed, at: datetime) -> None:
        photo = made_up_photo(case.incident.id, stage, len(case.evidence))
        early = Deed(at, deed.caller, deed.request)
        self._write(case, case.hand_in(stage, photo, PHOTO_TYPE, early))

    def _tick(self, case: PastCase, at: datetime) -> None:
        if self._due.get(case.incident.id) == at:
            self._write(case, case.tick(at))

    def _change(
        self, case: PastCase, trip: Trip, alarm_id: int, kind: AlarmChangeKind, at: datetime
    ) -> None:
        alarm = self._alarms[alarm_id]
        if kind is AlarmChangeKind.CLEARED:
            noted = alarm_past.clear_alarm(trip, alarm, self._rules[trip.rule])
        else:
            noted = alarm_past.see_alarm(trip, alarm)
        self._keep(noted, at)
        taken = partial(self._take, case, trip, noted.alarm, noted.kind)
        self._at(at + TAKEN, taken)

    def _take(
        self, case: PastCase, trip: Trip, alarm: Alarm, kind: AlarmChangeKind, at: datetime
    ) -> None:
        self._write(case, case.note_alarm(trip, alarm, kind, at))

    def _keep(self, noted: alarm_past.Noted, at: datetime) -> None:
        self._alarms[noted.alarm.id] = noted.alarm
        self._changes.append(
            {
                "id": self._log.number("alarm_change"), "alarm_id": noted.alarm.id,
                "kind": noted.kind.value, "at": at, "taken_at": at + TAKEN,
            }
        )  # fmt: skip
        self._log.append([noted.event], [noted.row])

    def _write(self, case: PastCase, written: Written) -> None:
        if written.events:
            self._log.append(written.events, written.rows)
        moment = case.next_moment
        due = None if moment is None else moment + TICK
        if due != self._due.get(case.incident.id):
            self._due[case.incident.id] = due
            if due is not None:
                self._at(due, partial(self._tick, case))

    def _send(self) -> None:
        self._picture = fold_all(self._picture, self._log.send())
        self._check(whole=False)

    def _check(self, *, whole: bool) -> None:
        """Keep what the log adds up to so far."""
        picture: Picture = self._picture
        if picture.at is None or picture.seq == self._checked:
            return
        if whole or picture.seq - self._checked >= CHECKPOINT_EVERY:
            self._checked = picture.seq
            checkpoints.insert_checkpoint(
                self._conn, self._district, picture.seq, FORMAT, picture.at, picture.at,
                encode(picture),
            )  # fmt: skip


def read_book(conn: Connection, district: str, log: PastLog) -> Rulebook:
    """Squads, calendar and limits as they hold in this district."""
    calendar = calendars.calendar_of(conn, district)
    stages = categories.stage_limits(conn, district)

    def terms(incident_id: int, category: Category) -> Terms:
        limits = {**stages, ClockKind.HANDLE: category.limit}
        return Terms(district, incident_id, calendar, limits)

    return Rulebook(
        zone=places.zone_of(conn, district),
        terms=terms,
        squads={squad.code: squad for squad in squads.list_squads(conn, district)},
        numbers=log.number,
    )


def read_town(conn: Connection, district: str) -> Town:
    """What the planner plays with."""
    cells = {cell.unit_grid: cell for cell in past.list_cells(conn, district)}
    names = past.device_names(conn)
    calendar = calendars.calendar_of(conn, district)
    watched = sorted(evaluation.list_watched_devices(conn), key=lambda device: device.id)
    sensors: dict[str, list[Sensor]] = {fault.rule: [] for fault in FAULTS}
    for device in watched:
        cell = cells.get(device.unit_grid or "")
        if cell is None or not device.demo:
            continue
        for fault in FAULTS:
            if fault.kind == device.kind:
                sensors[fault.rule].append(Sensor(device, names[device.id], cell.duty_grid))

    def after(start: datetime, limit: Limit) -> datetime:
        return sla.deadline(start, limit, calendar).due_at

    return Town(
        district=district,
        zone=places.zone_of(conn, district),
        categories={c.code: c for c in categories.list_in_force(conn, district)},
        stages=categories.stage_limits(conn, district),
        squads=squads.list_squads(conn, district),
        spots=[
            Spot(c.unit_grid, c.duty_grid, c.west, c.south, c.east, c.north) for c in cells.values()
        ],
        sensors=sensors,
        people=read_people(conn, district),
        after=after,
        works=calendar.is_working_day,
    )


def read_people(conn: Connection, district: str) -> dict[Role, Caller]:
    """Who acts in the demonstration, by role."""
    found = {}
    for name, role in DEMO_USERS:
        user = users.find_user(conn, name)
        found[role] = Caller(name, role, district, user.squad if user else None)
    return found


def made_up_photo(case: int, stage: str, number: int) -> bytes:
    """A tiny picture in colours of its own: it stands for a photo that nobody took."""
    paint = zlib.crc32(f"{case}/{stage}/{number}".encode()).to_bytes(4, "big")
    lines = b""
    for y in range(PHOTO_HEIGHT):
        shade = bytes((value * (y + PHOTO_HEIGHT) // (2 * PHOTO_HEIGHT)) for value in paint[:3])
        lines += b"\0" + shade * PHOTO_WIDTH
    header = PHOTO_WIDTH.to_bytes(4, "big") + PHOTO_HEIGHT.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")
        for name, body in chunks
    )
