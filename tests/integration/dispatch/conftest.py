"""The town that the tests of the incident core play in."""

from __future__ import annotations

import pytest

from db.pool import Connection
from tests.integration.dispatch.town import START, City


@pytest.fixture
def town(db: Connection) -> City:
    device = db.execute("SELECT id FROM device WHERE kind = 'gas' ORDER BY id LIMIT 1").fetchone()
    squad = db.execute(
        "SELECT code FROM squad WHERE 'gas' = ANY(skills) ORDER BY code LIMIT 1"
    ).fetchone()
    assert device is not None
    assert squad is not None
    return City(db, START, device[0], squad[0])
