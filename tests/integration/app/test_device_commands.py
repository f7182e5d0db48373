"""`gridwarden device …` on a real database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from city.device import Stranger
from city.reject import NewReject
from db.discovery import note_strangers
from db.pool import Connection
from db.rejects import insert_rejects
from tests.integration.app.conftest import Command

MIGRATIONS = Path(__file__).parents[3] / "db" / "migrations"


@pytest.fixture
def gridwarden(gridwarden: Command) -> Command:
    return partial(gridwarden, "device")


def meet(db: Connection, code: str) -> str:
    now = datetime.now(UTC)
    topic = f"city/v1/460107/gas/{code}/telemetry"
    ts = int(now.timestamp() * 1000)
    body = json.dumps({"ts": ts, "readings": {"ch4_pct_lel": 2.5}}).encode()
    detail = f"no native device {code!r}"
    note_strangers(db, [Stranger("native", code, "gas", now, now, 1, topic, body)])
    insert_rejects(
        db, [NewReject(now, "native", topic, code, "device_unknown", detail, body, True)]
    )
    db.commit()
    row = db.execute("SELECT id FROM discovered_device WHERE identity = %s", (code,)).fetchone()
    assert row is not None
    return str(row[0])


def test_a_stranger_is_listed_approved_and_replayed(gridwarden: Command, db: Connection) -> None:
    number = meet(db, "CLI-1")
    row = db.execute("SELECT west, south FROM unit_grid ORDER BY code LIMIT 1 OFFSET 70").fetchone()
    assert row is not None
    assert f"{number}  native:CLI-1  gas  1 messages" in gridwarden("discovered").output

    form = ["--code", "CLI-1", "--name", "Gate", "--lon", str(row[0]), "--lat", str(row[1])]
    wrong = gridwarden("approve", number, *form, "--kind", "volcano")
    assert (wrong.exit_code, "kind: must be one of" in wrong.output) == (1, True)
    done = gridwarden("approve", number, *form, "--kind", "gas")

    assert done.output == "CLI-1 is registered\nreplayed 1, still refused 0\n"
    assert "CLI-1" not in gridwarden("discovered").output
    listed = json.loads(gridwarden("list", "--kind", "gas", "--json").output)
    assert "CLI-1" in [device["code"] for device in listed]


def test_an_ignored_stranger_is_in_the_other_list(gridwarden: Command, db: Connection) -> None:
    number = meet(db, "CLI-2")

    assert gridwarden("ignore", number).exit_code == 0
    assert "CLI-2" not in gridwarden("discovered").output
    assert "CLI-2" in gridwarden("discovered", "--state", "ignored").output


def test_an_overdue_return_is_called_that(gridwarden: Command, db: Connection) -> None:
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    gone = gridwarden("out-of-service", "GAS-000001", "--reason", "calibration", "--until", until)
    assert gone.output == "GAS-000001 is out of service\n"
    db.execute("UPDATE device SET return_due_at = now() WHERE code = 'GAS-000001'")
    db.commit()

    (line,) = gridwarden("list", "--out-of-service").output.splitlines()
    assert line.startswith("GAS-000001  gas")
    assert line.endswith("OVERDUE: calibration")

    assert gridwarden("return", "GAS-000001").exit_code == 0
    again = gridwarden("return", "GAS-000001")
    assert (again.exit_code, "in service" in again.output) == (1, True)


def test_hardware_is_exchanged(gridwarden: Command) -> None:
    new = ["--external-id", "24E124136B00DD01", "--format", "chirpstack", "--reason", "water"]

    done = gridwarden("replace", "GAS-000002", *new, "--model", "milesight-gs101")

    assert done.output == "GAS-000002 is now chirpstack:24e124136b00dd01 milesight-gs101\n"
    nothing = gridwarden("replace", "GAS-000003", "--reason", "water")
    assert (nothing.exit_code, "must be given" in nothing.output) == (1, True)


def test_the_registry_migration_can_be_taken_back_and_applied_again(db: Connection) -> None:
    for name in ("0003_registry.rollback.sql", "0003_registry.sql"):
        db.execute((MIGRATIONS / name).read_bytes())
    assert db.execute("SELECT count(*) FROM discovered_device").fetchone() == (0,)
