"""Batches in, alarms out, on a real database."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from alerts.evaluate import frame
from alerts.steps import apply_rules, default_rules, evaluate_waiting
from city.alarm import AlarmState, Severity
from city.errors import InvalidInput
from city.reading import Quality
from db.events import list_events, verify_chain
from db.pool import Connection, connect
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.ticking import tick

MS = timedelta(milliseconds=1)


def test_a_gas_reading_over_the_limit_becomes_one_alarm_with_change_and_event(
    engine: Engine,
) -> None:
    engine.device("G-1", "gas", gas="methane")
    done = engine.read(("G-1", "ch4_pct_lel", 23.0), ("G-1", "battery_pct", 90.0))
    (alarm,) = engine.alarms()
    assert (alarm.condition, alarm.category) == ("gas/G-1", "05-02")
    assert alarm.severity is Severity.ORANGE
    assert alarm.state is AlarmState.UNACKNOWLEDGED
    assert alarm.opens_incident
    assert alarm.reason["code"] == "value_at_or_above_limit"
    assert (alarm.reason["value"], alarm.reason["limit"]) == (23.0, 20.0)
    assert engine.changes() == ["raised"]
    (event,) = list_events(engine.conn, after=engine.first_seq)
    assert (event.kind, event.subject) == ("alarm.raised", f"alarm:{alarm.id}")
    assert event.payload["reason"]["rule"] == "gas-lel"
    assert done.changes == 1
    assert done.last_seq == event.seq
    assert frame(done.shown)[0][2:4] == [23.0, "ch4_pct_lel"]


def test_an_evaluated_batch_is_marked_and_emptied_and_not_evaluated_again(engine: Engine) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 23.0))
    row = engine.conn.execute(
        "SELECT payload, evaluated_at FROM ingest_batch ORDER BY id DESC LIMIT 1"
    ).fetchone()
    assert row == (None, engine.now)
    assert evaluate_waiting(engine.conn, engine.now) is None
    assert len(engine.alarms()) == 1


def test_a_batch_without_readings_is_done_at_once(engine: Engine) -> None:
    engine.store_payload(None)
    done = evaluate_waiting(engine.conn, engine.now)
    assert done
    assert done.readings == 0


def test_readings_of_unknown_devices_do_not_stop_the_batch(engine: Engine) -> None:
    engine.device("G-1", "gas")
    engine.ids["gone"] = 2_000_000
    engine.read(("gone", "ch4_pct_lel", 90.0), ("G-1", "ch4_pct_lel", 90.0))
    assert [alarm.condition for alarm in engine.alarms()] == ["gas/G-1"]


def test_low_then_high_escalates_and_low_again_changes_nothing(engine: Engine) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 25.0))
    engine.later(seconds=5)
    engine.read(("G-1", "ch4_pct_lel", 61.0))
    engine.later(seconds=5)
    engine.read(("G-1", "ch4_pct_lel", 25.0))
    (alarm,) = engine.alarms()
    assert alarm.severity is Severity.RED
    assert alarm.version == 2
    assert engine.changes() == ["raised", "escalated"]
    assert engine.events() == ["alarm.raised", "alarm.escalated"]


def test_an_off_delay_lives_in_a_row_and_clears_in_a_later_batch(engine: Engine) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 25.0))
    engine.later(seconds=10)
    engine.read(("G-1", "ch4_pct_lel", 2.0))
    assert engine.count("rule_timer") == 1
    engine.later(minutes=20)
    tick(engine.conn, engine.now)
    assert engine.alarms()[0].state is AlarmState.UNACKNOWLEDGED  # no reading, no clearing
    engine.read(("G-1", "ch4_pct_lel", 2.0))
    assert engine.alarms()[0].state is AlarmState.RETURNED
    assert engine.count("rule_timer") == 0
    assert engine.changes() == ["raised", "cleared"]


def test_an_on_delay_lives_in_a_row_and_runs_out_in_a_tick(engine: Engine) -> None:
    engine.device("M-1", "manhole", cover_code="0102")
    engine.read(("M-1", "tilt_deg", 30.0))
    assert engine.alarms() == []
    assert tick(engine.conn, engine.later(seconds=29)) == 0
    assert tick(engine.conn, engine.later(seconds=2)) == 1
    (alarm,) = engine.alarms()
    assert (alarm.condition, alarm.category) == ("cover/M-1", "0102")
    assert alarm.raised_at - alarm.sensed_at == timedelta(seconds=31)
    assert tick(engine.conn, engine.later(seconds=1)) == 0


def test_a_cover_that_closes_clears_by_a_tick(engine: Engine) -> None:
    engine.device("M-1", "manhole")
    engine.read(("M-1", "cover_open", 1.0))
    engine.later(seconds=30)
    engine.read(("M-1", "cover_open", 0.0))
    tick(engine.conn, engine.later(seconds=61))
    assert engine.alarms()[0].state is AlarmState.RETURNED


def test_one_batch_may_raise_clear_and_raise_again_in_the_order_of_time(engine: Engine) -> None:
    engine.device("M-1", "manhole")
    start = engine.now - timedelta(minutes=5)
    engine.read(
        ("M-1", "cover_open", 1.0, start + timedelta(minutes=4)),
        ("M-1", "cover_open", 0.0, start + timedelta(minutes=1)),
        ("M-1", "cover_open", 1.0, start),
    )
    assert engine.changes() == ["raised", "cleared", "retripped"]
    (alarm,) = engine.alarms()
    assert alarm.state is AlarmState.UNACKNOWLEDGED


def test_two_readings_two_milliseconds_apart_and_one_in_the_past_are_all_judged(
    engine: Engine,
) -> None:
    engine.device("G-1", "gas")
    done = engine.read(
        ("G-1", "ch4_pct_lel", 21.0),
        ("G-1", "ch4_pct_lel", 55.0, engine.now + 2 * MS),
        ("G-1", "ch4_pct_lel", 22.0, engine.now - 5 * MS),
    )
    assert done.judged == 3
    assert engine.changes() == ["raised", "escalated"]
    assert engine.alarms()[0].sensed_at == engine.now - 5 * MS


@pytest.mark.parametrize("quality", [Quality.LATE, Quality.SIMULATED])
def test_late_and_simulated_readings_raise_nothing(engine: Engine, quality: Quality) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 90.0, engine.now, quality))
    assert engine.alarms() == []


def test_a_replaced_clock_raises(engine: Engine) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 90.0, engine.now, Quality.CLOCK_REPLACED))
    assert len(engine.alarms()) == 1


def test_a_device_out_of_service_raises_nothing(engine: Engine) -> None:
    engine.device("M-1", "manhole")
    engine.conn.execute(
        "UPDATE device SET out_of_service_since = %s WHERE code = 'M-1'", (engine.now,)
    )
    engine.read(("M-1", "cover_open", 1.0))
    assert engine.alarms() == []


def test_a_site_limit_is_the_devices_own(engine: Engine) -> None:
    engine.device("M-1", "manhole", water_limit_cm=80)
    engine.device("M-2", "manhole", water_limit_cm=120)
    engine.read(("M-1", "water_level_cm", 100.0), ("M-2", "water_level_cm", 100.0))
    (alarm,) = engine.alarms()
    assert (alarm.condition, alarm.category) == ("water/M-1", "05-06")


def test_a_new_rule_version_is_in_force_for_the_next_batch_and_named_by_its_alarms(
    engine: Engine,
) -> None:
    engine.device("G-1", "gas")
    stricter = default_rules()["gas-lel.toml"].replace("limit = 20.0", "limit = 15.0")
    assert apply_rules(engine.conn, "li", [stricter], engine.now) == ["gas-lel version 2"]
    assert apply_rules(engine.conn, "li", [stricter], engine.now) == []
    engine.read(("G-1", "ch4_pct_lel", 16.0))
    assert engine.alarms()[0].rule_version == 2
    assert engine.events() == ["rule.applied", "alarm.raised"]


def test_a_shipped_rule_never_replaces_what_an_operator_applied(engine: Engine) -> None:
    own = default_rules()["gas-lel.toml"].replace("limit = 20.0", "limit = 15.0")
    apply_rules(engine.conn, "li", [own], engine.now)
    assert apply_rules(engine.conn, "system", default_rules(), engine.now) == []


def test_a_wrong_rule_among_good_ones_changes_nothing(engine: Engine) -> None:
    before = engine.count("rule")
    texts = {"good": default_rules()["gas-lel.toml"].replace("20.0", "15.0"), "bad": "code = 1"}
    with pytest.raises(InvalidInput, match="bad: "):
        apply_rules(engine.conn, "li", texts, engine.now)
    assert engine.count("rule") == before


def test_a_batch_that_cannot_be_read_waits_and_the_next_one_goes_on(engine: Engine) -> None:
    engine.device("G-1", "gas")
    poisoned = engine.store_payload(b"not a batch")
    engine.store([("G-1", "ch4_pct_lel", 90.0)])
    done = evaluate_waiting(engine.conn, engine.now)
    assert done is not None
    assert (done.batches, done.failed, done.changes) == (2, True, 1)
    assert evaluate_waiting(engine.conn, engine.now) is None
    row = engine.conn.execute(
        "SELECT attempts, not_before > %s, payload FROM ingest_batch WHERE id = %s",
        (engine.now, poisoned),
    ).fetchone()
    assert row == (1, True, b"not a batch")


def test_a_batch_that_never_works_is_set_aside_with_an_event_and_kept(engine: Engine) -> None:
    poisoned = engine.store_payload(b"not a batch")
    tries = 0
    while evaluate_waiting(engine.conn, engine.later(minutes=3)) is not None:
        tries += 1
        assert tries < 50
    assert tries == 10
    (event,) = list_events(engine.conn, after=engine.first_seq)
    assert (event.kind, event.payload["batch_id"]) == ("batch.set_aside", poisoned)
    row = engine.conn.execute(
        "SELECT payload, evaluated_at FROM ingest_batch WHERE id = %s", (poisoned,)
    ).fetchone()
    assert row == (b"not a batch", None)


def test_the_event_log_stays_whole(engine: Engine) -> None:
    for number in range(20):
        engine.device(f"G-{number}", "gas")
    engine.read(*[(f"G-{n}", "ch4_pct_lel", 30.0 + n) for n in range(20)])
    assert len(engine.alarms()) == 20
    assert verify_chain(engine.conn).broken_at is None


def test_a_thousand_identical_readings_on_eight_connections_are_one_alarm(
    database_url: str, now: datetime
) -> None:
    with connect(database_url) as conn:
        engine = Engine(conn, now)
        apply_rules(conn, "system", default_rules(), now)
        engine.device("G-1", "gas")
        for number in range(40):
            engine.store(
                [("G-1", "ch4_pct_lel", 42.0, now + (number * 25 + i) * MS) for i in range(25)]
            )
        conn.commit()

    def drain() -> None:
        with connect(database_url) as own:
            while evaluate_waiting(own, datetime.now(UTC)) is not None:
                own.commit()

    threads = [threading.Thread(target=drain) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with connect(database_url) as conn:
        mine = Engine(conn, now)
        assert [alarm.condition for alarm in mine.alarms()] == ["gas/G-1"]
        assert mine.changes() == ["raised"]
        waiting = conn.execute("SELECT count(*) FROM ingest_batch WHERE evaluated_at IS NULL")
        assert waiting.fetchone() == (0,)


def test_a_crash_before_the_commit_leaves_the_batch_to_the_next_worker(
    database_url: str, now: datetime
) -> None:
    with connect(database_url) as conn:
        engine = Engine(conn, now)
        apply_rules(conn, "system", default_rules(), now)
        engine.device("G-1", "gas")
        engine.store([("G-1", "ch4_pct_lel", 42.0)])
        conn.commit()
        assert evaluate_waiting(conn, now)
        conn.rollback()
        assert engine.alarms() == []
        assert evaluate_waiting(conn, now)
        assert len(engine.alarms()) == 1


def test_the_database_itself_refuses_a_second_live_alarm_of_a_condition(engine: Engine) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 42.0))
    with pytest.raises(psycopg.errors.UniqueViolation):
        engine.conn.execute(
            """
            INSERT INTO alarm (district, condition, rule_code, rule_version, category, severity,
                               state, reason, sensed_at, received_at, raised_at, lon, lat)
            SELECT district, condition, rule_code, rule_version, category, severity,
                   state, reason, sensed_at, received_at, raised_at, lon, lat FROM alarm
            """
        )


def test_the_district_of_an_alarm_is_that_of_its_device(engine: Engine, db: Connection) -> None:
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 42.0))
    assert engine.alarms()[0].district == DISTRICT
