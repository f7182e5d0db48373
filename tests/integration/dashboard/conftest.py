"""A real web server on a real database, with people of every role and a few open matters."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from flask import Flask
from werkzeug.serving import make_server

from app.process.serve import build_ports
from city.event import NewEvent
from city.incident import Role
from city.stage import DEADLINES, TIMERS, Stage
from dashboard.shell.parts import EXTENSION, Parts
from dashboard.shell.server import create_server
from db import beats, users
from db.events import append_events, append_waiting, last_seq
from db.live import open_redis, publish_event_seq
from db.pool import Connection, Pool, open_pool

DISTRICT = "460107"
PASSWORD = "a long enough password"
SECRET = "only for this test run"
STAGES = (
    (Stage.RECEIVED, "worker-1"),
    (Stage.COMMITTED, "worker-1"),
    (Stage.JUDGED, "engine"),
    (Stage.DISPATCHED, "dispatch"),
    (Stage.TICKED, TIMERS),
    (Stage.TICKED, DEADLINES),
)


@dataclass
class Site:
    """A running server, its database, and people who may use it."""

    url: str
    database_url: str
    redis_url: str
    pool: Pool
    server: Flask
    tokens: dict[Role, str] = field(default_factory=dict)

    @property
    def parts(self) -> Parts:
        found: Parts = self.server.extensions[EXTENSION]
        return found

    def client(self, role: Role | None = Role.ADMIN, **options: Any) -> httpx.Client:
        """A script with a token of this role; None: nobody."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20, **options)

    def sql(self, text: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """Look at the database, or change it, past all the code."""
        with psycopg.connect(self.database_url, autocommit=True) as conn:
            cursor = conn.execute(text, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def happen(self, kind: str, subject: str, **payload: Any) -> int:
        """Append an event as a worker would, and say so."""
        with self.pool.connection() as conn:
            entry = NewEvent(datetime.now(UTC), DISTRICT, kind, subject, "system", payload)
            seq = append_events(conn, [entry])[0].seq
        publish_event_seq(self.parts.redis, seq)
        return seq

    @contextmanager
    def going_round(self, *but: Stage) -> Iterator[None]:
        """Every stage beats as its process would, but for these."""
        stop = threading.Event()

        def go_on() -> None:
            while not stop.wait(1.0):
                go_round()

        def go_round() -> None:
            with self.pool.connection() as conn:
                for stage, name in STAGES:
                    if stage not in but:
                        beats.beat(conn, stage, name)

        go_round()
        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def last_seq(self) -> int:
        with self.pool.connection() as conn:
            return last_seq(conn)


@pytest.fixture(scope="module")
def site_database(template: str) -> Iterator[str]:
    """Address of one copy of the seeded database for a whole test file."""
    name = f"gw_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(template, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE gw_template STRATEGY file_copy")
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    yield template.rpartition("/")[0] + "/" + name
    with psycopg.connect(template, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def site(site_database: str, servers: Any) -> Iterator[Site]:
    """The server in a thread of this process; the module's tests share it."""
    pool = open_pool(site_database, max_size=12)
    redis = open_redis(servers.redis)
    server = create_server(pool, redis, build_ports(), SECRET)
    tokens = add_people(pool)
    listener = make_server("127.0.0.1", 0, server, threaded=True)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    found = Site(
        f"http://127.0.0.1:{listener.port}", site_database, servers.redis, pool, server, tokens
    )
    yield found
    found.parts.walls.stop()
    listener.shutdown()
    listener.server_close()
    thread.join(5)
    pool.close()
    redis.close()


def add_people(pool: Pool) -> dict[Role, str]:
    """A token and a user of every role; the squad leader leads the first squad."""
    now = datetime.now(UTC)
    tokens = {}
    with pool.connection() as conn:
        squad = first_squad(conn)
        for role in sorted(users.PEOPLE):
            own = squad if role is Role.SQUAD_LEADER else None
            tokens[role] = users.create_token(conn, role.value, role, DISTRICT, now, squad=own)
        for role in (Role.DISPATCHER, Role.VIEWER):
            users.add_user(conn, role.value, PASSWORD, role, DISTRICT, now)
        append_waiting(conn, now)
    return tokens


def first_squad(conn: Connection) -> str:
    row = conn.execute("SELECT code FROM squad ORDER BY code LIMIT 1").fetchone()
    assert row is not None, "the demo seed has squads"
    return str(row[0])
