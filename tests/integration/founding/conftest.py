"""An installation without a demonstration: tables, reference rows, shipped rules, nobody."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from app.cli import cli
from db.pool import Connection, connect
from tests.conftest import BARE, drop_database, with_database
from tests.integration.app.conftest import Command
from tests.unit.founding.conftest import SAMPLE
from tests.unit.founding.conftest import deep_files as deep_files
from tests.unit.founding.conftest import files as files


@pytest.fixture
def new_installation(bare_template: str) -> Iterator[str]:
    """Address of a database of its own; a test that needs two asks for `another_one`, too."""
    with a_copy(bare_template) as url:
        yield url


@pytest.fixture
def another_one(bare_template: str) -> Iterator[str]:
    with a_copy(bare_template) as url:
        yield url


@contextmanager
def a_copy(maintenance: str, template: str = BARE) -> Iterator[str]:
    """A copy of the bare database, or of another one that nobody connects to, for as long as it
    is needed."""
    name = f"gw_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    yield with_database(maintenance, name)
    drop_database(maintenance, name)


@pytest.fixture
def bare(new_installation: str) -> Iterator[Connection]:
    """A connection that sees what others have committed."""
    with connect(new_installation, autocommit=True) as conn:
        yield conn


@pytest.fixture
def gridwarden(
    new_installation: str, mqtt_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """The command on the bare installation; `GRIDWARDEN_DISTRICT` is not set."""
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", new_installation)
    monkeypatch.setenv("GRIDWARDEN_MQTT_URL", mqtt_url)
    monkeypatch.setenv("GRIDWARDEN_REDIS_URL", redis_url)
    monkeypatch.setenv("GRIDWARDEN_SECRET_KEY", "only for this test run")
    monkeypatch.delenv("GRIDWARDEN_DISTRICT", raising=False)
    return lambda *words, stdin=None: CliRunner().invoke(cli, list(words), input=stdin)


@pytest.fixture
def folder(tmp_path: Path, files: dict[str, bytes]) -> Path:
    """The sample district, to be changed at will."""
    made = tmp_path / SAMPLE.name
    for name, content in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    return made
