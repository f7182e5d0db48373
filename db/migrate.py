"""Bring a database to the newest schema: versioned SQL, one runner at a time."""

from __future__ import annotations

from pathlib import Path

from yoyo import get_backend, read_migrations
from yoyo.backends import DatabaseBackend
from yoyo.migrations import MigrationList, get_migration_hash

from db import editions
from db.events import append_waiting
from db.pool import Connection, connect

MIGRATIONS = Path(__file__).parent / "migrations"
# yoyo remembers a migration by the name of its file. One that was made of others counts as applied
# where all of them were; where only some were it is applied, and must be harmless there.
FORMER_NAMES = {"0008_batches_and_clocks": ("0008_batch_payload", "0008_quality")}

# Key of the advisory lock that migrating processes queue on. yoyo's own lock is a row, which
# a killed process leaves behind for ever; an advisory lock ends with its session.
MIGRATE_LOCK = 0x6772_6964


def migrate(url: str) -> list[str]:
    """Apply what is missing, one process at a time; returns the names of what was applied."""
    with connect(url, application="gridwarden migrate", autocommit=True) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (MIGRATE_LOCK,))
        applied = _apply_missing(url)
        editions.apply(conn)
        _begin_log(conn)
    return applied


def _begin_log(conn: Connection) -> None:
    """What a migration found in the tables goes into the log: the picture begins with it."""
    with conn.transaction():
        row = conn.execute("SELECT now()").fetchone()
        assert row is not None, "a SELECT without FROM gives one row"
        append_waiting(conn, row[0])


def _apply_missing(url: str) -> list[str]:
    backend = get_backend(yoyo_url(url))
    try:
        missing, known_otherwise = _not_recorded(backend)
        backend.mark_migrations(known_otherwise)
        backend.apply_migrations(missing)
        return [m.id for m in missing]
    finally:
        backend.connection.close()


def pending(url: str) -> list[str]:
    """Names of migrations that the database has not seen."""
    backend = get_backend(yoyo_url(url))
    try:
        missing, _ = _not_recorded(backend)
        return [m.id for m in missing]
    finally:
        backend.connection.close()


def _not_recorded(backend: DatabaseBackend) -> tuple[MigrationList, MigrationList]:
    """What is to be applied, and what was applied under other names."""
    recorded = set(backend.get_applied_migration_hashes())
    known = {
        name
        for name, former in FORMER_NAMES.items()
        if recorded.issuperset(map(get_migration_hash, former))
    }
    new = backend.to_apply(read_migrations(str(MIGRATIONS)))
    return new.filter(lambda m: m.id not in known), new.filter(lambda m: m.id in known)


def yoyo_url(url: str) -> str:
    """yoyo picks psycopg 3 by the scheme `postgresql+psycopg`."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
