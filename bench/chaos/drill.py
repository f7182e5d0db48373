"""One fault after another on one installation under load, and the row of each."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import redis
from playwright.sync_api import Browser

from bench import mqtt_load
from bench.chaos.books import Books, losses, wait_for
from bench.chaos.faults import ABSENT, LOOPBACK, Fault, Happened, Scene, commit, is_there
from bench.chaos.parts import Parts
from bench.chaos.witness import Readyz, Wall, open_wall
from bench.installation import Installation
from bench.remembering import RememberingPublisher, Source, remembering

GAS_PCT_LEL = 62.5
# Seconds until normal that are aimed at; the broker's are counted from its return. Where ingest was
# killed with it, ingest has to be started then: its aim is that of a killed ingest.
AIM_S = {"broker": 1.0, "redis": 5.0, "scheduler": 10.0}
AIM_OTHERS_S = 5.0
# Seconds until what was acknowledged must be stored, and the incident there.
PATIENCE_S = 30.0
# A row begins when what was sent up to then is stored and judged.
CALM_S = 60.0
# Load goes on so long before a fault, so that there is something under way.
BEFORE_S = 1.5
# One device in so many sends messages without a time.
UNTIMED_EVERY = 20
DEVICES = 600


@dataclass(frozen=True)
class Row:
    """What came of one fault."""

    fault: Fault
    normal_s: float | None
    acknowledged: int
    lost: int
    lost_untimed: int
    lost_after_save: int
    doubled: int
    alarms: int
    incidents: int
    incident_s: float | None
    wall: str
    readyz: str

    @property
    def aim_s(self) -> float:
        if self.fault.ingest == ABSENT:
            return AIM_OTHERS_S
        return AIM_S.get(self.fault.part, AIM_OTHERS_S)

    @property
    def broken(self) -> list[str]:
        """Promises that were not kept."""
        words = {
            f"{self.lost} lost ({self.lost_untimed} of them without a time)": self.lost > 0,
            f"{self.doubled} doubled": self.doubled > 0,
            f"{self.alarms} alarms, {self.incidents} incidents": (self.alarms, self.incidents)
            != (1, 1),
            f"not normal within {PATIENCE_S:g} s": self.normal_s is None,
        }
        return [word for word, true in words.items() if true]

    @property
    def is_late(self) -> bool:
        return self.normal_s is None or self.normal_s > self.aim_s


class Range:
    """The installation, its load, and everybody who looks on."""

    def __init__(
        self,
        installation: Installation,
        wall: Wall,
        publisher: RememberingPublisher,
        city: City,
        hold_s: float,
    ) -> None:
        self.parts = Parts(installation.up)
        self._installation, self._wall, self._publisher = installation, wall, publisher
        self._city, self._hold_s = city, hold_s
        self._mqtt_port = _port(installation.mqtt)
        self._books = Books(installation.postgres)
        self._readyz = Readyz(installation.http)
        self._gas = iter(city.detectors)
        self._sent = 0  # messages of earlier rows

    def close(self) -> None:
        self._readyz.close()
        self._books.close()

    def drill(self, fault: Fault) -> Row | None:
        """The row of one fault; None where this build has no such part."""
        self._calm_down()
        if not is_there(fault, self.parts):
            return None
        self._publisher.resume()
        self._wall.breathe(BEFORE_S)
        detector = next(self._gas)
        reading = _Gas(self._mqtt_port, self._city.topics[detector])
        scene = Scene(
            self.parts,
            self._mqtt_port,
            self._installation.data_dir / "mosquitto" / "mosquitto.db",
            self._hold_s,
            self._wall.breathe,
            reading.start,
        )
        happened = commit(fault, scene)
        normal_at = self._wait_until_normal(fault, happened)
        reading.wait(PATIENCE_S)
        alarms, incidents, incident_s = self._wait_for_incident(detector, happened)
        ended_at = time.time()
        account = self._settle(happened)
        return Row(
            fault,
            None if normal_at is None else max(0.0, normal_at - happened.over_at),
            account.acknowledged,
            account.lost,
            account.lost_untimed,
            account.lost_after_save,
            account.doubled,
            alarms,
            incidents,
            incident_s,
            self._wall.between(happened.began_at, ended_at),
            self._readyz.between(happened.began_at, ended_at),
        )

    def _calm_down(self) -> None:
        """Everything sent so far is stored and judged, and every part is there."""
        waiting = "SELECT count(*) FROM ingest_batch WHERE evaluated_at IS NULL"
        calm = wait_for(
            lambda: self._books.rows(waiting) == [(0,)] and self._all_parts(),
            self._wall.breathe,
            CALM_S,
        )
        if not calm:
            raise TimeoutError(f"the installation did not calm down in {CALM_S:g} s")

    def _all_parts(self) -> bool:
        parts = ("broker", "ingest", "engine", "scheduler", "serve", "database", "redis")
        return all(self.parts.find(part) for part in parts)

    def _wait_until_normal(self, fault: Fault, happened: Happened) -> float | None:
        """Epoch seconds at which messages are stored and the part's own stage works again."""
        after = happened.over_at
        looks = [lambda: self._books.first_stored(after)]
        own: dict[str, Callable[[], float | None]] = {
            "engine": lambda: self._books.first_judged(after),
            "scheduler": lambda: self._books.scheduler_ticked(after),
            "serve": lambda: self._readyz.first_answer(after),
            "redis": lambda: _redis_answers(self._installation.redis),
        }
        if fault.part in own:
            looks.append(own[fault.part])
        moments = [wait_for(look, self._wall.breathe, PATIENCE_S) for look in looks]
        return None if None in moments else max(moments)

    def _wait_for_incident(
        self, detector: str, happened: Happened
    ) -> tuple[int, int, float | None]:
        """Alarms and incidents of the gas reading, and seconds from the fault's end to them."""
        there = wait_for(
            lambda: (
                self._books.gas_alarm(detector) != (0, 0) and self._books.gas_alarm(detector)[1]
            ),
            self._wall.breathe,
            PATIENCE_S,
        )
        seen_at = time.time()
        self._wall.breathe(1.0)  # a second one would have come by now
        alarms, incidents = self._books.gas_alarm(detector)
        return alarms, incidents, max(0.0, seen_at - happened.over_at) if there else None

    def _settle(self, happened: Happened) -> Any:
        """No load for a moment; what was acknowledged in this row against what is stored."""
        self._publisher.pause()
        self._publisher.settle(PATIENCE_S)
        sent = self._publisher.log(self._sent)
        self._sent += len(sent)
        timed = [one for one in sent if self._city.sources[one.source].value is not None]
        since_ms = min(one.key for one in timed)

        def account() -> Any:
            stored = self._books.stored(self._city.timed, self._city.untimed, since_ms)
            return losses(sent, self._city.codes, stored, happened, self._city.untimed)

        deadline = time.monotonic() + PATIENCE_S / 2
        self._wall.breathe(0.5)
        found = account()
        # After the last save the rest may never come; it is waited for all the same, a little.
        while found.lost and time.monotonic() < deadline:
            self._wall.breathe(0.5)
            found = account()
        return found


@dataclass(frozen=True)
class City:
    """Who sends the load, and gas detectors that are silent until one raises its alarm."""

    sources: Sequence[Source]
    codes: Sequence[str]
    detectors: Sequence[str]
    topics: dict[str, str]

    @property
    def timed(self) -> list[str]:
        return self._codes(untimed=False)

    @property
    def untimed(self) -> list[str]:
        return self._codes(untimed=True)

    def _codes(self, *, untimed: bool) -> list[str]:
        pairs = zip(self.codes, self.sources, strict=True)
        return [code for code, source in pairs if (source.value is None) == untimed]


def find_city(books: Books) -> City:
    """Native devices of the demo district: half of the gas detectors are kept for alarms."""
    rows = books.rows(
        "SELECT code, kind, district FROM device WHERE format = 'native'"
        " AND kind IN ('gas', 'light') ORDER BY md5(code)"
    )
    topics = {code: f"city/v1/{district}/{kind}/{code}/telemetry" for code, kind, district in rows}
    gas = [code for code, kind, _ in rows if kind == "gas"]
    lights = [code for code, kind, _ in rows if kind == "light"]
    senders = [*gas[len(gas) // 2 :][: DEVICES // 2], *lights[: DEVICES // 2]]
    sources = []
    for number, code in enumerate(senders):
        if "/light/" not in topics[code]:
            sources.append(Source(topics[code], "o2_pct_vol", 20.9))
        elif number % UNTIMED_EVERY:
            sources.append(Source(topics[code], "power_w", 60.0))
        else:
            sources.append(Source(topics[code], "energy_kwh", None))
    return City(sources, senders, gas[: len(gas) // 2], topics)


@contextmanager
def shooting_range(
    installation: Installation, browser: Browser, rate: float, hold_s: float
) -> Iterator[Range]:
    """Load, wall and reader on a running installation."""
    books = Books(installation.postgres)
    city = find_city(books)
    books.close()
    with (
        open_wall(browser, installation) as wall,
        remembering(_port(installation.mqtt), rate, city.sources) as publisher,
    ):
        opened = Range(installation, wall, publisher, city, hold_s)
        try:
            wait_for(lambda: opened._books.first_stored(0), wall.breathe, CALM_S)
            publisher.pause()
            publisher.settle(PATIENCE_S)
            opened._sent = len(publisher.log())
            yield opened
        finally:
            opened.close()


class _Gas:
    """One gas reading far over the limit, sent until the broker has taken it."""

    def __init__(self, port: int, topic: str) -> None:
        self._port, self._topic = port, topic
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        body = json.dumps(
            {"ts": int(time.time() * 1000), "readings": {"ch4_pct_lel": GAS_PCT_LEL}}
        ).encode()
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with suppress(OSError), mqtt_load.connect(LOOPBACK, self._port, "gas", 2.0) as sock:
                sock.sendall(mqtt_load.packet(self._topic, body, 1))
                if sock.recv(4)[:1] == b"\x40":
                    return
            time.sleep(0.05)


def _redis_answers(url: str) -> float | None:
    with suppress(redis.RedisError), redis.Redis.from_url(url, socket_timeout=1) as client:
        client.ping()
        return time.time()
    return None


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])
