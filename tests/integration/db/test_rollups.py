"""Roll-ups and history: the same questions to both editions of TimescaleDB, the same answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from city.errors import InvalidInput
from db import editions, rollups
from db.migrate import MIGRATIONS
from db.pool import Connection, connect
from db.readings import HistoryPoint, list_history
from stack.errors import StackError
from stack.pglite import community_database

# An hour and a half ago in a quiet hour: bucket borders are where one expects them.
NOW = datetime(2026, 3, 4, 12, 10, tzinfo=UTC)
DEVICE, METRIC, NAME = 1, 1, "ch4_pct_lel"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

Samples = Sequence[tuple[datetime, float]]


@pytest.fixture(scope="module")
def community() -> Iterator[Connection]:
    """A migrated database of the Community edition: once, its start takes longer than a test."""
    with ExitStack() as opened:
        try:
            dsn = opened.enter_context(community_database())
        except (StackError, OSError) as error:
            pytest.skip(f"PGlite is not available here: {error}")
        conn = opened.enter_context(psycopg.connect(dsn, autocommit=True))
        conn.execute("SET timezone TO 'UTC'")
        for migration in sorted(MIGRATIONS.glob("*.sql")):
            if not migration.name.endswith(".rollback.sql"):
                conn.execute(migration.read_bytes())
        assert editions.apply(conn) == "community"
        yield conn


@pytest.fixture(params=["apache", pytest.param("community", marks=pytest.mark.community)])
def edition(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A migrated database of each edition, without a reading, in autocommit."""
    if request.param == "apache":
        with connect(request.getfixturevalue("database_url"), autocommit=True) as conn:
            yield conn
        return
    emptied: Connection = request.getfixturevalue("community")
    for table in ("reading", "reading_1m", "reading_1h", "rollup_due"):
        emptied.execute(SQL("TRUNCATE {}").format(Identifier(table)))
    yield emptied


def insert(conn: Connection, samples: Samples) -> None:
    """As ingest does it: readings and the minutes that are due, in one transaction."""
    with conn.transaction():
        conn.execute(
            """
            INSERT INTO reading (ts, device_id, metric_id, value, received_at)
            SELECT ts, %s, %s, value, ts
            FROM unnest(%s::timestamptz[], %s::float8[]) AS sample (ts, value)
            """,
            (DEVICE, METRIC, [ts for ts, _ in samples], [value for _, value in samples]),
        )
        minutes = {ts.replace(second=0, microsecond=0) for ts, _ in samples}
        rollups.insert_due(conn, sorted(minutes))


def bucketed(conn: Connection, bucket: str, from_: datetime, to: datetime) -> list[HistoryPoint]:
    return list_history(conn, DEVICE, NAME, from_, to, bucket)


def test_a_peak_never_disappears(edition: Connection) -> None:
    start = NOW - 3 * HOUR
    insert(edition, [(start + timedelta(seconds=n), 1.0) for n in range(0, 7200, 10)])
    insert(edition, [(start + timedelta(seconds=3605), 99.0)])
    rollups.refresh(edition, NOW)

    for bucket in ("1m", "5m", "1h", "1d"):
        points = bucketed(edition, bucket, start - DAY, NOW)
        assert max(point.max for point in points) == 99.0
        assert min(point.min for point in points) == 1.0
        assert sum(point.n for point in points) == 721


def test_an_hour_is_the_weighted_mean_of_its_minutes(edition: Connection) -> None:
    hour = NOW.replace(minute=0) - HOUR
    insert(edition, [(hour + timedelta(seconds=n), 10.0) for n in range(9)])
    insert(edition, [(hour + 5 * MINUTE, 20.0)])
    rollups.refresh(edition, NOW)

    (point,) = bucketed(edition, "1h", hour, NOW)

    assert point.ts == hour
    assert point.avg == pytest.approx(11.0)
    assert (point.min, point.max, point.n) == (10.0, 20.0, 10)


def test_the_newest_readings_are_in_the_history_before_any_refresh(edition: Connection) -> None:
    insert(edition, [(NOW - 2 * MINUTE, 1.0)])
    rollups.refresh(edition, NOW - MINUTE)
    insert(edition, [(NOW - timedelta(seconds=5), 3.0)])

    assert [p.avg for p in bucketed(edition, "1m", NOW - HOUR, NOW)] == [1.0, 3.0]
    (hour,) = bucketed(edition, "1h", NOW - HOUR, NOW)
    assert (hour.avg, hour.n) == (2.0, 2)


def test_late_readings_correct_an_old_minute_and_its_hour(edition: Connection) -> None:
    old = NOW - 2 * DAY
    insert(edition, [(old + timedelta(seconds=n), 1.0) for n in range(4)])
    rollups.refresh(edition, NOW)
    assert [p.n for p in bucketed(edition, "1h", old - HOUR, old + HOUR)] == [4]

    insert(edition, [(old + timedelta(seconds=30), 11.0)])
    rollups.refresh(edition, NOW)

    (minute,) = bucketed(edition, "1m", old - HOUR, old + HOUR)
    (hour,) = bucketed(edition, "1h", old - HOUR, old + HOUR)
    assert (minute.max, minute.avg, minute.n) == (11.0, 3.0, 5)
    assert (hour.max, hour.avg, hour.n) == (11.0, 3.0, 5)


def test_late_readings_reach_a_compressed_chunk(edition: Connection) -> None:
    old = NOW - 30 * DAY
    insert(edition, [(old, 1.0)])
    rollups.refresh(edition, NOW)
    if editions.edition_of(edition) == "community":
        edition.execute("SELECT compress_chunk(c) FROM show_chunks('reading') AS c")

    insert(edition, [(old + timedelta(seconds=1), 3.0)])
    rollups.refresh(edition, NOW)

    (point,) = bucketed(edition, "1m", old - HOUR, old + HOUR)
    assert (point.avg, point.n) == (2.0, 2)
    assert len(list_history(edition, DEVICE, NAME, old - HOUR, old + HOUR, "raw")) == 2
    with pytest.raises(psycopg.errors.UniqueViolation):
        insert(edition, [(old, 1.0)])


def test_minutes_are_noted_only_where_we_make_the_roll_ups(edition: Connection) -> None:
    ours = editions.edition_of(edition) == "apache"
    insert(edition, [(NOW - HOUR, 1.0)])
    rollups.mark_due(edition, NOW - 2 * HOUR, NOW)
    noted = edition.execute("SELECT count(*) FROM rollup_due").fetchone()
    assert noted == (2 if ours else 0,)


def test_minutes_noted_before_the_server_made_roll_ups_itself_do_not_stay(
    edition: Connection,
) -> None:
    edition.execute("INSERT INTO rollup_due (minute) VALUES (%s)", (NOW - HOUR,))
    rollups.drop_old(edition, NOW)
    left = edition.execute("SELECT count(*) FROM rollup_due").fetchone()
    assert left == (1 if editions.edition_of(edition) == "apache" else 0,)


def test_refreshing_again_changes_nothing(edition: Connection) -> None:
    insert(edition, [(NOW - HOUR, 1.0), (NOW - HOUR + timedelta(seconds=1), 2.0)])
    rollups.refresh(edition, NOW)
    before = bucketed(edition, "1m", NOW - DAY, NOW)

    rollups.refresh(edition, NOW)

    assert bucketed(edition, "1m", NOW - DAY, NOW) == before


def test_what_is_too_old_is_dropped_and_the_roll_up_stays(edition: Connection) -> None:
    keep = rollups.Retention(readings=timedelta(days=10))
    insert(edition, [(NOW - 20 * DAY, 7.0), (NOW - HOUR, 1.0)])
    rollups.refresh(edition, NOW)

    rollups.drop_old(edition, NOW, keep)
    insert(edition, [(NOW - 20 * DAY + timedelta(seconds=1), 1.0)])
    rollups.refresh(edition, NOW, keep)

    rows = edition.execute("SELECT count(*) FROM reading WHERE ts < %s", (NOW - 15 * DAY,))
    assert rows.fetchone() == (1,)
    assert [p.max for p in bucketed(edition, "1h", NOW - 30 * DAY, NOW)] == [7.0, 1.0]


def test_a_history_without_a_bucket_gets_one_that_fits(edition: Connection) -> None:
    insert(edition, [(NOW - 2 * DAY, 1.0), (NOW - timedelta(seconds=7), 2.0)])
    rollups.refresh(edition, NOW)

    raw = list_history(edition, DEVICE, NAME, NOW - HOUR, NOW)
    minutes = list_history(edition, DEVICE, NAME, NOW - 3 * DAY, NOW)
    hours = list_history(edition, DEVICE, NAME, NOW - 30 * DAY, NOW)

    assert [(p.ts, p.quality) for p in raw] == [(NOW - timedelta(seconds=7), 0)]
    assert [p.ts for p in minutes] == [NOW - 2 * DAY, NOW - MINUTE]
    assert [p.ts.minute for p in hours] == [0, 0]


@pytest.mark.parametrize(
    ("points", "span", "length"),
    [(500, 30 * DAY, 2 * HOUR), (25, DAY, HOUR), (24, DAY, 2 * HOUR), (60, HOUR, 2 * MINUTE)],
)
def test_a_history_has_no_more_points_than_asked_for(
    db: Connection, points: int, span: timedelta, length: timedelta
) -> None:
    to = NOW - timedelta(seconds=30)  # in the middle of every bucket
    step = length / 2
    insert(db, [(to - step * (n + 0.5), float(n)) for n in range(span // step)])

    found = list_history(db, DEVICE, NAME, to - span, to, points=points)

    assert points // 2 <= len(found) <= points
    assert {b.ts - a.ts for a, b in pairwise(found)} == {length}
    assert max(p.max for p in found) == span // step - 1


@pytest.mark.parametrize("points", [0, 1, -5, 20_001])
def test_a_number_of_points_that_makes_no_history_is_refused(db: Connection, points: int) -> None:
    with pytest.raises(InvalidInput, match="points"):
        list_history(db, DEVICE, NAME, NOW - DAY, NOW, points=points)


@pytest.mark.parametrize("bucket", ["0m", "1w", "m", "-5m", "1.5h", "99999d", "5 m"])
def test_a_bucket_that_is_none_is_refused(db: Connection, bucket: str) -> None:
    with pytest.raises(InvalidInput, match="bucket"):
        list_history(db, DEVICE, NAME, NOW - DAY, NOW, bucket)


def test_a_range_with_too_many_points_is_refused(db: Connection) -> None:
    with pytest.raises(InvalidInput, match="more than"):
        list_history(db, DEVICE, NAME, NOW - 300 * DAY, NOW, "1m")


def test_an_unknown_metric_is_refused(db: Connection) -> None:
    with pytest.raises(InvalidInput, match="metric"):
        list_history(db, DEVICE, "noise", NOW - DAY, NOW)


def test_a_batch_committed_during_a_refresh_is_made_by_the_next(database_url: str) -> None:
    """The refresh must not take a minute's due row away from a batch that it cannot see."""
    minute = NOW - 5 * MINUTE
    with connect(database_url, autocommit=True) as refreshing, connect(database_url) as storing:
        insert(refreshing, [(minute, 1.0)])
        storing.execute(
            "INSERT INTO reading (ts, device_id, metric_id, value, received_at)"
            " VALUES (%s, %s, %s, 3, now())",
            (minute + timedelta(seconds=1), DEVICE, METRIC),
        )
        rollups.insert_due(storing, [minute])
        rollups.refresh(refreshing, NOW)
        storing.commit()
        rollups.refresh(refreshing, NOW)

        (point,) = bucketed(refreshing, "1m", NOW - HOUR, NOW)
    assert (point.avg, point.n) == (2.0, 2)


def test_readings_loaded_by_other_ways_are_rolled_up_on_request(database_url: str) -> None:
    with connect(database_url, autocommit=True) as conn:
        rollups.refresh(conn, NOW)
        conn.execute(
            "INSERT INTO reading (ts, device_id, metric_id, value, received_at)"
            " VALUES (%s, %s, %s, 3, now())",
            (NOW - DAY, DEVICE, METRIC),
        )
        assert bucketed(conn, "1m", NOW - 2 * DAY, NOW) == []

        rollups.mark_due(conn, NOW - 2 * DAY, NOW)
        rollups.refresh(conn, NOW)

        assert len(bucketed(conn, "1m", NOW - 2 * DAY, NOW)) == 1
