"""Deadlines that come due, evidence, what a caller sees, squads and lists."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import pytest

from city.clock import Standing
from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import Action, Role
from city.place import LonLat
from city.scope import Scope
from city.squad import SquadPlace
from db import calendars, deadlines, events, evidence, incidents, squad_positions, squads
from db.calendars import CalendarFile
from db.pool import connect
from dispatch import steps
from replay import shown
from replay.read_picture import read_picture
from tests.integration.dispatch.town import (
    CHECKER,
    DISPATCHER,
    DISTRICT,
    ENGINEER,
    City,
    caller,
    photo,
)


def tick(town: City) -> list[str]:
    """What one tick said, in short."""
    before = events.last_seq(town.conn)
    steps.tick_deadlines(town.conn, town.now)
    said = events.list_events(town.conn, after=before)
    return [f"{e.kind.removeprefix('incident.')} {e.payload.get('clock', '')}" for e in said]


def test_a_clock_is_reminded_overdue_and_carded_each_once(town: City) -> None:
    incident_id = town.new_filed()
    assert tick(town) == []
    town.later(minutes=12)
    assert tick(town) == ["due_soon dispatch"]
    assert tick(town) == []
    town.later(minutes=3)
    assert tick(town) == []  # due this very second is still in time
    town.later(seconds=1)
    assert tick(town) == ["overdue dispatch"]
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="late")
    town.do(town.leader, incident_id, Action.ACKNOWLEDGE)
    town.later(minutes=61)
    assert tick(town) == ["overdue handle"]
    town.later(minutes=60)
    assert tick(town) == ["yellow_card handle"]
    town.later(minutes=60)
    assert tick(town) == ["red_card handle"]
    town.later(hours=5)
    assert tick(town) == []
    stored = {d.clock: d for d in deadlines.list_deadlines(town.conn, incident_id)}
    assert stored["dispatch"].overdue_at is not None
    assert stored["handle"].escalated == "red"


def test_a_clock_met_late_is_marked_overdue_even_if_nobody_ticked(town: City) -> None:
    incident_id = town.new_filed()
    town.later(minutes=20)
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="late")
    assert town.events_of(incident_id) == [
        "incident.opened",
        "incident.overdue",
        "incident.dispatched",
    ]
    told = events.list_events(town.conn, subject=f"incident:{incident_id}")[-1]
    assert told.payload["clocks"]["met"][0]["late"] is True


def test_two_schedulers_say_a_thing_once(town: City, database_url: str) -> None:
    town.new_filed()
    town.conn.commit()
    town.later(minutes=20)
    with connect(database_url) as one, connect(database_url) as other:
        assert steps.tick_deadlines(one, town.now) == 1
        assert steps.tick_deadlines(other, town.now) == 0  # locked by the first, passed over
        one.commit()
        assert steps.tick_deadlines(other, town.now) == 0
        other.commit()


def test_one_broken_incident_does_not_hold_up_the_clocks_of_the_others(town: City) -> None:
    broken = town.new_filed()
    town.new_filed(condition="gas_leak/b", lat=20.01, device_id=town.gas_device + 1)
    town.conn.execute("UPDATE deadline SET limit_unit = 'moon' WHERE incident_id = %s", (broken,))
    town.later(minutes=20)
    assert tick(town) == ["overdue dispatch"]


def test_time_that_passed_while_everything_was_down_is_noticed_at_the_first_tick(
    town: City, database_url: str
) -> None:
    town.new_filed()
    town.conn.commit()
    town.later(days=3)
    with connect(database_url) as restarted:
        assert steps.tick_deadlines(restarted, town.now) == 1
        restarted.commit()
    assert events.list_events(town.conn)[-1].kind == "incident.overdue"


def test_a_clock_beyond_the_calendar_warns_and_is_recounted_when_next_year_is_loaded(
    town: City,
) -> None:
    town.now = town.now.replace(month=12, day=30)
    incident_id = town.new_filed(category="0149", severity=3)
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="test")
    assert "incident.beyond_calendar" in town.events_of(incident_id)
    guessed = deadlines.list_deadlines(town.conn, incident_id)[-1]
    assert guessed.beyond_calendar
    now_known = calendars.calendar_of(town.conn, DISTRICT)
    file = CalendarFile({date(2027, 1, 1): False}, date(2027, 12, 31))
    longer = calendars.extend_calendar(now_known, file)
    assert calendars.insert_calendar(town.conn, longer, "notice", town.now)
    assert not calendars.insert_calendar(town.conn, longer, "notice", town.now)
    assert "clocks_recounted " in tick(town)
    counted = next(
        d for d in deadlines.list_deadlines(town.conn, incident_id) if d.clock == "handle"
    )
    assert not counted.beyond_calendar
    assert counted.calendar_version == longer.version
    assert counted.due_at >= guessed.due_at
    assert steps.tick_deadlines(town.conn, town.now) == 0


def test_a_newer_calendar_makes_nobody_punctual_who_was_late(town: City) -> None:
    town.now = town.now.replace(month=12, day=30)
    incident_id = town.new_filed(category="0149", severity=3)
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=town.gas_squad, note="test")
    guessed = deadlines.list_deadlines(town.conn, incident_id)[-1]
    assert guessed.beyond_calendar
    town.now = guessed.due_at + timedelta(seconds=1)
    assert "overdue handle" in tick(town)
    now_known = calendars.calendar_of(town.conn, DISTRICT)
    days = {guessed.due_at.date(): False, date(2027, 1, 1): False}
    longer = calendars.extend_calendar(now_known, CalendarFile(days, date(2027, 12, 31)))
    assert calendars.insert_calendar(town.conn, longer, "notice", town.now)
    assert not any(said.startswith("clocks_recounted") for said in tick(town))
    clock = next(d for d in deadlines.list_deadlines(town.conn, incident_id) if d.clock == "handle")
    assert clock.due_at == guessed.due_at


def test_the_stored_calendar_is_the_one_that_was_built(town: City) -> None:
    built = calendars.build_china_calendar()
    assert calendars.find_calendar(town.conn, "CN") == built


def test_the_same_photo_twice_is_one_row_and_the_same_photo_elsewhere_is_pointed_out(
    town: City,
) -> None:
    incident_id = town.new_on_site()
    first = town.add(town.leader, incident_id, "photo_after")
    assert town.add(town.leader, incident_id, "photo_after") == first
    assert town.events_of(incident_id).count("incident.evidence_added") == 1
    other = town.new_on_site(condition="gas_leak/b", lat=20.01, device_id=town.gas_device + 1)
    town.add(town.leader, other, "photo_after")
    told = events.list_events(town.conn, subject=f"incident:{other}")[-1]
    assert told.payload["also_in"] == [town.incident(incident_id).number]
    stored = evidence.find_content(town.conn, first)
    assert stored.content == photo()
    assert stored.district == DISTRICT


def test_evidence_is_refused_by_stage_role_and_state(town: City) -> None:
    incident_id = town.new_on_site(state="normal")
    with pytest.raises(InvalidInput, match="stage"):
        town.add(town.leader, incident_id, "selfie")
    with pytest.raises(Forbidden):
        town.add(caller("boss", Role.LEADER), incident_id, "document")
    with pytest.raises(Forbidden, match="own work"):
        town.add(town.leader, incident_id, "check_photo")
    town.do(DISPATCHER, incident_id, Action.CANCEL, reason="test gas")
    with pytest.raises(Conflict, match="cancelled"):
        town.add(town.leader, incident_id, "photo_after")


def test_a_file_name_keeps_no_path(town: City) -> None:
    incident_id = town.new_on_site()
    steps.add_evidence(
        town.conn,
        DISPATCHER,
        incident_id,
        "document",
        "..\\..\\etc/pass\nwd.jpg",
        "image/jpeg",
        photo(),
        town.now,
    )
    assert evidence.list_evidence(town.conn, incident_id)[0].filename == "passwd.jpg"


def test_the_view_lists_what_this_caller_can_do_and_how_every_clock_stands(town: City) -> None:
    incident_id = town.new_filed(state="normal")
    shown = steps.view(town.conn, DISPATCHER, incident_id, town.later(minutes=5)).as_dict()
    assert json.loads(json.dumps(shown)) == shown
    actions = {a["action"]: a for a in shown["actions"]}
    assert actions["dispatch"] == {
        "action": "dispatch",
        "to": "dispatched",
        "needs": ["squad"],
        "duty_chief": False,
    }
    assert set(actions) == {"dispatch", "merge", "split", "cancel", "comment"}
    clock = shown["clocks"][0]
    assert (clock["clock"], clock["standing"], clock["remaining_minutes"]) == (
        "dispatch",
        "running",
        10.0,
    )
    assert [e["kind"] for e in shown["timeline"]] == ["incident.opened"]
    viewer = steps.view(town.conn, caller("v", Role.VIEWER), incident_id, town.now)
    assert viewer.actions == ()


def test_the_view_says_what_a_button_waits_for(town: City) -> None:
    incident_id = town.new_on_site()
    shown = steps.view(town.conn, town.leader, incident_id, town.now).as_dict()
    waiting = {a["action"]: [w["code"] for w in a["waiting_for"]] for a in shown["waiting"]}
    assert waiting == {"handle": ["photo_after"]}
    engineers = steps.view(town.conn, ENGINEER, incident_id, town.now).as_dict()
    assert [w["code"] for w in engineers["waiting"][0]["waiting_for"]] == ["alarm_stands"]
    assert engineers["gas"]["reason"] == "alarm_stands"


def test_an_overdue_clock_shows_negative_time_left(town: City) -> None:
    incident_id = town.new_filed()
    view = steps.view(town.conn, DISPATCHER, incident_id, town.later(minutes=20))
    assert view.clocks[0].standing is Standing.OVERDUE
    assert view.clocks[0].left == timedelta(minutes=-5)


def test_every_view_of_a_whole_life_can_be_made(town: City) -> None:
    incident_id = town.new_on_site()
    town.add(town.leader, incident_id, "photo_after")
    town.do(town.leader, incident_id, Action.HANDLE, note="done")
    town.do(CHECKER, incident_id, Action.CHECK)
    shown = steps.view(town.conn, CHECKER, incident_id, town.now).as_dict()
    close = next(a for a in shown["waiting"] if a["action"] == "close")
    # The first is what a try is refused with: people are still in danger.
    assert [w["code"] for w in close["waiting_for"]] == ["alarm_stands", "check_photo"]
    assert "note" not in close["needs"]  # no note makes up for an alarm that stands


def test_squads_of_the_seeded_district_are_ranked_with_reasons(town: City) -> None:
    incident_id = town.new_filed()
    ranked = steps.rank_squads(town.conn, incident_id, town.now)
    assert len(ranked) > 3
    assert ranked[0].eligible
    assert ranked[0].has_skill
    assert [r.score for r in ranked if r.eligible] == sorted(
        (r.score for r in ranked if r.eligible), reverse=True
    )
    json.dumps([asdict(r) for r in ranked])


def test_a_squads_open_incidents_are_counted(town: City) -> None:
    before = squads.find_squad(town.conn, DISTRICT, town.gas_squad).open_incidents
    town.new_on_site()
    after = squads.find_squad(town.conn, DISTRICT, town.gas_squad).open_incidents
    assert after == before + 1


def test_a_squads_position_never_moves_back_in_time(town: City) -> None:
    at = squads.find_squad(town.conn, DISTRICT, town.gas_squad).position
    assert at is not None
    later, place = town.now.replace(year=2030), (town.gas_squad, at.lon, at.lat + 0.1)
    told = SquadPlace(*place, later)
    assert squad_positions.insert_positions(town.conn, [told]) == {town.gas_squad}
    older = SquadPlace(*place, later - timedelta(seconds=1))
    assert squad_positions.insert_positions(town.conn, [older, told]) == set()
    found = squads.find_squad(town.conn, DISTRICT, town.gas_squad)
    assert (found.position, found.position_at) == (LonLat(at.lon, at.lat + 0.1), later)
    assert squad_positions.list_newest(town.conn, DISTRICT)[town.gas_squad] == told


def test_old_positions_are_forgotten_but_for_a_squads_newest(town: City) -> None:
    count = len(squad_positions.list_newest(town.conn, DISTRICT))
    places = [SquadPlace(town.gas_squad, 110.3, 20.0, town.now + timedelta(days=n + 999))
              for n in range(3)]  # fmt: skip
    squad_positions.insert_positions(town.conn, places)
    assert squad_positions.forget(town.conn, town.now + timedelta(days=9999)) == 3
    assert len(squad_positions.list_newest(town.conn, DISTRICT)) == count
    assert squad_positions.list_newest(town.conn, DISTRICT)[town.gas_squad] == places[-1]


def test_lists_are_filtered_and_paged(town: City) -> None:
    made = [
        town.new_filed(
            condition=f"gas_leak/{n}",
            lat=19.9 + n / 100,
            device_id=town.gas_device + n,
            state="normal",
        )
        for n in range(5)
    ]
    town.do(DISPATCHER, made[0], Action.CANCEL, reason="test gas")
    assert set(read_picture(town.conn, DISTRICT).cases) == set(made[1:])
    first = incidents.list_incidents(town.conn, Scope(DISTRICT), limit=3)
    rest = incidents.list_incidents(town.conn, Scope(DISTRICT), limit=3, before_id=first[-1].id)
    assert [row.id for row in first + rest] == made[::-1]
    cancelled = incidents.list_incidents(town.conn, Scope(DISTRICT), states=["cancelled"])
    assert [row.id for row in cancelled] == made[:1]
    assert incidents.list_incidents(town.conn, Scope(DISTRICT), family="street") == []
    assert incidents.list_incidents(town.conn, Scope("110101")) == []


def test_an_incident_is_found_by_every_device_whose_alarm_it_holds_and_only_once(
    town: City,
) -> None:
    opener, joiner, stranger = (device_code(town, town.gas_device + n) for n in range(3))
    shared = town.new_filed(condition="gas_leak/a")
    for again in range(2):
        neighbour = town.raise_alarm(
            f"gas_leak/b{again}", lat=20.0002, device_id=town.gas_device + 1
        )
        town.take_all()
        assert town.opened_by(neighbour) == shared
    own = town.new_filed(condition="gas_leak/c", lat=20.01, device_id=town.gas_device + 1)
    town.new_filed(condition="gas_leak/d", lat=20.02, device_id=town.gas_device + 2)

    assert listed(town, device=opener) == [shared]
    assert listed(town, device=joiner) == [own, shared]
    assert listed(town, device=joiner, limit=1) == [own]
    assert listed(town, device=joiner, limit=1, before_id=own) == [shared]
    assert listed(town, device=joiner, states=["cancelled"]) == []
    assert shared not in listed(town, device=stranger)
    assert incidents.list_incidents(town.conn, Scope("110101"), device=joiner) == []


def listed(town: City, **wanted: Any) -> list[int]:
    return [row.id for row in incidents.list_incidents(town.conn, Scope(DISTRICT), **wanted)]


def device_code(town: City, device_id: int) -> str:
    row = town.conn.execute("SELECT code FROM device WHERE id = %s", (device_id,)).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.slow
def test_five_hundred_open_incidents_are_listed_fast_enough_for_a_wall(town: City) -> None:
    for n in range(500):
        town.raise_alarm(
            f"gas_leak/{n}",
            lat=19.5 + n / 500,
            device_id=town.gas_device,
            state="normal",
            category="05-02" if n % 2 else "0149",
        )
    town.conn.execute("UPDATE alarm SET device_id = NULL")
    town.conn.commit()
    while steps.take_alarm_change(town.conn, town.now):
        town.conn.commit()
    picture = read_picture(town.conn, DISTRICT)
    started = time.perf_counter()
    rows = shown.incidents(picture)
    took = time.perf_counter() - started
    assert len(rows) == 500
    assert all(row.clock == "dispatch" for row in rows)
    assert took < 0.25, f"{took * 1000:.0f} ms"
