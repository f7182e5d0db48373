"""Alarm changes become incidents: once, in order, and whatever crashes in between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from city.alarm import AlarmChangeKind
from city.errors import Conflict, GridwardenError
from city.incident import Action, IncidentState
from city.requests import ActionRequest
from db import events, openings
from db.live import open_redis, wake
from db.pool import Connection, connect, open_pool, transaction
from dispatch import steps, worker
from replay import shown
from replay.read_picture import read_picture
from tests.integration.dispatch.town import (
    DISPATCHER,
    DISTRICT,
    SECOND_DISPATCHER,
    START,
    City,
    insert_alarm,
)

THREADS = 8


def open_incidents(conn: Connection) -> int:
    row = conn.execute(
        """
        SELECT count(*) FROM incident
        WHERE state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
        """
    ).fetchone()
    assert row is not None
    return int(row[0])


def waiting(conn: Connection) -> int:
    row = conn.execute("SELECT count(*) FROM alarm_change WHERE taken_at IS NULL").fetchone()
    assert row is not None
    return int(row[0])


def drain(url: str) -> None:
    """What a worker does, on a connection of its own, until nothing is left."""
    with connect(url) as conn:
        idle = 0
        while idle < 3:
            taken = steps.take_alarm_change(conn, START)
            conn.commit()
            idle = 0 if taken else idle + 1


def drain_together(url: str) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        for done in [threads.submit(drain, url) for _ in range(THREADS)]:
            done.result()


@pytest.mark.slow
def test_a_thousand_identical_alarms_on_eight_connections_are_one_incident(
    town: City, database_url: str
) -> None:
    for number in range(1000):
        # Only one alarm of a condition can be live; the others are over already.
        state = "unacknowledged" if number == 0 else "normal"
        town.raise_alarm("gas_leak/same", state=state)
    town.conn.commit()
    drain_together(database_url)
    assert waiting(town.conn) == 0
    assert open_incidents(town.conn) == 1
    linked = town.conn.execute(
        "SELECT count(*), count(DISTINCT incident_id) FROM incident_alarm"
    ).fetchone()
    assert linked == (1000, 1)
    opened = town.conn.execute("SELECT count(*) FROM event WHERE kind = 'incident.opened'")
    assert opened.fetchone() == (1,)
    assert events.verify_chain(town.conn).broken_at is None


def test_neighbouring_sensors_of_one_leak_are_one_incident_also_at_the_same_moment(
    town: City, database_url: str
) -> None:
    for number in range(16):
        town.raise_alarm(f"gas_leak/{number}", lat=20.0 + number * 0.00002)
    town.conn.commit()
    drain_together(database_url)
    assert open_incidents(town.conn) == 1


def test_the_index_holds_even_without_the_opening_lock(
    town: City, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openings, "lock_opening", lambda *_: None)
    for number in range(80):
        town.raise_alarm("gas_leak/same", state="unacknowledged" if number == 0 else "normal")
    town.conn.commit()
    drain_together(database_url)
    assert waiting(town.conn) == 0
    assert open_incidents(town.conn) == 1


def test_far_apart_or_different_matters_are_different_incidents(town: City) -> None:
    town.raise_alarm("gas_leak/a")
    town.raise_alarm("gas_leak/b", lat=20.01, device_id=town.gas_device + 1)
    town.raise_alarm("cover_open/a", category="0111", device_id=town.gas_device + 2)
    town.take_all()
    assert open_incidents(town.conn) == 3


def test_a_days_old_incident_is_not_joined_by_a_neighbour_but_by_its_own_condition(
    town: City,
) -> None:
    first = town.new_filed(condition="gas_leak/a", state="normal")
    town.later(days=2)
    neighbour = town.raise_alarm("gas_leak/b", device_id=town.gas_device + 1)
    again = town.raise_alarm("gas_leak/a")
    town.take_all()
    assert town.opened_by(neighbour) != first
    assert town.opened_by(again) == first


def test_an_escalated_alarm_raises_the_incidents_severity(town: City) -> None:
    alarm_id = town.raise_alarm(severity=3)
    town.take_all()
    incident_id = town.opened_by(alarm_id)
    town.conn.execute("UPDATE alarm SET severity = 1 WHERE id = %s", (alarm_id,))
    town.change(alarm_id, AlarmChangeKind.ESCALATED)
    town.take_all()
    assert town.incident(incident_id).severity == 1
    assert town.incident(incident_id).version == 2
    assert "incident.escalated" in town.events_of(incident_id)


def test_an_alarm_that_opens_nothing_opens_nothing(town: City) -> None:
    town.raise_alarm("silent/a", category="device", opens_incident=False)
    assert town.take_all() == 1
    assert open_incidents(town.conn) == 0


def test_a_muted_alarm_opens_its_incident_when_it_is_unmuted_and_still_stands(
    town: City,
) -> None:
    alarm_id = town.raise_alarm()
    town.conn.execute(
        "UPDATE alarm SET shelved_until = %s WHERE id = %s",
        (town.now + timedelta(hours=1), alarm_id),
    )
    town.take_all()
    assert open_incidents(town.conn) == 0
    town.later(hours=2)
    town.conn.execute("UPDATE alarm SET shelved_until = NULL WHERE id = %s", (alarm_id,))
    town.change(alarm_id, AlarmChangeKind.UNSHELVED)
    town.take_all()
    assert open_incidents(town.conn) == 1


def test_after_a_closure_the_same_condition_opens_a_new_incident(town: City) -> None:
    alarm_id = town.raise_alarm(state="normal")
    town.take_all()
    first = town.opened_by(alarm_id)
    town.do(DISPATCHER, first, Action.CANCEL, reason="test gas")
    town.change(alarm_id, AlarmChangeKind.RETRIPPED)
    town.take_all()
    assert town.opened_by(alarm_id) != first
    assert open_incidents(town.conn) == 1


def test_a_poisoned_change_steps_aside_and_the_rest_goes_on(town: City) -> None:
    bad = town.raise_alarm("bad/a", category="no such category")
    good = town.raise_alarm("gas_leak/a")
    town.take_all()
    assert town.opened_by(good)
    row = town.conn.execute(
        "SELECT attempts, not_before, taken_at FROM alarm_change WHERE alarm_id = %s", (bad,)
    ).fetchone()
    assert row == (1, town.now + timedelta(seconds=1), None)
    # Its later changes wait for it; repaired, all are taken in order.
    town.change(bad, AlarmChangeKind.CLEARED)
    town.later(seconds=5)
    town.conn.execute("UPDATE alarm SET category = '0101' WHERE id = %s", (bad,))
    assert town.take_all() == 2
    assert town.events_of(town.opened_by(bad)) == ["incident.opened", "incident.alarm_changed"]


def test_a_crash_before_the_commit_loses_and_doubles_nothing(town: City, database_url: str) -> None:
    town.raise_alarm()
    town.conn.commit()
    with connect(database_url) as doomed:
        assert steps.take_alarm_change(doomed, town.now)
        pid = doomed.info.backend_pid
        town.conn.execute("SELECT pg_terminate_backend(%s)", (pid,))
        town.conn.commit()
        doomed.close()
    assert open_incidents(town.conn) == 0
    assert town.take_all() == 1
    assert open_incidents(town.conn) == 1
    opened = town.conn.execute("SELECT count(*) FROM event WHERE kind = 'incident.opened'")
    assert opened.fetchone() == (1,)


def test_two_dispatchers_at_once_one_wins_the_other_is_shown_the_result(
    town: City, database_url: str
) -> None:
    incident_id = town.new_filed()
    town.conn.commit()
    version = town.incident(incident_id).version
    town.conn.commit()
    gate = threading.Barrier(2)
    outcomes: list[str] = []

    def send(who: object) -> None:
        with connect(database_url) as conn:
            gate.wait()
            try:
                request = ActionRequest(
                    Action.DISPATCH, version, squad=town.gas_squad, note="nearest"
                )
                steps.act(conn, who, incident_id, request, town.now)  # type: ignore[arg-type]
                conn.commit()
                outcomes.append("sent")
            except Conflict as refused:
                conn.rollback()
                outcomes.append(str(refused.current["state"]))

    run_together([lambda: send(DISPATCHER), lambda: send(SECOND_DISPATCHER)])
    assert sorted(outcomes) == ["dispatched", "sent"]
    assignments = town.conn.execute(
        "SELECT count(*) FROM assignment WHERE incident_id = %s", (incident_id,)
    )
    assert assignments.fetchone() == (1,)


def run_together(jobs: list[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(len(jobs)) as threads:
        for done in [threads.submit(job) for job in jobs]:
            done.result()


def test_crosswise_merges_do_not_block_each_other(town: City, database_url: str) -> None:
    one = town.new_filed(condition="gas_leak/a")
    other = town.new_filed(condition="gas_leak/b", lat=20.01, device_id=town.gas_device + 1)
    town.conn.commit()
    gate = threading.Barrier(2)
    outcomes = []

    def merge(what: int, into: int) -> None:
        with connect(database_url) as conn:
            gate.wait()
            try:
                request = ActionRequest(Action.MERGE, 1, reason="same matter", into=into)
                steps.act(conn, DISPATCHER, what, request, town.now)
                conn.commit()
                outcomes.append("merged")
            except GridwardenError as refused:
                conn.rollback()
                outcomes.append(type(refused).__name__)

    run_together([lambda: merge(one, other), lambda: merge(other, one)])
    assert sorted(outcomes) in (["Conflict", "merged"], ["InvalidInput", "merged"])
    states = {town.incident(one).state, town.incident(other).state}
    assert states == {IncidentState.FILED, IncidentState.MERGED}


def test_the_worker_takes_a_change_soon_after_the_wake_up_and_stops_when_told(
    town: City, database_url: str, redis_url: str
) -> None:
    town.conn.commit()
    stop = threading.Event()
    loop = threading.Thread(
        target=worker.run, args=(worker.DispatchSettings(database_url, redis_url), stop)
    )
    loop.start()
    try:
        insert_alarm(
            town.conn,
            town.now,
            "gas_leak/live",
            "05-02",
            1,
            "unacknowledged",
            town.gas_device,
            AlarmChangeKind.RAISED,
            True,
            110.36,
            20.0,
        )
        town.conn.commit()
        client = open_redis(redis_url)
        wake(client, "dispatch")
        client.close()
        deadline = threading.Event()
        for _ in range(50):
            if open_incidents(town.conn) == 1:
                break
            town.conn.commit()
            deadline.wait(0.1)
        assert open_incidents(town.conn) == 1
    finally:
        stop.set()
        loop.join(10)
    assert not loop.is_alive()


def test_the_worker_outlives_a_lost_database_connection(
    town: City, database_url: str, redis_url: str
) -> None:
    town.raise_alarm()
    town.conn.commit()
    pool = open_pool(database_url, max_size=1)
    try:
        with transaction(pool) as conn:
            pid = conn.info.backend_pid
        town.conn.execute("SELECT pg_terminate_backend(%s)", (pid,))
        town.conn.commit()
        assert worker.take_one(pool) is not None
        assert worker.take_one(pool) is None
    finally:
        pool.close()
    (incident,) = shown.incidents(read_picture(town.conn, DISTRICT))
    assert incident.clock == "dispatch"
