"""Calls and orders become cases, or callers of one, and are owed an answer until they got it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import Action, IncidentState, Role
from city.intake import Channel, ListedIntake
from city.intake_requests import CallBackRequest, IntakeRequest, ReplyRequest
from city.scope import Scope
from db import intake as stored
from dispatch import steps
from tests.integration.dispatch.town import CHECKER, DISPATCHER, DISTRICT, City, caller

ALL = Scope(DISTRICT)
CALL = IntakeRequest(
    channel=Channel.HOTLINE_12345,
    description="The cover at the corner is gone",
    category="0101",
    lon=110.36,
    lat=20.0,
    caller="Ms Lin",
    phone="0898 1234",
    external_number="12345-77",
    call_back=True,
)


def call_of(town: City, intake_id: int) -> ListedIntake:
    [found] = stored.list_intake(town.conn, ALL, intake_id=intake_id)
    return found


def owed(town: City) -> list[int]:
    return [row.id for row in stored.list_intake(town.conn, ALL, owed=True)]


def finish(town: City, incident_id: int) -> None:
    """From reported to closed."""
    town.do(DISPATCHER, incident_id, Action.FILE)
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="test")
    town.do(town.leader, incident_id, Action.ACKNOWLEDGE)
    town.do(town.leader, incident_id, Action.ARRIVE)
    town.add(town.leader, incident_id, "photo_after", 1)
    town.do(town.leader, incident_id, Action.HANDLE, note="done")
    town.do(CHECKER, incident_id, Action.CHECK)
    town.add(CHECKER, incident_id, "check_photo", 2)
    town.do(CHECKER, incident_id, Action.CLOSE)


def test_a_call_becomes_a_case_and_its_reply_is_due_until_somebody_replied(town: City) -> None:
    received = steps.receive(town.conn, DISPATCHER, CALL, town.now)
    case = town.incident(received.incident_id)
    assert (case.state, case.source.value) == (IncidentState.REPORTED, "hotline")
    call = call_of(town, received.intake_id)
    assert call.reply_due_at == town.now + timedelta(days=7)
    assert owed(town) == [call.id]
    finish(town, case.id)
    assert call_of(town, call.id).call_back_due_at == town.now + timedelta(days=1)
    town.later(days=30)
    assert owed(town) == [call.id], "what was promised never vanishes"
    version = call_of(town, call.id).version
    steps.reply(town.conn, DISPATCHER, call.id, ReplyRequest("Replaced", version), town.now)
    assert owed(town) == [call.id], "the caller has not been called yet"
    for reached, score in ((False, None), (True, 80)):
        asked = CallBackRequest(reached, call_of(town, call.id).version, score)
        steps.call_back(town.conn, DISPATCHER, call.id, asked, town.now)
    assert owed(town) == []
    answered = call_of(town, call.id)
    assert (answered.call_back_tries, answered.satisfaction) == (1, 80)
    told = town.events_of(case.id)
    assert told[:2] == ["incident.opened", "incident.call_kept"]
    assert told[-3:] == ["incident.replied", "incident.call_unanswered", "incident.called_back"]


def test_an_order_that_comes_again_is_answered_with_what_it_became(town: City) -> None:
    order = replace(CALL, channel=Channel.PLATFORM)
    first = steps.receive(town.conn, DISPATCHER, order, town.now)
    again = steps.receive(town.conn, DISPATCHER, replace(order, description="other"), town.now)
    assert first.is_new
    assert not again.is_new
    assert (again.intake_id, again.incident_id) == (first.intake_id, first.incident_id)
    other = steps.receive(town.conn, DISPATCHER, replace(order, external_number="78"), town.now)
    assert other.incident_id != first.incident_id


def test_a_second_caller_joins_the_case_and_moves_with_it(town: City) -> None:
    first = steps.receive(town.conn, DISPATCHER, CALL, town.now)
    joined = replace(CALL, external_number="", category="", lon=None, joins=first.incident_id)
    second = steps.receive(town.conn, DISPATCHER, joined, town.now)
    assert second.incident_id == first.incident_id
    assert call_of(town, second.intake_id).joined
    other = steps.receive(town.conn, DISPATCHER, replace(CALL, external_number="79"), town.now)
    town.do(DISPATCHER, first.incident_id, Action.MERGE, into=other.incident_id, reason="same")
    moved = stored.list_intake(town.conn, ALL, incident_id=other.incident_id)
    assert {row.id for row in moved} == {first.intake_id, second.intake_id, other.intake_id}
    town.do(DISPATCHER, first.incident_id, Action.UNMERGE, reason="two holes")
    back = stored.list_intake(town.conn, ALL, incident_id=first.incident_id)
    assert {row.id for row in back} == {first.intake_id, second.intake_id}
    town.do(DISPATCHER, first.incident_id, Action.MERGE, into=other.incident_id, reason="same")
    with pytest.raises(InvalidInput, match="is merged, not open"):
        steps.receive(town.conn, DISPATCHER, joined, town.now)


def test_a_case_that_goes_on_owes_no_call_until_its_next_end(town: City) -> None:
    received = steps.receive(town.conn, DISPATCHER, CALL, town.now)
    town.do(DISPATCHER, received.incident_id, Action.REJECT, reason="not ours")
    assert call_of(town, received.intake_id).call_back_due_at is not None
    town.do(DISPATCHER, received.incident_id, Action.COMMENT, note="looked again")
    town.do(DISPATCHER, received.incident_id, Action.REOPEN, reason="it is ours")
    assert call_of(town, received.intake_id).call_back_due_at is None


def test_a_patch_lies_in_its_middle_and_keeps_its_corners(town: City) -> None:
    corners = [[110.36, 20.0], [110.362, 20.0], [110.362, 20.002], [110.36, 20.002]]
    patch = IntakeRequest(
        channel=Channel.SATELLITE,
        description="New roof",
        category="01-01",
        polygon=corners,
        captured_on=town.now.date(),
        verify=True,
    )
    received = steps.receive(town.conn, DISPATCHER, patch, town.now)
    case = town.incident(received.incident_id)
    assert (round(case.lon, 3), round(case.lat, 3)) == (110.361, 20.001)
    assert (case.state, case.source.value) == (IncidentState.VERIFYING, "remote")
    assert call_of(town, received.intake_id).polygon == corners


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"description": " "}, "description"),
        ({"phone": ""}, "phone"),
        ({"category": ""}, "category"),
        ({"category": "nothing"}, "category"),
        ({"lon": None}, "lon"),
        ({"lon": 0.0}, "lon"),
        ({"severity": 5}, "severity"),
        ({"polygon": [[1.0, 1.0]]}, "polygon"),
        ({"channel": Channel.SATELLITE, "polygon": [[1.0, 1.0]]}, "polygon"),
        (
            {
                "channel": Channel.DRONE,
                "polygon": [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]],
            },
            "polygon",
        ),
        ({"channel": Channel.PUBLIC}, "channel"),
        ({"caller": "x" * 101}, "caller"),
        ({"joins": 10**9}, "joins"),
    ],
)
def test_a_call_that_is_not_right_names_the_field_and_leaves_nothing(
    town: City, change: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        steps.receive(town.conn, DISPATCHER, replace(CALL, **change), town.now)
    assert refused.value.field == field
    assert stored.list_intake(town.conn, ALL) == []


def test_a_due_date_in_the_past_is_refused(town: City) -> None:
    with pytest.raises(InvalidInput, match="ahead"):
        steps.receive(town.conn, DISPATCHER, replace(CALL, reply_due_at=town.now), town.now)


def test_only_the_centre_answers_callers_and_only_once(town: City) -> None:
    received = steps.receive(town.conn, DISPATCHER, CALL, town.now)
    asked = ReplyRequest("Done", 1)
    with pytest.raises(Forbidden):
        steps.reply(town.conn, CHECKER, received.intake_id, asked, town.now)
    steps.reply(town.conn, DISPATCHER, received.intake_id, asked, town.now)
    with pytest.raises(Conflict, match="version 2"):
        steps.reply(town.conn, DISPATCHER, received.intake_id, asked, town.now)
    with pytest.raises(Conflict, match="nobody waits"):
        steps.reply(town.conn, DISPATCHER, received.intake_id, replace(asked, version=2), town.now)
    with pytest.raises(Forbidden):
        steps.receive(town.conn, caller("x", Role.VIEWER), CALL, town.now)


def test_categories_are_found_by_chinese_pinyin_initials_and_code(town: City) -> None:
    for query in ("上水井盖", "shangshui", "ssjg", "0101", "water supply"):
        found = steps.find_categories(town.conn, DISTRICT, query)
        assert "0101" in {row.code for row in found[:3]}, query
    assert len(steps.find_categories(town.conn, DISTRICT, "")) > 20


def test_what_is_around_a_place_shows_cases_of_the_class_and_devices(town: City) -> None:
    device = town.conn.execute(
        "SELECT lon, lat, code FROM device WHERE kind = 'gas' ORDER BY id LIMIT 1"
    ).fetchone()
    assert device is not None
    near = replace(CALL, lon=device[0], lat=device[1])
    received = steps.receive(town.conn, DISPATCHER, near, town.now)
    at = town.incident(received.incident_id).at
    found = steps.list_around(town.conn, ALL, at, "0102", town.now)
    assert [(c.id, c.same) for c in found.cases] == [(received.incident_id, False)]
    assert device[2] in {d.code for d in found.devices}
    assert steps.list_around(town.conn, ALL, at, "05-02", town.now).cases == []
    town.later(hours=25)
    assert steps.list_around(town.conn, ALL, at, "0101", town.now).cases == []


def test_places_are_found_by_name_and_code(town: City) -> None:
    cell = town.conn.execute("SELECT code FROM unit_grid ORDER BY code LIMIT 1").fetchone()
    name = town.conn.execute(
        "SELECT d.name FROM division d JOIN unit_grid u ON u.street = d.code LIMIT 1"
    ).fetchone()
    assert cell is not None
    assert name is not None
    assert cell[0] in {p.code for p in steps.find_places(town.conn, ALL, cell[0])}
    assert name[0] in {p.name for p in steps.find_places(town.conn, ALL, name[0][:2])}
