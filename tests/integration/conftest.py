"""The database of an installation without a demonstration, which several folders copy."""

from __future__ import annotations

import psycopg
import pytest

from app.up import prepare_database
from stack import RunningStack
from tests.conftest import with_database

BARE = "gw_bare_template"


@pytest.fixture(scope="session")
def bare_template(servers: RunningStack) -> str:
    """Made once and then copied; nobody connects to it."""
    maintenance = servers.postgres
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {BARE}")
    prepare_database(with_database(maintenance, BARE), demo=False)
    with psycopg.connect(maintenance, autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {BARE} ALLOW_CONNECTIONS false")
        conn.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = %s AND usesysid IS NOT NULL
            """,
            (BARE,),
        )
    return maintenance
