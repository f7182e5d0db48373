"""The live channel: one follower a process and scope, one frame built for all its viewers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from city.errors import Unavailable
from city.scope import Scope, Within
from city.sun import is_dark
from dashboard.screens.citymap.city_map import CityMap
from dashboard.screens.citymap.device_dots import DeviceBoard, WallDevice
from dashboard.screens.citymap.geometry import centre_of
from dashboard.shell.fan_out import RESYNC, Audience
from dashboard.shell.floods import FloodWatch
from dashboard.shell.packing import Packed, Packer
from dashboard.shell.pulse import Pulse
from dashboard.shell.snapshot import (
    Counted,
    Screen,
    SnapshotParts,
    Touched,
    faults_json,
    kpi_json,
    ms,
    show,
    sse,
    take_events,
    take_squads,
    tell,
)
from dashboard.shell.stages import DATABASE_AWAY, Fault, judge_picture, keep_times
from db import kpi as kpi_rows
from db import squad_positions
from db import walls as wall_rows
from db.events import list_events
from db.live import Redis, follow
from db.pool import Connection, Pool, transaction
from replay import shown
from replay.part import part_of
from replay.picture import Picture
from replay.read_picture import read_picture
from replay.shown import ShownIncident

log = logging.getLogger(__name__)

# Events read at a time.
PAGE = 500
# Device values are merged and sent at most five times a second.
DEVICE_FRAME_S = 0.2
# How often we look at what changes without an event: silence, duty, where squads are, figures.
SWEEP_S = 5.0
# Device values are read again from the database this often, and sooner when no frames come.
RELOAD_S = 60.0
RELOAD_WITHOUT_FRAMES_S = 10.0
# A snapshot in which nothing has changed still grows old: the standing of clocks does.
SNAPSHOT_S = 1.0
# The event log is looked at this often, also while frames of devices keep coming.
LOOK_S = 1.0
# What stands still is looked at and told this often, and repeated: a screen that hears nothing for
# four times as long knows by itself that the server stands still (`SILENT_MS` in status.js).
FAULTS_S = 0.5
FAULTS_AGAIN_S = 2.0
# How long a stopping process waits for its threads.
STOP_S = 3.0
# So many dots may look different from the snapshot's first part before it is made anew, and not
# more often than that.
YOUNG_DOTS = 1_000
SETTLE_S = 2.0
# Lamps switch around sunset; the lit rate counts only when all of them should be on.
LAMPS_WARM = timedelta(minutes=25)
# Metric, value, its time and when the device was heard, of one that has never said anything.
NOTHING_YET = (None, None, None, None)
# What is below the live layer is others after these; `live.js` asks for it then.
CELLS_CHANGED = "unit_grid.changed"
MAP_KINDS = frozenset(
    {
        "district.changed", CELLS_CHANGED, "pipe.changed", "area.added", "area.changed",
        "area.retired",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _PackedSnapshot:
    """`stamp` is the revision and the count of device changes that it shows."""

    begun: float
    stamp: tuple[int, int]
    packed: Packed


class Wall:
    """Follows the event log and the device frames of one district, or of its divisions `within`,
    for all viewers of a process."""

    def __init__(
        self,
        pool: Pool,
        redis: Redis,
        district: wall_rows.District,
        pulse: Pulse,
        operators: Callable[[str], Collection[str]] = lambda district: (),
        within: Within | None = None,
    ) -> None:
        self._pool = pool
        self._operators = operators  # who of a district has a screen open here
        self._scope = Scope(district.code, within)
        self._cells: frozenset[str] | None = None  # of a part; None: the whole district
        self._flood = FloodWatch(self._scope)
        self._pulse = pulse
        self._redis = redis
        self._district = district
        self._zone = ZoneInfo(district.timezone)
        self._centre = centre_of(district.outline)
        self._screen = Screen(self._zone, Picture(district.code))
        self._board = DeviceBoard()
        self._lock = threading.RLock()  # screen and board
        self._turn = threading.Lock()  # one catch-up at a time
        self._packing = threading.Lock()
        self.audience = Audience()
        self._pending: dict[int, list[Any]] = {}
        self._today: kpi_rows.KpiRow | None = None
        self._packed: _PackedSnapshot | None = None
        self._parts = SnapshotParts()
        self._packer = Packer()
        self._device_changes = 0
        self._last_frame = 0.0
        self._faults: list[Fault] = []  # as they were told last
        self._followed_at = time.monotonic()  # when the event log was last looked at
        self.map = CityMap(pool, district, within)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    # Life

    def start(self) -> None:
        """Read everything once, then follow."""
        self._load()
        for name, loop in (
            ("wall-follow", self._follow), ("wall-pace", self._pace),
            ("wall-faults", self._tell_faults),
        ):  # fmt: skip
            thread = threading.Thread(target=self._guarded, args=(loop,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End every stream and all threads."""
        self.stop_soon()
        for thread in self._threads:
            thread.join(STOP_S)

    def stop_soon(self) -> None:
        """The part of `stop` that does not wait; a signal handler may call it."""
        self._stop.set()
        self.audience.close()

    @property
    def code(self) -> str:
        """Code of the district."""
        return self._district.code

    @property
    def alive(self) -> bool:
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    @property
    def rev(self) -> int:
        return self._screen.rev

    # Viewers

    def stream(
        self, last: int | None, still_welcome: Callable[[], bool]
    ) -> Generator[bytes, None, None]:
        """The body of an event stream from revision `last` on."""
        if last is not None and last > self.rev:
            self.catch_up()  # the screen came from a process that is ahead of this one
        return self.audience.stream(last, still_welcome, self._now_frame)

    def snapshot(self) -> Packed:
        """Built once for all who ask meanwhile; nobody gets one from before they asked."""
        asked = time.monotonic()
        with self._packing:
            found = self._packed
            if found is None or (found.begun < asked and not self._still_right(found)):
                begun, stamp = time.monotonic(), (self.rev, self._device_changes)
                found = _PackedSnapshot(begun, stamp, self._pack_snapshot())
                self._packed = found
                self.audience.tally.snapshots_built += 1
            return found.packed

    def _still_right(self, found: _PackedSnapshot) -> bool:
        age = time.monotonic() - found.begun
        return age < SNAPSHOT_S and found.stamp == (self.rev, self._device_changes)

    def _pack_snapshot(self) -> Packed:
        now = datetime.now(UTC)
        faults = self.faults(now)
        with self._lock:
            parts = self._parts.parts(
                self._screen, now, self._board.json_parts(), self._board.delay_ms(), faults
            )
        return self._packer.pack(parts)

    def open_incidents(self, squad: str | None = None) -> list[ShownIncident]:
        """Those open now, all or of one squad, worst and oldest first."""
        self.catch_up()
        with self._lock:
            rows = self._screen.sorted_incidents()
        return [row for row in rows if squad is None or row.squad == squad]

    def faults(self, now: datetime) -> list[Fault]:
        """What does not go on; a follower without a database cannot follow either."""
        found = self._pulse.faults(now)
        if not any(fault.code == DATABASE_AWAY for fault in found):
            found = judge_picture(time.monotonic() - self._followed_at, now) + found
        self._faults = found = keep_times(self._faults, found)
        return found

    # Following

    def catch_up(self) -> None:
        """Read the event log from where we are and send what it changed."""
        with self._turn:
            while self._catch_up_page():
                pass
            self._followed_at = time.monotonic()

    def _catch_up_page(self) -> bool:
        now = datetime.now(UTC)
        with transaction(self._pool) as conn:
            events = list_events(conn, after=self.rev, limit=PAGE, with_rows=True)
            if not events:
                return False
        with self._lock:
            touched = take_events(self._screen, events)
            if self._cells is not None:
                self._screen.picture = part_of(self._screen.picture, self._cells)
            if touched.kinds:
                self._tell(touched, now)
            else:
                self.audience.pass_over(self.rev)
        if self._cells is not None and CELLS_CHANGED in touched.kinds:
            self._load()
            self.audience.send(RESYNC)
        elif "device" in touched.tables:
            with transaction(self._pool) as conn:
                self._reload_devices(conn, now)
        return len(events) == PAGE

    def _tell(self, touched: Touched, now: datetime) -> None:
        if not MAP_KINDS.isdisjoint(touched.kinds):
            self.map.forget()
        frame = tell(self._screen, touched, now)
        self._queue_devices(self._board.set_severities(self._screen.severities(now), _ms(now)))
        self._refresh_kpi(now)
        frame["kpi"] = self._screen.kpi
        encoded = sse(frame, rev=self.rev)
        self._flush_devices(now)
        self.audience.send(encoded, rev=self.rev)

    def _take_devices(self, frame: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        with self._lock:
            self._last_frame = time.monotonic()
            self._queue_devices(self._board.apply(frame, _ms(now)))

    def _queue_devices(self, rows: list[list[Any]]) -> None:
        self._device_changes += len(rows)
        for row in rows:
            self._pending[row[0]] = row

    def _flush_devices(self, now: datetime) -> None:
        if not self._pending:
            return
        rows, self._pending = list(self._pending.values()), {}
        self.audience.send(sse({"t": "dev", "now": _ms(now), "pushed": _ms(now), "d": rows}))

    # Loops

    def _guarded(self, loop: Callable[[], None]) -> None:
        """Run a loop for the life of the process; a fault costs a second, not the screens."""
        while not self._stop.is_set():
            try:
                loop()
            except Unavailable as error:
                log.warning("walls wait for the database: %s", error)
            except Exception:
                self.audience.tally.faults += 1
                log.exception("the live channel failed and starts again")
            self._stop.wait(1.0)

    def _follow(self) -> None:
        for kind, content in follow(self._redis, self._stop):
            if kind == "device":
                self._take_devices(content)
            elif kind == "event" and content > self.rev:
                self.catch_up()
            if time.monotonic() - self._followed_at >= LOOK_S:
                self.catch_up()

    def _tell_faults(self) -> None:
        told: list[Fault] = []
        told_at = 0.0
        while not self._stop.wait(FAULTS_S):
            now, clock = datetime.now(UTC), time.monotonic()
            found = self.faults(now)
            if found != told or clock - told_at >= FAULTS_AGAIN_S:
                told, told_at = found, clock
                frame = {"t": "faults", "now": _ms(now), "faults": faults_json(found)}
                self.audience.send(sse(frame))

    def _pace(self) -> None:
        swept = reloaded = settled = time.monotonic()
        while not self._stop.wait(DEVICE_FRAME_S):
            clock = time.monotonic()
            now = datetime.now(UTC)
            with self._lock:
                self._flush_devices(now)
                if self._board.young > YOUNG_DOTS and clock - settled >= SETTLE_S:
                    settled = clock
                    self._board.settle()
            if clock - swept >= SWEEP_S:
                swept = clock
                self._sweep(now)
            quiet = clock - self._last_frame > RELOAD_WITHOUT_FRAMES_S
            if clock - reloaded >= (RELOAD_WITHOUT_FRAMES_S if quiet else RELOAD_S):
                reloaded = clock
                with transaction(self._pool) as conn:
                    self._reload_devices(conn, now)

    def _sweep(self, now: datetime) -> None:
        with transaction(self._pool) as conn:
            today = self._read_today(conn, now)
            places = squad_positions.list_newest(conn, self._district.code)
            self._look_for_flood(conn, now)
        with self._lock:
            self._today, self._screen.places = today, places
            moved = take_squads(self._screen, now)
            worst = self._screen.severities(now)  # shelving may have run out
            self._queue_devices(self._board.set_severities(worst, _ms(now)))
            self._queue_devices(self._board.sweep(_ms(now)))
            before = self._screen.kpi
            self._refresh_kpi(now)
            news: dict[str, Any] = {"squads": moved} if moved else {}
            if self._screen.kpi != before:
                news["kpi"] = self._screen.kpi
            if news:
                self.audience.send(self._now_frame(**news))

    def _now_frame(self, **more: Any) -> bytes:
        return sse({"t": "now", "now": _ms(datetime.now(UTC)), **more})

    # Reading

    def _load(self) -> None:
        now = datetime.now(UTC)
        code = self._district.code
        self._pulse.start()  # its first look takes its time, too
        with transaction(self._pool) as conn:
            picture = read_picture(conn, code)
            if self._scope.within is not None:
                self._cells = frozenset(row[0] for row in wall_rows.map_cells(conn, self._scope))
                picture = part_of(picture, self._cells)
            newest = wall_rows.list_newest(conn, code)
            self._screen.places = squad_positions.list_newest(conn, code)
            self._today = self._read_today(conn, now)
            self._screen.picture = picture
            self._look_for_flood(conn, now)
        with self._lock:
            show(self._screen, picture, now)
            self._board.set_severities(self._screen.severities(now), _ms(now))
            self._board.load(wall_devices(picture, newest, now), _ms(now))
            self.audience.begin(self.rev)
            self._refresh_kpi(now)

    def _reload_devices(self, conn: Connection, now: datetime) -> None:
        newest = wall_rows.list_newest(conn, self._district.code)
        with self._lock:
            rows = wall_devices(self._screen.picture, newest, now)
            self._queue_devices(self._board.load(rows, _ms(now)))

    def _read_today(self, conn: Connection, now: datetime) -> kpi_rows.KpiRow | None:
        found = kpi_rows.list_kpi(conn, self._scope, self._midnight(now), now, "district")
        return found[0] if found else None

    def _refresh_kpi(self, now: datetime) -> None:
        reporting, total = self._board.reporting(_ms(now))
        lit, said = self._board.lit(_ms(now)) if is_dark(now, self._centre, LAMPS_WARM) else (0, 0)
        head = shown.headline(self._screen.picture, self._midnight(now), now)
        self._screen.kpi = kpi_json(
            head, self._today, Counted(reporting, total, lit, said), len(self._screen.alarms)
        )
        self._screen.kpi["flood"] = self._flood.as_json(self._screen.picture, now)

    def _look_for_flood(self, conn: Connection, now: datetime) -> None:
        here = self._operators(self._district.code)
        self._flood.look(conn, self._screen.picture, here, now)

    def _midnight(self, now: datetime) -> datetime:
        local = now.astimezone(self._zone)
        return local.replace(hour=0, minute=0, second=0, microsecond=0)


def wall_devices(
    picture: Picture, newest: Mapping[int, wall_rows.Newest], now: datetime
) -> Iterator[WallDevice]:
    """Devices of the log with their newest values, which come from beside it."""
    for device_id, device in picture.devices.items():
        out = shown.is_out_of_service(device, now)
        values = newest.get(device_id, NOTHING_YET)
        yield WallDevice(device_id, device.kind, device.report_interval_s, out, *values)


def _ms(now: datetime) -> int:
    return ms(now) or 0
