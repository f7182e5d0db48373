"""From a published message to its committed alarm while a city reports, over the whole path:
broker, two storing workers, engine, ticks. Runs by itself in an earlier tree as well, with what
both have (`bench alarms`): the arguments are a file of rules, the seconds at each rate, and how
many kills.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import stack
from bench import city_load, ingest, mqtt_load, processes
from city.place import LonLat
from city.sun import is_dark
from db.pool import connect

DEVICES = 20_000
RATES = (5_000.0, 15_000.0)
# The load that the engine is killed under.
KILLED_AT = 5_000.0
ALARM_EVERY_S = 0.1
SETTLE_S = 60.0
ZONES = 20
ATTRIBUTES = {"water_limit_cm": 100, "tilt_baseline_deg": 2}
# Of lamps that report half a watt, so that they are lit by night and off by day.
RATED_POWER_W = {True: 0.4, False: 120}
MIDDLE = (110.34, 19.94)
OVER_THE_LIMIT = 66.0
# Of the city's changing values, so that they stay harmless and steady: 0.125 to 0.825.
city_load.VALUE = "1.25e-1"
ENGINE = """
import sys, threading
from alerts.worker import EngineSettings, run
run(EngineSettings(sys.argv[1], sys.argv[2]), threading.Event())
"""
TICKS = """
import sys, time
from datetime import UTC, datetime
import alerts.ticks
from db.pool import connect
with connect(sys.argv[1], application="scheduler") as conn:
    while True:
        if hasattr(alerts.ticks, "tick_by_district"):
            for _ in alerts.ticks.tick_by_district(conn, datetime.now(UTC)):
                conn.commit()
        else:
            alerts.ticks.tick(conn, datetime.now(UTC))
        conn.commit()
        time.sleep(1)
"""


class Alarms:
    """Sends a gas reading over the limit ten times a second, each of another device."""

    def __init__(self, city: city_load.City) -> None:
        self._waiting = [topic for topic, kind in city.topics if kind == "gas"]
        self._address = city.mqtt.rpartition("/")[2].partition(":")
        self.sent: dict[str, float] = {}

    @contextmanager
    def going(self) -> Iterator[None]:
        """In a thread of its own, until the end of the block."""
        stop = threading.Event()
        thread = threading.Thread(target=self._send, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _send(self, stop: threading.Event) -> None:
        host, _, port = self._address
        with mqtt_load.connect(host, int(port), "bench-alarms") as sock:
            while self._waiting and not stop.wait(ALARM_EVERY_S):
                self._one(sock)

    def _one(self, sock: socket.socket) -> None:
        topic = self._waiting.pop()
        now_ms = int(time.time() * 1000)
        body = f'{{"ts":{now_ms},"readings":{{"ch4_pct_lel":{OVER_THE_LIMIT}}}}}'
        self.sent[topic.split("/")[4]] = now_ms
        sock.sendall(mqtt_load.packet(topic, body.encode(), len(self.sent) % 65_535 + 1))
        sock.recv(4)


class City:
    """What runs: a registry of 20,000 devices, the rules, ingest, the engine and the ticks."""

    def __init__(self, servers: stack.RunningStack, rules: dict[str, str]) -> None:
        self.servers = servers
        self.load = city_load.found(servers.postgres, servers.mqtt, DEVICES)
        self.conn = connect(servers.postgres, autocommit=True)
        # A net of 60 m; in one point everything would be everything's neighbour.
        self.conn.execute(
            "UPDATE device SET lon = 110.3 + (id %% 140) * 0.0006, lat = 19.9 + id / 140 * 0.0006"
            ", attributes = attributes || %s::jsonb || jsonb_build_object('zone', id %% %s)",
            (json.dumps({**ATTRIBUTES, "rated_power_w": RATED_POWER_W[_is_night()]}), ZONES),
        )
        self.conn.execute("DELETE FROM rule")
        _put_in_force(self.conn, rules)
        self.engine = self.start_engine()
        self._ticks = _start(TICKS, servers.postgres)

    def start_engine(self) -> subprocess.Popen[bytes]:
        return _start(ENGINE, self.servers.postgres, self.servers.redis)

    def close(self) -> None:
        for process in (self._ticks, self.engine):
            process.kill()
            process.wait()
        self.conn.close()

    def settle(self) -> None:
        """Wait until all that was stored has been judged."""
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until:
            row = self.conn.execute(
                "SELECT count(*) FROM ingest_batch WHERE evaluated_at IS NULL"
            ).fetchone()
            if row == (0,):
                return
            time.sleep(0.2)
        raise TimeoutError(f"the engine did not judge all that was stored: {row}")

    def alarms_of(self, codes: list[str]) -> dict[str, list[float]]:
        """Epoch milliseconds of the commits of the gas alarms of each device."""
        rows = self.conn.execute(
            """
            SELECT d.code, extract(epoch FROM a.committed_at)::float8 * 1000
            FROM alarm a JOIN device d ON d.id = a.device_id
            WHERE d.code = ANY(%s) AND a.condition LIKE 'gas/%%'
            """,
            (codes,),
        ).fetchall()
        found: dict[str, list[float]] = {code: [] for code in codes}
        for code, at_ms in rows:
            found[code].append(at_ms)
        return found


def main(rules_file: str, seconds: float, kills: int) -> dict[str, Any]:
    """Percentiles at each rate; then the kills, where there are any."""
    rules = json.loads(Path(rules_file).read_text())
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder,
        stack.running(Path(folder)) as servers,
    ):
        city = City(servers, rules)
        try:
            with ingest.working(servers, 2):
                figures: dict[str, Any] = {"rules": len(rules), "devices": DEVICES}
                alarms = Alarms(city.load)
                _warm_up(city)
                for rate in RATES:
                    figures[f"at_{rate:.0f}_per_s"] = at_rate(city, alarms, rate, seconds)
                figures["engine_mib"] = processes.rss_mib(city.engine.pid)
                if kills:
                    figures["kills"] = kill(city, alarms, kills)
        finally:
            city.close()
    return figures


def at_rate(city: City, alarms: Alarms, rate: float, seconds: float) -> dict[str, float]:
    """Publish at a rate; milliseconds from publishing to the commit of the alarm."""
    alarms.sent.clear()
    with city_load.publishing(city.load, rate) as publisher:
        publisher.allow(1)
        began = time.monotonic()
        with alarms.going():
            time.sleep(seconds)
        sent, _ = publisher.finish()
        offered = sent / (time.monotonic() - began)
    city.settle()
    found = city.alarms_of(list(alarms.sent))
    took = [min(found[code]) - sent_ms for code, sent_ms in alarms.sent.items() if found[code]]
    return {
        "offered_per_s": offered,
        "sent": len(alarms.sent),
        "alarms": len(took),
        "publish_to_alarm_ms_p50": float(np.percentile(took, 50)),
        "publish_to_alarm_ms_p99": float(np.percentile(took, 99)),
    }


def kill(city: City, alarms: Alarms, times: int) -> dict[str, float]:
    """Kill the engine at random under load and start it again at once; what was lost, raised
    twice or late, and how long it took until it judged again."""
    alarms.sent.clear()
    chance, back = random.Random(7), []
    with city_load.publishing(city.load, KILLED_AT) as publisher, alarms.going():
        publisher.allow(1)
        for _ in range(times):
            time.sleep(chance.uniform(1.0, 3.0))
            city.engine.kill()
            city.engine.wait()
            began, killed_at = time.monotonic(), datetime.now(UTC)
            city.engine = city.start_engine()
            while not _judged_since(city, killed_at):
                time.sleep(0.02)
            back.append(time.monotonic() - began)
        publisher.finish()
    city.settle()
    found = city.alarms_of(list(alarms.sent))
    took = [min(at) - alarms.sent[code] for code, at in found.items() if at]
    return {
        "kills": times,
        "back_s_p50": float(np.percentile(back, 50)),
        "back_s_most": max(back),
        "sent": len(alarms.sent),
        "lost": sum(not at for at in found.values()),
        "doubled": sum(len(at) > 1 for at in found.values()),
        "publish_to_alarm_ms_most": max(took),
    }


def _judged_since(city: City, moment: datetime) -> bool:
    row = city.conn.execute(
        "SELECT EXISTS (SELECT FROM ingest_batch WHERE evaluated_at > %s)", (moment,)
    ).fetchone()
    return row == (True,)


def _warm_up(city: City) -> None:
    """Every device once, so that the engine knows them all."""
    with city_load.publishing(city.load, RATES[0]) as publisher:
        publisher.allow(1)
        time.sleep(DEVICES / RATES[0] + 2)
        publisher.finish()
    city.settle()


def _is_night() -> bool:
    return is_dark(datetime.now(UTC), LonLat(*MIDDLE))


def _put_in_force(conn: Any, texts: dict[str, str]) -> None:
    """Put rule files in force, by whichever name the tree knows that."""
    now = datetime.now(UTC)
    try:
        put = importlib.import_module("alerts.rule_versions").put_in_force
    except ModuleNotFoundError:
        put = importlib.import_module("alerts.actions").apply_rules
    with conn.transaction():
        put(conn, "bench", texts, now)


def _start(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", script, *arguments], env={**os.environ})


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))))
