"""A sheet writes itself, stands as it was signed, and takes two accounts."""

from __future__ import annotations

import pytest

from city.errors import Conflict, Forbidden
from city.incident import Action
from city.intake_requests import HandoverNoteRequest, HandoverRequest
from db import handovers
from dispatch import steps
from tests.integration.dispatch.test_intake import CALL
from tests.integration.dispatch.town import (
    CHECKER,
    DISPATCHER,
    DISTRICT,
    SECOND_DISPATCHER,
    City,
)


def test_the_sheet_says_what_stands_and_stays_as_it_was_signed(town: City) -> None:
    red = town.new_filed(severity=1)
    call = steps.receive(town.conn, DISPATCHER, CALL, town.now)
    town.do(DISPATCHER, call.incident_id, Action.VERIFY)
    town.later(days=8)
    content = steps.draw_up(town.conn, DISPATCHER, town.now)["content"]
    assert [row["id"] for row in content["red"]] == [red]
    assert {row["id"] for row in content["overdue"]} == {red, call.incident_id}
    assert [(row["what"], row["late"]) for row in content["owed"]] == [("reply", True)]
    assert [(row["clock"], row["late"]) for row in content["tasks"]] == [("verify", True)]
    assert content["on_duty"]
    assert "Ms Lin" not in str(content)
    sheet = steps.give_over(town.conn, DISPATCHER, HandoverRequest("watch the well"), town.now)
    town.do(DISPATCHER, call.incident_id, Action.REJECT, reason="not ours")
    steps.add_note(town.conn, CHECKER, sheet, HandoverNoteRequest("it was nothing"), town.now)
    stored = handovers.find_handover(town.conn, DISTRICT, sheet)
    assert stored is not None
    assert stored.content == content
    assert [note["by"] for note in stored.notes] == ["wang", "zhao"]


def test_a_shift_is_handed_over_by_one_account_and_taken_by_another(town: City) -> None:
    sheet = steps.give_over(town.conn, DISPATCHER, HandoverRequest(), town.now)
    with pytest.raises(Conflict, match="nobody has taken over"):
        steps.give_over(town.conn, SECOND_DISPATCHER, HandoverRequest(), town.now)
    with pytest.raises(Forbidden, match="to themselves"):
        steps.take_over(town.conn, DISPATCHER, sheet, 1, town.now)
    with pytest.raises(Forbidden):
        steps.take_over(town.conn, CHECKER, sheet, 1, town.now)
    steps.take_over(town.conn, SECOND_DISPATCHER, sheet, 1, town.later(minutes=5))
    with pytest.raises(Conflict, match="taken over by li"):
        steps.take_over(town.conn, SECOND_DISPATCHER, sheet, 2, town.now)
    next_sheet = steps.draw_up(town.conn, SECOND_DISPATCHER, town.now)
    assert next_sheet["since_at"] == town.now
