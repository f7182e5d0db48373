"""The life of an alarm (IEC 62682) as one table: (state, input) → next state or a refusal.

Shelving, inhibition and out of service are facts beside the state: rows and columns of their own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from city.alarm import Alarm, AlarmChangeKind, AlarmState, Severity

U, A, R, LU, LA, N = (
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.RETURNED,
    AlarmState.LATCHED_UNACKNOWLEDGED,
    AlarmState.LATCHED,
    AlarmState.NORMAL,
)
# Held although their condition is gone.
HELD = (LU, LA)
GAS_CONDITION = "gas/"


class Input(StrEnum):
    """What can happen to an alarm; from rules, from time, and from people (`PERSONAL`)."""

    RAISE = "raise"  # the condition came, or rose again to what it was before
    ESCALATE = "escalate"  # it rose, and is worse than it ever was
    CLEAR = "clear"
    LATCH = "latch"  # the condition is gone, and a rule that held the alarm latches
    WITHDRAW = "withdraw"  # no rule judges the condition any more, and nobody was asked
    EXPIRE = "expire"  # its shelving ran out
    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    RESET = "reset"  # of a latched alarm: the release
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
SEEN = Refusal("the alarm is acknowledged already")
C = AlarmChangeKind

TABLE: dict[tuple[AlarmState, Input], Move | Refusal] = {
    (N, Input.RAISE): Move(U, C.RAISED),
    (N, Input.ESCALATE): Move(U, C.RAISED),
    (N, Input.CLEAR): Move(N),
    (N, Input.LATCH): Move(N),
    (N, Input.WITHDRAW): Move(N),
    (N, Input.EXPIRE): Move(N),
    (N, Input.ACKNOWLEDGE): OVER,
    (N, Input.SHELVE): OVER,
    (N, Input.UNSHELVE): OVER,
    (N, Input.RESET): OVER,
    (N, Input.END): OVER,
    (U, Input.RAISE): Move(U, C.RETRIPPED),
    (U, Input.ESCALATE): Move(U, C.ESCALATED),
    (U, Input.CLEAR): Move(R, C.CLEARED),
    (U, Input.LATCH): Move(LU, C.LATCHED),
    (U, Input.WITHDRAW): Move(R, C.CLEARED),
    (U, Input.EXPIRE): Move(U, C.UNSHELVED),
    (U, Input.ACKNOWLEDGE): Move(A, C.ACKNOWLEDGED),
    (U, Input.SHELVE): Move(U, C.SHELVED),
    (U, Input.UNSHELVE): Move(U, C.UNSHELVED),
    (U, Input.RESET): Refusal("acknowledge the alarm before you reset it"),
    (U, Input.END): Move(N, C.RESET),
    # What a person acknowledged was the milder condition: the worse one needs a look again.
    (A, Input.RAISE): Move(U, C.RETRIPPED),
    (A, Input.ESCALATE): Move(U, C.ESCALATED),
    (A, Input.CLEAR): Move(N, C.CLEARED),
    (A, Input.LATCH): Move(LA, C.LATCHED),
    # Nobody has seen that it went, and why: it waits for a look.
    (A, Input.WITHDRAW): Move(R, C.CLEARED),
    # What was acknowledged before it was muted still stands: it is announced again.
    (A, Input.EXPIRE): Move(U, C.UNSHELVED),
    (A, Input.ACKNOWLEDGE): SEEN,
    (A, Input.SHELVE): Move(A, C.SHELVED),
    (A, Input.UNSHELVE): Move(A, C.UNSHELVED),
    # A sensor that was replaced or died can no longer say that the condition is gone.
    (A, Input.RESET): Move(N, C.RESET),
    (A, Input.END): Move(N, C.RESET),
    (R, Input.RAISE): Move(U, C.RETRIPPED),
    (R, Input.ESCALATE): Move(U, C.ESCALATED),
    (R, Input.CLEAR): Move(R),
    (R, Input.LATCH): Move(R),
    (R, Input.WITHDRAW): Move(R),
    (R, Input.EXPIRE): Move(R, C.UNSHELVED),
    (R, Input.ACKNOWLEDGE): Move(N, C.ACKNOWLEDGED),
    (R, Input.SHELVE): Move(R, C.SHELVED),
    (R, Input.UNSHELVE): Move(R, C.UNSHELVED),
    (R, Input.RESET): Move(N, C.RESET),
    (R, Input.END): Move(N, C.RESET),
    (LU, Input.RAISE): Move(U, C.RETRIPPED),
    (LU, Input.ESCALATE): Move(U, C.ESCALATED),
    (LU, Input.CLEAR): Move(LU),
    (LU, Input.LATCH): Move(LU),
    (LU, Input.WITHDRAW): Move(LU),
    (LU, Input.EXPIRE): Move(LU, C.UNSHELVED),
    (LU, Input.ACKNOWLEDGE): Move(LA, C.ACKNOWLEDGED),
    (LU, Input.SHELVE): Move(LU, C.SHELVED),
    (LU, Input.UNSHELVE): Move(LU, C.UNSHELVED),
    (LU, Input.RESET): Move(N, C.RESET),
    # A latched alarm is released by whoever may, not by a change of rules.
    (LU, Input.END): Refusal("the alarm is latched: it is released, not ended"),
    (LA, Input.RAISE): Move(U, C.RETRIPPED),
    (LA, Input.ESCALATE): Move(U, C.ESCALATED),
    (LA, Input.CLEAR): Move(LA),
    (LA, Input.LATCH): Move(LA),
    (LA, Input.WITHDRAW): Move(LA),
    (LA, Input.EXPIRE): Move(LA, C.UNSHELVED),
    (LA, Input.ACKNOWLEDGE): SEEN,
    (LA, Input.SHELVE): Move(LA, C.SHELVED),
    (LA, Input.UNSHELVE): Move(LA, C.UNSHELVED),
    (LA, Input.RESET): Move(N, C.RESET),
    (LA, Input.END): Refusal("the alarm is latched: it is released, not ended"),
}

PERSONAL = (Input.ACKNOWLEDGE, Input.SHELVE, Input.UNSHELVE, Input.RESET)


def allowed_inputs(state: AlarmState, *, shelved: bool) -> list[str]:
    """What a person may do to an alarm in this state."""
    unfit = Input.SHELVE if shelved else Input.UNSHELVE
    return [i.value for i in PERSONAL if isinstance(TABLE[state, i], Move) and i is not unfit]


def is_gas_alarm(condition: str, category: str, gas_categories: Collection[str]) -> bool:
    """Whether an alarm is of gas, by what is wrong or by the case that it opens."""
    return condition.startswith(GAS_CONDITION) or category in gas_categories


def is_red_gas(alarm: Alarm, level: Severity | None, gas_categories: Collection[str]) -> bool:
    """Whether an alarm is of gas and red at this level; None: by the worst that it ever was."""
    red = (alarm.severity if level is None else level) is Severity.RED
    return red and is_gas_alarm(alarm.condition, alarm.category, gas_categories)


def why_not_released(alarm: Alarm, now: datetime) -> str:
    """Why a latching alarm cannot be released now, in a sentence that names the time; empty: it
    can, as far as time goes. An alarm that does not latch never waits."""
    if alarm.latch_s is None:
        return ""
    if alarm.state in (U, A):
        return (
            "the condition still stands: the alarm can be released once it has been gone for "
            f"{alarm.latch_s / 60:g} minutes"
        )
    if alarm.releasable_at is not None and now < alarm.releasable_at:
        at = alarm.releasable_at.astimezone().isoformat(timespec="seconds")
        return f"the alarm can be released from {at} on, if the condition stays gone until then"
    return ""
