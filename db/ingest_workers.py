"""Storing workers: which are expected to run, and when each was last heard of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from db.pool import Connection

# Heartbeats come every two seconds; after half a minute a worker is taken for gone.
SILENT_S = 30.0


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker and when it last said that it is alive; `silent_s` is by the database's clock."""

    name: str
    process: str
    started_at: datetime
    seen_at: datetime
    silent_s: float

    @property
    def is_alive(self) -> bool:
        return self.silent_s <= SILENT_S


def list_workers(conn: Connection) -> list[Worker]:
    """Every worker that has not said good-bye, by name."""
    with conn.cursor(row_factory=class_row(Worker)) as cursor:
        return cursor.execute(
            """
            SELECT name, process, started_at, seen_at,
                   extract(epoch FROM clock_timestamp() - seen_at)::float8 AS silent_s
            FROM ingest_worker ORDER BY name
            """
        ).fetchall()


def beat(conn: Connection, name: str, process: str, *, started: bool = False) -> None:
    """The worker is alive, or has just `started`."""
    conn.execute(
        """
        INSERT INTO ingest_worker (name, process, started_at, seen_at)
        VALUES (%(name)s, %(process)s, clock_timestamp(), clock_timestamp())
        ON CONFLICT (name) DO UPDATE
        SET seen_at = excluded.seen_at, process = excluded.process,
            started_at = CASE WHEN %(started)s THEN excluded.started_at
                              ELSE ingest_worker.started_at END
        """,
        {"name": name, "process": process, "started": started},
    )


def forget(conn: Connection, name: str) -> bool:
    """A worker has stopped, or is not coming back; False if none has this name."""
    return bool(conn.execute("DELETE FROM ingest_worker WHERE name = %s", (name,)).rowcount)


def forget_process(conn: Connection, process: str) -> None:
    """All of a process have stopped."""
    conn.execute("DELETE FROM ingest_worker WHERE process = %s", (process,))
