"""What people do to alarms and video events, and what they may not do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from alerts.steps import acknowledge, reset, review_video_event, shelve, unshelve
from city.alarm import AlarmState
from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.incident import Role
from city.person import Caller
from db.events import list_events
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.ticking import tick

People = Callable[[Role], Caller]


@pytest.fixture
def gas(engine: Engine) -> Engine:
    """One unacknowledged gas alarm."""
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 25.0))
    return engine


def test_acknowledging_keeps_who_and_when(gas: Engine, person: People) -> None:
    (alarm,) = gas.alarms()
    acknowledge(gas.conn, person(Role.DISPATCHER), alarm.id, alarm.version, gas.now)
    (seen,) = gas.alarms()
    assert seen.state is AlarmState.ACKNOWLEDGED
    assert (seen.acknowledged_by, seen.acknowledged_at) == ("a dispatcher", gas.now)
    assert seen.version == alarm.version + 1
    event = list_events(gas.conn, after=gas.first_seq)[-1]
    assert (event.kind, event.actor) == ("alarm.acknowledged", "a dispatcher")


def test_a_stale_version_is_refused_with_the_current_state(gas: Engine, person: People) -> None:
    (alarm,) = gas.alarms()
    acknowledge(gas.conn, person(Role.DISPATCHER), alarm.id, 1, gas.now)
    with pytest.raises(Conflict) as caught:
        acknowledge(gas.conn, person(Role.DISPATCHER), alarm.id, 1, gas.now)
    assert caught.value.current["version"] == 2
    assert caught.value.current["state"] == "acknowledged"
    assert "shelve" in caught.value.allowed
    assert gas.changes() == ["raised", "acknowledged"]


def test_acknowledged_and_gone_is_over(gas: Engine, person: People) -> None:
    (alarm,) = gas.alarms()
    acknowledge(gas.conn, person(Role.DISPATCHER), alarm.id, 1, gas.now)
    gas.later(seconds=10)
    gas.read(("G-1", "ch4_pct_lel", 1.0))
    gas.later(seconds=301)
    gas.read(("G-1", "ch4_pct_lel", 1.0))
    (over,) = gas.alarms()
    assert over.state is AlarmState.NORMAL
    assert over.ended_at == gas.now
    with pytest.raises(Conflict, match="over"):
        acknowledge(gas.conn, person(Role.DISPATCHER), over.id, over.version, gas.now)
    gas.later(seconds=10)
    gas.read(("G-1", "ch4_pct_lel", 30.0))
    assert [a.state for a in gas.alarms()] == [AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED]


def test_shelving_keeps_who_why_and_until(gas: Engine, person: People) -> None:
    until = gas.now + timedelta(hours=2)
    shelve(gas.conn, person(Role.DISPATCHER), 1 * gas.alarms()[0].id, 1, until, "works", gas.now)
    (alarm,) = gas.alarms()
    assert (alarm.shelved_until, alarm.shelved_by, alarm.shelve_reason) == (
        until,
        "a dispatcher",
        "works",
    )
    assert alarm.state is AlarmState.UNACKNOWLEDGED
    unshelve(gas.conn, person(Role.DISPATCHER), alarm.id, alarm.version, gas.now)
    assert gas.alarms()[0].shelved_until is None
    assert gas.changes() == ["raised", "shelved", "unshelved"]
    with pytest.raises(Conflict, match="not shelved"):
        unshelve(gas.conn, person(Role.DISPATCHER), alarm.id, 3, gas.now)


@pytest.mark.parametrize("hours", [-1, 0, 24.01, 10_000])
def test_shelving_is_for_at_most_a_day(gas: Engine, person: People, hours: float) -> None:
    until = gas.now + timedelta(hours=hours)
    with pytest.raises(InvalidInput, match="until"):
        shelve(gas.conn, person(Role.DISPATCHER), gas.alarms()[0].id, 1, until, "works", gas.now)


def test_shelving_needs_a_reason(gas: Engine, person: People) -> None:
    until = gas.now + timedelta(hours=1)
    with pytest.raises(InvalidInput, match="reason"):
        shelve(gas.conn, person(Role.DISPATCHER), gas.alarms()[0].id, 1, until, "  ", gas.now)


def test_an_engineer_may_reset_a_gas_alarm_whose_sensor_died_and_a_dispatcher_may_not(
    gas: Engine, person: People
) -> None:
    (alarm,) = gas.alarms()
    with pytest.raises(Conflict, match="acknowledge"):
        reset(gas.conn, person(Role.GAS_ENGINEER), alarm.id, 1, gas.now)
    acknowledge(gas.conn, person(Role.DISPATCHER), alarm.id, 1, gas.now)
    with pytest.raises(Forbidden):
        reset(gas.conn, person(Role.DISPATCHER), alarm.id, 2, gas.now)
    reset(gas.conn, person(Role.GAS_ENGINEER), alarm.id, 2, gas.now)
    assert gas.alarms()[0].state is AlarmState.NORMAL
    assert gas.alarms()[0].cleared_at is None  # nobody measured that the gas is gone


@pytest.mark.parametrize("role", [Role.VIEWER, Role.LEADER, Role.CHECKER, Role.SQUAD_LEADER])
def test_other_roles_may_not_touch_alarms(gas: Engine, person: People, role: Role) -> None:
    with pytest.raises(Forbidden):
        acknowledge(gas.conn, person(role), gas.alarms()[0].id, 1, gas.now)


def test_an_alarm_of_another_district_is_not_there(gas: Engine) -> None:
    stranger = Caller("li", Role.DISPATCHER, "310101")
    with pytest.raises(NotFound):
        acknowledge(gas.conn, stranger, gas.alarms()[0].id, 1, gas.now)
    with pytest.raises(NotFound):
        acknowledge(gas.conn, stranger, 999_999, 1, gas.now)


def video(engine: Engine, event_id: str, kind: str = "hawker", due: datetime | None = None) -> int:
    """A camera's event that waits for a person."""
    camera = engine.ids.get("CAM-1") or engine.device("CAM-1", "camera")
    engine.conn.execute(
        """
        INSERT INTO video_event (camera_id, event_id, district, type, phase, start_at, end_due_at,
                                 confidence, received_at)
        VALUES (%s, %s, %s, %s, 'new', %s, %s, 0.8, %s)
        """,
        (
            camera, event_id, DISTRICT, kind, engine.now,
            due or engine.now + timedelta(minutes=15), engine.now,
        ),
    )  # fmt: skip
    return camera


def review(engine: Engine, who: Caller, event_id: str, verdict: str) -> None:
    camera = engine.ids["CAM-1"]
    review_video_event(engine.conn, who, camera, event_id, verdict, "seen", engine.now)


def test_a_confirmed_video_event_becomes_an_alarm_that_opens_an_incident(
    engine: Engine, person: People
) -> None:
    video(engine, "e1")
    review(engine, person(Role.DISPATCHER), "e1", "confirmed")
    (alarm,) = engine.alarms()
    assert (alarm.condition, alarm.category) == ("video/CAM-1/e1", "04-01")
    assert alarm.camera_event == "e1"
    assert alarm.opens_incident
    assert alarm.state is AlarmState.ACKNOWLEDGED  # who confirmed it has seen it
    assert engine.changes() == ["raised", "acknowledged"]
    assert engine.events() == ["video.confirmed", "alarm.raised", "alarm.acknowledged"]
    row = engine.conn.execute(
        "SELECT review, reviewed_by, review_note, category FROM video_event"
    ).fetchone()
    assert row == ("confirmed", "a dispatcher", "seen", "04-01")


def test_a_dismissed_video_event_is_kept_and_becomes_nothing(
    engine: Engine, person: People
) -> None:
    video(engine, "e1")
    review(engine, person(Role.CHECKER), "e1", "dismissed")
    assert engine.alarms() == []
    assert engine.events() == ["video.dismissed"]


def test_nothing_happens_to_a_video_event_that_nobody_judged(engine: Engine) -> None:
    video(engine, "e1")
    tick(engine.conn, engine.later(minutes=10))
    assert engine.alarms() == []


def test_a_video_event_is_judged_once(engine: Engine, person: People) -> None:
    video(engine, "e1")
    review(engine, person(Role.DISPATCHER), "e1", "confirmed")
    with pytest.raises(Conflict, match="confirmed already"):
        review(engine, person(Role.DISPATCHER), "e1", "dismissed")
    assert len(engine.alarms()) == 1


def test_a_type_without_a_category_stays_in_the_queue(engine: Engine, person: People) -> None:
    video(engine, "e1", kind="person")
    with pytest.raises(InvalidInput, match="person"):
        review(engine, person(Role.DISPATCHER), "e1", "confirmed")
    review(engine, person(Role.DISPATCHER), "e1", "dismissed")
    with pytest.raises(NotFound):
        review(engine, person(Role.DISPATCHER), "e2", "dismissed")
    with pytest.raises(InvalidInput, match="verdict"):
        review(engine, person(Role.DISPATCHER), "e1", "maybe")
    with pytest.raises(Forbidden):
        review(engine, person(Role.VIEWER), "e1", "dismissed")


def test_a_video_event_without_an_end_is_ended_by_its_time_limit_and_its_alarm_too(
    engine: Engine, person: People
) -> None:
    video(engine, "e1")
    video(engine, "e2")
    review(engine, person(Role.DISPATCHER), "e1", "confirmed")
    tick(engine.conn, engine.later(minutes=14))
    assert engine.alarms()[0].state is AlarmState.ACKNOWLEDGED
    tick(engine.conn, engine.later(minutes=2))
    assert engine.alarms()[0].state is AlarmState.NORMAL
    rows = engine.conn.execute("SELECT phase, review FROM video_event ORDER BY event_id").fetchall()
    assert rows == [("end", "confirmed"), ("end", "pending")]
    assert engine.events().count("video.ended") == 2
