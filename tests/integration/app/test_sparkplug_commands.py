"""`gridwarden sparkplug …` on a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from city.message import NewMessage
from db import outbox, sparkplug
from db.pool import Connection
from tests.integration.app.conftest import Command
from wire.industry.sparkplug_payload import REBIRTH
from wire.industry.sparkplug_schema import Payload

KEY = ("North", "cabinet-7")
NCMD = "spBv1.0/North/NCMD/cabinet-7"


@pytest.fixture
def gridwarden(gridwarden: Command) -> Command:
    return partial(gridwarden, "sparkplug")


@pytest.fixture
def known(db: Connection) -> datetime:
    """An edge node that somebody has heard."""
    now = datetime.now(UTC)
    sparkplug.lock_nodes(db, {KEY}, now)
    db.commit()
    return now


def test_a_person_asks_for_births_whatever_was_left_unanswered(
    gridwarden: Command, db: Connection, known: datetime
) -> None:
    assert "not answered" not in gridwarden("list").output
    assert gridwarden("rebirth", "North/cabinet-7").exit_code == 0
    (command,) = outbox.claim_due(db, datetime.now(UTC))
    (asked,) = Payload.FromString(command.payload).metrics
    assert (command.topic, asked.name.decode(), asked.boolean_value) == (NCMD, REBIRTH, True)
    assert "North/cabinet-7  offline" in gridwarden("list").output
    assert "not answered since" in gridwarden("list").output


@pytest.mark.parametrize(
    ("name", "problem"),
    [("North/nobody", "no edge node 'North/nobody'"), ("North", "must be GROUP/EDGE")],
)
def test_who_is_not_there_is_not_asked(
    gridwarden: Command, known: datetime, name: str, problem: str
) -> None:
    refused = gridwarden("rebirth", name)
    assert refused.exit_code == 1
    assert problem in refused.output


def test_asking_is_switched_off_with_what_waits_and_written_down(
    gridwarden: Command, db: Connection, known: datetime
) -> None:
    waiting = [
        NewMessage(NCMD, b"", known + timedelta(seconds=5)),
        NewMessage("city/v1/460107/light/L-1/command", b"", known),
    ]
    outbox.insert_messages(db, waiting)
    db.commit()
    assert gridwarden("ask", "never").output == "births are asked for: never\n"
    assert sparkplug.rebirth_setting(db) == sparkplug.NEVER
    left = db.execute("SELECT topic FROM mqtt_outbox").fetchall()
    assert left == [("city/v1/460107/light/L-1/command",)]
    row = db.execute(
        "SELECT payload FROM event WHERE kind = 'setting.changed' ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    assert row == ({"from": "once", "to": "never"},)
    assert "births are asked for: never" in gridwarden("list").output
    assert gridwarden("ask", "sometimes").exit_code == 2
