"""How many messages a second go from a publisher into committed rows, and how late they are.

QoS 1, four readings a message, one device in five thousand each time. Beside it, on the same
broker in the same run: `mosquitto_sub`, which receives the same messages and stores nothing.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import stack
from bench import mqtt_load
from db import seeds
from db.devices import NewDevice, insert_devices
from db.migrate import migrate
from db.pool import connect
from ingest.mqtt import end_sessions
from ingest.worker import IngestSettings
from ingest.worker import run as run_worker

DEVICES = 5_000
DISTRICT = "990101"
# Messages of one measurement, for each second asked for: what one worker stores on two cores.
MESSAGES_PER_SECOND = 6_000
SECONDS = 10
# Slow enough that nothing queues: the way itself is measured.
LATENCY_RATE = 200.0
READY_TIMEOUT_S = 30.0
DRAIN_TIMEOUT_S = 120.0

OUTLINE = {"type": "Polygon", "coordinates": [[[110, 20], [111, 20], [111, 21], [110, 20]]]}


def run(seconds: int | None = None) -> dict[str, Any]:
    """All measurements; prints them as a table and returns them."""
    count = (seconds or SECONDS) * MESSAGES_PER_SECOND
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder,
        stack.running(Path(folder)) as servers,
    ):
        topics = _prepare(servers.postgres)
        figures = {
            "messages": count,
            "mosquitto_sub_messages_per_s": _measure_subscriber(servers, topics, count),
            **_measure_workers(servers, topics, count, 1),
            **_measure_workers(servers, topics, count, 2),
            **_measure_latency(servers, topics, int((seconds or SECONDS) * LATENCY_RATE)),
        }
    width = max(map(len, figures))
    for name, figure in figures.items():
        print(f"{name:<{width}}  {figure:>12,.1f}")
    return figures


def _prepare(database_url: str) -> list[str]:
    """Schema and registry; gives the topics."""
    migrate(database_url)
    now = datetime.now(UTC)
    codes = [f"BG-{number:05}" for number in range(DEVICES)]
    with connect(database_url) as conn:
        seeds.seed_reference(conn, now)
        conn.execute(
            "INSERT INTO district (code, name_zh, name_en, outline) VALUES (%s, '测', 'Bench', %s)",
            (DISTRICT, json.dumps(OUTLINE)),
        )
        insert_devices(
            conn,
            [
                NewDevice(code, DISTRICT, "gas", "", "native", None, code, 110.5, 20.3, None,
                          "methane", 300, {})
                for code in codes
            ],
            now,
        )  # fmt: skip
        conn.commit()
    return [f"city/v1/{DISTRICT}/gas/{code}/telemetry" for code in codes]


def _packets(topics: Sequence[str], count: int) -> list[bytes]:
    """Messages whose times begin now and are a millisecond apart for a device."""
    start = int(time.time() * 1000) - 60_000
    return [
        mqtt_load.packet(
            topics[number % len(topics)],
            b'{"ts":%d,"readings":{"ch4_pct_lel":%.2f,"temperature_c":21.4,'
            b'"humidity_pct":55.2,"battery_pct":88}}'
            % (start + number // len(topics), number % 500 / 100),
            number % 65535 + 1,
        )
        for number in range(count)
    ]


def _publish(mqtt_url: str, packets: Sequence[bytes], rate: float = 0.0) -> float:
    address = urlsplit(mqtt_url)
    sock = mqtt_load.connect(address.hostname or "", address.port or 0, "bench-publisher")
    try:
        return mqtt_load.publish(sock, packets, rate)
    finally:
        sock.close()


def _measure_subscriber(servers: Any, topics: Sequence[str], count: int) -> float:
    address = urlsplit(servers.mqtt)
    program = stack.provision().program("mosquitto_sub")
    command = [
        str(program), "-h", str(address.hostname), "-p", str(address.port), "-q", "1",
        "-t", "city/v1/+/+/+/telemetry", "-C", str(count), "-F", "%p",
    ]  # fmt: skip
    packets = _packets(topics, count)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as subscriber:
        time.sleep(1.0)
        began = _publish(servers.mqtt, packets)
        subscriber.wait(DRAIN_TIMEOUT_S)
        return count / (time.time() - began)


@contextmanager
def _workers(servers: Any, count: int) -> Iterator[None]:
    """So many ingest processes, connected; stopped at the end."""
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Queue(), context.Event()
    processes = [
        context.Process(
            target=_work, args=(servers.mqtt, servers.postgres, servers.redis, f"b{n}", stop, ready)
        )
        for n in range(count)
    ]
    for process in processes:
        process.start()
    try:
        for _ in processes:
            ready.get(timeout=READY_TIMEOUT_S)
        time.sleep(2.0)  # connected to broker and database
        yield
    finally:
        stop.set()
        for process in processes:
            process.join()
        for number in range(count):  # or the broker would go on keeping their share for them
            end_sessions(servers.mqtt, f"b{number}")


def _work(
    mqtt_url: str, database_url: str, redis_url: str, name: str, stop: Any, ready: Any
) -> None:
    ready.put(name)
    run_worker(IngestSettings(mqtt_url, database_url, redis_url, name), stop)


def _measure_workers(
    servers: Any, topics: Sequence[str], count: int, workers: int
) -> dict[str, float]:
    """From the first byte published to the last batch committed."""
    packets = _packets(topics, count)
    with _workers(servers, workers), connect(servers.postgres, autocommit=True) as conn:
        last_id = conn.execute("SELECT coalesce(max(id), 0) FROM ingest_batch").fetchone()
        began = _publish(servers.mqtt, packets)
        ended = _wait_until_stored(conn, last_id[0] if last_id else 0, count)
    rate = count / (ended - began)
    name = "one_worker" if workers == 1 else f"{workers}_workers"
    return {f"{name}_messages_per_s": rate, f"{name}_readings_per_s": 4 * rate}


def _wait_until_stored(conn: Any, after_id: int, count: int) -> float:
    """The time of the commit after which all messages were accounted for as stored."""
    until = time.monotonic() + DRAIN_TIMEOUT_S
    while time.monotonic() < until:
        stored, last = conn.execute(
            "SELECT coalesce(sum(stored), 0), extract(epoch FROM max(committed_at))::float8"
            " FROM ingest_batch WHERE id > %s",
            (after_id,),
        ).fetchone()
        if stored >= count:
            return float(last)
        time.sleep(0.1)
    raise TimeoutError(f"only {stored} of {count} messages were stored")


def _measure_latency(servers: Any, topics: Sequence[str], count: int) -> dict[str, float]:
    """From the publisher's clock to the commit, when nothing queues."""
    address = urlsplit(servers.mqtt)
    with _workers(servers, 1), connect(servers.postgres, autocommit=True) as conn:
        last_id = conn.execute("SELECT coalesce(max(id), 0) FROM ingest_batch").fetchone()
        sock = mqtt_load.connect(address.hostname or "", address.port or 0, "bench-publisher")
        for number in range(count):
            topic = topics[number % len(topics)]
            body = b'{"ts":%d,"readings":{"ch4_pct_lel":1.5}}' % (time.time() * 1000)
            mqtt_load.publish(sock, [mqtt_load.packet(topic, body, number % 65535 + 1)])
            time.sleep(1 / LATENCY_RATE)
        sock.close()
        _wait_until_stored(conn, last_id[0] if last_id else 0, count)
        late = conn.execute(
            """
            SELECT extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY late)) * 1000,
                   extract(epoch FROM percentile_cont(0.99) WITHIN GROUP (ORDER BY late)) * 1000
            FROM (
                SELECT batch.committed_at - reading.ts AS late
                FROM ingest_batch AS batch
                JOIN reading ON received_at BETWEEN received_from AND received_to
                WHERE batch.id > %s
            ) AS each
            """,
            (last_id[0] if last_id else 0,),
        ).fetchone()
    assert late is not None, "an aggregate gives one row"
    return {
        "published_to_committed_ms_p50": float(late[0]),
        "published_to_committed_ms_p99": float(late[1]),
    }
