"""Programmes that are followed, each step once, and what a night comes to."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.incident import Role
from city.lamp_programme import Programme, night_around, parse_programme
from city.lighting import Target, TargetKind
from city.person import Caller
from city.place import LonLat
from city.reading import METRICS
from city.scope import Scope
from db import demo, lamp_commands, lamp_programmes
from db.events import append_events
from db.pool import Connection, connect
from lighting import steps
from tests.integration.lighting.lamps import DISPATCHER, DISTRICT

VIEWER = Caller("vera", Role.VIEWER, DISTRICT)
# Early in the afternoon of a Tuesday: 16:00 in Haikou.
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
NIGHT = date(2026, 11, 24)


def programme(code: str, evening: int = 100) -> Programme:
    return parse_programme(
        f'code = "{code}"\nname_zh = "方案"\nname_en = "{code}"\n'
        f'[[step]]\nat = "sunset-10"\nlevel = {evening}\n'
        '[[step]]\nat = "23:30"\nlevel = 60\n[[step]]\nat = "sunrise+10"\nlevel = 0\n'
    )


def save(conn: Connection, wanted: Programme, version: int | None = None) -> int:
    row, events = steps.save_programme(conn, DISPATCHER, wanted, version, "a test", NOW)
    append_events(conn, events)
    return row.version


def assign(conn: Connection, kind: str, code: str, name: str, now: datetime = NOW) -> None:
    append_events(conn, steps.assign(conn, DISPATCHER, kind, code, name, "a test", now))


def orders(conn: Connection) -> list[tuple[str, str, int, int]]:
    rows = conn.execute(
        "SELECT target_kind, target, level, lamps FROM lamp_order ORDER BY target_kind, target, id"
    )
    return [tuple(row) for row in rows]  # type: ignore[misc]


def next_due(conn: Connection) -> datetime:
    row = conn.execute("SELECT min(step_at) FROM lamp_step_due").fetchone()
    assert row is not None
    return row[0]


def test_versions_assignments_and_who_may(db: Connection) -> None:
    assert save(db, programme("main"), 0) == 1
    assert save(db, programme("main", 90), 1) == 2
    with pytest.raises(Conflict, match="is at version 2"):
        save(db, programme("main"), 1)
    with pytest.raises(Forbidden, match="viewer may not"):
        steps.save_programme(db, VIEWER, programme("x"), 0, "why", NOW)
    with pytest.raises(Forbidden, match="viewer may not"):
        steps.assign(db, VIEWER, "district", "", "main", "why", NOW)
    with pytest.raises(NotFound, match="no programme 'side'"):
        assign(db, "district", "", "side")
    with pytest.raises(NotFound, match="no lamp in service in cabinet 'CAB-999'"):
        assign(db, "cabinet", "CAB-999", "main")
    with pytest.raises(InvalidInput, match="the district has no code"):
        assign(db, "district", "460107", "main")
    assign(db, "cabinet", "CAB-001", "main")
    with pytest.raises(
        Conflict, match="1 assignments follow programme main: first cabinet CAB-001"
    ):
        steps.retire_programme(db, DISPATCHER, "main", 2, "why", NOW)
    assign(db, "cabinet", "CAB-001", "")
    with pytest.raises(NotFound, match="no assignment 'cabinet CAB-001'"):
        assign(db, "cabinet", "CAB-001", "")
    row, events = steps.retire_programme(db, DISPATCHER, "main", 2, "why", NOW)
    append_events(db, events)
    assert (row.version, lamp_programmes.list_programmes(db, DISTRICT)) == (3, [])
    assert save(db, programme("main"), 0) == 4  # the code is free again, its history stays
    told = db.execute(
        "SELECT kind FROM event WHERE subject = 'lamp_programme:main' ORDER BY seq"
    ).fetchall()
    assert [kind.partition(".")[2] for (kind,) in told] == [
        "saved",
        "saved",
        "assigned",
        "unassigned",
        "retired",
        "saved",
    ]
    unsaid = db.execute(
        "SELECT count(*) FROM event WHERE kind = 'row.changed' AND subject LIKE 'lamp%'"
    ).fetchone()
    assert unsaid == (0,)


def test_the_narrower_assignment_counts_and_each_step_is_asked_for_once(db: Connection) -> None:
    save(db, programme("main"))
    save(db, programme("side", 50))
    assign(db, "district", "", "main")
    assign(db, "street", "460107002", "side")
    assign(db, "cabinet", "CAB-001", "main")
    assign(db, "lamp", "LT-000002", "side")
    assert steps.tick_programmes(db, NOW) == 0
    sunset = next_due(db)
    assert sunset.hour == 9  # ten minutes before 17:57 in Haikou
    evening = sunset + timedelta(minutes=2)
    assert steps.tick_programmes(db, evening) == 4
    assert steps.tick_programmes(db, evening) == 0
    found = {(kind, target): (level, lamps) for kind, target, level, lamps in orders(db)}
    assert found["lamp", "LT-000002"] == (50, 1)
    assert found["cabinet", "CAB-001"] == (100, 24)
    level, in_street = found["street", "460107002"]
    assert level == 50
    level, elsewhere = found["district", ""]
    assert (level, 1 + 24 + in_street + elsewhere) == (100, 1900)
    # Dead from the evening on: the step of 23:30 and the one of the morning are one order, off.
    noon = evening + timedelta(hours=18)
    assert steps.tick_programmes(db, noon) == 4
    assert [level for _, _, level, _ in orders(db)].count(0) == 4
    assert next_due(db) > noon
    assert lamp_commands.forget_steps(db, noon) == 4  # those of the evening
    assert [level for _, _, level, _ in orders(db)] == [0, 0, 0, 0]


def test_two_schedulers_and_a_rolled_back_one_ask_for_a_step_once(database_url: str) -> None:
    with connect(database_url) as conn:
        save(conn, programme("main"))
        assign(conn, "district", "", "main")
        at = next_due(conn) + timedelta(seconds=5)
        conn.commit()
        steps.tick_programmes(conn, at)
        conn.rollback()  # died before its commit
    begin = threading.Barrier(3)

    def follow() -> None:
        begin.wait(10)
        with connect(database_url) as own:
            steps.tick_programmes(own, at)

    threads = [threading.Thread(target=follow) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with connect(database_url) as conn:
        assert orders(conn) == [("district", "", 100, 1900)]
        assert conn.execute("SELECT count(*) FROM lamp_command").fetchone() == (1900,)
        # All of it goes with a demonstration, but for programmes that others have made.
        (hanging,) = [h for h in demo.list_hanging(conn, DISTRICT, []) if "programmes" in h.what]
        assert str(hanging) == "1 lighting programmes (main)"
        removed = demo.remove(conn, DISTRICT, NOW, alone=False, told=True)
        assert (removed["lamp_command"], removed["lamp_programme"]) == (1900, 1)
        conn.rollback()


@pytest.fixture
def night(db: Connection) -> tuple[Connection, datetime, datetime]:
    """Cabinets 1 to 3 were there; their lamps reported every ten minutes of one night."""
    db.execute("DELETE FROM device WHERE kind = 'light' AND attributes ->> 'cabinet' > 'CAB-003'")
    db.execute("UPDATE device SET created_at = %s", (NOW - timedelta(days=1),))
    row = db.execute("SELECT avg(lon), avg(lat) FROM device WHERE kind = 'light'").fetchone()
    assert row is not None
    around = night_around(LonLat(*row), NIGHT, "Asia/Shanghai")
    assert around is not None
    return db, *around


def report(
    conn: Connection, cabinet: str, begin: datetime, end: datetime, lamp_on: float, power_w: float
) -> None:
    """Every ten minutes from all lamps of a cabinet."""
    conn.execute(
        """
        INSERT INTO reading (ts, device_id, metric_id, value, received_at)
        SELECT at, d.id, m.id, m.value, at
        FROM device d, generate_series(%s::timestamptz, %s, interval '10 min') AS at,
             (VALUES (%s::smallint, %s::float8), (%s, %s)) AS m (id, value)
        WHERE d.attributes ->> 'cabinet' = %s
        """,
        (begin, end, METRICS["lamp_on"].id, lamp_on, METRICS["power_w"].id, power_w, cabinet),
    )


def test_a_night_is_computed_once_from_what_lamps_said(
    night: tuple[Connection, datetime, datetime],
) -> None:
    conn, sunset, sunrise = night
    midnight = sunset + (sunrise - sunset) / 2
    report(conn, "CAB-001", sunset, sunrise, 1, 240)
    report(conn, "CAB-002", sunset, midnight, 1, 240)
    report(conn, "CAB-002", midnight + timedelta(minutes=5), sunrise, 0, 0.4)
    # CAB-003 says nothing at all.
    before = sunrise + timedelta(hours=1)
    assert steps.tick_nights(conn, before) == 1  # the night before, of which nothing is known
    morning = sunrise + timedelta(hours=2, minutes=1)
    assert steps.tick_nights(conn, morning) == 1
    assert steps.tick_nights(conn, morning) == 0
    rows = conn.execute(
        "SELECT sum(lamps), sum(due), sum(lit), sum(dark), sum(unknown), sum(hours_lost)"
        " FROM lit_night WHERE night = %s",
        (NIGHT,),
    ).fetchone()
    assert rows is not None
    lamps, due, lit, dark, unknown, hours_lost = rows
    checks = due // 75
    assert (lamps, due, unknown) == (75, 75 * checks, 25 * checks)
    assert 24 <= checks <= 26
    assert lit + dark == 50 * checks
    went_dark = midnight + timedelta(minutes=5)
    half = timedelta(minutes=30)
    before_dark = sum(sunset + half * (k + 1) < went_dark for k in range(checks))
    assert lit == 25 * checks + 25 * before_dark
    assert hours_lost == dark / 2
    event = conn.execute(
        "SELECT kind, payload ->> 'lit' FROM event WHERE subject = %s", (f"lit_night:{NIGHT}",)
    ).fetchall()
    assert event == [("lit_night.computed", str(lit))]


def test_readings_that_came_late_and_what_a_person_switched_off_change_a_night(
    night: tuple[Connection, datetime, datetime],
) -> None:
    conn, sunset, sunrise = night
    report(conn, "CAB-001", sunset, sunrise, 0, 0.4)
    morning = sunrise + timedelta(hours=3)
    dark = sum(n.dark for n in steps.recompute(conn, DISPATCHER, NIGHT, "why", morning))
    assert dark >= 25 * 24
    # The cabinet was switched off at a quarter of the night for works, until three quarters of it.
    quarter = (sunrise - sunset) / 4
    target = Target(TargetKind.CABINET, "CAB-001")
    done, _ = steps.order(
        conn, DISPATCHER, target, 0, "works", sunset + quarter, until=sunset + 3 * quarter
    )
    conn.execute(
        "UPDATE lamp_command SET state = 'acknowledged', due_at = NULL, ended_at = %s"
        " WHERE order_id = %s",
        (sunset + quarter, done.order_id),
    )
    rows = steps.recompute(conn, DISPATCHER, NIGHT, "works", morning)
    assert 0.45 * dark < sum(n.dark for n in rows) < 0.55 * dark
    # What its gateway had kept comes in: it was lit after all.
    conn.execute("DELETE FROM reading")
    report(conn, "CAB-001", sunset, sunrise, 1, 240)
    rows = steps.recompute(conn, DISPATCHER, NIGHT, "late readings", morning)
    assert (sum(n.dark for n in rows), sum(n.lit for n in rows) > 0) == (0, True)
    with pytest.raises(InvalidInput, match="is not over yet"):
        steps.recompute(conn, DISPATCHER, NIGHT + timedelta(days=1), "why", morning)
    with pytest.raises(Forbidden):
        steps.recompute(conn, VIEWER, NIGHT, "why", morning)


def test_the_picture_counts_what_lamps_said_last(
    night: tuple[Connection, datetime, datetime],
) -> None:
    conn, sunset, _ = night
    at = sunset + timedelta(hours=3)
    conn.execute(
        """
        INSERT INTO device_latest (device_id, metric_id, ts, value, received_at)
        SELECT id, %s, %s, (attributes ->> 'cabinet' = 'CAB-001')::int, %s FROM device
        WHERE attributes ->> 'cabinet' IN ('CAB-001', 'CAB-002')
        """,
        (METRICS["lamp_on"].id, at, at),
    )
    picture = steps.build_picture(conn, Scope(DISTRICT), at)
    total = picture.total
    assert (picture.sun_up, total.lamps, total.due) == (False, 75, 75)
    assert (total.lit, total.dark, total.unknown, total.burning) == (25, 25, 25, 0)
    assert [c.lit for c in picture.cabinets] == [25, 0, 0]
    assert sum(s.lamps for s in picture.streets) == 75
    noon = sunset + timedelta(hours=19)
    by_day = steps.build_picture(conn, Scope(DISTRICT), noon).total
    assert (by_day.due, by_day.lit, by_day.burning, by_day.silent) == (0, 0, 0, 75)
    save(conn, programme("main"))
    assign(conn, "cabinet", "CAB-002", "main", NOW)
    groups = steps.build_picture(conn, Scope(DISTRICT), at).cabinets
    assert [(c.programme, c.level) for c in groups] == [("", None), ("main", 100), ("", None)]
