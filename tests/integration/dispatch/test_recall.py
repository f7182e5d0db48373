"""An alarm always sends somebody, whatever the case that it lands on is doing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts import actions
from city.alarm import AlarmChangeKind
from city.errors import Conflict
from city.incident import Action, IncidentState
from city.requests import ReportRequest
from db import deadlines, events, openings
from dispatch import steps
from tests.integration.dispatch.town import (
    CHECKER,
    DISPATCHER,
    ENGINEER,
    SECOND_DISPATCHER,
    City,
)

COVER = "0123"
GAS = "05-02"
FLOOD = "05-06"
LEAK = "0137-leak"
NEAR_LAT = 20.00036  # 40 m north of the first device
BEHIND = [IncidentState.HANDLED, IncidentState.CHECKING, IncidentState.SUSPENDED]


def new_case(town: City, state: IncidentState, **alarm: Any) -> tuple[int, int]:
    """A case of one alarm in a state behind the squad's work, and that alarm."""
    incident_id = town.new_on_site(**alarm)
    held = town.conn.execute(
        "SELECT alarm_id FROM incident_alarm WHERE incident_id = %s", (incident_id,)
    ).fetchone()
    assert held is not None
    if state is IncidentState.SUSPENDED:
        until = town.now + timedelta(days=2)
        town.do(DISPATCHER, incident_id, Action.SUSPEND, reason="spare part", until=until)
    else:
        town.add(town.leader, incident_id, "photo_after")
        town.do(town.leader, incident_id, Action.HANDLE, note="done")
    if state is IncidentState.CHECKING:
        town.do(CHECKER, incident_id, Action.CHECK)
    town.later(minutes=1)
    return incident_id, int(held[0])


def come_again(town: City, alarm_id: int) -> None:
    """The alarm's condition ended while nobody had looked, and is back."""
    town.conn.execute("UPDATE alarm SET state = 'unacknowledged' WHERE id = %s", (alarm_id,))
    town.change(alarm_id, AlarmChangeKind.RETRIPPED)
    town.take_all()


def running(town: City, incident_id: int) -> set[str]:
    return {
        d.clock
        for d in deadlines.list_deadlines(town.conn, incident_id)
        if d.runs and d.paused_at is None
    }


@pytest.mark.parametrize("state", BEHIND)
@pytest.mark.parametrize("category", [COVER, LEAK, "0137"])
def test_a_second_device_near_by_is_a_case_of_its_own_and_the_first_one_is_named(
    town: City, state: IncidentState, category: str
) -> None:
    first, _ = new_case(town, state, condition="c/1", category=category)
    alarm_id = town.raise_alarm(
        "c/2", category=category, lat=NEAR_LAT, device_id=town.gas_device + 1
    )
    town.take_all()
    second = town.opened_by(alarm_id)
    assert second != first
    assert town.incident(second).state is IncidentState.FILED
    assert running(town, second) == {"dispatch"}
    assert town.incident(first).state is state
    [similar] = openings.list_similar(town.conn, second)
    assert (similar.id, similar.because) == (first, "near_same_category")
    assert similar.distance_m == pytest.approx(40, abs=1)
    [back] = openings.list_similar(town.conn, first)
    assert back.id == second
    told = events.list_events(town.conn, subject=f"incident:{second}")[0]
    assert told.payload["similar_to"] == town.incident(first).number


@pytest.mark.parametrize("category", [COVER, LEAK])
def test_two_covers_or_leaking_poles_are_two_matters_also_while_a_squad_is_at_the_first(
    town: City, category: str
) -> None:
    first = town.new_on_site(condition="c/1", category=category)
    second = town.new_filed(
        condition="c/2", category=category, lat=NEAR_LAT, device_id=town.gas_device + 1
    )
    assert first != second


@pytest.mark.parametrize("category", [GAS, FLOOD])
@pytest.mark.parametrize("state", [IncidentState.HANDLED, IncidentState.CHECKING])
def test_a_second_sensor_of_the_same_leak_brings_the_squad_back(
    town: City, state: IncidentState, category: str
) -> None:
    case, _ = new_case(town, state, condition="g/1", category=category, severity=3)
    alarm_id = town.raise_alarm(
        "g/2", category=category, severity=1, lat=NEAR_LAT, device_id=town.gas_device + 1
    )
    town.take_all()
    assert town.opened_by(alarm_id) == case
    after = town.incident(case)
    assert (after.state, after.squad, after.rework_count, after.severity) == (
        IncidentState.DISPATCHED,
        town.gas_squad,
        1,
        1,
    )
    assert running(town, case) == {"acknowledge", "handle"}


def test_a_red_gas_reading_near_by_wakes_a_suspended_case(town: City) -> None:
    case, _ = new_case(town, IncidentState.SUSPENDED, condition="g/1")
    town.raise_alarm("g/2", severity=1, lat=NEAR_LAT, device_id=town.gas_device + 1)
    town.take_all()
    assert town.incident(case).state is IncidentState.ON_SITE
    assert running(town, case) == {"handle"}


@pytest.mark.parametrize("category", [COVER, GAS, "0137"])
@pytest.mark.parametrize("state", BEHIND)
@pytest.mark.parametrize("kind", ["retripped", "escalated", "raised", "unshelved"])
def test_the_same_device_again_puts_somebody_on_its_own_case(
    town: City, state: IncidentState, category: str, kind: str
) -> None:
    case, alarm_id = new_case(town, state, condition="c/1", category=category)
    town.later(days=3)  # the age of a case does not matter for its own alarm
    if kind == "raised":
        town.clear_alarm(alarm_id)
        alarm_id = town.raise_alarm("c/1", category=category)
    else:
        town.conn.execute("UPDATE alarm SET severity = 1 WHERE id = %s", (alarm_id,))
        town.change(alarm_id, AlarmChangeKind(kind))
    town.take_all()
    assert town.opened_by(alarm_id) == case
    after = town.incident(case)
    if state is IncidentState.SUSPENDED:
        assert after.state is IncidentState.ON_SITE
        assert running(town, case) == {"handle"}
    else:
        assert (after.state, after.squad) == (IncidentState.DISPATCHED, town.gas_squad)
        assert running(town, case) == {"acknowledge", "handle"}
        live = town.conn.execute(
            "SELECT squad FROM assignment WHERE incident_id = %s AND ended_at IS NULL", (case,)
        ).fetchall()
        assert live == [(town.gas_squad,)]
    assert events.verify_chain(town.conn).broken_at is None


def test_a_cover_that_wobbles_makes_one_rework_not_many(town: City) -> None:
    case, alarm_id = new_case(town, IncidentState.HANDLED, condition="c/1", category=COVER)
    for _ in range(5):
        town.later(minutes=1)
        come_again(town, alarm_id)
    assert town.incident(case).rework_count == 1
    assert town.events_of(case).count("incident.reworked") == 1


def test_the_log_says_which_device_brought_the_squad_back(town: City) -> None:
    case, alarm_id = new_case(town, IncidentState.CHECKING, condition="c/1", category=COVER)
    come_again(town, alarm_id)
    told = events.list_events(town.conn, subject=f"incident:{case}")[-1]
    assert (told.kind, told.actor) == ("incident.reworked", "system")
    assert told.payload["reason"] == "alarm_again"
    device = town.conn.execute(
        "SELECT code FROM device WHERE id = %s", (town.gas_device,)
    ).fetchone()
    assert device is not None
    assert told.payload["note"] == device[0]


@pytest.mark.parametrize("state", BEHIND)
def test_where_the_squad_has_gone_home_the_dispatcher_sends_another(
    town: City, state: IncidentState
) -> None:
    case, alarm_id = new_case(town, state, condition="c/1", category=COVER)
    town.conn.execute("DELETE FROM squad_shift WHERE squad = %s", (town.gas_squad,))
    come_again(town, alarm_id)
    after = town.incident(case)
    assert (after.state, after.squad, after.return_count) == (IncidentState.FILED, None, 0)
    assert running(town, case) == {"dispatch"}
    other = town.conn.execute(
        "SELECT code FROM squad WHERE code <> %s AND active ORDER BY code LIMIT 1",
        (town.gas_squad,),
    ).fetchone()
    assert other is not None
    town.do(DISPATCHER, case, Action.DISPATCH, squad=other[0], note="on duty")


def test_an_alarm_that_joined_a_neighbours_case_comes_back_to_it_days_later(town: City) -> None:
    case, _ = new_case(town, IncidentState.HANDLED, condition="g/1")
    joined = town.raise_alarm("g/2", lat=NEAR_LAT, device_id=town.gas_device + 1)
    town.take_all()
    assert town.opened_by(joined) == case
    town.later(days=2)
    come_again(town, joined)
    assert town.opened_by(joined) == case
    town.clear_alarm(joined)
    again = town.raise_alarm("g/2", lat=NEAR_LAT, device_id=town.gas_device + 1)
    town.take_all()
    assert town.opened_by(again) == case


def test_a_leaking_pole_is_not_hidden_in_the_case_of_its_dark_lamp(town: City) -> None:
    dark = town.new_on_site(condition="lamp/1", category="0137", severity=4)
    leak = town.new_filed(condition="leakage/1", category=LEAK, severity=1)
    assert dark != leak
    assert [s.because for s in openings.list_similar(town.conn, leak)] == ["same_device"]


def test_an_unverified_report_takes_no_alarm_in_and_is_named(town: City) -> None:
    place = device_place(town)
    reported = steps.report(
        town.conn, DISPATCHER, ReportRequest(GAS, *place, "smells of gas"), town.now
    )
    opened = town.new_filed(condition="g/1", lon=place[0], lat=place[1])
    assert opened != reported
    assert [s.id for s in openings.list_similar(town.conn, opened)] == [reported]
    second = steps.report(
        town.conn, DISPATCHER, ReportRequest(GAS, *place, "smells here too"), town.now
    )
    assert openings.list_similar(town.conn, second)


@pytest.mark.parametrize("state", BEHIND)
def test_a_standing_alarm_that_is_merged_into_a_resting_case_wakes_it(
    town: City, state: IncidentState
) -> None:
    rests, _ = new_case(town, state, condition="c/1", category=COVER, severity=3)
    fresh = town.new_filed(condition="c/2", category=COVER, device_id=town.gas_device + 1, lat=20.1)
    town.do(DISPATCHER, fresh, Action.MERGE, into=rests, reason="one road works")
    after = town.incident(rests)
    expected = {
        IncidentState.SUSPENDED: (IncidentState.ON_SITE, {"handle"}),
        IncidentState.HANDLED: (IncidentState.DISPATCHED, {"acknowledge", "handle"}),
        IncidentState.CHECKING: (IncidentState.DISPATCHED, {"acknowledge", "handle"}),
    }[state]
    assert (after.state, running(town, rests)) == expected


def test_a_merge_of_what_is_over_wakes_nobody(town: City) -> None:
    rests, _ = new_case(town, IncidentState.HANDLED, condition="c/1", category=COVER)
    over = town.new_filed(
        condition="c/2", category=COVER, device_id=town.gas_device + 1, lat=20.1, state="normal"
    )
    town.do(DISPATCHER, over, Action.MERGE, into=rests, reason="same matter")
    assert town.incident(rests).state is IncidentState.HANDLED


def test_closing_is_refused_while_any_device_of_the_case_stands_and_names_each(
    town: City,
) -> None:
    case, own = new_case(town, IncidentState.CHECKING, condition="c/1", category=COVER)
    other = town.raise_alarm(
        "c/2", category=COVER, lat=20.1, device_id=town.gas_device + 1, state="acknowledged"
    )
    town.take_all()
    town.conn.execute(
        "UPDATE incident_alarm SET incident_id = %s WHERE alarm_id = %s", (case, other)
    )
    town.add(CHECKER, case, "check_photo", shade=1)
    codes = {device_code(town, town.gas_device + n) for n in range(2)}
    with pytest.raises(Conflict) as refused:
        town.do(CHECKER, case, Action.CLOSE, note="closed all the same")
    assert all(code in str(refused.value) for code in codes)
    assert refused.value.current["refused"] == "alarm_stands"
    assert {a["device"] for a in refused.value.current["alarms"]} == codes
    view = steps.view(town.conn, CHECKER, case, town.now).as_dict()
    close = next(a for a in view["waiting"] if a["action"] == "close")
    assert {a["id"] for a in close["waiting_for"][0]["alarms"]} == {own, other}

    town.clear_alarm(own)
    with pytest.raises(Conflict, match=device_code(town, town.gas_device + 1)):
        town.do(CHECKER, case, Action.CLOSE, note="closed all the same")
    town.clear_alarm(other)
    assert town.do(CHECKER, case, Action.CLOSE).state is IncidentState.CLOSED


@pytest.mark.parametrize("state", ["latched_unacknowledged", "latched_acknowledged"])
def test_a_case_closes_only_when_its_latched_alarm_was_released(town: City, state: str) -> None:
    case, own = new_case(town, IncidentState.CHECKING, condition="c/1", category=COVER)
    town.add(CHECKER, case, "check_photo", shade=1)
    town.conn.execute(
        """
        UPDATE alarm SET state = %s, cleared_at = %s, latch_s = 900, release_role = 'gas_engineer',
                         releasable_at = %s
        WHERE id = %s
        """,
        (state, town.now, town.now + timedelta(minutes=15), own),
    )
    with pytest.raises(Conflict, match="released by a gas engineer") as refused:
        town.do(CHECKER, case, Action.CLOSE)
    assert refused.value.current["refused"] == "alarm_latched"
    view = steps.view(town.conn, CHECKER, case, town.now).as_dict()
    close = next(a for a in view["waiting"] if a["action"] == "close")
    assert [w["code"] for w in close["waiting_for"]] == ["alarm_latched"]

    town.later(minutes=15)
    version = town.conn.execute("SELECT version FROM alarm WHERE id = %s", (own,)).fetchone()
    assert version is not None
    actions.reset(town.conn, ENGINEER, own, version[0], town.now)
    town.take_all()
    assert town.do(CHECKER, case, Action.CLOSE).state is IncidentState.CLOSED


@pytest.mark.parametrize("action", [Action.CANCEL, Action.REJECT])
def test_no_other_way_out_leaves_a_standing_alarm_alone(town: City, action: Action) -> None:
    case = town.new_filed(condition="c/1", category=COVER)
    if action is Action.REJECT:
        town.conn.execute("UPDATE incident SET state = 'reported' WHERE id = %s", (case,))
    with pytest.raises(Conflict, match=device_code(town, town.gas_device)):
        town.do(DISPATCHER, case, action, reason="a test, announced")


def test_a_muted_alarm_does_not_hold_a_case_open_and_opens_the_next_when_it_is_loud_again(
    town: City,
) -> None:
    alarm_id = town.raise_alarm("c/1", category=COVER)
    town.take_all()
    first = town.opened_by(alarm_id)
    town.conn.execute(
        "UPDATE alarm SET shelved_until = %s WHERE id = %s",
        (town.now + timedelta(hours=1), alarm_id),
    )
    town.do(DISPATCHER, first, Action.CANCEL, reason="works on the cover, announced")
    town.later(hours=2)
    town.conn.execute("UPDATE alarm SET shelved_until = NULL WHERE id = %s", (alarm_id,))
    town.change(alarm_id, AlarmChangeKind.UNSHELVED)
    town.take_all()
    assert town.opened_by(alarm_id) != first


def test_a_cover_whose_sensor_says_it_is_closed_need_not_wait_for_its_off_delay(
    town: City,
) -> None:
    case, alarm_id = new_case(town, IncidentState.CHECKING, condition="c/1", category=COVER)
    town.add(CHECKER, case, "check_photo", shade=1)
    start_off_delay(town)
    assert town.do(CHECKER, case, Action.CLOSE).state is IncidentState.CLOSED
    assert steps.watch_alarms(town.conn, town.now) == 0

    # It opens again before the off-delay is over: the alarm never ended and says nothing new.
    town.conn.execute("DELETE FROM rule_timer")
    assert steps.watch_alarms(town.conn, town.now) == 1
    assert steps.watch_alarms(town.conn, town.now) == 0
    town.take_all()
    again = town.opened_by(alarm_id)
    assert again != case
    assert running(town, again) == {"dispatch"}


@pytest.mark.parametrize(
    "change",
    [
        "state = 'returned_unacknowledged'",
        "state = 'normal'",
        "opens_incident = false",
        "shelved_until = now() + interval '1 year'",
    ],
)
def test_an_alarm_that_asks_for_nobody_is_not_handed_over_again(town: City, change: str) -> None:
    case = town.new_filed(condition="c/1", category=COVER, state="normal")
    town.do(DISPATCHER, case, Action.CANCEL, reason="a test, announced")
    town.conn.execute("UPDATE alarm SET state = 'unacknowledged'")
    town.conn.execute(f"UPDATE alarm SET {change}")
    assert steps.watch_alarms(town.conn, town.now) == 0


def start_off_delay(town: City) -> None:
    town.conn.execute(
        """
        INSERT INTO rule_timer (condition, rule_code, device_id, direction, started_at,
                                received_at, due_at, reason)
        VALUES ('test/off', 'test', %s, 'off', %s, %s, %s, '{}')
        """,
        (town.gas_device, town.now, town.now, town.now + timedelta(minutes=1)),
    )


def test_nobody_suspends_a_case_in_which_a_red_alarm_stands(town: City) -> None:
    case = town.new_on_site(severity=1)
    with pytest.raises(Conflict, match=device_code(town, town.gas_device)) as refused:
        town.do(DISPATCHER, case, Action.SUSPEND, reason="rain", until=town.now + timedelta(days=1))
    assert refused.value.current["refused"] == "red_alarm_stands"


def test_a_squad_at_work_is_not_sent_again(town: City) -> None:
    case = town.new_on_site()
    alarm_id = town.raise_alarm("g/2", severity=1, lat=NEAR_LAT, device_id=town.gas_device + 1)
    town.take_all()
    assert town.opened_by(alarm_id) == case
    after = town.incident(case)
    assert (after.state, after.rework_count, after.severity) == (IncidentState.ON_SITE, 0, 1)


def test_a_case_that_was_closed_meanwhile_is_left_alone_and_a_new_one_is_opened(
    town: City,
) -> None:
    case, alarm_id = new_case(town, IncidentState.CHECKING, condition="c/1", category=COVER)
    town.add(SECOND_DISPATCHER, case, "check_photo", shade=1)
    town.clear_alarm(alarm_id)
    town.take_all()
    town.do(CHECKER, case, Action.CLOSE)
    again = town.raise_alarm("c/1", category=COVER)
    town.take_all()
    assert town.opened_by(again) != case
    assert town.incident(case).state is IncidentState.CLOSED


def device_code(town: City, device_id: int) -> str:
    row = town.conn.execute("SELECT code FROM device WHERE id = %s", (device_id,)).fetchone()
    assert row is not None
    return str(row[0])


def device_place(town: City) -> tuple[float, float]:
    row = town.conn.execute(
        "SELECT lon, lat FROM device WHERE id = %s", (town.gas_device,)
    ).fetchone()
    assert row is not None
    return float(row[0]), float(row[1])
