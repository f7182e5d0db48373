"""The life of an incident, pair by pair: what is in the table can be done, nothing else can."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product

import pytest

from city.alarm import AlarmChangeKind, IncidentAlarm
from city.category import Category
from city.clock import ClockKind, Deadline
from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import FINAL_STATES, Action, Incident, IncidentState, Merge, Role, Source
from city.person import Caller
from city.requests import ActionRequest
from city.squad import Shift, Squad
from dispatch.changes import changed
from dispatch.diagram import render_mermaid, render_table
from dispatch.gas import GasStanding
from dispatch.guard import Facts, admit, admit_asking
from dispatch.machine import EVENT_KINDS, TABLE, Need, Same, actions_of, target
from dispatch.recall import AT_WORK, RECALLS
from dispatch.steps.alarms import NOTED, OPENING

NOW = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)
PAIRS = list(product(IncidentState, Action))

CATEGORY = Category(
    code="05-02",
    version=1,
    code_system="test",
    class_="event",
    family="gas",
    name_zh="燃气泄漏",
    name_en="Gas leak",
    filing_condition_zh="",
    filing_condition_en="",
    handle_limit=1,
    handle_unit="urgent_hour",
    severity=1,
    skill="gas",
    closing_evidence=["photo_after", "check_photo", "gas_release"],
    gas_free_minutes=30,
    source="test",
    valid_from=date(2025, 1, 1),
)
ALWAYS = Shift(frozenset(range(1, 8)), time(0), time(0))
SQUAD = Squad(
    code="G1",
    district="460107",
    name_zh="燃气队",
    name_en="Gas squad",
    kind="gas",
    skills=frozenset({"gas"}),
    duty_grids=frozenset(),
    shifts=(ALWAYS,),
    position=None,
    position_at=None,
    open_incidents=0,
)


def an_incident(state: IncidentState) -> Incident:
    return Incident(
        id=1,
        number="4601072026071500001",
        district="460107",
        condition="gas/1",
        category="05-02",
        category_version=1,
        source=Source.SENSOR,
        state=state,
        severity=2,
        title_zh="",
        title_en="",
        description="",
        lon=110.3,
        lat=20.0,
        unit_grid=None,
        street=None,
        community=None,
        device_id=None,
        opened_at=NOW,
        reported_by="system",
        squad="G1",
        handled_by="chen",
        version=5,
        resume_state="on_site" if state is IncidentState.SUSPENDED else None,
    )


HANDLING = Deadline(
    id=1,
    district="460107",
    incident_id=1,
    clock="handle",
    attempt=1,
    started_at=NOW,
    limit_amount=1,
    limit_unit="urgent_hour",
    calendar="CN",
    calendar_version=1,
    due_at=NOW + timedelta(hours=1),
    beyond_calendar=False,
    counted=[],
    warn_at=NOW + timedelta(minutes=48),
)
FREE = GasStanding(needed=True, quiet=True, released=True, free=True, reason="gas_free")
GOOD = Facts(
    category=CATEGORY,
    deadlines=[HANDLING],
    pauses=[],
    evidence=frozenset({"photo_after", "check_photo"}),
    gas=FREE,
    standing=[],
    loud=[],
    latched=[],
    local_now=NOW,
    squad=SQUAD,
    target=replace(an_incident(IncidentState.ON_SITE), id=2),
    merge=Merge(1, 1, 2, NOW, [], [], [], 2),
    merge_target=replace(an_incident(IncidentState.CLOSED), id=2),
    target_needs_release=True,
    new_category=CATEGORY,
)


CHIEF = "gao"


def full_request(action: Action) -> ActionRequest:
    return ActionRequest(
        action=action,
        version=5,
        note="n",
        squad="G1",
        category="05-02",
        reason="r",
        until=NOW + timedelta(days=1),
        into=2,
    )


def someone(role: Role) -> Caller:
    return Caller("zhao", role, "460107", "G1" if role is Role.SQUAD_LEADER else None)


@pytest.mark.parametrize(("state", "action"), PAIRS)
def test_every_pair_is_done_or_refused_as_the_table_says(
    state: IncidentState, action: Action
) -> None:
    step = TABLE.get((state, action))
    incident = an_incident(state)
    for role in Role:
        caller = someone(role)
        if step is None:
            with pytest.raises(Conflict) as refused:
                admit(incident, caller, full_request(action), GOOD, NOW)
            assert refused.value.current["state"] == state.value
            assert set(refused.value.allowed) == {a.value for a in actions_of(state, role)}
        elif role not in step.roles:
            with pytest.raises(Forbidden):
                admit(incident, caller, full_request(action), GOOD, NOW)
        else:
            assert admit(incident, caller, full_request(action), GOOD, NOW, CHIEF) is step
            to = target(step, state, IncidentState.ON_SITE)
            after = changed(incident, to, caller, full_request(action), NOW)
            assert after.state is to


@pytest.mark.parametrize(("state", "action"), list(TABLE))
def test_every_field_a_step_needs_is_asked_for_by_name(
    state: IncidentState, action: Action
) -> None:
    step = TABLE[state, action]
    caller = someone(min(step.roles))
    for need in step.fields:
        empty = "" if need in (Need.NOTE, Need.REASON) else None
        request = replace(full_request(action), **{need.value: empty})
        with pytest.raises(InvalidInput) as refused:
            admit(an_incident(state), caller, request, GOOD, NOW)
        assert refused.value.field == need.value


RED_ALARM = IncidentAlarm(
    id=1,
    condition="gas/1",
    rule_code="gas-lel",
    severity=1,
    state="acknowledged",
    reason={},
    sensed_at=NOW,
    raised_at=NOW,
    cleared_at=None,
    ended_at=None,
    shelved_until=None,
    device_id=1,
    device_code="GAS-1",
    report_interval_s=60,
    metric_id=1,
    comparison="at_or_above",
    clear_limit=None,
    clearing=False,
    release_role="gas_engineer",
    releasable_at=None,
)

BAD_FACTS: dict[Need, tuple[Facts, type[Exception]]] = {
    Need.PHOTO_AFTER: (replace(GOOD, evidence=frozenset()), InvalidInput),
    Need.EVIDENCE: (replace(GOOD, evidence=frozenset({"photo_after"})), InvalidInput),
    Need.GAS_CASE: (replace(GOOD, gas=replace(FREE, needed=False)), Conflict),
    Need.GAS_QUIET: (
        replace(GOOD, gas=replace(FREE, quiet=False, reason="alarm_stands")),
        Conflict,
    ),
    Need.GAS_FREE: (
        replace(GOOD, gas=replace(FREE, free=False, reason="release_missing")),
        Conflict,
    ),
    Need.ALARM_RELEASED: (
        replace(GOOD, latched=[replace(RED_ALARM, state="latched_acknowledged")]),
        Conflict,
    ),
    Need.NO_RED_ALARM: (replace(GOOD, loud=[RED_ALARM]), Conflict),
    Need.NOT_OVERDUE: (replace(GOOD, local_now=NOW + timedelta(hours=2)), Conflict),
    Need.NO_TWIN: (replace(GOOD, twin=9), Conflict),
}


@pytest.mark.parametrize("need", list(BAD_FACTS))
def test_every_fact_a_step_needs_is_checked(need: Need) -> None:
    facts, error = BAD_FACTS[need]
    tried = 0
    for (state, action), step in TABLE.items():
        if need in step.needs:
            tried += 1
            caller = someone(min(step.roles))
            with pytest.raises(error):
                admit(an_incident(state), caller, full_request(action), facts, NOW)
    assert tried


def test_the_handler_and_the_handlers_squad_do_not_check() -> None:
    incident = an_incident(IncidentState.HANDLED)
    request = full_request(Action.CHECK)
    with pytest.raises(Forbidden, match="own work"):
        admit(incident, Caller("chen", Role.CHECKER, "460107"), request, GOOD, NOW)
    with pytest.raises(Forbidden, match="squad G1"):
        admit(incident, Caller("zhao", Role.CHECKER, "460107", "G1"), request, GOOD, NOW)


@pytest.mark.parametrize(
    ("state", "action"),
    [(s, a) for (s, a) in TABLE if a in (Action.CLOSE, Action.CANCEL, Action.REJECT)],
)
def test_what_ends_a_case_is_refused_while_an_alarm_is_loud_and_names_each(
    state: IncidentState, action: Action
) -> None:
    loud = [an_alarm("MH-1", "cover"), an_alarm(None, "cover/MH-2")]
    facts = replace(GOOD, standing=loud, loud=loud)
    with pytest.raises(Conflict, match=r"MH-1 .* cover/MH-2 .*still stand") as refused:
        admit(an_incident(state), someone(Role.ADMIN), full_request(action), facts, NOW)
    assert [a["device"] for a in refused.value.current["alarms"]] == ["MH-1", None]
    muted = replace(GOOD, standing=loud)
    assert admit(an_incident(state), someone(Role.ADMIN), full_request(action), muted, NOW)
    clearing = [replace(alarm, clearing=True) for alarm in loud]
    facts = replace(GOOD, standing=clearing, loud=clearing)
    assert admit(an_incident(state), someone(Role.ADMIN), full_request(action), facts, NOW)


def test_a_latched_alarm_holds_its_case_open_and_says_who_releases_it_from_when_on() -> None:
    gas = replace(RED_ALARM, state="latched_acknowledged", releasable_at=NOW)
    cover = replace(an_alarm(None, "cover/MH-2"), release_role="dispatcher", rule_code="c")
    facts = replace(GOOD, latched=[gas, cover])
    with pytest.raises(Conflict) as refused:
        admit(
            an_incident(IncidentState.CHECKING),
            someone(Role.CHECKER),
            full_request(Action.CLOSE),
            facts,
            NOW,
        )
    said = str(refused.value)
    assert "GAS-1 (gas-lel) has to be released by a gas engineer" in said
    assert f"from {NOW.isoformat(timespec='seconds')} on" in said
    assert "cover/MH-2 (c) has to be released by a dispatcher" in said
    assert refused.value.current["refused"] == "alarm_latched"
    assert [a["release_role"] for a in refused.value.current["alarms"]] == [
        "gas_engineer",
        "dispatcher",
    ]


def test_every_change_of_an_alarm_sends_somebody_or_is_only_noted() -> None:
    assert set(AlarmChangeKind) == OPENING | NOTED
    assert not OPENING & NOTED


def test_an_alarm_wakes_every_open_case_where_nobody_is_at_work() -> None:
    for state in IncidentState:
        assert (state in AT_WORK) + (state in RECALLS) + (state in FINAL_STATES) == 1
    for state, action in RECALLS.items():
        step = TABLE[state, action]
        assert Role.SYSTEM in step.roles
        assert target(step, state, IncidentState.ON_SITE) in AT_WORK
    for state in AT_WORK - {IncidentState.FILED}:
        assert Role.SYSTEM in TABLE[state, Action.RETURN_BACK].roles  # the squad has gone home


def an_alarm(device: str | None, condition: str) -> IncidentAlarm:
    return replace(RED_ALARM, condition=condition, device_code=device, severity=2)


@pytest.mark.parametrize(
    ("muted_for", "is_loud"), [(None, True), (-1, True), (0, True), (1, False)]
)
def test_a_muted_alarm_is_not_loud_until_its_time_is_over(
    muted_for: int | None, is_loud: bool
) -> None:
    until = None if muted_for is None else NOW + timedelta(seconds=muted_for)
    assert replace(an_alarm("MH-1", "cover"), shelved_until=until).is_loud(NOW) is is_loud
    assert not replace(an_alarm("MH-1", "cover"), state="normal").is_loud(NOW)


def test_a_stale_version_is_refused_before_anything_else() -> None:
    stale = replace(full_request(Action.CLOSE), version=4)
    with pytest.raises(Conflict, match="version 5") as refused:
        admit(an_incident(IncidentState.CHECKING), someone(Role.VIEWER), stale, GOOD, NOW)
    assert refused.value.current["version"] == 5


def test_a_final_state_is_left_only_by_reopening_or_by_taking_a_merge_back() -> None:
    for (state, action), step in TABLE.items():
        if state in FINAL_STATES and action not in (Action.REOPEN, Action.UNMERGE):
            assert step.to is Same.STATE


def test_every_state_can_be_reached_and_left_towards_an_end() -> None:
    edges: dict[IncidentState, set[IncidentState]] = {state: set() for state in IncidentState}
    for (state, action), step in TABLE.items():
        if action is not Action.REOPEN:
            edges[state].add(target(step, state, IncidentState.ON_SITE))
    start = {IncidentState.REPORTED}
    assert reachable(start, edges) == set(IncidentState)
    for state in IncidentState:
        assert reachable({state}, edges) & FINAL_STATES


def reachable(
    start: set[IncidentState], edges: dict[IncidentState, set[IncidentState]]
) -> set[IncidentState]:
    seen = set(start)
    while more := {to for state in seen for to in edges[state]} - seen:
        seen |= more
    return seen


def test_clocks_start_where_a_person_has_to_act_and_are_met_by_that_act() -> None:
    met_by = {kind: set() for kind in ClockKind}
    started_by = {kind: set() for kind in ClockKind}
    for (_, action), step in TABLE.items():
        for kind in step.clocks.met:
            met_by[kind].add(action)
        for kind in step.clocks.start:
            started_by[kind].add(action)
    assert met_by[ClockKind.FILE] == {Action.FILE, Action.VERIFY}
    assert met_by[ClockKind.VERIFY] == {Action.FILE}
    assert met_by[ClockKind.DISPATCH] == {Action.DISPATCH}
    assert met_by[ClockKind.ACKNOWLEDGE] == {Action.ACKNOWLEDGE}
    assert met_by[ClockKind.HANDLE] == {Action.HANDLE}
    assert met_by[ClockKind.CHECK] == {Action.CLOSE, Action.REWORK}
    assert started_by[ClockKind.HANDLE] == {Action.DISPATCH, Action.REWORK}


def test_every_action_is_in_the_table_and_has_a_word_in_the_log() -> None:
    assert {action for _, action in TABLE} == set(Action) == set(EVENT_KINDS)
    assert len(set(EVENT_KINDS.values())) == len(EVENT_KINDS)


def test_the_picture_shows_every_step() -> None:
    picture = render_mermaid()
    assert picture.startswith("stateDiagram-v2\n")
    table = render_table()
    for (state, action), step in TABLE.items():
        assert f"| {state.value} | {action.value} |" in table
        if action is not Action.COMMENT and not isinstance(step.to, Same):
            assert any(
                line.startswith(f"    {state.value} --> {step.to.value}: ") and action.value in line
                for line in picture.splitlines()
            )


CHIEFS_CONSENT = [pair for pair, step in TABLE.items() if Need.DUTY_CHIEF in step.needs]


@pytest.mark.parametrize(("state", "action"), CHIEFS_CONSENT)
def test_what_a_duty_chief_lets_happen_is_done_by_nobody_alone(
    state: IncidentState, action: Action
) -> None:
    incident, request = an_incident(state), full_request(action)
    assert action in (Action.RETURN_BACK, Action.POSTPONE, Action.SUSPEND)
    for role in TABLE[state, action].roles - {Role.SYSTEM}:
        caller = someone(role)
        for approved_by in ("", caller.name):
            with pytest.raises(Forbidden, match="duty chief"):
                admit(incident, caller, request, GOOD, NOW, approved_by)
        assert admit_asking(incident, caller, request, GOOD, NOW) is TABLE[state, action]


def test_a_red_gas_case_is_never_suspended_whatever_its_alarms_do() -> None:
    red = replace(an_incident(IncidentState.ON_SITE), severity=1)
    request = full_request(Action.SUSPEND)
    with pytest.raises(Conflict, match="red gas") as refused:
        admit(red, someone(Role.DISPATCHER), request, GOOD, NOW, CHIEF)
    assert refused.value.current["refused"] == "red_gas"
    drain = replace(GOOD, category=replace(CATEGORY, family="drainage"))
    admit(red, someone(Role.DISPATCHER), request, drain, NOW, CHIEF)


@pytest.mark.parametrize(
    ("state", "into", "refused"),
    [
        (IncidentState.FILED, IncidentState.FILED, False),
        (IncidentState.FILED, IncidentState.CHECKING, False),
        (IncidentState.DISPATCHED, IncidentState.FILED, True),
        (IncidentState.ACKNOWLEDGED, IncidentState.REPORTED, True),
        # A suspended one goes on where it was: on site.
        (IncidentState.ACKNOWLEDGED, IncidentState.SUSPENDED, False),
    ],
)
def test_a_case_is_not_merged_into_one_that_is_less_far(
    state: IncidentState, into: IncidentState, refused: bool
) -> None:
    facts = replace(GOOD, target=replace(an_incident(into), id=2))
    request = full_request(Action.MERGE)
    if not refused:
        admit(an_incident(state), someone(Role.DISPATCHER), request, facts, NOW)
        return
    with pytest.raises(Conflict, match="merge it the other way"):
        admit(an_incident(state), someone(Role.DISPATCHER), request, facts, NOW)
