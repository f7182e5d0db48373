"""The life of an alarm (IEC 62682) as one table: (state, input) → next state or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from city.alarm import AlarmChangeKind, AlarmState

U, A, R, N = (
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.RETURNED,
    AlarmState.NORMAL,
)


class Input(StrEnum):
    """What can happen to an alarm; the first four come from rules, the rest from people."""

    RAISE = "raise"  # the condition came, or rose again to what it was before
    ESCALATE = "escalate"  # it rose, and is worse than it ever was
    CLEAR = "clear"
    WITHDRAW = "withdraw"  # no rule judges the condition any more, and nobody was asked
    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    RESET = "reset"
    END = "end"  # by whoever put other rules in force


@dataclass(frozen=True, slots=True)
class Move:
    """The state after an input, and the change that is recorded (None: nothing happened)."""

    to: AlarmState
    change: AlarmChangeKind | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A person asked for something that does not fit the state."""

    problem: str


OVER = Refusal("the alarm is over")
C = AlarmChangeKind

TABLE: dict[tuple[AlarmState, Input], Move | Refusal] = {
    (N, Input.RAISE): Move(U, C.RAISED),
    (N, Input.ESCALATE): Move(U, C.RAISED),
    (N, Input.CLEAR): Move(N),
    (N, Input.ACKNOWLEDGE): OVER,
    (N, Input.SHELVE): OVER,
    (N, Input.UNSHELVE): OVER,
    (N, Input.RESET): OVER,
    (N, Input.WITHDRAW): Move(N),
    (N, Input.END): OVER,
    (U, Input.RAISE): Move(U, C.RETRIPPED),
    (U, Input.ESCALATE): Move(U, C.ESCALATED),
    (U, Input.CLEAR): Move(R, C.CLEARED),
    (U, Input.ACKNOWLEDGE): Move(A, C.ACKNOWLEDGED),
    (U, Input.SHELVE): Move(U, C.SHELVED),
    (U, Input.UNSHELVE): Move(U, C.UNSHELVED),
    (U, Input.RESET): Refusal("acknowledge the alarm before you reset it"),
    (U, Input.WITHDRAW): Move(R, C.CLEARED),
    (U, Input.END): Move(N, C.RESET),
    # What a person acknowledged was the milder condition: the worse one needs a look again.
    (A, Input.RAISE): Move(U, C.RETRIPPED),
    (A, Input.ESCALATE): Move(U, C.ESCALATED),
    (A, Input.CLEAR): Move(N, C.CLEARED),
    (A, Input.ACKNOWLEDGE): Refusal("the alarm is acknowledged already"),
    (A, Input.SHELVE): Move(A, C.SHELVED),
    (A, Input.UNSHELVE): Move(A, C.UNSHELVED),
    # A sensor that was replaced or died can no longer say that the condition is gone.
    (A, Input.RESET): Move(N, C.RESET),
    # Nobody has seen that it went, and why: it waits for a look.
    (A, Input.WITHDRAW): Move(R, C.CLEARED),
    (A, Input.END): Move(N, C.RESET),
    (R, Input.RAISE): Move(U, C.RETRIPPED),
    (R, Input.ESCALATE): Move(U, C.ESCALATED),
    (R, Input.CLEAR): Move(R),
    (R, Input.ACKNOWLEDGE): Move(N, C.ACKNOWLEDGED),
    (R, Input.SHELVE): Move(R, C.SHELVED),
    (R, Input.UNSHELVE): Move(R, C.UNSHELVED),
    (R, Input.RESET): Move(N, C.RESET),
    (R, Input.WITHDRAW): Move(R),
    (R, Input.END): Move(N, C.RESET),
}

PERSONAL = (Input.ACKNOWLEDGE, Input.SHELVE, Input.UNSHELVE, Input.RESET)


def allowed_inputs(state: AlarmState, *, shelved: bool) -> list[str]:
    """What a person may do to an alarm in this state."""
    unfit = Input.SHELVE if shelved else Input.UNSHELVE
    return [i.value for i in PERSONAL if isinstance(TABLE[state, i], Move) and i is not unfit]
