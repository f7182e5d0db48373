"""`gridwarden ledger verify` on a real database: what is wrong, for people and for scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from city.sequence import StoredGap
from db import broker_counts, sequences
from db.broker_counts import BrokerCount
from db.pool import Connection
from tests.integration.app.conftest import Command

NOW = datetime.now(UTC)


@pytest.fixture
def verify(gridwarden: Command) -> Command:
    return partial(gridwarden, "ledger", "verify")


def lose(db: Connection, missing: int, age: timedelta, *, usual: bool = False) -> None:
    row = db.execute("SELECT id FROM device ORDER BY code LIMIT 1").fetchone()
    assert row is not None
    at = NOW - age
    gap = StoredGap(0, row[0], "native", 0, 1, missing, at - timedelta(seconds=9), at, usual)
    sequences.replace_gaps(db, [], [gap], NOW)
    db.commit()


def test_an_installation_that_lost_nothing_balances(verify: Command) -> None:
    result = verify("--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["balanced"] is found["sequences"]["balanced"] is found["broker"]["balanced"]
    assert found["broker"]["tells"] is False
    assert "its counters were not looked at yet" in verify().output


def test_messages_that_never_came_are_named_and_end_with_one(
    verify: Command, db: Connection
) -> None:
    lose(db, 37, timedelta(minutes=5))
    result = verify()
    assert result.exit_code == 1
    assert "37 messages of 1 sender (" in result.output
    assert "the ledger balances" in result.output  # what was received is accounted for
    found = json.loads(verify("--json").output)
    assert found["balanced"]
    assert not found["sequences"]["balanced"]
    assert found["sequences"]["missing"][0]["messages"] == 37
    an_hour_ago = (NOW - timedelta(hours=1)).isoformat()
    assert verify("--to", an_hour_ago).exit_code == 0


def test_what_a_radio_loses_now_and_then_is_no_fault(verify: Command, db: Connection) -> None:
    lose(db, 2, timedelta(minutes=5), usual=True)
    assert verify().exit_code == 0


def test_what_the_broker_dropped_ends_with_one(verify: Command, db: Connection) -> None:
    for age_s, dropped in ((120, 0), (60, 12)):
        at = NOW - timedelta(seconds=age_s)
        broker_counts.record(db, BrokerCount(at, "mosquitto", 1000 - age_s, 500, dropped))
    db.commit()
    result = verify()
    assert result.exit_code == 1
    assert "the broker gave up 12 deliveries" in result.output
    assert json.loads(verify("--json").output)["broker"]["drops"][0]["deliveries"] == 12
