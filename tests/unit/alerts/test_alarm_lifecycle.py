"""The life of an alarm: every pair of state and input."""

from __future__ import annotations

from itertools import product

import pytest

from alerts.lifecycle import TABLE, Input, Move, Refusal, allowed_inputs
from city.alarm import AlarmChangeKind, AlarmState

U, A, R, N = (
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.RETURNED,
    AlarmState.NORMAL,
)
C = AlarmChangeKind
REFUSED = "refused"

# state, input, next state or refusal, recorded change
EXPECTED = [
    (N, Input.RAISE, U, C.RAISED),
    (N, Input.ESCALATE, U, C.RAISED),
    (N, Input.CLEAR, N, None),
    (N, Input.ACKNOWLEDGE, REFUSED, None),
    (N, Input.SHELVE, REFUSED, None),
    (N, Input.UNSHELVE, REFUSED, None),
    (N, Input.RESET, REFUSED, None),
    (N, Input.WITHDRAW, N, None),
    (N, Input.END, REFUSED, None),
    (U, Input.RAISE, U, C.RETRIPPED),
    (U, Input.ESCALATE, U, C.ESCALATED),
    (U, Input.CLEAR, R, C.CLEARED),
    (U, Input.ACKNOWLEDGE, A, C.ACKNOWLEDGED),
    (U, Input.SHELVE, U, C.SHELVED),
    (U, Input.UNSHELVE, U, C.UNSHELVED),
    (U, Input.RESET, REFUSED, None),
    (U, Input.WITHDRAW, R, C.CLEARED),
    (U, Input.END, N, C.RESET),
    (A, Input.RAISE, U, C.RETRIPPED),
    (A, Input.ESCALATE, U, C.ESCALATED),
    (A, Input.CLEAR, N, C.CLEARED),
    (A, Input.ACKNOWLEDGE, REFUSED, None),
    (A, Input.SHELVE, A, C.SHELVED),
    (A, Input.UNSHELVE, A, C.UNSHELVED),
    (A, Input.RESET, N, C.RESET),
    (A, Input.WITHDRAW, R, C.CLEARED),
    (A, Input.END, N, C.RESET),
    (R, Input.WITHDRAW, R, None),
    (R, Input.END, N, C.RESET),
    (R, Input.RAISE, U, C.RETRIPPED),
    (R, Input.ESCALATE, U, C.ESCALATED),
    (R, Input.CLEAR, R, None),
    (R, Input.ACKNOWLEDGE, N, C.ACKNOWLEDGED),
    (R, Input.SHELVE, R, C.SHELVED),
    (R, Input.UNSHELVE, R, C.UNSHELVED),
    (R, Input.RESET, N, C.RESET),
]


@pytest.mark.parametrize(("state", "wanted", "to", "change"), EXPECTED)
def test_each_input_in_each_state_leads_where_the_standard_says(
    state: AlarmState, wanted: Input, to: AlarmState | str, change: AlarmChangeKind | None
) -> None:
    found = TABLE[state, wanted]
    if to == REFUSED:
        assert isinstance(found, Refusal)
        assert found.problem
    else:
        assert found == Move(AlarmState(to), change)


def test_the_table_knows_every_pair_and_the_test_too() -> None:
    assert set(TABLE) == set(product(AlarmState, Input))
    assert {(state, wanted) for state, wanted, *_ in EXPECTED} == set(TABLE)


def test_an_alarm_is_over_only_when_its_condition_is_gone_and_somebody_looked() -> None:
    ways = {pair for pair, move in TABLE.items() if isinstance(move, Move) and move.to is N}
    assert ways - {(N, Input.CLEAR), (N, Input.WITHDRAW)} == {
        (A, Input.CLEAR),
        (A, Input.RESET),
        (R, Input.ACKNOWLEDGE),
        (R, Input.RESET),
        # Whoever put other rules in force was told which alarms it ends.
        *((state, Input.END) for state in (U, A, R)),
    }


def test_rules_are_never_refused() -> None:
    by_rule = (Input.RAISE, Input.ESCALATE, Input.CLEAR)
    assert all(isinstance(TABLE[pair], Move) for pair in product(AlarmState, by_rule))


def test_a_person_is_offered_what_the_table_allows() -> None:
    assert allowed_inputs(U, shelved=False) == ["acknowledge", "shelve"]
    assert allowed_inputs(U, shelved=True) == ["acknowledge", "unshelve"]
    assert allowed_inputs(A, shelved=False) == ["shelve", "reset"]
    assert allowed_inputs(R, shelved=False) == ["acknowledge", "shelve", "reset"]
    assert allowed_inputs(N, shelved=False) == []
