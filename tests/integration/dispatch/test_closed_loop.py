"""From alarm or report to a verified closure, on a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from city.alarm import AlarmChangeKind
from city.clock import ClockKind, Deadline
from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.incident import Action, IncidentState, Role, Source
from city.person import Caller
from city.requests import ReportRequest
from db import deadlines, events
from dispatch import steps
from tests.integration.dispatch.town import (
    CHECKER,
    DISPATCHER,
    ENGINEER,
    SECOND_DISPATCHER,
    City,
    caller,
)


def test_a_gas_alarm_is_walked_to_a_verified_closure(town: City) -> None:
    alarm_id = town.raise_alarm()
    assert town.take_all() == 1
    incident_id = town.opened_by(alarm_id)
    opened = town.incident(incident_id)
    assert opened.state is IncidentState.FILED
    assert opened.source is Source.SENSOR
    assert len(opened.number) == 19
    assert opened.number.startswith("46010720260715")

    town.later(minutes=2)
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="nearest")
    town.later(minutes=1)
    town.do(town.leader, incident_id, Action.ACKNOWLEDGE)
    town.later(minutes=10)
    town.do(town.leader, incident_id, Action.ARRIVE)
    with pytest.raises(InvalidInput, match="photo_after"):
        town.do(town.leader, incident_id, Action.HANDLE, note="valve closed")
    town.add(town.leader, incident_id, "photo_after")
    town.later(minutes=20)
    town.do(town.leader, incident_id, Action.HANDLE, note="valve closed, joint renewed")

    with pytest.raises(Conflict, match="still stands"):
        town.do(ENGINEER, incident_id, Action.RELEASE, note="0 %LEL")
    town.measure(1.0)
    town.clear_alarm(alarm_id)
    town.take_all()
    town.do(ENGINEER, incident_id, Action.RELEASE, note="0 %LEL at three points")
    town.do(CHECKER, incident_id, Action.CHECK)
    with pytest.raises(InvalidInput, match="check_photo"):
        town.do(CHECKER, incident_id, Action.CLOSE)
    town.add(CHECKER, incident_id, "check_photo", shade=1)
    with pytest.raises(Conflict, match="gas-free period"):
        town.do(CHECKER, incident_id, Action.CLOSE)

    town.later(minutes=31)
    town.measure(0.5)
    closed = town.do(CHECKER, incident_id, Action.CLOSE)
    assert closed.state is IncidentState.CLOSED
    assert (closed.handled_by, closed.checked_by, closed.released_by) == ("chen", "zhao", "sun")
    assert town.events_of(incident_id) == [
        "incident.opened",
        "incident.dispatched",
        "incident.acknowledged",
        "incident.arrived",
        "incident.evidence_added",
        "incident.handled",
        "incident.alarm_changed",
        "incident.released",
        "incident.check_started",
        "incident.evidence_added",
        "incident.overdue",  # the check took 31 minutes, its limit is 30
        "incident.closed",
    ]
    clocks = deadlines.list_deadlines(town.conn, incident_id)
    assert all(not clock.runs for clock in clocks)
    assert events.verify_chain(town.conn).broken_at is None


def test_a_gas_incident_stays_open_while_the_sensor_is_silent_or_measures_gas(town: City) -> None:
    incident_id, alarm_id = gas_incident_being_checked(town)
    town.later(minutes=40)
    with pytest.raises(Conflict, match="does not report"):
        town.do(CHECKER, incident_id, Action.CLOSE)
    town.measure(15.0)  # below the alarm limit, above half of it
    with pytest.raises(Conflict, match="measured gas"):
        town.do(CHECKER, incident_id, Action.CLOSE)
    town.later(minutes=31)
    town.measure(2.0)
    assert town.do(CHECKER, incident_id, Action.CLOSE).state is IncidentState.CLOSED
    assert alarm_id


def test_gas_again_after_the_release_voids_it(town: City) -> None:
    incident_id, alarm_id = gas_incident_being_checked(town)
    town.conn.execute("UPDATE alarm SET state = 'unacknowledged' WHERE id = %s", (alarm_id,))
    town.change(alarm_id, AlarmChangeKind.RETRIPPED)
    town.take_all()
    assert town.incident(incident_id).released_at is None
    assert "incident.release_voided" in town.events_of(incident_id)


def gas_incident_being_checked(town: City) -> tuple[int, int]:
    alarm_id = town.raise_alarm()
    town.take_all()
    incident_id = town.opened_by(alarm_id)
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="test")
    town.do(town.leader, incident_id, Action.ACKNOWLEDGE)
    town.do(town.leader, incident_id, Action.ARRIVE)
    town.add(town.leader, incident_id, "photo_after")
    town.do(town.leader, incident_id, Action.HANDLE, note="done")
    town.clear_alarm(alarm_id)
    town.take_all()
    town.do(ENGINEER, incident_id, Action.RELEASE, note="0 %LEL")
    town.do(CHECKER, incident_id, Action.CHECK)
    town.add(CHECKER, incident_id, "check_photo", shade=1)
    return incident_id, alarm_id


def test_a_citizens_report_is_verified_before_it_is_filed(town: City) -> None:
    device = town.conn.execute(
        "SELECT lon, lat FROM device WHERE id = %s", (town.gas_device,)
    ).fetchone()
    assert device is not None
    request = ReportRequest("0101", device[0], device[1], "cover is missing", reporter="Mr Fu")
    incident_id = steps.report(town.conn, DISPATCHER, request, town.now)
    reported = town.incident(incident_id)
    assert reported.state is IncidentState.REPORTED
    assert reported.unit_grid is not None
    assert running_clocks(town, incident_id) == {"file"}
    town.do(CHECKER, incident_id, Action.VERIFY)
    assert running_clocks(town, incident_id) == {"verify"}
    town.add(CHECKER, incident_id, "photo_before")
    town.do(CHECKER, incident_id, Action.FILE)
    assert running_clocks(town, incident_id) == {"dispatch"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"category": "99-99"}, "category"),
        ({"lon": 20.0, "lat": 110.3}, "lat"),
        ({"lon": 116.4, "lat": 39.9}, "lon"),
        ({"description": " "}, "description"),
        ({"severity": 7}, "severity"),
        ({"source": Source.SENSOR}, "source"),
    ],
)
def test_a_report_that_cannot_be_true_is_refused_by_field(
    town: City, change: dict[str, object], field: str
) -> None:
    good: dict[str, object] = {
        "category": "0101",
        "lon": 110.36,
        "lat": 19.95,
        "description": "cover is missing",
    }
    request = ReportRequest(**{**good, **change})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput) as refused:
        steps.report(town.conn, DISPATCHER, request, town.now)
    assert refused.value.field == field


def test_nobody_checks_their_own_work(town: City) -> None:
    incident_id = town.new_on_site()
    town.add(DISPATCHER, incident_id, "photo_after")
    town.do(DISPATCHER, incident_id, Action.HANDLE, note="said by radio")
    with pytest.raises(Forbidden, match="own work"):
        town.do(DISPATCHER, incident_id, Action.CHECK)
    from_the_squad = caller("checker in the squad", Role.CHECKER, town.gas_squad)
    with pytest.raises(Forbidden, match=town.gas_squad):
        town.do(from_the_squad, incident_id, Action.CHECK)
    assert town.do(SECOND_DISPATCHER, incident_id, Action.CHECK).state is IncidentState.CHECKING


def test_a_squad_leader_acts_on_the_own_squads_incidents_only(town: City) -> None:
    incident_id = town.new_filed()
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="test")
    stranger = caller("zhou", Role.SQUAD_LEADER, "another")
    with pytest.raises(Forbidden, match="not with squad"):
        town.do(stranger, incident_id, Action.ACKNOWLEDGE)
    with pytest.raises(Forbidden):
        town.add(stranger, incident_id, "photo_after")


def test_another_districts_incident_does_not_exist_for_the_caller(town: City) -> None:
    incident_id = town.new_filed()
    foreign = Caller("wang", Role.DISPATCHER, "110101")
    with pytest.raises(NotFound):
        town.do(foreign, incident_id, Action.DISPATCH, squad=town.gas_squad)
    with pytest.raises(NotFound):
        steps.view(town.conn, foreign, incident_id, town.now)


def test_a_double_acknowledge_changes_one_thing_once(town: City) -> None:
    incident_id = town.new_filed()
    seen = town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="test")
    town.do(town.leader, incident_id, Action.ACKNOWLEDGE, version=seen.version)
    with pytest.raises(Conflict) as refused:
        town.do(town.leader, incident_id, Action.ACKNOWLEDGE, version=seen.version)
    assert refused.value.current["state"] == "acknowledged"
    assert refused.value.current["version"] == seen.version + 1
    assert "arrive" in refused.value.allowed
    assert town.events_of(incident_id).count("incident.acknowledged") == 1


def test_an_action_out_of_its_state_says_what_is_possible(town: City) -> None:
    incident_id = town.new_filed()
    with pytest.raises(Conflict, match="while the incident is filed") as refused:
        town.do(DISPATCHER, incident_id, Action.CLOSE)
    assert set(refused.value.allowed) == {"dispatch", "merge", "split", "cancel", "comment"}


def test_rework_starts_a_new_round_with_new_clocks_and_asks_for_new_photos(town: City) -> None:
    incident_id = town.new_on_site()
    town.add(town.leader, incident_id, "photo_after")
    town.later(minutes=5)
    town.do(town.leader, incident_id, Action.HANDLE, note="done")
    town.do(CHECKER, incident_id, Action.CHECK)
    town.later(minutes=5)
    reworked = town.do(CHECKER, incident_id, Action.REWORK, reason="still smells")
    assert (reworked.state, reworked.rework_count) == (IncidentState.DISPATCHED, 1)
    assert reworked.handled_by is None
    attempts = [
        (clock.clock, clock.attempt)
        for clock in deadlines.list_deadlines(town.conn, incident_id)
        if clock.runs
    ]
    assert sorted(attempts) == [("acknowledge", 2), ("handle", 2)]
    town.later(minutes=1)
    town.do(town.leader, incident_id, Action.ACKNOWLEDGE)
    town.do(town.leader, incident_id, Action.ARRIVE)
    with pytest.raises(InvalidInput, match="photo_after"):
        town.do(town.leader, incident_id, Action.HANDLE, note="done again")


def test_a_squad_that_returns_an_incident_gets_no_new_time_another_does(town: City) -> None:
    incident_id = town.new_on_site()
    started = town.now
    town.later(minutes=15)
    returned = town.do(town.leader, incident_id, Action.RETURN_BACK, reason="not our pipe")
    assert (returned.state, returned.squad, returned.return_count) == (
        IncidentState.FILED,
        None,
        1,
    )
    assert running_clocks(town, incident_id) == {"dispatch"}
    town.later(minutes=5)
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="it is")
    again = handle_clock(town, incident_id)
    assert again.attempt == 2
    assert again.due_at == town.now + timedelta(minutes=45)  # one hour less the 15 minutes
    town.do(town.leader, incident_id, Action.RETURN_BACK, reason="really not")
    other = town.conn.execute(
        "SELECT code FROM squad WHERE code <> %s AND active ORDER BY code LIMIT 1",
        (town.gas_squad,),
    ).fetchone()
    assert other is not None
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=other[0], note="yours")
    assert handle_clock(town, incident_id).due_at == town.now + timedelta(hours=1)
    assert started < town.now


def test_postponing_adds_one_original_limit_twice_at_most_and_keeps_the_old_due_time(
    town: City,
) -> None:
    incident_id = town.new_on_site()
    first = handle_clock(town, incident_id)
    with pytest.raises(InvalidInput, match="reason"):
        town.do(DISPATCHER, incident_id, Action.POSTPONE)
    for _ in range(2):
        town.do(DISPATCHER, incident_id, Action.POSTPONE, reason="spare part on its way")
    assert handle_clock(town, incident_id).due_at == first.due_at + timedelta(hours=2)
    with pytest.raises(Conflict, match="2 times"):
        town.do(DISPATCHER, incident_id, Action.POSTPONE, reason="again")
    told = events.list_events(town.conn, subject=f"incident:{incident_id}")[-1]
    assert told.kind == "incident.postponed"
    moved = told.payload["clocks"]["postponed"][0]
    assert moved["limit_before"] == "2 urgent_hour"
    assert moved["limit"] == "3 urgent_hour"


def test_an_overdue_incident_is_neither_postponed_nor_suspended(town: City) -> None:
    incident_id = town.new_on_site()
    town.later(minutes=61)
    for action in (Action.POSTPONE, Action.SUSPEND):
        with pytest.raises(Conflict, match="overdue"):
            town.do(
                DISPATCHER, incident_id, action, reason="rain", until=town.now + timedelta(days=1)
            )


def test_a_suspension_stops_every_clock_and_ends_by_itself(town: City) -> None:
    incident_id = town.new_on_site()
    before = handle_clock(town, incident_id)
    town.later(minutes=10)
    until = town.now + timedelta(days=2)
    suspended = town.do(DISPATCHER, incident_id, Action.SUSPEND, reason="typhoon", until=until)
    assert suspended.state is IncidentState.SUSPENDED
    view = steps.view(town.conn, DISPATCHER, incident_id, town.later(days=1))
    standings = {c.deadline.clock: c.standing for c in view.clocks if c.deadline.runs}
    assert standings == {"handle": "paused"}
    assert steps.tick_deadlines(town.conn, town.now) == 0
    town.later(days=1, minutes=7)  # the scheduler was seven minutes late
    assert steps.tick_deadlines(town.conn, town.now) == 1
    resumed = town.incident(incident_id)
    assert resumed.state is IncidentState.ON_SITE
    assert handle_clock(town, incident_id).due_at == before.due_at + timedelta(days=2)
    with pytest.raises(Conflict, match="once"):
        town.do(
            DISPATCHER,
            incident_id,
            Action.SUSPEND,
            reason="typhoon",
            until=town.now + timedelta(days=1),
        )


@pytest.mark.parametrize("days", [-1, 0, 366])
def test_a_suspension_has_a_date_within_a_year(town: City, days: int) -> None:
    incident_id = town.new_on_site()
    with pytest.raises(InvalidInput, match="until"):
        town.do(
            DISPATCHER,
            incident_id,
            Action.SUSPEND,
            reason="rain",
            until=town.now + timedelta(days=days),
        )


def test_a_merged_incident_hands_its_alarms_over_and_stops(town: City) -> None:
    one_alarm = town.raise_alarm("gas_leak/one", severity=3, lat=20.0)
    other_alarm = town.raise_alarm(
        "flooded/other", category="05-06", severity=1, lat=20.01, device_id=town.gas_device + 1
    )
    town.take_all()
    one, other = town.opened_by(one_alarm), town.opened_by(other_alarm)
    assert one != other
    with pytest.raises(InvalidInput, match="without a gas release"):
        town.do(DISPATCHER, one, Action.MERGE, into=other, reason="same burst")
    merged = town.do(DISPATCHER, other, Action.MERGE, into=one, reason="same burst")
    assert (merged.state, merged.merged_into) == (IncidentState.MERGED, one)
    assert town.opened_by(other_alarm) == one
    assert town.incident(one).severity == 1
    assert running_clocks(town, other) == set()
    with pytest.raises(InvalidInput, match="into"):
        town.do(DISPATCHER, one, Action.MERGE, into=other, reason="back")
    with pytest.raises(InvalidInput, match="into"):
        town.do(DISPATCHER, one, Action.MERGE, into=one, reason="self")


def test_a_split_opens_a_second_incident_and_leaves_the_first(town: City) -> None:
    incident_id = town.new_on_site()
    town.do(DISPATCHER, incident_id, Action.SPLIT, category="05-05", note="road has sunk too")
    row = town.conn.execute(
        "SELECT id, state, category, source FROM incident WHERE split_from = %s", (incident_id,)
    ).fetchone()
    assert row is not None
    assert row[1:] == ("filed", "05-05", "split")
    assert running_clocks(town, row[0]) == {"dispatch"}
    assert town.incident(incident_id).state is IncidentState.ON_SITE


def test_a_cancelled_incident_can_be_reopened_unless_its_condition_has_another(
    town: City,
) -> None:
    incident_id = town.new_filed(state="normal")
    town.do(DISPATCHER, incident_id, Action.CANCEL, reason="test gas, announced")
    assert running_clocks(town, incident_id) == set()
    alarm_id = town.raise_alarm()
    town.take_all()
    second = town.opened_by(alarm_id)
    assert second != incident_id
    with pytest.raises(Conflict, match="same condition"):
        town.do(DISPATCHER, incident_id, Action.REOPEN, reason="was real")
    town.clear_alarm(alarm_id)
    town.do(DISPATCHER, second, Action.CANCEL, reason="double")
    reopened = town.do(DISPATCHER, incident_id, Action.REOPEN, reason="was real")
    assert reopened.state is IncidentState.FILED
    assert running_clocks(town, incident_id) == {"dispatch"}


def test_an_off_duty_squad_is_sent_only_with_a_reason(town: City) -> None:
    incident_id = town.new_filed()
    town.conn.execute("DELETE FROM squad_shift WHERE squad = %s", (town.gas_squad,))
    with pytest.raises(InvalidInput, match="off duty"):
        town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad)
    with pytest.raises(InvalidInput, match="squad"):
        town.do(DISPATCHER, incident_id, Action.DISPATCH, squad="nobody")
    with pytest.raises(InvalidInput, match="squad"):
        town.do(DISPATCHER, incident_id, Action.DISPATCH)
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="called in")


def test_a_refused_action_leaves_no_trace(town: City) -> None:
    incident_id = town.new_on_site()
    town.conn.commit()
    before = town.incident(incident_id), events.last_seq(town.conn)
    for action in Action:
        try:
            town.do(caller("viewer", Role.VIEWER), incident_id, action, note="x")
        except (Conflict, Forbidden, InvalidInput):
            continue
        pytest.fail(f"a viewer could {action}")
    assert (town.incident(incident_id), events.last_seq(town.conn)) == before


def handle_clock(town: City, incident_id: int) -> Deadline:
    return next(
        clock
        for clock in deadlines.list_deadlines(town.conn, incident_id)
        if clock.kind is ClockKind.HANDLE and clock.runs
    )


def running_clocks(town: City, incident_id: int) -> set[str]:
    return {c.clock for c in deadlines.list_deadlines(town.conn, incident_id) if c.runs}
