"""Ten minutes at a steady rate: does the memory of worker, broker and database stay flat?"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import stack
from bench import city_load, ingest, processes
from db.pool import Connection, connect

SECONDS = 600
RATE = 5_000.0
EVERY_S = 10.0
# The slope is that of the second half: at first caches fill, and queues reach their size when the
# machine falters for the first time.
SETTLED = 0.5


def run(seconds: int = SECONDS) -> dict[str, Any]:
    """Memory every ten seconds, and its slope once everything has settled."""
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder,
        stack.running(Path(folder)) as servers,
    ):
        city = city_load.found(servers.postgres, servers.mqtt, ingest.DEVICES)
        with (
            connect(servers.postgres, autocommit=True) as conn,
            ingest.working(servers, 1) as workers,
            city_load.publishing(city, RATE) as publisher,
        ):
            since, after = datetime.now(UTC), ingest.last_batch(conn)
            samples = _watch(conn, servers, workers, publisher, seconds)
            sent, began = publisher.finish()
            ended = ingest.wait_until_stored(conn, after, sent)
            ingest.check_accounts(conn, since, after, sent)
            late = ingest.lateness(conn, after)
    figures = {"seconds": seconds, "messages": sent, "messages_per_s": sent / (ended - began)}
    return {**figures, **late, **_slopes(samples), "samples": samples}


def _watch(
    conn: Connection,
    servers: ingest.Servers,
    workers: Sequence[int],
    publisher: Any,
    seconds: float,
) -> list[dict[str, float]]:
    """One row every ten seconds, in MiB. The payloads of batches are given up as evaluation would
    do it, which does not run here."""
    mosquitto, postgres = (servers.services.pid(name) for name in ("mosquitto", "postgres"))
    samples = []
    began = time.monotonic()
    publisher.allow(1)
    while (passed := time.monotonic() - began) < seconds:
        samples.append(
            {
                "s": round(passed, 1),
                "worker": sum(map(processes.rss_mib, workers)),
                "mosquitto": processes.rss_mib(mosquitto),
                # Without shared buffers, which fill up to their fixed size.
                "postgres": sum(processes.rss_mib(pid, "RssAnon") for pid in _family(postgres)),
            }
        )
        conn.execute(
            "UPDATE ingest_batch SET payload = NULL, evaluated_at = now()"
            " WHERE evaluated_at IS NULL"
        )
        time.sleep(EVERY_S)
    return samples


def _family(pid: int) -> list[int]:
    return [pid, *processes.children(pid)]


def _slopes(samples: list[dict[str, float]]) -> dict[str, float]:
    """MiB an hour by least squares, and the first and last value it is made of."""
    settled = samples[int(len(samples) * SETTLED) :]
    hours = [sample["s"] / 3600 for sample in settled]
    figures = {}
    for name in ("worker", "mosquitto", "postgres"):
        values = [sample[name] for sample in settled]
        figures[f"{name}_mib_first"], figures[f"{name}_mib_last"] = values[0], values[-1]
        figures[f"{name}_mib_per_hour"] = float(np.polyfit(hours, values, 1)[0])
    return figures
