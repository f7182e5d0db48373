"""Who may see who called, as a decision."""

from __future__ import annotations

import pytest

from city.incident import FINAL_STATES, IncidentState, Role
from city.person import Caller
from dashboard.shell.who_sees_what import may_see_reporter, without_reporter
from db.incident_cases import Case

ALWAYS = {Role.ADMIN, Role.DISPATCHER, Role.SYSTEM}


@pytest.mark.parametrize("state", IncidentState)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("gas", [True, False])
def test_who_works_a_case_sees_its_caller(
    state: IncidentState, role: Role, own: bool, gas: bool
) -> None:
    caller = Caller("p", role, "460107", "SQ-01" if role is Role.SQUAD_LEADER else None)
    case = Case(state, "SQ-01" if own else "SQ-02", gas)
    works = {Role.CHECKER}
    works |= {Role.SQUAD_LEADER} if own else set()
    works |= {Role.GAS_ENGINEER} if gas else set()
    expected = role in ALWAYS or (state not in FINAL_STATES and role in works)
    assert may_see_reporter(caller, case) is expected


def test_nobodys_case_is_not_the_case_of_a_leader_without_a_squad() -> None:
    caller = Caller("p", Role.SQUAD_LEADER, "460107", None)
    assert not may_see_reporter(caller, Case(IncidentState.FILED, None, False))


def test_what_is_left_out_of_an_event_is_said() -> None:
    assert without_reporter({"a": 1, "reporter": "Mr Fu"}) == {"a": 1, "withheld": ["reporter"]}
    assert without_reporter({"a": 1}) == {"a": 1}
