"""Real processes that are killed: what is to be told is told once, and one dead channel delays no
other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from bench.installation import wait_for
from city.delivery import Channel, ChannelKind, EscalationStep, Step
from city.incident import Role
from db import contacts, message_settings, users
from db.pool import connect
from tests.integration.dispatch.town import DISTRICT, City
from tests.integration.notify.servers import Web, web_server

PROGRAM = Path(__file__).with_name("telling.py")
ROOT = PROGRAM.parents[3]
LEASE_S = 2.0
# A process starts within this on a busy machine.
START_S = 40


@dataclass
class House:
    """A database with real processes on it."""

    database_url: str
    redis_url: str
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *, scheduler: bool = False) -> subprocess.Popen[bytes]:
        settings = {
            "database_url": self.database_url,
            "redis_url": self.redis_url,
            "base_url": "https://city.example",
            "secret_key": "only for these tests",
            "timeout_s": 1.5,
            "lease_s": LEASE_S,
        }
        told = [str(PROGRAM), json.dumps(settings)]
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "GRIDWARDEN_DATABASE_URL": self.database_url,
            "GRIDWARDEN_REDIS_URL": self.redis_url,
            "GRIDWARDEN_MQTT_URL": "mqtt://127.0.0.1:9",
        }
        arguments = ["-m", "app.cli", "scheduler"] if scheduler else told
        process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environ)
        self.running.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.running.remove(process)

    def sql(self, text: str, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as conn:
            cursor = conn.execute(text, values)  # type: ignore[call-overload]
            return list(cursor.fetchall()) if cursor.description else []

    def channels(self, **addresses: str) -> None:
        with connect(self.database_url) as conn:
            made = [Channel(n, ChannelKind.WEBHOOK, a) for n, a in addresses.items()]
            message_settings.save_channels(conn, DISTRICT, made)
            rows = [
                EscalationStep(step, percent, 4, (), tuple(addresses))
                for step, percent in ((Step.OPENED, None), (Step.REMINDER, 80))
            ]
            message_settings.save_steps(conn, DISTRICT, rows)
            conn.commit()

    def open_cases(self, *numbers: int) -> list[int]:
        """Each of a device of its own, far from the others."""
        with connect(self.database_url) as conn:
            found = conn.execute("SELECT id FROM device WHERE kind = 'gas' ORDER BY id").fetchall()
            cases = []
            for number in numbers:
                town = City(conn, datetime.now(UTC), found[number][0], "")
                at = 110.1 + number / 10
                cases.append(town.new_filed(condition=f"gas_leak/{number}", lon=at))
            conn.commit()
        return cases


@pytest.fixture
def house(database_url: str, redis_url: str) -> Iterator[House]:
    made = House(database_url, redis_url)
    yield made
    for process in list(made.running):
        made.kill(process)


@pytest.fixture
def hooks() -> Iterator[tuple[Web, Web]]:
    with ExitStack() as opened:
        yield opened.enter_context(web_server()), opened.enter_context(web_server())


def keys(web: Web) -> list[str]:
    return [got.headers["Idempotency-Key"] for got in web.arrived]


def test_a_channel_that_hangs_delays_no_other_and_a_kill_doubles_nothing(
    house: House, hooks: tuple[Web, Web]
) -> None:
    dead, good = hooks
    dead.hangs = True
    house.channels(dead=dead.url, good=good.url)
    process = house.start()
    cases = house.open_cases(1, 2, 3)
    wait_for(lambda: len(good.arrived) == len(cases), START_S)
    wait_for(lambda: dead.arrived, START_S)
    # Killed while the server has the message and has not said so.
    house.kill(process)
    states = house.sql("SELECT channel, state, count(*) FROM delivery GROUP BY 1, 2 ORDER BY 1, 2")
    assert states == [("dead", "queued", 3), ("good", "delivered", 3)]
    dead.hangs = False
    dead.ended.set()
    house.start()
    wait_for(lambda: len(set(keys(dead))) == 3, START_S)
    wait_for(lambda: house.sql("SELECT DISTINCT state FROM delivery") == [("delivered",)], START_S)
    # Whoever got it twice knows it by its key.
    assert len(keys(good)) == 3
    assert house.sql("SELECT count(*) FROM delivery") == [(6,)]


def test_whenever_it_is_killed_each_thing_is_told_once(
    house: House, hooks: tuple[Web, Web]
) -> None:
    _, good = hooks
    house.channels(good=good.url)
    process = house.start()
    cases = house.open_cases(1)
    wait_for(lambda: good.arrived, START_S)
    for number in range(2, 7):
        cases += house.open_cases(number)
        time.sleep(number / 20)
        house.kill(process)
        process = house.start()
    wait_for(lambda: len(set(keys(good))) == len(cases), START_S)
    told = house.sql("SELECT event_seq, count(*) FROM delivery GROUP BY 1")
    assert sorted(count for _, count in told) == [1] * len(cases)
    assert house.sql("SELECT count(*) FROM event WHERE kind = 'incident.told'") == [(len(cases),)]


def test_a_restart_while_a_clock_runs_tells_the_next_step_once_and_on_time(
    house: House, hooks: tuple[Web, Web]
) -> None:
    """Alarms that another one explains tell nobody, before and after."""
    _, good = hooks
    house.channels(good=good.url)
    scheduler, telling = house.start(scheduler=True), house.start()
    (case,) = house.open_cases(1)
    wait_for(lambda: len(good.arrived) == 1, START_S)
    due = datetime.now(UTC) + timedelta(seconds=12)
    house.sql(
        "UPDATE deadline SET warn_at = %s, due_at = %s WHERE incident_id = %s",
        due,
        due + timedelta(hours=1),
        case,
    )
    house.sql(
        """
        INSERT INTO alarm_inhibition
            (condition, by_condition, district, device_id, severity, reason, since)
        SELECT 'device_silent/' || code, 'gateway_silent/gw', district, id, 1, '{}', now()
        FROM device WHERE kind = 'gas' LIMIT 5
        """
    )
    house.kill(scheduler)
    house.kill(telling)
    house.start(scheduler=True)
    house.start()
    wait_for(lambda: len(good.arrived) == 2, START_S)
    told = good.arrived[1].json
    assert told["step"] == "reminder"
    (noticed,) = house.sql("SELECT warned_at FROM deadline WHERE incident_id = %s", case)
    assert isinstance(noticed[0], datetime)
    assert timedelta(0) <= noticed[0] - due < timedelta(seconds=20)
    time.sleep(2)
    assert len(good.arrived) == 2
    assert house.sql("SELECT step, count(*) FROM delivery GROUP BY 1 ORDER BY 1") == [
        ("opened", 1),
        ("reminder", 1),
    ]


def test_two_processes_tell_each_thing_once(house: House, hooks: tuple[Web, Web]) -> None:
    _, good = hooks
    house.channels(good=good.url)
    with connect(house.database_url) as conn:
        users.add_user(conn, "ma", "a long password", Role.DISPATCHER, DISTRICT, datetime.now(UTC))
        contacts.begin_session(conn, "sid", "ma", datetime.now(UTC))
        conn.commit()
    house.start()
    house.start()
    cases = house.open_cases(*range(8))
    wait_for(lambda: len(good.arrived) >= len(cases), START_S)
    time.sleep(LEASE_S + 1)
    assert sorted(keys(good)) == sorted(set(keys(good)))
    assert len(good.arrived) == len(cases)
