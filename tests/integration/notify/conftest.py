"""The town of the incident core, with people who are there and channels that lead to loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from db.pool import Connection
from tests.integration.dispatch.town import START, City
from tests.integration.notify.desk import Desk
from tests.integration.notify.servers import Relay, Web, mail_server, web_server


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as running:
        yield running


@pytest.fixture
def relay() -> Iterator[Relay]:
    with mail_server() as running:
        yield running


@pytest.fixture
def desk(db: Connection) -> Desk:
    device = db.execute("SELECT id FROM device WHERE kind = 'gas' ORDER BY id LIMIT 1").fetchone()
    squad = db.execute(
        "SELECT code FROM squad WHERE 'gas' = ANY(skills) ORDER BY code LIMIT 1"
    ).fetchone()
    assert device is not None
    assert squad is not None
    return Desk(City(db, START, device[0], squad[0]))
