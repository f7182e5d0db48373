"""TimescaleDB's Community edition as the tests of db/editions/community.sql get it."""

import psycopg
import pytest

from stack.pglite import community_database


@pytest.mark.community
def test_a_continuous_aggregate_works_over_the_socket() -> None:
    with community_database() as dsn, psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION timescaledb")
        conn.execute("CREATE TABLE reading (at timestamptz NOT NULL, value float)")
        conn.execute("SELECT create_hypertable('reading', 'at')")
        conn.execute("""
            CREATE MATERIALIZED VIEW reading_1m WITH (timescaledb.continuous) AS
            SELECT time_bucket('1 minute', at) AS bucket, avg(value) AS mean
            FROM reading GROUP BY bucket WITH NO DATA
        """)
        conn.execute(
            "INSERT INTO reading VALUES (%s, %s), (%s, %s)",
            ("2026-01-01 00:00:10+00", 1.0, "2026-01-01 00:00:20+00", 3.0),
        )
        conn.execute("CALL refresh_continuous_aggregate('reading_1m', NULL, NULL)")
        assert conn.execute("SELECT mean FROM reading_1m").fetchall() == [(2.0,)]
