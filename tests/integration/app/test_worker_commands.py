"""`gridwarden doctor` and `gridwarden worker …` on a real database and broker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.doctor import examine
from app.settings import load_settings
from db import ingest_workers
from db.ingest_workers import SILENT_S
from db.pool import Connection

Command = Callable[..., Result]


@pytest.fixture
def gridwarden(
    database_url: str, mqtt_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Command:
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", database_url)
    monkeypatch.setenv("GRIDWARDEN_MQTT_URL", mqtt_url)
    monkeypatch.setenv("GRIDWARDEN_REDIS_URL", redis_url)
    monkeypatch.setenv("GRIDWARDEN_SECRET_KEY", "only for this test run")
    return lambda *arguments: CliRunner().invoke(cli, arguments)


def fall_silent(db: Connection, name: str, seconds: float) -> None:
    db.execute(
        "UPDATE ingest_worker SET seen_at = clock_timestamp() - %s WHERE name = %s",
        (timedelta(seconds=seconds), name),
    )
    db.commit()


def workers(db: Connection) -> list[str]:
    found = [worker.name for worker in ingest_workers.list_workers(db)]
    db.commit()
    return found


def test_a_worker_is_ended_only_when_it_is_gone_and_its_messages_are_given_up(
    gridwarden: Command, db: Connection
) -> None:
    for name in ("cli-a", "cli-b"):
        ingest_workers.register(db, name, ["x/#"])
    fall_silent(db, "cli-a", 10)
    young = gridwarden("worker", "end", "cli-a", "--force")
    assert (young.exit_code, "was heard 10 s ago" in young.output) == (1, True)

    fall_silent(db, "cli-a", SILENT_S + 1)
    assert ingest_workers.claim_orphan(db, "cli-b", timedelta(seconds=SILENT_S), timedelta(60))
    db.commit()
    adopted = gridwarden("worker", "end", "cli-a", "--force")
    assert (adopted.exit_code, "cli-b is taking its messages" in adopted.output) == (1, True)

    fall_silent(db, "cli-b", SILENT_S + 1)  # whoever took over is gone, too
    unasked = gridwarden("worker", "end", "cli-a")
    assert (unasked.exit_code, "would be lost" in unasked.output) == (1, True)
    assert workers(db) == ["cli-a", "cli-b"]

    done = gridwarden("worker", "end", "cli-a", "--force")
    assert (done.exit_code, workers(db)) == (0, ["cli-b"])
    assert gridwarden("worker", "end", "cli-a", "--force").exit_code == 1


def test_the_doctor_says_that_the_schema_is_old_and_goes_on(
    gridwarden: Command, db: Connection
) -> None:
    ingest_workers.register(db, "cli-a", ["x/#"])
    db.execute("ALTER TABLE ingest_worker RENAME TO not_yet")
    forgotten = db.execute("DELETE FROM _yoyo_migration WHERE migration_id LIKE '0006%'").rowcount
    db.commit()
    assert forgotten == 1
    told = gridwarden("doctor").output
    assert "FAULT schema: missing 0006_workers" in told
    assert "redis" in told
    assert "disk" in told


def test_what_the_database_refuses_is_a_finding_and_the_rest_is_looked_at(
    gridwarden: Command, db: Connection
) -> None:
    db.execute("ALTER TABLE ingest_worker RENAME TO broken")
    db.execute("ALTER TABLE ingest_batch RENAME TO broken_too")
    db.commit()
    findings = examine(load_settings(None))
    faults = {finding.what: finding.text for finding in findings if not finding.ok}
    assert 'relation "ingest_worker" does not exist' in faults["ingest"]
    assert 'relation "ingest_batch" does not exist' in faults["database"]
    assert {"schema", "redis", "mqtt", "disk"} <= {finding.what for finding in findings}
