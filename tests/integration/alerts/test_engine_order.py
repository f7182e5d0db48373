"""Batches in any order, several at once: the alarms are those of the order of time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from alerts.evaluate import BATCHES_AT_ONCE
from alerts.steps import evaluate_waiting
from city.alarm import AlarmState
from city.reading import METRICS, Quality
from tests.integration.alerts.engine_city import Engine
from tests.integration.alerts.ticking import tick

Row = tuple[Any, ...]  # device, metric, value, when[, quality]


def ingest(engine: Engine, rows: Sequence[Row]) -> None:
    """What an ingest worker commits: the readings and a waiting batch of them."""
    with engine.conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO reading (device_id, metric_id, value, ts, received_at, quality)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [
                (engine.ids[code], METRICS[m].id, value, ts, ts, quality[0] if quality else 0)
                for code, m, value, ts, *quality in rows
            ],
        )
    engine.store(rows)


def drain(engine: Engine) -> None:
    while evaluate_waiting(engine.conn, engine.now):
        pass


def gas(engine: Engine, seconds: float, value: float, code: str = "G-1") -> Row:
    return (
        code,
        "ch4_pct_lel",
        value,
        engine.now - timedelta(hours=1) + timedelta(seconds=seconds),
    )


def test_a_peak_evaluated_after_newer_good_readings_raises_and_is_cleared_by_them(
    engine: Engine,
) -> None:
    engine.device("G-1", "gas")
    ingest(engine, [gas(engine, 60, 1), gas(engine, 400, 1)])
    drain(engine)
    late = gas(engine, 0, 42)
    ingest(engine, [late])
    drain(engine)
    (alarm,) = engine.alarms()
    assert (alarm.state, alarm.sensed_at) == (AlarmState.RETURNED, late[3])
    assert engine.changes() == ["raised", "cleared"]
    assert engine.count("rule_timer") == 0


def test_a_peak_before_a_newer_good_reading_starts_the_delay_at_that_readings_time(
    engine: Engine,
) -> None:
    engine.device("G-1", "gas")
    good = gas(engine, 60, 1)
    ingest(engine, [good])
    drain(engine)
    ingest(engine, [gas(engine, 0, 42)])
    drain(engine)
    assert engine.conn.execute("SELECT started_at FROM rule_timer").fetchall() == [(good[3],)]


def test_a_late_reading_does_not_raise_again_what_was_cleared_and_acknowledged(
    engine: Engine,
) -> None:
    engine.device("G-1", "gas")
    ingest(engine, [gas(engine, 0, 42), gas(engine, 60, 1), gas(engine, 400, 1)])
    drain(engine)
    engine.conn.execute(
        "UPDATE alarm SET state = 'normal', ended_at = %s, acknowledged_at = %s",
        (engine.now, engine.now),
    )
    ingest(engine, [gas(engine, 30, 45)])
    drain(engine)
    assert [alarm.state for alarm in engine.alarms()] == [AlarmState.NORMAL]
    ingest(engine, [gas(engine, 500, 45)])
    drain(engine)
    assert len(engine.alarms()) == 2


def test_a_doubtful_reading_does_not_hide_the_good_one_that_an_alarm_left_by(
    engine: Engine,
) -> None:
    engine.device("G-1", "gas")
    doubtful = [(*gas(engine, second, 0), int(Quality.SUSPECT)) for second in (10, 310)]
    ingest(engine, [gas(engine, 1, 25), gas(engine, 5, 0), *doubtful])
    ingest(engine, [gas(engine, 320, 0)])
    drain(engine)
    ingest(engine, [gas(engine, 315, 0)])
    drain(engine)
    assert engine.changes() == ["raised", "cleared"]


def test_batches_that_wait_are_evaluated_as_one_in_the_order_of_time(engine: Engine) -> None:
    engine.device("M-1", "manhole")
    start = engine.now - timedelta(minutes=10)
    ingest(engine, [("M-1", "cover_open", 0.0, start + timedelta(minutes=5))])
    ingest(engine, [("M-1", "cover_open", 1.0, start)])
    done = evaluate_waiting(engine.conn, engine.now)
    assert done
    assert (done.batches, done.readings, done.judged) == (2, 2, 2)
    tick(engine.conn, engine.now)
    assert engine.changes() == ["raised", "cleared"]


def test_a_delay_does_not_run_out_while_readings_wait_that_may_end_it(engine: Engine) -> None:
    engine.device("M-1", "manhole")
    ingest(engine, [("M-1", "tilt_deg", 30.0, engine.now)])
    drain(engine)
    engine.later(seconds=20)
    ingest(engine, [("M-1", "tilt_deg", 0.0, engine.now)])
    assert tick(engine.conn, engine.now + timedelta(seconds=60)) == 0
    drain(engine)
    assert tick(engine.conn, engine.later(seconds=60)) == 0
    assert engine.alarms() == []


def test_a_delay_runs_out_all_the_same_if_evaluation_stands_still(engine: Engine) -> None:
    engine.device("M-1", "manhole")
    ingest(engine, [("M-1", "tilt_deg", 30.0, engine.now)])
    drain(engine)
    ingest(engine, [("M-1", "tilt_deg", 0.0, engine.now + timedelta(seconds=20))])
    assert tick(engine.conn, engine.now + timedelta(minutes=6)) == 1


def test_no_more_than_a_bounded_number_of_batches_is_evaluated_at_once(engine: Engine) -> None:
    engine.device("G-1", "gas")
    for number in range(BATCHES_AT_ONCE + 1):
        ingest(engine, [gas(engine, number, 1)])
    found = [evaluate_waiting(engine.conn, engine.now) for _ in range(3)]
    assert [done and done.batches for done in found] == [BATCHES_AT_ONCE, 1, None]


def test_a_batch_that_failed_is_tried_alone_and_holds_up_nobody(engine: Engine) -> None:
    engine.device("G-1", "gas")
    poisoned = engine.store_payload(b"not a batch")
    ingest(engine, [gas(engine, 0, 42)])
    drain(engine)
    engine.later(seconds=5)
    ingest(engine, [gas(engine, 60, 80)])
    again = evaluate_waiting(engine.conn, engine.now)
    assert again
    assert (again.batches, again.failed) == (1, True)
    done = evaluate_waiting(engine.conn, engine.now)
    assert done
    assert (done.batches, done.failed, done.changes) == (1, False, 1)
    row = engine.conn.execute("SELECT attempts FROM ingest_batch WHERE id = %s", (poisoned,))
    assert row.fetchone() == (2,)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_forty_devices_in_shuffled_batches_end_as_in_the_order_of_time(
    engine: Engine, seed: int
) -> None:
    chance = random.Random(seed)
    for prefix in ("A", "B"):
        for number in range(40):
            engine.device(f"{prefix}-{number}", "gas")
    history = [
        gas(engine, 60 * step + number, chance.choice([0.0, 9.0, 15.0, 25.0, 60.0]), f"-{number}")
        for step in range(20)
        for number in range(40)
    ]
    history.sort(key=lambda row: row[3])
    for start in range(0, len(history), 40):
        ingest(engine, [("A" + code, *rest) for code, *rest in history[start : start + 40]])
        drain(engine)
    chance.shuffle(history)
    for start in range(0, len(history), 25):
        ingest(engine, [("B" + code, *rest) for code, *rest in history[start : start + 25]])
        if chance.random() < 0.5:
            drain(engine)
    drain(engine)
    assert standing(engine, "A") == standing(engine, "B")


def standing(engine: Engine, prefix: str) -> list[tuple[Any, ...]]:
    """Alarms and delays of the devices with this prefix, without their ids."""
    return engine.conn.execute(
        """
        SELECT substr(device.code, 3), alarm.state, alarm.severity,
               array_agg(rule_timer.started_at ORDER BY rule_timer.condition)
        FROM device
        LEFT JOIN alarm ON alarm.device_id = device.id
        LEFT JOIN rule_timer ON rule_timer.device_id = device.id
        WHERE device.code ~ %s
        GROUP BY device.id, alarm.id
        ORDER BY 1
        """,
        (f"^{prefix}-[0-9]+$",),
    ).fetchall()
