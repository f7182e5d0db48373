"""One installation's wall, looked at: run by `bench.picture` in today's tree and in an earlier one,
so it knows both. Prints JSON: milliseconds of each first look of a page and of a process."""

from __future__ import annotations

import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import stack
from bench import city_load
from city.event import NewEvent
from city.incident import Role
from city.person import Caller
from db.events import append_events
from db.live import open_redis
from db.pool import connect, open_pool
from dispatch import steps

DEVICES, INCIDENTS = 20_000, 500
# Between two looks: an event of an incident, and as many values as come in a second.
LOOKS, VALUES = 40, 200
STARTS = 5
# Events since the last checkpoint, where there is one.
EVENTS_AFTER = 1_000
DISTRICT = city_load.DISTRICT


def first_of(*names: str) -> Any:
    """The first module of these that this tree has."""
    for name in names:
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError(names[0])


def fill(conn: Any) -> list[int]:
    """Newest values of every device, and open incidents as the centre reports them."""
    conn.execute(
        """
        INSERT INTO device_latest (device_id, metric_id, ts, value, received_at)
        SELECT d.id, m.id, now() - random() * interval '4 min', round((random() * 40)::numeric, 2),
               now()
        FROM device d JOIN metric m ON m.name = ANY(CASE d.kind
            WHEN 'gas' THEN '{ch4_pct_lel,temperature_c,humidity_pct,battery_pct}'::text[]
            WHEN 'manhole' THEN '{water_level_cm,tilt_deg,temperature_c,battery_pct}'
            ELSE '{power_w,voltage_v,current_a,dim_pct}' END)
        """
    )
    report_request = first_of("city.requests", "dispatch.requests").ReportRequest
    centre = Caller("bench", Role.DISPATCHER, DISTRICT, None)
    now = datetime.now(UTC)
    for number in range(INCIDENTS):
        request = report_request("0101", 110.4 + number / 1000, 20.1, "bench: cover missing")
        steps.report(conn, centre, request, now - timedelta(minutes=number))
    conn.commit()
    conn.execute("ANALYZE")
    conn.commit()
    return [row[0] for row in conn.execute("SELECT id FROM incident ORDER BY id")]


def change(conn: Any, incident_id: int) -> None:
    """What a step does: a row and its event."""
    conn.execute("UPDATE incident SET version = version + 1 WHERE id = %s", (incident_id,))
    event = NewEvent(
        datetime.now(UTC), DISTRICT, "bench.step", f"incident:{incident_id}", "bench", {}
    )
    append_events(conn, [event])
    conn.commit()


def frame(device_ids: list[int], number: int) -> dict[str, Any]:
    """New values of some devices, spread over all of them."""
    now = round(time.time() * 1000)
    step = len(device_ids) // VALUES
    chosen = device_ids[number % step :: step]
    rows = [[i, None, number + 0.5, "ch4_pct_lel", now, now] for i in chosen]
    return {"committed": now, "d": rows}


def look(servers: Any) -> dict[str, Any]:
    """Milliseconds, medians: of a page's snapshot, and of the start of a process with one."""
    walls = first_of("dashboard.shell.walls", "dashboard.walls").Walls
    pool, redis = open_pool(servers.postgres), open_redis(servers.redis)
    looks, starts, snapshots = [], [], []
    with connect(servers.postgres) as conn:
        incident_ids = fill(conn)
        device_ids = [row[0] for row in conn.execute("SELECT id FROM device ORDER BY id")]
        checkpoint(conn)
        for number in range(EVENTS_AFTER):
            change(conn, incident_ids[number % INCIDENTS])
        for _ in range(STARTS):
            process = walls(pool, redis)
            begun = time.perf_counter()
            wall = process.of(DISTRICT)
            started = time.perf_counter()
            first = wall.snapshot()
            snapshots.append(1000 * (time.perf_counter() - started))
            starts.append(1000 * (time.perf_counter() - begun))
            process.stop()
        process = walls(pool, redis)
        wall = process.of(DISTRICT)
        for number in range(LOOKS):
            change(conn, incident_ids[number * 7 % INCIDENTS])
            wall.catch_up()
            wall._take_devices(frame(device_ids, number))
            begun = time.perf_counter()
            wall.snapshot()
            looks.append(1000 * (time.perf_counter() - begun))
            time.sleep(0.1)
        process.stop()
    pool.close()
    redis.close()
    return {
        "snapshot_ms": median(looks),
        "start_and_snapshot_ms": median(starts),
        "snapshot_after_start_ms": median(snapshots),
        "start_and_snapshot_worst_ms": max(starts),
        "plain_kb": len(first.plain) / 1000,
        "zipped_kb": len(first.zipped) / 1000,
    }


def checkpoint(conn: Any) -> None:
    """As the scheduler makes one; an earlier tree has none."""
    # Not by importing: what this tree lacks would be found in the one that is installed.
    if not Path("replay").is_dir():
        return
    keeping = import_module("replay.read_picture")
    keeping.keep_pictures(conn, datetime.now(UTC))
    conn.commit()


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as home,
        stack.running(Path(home)) as running,
    ):
        city_load.found(running.postgres, running.mqtt, DEVICES)
        print(json.dumps(look(running)))
