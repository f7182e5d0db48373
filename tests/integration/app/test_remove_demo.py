"""The demonstration goes without a trace, and not where anything else hangs on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from app import first_run
from app.demo_commands import check, remove_demo
from app.demo_past import write_past
from app.demo_people import demo_logins
from app.demo_plan import was_removed
from app.up import prepare_database
from city.errors import Conflict
from city.incident import Source
from city.person import Caller, Role
from city.requests import ReportRequest
from db import demo, live
from db.events import append_waiting, list_events, verify_chain
from db.pool import Connection, connect
from dispatch import steps
from replay.read_picture import read_picture
from tests.conftest import TEMPLATE, drop_database, with_database

DISTRICT = "460107"
# What every installation has, and what the log is made of.
STAY = {
    "score_formula",
    "tally_cursor",
    "metric",
    "incident_category",
    "stage_limit",
    "work_calendar",
    "work_calendar_day",
    "rule",
    "setting",
    "event",
    "event_head",
    "delivery_cursor",
    "clock_limit",
    "stuck_limit",
    "rollup_state",
    "access_change",
    "feed",
    "incident_text_progress",
    "ingest_revision",
    "ingest_total_state",
    "reading_1m",
    "reading_1h",
}


@pytest.fixture(scope="module")
def lived_url(template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A demonstration with its people, three days of past and some readings."""
    name, now = f"gw_lived_{os.getpid()}", datetime.now(UTC)
    with psycopg.connect(template, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY wal_log")
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    url = with_database(template, name)
    demo_logins(url, tmp_path_factory.mktemp("logins"))
    with connect(url) as conn:
        write_past(conn, DISTRICT, now - timedelta(days=3), now)
        conn.execute(
            """
            INSERT INTO reading (ts, device_id, metric_id, value, received_at)
            SELECT %(now)s, id, 1, 0.5, %(now)s FROM device WHERE kind = 'gas' LIMIT 20
            """,
            {"now": now},
        )
        conn.execute(
            """
            INSERT INTO device_latest (device_id, metric_id, ts, value, received_at)
            SELECT device_id, metric_id, ts, value, received_at FROM reading
            """
        )
    yield url
    drop_database(template, name)


@pytest.fixture
def lived(lived_url: str) -> Iterator[Connection]:
    """One transaction in it, which is undone."""
    with connect(lived_url) as conn:
        yield conn
        conn.rollback()


def filled(conn: Connection) -> set[str]:
    tables = [
        row[0]
        for row in conn.execute(
            """
            SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            WHERE nspname = 'public' AND relkind = 'r' AND relname NOT LIKE '%yoyo%'
            """
        )
    ]
    found = set()
    for table in tables:
        query = SQL("SELECT EXISTS (SELECT FROM {})").format(Identifier(table))
        row = conn.execute(query).fetchone()
        if row and row[0]:
            found.add(table)
    return found


def test_it_leaves_nothing_and_the_log_begins_anew(lived: Connection) -> None:
    now = datetime.now(UTC)
    before = verify_chain(lived).events
    told = remove_demo(lived, check(lived), now)
    assert filled(lived) <= STAY
    assert lived.execute("SELECT seq FROM delivery_cursor").fetchone() == (0,)
    assert lived.execute("SELECT seq FROM tally_cursor").fetchone() == (0,)
    assert told["rows"]["device"] == 5_000
    (removed,) = [e for e in list_events(lived) if e.kind == "demo.removed"]
    assert removed.payload["events"] == before
    assert removed.payload["rows"]["incident"] > 20
    report = verify_chain(lived)
    assert report.broken_at is None, report.problem
    assert report.events < 5
    assert append_waiting(lived, now) == 0


def test_the_new_log_tells_of_all_that_stayed(lived: Connection) -> None:
    remove_demo(lived, check(lived), datetime.now(UTC))
    picture = read_picture(lived, DISTRICT)
    for table in ("rule", "incident_category", "stage_limit", "work_calendar"):
        query = SQL("SELECT count(*) FROM {}").format(Identifier(table))
        assert lived.execute(query).fetchone() == (len(picture.table(table)),)
    assert picture.devices == {}


def test_the_set_up_is_open_again_and_the_demo_does_not_come_back(
    database_url: str, tmp_path: Path
) -> None:
    demo_logins(database_url, tmp_path)
    with connect(database_url) as conn:
        assert not first_run.is_open(conn)
        remove_demo(conn, check(conn), datetime.now(UTC))
        assert first_run.is_open(conn)
        assert was_removed(conn)
    assert not prepare_database(database_url, demo=None)
    with connect(database_url) as conn:
        assert conn.execute("SELECT count(*) FROM device").fetchone() == (0,)
    assert prepare_database(database_url, demo=True)
    with connect(database_url) as conn:
        assert conn.execute("SELECT count(*) FROM device").fetchone() == (5_000,)


def add_device(conn: Connection) -> None:
    conn.execute(
        """
        INSERT INTO device (code, district, kind, name, lon, lat, created_at)
        VALUES ('REAL-1', '460107', 'gas', 'n', 110.35, 20.0, now())
        """
    )


def add_person(conn: Connection) -> None:
    conn.execute(
        """
        INSERT INTO app_user (name, password_hash, role, district, created_at)
        VALUES ('wang', '', 'admin', '460107', now())
        """
    )


@pytest.mark.parametrize(("add", "named"), [(add_device, "REAL-1"), (add_person, "wang")])
def test_it_is_refused_where_something_real_hangs_on_it(
    lived: Connection, add: Callable[[Connection], None], named: str
) -> None:
    add(lived)
    with pytest.raises(Conflict, match=named):
        check(lived)


def test_a_matter_that_somebody_tries_out_is_of_the_demonstration_too(lived: Connection) -> None:
    caller = Caller("dispatcher", Role.DISPATCHER, DISTRICT)
    request = ReportRequest("04-01", 110.356, 20.0118, "tried", Source.HOTLINE)
    steps.report(lived, caller, request, datetime.now(UTC))
    assert demo.list_hanging(lived, DISTRICT, demo.people_of(lived, DISTRICT)) == []


def test_a_log_that_tells_of_more_stays_whole(lived: Connection) -> None:
    """Beside another district the books stay, too, and the log is told of every row that goes."""
    lived.execute(
        """
        INSERT INTO district (code, name_zh, name_en, outline)
        VALUES ('110101', 'a', 'b', '{}')
        """
    )
    append_waiting(lived, datetime.now(UTC))
    before = verify_chain(lived).events
    remove_demo(lived, check(lived), datetime.now(UTC))
    report = verify_chain(lived)
    assert report.broken_at is None, report.problem
    assert report.events > before
    assert lived.execute("SELECT count(*) FROM reading").fetchone() == (0,)
    picture = read_picture(lived, DISTRICT)
    assert (picture.devices, picture.cases, picture.past) == ({}, {}, {})


def test_keys_of_ours_go_from_redis(redis_url: str) -> None:
    client = live.open_redis(redis_url)
    client.set("gw:attempt:x", 1)
    client.set("others", 1)
    assert live.forget_all(client) >= 1
    assert client.get("gw:attempt:x") is None
    assert client.get("others") == b"1"
    client.close()
