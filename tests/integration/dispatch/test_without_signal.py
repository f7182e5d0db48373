"""What a squad did without signal, and whoever works alone, on a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from city.clock import ClockKind
from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import VOICE_NOTE, Action, IncidentState
from city.requests import ActionRequest
from city.safety_requests import CheckInRequest, DistressSeenRequest, DuressRequest, FineRequest
from db import deadlines, evidence, safety
from db.districts import save_setting
from db.events import list_events
from dispatch import steps
from tests.integration.dispatch.town import CHECKER, DISPATCHER, DISTRICT, City

WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x84webm" + b"A_OPUS" * 9


def act_late(town: City, incident_id: int, action: Action, hours: float, **more: object) -> None:
    """The squad did it so many hours ago."""
    version = town.incident(incident_id).version
    request = ActionRequest(
        action,
        version,
        acted_at=town.now - timedelta(hours=hours),
        **more,  # type: ignore[arg-type]
    )
    steps.act(town.conn, town.leader, incident_id, request, town.now, town.now)


def clock(town: City, incident_id: int, kind: ClockKind):  # type: ignore[no-untyped-def]
    found = deadlines.list_deadlines(town.conn, incident_id)
    return next(d for d in found if d.kind is kind)


def test_the_clock_stops_at_the_act_although_it_was_overdue_when_that_was_heard(
    town: City,
) -> None:
    incident_id = town.new_filed()
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="near")
    town.later(hours=6)
    steps.tick_deadlines(town.conn, town.now)
    assert clock(town, incident_id, ClockKind.ACKNOWLEDGE).overdue_at is not None

    act_late(town, incident_id, Action.ACKNOWLEDGE, 5.99)
    met = clock(town, incident_id, ClockKind.ACKNOWLEDGE)
    assert met.met_at is not None
    assert met.met_at == town.now - timedelta(hours=5.99)
    assert met.met_at <= met.due_at
    assert met.overdue_at is None
    assert town.incident(incident_id).acknowledged_at == met.met_at
    told = list_events(town.conn, subject=f"incident:{incident_id}", limit=100)[-1]
    assert told.at == town.now  # of the receipt
    assert told.payload["acted_at"] == met.met_at.isoformat()
    (entry,) = told.payload["clocks"]["met"]
    assert entry["late"] is False


def test_nobody_checks_before_they_could_know(town: City) -> None:
    incident_id = town.new_on_site()
    town.add(town.leader, incident_id, "photo_after")
    town.later(hours=3)
    act_late(town, incident_id, Action.HANDLE, 2, note="valve closed")
    assert town.incident(incident_id).handled_at == town.now - timedelta(hours=2)
    assert clock(town, incident_id, ClockKind.CHECK).started_at == town.now


def test_a_time_that_is_not_believed_is_said_with_the_receipt(town: City) -> None:
    save_setting(town.conn, DISTRICT, "phone_hours", 1, town.now)
    incident_id = town.new_filed()
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="near")
    town.later(hours=5)
    act_late(town, incident_id, Action.ACKNOWLEDGE, 2)
    assert town.incident(incident_id).acknowledged_at == town.now
    told = list_events(town.conn, subject=f"incident:{incident_id}", limit=100)[-1].payload
    assert told["acted_at_doubt"] == "too_old"
    assert told["acted_at_said"] == (town.now - timedelta(hours=2)).isoformat()


def test_only_a_squad_says_when_it_did_something(town: City) -> None:
    incident_id = town.new_filed()
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="near")
    with pytest.raises(InvalidInput, match="acted_at"):
        town.do(DISPATCHER, incident_id, Action.ACKNOWLEDGE, acted_at=town.now)
    with pytest.raises(Forbidden):
        town.do(CHECKER, incident_id, Action.ACKNOWLEDGE, acted_at=town.now)
    assert town.incident(incident_id).state is IncidentState.DISPATCHED


def test_a_voice_note_is_what_a_phone_records_and_nothing_else(town: City) -> None:
    incident_id = town.new_on_site()

    def add(content: bytes, said: str, stage: str = VOICE_NOTE) -> int:
        return steps.add_evidence(
            town.conn, town.leader, incident_id, stage, "voice.webm", said, content, town.now
        )

    add(WEBM, "audio/webm")
    (stored,) = evidence.list_evidence(town.conn, incident_id)
    assert (stored.stage, stored.media_type) == (VOICE_NOTE, "audio/webm")
    for content, said, stage in (
        (WEBM, "audio/ogg", VOICE_NOTE),  # says what it is not
        (WEBM + b"V_VP8", "audio/webm", VOICE_NOTE),  # a film without its name
        (WEBM, "audio/webm", "photo_after"),
        (b"PK\x03\x04" + bytes(99), "audio/webm", VOICE_NOTE),
        (WEBM + bytes(6 * 1024 * 1024), "audio/webm", VOICE_NOTE),
    ):
        with pytest.raises(InvalidInput):
            add(content, said, stage)


def test_a_missed_check_in_is_told_once_and_taken_on_by_one(town: City) -> None:
    steps.begin_check_in(town.conn, town.leader, CheckInRequest(10), town.now)
    with pytest.raises(Conflict, match="runs"):
        steps.begin_check_in(town.conn, town.leader, CheckInRequest(10), town.now)
    town.later(minutes=9)
    assert steps.tick_check_ins(town.conn, town.now) == 0
    steps.say_fine(town.conn, town.leader, FineRequest(lon=110.36, lat=20.0), town.now)
    town.later(minutes=10, seconds=1)
    assert [steps.tick_check_ins(town.conn, town.now) for _ in range(3)] == [1, 0, 0]
    (call,) = open_calls(town)
    assert (call.kind, call.person, call.lon) == ("missed_check_in", "chen", 110.36)
    with pytest.raises(Forbidden):
        steps.acknowledge_call(town.conn, town.leader, call.id, DistressSeenRequest(), town.now)
    # Out of the basement: said in time, heard too late. It is known, and stays to be taken on.
    steps.say_fine(
        town.conn,
        town.leader,
        FineRequest(acted_at=town.now - timedelta(minutes=2)),
        town.now,
        town.now,
    )
    (heard,) = open_calls(town)
    assert heard.heard_at == town.now - timedelta(minutes=2)
    steps.acknowledge_call(town.conn, DISPATCHER, call.id, DistressSeenRequest("ok"), town.now)
    with pytest.raises(Conflict, match="wang"):
        steps.acknowledge_call(town.conn, DISPATCHER, call.id, DistressSeenRequest(), town.now)
    assert open_calls(town) == []
    # What was said before does not move the next time back.
    row = steps.say_fine(
        town.conn,
        town.leader,
        FineRequest(acted_at=town.now - timedelta(minutes=8)),
        town.now,
        town.now,
    )
    assert row.heard_at == town.now - timedelta(minutes=2)
    steps.end_check_in(town.conn, town.leader, town.now)
    town.later(hours=1)
    assert steps.tick_check_ins(town.conn, town.now) == 0


def test_nothing_stands_in_the_way_of_a_call_for_help(town: City) -> None:
    request = DuressRequest(incident_id=4711, lon=999.0, lat=20.0)
    call = steps.call_for_help(town.conn, town.leader, request, town.now)
    assert (call.kind, call.incident_id, call.lon) == ("duress", None, None)
    assert [c.id for c in open_calls(town)] == [call.id]
    with pytest.raises(Forbidden):
        steps.call_for_help(town.conn, DISPATCHER, DuressRequest(), town.now)


def open_calls(town: City) -> list:  # type: ignore[type-arg]
    return safety.list_calls(town.conn, DISTRICT, only_open=True, since=None, below=None, limit=100)
