"""When an alarm counts as over though its off-delay still runs: no rule of it may hold it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from psycopg.types.json import Jsonb

from db import alarm_changes
from tests.integration.dispatch.town import City

STANDS, LEFT = [["2026-11-28T00:00:00+00:00", 1]], [["2026-11-28T00:00:00+00:00", None]]


@pytest.mark.parametrize(
    ("levels", "running", "clearing"),
    [
        ({}, [], False),
        ({}, ["own"], True),
        ({"own": STANDS}, ["own"], True),
        ({"own": STANDS, "other": STANDS}, ["own"], False),
        ({"own": STANDS, "other": STANDS}, ["own", "other"], True),
        ({"own": STANDS, "other": LEFT}, ["own"], True),
        ({"own": STANDS, "other": STANDS}, ["other"], False),
    ],
    ids=str,
)
def test_an_alarm_is_clearing_when_all_that_hold_it_wait_for_its_end(
    town: City, levels: dict[str, object], running: list[str], clearing: bool
) -> None:
    alarm_id = town.raise_alarm()
    town.take_all()
    incident_id = town.opened_by(alarm_id)
    town.conn.execute(
        "UPDATE alarm SET rule_code = 'own', levels = %s WHERE id = %s", (Jsonb(levels), alarm_id)
    )
    for code in running:
        town.conn.execute(
            """
            INSERT INTO rule_timer (condition, rule_code, device_id, direction, severity,
                                    started_at, received_at, due_at, reason)
            SELECT %(code)s || '/' || device_id || '/off', %(code)s, device_id, 'off', severity,
                   %(now)s, %(now)s, %(later)s, '{}'
            FROM alarm WHERE id = %(alarm)s
            """,
            {
                "code": code,
                "now": town.now,
                "later": town.now + timedelta(minutes=5),
                "alarm": alarm_id,
            },
        )
    (alarm,) = alarm_changes.list_alarms_of(town.conn, incident_id)
    assert alarm.clearing is clearing
