"""What only time brings about: silence, dark lamps, ended shelving and video events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from alerts.steps import apply_rules, default_rules
from city.alarm import AlarmState, Severity
from city.place import LonLat
from city.sun import is_dark
from db.lamp_programmes import Assignment, put_assignment
from db.pool import Connection
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.ticking import tick

NOON = datetime(2026, 5, 1, 4, tzinfo=UTC)  # in Haikou
NIGHT = datetime(2026, 5, 1, 14, tzinfo=UTC)


@pytest.fixture
def night(db: Connection) -> Engine:
    """An engine at 22:00 local time."""
    apply_rules(db, "system", default_rules(), NIGHT)
    db.execute("DELETE FROM device_latest")
    return Engine(db, NIGHT)


def listen(engine: Engine, seconds: int, heard: bool = True) -> None:
    """Let time pass with a tick every ten seconds; `heard`: something arrives all the time."""
    for _ in range(seconds // 10):
        engine.later(seconds=10)
        if heard:
            engine.store_payload(None)
        tick(engine.conn, engine.now)


def test_lamps_of_a_cabinet_that_burn_by_day_are_one_alarm_unless_told_to_until_a_time(
    engine: Engine,
) -> None:
    engine.now = NOON
    for number in range(1, 7):
        engine.device(f"L-{number}", "light", interval_s=300, cabinet="CAB-1", rated_power_w=100)
    told = engine.device("L-9", "light", interval_s=300, rated_power_w=100)
    row = engine.conn.execute(
        """
        INSERT INTO lamp_order (district, target_kind, target, level, until, actor, ordered_at,
                                why, lamps)
        VALUES (%s, 'lamp', 'L-9', 100, %s, 'li', %s, 'repair', 1) RETURNING id
        """,
        (DISTRICT, NOON + timedelta(minutes=30), NOON - timedelta(minutes=5)),
    ).fetchone()
    assert row is not None
    engine.conn.execute(
        """
        INSERT INTO lamp_command (order_id, district, device_id, level, state, queued_at, ended_at)
        VALUES (%(order)s, %(district)s, %(lamp)s, 100, 'acknowledged', %(at)s, %(at)s)
        """,
        {
            "order": row[0],
            "district": DISTRICT,
            "lamp": told,
            "at": NOON - timedelta(minutes=4),
        },
    )

    def burn(minutes: int) -> None:
        for _ in range(minutes // 5):
            for code in engine.ids:
                engine.latest(code, "lamp_on", 1.0, engine.now)
            listen(engine, 300)

    burn(25)
    (cabinet,) = engine.alarms()
    assert (cabinet.condition, cabinet.severity) == ("day_burn-cabinet/CAB-1", Severity.YELLOW)
    assert cabinet.reason["facts"]["children"] == [f"L-{n}" for n in range(1, 7)]
    assert not cabinet.opens_incident
    burn(30)  # its time is over, and it is still on
    assert [a.condition for a in engine.alarms()] == ["day_burn-cabinet/CAB-1", "day_burn/L-9"]
    for code in engine.ids:
        engine.latest(code, "lamp_on", 0.0, engine.now)
    listen(engine, 30)
    assert {a.state for a in engine.alarms()} == {AlarmState.RETURNED}


def test_a_silent_device_gets_a_device_alarm_without_an_incident(engine: Engine) -> None:
    engine.device("G-1", "gas", interval_s=60)
    engine.device("M-1", "manhole", interval_s=60)
    engine.device("M-2", "manhole", interval_s=60)  # never reported: not silent, just new
    engine.latest("G-1", "ch4_pct_lel", 1.0, engine.now)
    engine.latest("M-1", "tilt_deg", 1.0, engine.now)
    listen(engine, 180)
    assert engine.alarms() == []
    listen(engine, 20)
    gas, manhole = sorted(engine.alarms(), key=lambda a: a.condition)
    assert (gas.condition, gas.severity) == ("silent/G-1", Severity.YELLOW)
    assert (manhole.condition, manhole.severity) == ("silent/M-1", Severity.BLUE)
    assert not gas.opens_incident
    assert not manhole.opens_incident
    assert manhole.reason["limit"] == 180
    listen(engine, 60)
    assert len(engine.alarms()) == 2


def test_a_device_that_speaks_again_clears_its_silence(engine: Engine) -> None:
    engine.device("M-1", "manhole", interval_s=60)
    engine.latest("M-1", "tilt_deg", 1.0, engine.now)
    listen(engine, 200)
    engine.latest("M-1", "tilt_deg", 1.0, engine.now)  # the same value again counts as fresh
    listen(engine, 10)
    assert [a.state for a in engine.alarms()] == [AlarmState.RETURNED]


def test_silence_is_not_blamed_on_a_device_out_of_service(engine: Engine) -> None:
    engine.device("M-1", "manhole", interval_s=60)
    engine.latest("M-1", "tilt_deg", 1.0, engine.now)
    listen(engine, 200)
    engine.conn.execute(
        "UPDATE device SET out_of_service_since = %s WHERE code = 'M-1'", (engine.now,)
    )
    listen(engine, 10)
    assert [a.state for a in engine.alarms()] == [AlarmState.RETURNED]


def test_when_nothing_arrives_there_is_one_alarm_instead_of_one_for_each_device(
    engine: Engine,
) -> None:
    for number in range(50):
        engine.device(f"G-{number}", "gas", interval_s=60)
        engine.latest(f"G-{number}", "ch4_pct_lel", 1.0, engine.now)
    listen(engine, 30)
    listen(engine, 600, heard=False)
    (alarm,) = engine.alarms()
    assert (alarm.condition, alarm.severity) == ("feed/ingest", Severity.ORANGE)
    assert not alarm.opens_incident
    # The feed is back: everybody gets the time to report again.
    listen(engine, 60)
    assert [a.condition for a in engine.alarms()] == ["feed/ingest"]
    assert engine.alarms()[0].state is AlarmState.RETURNED
    listen(engine, 200)
    assert len(engine.alarms()) == 51


def test_after_a_standstill_of_the_whole_installation_nobody_is_silent(engine: Engine) -> None:
    engine.device("M-1", "manhole", interval_s=60)
    engine.latest("M-1", "tilt_deg", 1.0, engine.now)
    engine.store_payload(None)
    listen(engine, 20)
    engine.later(hours=8)
    tick(engine.conn, engine.now)
    listen(engine, 60)
    assert engine.alarms() == []


def lamps(engine: Engine, count: int, cabinet: str = "CAB-1") -> list[str]:
    codes = [f"{cabinet}-L{i}" for i in range(count)]
    for code in codes:
        engine.device(code, "light", interval_s=300, cabinet=cabinet, rated_power_w=100)
    return codes


def report(engine: Engine, codes: list[str], on: float, power_w: float) -> None:
    for code in codes:
        engine.latest(code, "lamp_on", on, engine.now)
        engine.latest(code, "power_w", power_w, engine.now)
    engine.store_payload(None)


def test_a_dark_lamp_at_night_is_an_alarm_after_five_minutes(night: Engine) -> None:
    codes = lamps(night, 3)
    report(night, codes[:1], 0, 0)
    report(night, codes[1:], 1, 99)
    listen(night, 290)
    assert night.alarms() == []
    report(night, codes[:1], 0, 0)
    listen(night, 20)
    (alarm,) = night.alarms()
    assert (alarm.condition, alarm.category) == ("lamp/CAB-1-L0", "0137")
    assert alarm.severity is Severity.BLUE
    report(night, codes[:1], 1, 97)
    listen(night, 10)
    assert night.alarms()[0].state is AlarmState.RETURNED
    assert night.count("rule_timer") == 0


def test_a_lamp_that_was_told_to_be_off_is_not_dark(night: Engine) -> None:
    """By a person, or by its programme; the third is dark for no reason."""
    codes = [code for n in range(3) for code in lamps(night, 1, cabinet=f"CAB-{n}")]
    night.conn.execute(
        """
        WITH o AS (
            INSERT INTO lamp_order (district, target_kind, target, level, actor, why, lamps,
                                    ordered_at)
            VALUES ('460107', 'lamp', %(code)s, 0, 'ding', 'a parade', 1, %(at)s) RETURNING id
        )
        INSERT INTO lamp_command (order_id, district, device_id, level, state, queued_at, ended_at)
        SELECT o.id, '460107', d.id, 0, 'acknowledged', %(at)s, %(at)s
        FROM o, device d WHERE d.code = %(code)s
        """,
        {"code": codes[0], "at": night.now - timedelta(minutes=20)},
    )
    night.conn.execute(
        """
        INSERT INTO lamp_programme (district, code, version, source, retired, actor, why,
                                    valid_from)
        VALUES ('460107', 'off', 1, %s, false, 'ding', 'a test', %s)
        """,
        (
            'code = "off"\nname_zh = "关"\nname_en = "Off"\n[[step]]\nat = "12:00"\nlevel = 0\n',
            night.now - timedelta(days=2),
        ),
    )
    put_assignment(night.conn, "460107", Assignment("lamp", codes[1], "off"), "ding", night.now)
    report(night, codes, 0, 0)
    listen(night, 290)
    report(night, codes, 0, 0)
    listen(night, 340)
    assert [alarm.condition for alarm in night.alarms()] == [f"lamp/{codes[2]}"]


def test_two_hundred_lamps_of_one_cabinet_are_one_alarm_with_children(night: Engine) -> None:
    codes = lamps(night, 200)
    report(night, codes[:100], 0, 0)
    listen(night, 60)
    report(night, codes[100:], 1, 5)  # on, they say, and draw nothing
    listen(night, 250)
    (alarm,) = night.alarms()
    assert (alarm.condition, alarm.category) == ("lamp-cabinet/CAB-1", "0137-area")
    assert alarm.device_id is None
    assert alarm.reason["value"] == 200
    assert len(alarm.reason["facts"]["children"]) == 200
    report(night, codes, 0, 0)
    listen(night, 60)
    assert len(night.alarms()) == 1
    # Power is back for all but one lamp: the cabinet is over, the lamp is a matter of its own.
    report(night, codes[1:], 1, 99)
    report(night, codes[:1], 0, 0)
    listen(night, 20)
    assert [(a.condition, a.state) for a in night.alarms()] == [
        ("lamp-cabinet/CAB-1", AlarmState.RETURNED),
        (f"lamp/{codes[0]}", AlarmState.UNACKNOWLEDGED),
    ]


def test_by_day_a_lamp_that_is_off_is_no_alarm(db: Connection) -> None:
    apply_rules(db, "system", default_rules(), NOON)
    engine = Engine(db, NOON)
    report(engine, lamps(engine, 10), 0, 0)
    listen(engine, 400)
    assert engine.alarms() == []
    assert engine.count("rule_timer") == 0


def minutes_of_the_day() -> Iterator[datetime]:
    yield from (NOON + timedelta(minutes=i) for i in range(720))


def test_around_sunset_lamps_have_fifteen_minutes_to_light_up(db: Connection) -> None:
    sunset = next(t for t in minutes_of_the_day() if is_dark(t, LonLat(110.35, 20.0)))
    apply_rules(db, "system", default_rules(), NOON)
    engine = Engine(db, sunset - timedelta(seconds=30))
    codes = lamps(engine, 2)
    while engine.now < sunset + timedelta(minutes=14):
        report(engine, codes, 0, 0)
        listen(engine, 60)
    assert engine.count("rule_timer") == 0
    for _ in range(7):
        report(engine, codes, 0, 0)
        listen(engine, 60)
    assert len(engine.alarms()) == 2


def test_shelving_ends_by_itself(engine: Engine) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 25.0))
    engine.conn.execute(
        "UPDATE alarm SET shelved_until = %s, shelved_by = 'li'",
        (engine.now + timedelta(minutes=5),),
    )
    assert tick(engine.conn, engine.later(minutes=4)) == 0
    assert tick(engine.conn, engine.later(minutes=2)) == 1
    assert engine.alarms()[0].shelved_until is None
    assert engine.changes() == ["raised", "unshelved"]
    assert tick(engine.conn, engine.later(minutes=1)) == 0


def test_a_tick_with_nothing_due_writes_nothing(engine: Engine) -> None:
    engine.device("G-1", "gas")
    engine.store_payload(None)
    before = engine.events()
    for _ in range(5):
        assert tick(engine.conn, engine.later(seconds=1)) == 0
    assert engine.events() == before
