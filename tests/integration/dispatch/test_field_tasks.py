"""Whoever looks at a place is not who reported or handled it, and every task is due some time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from city.errors import Forbidden, GridwardenError, InvalidInput
from city.incident import Action, IncidentState, Role
from city.person import Caller
from city.requests import ReportRequest
from city.scope import Scope
from db import field_tasks, users
from dispatch import steps
from tests.integration.dispatch.town import CHECKER, DISPATCHER, DISTRICT, START, City, caller

ALL = Scope(DISTRICT)
QIAN = caller("qian", Role.CHECKER)
COLLECTORS = (CHECKER, QIAN)
REPORT = ReportRequest("0101", 110.36, 20.0, "The cover is gone")


def hire(town: City) -> None:
    for who in (*COLLECTORS, DISPATCHER):
        users.add_user(town.conn, who.name, "a long enough password", who.role, DISTRICT, START)


@pytest.fixture
def staffed(town: City) -> City:
    hire(town)
    return town


def a_report(town: City, by: Caller = DISPATCHER) -> int:
    """Reported, and sent to be verified."""
    incident_id = steps.report(town.conn, by, REPORT, town.now)
    town.do(DISPATCHER, incident_id, Action.VERIFY)
    return incident_id


def tasks(town: City, collector: str | None = None) -> list[tuple[int, str, str | None]]:
    rows = field_tasks.list_waiting(town.conn, ALL, collector=collector)
    return [(task.incident_id, task.clock, task.collector) for task in rows]


def test_a_verification_is_due_in_half_an_hour_and_somebodys(staffed: City) -> None:
    incident_id = a_report(staffed)
    assert tasks(staffed) == [(incident_id, "verify", None)]
    [waiting] = field_tasks.list_waiting(staffed.conn, ALL)
    assert waiting.due_at == staffed.now + timedelta(minutes=30)
    staffed.do(DISPATCHER, incident_id, Action.ASSIGN, collector="qian")
    assert tasks(staffed, "qian") == [(incident_id, "verify", "qian")]
    assert tasks(staffed, "zhao") == []
    staffed.add(CHECKER, incident_id, "photo_before", 1)
    with pytest.raises(Forbidden, match="given to qian"):
        staffed.do(CHECKER, incident_id, Action.FILE)
    with pytest.raises(InvalidInput, match="shows the place"):
        staffed.do(QIAN, incident_id, Action.FILE)
    staffed.add(QIAN, incident_id, "photo_before", 2)
    staffed.do(QIAN, incident_id, Action.FILE)
    assert tasks(staffed) == []
    row = staffed.conn.execute("SELECT clock, collector, done_by, result FROM field_task")
    assert row.fetchall() == [("verify", "qian", "qian", "file")]


def test_a_photo_from_before_the_task_does_not_show_the_place(staffed: City) -> None:
    incident_id = steps.report(staffed.conn, DISPATCHER, REPORT, staffed.now)
    staffed.add(QIAN, incident_id, "photo_before", 1)
    staffed.later(minutes=1)
    staffed.do(DISPATCHER, incident_id, Action.VERIFY)
    with pytest.raises(InvalidInput, match="shows the place"):
        staffed.do(QIAN, incident_id, Action.REJECT, reason="nothing there")


def test_nobody_verifies_their_own_report(staffed: City) -> None:
    incident_id = a_report(staffed, CHECKER)
    staffed.add(CHECKER, incident_id, "photo_before", 1)
    with pytest.raises(Forbidden, match="own report"):
        staffed.do(CHECKER, incident_id, Action.FILE)
    with pytest.raises(Forbidden, match="own report"):
        staffed.do(DISPATCHER, incident_id, Action.ASSIGN, collector="zhao")
    with pytest.raises(InvalidInput, match="no collector"):
        staffed.do(DISPATCHER, incident_id, Action.ASSIGN, collector="wang")


class Looking(RuleBasedStateMachine):
    """Two collectors, a dispatcher and a squad do what they may, in any order."""

    def __init__(self, town: City) -> None:
        super().__init__()
        self.town = town
        self.shade = 0

    @initialize()
    def hire(self) -> None:
        self.town.conn.execute("SAVEPOINT beginning")
        hire(self.town)
        self.ids = [a_report(self.town, CHECKER), a_report(self.town, QIAN)]

    def teardown(self) -> None:
        self.town.conn.execute("ROLLBACK TO SAVEPOINT beginning")

    @rule(
        which=st.integers(0, 1),
        who=st.sampled_from((*COLLECTORS, DISPATCHER)),
        action=st.sampled_from(
            (
                Action.ASSIGN,
                Action.FILE,
                Action.REJECT,
                Action.CHECK,
                Action.CLOSE,
                Action.REWORK,
                Action.REOPEN,
                Action.VERIFY,
            )
        ),
        collector=st.sampled_from(("zhao", "qian", "wang", "nobody")),
        shows=st.booleans(),
    )
    def act(self, which: int, who: Caller, action: Action, collector: str, shows: bool) -> None:
        incident_id = self.ids[which]
        if shows:
            stage = "check_photo" if action in (Action.CLOSE, Action.REWORK) else "photo_before"
            self._try(lambda: self.town.add(who, incident_id, stage, self._shade()))
        more = {"collector": collector} if action is Action.ASSIGN else {}
        self._try(lambda: self.town.do(who, incident_id, action, reason="r", **more))

    @rule(which=st.integers(0, 1), helper=st.sampled_from((None, *COLLECTORS)))
    def squad_works(self, which: int, helper: Caller | None) -> None:
        """From filed to handled; a collector may have lent a hand."""
        incident_id, town = self.ids[which], self.town
        squad = {"squad": town.gas_squad, "note": "n"}
        if town.incident(incident_id).state is IncidentState.FILED:
            town.do(DISPATCHER, incident_id, Action.DISPATCH, **squad)
        if town.incident(incident_id).state is IncidentState.DISPATCHED:
            town.do(town.leader, incident_id, Action.ACKNOWLEDGE)
            town.do(town.leader, incident_id, Action.ARRIVE)
            town.add(helper or town.leader, incident_id, "photo_after", self._shade())
            town.do(town.leader, incident_id, Action.HANDLE, note="done")

    @rule(minutes=st.integers(1, 50))
    def time_passes(self, minutes: int) -> None:
        self.town.later(minutes=minutes)

    @invariant()
    def what_waits_for_a_look_is_a_task_and_nothing_else_is(self) -> None:
        looked_at = {IncidentState.VERIFYING, IncidentState.HANDLED, IncidentState.CHECKING}
        waiting = {i for i in self.ids if self.town.incident(i).state in looked_at}
        assert sorted(task[0] for task in tasks(self.town)) == sorted(waiting)
        open_rows = self.town.conn.execute(
            "SELECT incident_id FROM field_task WHERE done_at IS NULL"
        ).fetchall()
        assert {row[0] for row in open_rows} <= waiting
        assert len(open_rows) == len({row[0] for row in open_rows})

    @invariant()
    def nobody_has_looked_at_their_own_work(self) -> None:
        rows = self.town.conn.execute(
            """
            SELECT t.clock, t.collector, t.done_by, i.reported_by
            FROM field_task t JOIN incident i ON i.id = t.incident_id
            """
        ).fetchall()
        for clock, collector, done_by, reported_by in rows:
            assert collector in {"zhao", "qian"}
            assert clock != "verify" or collector != reported_by
            assert done_by in {None, collector, "wang"}

    def _shade(self) -> int:
        self.shade += 1
        return self.shade % 256

    def _try(self, work: object) -> None:
        """What is refused changes nothing."""
        self.town.conn.execute("SAVEPOINT attempt")
        try:
            work()  # type: ignore[operator]
        except GridwardenError:
            self.town.conn.execute("ROLLBACK TO SAVEPOINT attempt")


def test_whatever_is_tried_nobody_looks_at_their_own_work(town: City) -> None:
    run_state_machine_as_test(
        lambda: Looking(town),
        settings=settings(
            max_examples=8,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
