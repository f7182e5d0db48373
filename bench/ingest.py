"""How many messages a second go from a publisher into committed rows, and how late they are.

QoS 1, 20,000 devices, four readings a message, sustained. As much is published as is stored: a
publisher that only fills the broker's queue would measure nothing. Beside it, on the same broker
in the same run: `mosquitto_sub`, which receives the same messages and stores nothing, and
Node-RED where it is installed.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

import stack
from bench import city_load, earlier, node_red, processes
from bench.city_load import READINGS, City
from db import ledger, readings
from db.pool import Connection, connect
from ingest.inbox import IngestSettings
from ingest.message import GAS_LANE
from ingest.mqtt import end_session

DEVICES = 20_000
SECONDS = 60
WORKERS = (1, 2, 3)
# What the product promises on two cores; lateness is measured at this rate.
PROMISED_RATE = 15_000.0
# Slow enough that nothing queues: the way itself is measured.
QUIET_RATE = 200.0
# Published and not yet stored, when as much is published as is stored: a second's worth.
BACKLOG = 20_000
SUBSCRIBER_MESSAGES = 600_000
# How often an earlier commit and today's are measured in turn.
ROUNDS = 2
# Figures of both, as they were called then and are now.
COMPARED = {
    "messages_per_s": "messages_per_s",
    "published_to_committed_ms_p50": "published_to_committed_ms_p50",
    "published_to_committed_ms_p99": "published_to_committed_ms_p99",
    "worker_peak_rss_mib": "ingest_peak_rss_mib",
}
READY_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 120.0
POLL_S = 0.05
LATEST_EVERY_S = 0.02

# An ingest process as `gridwarden ingest` runs it.
START_INBOX = """
import json, signal, sys, threading
from ingest.inbox import IngestSettings, run
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
run(IngestSettings(**json.loads(sys.argv[1])), stop)
"""

Servers = stack.RunningStack


class Cost:
    """CPU seconds of everybody who has a part in it, and of the rest of the machine."""

    def __init__(self, servers: Servers, pids: dict[str, list[int]]) -> None:
        self._pids = {**pids, "mosquitto": [servers.services.pid("mosquitto")]}
        self._postgres = servers.services.pid("postgres")
        self._before, self._machine_before = self._now(), processes.machine_cpu_s()
        self._began = time.monotonic()

    def figures(self, messages: int) -> dict[str, float]:
        """Milliseconds for each thousand messages since the beginning; cores that we had, and
        that others on this machine took meanwhile."""
        spent = {name: now - self._before[name] for name, now in self._now().items()}
        lasted, own = time.monotonic() - self._began, sum(spent.values())
        others = processes.machine_cpu_s() - self._machine_before - own
        each = {f"cpu_ms_per_1000_{name}": 1e6 * s / messages for name, s in spent.items()}
        return {**each, "cores_ours": own / lasted, "cores_of_others": others / lasted}

    def _now(self) -> dict[str, float]:
        own = {name: sum(map(processes.cpu_s, pids)) for name, pids in self._pids.items()}
        return {**own, "postgres": processes.family_cpu_s(self._postgres)}


def run_against(commit: str, seconds: int = SECONDS) -> dict[str, Any]:
    """Two workers of an earlier commit and of today's, in turn: as much as they store, and at the
    promised rate."""
    rounds: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]] = []
    with earlier.checked_out(commit) as tree:
        for _ in range(ROUNDS):
            before = earlier.run_in(tree, earlier.INGEST, seconds, 0.0, PROMISED_RATE)
            rounds.append((before, _measure_now(seconds)))
    return {
        "against": commit,
        "seconds": seconds,
        "rounds": rounds,
        "most": earlier.compare([(before[0], now[0]) for before, now in rounds], COMPARED),
        "at_promised_rate": earlier.compare(
            [(before[1], now[1]) for before, now in rounds], COMPARED
        ),
    }


def _measure_now(seconds: float) -> list[dict[str, Any]]:
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder,
        stack.running(Path(folder)) as servers,
    ):
        city = city_load.found(servers.postgres, servers.mqtt, DEVICES)
        return [measure(servers, city, 2, seconds, rate) for rate in (0.0, PROMISED_RATE)]


def run(
    seconds: int = SECONDS,
    workers: Sequence[int] = WORKERS,
    *,
    with_node_red: bool = False,
    against: str = "",
) -> dict[str, Any]:
    """All measurements of one run; with `against` only those beside an earlier commit's."""
    if against:
        return run_against(against, seconds)
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder,
        stack.running(Path(folder)) as servers,
    ):
        city = city_load.found(servers.postgres, servers.mqtt, DEVICES)
        figures: dict[str, Any] = {"devices": DEVICES, "seconds": seconds}
        bare = measure_subscriber(city)
        figures["mosquitto_sub_messages_per_s"] = bare
        for count in workers:
            most = measure(servers, city, count, seconds)
            most["share_of_mosquitto_sub"] = most["messages_per_s"] / bare
            figures[f"{count}_workers"] = most
        figures["at_promised_rate"] = measure(servers, city, 2, seconds, PROMISED_RATE)
        figures["quiet"] = measure(servers, city, 1, min(seconds, 20), QUIET_RATE)
        if with_node_red and not node_red.is_installed():
            node_red.install()
        if node_red.is_installed():
            figures["node_red"] = measure_node_red(servers, city, seconds)
    return figures


def measure_subscriber(city: City) -> float:
    """Messages a second that `mosquitto_sub` receives."""
    host, _, port = city.mqtt.rpartition("/")[2].partition(":")
    command = [
        str(stack.provision().program("mosquitto_sub")), "-h", host, "-p", port, "-q", "1",
        "-t", city.filter, "-C", str(SUBSCRIBER_MESSAGES), "-F", "%p",
    ]  # fmt: skip
    with (
        city_load.publishing(city) as publisher,
        subprocess.Popen(command, stdout=subprocess.DEVNULL) as subscriber,
    ):
        time.sleep(1.0)
        publisher.allow(SUBSCRIBER_MESSAGES)
        began = time.time()
        subscriber.wait(DRAIN_TIMEOUT_S)
        return SUBSCRIBER_MESSAGES / (time.time() - began)


@contextmanager
def working(servers: Servers, storers: int) -> Iterator[list[int]]:
    """An ingest process with so many storing workers, all ready; gives their process ids."""
    settings = IngestSettings(
        servers.mqtt, servers.postgres, servers.redis, "bench", storers=storers, session="bench"
    )
    inbox = subprocess.Popen([sys.executable, "-c", START_INBOX, json.dumps(asdict(settings))])
    try:
        with connect(servers.postgres, autocommit=True) as conn:
            _wait_until_known(conn, storers)
        time.sleep(3.0)  # subscribed, and the mark of the gas lane has come
        yield [inbox.pid, *processes.children(inbox.pid)]
    finally:
        inbox.terminate()
        inbox.wait()
        for lane in ("", GAS_LANE):
            end_session(servers.mqtt, settings.client_id + lane)


def _wait_until_known(conn: Connection, count: int) -> None:
    until = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until:
        row = conn.execute("SELECT count(*) FROM ingest_worker").fetchone()
        if row and row[0] == count:
            return
        time.sleep(0.1)
    raise TimeoutError("the workers did not start")


def measure(
    servers: Servers, city: City, count: int, seconds: float, rate: float = 0.0
) -> dict[str, float]:
    """Publish for so long, at a rate or as much as is stored; wait until all is stored."""
    with (
        connect(servers.postgres, autocommit=True) as conn,
        working(servers, count) as pids,
        city_load.publishing(city, rate) as publisher,
    ):
        cost = Cost(servers, {"worker": pids, "publisher": [publisher.pid]})
        since, after = datetime.now(UTC), last_batch(conn)
        asked = _drive(conn, publisher, lambda: _stored(conn, after), seconds)
        sent, began = publisher.finish()
        ended = wait_until_stored(conn, after, sent)
        figures = {
            "messages": float(sent),
            "messages_per_s": sent / (ended - began),
            "readings_per_s": READINGS * sent / (ended - began),
            **lateness(conn, after),
            **asked,
            "ingest_peak_rss_mib": sum(processes.rss_mib(pid, "VmHWM") for pid in pids),
            **cost.figures(sent),
        }
        check_accounts(conn, since, after, sent)
    return figures


def _drive(conn: Connection, publisher: Any, stored: Any, seconds: float) -> dict[str, float]:
    """Let the publisher go ahead of what is stored by the backlog, for so long; meanwhile ask for
    the latest values of a device, again and again."""
    device_ids = [row[0] for row in conn.execute("SELECT id FROM device")]
    took: list[float] = []
    until = time.monotonic() + seconds
    next_poll = 0.0
    while (now := time.monotonic()) < until:
        if now >= next_poll:
            next_poll = now + POLL_S
            publisher.allow(stored() + BACKLOG)
        asked_at = time.perf_counter()
        readings.latest(conn, random.choice(device_ids))
        took.append(1000 * (time.perf_counter() - asked_at))
        time.sleep(LATEST_EVERY_S)
    return {
        "latest_of_one_device_ms_p50": float(np.percentile(took, 50)),
        "latest_of_one_device_ms_p99": float(np.percentile(took, 99)),
    }


def last_batch(conn: Connection) -> int:
    row = conn.execute("SELECT coalesce(max(id), 0) FROM ingest_batch").fetchone()
    return int(row[0]) if row else 0


def _stored(conn: Connection, after: int) -> int:
    row = conn.execute(
        "SELECT coalesce(sum(stored), 0) FROM ingest_batch WHERE id > %s", (after,)
    ).fetchone()
    return int(row[0]) if row else 0


def wait_until_stored(conn: Connection, after: int, sent: int) -> float:
    """The time of the commit after which all messages were accounted for as stored."""
    until = time.monotonic() + DRAIN_TIMEOUT_S
    while time.monotonic() < until:
        if _stored(conn, after) >= sent:
            row = conn.execute(
                "SELECT extract(epoch FROM max(committed_at))::float8 FROM ingest_batch"
            ).fetchone()
            return float(row[0]) if row else 0.0
        time.sleep(POLL_S)
    raise TimeoutError(f"only {_stored(conn, after)} of {sent} messages were stored")


def lateness(conn: Connection, after: int) -> dict[str, float]:
    """Milliseconds from receipt to commit, and from publishing to commit; of the messages of a
    batch it is taken that they came evenly from its first to its last."""
    batches = np.array(
        conn.execute(
            """
            SELECT extract(epoch FROM committed_at - received_from)::float8,
                   extract(epoch FROM committed_at - received_to)::float8,
                   sense.s, received
            FROM ingest_batch AS batch CROSS JOIN LATERAL (
                SELECT sum(sense_s_sum) / sum(sense_n) AS s FROM ingest_ledger
                WHERE batch_id = batch.id
            ) AS sense
            WHERE id > %s AND received > 0
            """,
            (after,),
        ).fetchall(),
        np.float64,
    )
    first, last, sensed, received = batches.T
    steps = np.linspace(0.05, 0.95, 10)
    stored = 1000 * (first[:, None] + (last - first)[:, None] * steps)
    published = stored + 1000 * np.nan_to_num(sensed)[:, None]
    weights = np.repeat(received, len(steps))
    return {
        f"{name}_to_committed_ms_p{percent}": _weighted(late.ravel(), weights, percent)
        for name, late in (("received", stored), ("published", published))
        for percent in (50, 99)
    }


def _weighted(values: Any, weights: Any, percent: float) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(share, percent / 100)])


def check_accounts(conn: Connection, since: datetime, after: int, sent: int) -> None:
    """Every message is stored once, and the ledger agrees with the tables."""
    booked = conn.execute(
        "SELECT sum(received), sum(stored), sum(readings_stored) FROM ingest_batch WHERE id > %s",
        (after,),
    ).fetchone()
    if booked != (sent, sent, READINGS * sent):
        raise AssertionError(f"sent {sent}, booked {booked}")
    wrong = ledger.verify(conn, since, datetime.now(UTC) + timedelta(minutes=1))
    if wrong:
        raise AssertionError(f"the ledger does not balance: {wrong[0]}")


def measure_node_red(servers: Servers, city: City, seconds: float) -> dict[str, float]:
    """The same publisher against a flow that inserts a thousand messages at a time."""
    with (
        connect(servers.postgres, autocommit=True) as conn,
        node_red.running(city) as flow,
        city_load.publishing(city) as publisher,
    ):
        cost = Cost(servers, {"node_red": [flow.pid], "publisher": [publisher.pid]})
        asked = _drive(conn, publisher, lambda: flow.stored(conn), seconds)
        sent, began = publisher.finish()
        ended = flow.wait_until_stored(conn, sent)
        return {
            "messages": float(sent),
            "messages_per_s": sent / (ended - began),
            "readings_per_s": READINGS * sent / (ended - began),
            **asked,
            "peak_rss_mib": processes.rss_mib(flow.pid, "VmHWM"),
            **cost.figures(sent),
        }
