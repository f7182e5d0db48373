"""Key figures published and restated on the command line, by people who give their password."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import Result

from app.settings import DEMO_DISTRICT
from city.event import NewEvent
from city.incident import Role
from db import incidents, users
from db.events import append_events
from db.pool import Connection
from tests.integration.app.conftest import Command

PASSWORD = "a long enough password"
PERIOD = "2026-07"


@pytest.fixture
def people(db: Connection) -> None:
    for name, role in (("gao", Role.LEADER), ("wang", Role.DISPATCHER)):
        users.add_user(db, name, PASSWORD, role, DEMO_DISTRICT, datetime.now(UTC))
    db.commit()


def say(gridwarden: Command, who: str, *words: str) -> Result:
    return gridwarden("kpi", *words, "--as", who, stdin=f"{PASSWORD}\n")


def test_a_period_is_published_once_and_restated_with_a_reason(
    gridwarden: Command, db: Connection, people: None
) -> None:
    refused = say(gridwarden, "wang", "publish", PERIOD)
    assert refused.exit_code == 1
    assert "takes one of: admin, leader" in refused.output
    done = say(gridwarden, "gao", "publish", PERIOD)
    assert done.exit_code == 0, done.output
    assert "published" in done.output
    assert "by gao; nothing happened" in done.output
    again = say(gridwarden, "gao", "publish", PERIOD)
    assert again.exit_code == 1
    assert "restate it, with the reason" in again.output
    same = say(gridwarden, "gao", "restate", PERIOD, "--why", "to be sure")
    assert same.exit_code == 1
    assert "the log says of 2026-07 what edition 1 says" in same.output
    _file_one(db)
    restated = say(gridwarden, "gao", "restate", PERIOD, "--why", "one came late")
    assert restated.exit_code == 0, restated.output
    assert "restated (edition 2)" in restated.output
    assert ": one came late; handled in time 0 of 0" in restated.output
    listed = json.loads(gridwarden("kpi", "list", "--json").output)
    assert [(e["edition"], e["reason"]) for e in listed] == [(1, ""), (2, "one came late")]
    assert [len(e["figures"]["district"]) for e in listed] == [0, 1]


@pytest.mark.parametrize("period", ["July", "2099-01"])
def test_what_cannot_be_published_is_said_in_one_sentence(
    gridwarden: Command, people: None, period: str
) -> None:
    refused = say(gridwarden, "gao", "publish", period)
    assert refused.exit_code == 1
    assert "period" in refused.output
    assert period in refused.output


def _file_one(db: Connection) -> None:
    """A case of July that the log is told of now."""
    row = db.execute(
        """
        INSERT INTO incident (number, district, category, category_version, source, state,
                              severity, title_zh, title_en, lon, lat, opened_at, reported_by)
        VALUES ('late', %s, '0101', 1, 'patrol', 'filed', 2, 't', 't', 110.36, 20.0,
                '2026-07-15T00:00:00Z', 'test')
        RETURNING id
        """,
        (DEMO_DISTRICT,),
    ).fetchone()
    assert row is not None
    found = incidents.find(db, row[0])
    told = {"role": "dispatcher", "to": "filed"}
    append_events(
        db,
        [NewEvent(found.opened_at, DEMO_DISTRICT, "incident.opened", found.subject, "li", told)],
    )
    db.commit()
