"""The seeds in a real database: complete, harmless to repeat, respectful of people's changes."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from city.place import LonLat
from db import categories
from db.pool import Connection
from db.seeds import seed_demo, seed_reference
from db.seeds.fleet import build_fleet
from db.seeds.simulated import list_destinations, list_simulated_devices, planned_devices
from db.squads import list_squads

TABLES = (
    "metric", "incident_category", "stage_limit", "work_calendar", "work_calendar_day", "district",
    "division", "duty_grid", "unit_grid", "device", "squad", "squad_shift", "squad_duty_grid",
)  # fmt: skip


def counts(db: Connection) -> dict[str, int]:
    """Rows of each seeded table."""
    found = {}
    for table in TABLES:
        row = db.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[arg-type]
        assert row is not None
        found[table] = row[0]
    return found


def seed(db: Connection, now: datetime) -> None:
    seed_reference(db, now)
    seed_demo(db, now)


def test_the_demo_district_is_complete(db: Connection) -> None:
    found = counts(db)
    assert found["division"] == 131
    assert found["duty_grid"] == 118  # one for each community, also without cells
    assert 2_500 <= found["unit_grid"] <= 5_000
    assert found["device"] == 5_000
    assert found["squad"] == 24
    assert found["incident_category"] >= 60


def test_seeding_again_changes_nothing_and_takes_no_time(db: Connection, now: datetime) -> None:
    before = counts(db)
    began = time.monotonic()
    seed(db, now)
    assert time.monotonic() - began < 5
    assert counts(db) == before


def test_seeding_again_puts_back_only_what_is_missing(db: Connection, now: datetime) -> None:
    db.execute("DELETE FROM device WHERE code IN ('GAS-000001', 'LT-000002')")
    seed(db, now)
    assert counts(db)["device"] == 5_000


@pytest.mark.parametrize(
    ("change", "look"),
    [
        (
            "UPDATE device SET name = 'moved', lon = 110.36 WHERE code = 'GAS-000001'",
            "SELECT name, lon FROM device WHERE code = 'GAS-000001'",
        ),
        (
            "UPDATE squad SET active = false, phone = '110' WHERE code = 'SQ-01'",
            "SELECT active, phone FROM squad WHERE code = 'SQ-01'",
        ),
        (
            "DELETE FROM squad_shift WHERE squad = 'SQ-01'",
            "SELECT count(*) FROM squad_shift WHERE squad = 'SQ-01'",
        ),
        (
            "UPDATE stage_limit SET amount = 2 WHERE clock = 'verify'",
            "SELECT amount FROM stage_limit WHERE clock = 'verify'",
        ),
    ],
)
def test_what_a_person_changed_stays(db: Connection, now: datetime, change: str, look: str) -> None:
    db.execute(change)  # type: ignore[arg-type]
    before = db.execute(look).fetchall()  # type: ignore[arg-type]
    seed(db, now)
    assert db.execute(look).fetchall() == before  # type: ignore[arg-type]


def test_a_newer_version_of_a_category_stays_in_force(db: Connection, now: datetime) -> None:
    db.execute("UPDATE incident_category SET valid_to = '2026-01-01' WHERE code = '05-02'")
    db.execute(
        """
        INSERT INTO incident_category
        SELECT code, 2, code_system, class, family, name_zh, name_en, filing_condition_zh,
               filing_condition_en, 2, handle_unit, severity, skill, closing_evidence,
               gas_free_minutes, source, '2026-01-01', NULL
        FROM incident_category WHERE code = '05-02'
        """
    )
    seed(db, now)
    assert categories.find_in_force(db, "05-02", "460107").version == 2


def test_every_device_lies_in_the_one_cell_that_its_row_names(db: Connection) -> None:
    row = db.execute(
        """
        SELECT count(*), count(DISTINCT d.id), count(*) FILTER (WHERE g.code = d.unit_grid
            AND g.community = d.community AND g.street = d.street)
        FROM device d JOIN unit_grid g
          ON d.lon >= g.west AND d.lon < g.east AND d.lat >= g.south AND d.lat < g.north
        """
    ).fetchone()
    assert row == (5_000, 5_000, 5_000)


def test_a_squad_comes_back_from_the_database_as_its_table_says(db: Connection) -> None:
    squads = {squad.code: squad for squad in list_squads(db, "460107")}
    assert len(squads) == 24
    assert "gas" in squads["SQ-14"].skills
    assert len(squads["SQ-14"].shifts) == 3
    assert squads["SQ-14"].position is not None


def test_the_simulator_finds_the_planned_devices_and_none_that_is_real(
    db: Connection, now: datetime
) -> None:
    assert list_simulated_devices(db) == planned_devices()
    db.execute("UPDATE device SET demo = false WHERE code = 'GAS-000001'")
    db.execute("UPDATE device SET out_of_service_since = %s WHERE code = 'GAS-000002'", (now,))
    codes = {device.code for device in list_simulated_devices(db)}
    assert codes == {d.code for d in build_fleet()} - {"GAS-000001", "GAS-000002"}


def test_a_squad_under_way_is_known_by_the_place_of_its_oldest_incident(
    db: Connection, now: datetime
) -> None:
    for number, state, lon in (("1", "acknowledged", 110.36), ("2", "on_site", 110.37)):
        db.execute(
            """
            WITH opened AS (
                INSERT INTO incident (number, district, category, category_version, source, state,
                    severity, title_zh, title_en, lon, lat, opened_at, reported_by)
                VALUES (%s, '460107', '05-02', 1, 'patrol', %s, 1, '甲', 'A', %s, 19.98, %s, 'x')
                RETURNING id
            )
            INSERT INTO assignment (incident_id, squad, assigned_by, assigned_at, acknowledged_at)
            SELECT id, 'SQ-14', 'x', %s, %s FROM opened
            """,
            (number, state, lon, now, now + timedelta(seconds=int(number)), now),
        )
    assert list_destinations(db) == {"SQ-14": LonLat(110.36, 19.98)}
    db.execute("UPDATE incident SET state = 'handled' WHERE number = '1'")
    assert list_destinations(db) == {"SQ-14": LonLat(110.37, 19.98)}
    db.execute("UPDATE assignment SET ended_at = %s", (now,))
    assert list_destinations(db) == {}
