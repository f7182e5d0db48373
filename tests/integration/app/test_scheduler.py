"""The scheduler's jobs over a real database."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from app import scheduler
from db import rollups
from db.pool import Connection, connect

MINUTE = timedelta(minutes=1)


def test_roll_ups_are_made_up_to_the_last_full_minute(database_url: str, now: datetime) -> None:
    with connect(database_url, autocommit=True) as conn:
        rollups.insert_due(conn, [now - 5 * MINUTE])
        scheduler.refresh_roll_ups(database_url)
        assert conn.execute("SELECT count(*) FROM rollup_due").fetchone() == (0,)
        row = conn.execute("SELECT until FROM rollup_state WHERE name = 'reading_1m'").fetchone()
    assert row is not None
    assert now - MINUTE <= row[0] <= now + MINUTE


def test_roll_ups_are_refreshed_outside_a_transaction(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VACUUM is refused inside one, as the refresh of an aggregate is."""

    def vacuum(conn: Connection, _now: datetime) -> None:
        conn.execute("VACUUM rollup_due")
        done.append(True)

    done: list[bool] = []
    monkeypatch.setattr(rollups, "refresh", vacuum)
    scheduler.refresh_roll_ups(database_url)
    assert done == [True]
