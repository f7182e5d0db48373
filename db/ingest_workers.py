"""Ingest workers: who is alive, and who takes care of the sessions of one that is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from db.pool import Connection

# Heartbeats come every two seconds; after half a minute, longer than a restart takes, a worker is
# taken for gone.
SILENT_S = 30.0


@dataclass(frozen=True, slots=True)
class Orphan:
    """A worker that is not coming back, with what its sessions subscribe to."""

    name: str
    filters: list[str]


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker and when it last said that it is alive; `silent_s` is by the database's clock."""

    name: str
    started_at: datetime
    seen_at: datetime
    silent_s: float
    adopted_by: str | None

    @property
    def is_alive(self) -> bool:
        return self.silent_s <= SILENT_S


def list_workers(conn: Connection) -> list[Worker]:
    """Every worker that was not ended, by name."""
    with conn.cursor(row_factory=class_row(Worker)) as cursor:
        return cursor.execute(
            """
            SELECT name, started_at, seen_at, adopted_by,
                   extract(epoch FROM clock_timestamp() - seen_at)::float8 AS silent_s
            FROM ingest_worker ORDER BY name
            """
        ).fetchall()


def register(conn: Connection, name: str, filters: Sequence[str]) -> list[str]:
    """A worker starts; gives filters of its earlier life that it has no use for any more."""
    row = conn.execute(
        """
        WITH before AS (SELECT filters FROM ingest_worker WHERE name = %(name)s)
        INSERT INTO ingest_worker (name, started_at, seen_at, filters)
        VALUES (%(name)s, clock_timestamp(), clock_timestamp(), %(filters)s)
        ON CONFLICT (name) DO UPDATE
        SET started_at = excluded.started_at, seen_at = excluded.seen_at,
            filters = excluded.filters, adopted_by = NULL, adopted_at = NULL
        RETURNING (SELECT filters FROM before)
        """,
        {"name": name, "filters": list(filters)},
    ).fetchone()
    earlier = (row[0] if row else None) or []
    return sorted(set(earlier) - set(filters))


def beat(conn: Connection, name: str) -> bool:
    """The worker is alive, and nobody need stand in for it; False if somebody ended it (its row
    is gone)."""
    return bool(
        conn.execute(
            """
            UPDATE ingest_worker
            SET seen_at = clock_timestamp(), adopted_by = NULL, adopted_at = NULL
            WHERE name = %s
            """,
            (name,),
        ).rowcount
    )


def claim_orphan(
    conn: Connection, claimant: str, silent: timedelta, abandoned: timedelta
) -> Orphan | None:
    """A worker that nobody has heard of for `silent`, and that no other worker is taking care of
    (one that began to and fell silent itself for `abandoned` does not count)."""
    with conn.cursor(row_factory=class_row(Orphan)) as cursor:
        return cursor.execute(
            """
            UPDATE ingest_worker SET adopted_by = %(claimant)s, adopted_at = clock_timestamp()
            WHERE name = (
                SELECT name FROM ingest_worker
                WHERE name <> %(claimant)s AND seen_at < clock_timestamp() - %(silent)s
                  AND (adopted_at IS NULL OR adopted_at < clock_timestamp() - %(abandoned)s)
                ORDER BY name
                LIMIT 1
                FOR UPDATE SKIP LOCKED
            )
            RETURNING name, filters
            """,
            {"claimant": claimant, "silent": silent, "abandoned": abandoned},
        ).fetchone()


def keep_orphan(conn: Connection, claimant: str, name: str) -> bool:
    """Still at it; False if the orphan came back or somebody else has it."""
    return bool(
        conn.execute(
            """
            UPDATE ingest_worker SET adopted_at = clock_timestamp()
            WHERE name = %s AND adopted_by = %s
            """,
            (name, claimant),
        ).rowcount
    )


def forget(conn: Connection, name: str) -> None:
    """A worker is gone and its sessions are ended."""
    conn.execute("DELETE FROM ingest_worker WHERE name = %s", (name,))
