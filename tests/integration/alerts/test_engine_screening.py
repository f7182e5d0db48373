"""What is left out before judging would have changed nothing: alarms, delays and what is told."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from alerts import evaluate
from alerts.evaluate import evaluate_waiting
from alerts.known import Known
from alerts.limits import on_readings
from alerts.screen import FOREVER, NEVER, Attention, Heed
from alerts.steps import acknowledge
from city.incident import Role
from city.person import Caller
from city.reading import METRICS
from db.pool import Connection
from tests.integration.alerts.conftest import DISTRICT
from tests.integration.alerts.engine_city import Engine
from tests.integration.alerts.ticking import tick

DEVICES, BATCHES = 24, 30
# Clear, within the deadband, over the low limit, over the high one; devices of three tempers.
LEL = (
    (1.0, 1.0, 1.0, 1.0, 15.0, 25.0),
    (1.0, 1.0, 1.0, 1.0, 1.0, 15.0, 25.0, 60.0),
    (1.0, 1.0, 15.0, 25.0, 60.0),
)
Batch = list[tuple[Any, ...]]


def story(seed: int, start: datetime) -> list[tuple[datetime, Batch]]:
    """Batches of readings of one hazard; some come late, some are suspect."""
    chance = random.Random(seed)
    batches: list[tuple[datetime, Batch]] = []
    late: Batch = []
    at = start
    for _ in range(BATCHES):
        at += timedelta(seconds=chance.choice((20, 40, 90)))
        batch, late = late, []
        for number in range(DEVICES):
            for _ in range(chance.choice((0, 1, 1, 2))):
                is_detector = number % 3 == 2 and chance.random() < 0.3
                metric = "gas_alarm" if is_detector else "ch4_pct_lel"
                value = chance.choice((0.0, 0.0, 1.0) if is_detector else LEL[number % 3])
                ts = at - timedelta(milliseconds=chance.randrange(19_000))
                reading = (f"G-{number}", metric, value, ts, chance.choice((0, 0, 0, 0, 3)))
                (late if chance.random() < 0.1 else batch).append(reading)
        batches.append((at, batch))
    return batches


def ingest(engine: Engine, batch: Batch) -> None:
    """What an ingest worker commits: the readings and a waiting batch of them."""
    with engine.conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO reading (device_id, metric_id, value, ts, received_at, quality)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [
                (engine.ids[code], METRICS[metric].id, value, ts, engine.now, quality)
                for code, metric, value, ts, quality in batch
            ],
        )
    engine.store(batch)


def everything(_conn: Connection, _district: str, known: Known) -> Attention:
    """No reading of any device is left out."""
    size = known.fleet.size
    all_of_it = Heed(np.full(size, FOREVER), np.full(size, FOREVER), np.full(size, NEVER))
    return {rule.condition: all_of_it for rule in on_readings(known.rules.values())}


def tell(engine: Engine, batches: list[tuple[datetime, Batch]]) -> tuple[list[Any], int]:
    """What a story comes to, with a person who acknowledges and ticks in between; and how many
    readings were judged."""
    known, judged = Known(), 0
    caller = Caller("a dispatcher", Role.DISPATCHER, DISTRICT)
    with engine.conn.transaction(force_rollback=True):
        for number, (at, batch) in enumerate(batches):
            engine.now = at
            ingest(engine, batch)
            done = evaluate_waiting(engine.conn, at, known)
            assert done is not None
            assert not done.failed
            judged += done.judged
            if number % 4 == 3:
                tick(engine.conn, at)
            for alarm in engine.alarms()[number % 5 :: 5]:
                if alarm.acknowledged_at is None and alarm.ended_at is None:
                    acknowledge(engine.conn, caller, alarm.id, alarm.version, at)
        found = engine.conn.execute(
            """
            SELECT condition, state, severity, sensed_at, cleared_at, ended_at, levels, version
            FROM alarm ORDER BY id
            """
        ).fetchall()
        found += engine.conn.execute(
            "SELECT condition, started_at, due_at FROM rule_timer ORDER BY condition"
        ).fetchall()
        return [*found, engine.changes()], judged


@pytest.mark.parametrize("seed", range(4))
def test_a_story_ends_as_if_every_reading_had_been_judged(
    engine: Engine, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(DEVICES):
        engine.device(f"G-{number}", "gas", gas="methane")
    batches = story(seed, engine.now)
    screened, few = tell(engine, batches)
    monkeypatch.setattr(evaluate, "_attention", everything)
    whole, all_of_them = tell(engine, batches)
    assert screened == whole
    assert few < all_of_them
