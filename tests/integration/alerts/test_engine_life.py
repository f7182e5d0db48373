"""Latching, shelving by two, shelving that runs out, acknowledging together: on a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from alerts.steps import (
    acknowledge,
    acknowledge_together,
    default_rules,
    put_in_force,
    reset,
    retire_rule,
    shelve,
)
from app import four_eyes, shelving
from city.alarm import AlarmState
from city.approval import Approval
from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.incident import Role
from city.person import Caller
from city.scope import Scope
from db import alarm_measures, users
from db.events import list_events, verify_chain
from dispatch.steps import take_alarm_change
from replay.floods import alarm_load
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.ticking import tick

People = Callable[[Role], Caller]
LATCH = 'latch = true\ngas_free_s = 600\nrelease_role = "gas_engineer"\n'


def latching(code: str = "gas-lel") -> str:
    return default_rules()[f"{code}.toml"].replace("[[level]]", LATCH + "\n[[level]]", 1)


def clear(engine: Engine, code: str = "G-1") -> None:
    engine.later(seconds=10)
    engine.read((code, "ch4_pct_lel", 1.0))
    engine.later(seconds=301)
    engine.read((code, "ch4_pct_lel", 1.0))


def test_a_latched_alarm_is_released_by_its_role_after_its_time(
    engine: Engine, person: People
) -> None:
    engine.device("G-1", "gas")
    put_in_force(engine.conn, "cli", {"rule": latching()}, engine.now, agreed=[])
    engine.later(seconds=1)
    engine.read(("G-1", "ch4_pct_lel", 60.0))
    (alarm,) = engine.alarms()
    acknowledge(engine.conn, person(Role.DISPATCHER), alarm.id, alarm.version, engine.now)
    engineer = person(Role.GAS_ENGINEER)
    with pytest.raises(Conflict, match="still stands"):
        reset(engine.conn, engineer, alarm.id, 2, engine.now)
    clear(engine)
    (held,) = engine.alarms()
    assert held.state is AlarmState.LATCHED
    assert engine.changes() == ["raised", "acknowledged", "latched"]
    due = engine.now + timedelta(seconds=600)
    told = list_events(engine.conn, after=engine.first_seq)[-1]
    assert (told.kind, told.payload["releasable_at"]) == ("alarm.latched", due.isoformat())
    row = engine.conn.execute("SELECT releasable_at, latch_s, release_role FROM alarm").fetchone()
    assert row == (due, 600, "gas_engineer")
    # Rules that go do not take it with them.
    retire_rule(engine.conn, "cli", "gas-lel", engine.now, agreed=[held.id])
    tick(engine.conn, engine.now)
    for role, problem in ((Role.GAS_ENGINEER, "can be released from"), (Role.ADMIN, "released")):
        with pytest.raises(Conflict, match=problem):
            reset(engine.conn, person(role), held.id, held.version, engine.now)
    engine.later(seconds=601)
    for role in (Role.ADMIN, Role.DISPATCHER):
        with pytest.raises(Forbidden):
            reset(engine.conn, person(role), held.id, held.version, engine.now)
    over = reset(engine.conn, engineer, held.id, held.version, engine.now)
    assert (over.state, over.ended_at) == (AlarmState.NORMAL, engine.now)
    assert engine.changes()[-1] == "reset"
    while take_alarm_change(engine.conn, engine.now):
        pass
    verify_chain(engine.conn)


@pytest.fixture
def red(engine: Engine) -> Engine:
    """One red gas alarm, and people who could agree to something."""
    for name, role in (("ye", Role.GAS_ENGINEER), ("lin", Role.DISPATCHER), ("he", Role.ADMIN)):
        users.add_user(engine.conn, name, "a long enough password", role, DISTRICT, engine.now)
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 60.0))
    return engine


def known(name: str, role: Role) -> Caller:
    return Caller(name, role, DISTRICT)


def test_red_gas_is_shelved_by_two_people_and_never_by_one(red: Engine) -> None:
    lin, ye = known("lin", Role.DISPATCHER), known("ye", Role.GAS_ENGINEER)
    (alarm,) = red.alarms()
    until = red.now + timedelta(hours=2)
    with pytest.raises(Conflict, match="not shelved by one person"):
        shelve(red.conn, ye, alarm.id, alarm.version, until, "works", red.now)
    token = known("token:x", Role.DISPATCHER)
    with pytest.raises(Forbidden, match="token"):
        shelving.shelve(red.conn, token, alarm.id, alarm.version, until, "works", red.now)
    far = red.now + timedelta(hours=25)
    with pytest.raises(InvalidInput, match="until"):
        shelving.shelve(red.conn, lin, alarm.id, alarm.version, far, "works", red.now)
    asked = shelving.shelve(red.conn, lin, alarm.id, alarm.version, until, "works", red.now)
    assert isinstance(asked, Approval)
    assert red.alarms()[0].shelved_until is None, "nothing is muted until somebody agrees"
    for who, role in (("lin", Role.DISPATCHER), ("wu", Role.DISPATCHER)):
        with pytest.raises(Forbidden):
            four_eyes.approve(red.conn, known(who, role), asked.id, asked.digest, "seen", red.now)
    four_eyes.approve(red.conn, ye, asked.id, asked.digest, "seen on site", red.now)
    (muted,) = red.alarms()
    assert (muted.shelved_until, muted.shelved_by, muted.shelve_reason) == (
        until,
        "lin, ye",
        "works",
    )
    told = list_events(red.conn, after=red.first_seq)[-1]
    assert (told.kind, told.payload["approval"]) == ("alarm.shelved", asked.id)


def test_what_was_asked_for_is_off_when_the_alarm_is_announced_again(red: Engine) -> None:
    lin, he = known("lin", Role.DISPATCHER), known("he", Role.ADMIN)
    (alarm,) = red.alarms()
    until = red.now + timedelta(hours=2)
    asked = shelving.shelve(red.conn, lin, alarm.id, alarm.version, until, "works", red.now)
    assert isinstance(asked, Approval)
    clear(red)
    red.later(seconds=1)
    red.read(("G-1", "ch4_pct_lel", 70.0))
    with pytest.raises(Conflict, match="has changed since"):
        four_eyes.approve(red.conn, he, asked.id, asked.digest, "seen", red.now)
    assert red.alarms()[0].shelved_until is None


def test_shelving_runs_out_by_itself_and_what_stands_is_announced_again(
    engine: Engine, person: People
) -> None:
    engine.device("M-1", "manhole")
    engine.device("M-2", "manhole")
    engine.read(("M-1", "cover_open", 1.0), ("M-2", "cover_open", 1.0))
    clerk = person(Role.DISPATCHER)
    until = engine.now + timedelta(minutes=10)
    for alarm in engine.alarms():
        acknowledge(engine.conn, clerk, alarm.id, alarm.version, engine.now)
        shelve(engine.conn, clerk, alarm.id, alarm.version + 1, until, "works", engine.now)
    engine.later(seconds=20)
    engine.read(("M-2", "cover_open", 0.0))
    engine.later(seconds=61)
    engine.read(("M-2", "cover_open", 0.0))
    engine.later(minutes=10)
    tick(engine.conn, engine.now)
    stands, gone = engine.alarms()
    assert (stands.state, stands.shelved_until) == (AlarmState.UNACKNOWLEDGED, None)
    assert stands.acknowledged_by is None
    row = engine.conn.execute("SELECT announced_at FROM alarm WHERE id = %s", (stands.id,))
    assert row.fetchone() == (engine.now,)
    assert gone.state is AlarmState.NORMAL
    assert engine.changes()[-1] == "unshelved"
    while take_alarm_change(engine.conn, engine.now):
        pass
    told = [e for e in list_events(engine.conn, after=engine.first_seq) if "incident" in e.kind]
    assert told, "somebody is sent, now that it speaks"


def test_several_are_acknowledged_together_or_none(red: Engine) -> None:
    lin = known("lin", Role.DISPATCHER)
    red.device("M-1", "manhole")
    red.device("M-2", "manhole")
    red.read(("M-1", "cover_open", 1.0), ("M-2", "cover_open", 1.0))
    gas, one, two = red.alarms()
    with pytest.raises(Conflict, match=f"{gas.id} \\(gas/G-1\\)") as caught:
        acknowledge_together(red.conn, lin, {a.id: 1 for a in (gas, one, two)}, red.now)
    assert [a["id"] for a in caught.value.current["alarms"]] == [gas.id]
    with pytest.raises(Conflict, match="have changed"):
        acknowledge_together(red.conn, lin, {one.id: 7, two.id: 1}, red.now)
    with pytest.raises(NotFound):
        acknowledge_together(red.conn, lin, {one.id: 1, 10**9: 1}, red.now)
    assert red.changes().count("acknowledged") == 0
    done = acknowledge_together(red.conn, lin, {one.id: 1, two.id: 1}, red.now)
    assert [a.state for a in done] == [AlarmState.ACKNOWLEDGED] * 2
    with pytest.raises(Conflict, match="wait for no acknowledgement"):
        acknowledge_together(red.conn, lin, {one.id: 2}, red.now)


def test_the_measures_count_what_was_announced(engine: Engine, person: People) -> None:
    """By hand: M-1 four times within a minute (raised, thrice back), M-2 and G-1 once, of which
    G-1 stands for two days."""
    start = engine.now
    engine.device("G-1", "gas")
    engine.read(("G-1", "ch4_pct_lel", 25.0))
    engine.later(days=2)
    began = engine.now
    for code in ("M-1", "M-2"):
        engine.device(code, "manhole")
    engine.read(("M-2", "cover_open", 1.0))
    engine.conn.execute(
        """
        INSERT INTO alarm (district, condition, rule_code, rule_version, category, device_id,
                           severity, state, reason, sensed_at, received_at, raised_at, cleared_at,
                           ended_at, lon, lat)
        SELECT %(d)s, 'cover/M-1', 'manhole-open', 1, '0123', %(id)s, 3, 'normal', '{}', %(t)s,
               %(t)s, %(t)s, %(t)s + interval '5 s', %(t)s + interval '50 s', 110, 20
        """,
        {"d": DISTRICT, "id": engine.ids["M-1"], "t": began},
    )
    row = engine.conn.execute("SELECT max(id) FROM alarm").fetchone()
    assert row is not None
    for seconds, kind in (
        (0, "raised"),
        (5, "cleared"),
        (10, "retripped"),
        (15, "cleared"),
        (20, "retripped"),
        (45, "retripped"),
    ):
        engine.conn.execute(
            "INSERT INTO alarm_change (alarm_id, kind, at) VALUES (%s, %s, %s)",
            (row[0], kind, began + timedelta(seconds=seconds)),
        )
    hour = began.replace(minute=0, second=0, microsecond=0)
    for minute in range(60):
        seen, at = ["li", "wu"] if minute <= 20 else ["li"], hour + timedelta(minutes=minute)
        for _ in range(2):  # each process notes who has a screen open there
            alarm_measures.note_operators(engine.conn, DISTRICT, seen, at)
    to = began + timedelta(hours=1)
    told = alarm_measures.list_announced(engine.conn, Scope(DISTRICT), began, to)
    assert len(told) == 5
    people = alarm_measures.operators_by_hour(
        engine.conn, DISTRICT, began, to, hour + timedelta(hours=2)
    )
    assert people == {hour: pytest.approx(1 + 21 / 60)}
    load = alarm_load([at for at, _ in told], people, began, to)
    hour_of_both = (hour + timedelta(hours=1) - began) / timedelta(hours=1)
    assert load.operator_hours == pytest.approx(1 + 21 / 60 * hour_of_both)
    assert (load.announced, load.worst_10min, load.floods) == (5, 5, 0)
    top, chattering = alarm_measures.list_bad_actors(engine.conn, Scope(DISTRICT), began, to)
    assert [(a.condition, a.announced, a.device) for a in top] == [
        ("cover/M-1", 4, "M-1"),
        ("cover/M-2", 1, "M-2"),
    ]
    # Announced at 0, 10, 20, 45: from the third on each is within a minute of the last but one.
    # Six changes within five minutes once.
    assert [(a.condition, a.spots) for a in chattering] == [("cover/M-1", 3)]
    counts = alarm_measures.count_alarms(engine.conn, Scope(DISTRICT), began, to)
    assert (counts.raised, counts.by_severity) == (2, [0, 1, 1, 0])
    assert (counts.standing, counts.stale, counts.fleeting, counts.shelved) == (2, 1, 1, 0)
    (old,) = alarm_measures.list_stale(engine.conn, Scope(DISTRICT), to)
    assert (old.condition, old.raised_at) == ("gas/G-1", start)
    for minute, present in ((22, 2), (61, 1), (69, 0)):
        at = hour + timedelta(minutes=minute)
        assert alarm_measures.count_operators(engine.conn, DISTRICT, at) == present
