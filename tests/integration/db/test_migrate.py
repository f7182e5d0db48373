"""A database keeps what was applied to it, whatever the files were called then."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from yoyo import get_backend, read_migrations

from db.migrate import FORMER_NAMES, MIGRATIONS, migrate, pending, yoyo_url
from db.pool import Connection, connect
from tests.conftest import drop_database, with_database

FORMER = Path(__file__).parents[2] / "fixtures" / "migrations"
MERGED = "0008_batches_and_clocks"
PAYLOAD, QUALITY = FORMER_NAMES[MERGED]


@pytest.fixture
def bare(template: str) -> Iterator[str]:
    """Address of a database without anything in it."""
    name = f"gw_{uuid.uuid4().hex[:12]}"
    with connect(template, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    yield with_database(template, name)
    drop_database(template, name)


def apply_as_once(url: str, folder: Path, former: tuple[str, ...]) -> None:
    """What an earlier version did: its files under their names, those of today without 0008."""
    folder.mkdir()
    for path in MIGRATIONS.glob("*.sql"):
        if not path.name.startswith(MERGED):
            shutil.copy(path, folder)
    for name in former:
        shutil.copy(FORMER / f"{name}.sql", folder)
    backend = get_backend(yoyo_url(url))
    backend.apply_migrations(backend.to_apply(read_migrations(str(folder))))
    backend.connection.close()


def limits(conn: Connection) -> list[tuple[str, int, bool]]:
    return conn.execute(
        "SELECT metric, version, valid_to IS NULL FROM stuck_limit ORDER BY metric, version"
    ).fetchall()


def payload_storage(conn: Connection) -> str:
    row = conn.execute(
        "SELECT attstorage FROM pg_attribute"
        " WHERE attrelid = 'ingest_batch'::regclass AND attname = 'payload'"
    ).fetchone()
    assert row
    return str(row[0])


def test_what_was_applied_under_former_names_is_not_applied_again(
    bare: str, tmp_path: Path
) -> None:
    apply_as_once(bare, tmp_path / "then", (PAYLOAD, QUALITY))
    with connect(bare, autocommit=True) as conn:
        conn.execute("UPDATE stuck_limit SET valid_to = '2026-01-01' WHERE metric = 'co_ppm'")
        before = limits(conn)
        assert pending(bare) == []
        assert migrate(bare) == []
        assert limits(conn) == before
        recorded = conn.execute(
            "SELECT migration_id FROM _yoyo_migration WHERE migration_id LIKE '0008%' ORDER BY 1"
        ).fetchall()
    # The former names stay: an earlier version that comes back finds them.
    assert recorded == [(PAYLOAD,), (MERGED,), (QUALITY,)]
    assert (pending(bare), migrate(bare)) == ([], [])


@pytest.mark.parametrize("former", [PAYLOAD, QUALITY])
def test_where_only_one_of_them_was_applied_the_other_is_made_up_for(
    bare: str, tmp_path: Path, former: str
) -> None:
    apply_as_once(bare, tmp_path / "then", (former,))
    assert pending(bare) == [MERGED]
    assert migrate(bare) == [MERGED]
    with connect(bare) as conn:
        assert payload_storage(conn) == "e"
        assert len(limits(conn)) == 14
    assert pending(bare) == []


def test_a_new_database_comes_to_the_same(database_url: str, db: Connection) -> None:
    assert payload_storage(db) == "e"
    assert pending(database_url) == []
