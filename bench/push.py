"""From an event's commit to the frame that a screen has read, with 50 and 200 screens open."""

from __future__ import annotations

import re
import selectors
import socket
import statistics
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from bench.installation import Installation, running_installation
from city.event import NewEvent
from city.incident import Role
from db.events import append_events
from db.live import open_redis, publish_event_seq
from db.pool import connect

SECONDS = 15.0
VIEWERS = (50, 200)
EVENTS_PER_SECOND = 10
# After the last event: how long late frames are still waited for.
PATIENCE_S = 3.0

REPORT = {"category": "0101", "lon": 110.36, "lat": 20.0, "description": "bench: cover missing"}
_ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)


@dataclass
class Screens:
    """Raw sockets that read the live channel; no HTTP library in the way of the clock."""

    arrived: dict[int, list[float]] = field(default_factory=dict)
    selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    tails: dict[socket.socket, bytes] = field(default_factory=dict)

    def open(self, city: Installation, count: int) -> None:
        address = urlsplit(city.http)
        head = (
            f"GET /events HTTP/1.1\r\nHost: {address.netloc}\r\nAccept: text/event-stream\r\n"
            f"Authorization: Bearer {city.tokens[Role.DISPATCHER]}\r\n\r\n"
        )
        for _ in range(count):
            viewer = socket.create_connection((str(address.hostname), int(address.port or 80)))
            viewer.sendall(head.encode())
            viewer.setblocking(False)
            self.selector.register(viewer, selectors.EVENT_READ)
            self.tails[viewer] = b""

    def read_until(self, moment: float) -> None:
        """Note when each revision reaches each screen."""
        while (left := moment - time.perf_counter()) > 0:
            for key, _ in self.selector.select(left):
                viewer = key.fileobj
                assert isinstance(viewer, socket.socket)
                text = self.tails[viewer] + viewer.recv(1 << 20)
                now = time.perf_counter()
                whole, _, self.tails[viewer] = text.rpartition(b"\n\n")
                for found in _ID.finditer(whole):
                    self.arrived.setdefault(int(found[1]), []).append(now)

    def close(self) -> None:
        for viewer in self.tails:
            viewer.close()
        self.selector.close()


def run(seconds: float | None = None) -> dict[str, Any]:
    """Median, 99th percentile and worst time in ms, for each number of screens."""
    found: dict[str, Any] = {"events_per_second": EVENTS_PER_SECOND}
    with running_installation() as city:
        incident = city.api(Role.DISPATCHER).post("/incidents", json=REPORT).json()["id"]
        for viewers in VIEWERS:
            figures = _measure(city, incident, viewers, seconds or SECONDS)
            found |= {f"{viewers}_screens_{name}": value for name, value in figures.items()}
    return found


def _measure(city: Installation, incident: int, viewers: int, seconds: float) -> dict[str, Any]:
    screens = Screens()
    committed: dict[int, float] = {}
    redis = open_redis(city.redis)
    try:
        screens.open(city, viewers)
        screens.read_until(time.perf_counter() + 2)
        with connect(city.postgres, application="bench push") as conn:
            begun = time.perf_counter()
            while time.perf_counter() - begun < seconds:
                entry = NewEvent(
                    datetime.now(UTC), "460107", "bench.push", f"incident:{incident}", "bench", {}
                )
                seq = append_events(conn, [entry])[0].seq
                conn.commit()
                committed[seq] = time.perf_counter()
                publish_event_seq(redis, seq)
                screens.read_until(committed[seq] + 1 / EVENTS_PER_SECOND)
        screens.read_until(time.perf_counter() + PATIENCE_S)
    finally:
        screens.close()
        redis.close()
    return _figures(committed, screens.arrived, viewers)


def _figures(
    committed: dict[int, float], arrived: dict[int, list[float]], viewers: int
) -> dict[str, Any]:
    """A frame may stand for several events: an event arrives with the first frame from it on."""
    revisions = sorted(arrived)
    delays: list[float] = []
    missed = 0
    for seq, at in committed.items():
        rev = next((r for r in revisions if r >= seq), None)
        reached = arrived[rev] if rev is not None else []
        delays += [1000 * (moment - at) for moment in reached]
        missed += viewers - len(reached)
    cuts = statistics.quantiles(delays, n=100)
    return {
        "deliveries": len(delays),
        "missed": missed,
        "p50_ms": cuts[49],
        "p99_ms": cuts[98],
        "max_ms": max(delays),
    }
