"""A field of devices over a fresh database."""

from __future__ import annotations

from datetime import datetime

import pytest

from db.pool import Connection
from tests.integration.ingest.field import Field


@pytest.fixture
def field(db: Connection, now: datetime) -> Field:
    codes = db.execute(
        "SELECT code FROM device WHERE kind = 'gas' AND format = 'native' ORDER BY code LIMIT 50"
    ).fetchall()
    camera = db.execute(
        "SELECT code FROM device WHERE kind = 'camera' AND format = 'native' ORDER BY code LIMIT 1"
    ).fetchone()
    assert camera is not None
    return Field(db, now, tuple(row[0] for row in codes), camera[0])
