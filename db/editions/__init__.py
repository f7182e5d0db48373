"""The two TimescaleDB editions: the same roll-up names, made by whatever the server can do."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from db.pool import Connection

Edition = Literal["apache", "community"]
FOLDER = Path(__file__).parent


def edition_of(conn: Connection) -> Edition:
    """Which edition this server runs; its licence setting decides what it offers."""
    row = conn.execute("SELECT current_setting('timescaledb.license')").fetchone()
    assert row is not None, "a SELECT without FROM gives one row"
    return "community" if row[0] == "timescale" else "apache"


def has_background_workers(conn: Connection) -> bool:
    """True where TimescaleDB runs policies by itself."""
    row = conn.execute(
        """
        SELECT EXISTS (
            SELECT FROM pg_stat_activity
            WHERE backend_type = 'TimescaleDB Background Worker Launcher'
        )
        """
    ).fetchone()
    return row is not None and cast(bool, row[0])


def apply(conn: Connection) -> Edition:
    """Create what the edition needs, again and again without harm; `conn` is in autocommit."""
    edition = edition_of(conn)
    _run(conn, edition)
    if edition == "community" and has_background_workers(conn):
        _run(conn, "community_policies")
    return edition


def _run(conn: Connection, name: str) -> None:
    conn.execute((FOLDER / f"{name}.sql").read_bytes())
