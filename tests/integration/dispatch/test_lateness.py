"""Lateness stays where it arose: attempts of squads, merges and their undoing, and the figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from city.clock import Deadline
from city.errors import Conflict, Forbidden
from city.event import NewEvent
from city.incident import Action, IncidentState, Role
from city.requests import ActionRequest
from city.scope import Scope, Within
from db import deadlines, kpi
from db.events import append_events
from dispatch import steps
from dispatch.merging import ROAD
from tests.integration.dispatch.kpi_by_hand import figures_of_log
from tests.integration.dispatch.town import CHECKER, CHIEF, DISPATCHER, DISTRICT, START, City

COVER = "0123"
HOUR = timedelta(hours=1)
DAY_AFTER = START + timedelta(days=1)


def board(town: City, by: str, end: datetime | None = None) -> dict[str, kpi.KpiRow]:
    rows = kpi.list_kpi(town.conn, Scope(DISTRICT), START - HOUR, end or town.now + HOUR, by)
    return {row.key: row for row in rows}


def handling(town: City, incident_id: int) -> list[Deadline]:
    rows = deadlines.list_deadlines(town.conn, incident_id)
    return [row for row in rows if row.clock == "handle"]


def other_squad(town: City) -> str:
    row = town.conn.execute(
        "SELECT code FROM squad WHERE code <> %s AND active ORDER BY code LIMIT 1",
        (town.gas_squad,),
    ).fetchone()
    assert row is not None
    return str(row[0])


def finish(town: City, incident_id: int, squad: str) -> None:
    """The squad is sent, works, and somebody closes the case."""
    leader = town.leader if squad == town.gas_squad else DISPATCHER
    town.do(DISPATCHER, incident_id, Action.DISPATCH, squad=squad, note="yours")
    work(town, incident_id, leader)


def work(town: City, incident_id: int, leader: Any) -> None:
    found = town.incident(incident_id)
    if found.state is IncidentState.DISPATCHED:
        town.do(leader, incident_id, Action.ACKNOWLEDGE)
    town.do(leader, incident_id, Action.ARRIVE)
    town.add(leader, incident_id, "photo_after")
    town.do(leader, incident_id, Action.HANDLE, note="done")
    town.do(CHECKER, incident_id, Action.CHECK)
    town.add(CHECKER, incident_id, "check_photo")
    town.do(CHECKER, incident_id, Action.CLOSE)


def cover(town: City, **alarm: Any) -> int:
    """A case of a cover whose alarm is over."""
    wanted = {"condition": "cover/1", "category": COVER, "state": "normal", **alarm}
    return town.new_filed(**wanted)


def test_an_overdue_squad_that_gives_back_keeps_its_missed_attempt(town: City) -> None:
    case = cover(town)
    town.do(DISPATCHER, case, Action.DISPATCH, squad=town.gas_squad, note="go")
    town.later(hours=3)  # two hours were allowed
    town.do(town.leader, case, Action.RETURN_BACK, reason="not ours")
    finish(town, case, other_squad(town))
    squads = board(town, "squad")
    late, good = squads[town.gas_squad], squads[other_squad(town)]
    assert (late.due_to_handle, late.handled, late.returned, late.returned_late) == (1, 0, 1, 1)
    assert (good.due_to_handle, good.handled_in_time, good.returned) == (1, 1, 0)
    whole = board(town, "district")[DISTRICT]
    assert (whole.due_to_handle, whole.handled_in_time) == (2, 1)
    assert (whole.closed, whole.closed_in_time) == (1, 0), "a clock of it ran out"
    seen = steps.view(town.conn, DISPATCHER, case, town.now).as_dict()["attempts"]
    assert [(a["end"], a["missed"]) for a in seen] == [("return_back", True), ("handled", False)]
    for attempt in seen:
        together = attempt["used_minutes"] + attempt["remaining_minutes"]
        assert together == pytest.approx(attempt["limit_minutes"])


def test_a_squad_that_gives_back_in_time_missed_nothing(town: City) -> None:
    case = cover(town)
    town.do(DISPATCHER, case, Action.DISPATCH, squad=town.gas_squad, note="go")
    town.later(minutes=30)
    town.do(town.leader, case, Action.RETURN_BACK, reason="not ours")
    row = board(town, "squad", town.later(days=3))[town.gas_squad]
    assert (row.due_to_handle, row.returned, row.returned_late) == (0, 1, 0)


def test_a_squad_gets_no_new_time_by_way_of_another_one(town: City) -> None:
    case, other = cover(town), other_squad(town)
    for squad, minutes in ((town.gas_squad, 90), (other, 10)):
        town.do(DISPATCHER, case, Action.DISPATCH, squad=squad, note="go")
        town.later(minutes=minutes)
        town.do(DISPATCHER, case, Action.RETURN_BACK, reason="to and fro")
    town.do(DISPATCHER, case, Action.DISPATCH, squad=town.gas_squad, note="again")
    assert handling(town, case)[-1].due_at == town.now + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("action", "more"),
    [
        (Action.RETURN_BACK, {}),
        (Action.POSTPONE, {}),
        (Action.SUSPEND, {"until": START + timedelta(days=3)}),
    ],
)
def test_time_is_not_had_without_the_duty_chief(
    town: City, action: Action, more: dict[str, Any]
) -> None:
    case = cover(town)
    town.do(DISPATCHER, case, Action.DISPATCH, squad=town.gas_squad, note="go")
    request = ActionRequest(action, town.incident(case).version, reason="parts", **more)
    for who in (town.leader, DISPATCHER):
        with pytest.raises(Forbidden, match="duty chief"):
            steps.act(town.conn, who, case, request, town.now)
        waiting = steps.waits_for_duty_chief(town.conn, who, case, request, town.now)
        assert waiting is not None
        assert waiting.id == case
    done = steps.act_approved(town.conn, town.leader, case, request, CHIEF.name, town.now)
    append_events(town.conn, done)
    told = [e for e in done if e.payload.get("action") == action]
    assert [(e.actor, e.payload["approved_by"]) for e in told] == [("chen", "gao")]
    if action is Action.SUSPEND:
        assert deadlines.list_pauses(town.conn, case)[0].approved_by == "gao"


def test_a_merge_carries_the_earlier_clock_and_its_undoing_restores_both(town: City) -> None:
    old = cover(town)
    town.do(DISPATCHER, old, Action.DISPATCH, squad=town.gas_squad, note="go")
    town.later(minutes=80)
    new = cover(town, condition="cover/2", device_id=town.gas_device + 1, lat=20.1)
    town.do(DISPATCHER, new, Action.DISPATCH, squad=other_squad(town), note="go")
    (first,), (second,) = handling(town, old), handling(town, new)
    merged = town.do(DISPATCHER, old, Action.MERGE, into=new, reason="one cover")
    (carried,) = handling(town, new)
    assert (carried.due_at, carried.started_at) == (first.due_at, first.started_at)
    assert merged.state is IncidentState.MERGED
    town.later(minutes=20)
    back = town.do(DISPATCHER, old, Action.UNMERGE, reason="two covers after all")
    assert (back.state, back.squad, back.merged_into) == (
        IncidentState.DISPATCHED, town.gas_squad, None,
    )  # fmt: skip
    assert handling(town, old) == [first]
    assert handling(town, new) == [second]
    live = town.conn.execute(
        "SELECT incident_id FROM assignment WHERE ended_at IS NULL ORDER BY 1"
    ).fetchall()
    assert live == [(old,), (new,)]
    assert board(town, "district") == {DISTRICT: figures_of_log(town.conn)}


def test_who_was_late_by_a_carried_clock_only_is_excused_when_the_merge_is_taken_back(
    town: City,
) -> None:
    old = cover(town)
    town.do(DISPATCHER, old, Action.DISPATCH, squad=town.gas_squad, note="go")
    town.later(minutes=110)
    new = cover(town, condition="cover/2", device_id=town.gas_device + 1, lat=20.1)
    town.do(DISPATCHER, new, Action.DISPATCH, squad=other_squad(town), note="go")
    town.do(DISPATCHER, old, Action.MERGE, into=new, reason="one cover")
    town.later(minutes=20)
    assert steps.tick_deadlines(town.conn, town.now) == 1
    assert board(town, "squad")[other_squad(town)].due_to_handle == 1
    town.do(DISPATCHER, old, Action.UNMERGE, reason="two covers after all")
    while steps.tick_deadlines(town.conn, town.now):
        pass
    squads = board(town, "squad")
    assert other_squad(town) not in squads or squads[other_squad(town)].due_to_handle == 0
    assert squads[town.gas_squad].due_to_handle == 1, "its clock ran on as if nothing had been"


def test_the_lateness_of_a_merged_case_stays_in_the_figures(town: City) -> None:
    late = cover(town)
    town.do(DISPATCHER, late, Action.DISPATCH, squad=town.gas_squad, note="go")
    town.later(hours=3)
    fresh = cover(town, condition="cover/2", device_id=town.gas_device + 1, lat=20.1)
    town.do(DISPATCHER, fresh, Action.DISPATCH, squad=other_squad(town), note="go")
    town.do(DISPATCHER, late, Action.MERGE, into=fresh, reason="one cover")
    town.later(seconds=1)
    assert steps.tick_deadlines(town.conn, town.now) == 1
    squads = board(town, "squad")
    assert squads[town.gas_squad].due_to_handle == 1
    assert squads[other_squad(town)].due_to_handle == 1, "it goes on with the older clock"
    work(town, fresh, DISPATCHER)
    assert board(town, "district")[DISTRICT].closed_in_time == 0


def test_a_merge_of_a_merge_is_taken_back_from_its_end(town: City) -> None:
    cases = [
        cover(town, condition=f"cover/{n}", device_id=town.gas_device + n, lat=20 + n / 10)
        for n in range(3)
    ]
    town.do(DISPATCHER, cases[0], Action.MERGE, into=cases[1], reason="same")
    town.do(DISPATCHER, cases[1], Action.MERGE, into=cases[2], reason="same")
    with pytest.raises(Conflict, match="take that back first"):
        town.do(DISPATCHER, cases[0], Action.UNMERGE, reason="not the same")
    town.do(DISPATCHER, cases[1], Action.UNMERGE, reason="not the same")
    town.do(DISPATCHER, cases[0], Action.UNMERGE, reason="not the same")
    assert {town.incident(case).state for case in cases} == {IncidentState.FILED}


def test_the_past_is_the_same_after_a_reopening_a_cancellation_and_a_longer_limit(
    town: City,
) -> None:
    closed, late = cover(town), cover(town, condition="cover/2", device_id=town.gas_device + 1)
    finish(town, closed, town.gas_squad)
    town.do(DISPATCHER, late, Action.DISPATCH, squad=other_squad(town), note="go")
    town.later(hours=5)
    while steps.tick_deadlines(town.conn, town.now):
        pass
    end = town.now
    before = {by: board(town, by, end) for by in kpi.GROUPINGS}
    assert before["district"][DISTRICT].due_to_handle == 2
    town.later(days=2)
    town.do(CHIEF, closed, Action.REOPEN, reason="it is broken again")
    town.do(DISPATCHER, late, Action.CANCEL, reason="nothing there")
    town.conn.execute("UPDATE incident_category SET handle_limit = 99 WHERE code = %s", (COVER,))
    assert {by: board(town, by, end) for by in kpi.GROUPINGS} == before
    assert board(town, "district")[DISTRICT].closed == 0, "by now it is open"


def test_a_period_that_ends_later_misses_nothing_before_it_is_due(town: City) -> None:
    case = cover(town)
    town.do(DISPATCHER, case, Action.DISPATCH, squad=town.gas_squad, note="go")
    row = board(town, "district", town.now + timedelta(days=30))[DISTRICT]
    assert (row.due_to_handle, row.due_to_close) == (0, 0)


def test_an_edited_fact_is_refused(town: City) -> None:
    cover(town)
    with pytest.raises(Exception, match="does not change"), town.conn.transaction():
        town.conn.execute("UPDATE case_fact SET late = false")


def test_every_open_state_has_its_place_on_the_road() -> None:
    assert set(ROAD) | {IncidentState.SUSPENDED} == {
        state for state in IncidentState
        if state not in (IncidentState.CLOSED, IncidentState.REJECTED, IncidentState.CANCELLED,
                         IncidentState.MERGED)
    }  # fmt: skip


def test_a_published_period_stands_until_it_is_restated(town: City) -> None:
    case = cover(town)
    finish(town, case, town.gas_squad)
    town.now = datetime.fromisoformat("2026-08-01T00:09:00+08:00")
    assert steps.publish_due(town.conn, town.now) == 0, "the last minutes are still being said"
    town.later(minutes=2)
    assert steps.publish_due(town.conn, town.now) == 1
    assert steps.publish_due(town.conn, town.now) == 0
    with pytest.raises(Conflict, match="restate it"):
        steps.publish(town.conn, CHIEF, "2026-07", town.now)
    with pytest.raises(Conflict, match="what edition 1 says"):
        steps.restate(town.conn, CHIEF, "2026-07", "to be sure", town.now)
    with pytest.raises(Forbidden, match="admin, leader"):
        steps.restate(town.conn, DISPATCHER, "2026-07", "better so", town.now)
    part = replace(CHIEF, within=Within(("府城街道",), frozenset({"460107001"})))
    with pytest.raises(Forbidden, match="not of 府城街道"):
        steps.publish(town.conn, part, "2026-07", town.now)
    # A case that the log learns of after the month.
    found = town.incident(case)
    late = NewEvent(START, DISTRICT, "incident.filed", f"incident:{case}", "li", {"role": "x"})
    append_events(town.conn, [late])
    second = steps.restate(town.conn, CHIEF, "2026-07", "one was filed twice", town.now)
    assert (second.edition, second.reason, second.published_by) == (2, "one was filed twice", "gao")
    assert second.rows("district")[0].filed == 2
    told = town.conn.execute(
        "SELECT payload -> 'changed' FROM event WHERE kind = 'kpi.restated'"
    ).fetchone()
    assert told == ({"filed": [1, 2]},)
    assert found.state is IncidentState.CLOSED
    with pytest.raises(Exception, match="restate them"), town.conn.transaction():
        town.conn.execute("UPDATE kpi_publication SET reason = ''")
    assert CHIEF.role is Role.LEADER
