"""Two engines on two districts, in processes of their own: side by side, and nothing twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import pytest

from alerts.evaluate import evaluate_waiting
from alerts.steps import acknowledge, apply_rules, default_rules, tick_by_district
from alerts.worker import EngineSettings
from city.incident import Role
from city.moment import as_microseconds
from city.person import Caller
from city.reading import METRICS
from columns.readings import BATCH_DTYPE, pack
from db import alarms
from db.pool import Connection, connect
from tests.integration.alerts.engine_city import DISTRICT, Engine

OTHER = "460108"
NOBODY = "redis://127.0.0.1:1/0"
# An engine as `gridwarden engine` runs it, without dispatch.
RUN = """
import json, signal, sys, threading
from alerts.worker import EngineSettings, run
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
run(EngineSettings(**json.loads(sys.argv[1])), stop)
"""
DEVICES = 30


@contextmanager
def engine_process(url: str) -> Iterator[subprocess.Popen[bytes]]:
    settings = json.dumps(asdict(EngineSettings(url, NOBODY)))
    process = subprocess.Popen([sys.executable, "-c", RUN, settings])
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def wait_for(look: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < until, "nothing came in time"
        time.sleep(0.05)


class Towns:
    """Devices in two districts that share a database, and batches for both."""

    def __init__(self, conn: Connection, now: datetime) -> None:
        self.conn = conn
        self.engine = Engine(conn, now)
        conn.execute(
            "INSERT INTO district (code, name_zh, name_en, outline)"
            " SELECT %s, name_zh, name_en, outline FROM district WHERE code = %s"
            " ON CONFLICT DO NOTHING",
            (OTHER, DISTRICT),
        )
        apply_rules(conn, "system", default_rules(), now)
        self.ids: dict[str, list[int]] = {DISTRICT: [], OTHER: []}
        for number in range(DEVICES):
            for district, devices in self.ids.items():
                device_id = self.engine.device(f"G-{district}-{number}", "gas")
                conn.execute("UPDATE device SET district = %s WHERE id = %s", (district, device_id))
                devices.append(device_id)
        conn.commit()

    def store(self, district: str, value: float = 42.0, *, named: str | None = None) -> int:
        """A waiting batch in which every device of a district is over the limit."""
        now_us = as_microseconds(self.engine.now)
        rows = np.zeros(DEVICES, BATCH_DTYPE)
        for i, device_id in enumerate(self.ids[district]):
            rows[i] = (device_id, METRICS["ch4_pct_lel"].id, 0, now_us, now_us, value)
        return self.engine.store_payload(pack(rows), district if named is None else named)

    def waiting(self) -> int:
        row = self.conn.execute(
            "SELECT count(*) FROM ingest_batch WHERE evaluated_at IS NULL"
        ).fetchone()
        self.conn.rollback()
        return int(row[0]) if row else 0

    def engines_at_the_head(self) -> list[int]:
        """Engines that hold a district and wait for the head of the event log."""
        rows = self.conn.execute(
            """
            SELECT pid FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'engine'
              AND wait_event_type = 'Lock' AND query LIKE '%event_head%'
              AND pid IN (SELECT pid FROM pg_locks
                          WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted)
            """
        ).fetchall()
        self.conn.rollback()
        return [row[0] for row in rows]

    def check_once_each(self) -> None:
        """Every device has one alarm, raised once."""
        assert sorted(alarm.condition for alarm in self.engine.alarms()) == sorted(
            f"gas/G-{district}-{number}" for district in self.ids for number in range(DEVICES)
        )
        rows = self.conn.execute("SELECT kind, count(*) FROM alarm_change GROUP BY kind").fetchall()
        assert rows == [("raised", 2 * DEVICES)]
        assert self.engine.events().count("alarm.raised") == 2 * DEVICES


@pytest.fixture
def towns(database_url: str, now: datetime) -> Iterator[Towns]:
    with connect(database_url) as conn:
        yield Towns(conn, now)


def test_both_evaluate_at_the_same_time_and_what_a_killed_one_had_is_done_by_the_other(
    database_url: str, towns: Towns
) -> None:
    for _ in range(3):
        for district in (DISTRICT, OTHER):
            towns.store(district)
    towns.conn.commit()
    with ExitStack() as running:
        head = running.enter_context(connect(database_url))
        head.execute("SELECT FROM event_head FOR UPDATE")
        first = running.enter_context(engine_process(database_url))
        running.enter_context(engine_process(database_url))
        # Both have judged, each its own district, and only the log's head is in their way.
        wait_for(lambda: len(towns.engines_at_the_head()) == 2)
        first.send_signal(signal.SIGKILL)
        first.wait(20)
        head.rollback()
        wait_for(lambda: towns.waiting() == 0)
    towns.check_once_each()


def test_an_engine_goes_on_in_one_district_while_another_is_held(
    database_url: str, towns: Towns
) -> None:
    with connect(database_url) as other:
        alarms.lock_district(other, DISTRICT)
        towns.store(DISTRICT)
        towns.store(OTHER)
        towns.conn.commit()
        with engine_process(database_url):
            wait_for(lambda: towns.waiting() == 1)
            assert {a.district for a in towns.engine.alarms()} == {OTHER}
            other.rollback()
            wait_for(lambda: towns.waiting() == 0)
    towns.check_once_each()


def test_three_engines_ticks_and_people_at_once_end_with_one_alarm_a_condition(
    database_url: str, towns: Towns
) -> None:
    caller = Caller("a dispatcher", Role.SYSTEM, DISTRICT)
    with ExitStack() as running:
        for _ in range(3):
            running.enter_context(engine_process(database_url))
        for round_ in range(12):
            for district in (DISTRICT, OTHER):
                towns.store(district)
            towns.conn.commit()
            for _ in tick_by_district(towns.conn, datetime.now(UTC)):
                towns.conn.commit()
            found = [a for a in towns.engine.alarms() if a.acknowledged_at is None]
            towns.conn.rollback()
            if found and round_ % 2:
                acknowledge(towns.conn, caller, found[0].id, found[0].version, towns.engine.now)
                towns.conn.commit()
        wait_for(lambda: towns.waiting() == 0)
    conditions = [alarm.condition for alarm in towns.engine.alarms()]
    assert len(conditions) == len(set(conditions)) == 2 * DEVICES
    assert towns.engine.changes().count("raised") == 2 * DEVICES


def test_what_belongs_to_another_district_is_passed_on_to_it(towns: Towns) -> None:
    mixed = towns.store(OTHER, named="")  # of an ingest that knows nothing of districts
    moved = towns.store(OTHER, named=DISTRICT)  # the devices have been moved since
    while evaluate_waiting(towns.conn, towns.engine.now) is not None:
        towns.conn.commit()
    assert [alarm.district for alarm in towns.engine.alarms()] == [OTHER] * DEVICES
    rows = towns.conn.execute(
        """
        SELECT district, sum(readings_stored), sum(received), count(*) FILTER (WHERE evaluated_at
               IS NULL) FROM ingest_batch WHERE id >= %s GROUP BY district ORDER BY district
        """,
        (mixed,),
    ).fetchall()
    assert moved == mixed + 1
    assert [(row[0], row[2], row[3]) for row in rows] == [
        ("", 1, 0), (DISTRICT, 1, 0), (OTHER, 0, 0),
    ]  # fmt: skip
