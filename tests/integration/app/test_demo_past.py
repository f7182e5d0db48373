"""The past of the demonstration is what the live code would have left, row for row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from app.demo_past import play_past
from app.demo_people import demo_logins
from app.demo_plan import planned_start
from app.up import prepare_database
from city.incident import Action
from city.person import Caller, Role
from city.requests import ActionRequest
from city.scope import Scope
from db.events import last_seq, verify_chain
from db.kpi import list_kpi
from db.pool import Connection, connect
from dispatch import steps
from replay.read_picture import read_picture
from tests.conftest import drop_database, with_database
from tests.integration.replay.test_picture import check, look

DISTRICT, DAYS = "460107", 14


@pytest.fixture(scope="module")
def past_url(template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A new demonstration with two weeks of past."""
    name = f"gw_past_{os.getpid()}"
    with psycopg.connect(template, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    url = with_database(template, name)
    prepare_database(url, demo=True, demo_days=DAYS)
    demo_logins(url, tmp_path_factory.mktemp("logins"))
    play_past(url, datetime.now(UTC), lambda _line: None)
    yield url
    drop_database(template, name)


@pytest.fixture
def past(past_url: str) -> Iterator[Connection]:
    with connect(past_url) as conn:
        yield conn
        conn.rollback()


def test_the_chain_of_the_log_holds(past: Connection) -> None:
    report = verify_chain(past)
    assert report.broken_at is None, report.problem
    assert report.events > 1_000


def test_the_log_runs_forward_from_the_first_day(past: Connection) -> None:
    backwards = past.execute(
        """
        SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY seq) AS back FROM event) e
        WHERE back
        """
    ).fetchone()
    assert backwards == (0,)
    (first,) = past.execute("SELECT min(at) FROM event").fetchone() or (None,)
    assert datetime.now(UTC) - timedelta(days=DAYS, hours=1) < first


def test_the_picture_is_what_the_tables_say(past: Connection) -> None:
    check(read_picture(past, DISTRICT), look(past, datetime.now(UTC)))


def test_without_checkpoints_the_log_adds_up_to_the_same(past: Connection) -> None:
    kept = read_picture(past, DISTRICT)
    past.execute("DELETE FROM picture_checkpoint")
    assert read_picture(past, DISTRICT) == kept


@pytest.mark.parametrize(
    "table", ["incident", "alarm", "incident_alarm", "deadline", "pause", "assignment"]
)
def test_the_log_ends_with_every_row_as_it_is(past: Connection, table: str) -> None:
    """No row is in a table that is not in the log, nor the other way round."""
    differing = past.execute(
        f"""
        WITH told AS (
            SELECT DISTINCT ON (one -> 'key') one -> 'row' AS body FROM event,
                   jsonb_array_elements(rows) WITH ORDINALITY AS part (one, place)
            WHERE one ->> 'table' = %s ORDER BY one -> 'key', seq DESC, place DESC
        ), kept AS (SELECT to_jsonb(t) AS body FROM {table} t)
        (SELECT body FROM told EXCEPT SELECT body FROM kept)
        UNION ALL (SELECT body FROM kept EXCEPT SELECT body FROM told)
        """,  # type: ignore[arg-type]
        (table,),
    ).fetchall()
    assert differing == []


def test_everything_of_it_is_marked_as_demo(past: Connection) -> None:
    real = past.execute(
        """
        SELECT (SELECT count(*) FROM incident WHERE NOT demo),
               (SELECT count(*) FROM alarm WHERE NOT demo)
        """
    ).fetchone()
    assert real == (0, 0)


def test_some_work_is_late_and_most_is_not(past: Connection) -> None:
    now = datetime.now(UTC)
    (whole,) = list_kpi(past, Scope(DISTRICT), now - timedelta(days=DAYS), now, "district")
    assert 200 < whole.opened < 900
    assert 0.6 < whole.handled_in_time / whole.due_to_handle < 0.97
    assert whole.alarm_to_dispatch_count > 20
    squads = list_kpi(past, Scope(DISTRICT), now - timedelta(days=DAYS), now, "squad")
    assert len([squad for squad in squads if squad.handled]) > 15


def test_no_alarm_stands_and_nobody_has_to_be_told_again(past: Connection) -> None:
    assert past.execute("SELECT count(*) FROM alarm WHERE state <> 'normal'").fetchone() == (0,)
    assert steps.watch_alarms(past, datetime.now(UTC)) == 0
    waiting = past.execute("SELECT count(*) FROM alarm_change WHERE taken_at IS NULL").fetchone()
    assert waiting == (0,)


def test_life_goes_on_where_the_past_ends(past: Connection) -> None:
    now = datetime.now(UTC)
    while steps.tick_deadlines(past, now):
        pass
    # At some hours nobody is sent or under way; a case is always open.
    row = past.execute(
        """
        SELECT id, version, state FROM incident
        WHERE state IN ('filed', 'dispatched', 'acknowledged', 'handled')
        ORDER BY id LIMIT 1
        """
    ).fetchone()
    assert row is not None, "a case is open"
    squad = past.execute("SELECT min(code) FROM squad WHERE district = %s", (DISTRICT,)).fetchone()
    assert squad is not None
    dispatcher = Caller("dispatcher", Role.DISPATCHER, DISTRICT)
    next_step = {
        "filed": ActionRequest(Action.DISPATCH, row[1], squad=squad[0], note="go"),
        "dispatched": ActionRequest(Action.ACKNOWLEDGE, row[1]),
        "acknowledged": ActionRequest(Action.ARRIVE, row[1]),
        "handled": ActionRequest(Action.CHECK, row[1]),
    }
    steps.act(past, dispatcher, row[0], next_step[row[2]], now)
    report = verify_chain(past)
    assert report.broken_at is None, report.problem
    newest = past.execute("SELECT max(id) FROM deadline").fetchone()
    assert newest is not None
    following = past.execute("SELECT nextval(pg_get_serial_sequence('deadline', 'id'))").fetchone()
    assert following is not None
    assert following[0] > newest[0]


def test_it_is_written_once(past_url: str, past: Connection) -> None:
    before = last_seq(past)
    assert planned_start(past) is None
    past.commit()
    prepare_database(past_url, demo=True, demo_days=DAYS)
    play_past(past_url, datetime.now(UTC), lambda line: pytest.fail(line))
    assert last_seq(past) == before


def test_an_installation_that_has_begun_gets_no_past(database_url: str, tmp_path: Path) -> None:
    prepare_database(database_url, demo=True, demo_days=DAYS)
    demo_logins(database_url, tmp_path)
    play_past(database_url, datetime.now(UTC), lambda line: pytest.fail(line))
    with connect(database_url) as conn:
        assert conn.execute("SELECT count(*) FROM incident").fetchone() == (0,)
