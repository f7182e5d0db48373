"""Run cards in the life of a case: which version holds, what blocks a step, who went instead."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import Action, IncidentState
from city.requests import ChecklistRequest
from city.roster import Duty
from db import events, rosters, run_cards
from dispatch import steps
from replay.on_duty import read_duty
from tests.integration.dispatch.town import CHECKER, DISPATCHER, DISTRICT, City, caller
from tests.unit.city.test_run_card import GAS

START = END = time(0)  # round the clock
GOOD = {"o2_pct_vol": 20.9, "ch4_pct_lel": 2.0}


def case_on_site(town: City) -> int:
    alarm = town.raise_alarm()
    town.take_all()
    incident = town.opened_by(alarm)
    town.do(DISPATCHER, incident, Action.DISPATCH, squad=town.gas_squad, note="nearest")
    town.later(minutes=1)
    town.do(town.leader, incident, Action.ACKNOWLEDGE)
    town.do(town.leader, incident, Action.ARRIVE)
    return incident


def answer(
    town: City, incident: int, who: Any = None, step: str = "measured", **found: Any
) -> None:
    version = town.incident(incident).version
    request = ChecklistRequest(step, version, found.get("measured", {}), found.get("note", ""))
    steps.answer_step(town.conn, who or town.leader, incident, request, town.now)


def shown(town: City, incident: int) -> dict[str, Any]:
    return steps.view(town.conn, town.leader, incident, town.now).as_dict()


def test_nobody_reports_the_work_done_before_the_gas_was_measured(town: City) -> None:
    run_cards.put_in_force(town.conn, DISTRICT, {"gas-leak": GAS}, town.now)
    incident = case_on_site(town)
    town.add(town.leader, incident, "photo_after")
    with pytest.raises(Conflict, match="Oxygen and gas measured before entry"):
        town.do(town.leader, incident, Action.HANDLE, note="valve closed")
    waiting = {step["action"]: step for step in shown(town, incident)["waiting"]}
    assert waiting["handle"]["waiting_for"][0]["code"] == "run_card"
    answer(town, incident, measured={**GOOD, "o2_pct_vol": 17.0}, note="cellar")
    with pytest.raises(Conflict, match="Oxygen and gas"):
        town.do(town.leader, incident, Action.HANDLE, note="valve closed")
    town.later(minutes=5)
    answer(town, incident, measured=GOOD, note="aired")
    done = town.do(town.leader, incident, Action.HANDLE, note="valve closed")
    assert done.state is IncidentState.HANDLED
    told = events.list_newest(town.conn, f"incident:{incident}", kind="incident.step_answered")
    assert [(e.payload["passed"], e.payload["measured"]["o2_pct_vol"]) for e in told] == [
        (True, 20.9),
        (False, 17.0),
    ]
    step = shown(town, incident)["card"]["steps"][0]
    assert (step["passed"], step["answer"]["note"], step["answer"]["answered_by"]) == (
        True,
        "aired",
        "chen",
    )


def test_what_was_measured_before_a_rework_is_not_now(town: City) -> None:
    run_cards.put_in_force(town.conn, DISTRICT, {"gas-leak": GAS}, town.now)
    incident = case_on_site(town)
    answer(town, incident, measured=GOOD)
    town.add(town.leader, incident, "photo_after")
    town.do(town.leader, incident, Action.HANDLE, note="done")
    town.later(minutes=5)
    town.do(CHECKER, incident, Action.CHECK)
    town.do(CHECKER, incident, Action.REWORK, reason="it still smells")
    town.later(minutes=5)
    assert shown(town, incident)["card"]["steps"][0]["answer"] is None


def test_a_case_keeps_the_card_of_the_time_it_opened(town: City) -> None:
    run_cards.put_in_force(town.conn, DISTRICT, {"gas-leak": GAS}, town.now)
    town.later(minutes=1)
    incident = case_on_site(town)
    town.later(minutes=1)
    changed = GAS.replace("before entry", "twice")
    run_cards.put_in_force(town.conn, DISTRICT, {"gas-leak": changed}, town.now)
    card = shown(town, incident)["card"]
    assert (card["version"], card["steps"][0]["text_en"]) == (
        1,
        "Oxygen and gas measured before entry",
    )
    newest = run_cards.list_in_force(town.conn, DISTRICT, town.now)
    assert ("gas-leak", 2) in [(one.code, one.version) for one in newest]
    run_cards.end(town.conn, DISTRICT, ["gas-leak"], town.now)
    assert "gas-leak" not in run_cards.list_texts(town.conn, DISTRICT)
    assert shown(town, incident)["card"]["version"] == 1


def test_who_may_answer_and_what(town: City) -> None:
    run_cards.put_in_force(town.conn, DISTRICT, {"gas-leak": GAS}, town.now)
    incident = case_on_site(town)
    with pytest.raises(Forbidden, match="may not answer"):
        answer(town, incident, CHECKER, measured=GOOD)
    stranger = caller("ma", town.leader.role, "SQ-01")
    with pytest.raises(Forbidden, match="is not with squad"):
        answer(town, incident, stranger, measured=GOOD)
    with pytest.raises(InvalidInput, match="step: is no step"):
        answer(town, incident, step="dance")
    with pytest.raises(InvalidInput, match=r"measured.ch4_pct_lel: is missing"):
        answer(town, incident, measured={"o2_pct_vol": 20.0})
    stale = ChecklistRequest("measured", 1, GOOD)
    with pytest.raises(Conflict, match="changed meanwhile"):
        steps.answer_step(town.conn, town.leader, incident, stale, town.now)


def test_what_a_phone_found_without_signal_has_its_own_time_and_not_that_of_an_earlier_round(
    town: City,
) -> None:
    run_cards.put_in_force(town.conn, DISTRICT, {"gas-leak": GAS}, town.now)
    incident = case_on_site(town)
    found_at = town.later(minutes=3)
    town.later(minutes=40)

    def send(who: Any = None) -> None:
        version = town.incident(incident).version
        request = ChecklistRequest("measured", version, GOOD, acted_at=found_at)
        steps.answer_step(town.conn, who or town.leader, incident, request, town.now, town.now)

    with pytest.raises(InvalidInput, match="acted_at"):
        send(DISPATCHER)
    send()
    answered = shown(town, incident)["card"]["steps"][0]["answer"]
    assert answered["answered_at"] == found_at.isoformat()
    (told,) = events.list_newest(town.conn, f"incident:{incident}", kind="incident.step_answered")
    assert (told.at, told.payload["acted_at"]) == (town.now, found_at.isoformat())
    town.add(town.leader, incident, "photo_after")
    town.do(town.leader, incident, Action.HANDLE, note="done")
    town.do(CHECKER, incident, Action.CHECK)
    town.later(minutes=5)
    town.do(CHECKER, incident, Action.REWORK, reason="it still smells")
    with pytest.raises(Conflict, match="before the squad was sent last") as refused:
        send()
    assert refused.value.current["refused"] == "found_before"


def test_another_squad_than_the_recommended_one_is_told_with_its_reason(town: City) -> None:
    alarm = town.raise_alarm()
    town.take_all()
    incident = town.opened_by(alarm)
    ranked = steps.rank_squads(town.conn, incident, town.now)
    fit = [one.squad for one in ranked if one.eligible]
    assert len(fit) > 1
    town.do(DISPATCHER, incident, Action.DISPATCH, squad=fit[1], note="has the long ladder")
    (told,) = events.list_newest(town.conn, f"incident:{incident}", kind="incident.dispatched")
    assert (told.payload["instead_of"], told.payload["note"]) == (fit[0], "has the long ladder")
    assert "reason_missing" not in told.payload


def test_a_script_that_gives_no_reason_for_another_squad_is_told_to_have_given_none(
    town: City,
) -> None:
    def sent(lat: float, rank: int) -> dict[str, Any]:
        device = town.gas_device + rank
        incident = town.new_filed(condition=f"test/{lat}", lat=lat, device_id=device)
        ranked = steps.rank_squads(town.conn, incident, town.now)
        fit = [one.squad for one in ranked if one.eligible]
        town.do(DISPATCHER, incident, Action.DISPATCH, squad=fit[rank])
        (told,) = events.list_newest(town.conn, f"incident:{incident}", kind="incident.dispatched")
        return told.payload

    assert sent(20.01, 1)["reason_missing"] is True
    first = sent(20.02, 0)
    assert not {"instead_of", "reason_missing"} & first.keys()


# Who was on duty


def test_who_was_on_duty_is_answered_by_what_was_entered_then(town: City) -> None:
    squad, zone = town.gas_squad, ZoneInfo("Asia/Shanghai")
    week = "1,2,3,4,5,6,7"

    def enter(person: str) -> datetime:
        """Written as the city's folder writes it, and told to the log."""
        rosters.replace_roster(town.conn, squad, [Duty(week, START, END, person, "138")])
        at = datetime.now(UTC)
        events.append_waiting(town.conn, at)
        return at

    first = enter("wu")
    second = enter("li")

    def person_at(at: datetime) -> str:
        found = read_duty(town.conn, DISTRICT, at, second + timedelta(hours=1), zone)
        return next(one.person for one in found.items if one.squad == squad)

    assert person_at(first) == "wu"
    assert person_at(second) == "li"
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    assert read_duty(town.conn, DISTRICT, long_ago, second, zone).seq == 0
    coming = read_duty(town.conn, DISTRICT, second + timedelta(days=9), second, zone)
    assert [one.person for one in coming.items if one.squad == squad] == ["li"]
