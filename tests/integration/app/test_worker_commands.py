"""`gridwarden doctor` and `gridwarden worker …` on a real database and broker."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.doctor import examine
from app.settings import load_settings
from db import inbox_lease, ingest_workers
from db.ingest_workers import SILENT_S
from db.pool import Connection
from tests.integration.app.conftest import Command


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


def test_a_worker_is_forgotten_only_when_it_is_gone(gridwarden: Command, db: Connection) -> None:
    for name in ("cli-1", "cli-2"):
        ingest_workers.beat(db, name, "cli")
    fall_silent(db, "cli-1", 10)
    young = gridwarden("worker", "end", "cli-1")
    assert (young.exit_code, "was heard 10 s ago" in young.output) == (1, True)

    fall_silent(db, "cli-1", SILENT_S + 1)
    assert "cli-1 is forgotten" in gridwarden("worker", "end", "cli-1").output
    assert workers(db) == ["cli-2"]
    assert gridwarden("worker", "end", "cli").exit_code == 1
    fall_silent(db, "cli-2", SILENT_S + 1)
    assert gridwarden("worker", "end", "cli").exit_code == 0
    unknown = gridwarden("worker", "end", "cli-1")
    assert (unknown.exit_code, "is no worker" in unknown.output) == (1, True)


def test_a_share_of_messages_is_given_up_only_by_force(
    gridwarden: Command, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDWARDEN_MQTT_SHARED", "yes")
    inbox_lease.hold(db, "gridwarden-ingest-cli", "cli/1", "cli")
    db.commit()
    unasked = gridwarden("worker", "end", "cli")
    assert (unasked.exit_code, "would be lost" in unasked.output) == (1, True)
    assert gridwarden("worker", "end", "cli", "--force").exit_code == 0


def test_the_doctor_says_that_the_schema_is_old_and_goes_on(
    gridwarden: Command, db: Connection
) -> None:
    ingest_workers.beat(db, "cli-a", "cli")
    db.execute("ALTER TABLE ingest_worker RENAME TO not_yet")
    forgotten = db.execute("DELETE FROM _yoyo_migration WHERE migration_id LIKE '0010%'").rowcount
    db.commit()
    assert forgotten == 1
    told = gridwarden("doctor").output
    assert "FAULT schema: missing 0010_inbox" in told
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
