"""The life of an alarm: every pair of state and input."""

from __future__ import annotations

from itertools import product

import pytest

from alerts.lifecycle import TABLE, Input, Move, Refusal, allowed_inputs
from city.alarm import AlarmChangeKind, AlarmState

U, A, R, LU, LA, N = (
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.RETURNED,
    AlarmState.LATCHED_UNACKNOWLEDGED,
    AlarmState.LATCHED,
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
    (N, Input.LATCH, N, None),
    (U, Input.LATCH, LU, C.LATCHED),
    (A, Input.LATCH, LA, C.LATCHED),
    (R, Input.LATCH, R, None),
    (N, Input.EXPIRE, N, None),
    (U, Input.EXPIRE, U, C.UNSHELVED),
    (A, Input.EXPIRE, U, C.UNSHELVED),
    (R, Input.EXPIRE, R, C.UNSHELVED),
    *(
        row
        for held, acknowledged in ((LU, (LA, C.ACKNOWLEDGED)), (LA, (REFUSED, None)))
        for row in (
            (held, Input.RAISE, U, C.RETRIPPED),
            (held, Input.ESCALATE, U, C.ESCALATED),
            (held, Input.CLEAR, held, None),
            (held, Input.LATCH, held, None),
            (held, Input.WITHDRAW, held, None),
            (held, Input.EXPIRE, held, C.UNSHELVED),
            (held, Input.ACKNOWLEDGE, *acknowledged),
            (held, Input.SHELVE, held, C.SHELVED),
            (held, Input.UNSHELVE, held, C.UNSHELVED),
            (held, Input.RESET, N, C.RESET),
            (held, Input.END, REFUSED, None),
        )
    ),
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
    stays = {(N, i) for i in (Input.CLEAR, Input.WITHDRAW, Input.LATCH, Input.EXPIRE)}
    assert ways - stays == {
        # A latched alarm goes by its release alone.
        (LU, Input.RESET),
        (LA, Input.RESET),
        (A, Input.CLEAR),
        (A, Input.RESET),
        (R, Input.ACKNOWLEDGE),
        (R, Input.RESET),
        # Whoever put other rules in force was told which alarms it ends.
        *((state, Input.END) for state in (U, A, R)),
    }


def test_rules_are_never_refused() -> None:
    by_rule = (Input.RAISE, Input.ESCALATE, Input.CLEAR, Input.LATCH, Input.WITHDRAW, Input.EXPIRE)
    assert all(isinstance(TABLE[pair], Move) for pair in product(AlarmState, by_rule))


def test_a_person_is_offered_what_the_table_allows() -> None:
    assert allowed_inputs(U, shelved=False) == ["acknowledge", "shelve"]
    assert allowed_inputs(U, shelved=True) == ["acknowledge", "unshelve"]
    assert allowed_inputs(A, shelved=False) == ["shelve", "reset"]
    assert allowed_inputs(R, shelved=False) == ["acknowledge", "shelve", "reset"]
    assert allowed_inputs(LU, shelved=False) == ["acknowledge", "shelve", "reset"]
    assert allowed_inputs(LA, shelved=False) == ["shelve", "reset"]
    assert allowed_inputs(N, shelved=False) == []
