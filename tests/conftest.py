"""Real servers for the tests: one stack a run, one fresh database a test."""

from __future__ import annotations

import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

import stack as embedded
from app.up import prepare_database
from db.pool import Connection, Pool, connect, open_pool
from stack.browser import chromium_arguments, chromium_environment, provide_chromium

# A busy machine is no fault of an example.
settings.register_profile("gridwarden", deadline=None)
settings.load_profile("gridwarden")
# Begun in the background of a script, we and all that we start would ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "gw_template"
BARE = "gw_bare_template"


@pytest.fixture(scope="session")
def servers() -> Iterator[embedded.RunningStack]:
    """TimescaleDB, Mosquitto and Redis of this test run, and where they are."""
    data_dir = ROOT / ".stack" / "tests" / str(os.getpid())
    data_dir.mkdir(parents=True)
    try:
        with embedded.running(data_dir) as running:
            yield running
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(servers: embedded.RunningStack) -> embedded.Services:
    """The servers themselves: stop, kill or restart them at will."""
    return servers.services


@pytest.fixture(scope="session")
def template(servers: embedded.RunningStack) -> str:
    """A migrated and seeded database that nobody connects to, made once and then copied."""
    maintenance = servers.postgres
    url = with_database(maintenance, TEMPLATE)
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {TEMPLATE}")
    prepare_database(url, demo=True)
    with psycopg.connect(maintenance, autocommit=True) as conn:
        # TimescaleDB's background workers connect to every database that allows it, and a
        # database with a connection cannot be copied.
        conn.execute(f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")
        conn.execute(
            # Autovacuum is nobody's: only PostgreSQL itself stops it, before it copies.
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = %s AND usesysid IS NOT NULL
            """,
            (TEMPLATE,),
        )
    return maintenance


@pytest.fixture
def database_url(template: str) -> Iterator[str]:
    """Address of a fresh copy of the seeded database."""
    name = copy_database(template)
    yield with_database(template, name)
    drop_database(template, name)


@dataclass
class SharedCopy:
    """One copy for all tests that undo what they did: making one takes longer than most tests."""

    maintenance: str
    name: str | None = None

    def url(self) -> str:
        if self.name is None:
            self.name = copy_database(self.maintenance)
        return with_database(self.maintenance, self.name)

    def drop(self) -> None:
        if self.name is not None:
            drop_database(self.maintenance, self.name)
        self.name = None


@pytest.fixture(scope="session")
def shared_copy(template: str) -> Iterator[SharedCopy]:
    shared = SharedCopy(template)
    yield shared
    shared.drop()


@pytest.fixture
def db(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """One open transaction on an untouched database; undone at the end unless the test commits,
    and then nobody else gets that database."""
    if "database_url" in request.fixturenames:
        with connect(request.getfixturevalue("database_url")) as conn:
            yield conn
            conn.rollback()
        return
    shared: SharedCopy = request.getfixturevalue("shared_copy")
    with connect(shared.url()) as conn:
        first = next_transaction(conn)
        conn.rollback()
        yield conn
        conn.rollback()
    if was_committed(shared.maintenance, first):
        shared.drop()


def next_transaction(conn: Connection) -> int:
    """The number that the next writing transaction of these servers gets at the earliest."""
    row = conn.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
    assert row is not None
    return int(row[0])


def was_committed(maintenance: str, first: int) -> bool:
    """Whether any transaction from `first` on left something. One of the server's own that did,
    autovacuum's, costs one copy for nothing."""
    with connect(maintenance) as conn:
        row = conn.execute(
            """
            SELECT EXISTS (
                SELECT FROM generate_series(%s::bigint, %s::bigint) AS number
                WHERE pg_xact_status(number::text::xid8) = 'committed'
            )
            """,
            (first, next_transaction(conn) - 1),
        ).fetchone()
    assert row is not None
    return bool(row[0])


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    opened = open_pool(database_url)
    yield opened
    opened.close()


@pytest.fixture
def mqtt_url(servers: embedded.RunningStack) -> str:
    return servers.mqtt


@pytest.fixture
def redis_url(servers: embedded.RunningStack) -> str:
    return servers.redis


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The one Chromium of this run: Playwright allows one of its loops at a time."""
    program = provide_chromium()
    with sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=program,
            args=["--disable-gpu", *chromium_arguments()],
            env=dict(chromium_environment()),
        )
        yield opened
        opened.close()


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def copy_database(maintenance: str) -> str:
    """Name of a new copy of the seeded database."""
    name = f"gw_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY wal_log")
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    return name


def drop_database(maintenance: str, name: str) -> None:
    """Drop it; an autovacuum worker in it may not be ended by us and goes by itself."""
    with psycopg.connect(maintenance, autocommit=True) as conn:
        for attempt in range(20):
            try:
                conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
                time.sleep(0.1 * attempt)
            else:
                return
    raise AssertionError(f"database {name} stays in use")


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    head, _, tail = url.rpartition("/")
    query = tail.partition("?")[2]
    return f"{head}/{name}" + (f"?{query}" if query else "")


@pytest.fixture(scope="session")
def bare_template(servers: embedded.RunningStack) -> str:
    """An installation without a demonstration; made once and then copied, nobody connects to
    it."""
    maintenance = servers.postgres
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {BARE}")
    prepare_database(with_database(maintenance, BARE), demo=False)
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {BARE} ALLOW_CONNECTIONS false")
        conn.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = %s AND usesysid IS NOT NULL
            """,
            (BARE,),
        )
    return maintenance
