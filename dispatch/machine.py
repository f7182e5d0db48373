"""The life of an incident as one table: (state, action) -> step.

From this table come the guard, the buttons, the picture in the documentation and a test over
every pair. What is not in the table cannot be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from city.clock import ClockKind
from city.incident import Action, IncidentState, Role

A = Action  # short, for the table
S = IncidentState


class Need(StrEnum):
    """What a step asks for: fields of the request, then facts about the incident."""

    NOTE = "note"
    REASON = "reason"
    SQUAD = "squad"
    CATEGORY = "category"
    UNTIL = "until"
    INTO = "into"
    PHOTO_AFTER = "photo_after"  # where the category asks for one
    EVIDENCE = "closing_evidence"  # everything the category lists
    OTHER_PERSON = "other_person"  # not who handled it, and not of that squad
    GAS_CASE = "gas_case"
    GAS_QUIET = "gas_quiet"  # no gas alarm stands
    GAS_FREE = "gas_free"  # released, and below the clear limit for long enough
    ALARM_OVER = "alarm_over"  # no alarm of it stands, but for muted and clearing ones
    ALARM_RELEASED = "alarm_released"  # no alarm of it is latched
    NO_RED_ALARM = "no_red_alarm"  # none of them is a red one
    NOT_OVERDUE = "not_overdue"
    POSTPONES_LEFT = "postpones_left"
    FIRST_SUSPENSION = "first_suspension"
    NO_TWIN = "no_twin"  # no other open incident of the same condition
    NOT_FURTHER = "not_further"  # the incident that it is merged into is as far, or further
    MERGE_STANDS = "merge_stands"  # what it was merged into has not been merged itself
    NOT_RED_GAS = "not_red_gas"
    DUTY_CHIEF = "duty_chief"  # another person, a duty chief, lets it happen


FIELD_NEEDS = frozenset({Need.NOTE, Need.REASON, Need.SQUAD, Need.CATEGORY, Need.UNTIL, Need.INTO})


class Same(StrEnum):
    """Targets of a step that depend on where the incident is or was."""

    STATE = "same"  # stays where it is
    BEFORE = "before"  # suspended, or merged


@dataclass(frozen=True, slots=True)
class Clocks:
    """What a step does to the clocks: `start` begins a new attempt of each."""

    start: tuple[ClockKind, ...] = ()
    met: tuple[ClockKind, ...] = ()
    stop: tuple[ClockKind, ...] = ()
    stop_all: bool = False
    pause: bool = False
    resume: bool = False
    restart: bool = False  # what a merge stopped runs on


@dataclass(frozen=True, slots=True)
class Step:
    to: S | Same
    roles: frozenset[Role]
    needs: tuple[Need, ...] = ()
    clocks: Clocks = Clocks()

    @property
    def fields(self) -> tuple[Need, ...]:
        """The needs that the person fills in."""
        return tuple(need for need in self.needs if need in FIELD_NEEDS)


VERIFY, FILE, DISPATCH = ClockKind.VERIFY, ClockKind.FILE, ClockKind.DISPATCH
ACKNOWLEDGE, HANDLE, CHECK = ClockKind.ACKNOWLEDGE, ClockKind.HANDLE, ClockKind.CHECK

CENTRE = frozenset({Role.DISPATCHER, Role.ADMIN})
INTAKE = CENTRE | {Role.CHECKER}  # collectors verify in the field and report back
SQUAD = CENTRE | {Role.SQUAD_LEADER}  # the centre enters what a squad says by radio
CHECKERS = CENTRE | {Role.CHECKER}
REOPENERS = CENTRE | {Role.LEADER}
ENGINEERS = frozenset({Role.GAS_ENGINEER})
CLOCKWORK = CENTRE | {Role.SYSTEM}
# Alarms of a case bring people back to it: see `dispatch.recall`.
ALARMS = frozenset({Role.SYSTEM})
STAFF = frozenset(Role) - {Role.VIEWER, Role.SYSTEM}

COMMENT = Step(Same.STATE, STAFF, (Need.NOTE,))
CANCEL = Step(
    S.CANCELLED,
    CENTRE,
    (Need.REASON, Need.ALARM_OVER, Need.ALARM_RELEASED),
    Clocks(stop_all=True),
)
MERGE = Step(S.MERGED, CENTRE, (Need.INTO, Need.REASON, Need.NOT_FURTHER), Clocks(stop_all=True))
SPLIT = Step(Same.STATE, CENTRE, (Need.CATEGORY, Need.NOTE))
REJECT = Step(
    S.REJECTED,
    INTAKE,
    (Need.REASON, Need.ALARM_OVER, Need.ALARM_RELEASED),
    Clocks(stop_all=True),
)
RETURN = Step(
    S.FILED,
    SQUAD | ALARMS,
    (Need.REASON, Need.DUTY_CHIEF),
    Clocks(start=(DISPATCH,), stop=(ACKNOWLEDGE, HANDLE)),
)
POSTPONE = Step(
    Same.STATE, SQUAD, (Need.REASON, Need.NOT_OVERDUE, Need.POSTPONES_LEFT, Need.DUTY_CHIEF)
)
SUSPEND = Step(
    S.SUSPENDED,
    SQUAD,
    (
        Need.REASON,
        Need.UNTIL,
        Need.NO_RED_ALARM,
        Need.NOT_RED_GAS,
        Need.NOT_OVERDUE,
        Need.FIRST_SUSPENSION,
        Need.DUTY_CHIEF,
    ),
    Clocks(pause=True),
)
RELEASE = Step(Same.STATE, ENGINEERS, (Need.NOTE, Need.GAS_CASE, Need.GAS_QUIET))

TABLE: dict[tuple[S, A], Step] = {
    # 信息收集, 核实: a report waits to be accepted, or a collector looks first
    (S.REPORTED, A.VERIFY): Step(S.VERIFYING, INTAKE, (), Clocks(start=(VERIFY,), met=(FILE,))),
    (S.REPORTED, A.FILE): Step(
        S.FILED, CENTRE | ALARMS, (), Clocks(start=(DISPATCH,), met=(FILE,))
    ),
    (S.REPORTED, A.REJECT): REJECT,
    (S.REPORTED, A.MERGE): MERGE,
    (S.REPORTED, A.COMMENT): COMMENT,
    (S.VERIFYING, A.FILE): Step(
        S.FILED, INTAKE | ALARMS, (), Clocks(start=(DISPATCH,), met=(VERIFY,))
    ),
    (S.VERIFYING, A.REJECT): REJECT,
    (S.VERIFYING, A.MERGE): MERGE,
    (S.VERIFYING, A.COMMENT): COMMENT,
    # 案卷建立, 任务派遣
    (S.FILED, A.DISPATCH): Step(
        S.DISPATCHED, CENTRE, (Need.SQUAD,), Clocks(start=(ACKNOWLEDGE, HANDLE), met=(DISPATCH,))
    ),
    (S.FILED, A.MERGE): MERGE,
    (S.FILED, A.SPLIT): SPLIT,
    (S.FILED, A.CANCEL): CANCEL,
    (S.FILED, A.COMMENT): COMMENT,
    # 任务处理
    (S.DISPATCHED, A.ACKNOWLEDGE): Step(S.ACKNOWLEDGED, SQUAD, (), Clocks(met=(ACKNOWLEDGE,))),
    (S.DISPATCHED, A.RETURN_BACK): RETURN,
    (S.DISPATCHED, A.POSTPONE): POSTPONE,
    (S.DISPATCHED, A.SUSPEND): SUSPEND,
    (S.DISPATCHED, A.MERGE): MERGE,
    (S.DISPATCHED, A.SPLIT): SPLIT,
    (S.DISPATCHED, A.CANCEL): CANCEL,
    (S.DISPATCHED, A.COMMENT): COMMENT,
    (S.ACKNOWLEDGED, A.ARRIVE): Step(S.ON_SITE, SQUAD),
    (S.ACKNOWLEDGED, A.RETURN_BACK): RETURN,
    (S.ACKNOWLEDGED, A.POSTPONE): POSTPONE,
    (S.ACKNOWLEDGED, A.SUSPEND): SUSPEND,
    (S.ACKNOWLEDGED, A.MERGE): MERGE,
    (S.ACKNOWLEDGED, A.SPLIT): SPLIT,
    (S.ACKNOWLEDGED, A.CANCEL): CANCEL,
    (S.ACKNOWLEDGED, A.COMMENT): COMMENT,
    (S.ON_SITE, A.HANDLE): Step(
        S.HANDLED, SQUAD, (Need.NOTE, Need.PHOTO_AFTER), Clocks(start=(CHECK,), met=(HANDLE,))
    ),
    (S.ON_SITE, A.RETURN_BACK): RETURN,
    (S.ON_SITE, A.POSTPONE): POSTPONE,
    (S.ON_SITE, A.SUSPEND): SUSPEND,
    (S.ON_SITE, A.SPLIT): SPLIT,
    (S.ON_SITE, A.CANCEL): CANCEL,
    (S.ON_SITE, A.RELEASE): RELEASE,
    (S.ON_SITE, A.COMMENT): COMMENT,
    # 处理反馈, 核查结案
    (S.HANDLED, A.CHECK): Step(S.CHECKING, CHECKERS, (Need.OTHER_PERSON,)),
    (S.HANDLED, A.REWORK): Step(
        S.DISPATCHED, ALARMS, (Need.REASON,), Clocks(start=(ACKNOWLEDGE, HANDLE), met=(CHECK,))
    ),
    (S.HANDLED, A.SPLIT): SPLIT,
    (S.HANDLED, A.RELEASE): RELEASE,
    (S.HANDLED, A.COMMENT): COMMENT,
    (S.CHECKING, A.CLOSE): Step(
        S.CLOSED,
        CHECKERS,
        (Need.OTHER_PERSON, Need.ALARM_OVER, Need.ALARM_RELEASED, Need.EVIDENCE, Need.GAS_FREE),
        Clocks(met=(CHECK,), stop_all=True),
    ),
    (S.CHECKING, A.REWORK): Step(
        S.DISPATCHED,
        CHECKERS | ALARMS,
        (Need.REASON, Need.OTHER_PERSON),
        Clocks(start=(ACKNOWLEDGE, HANDLE), met=(CHECK,)),
    ),
    (S.CHECKING, A.RELEASE): RELEASE,
    (S.CHECKING, A.COMMENT): COMMENT,
    # 挂账: resumed by a person or, on its date, by the clockwork
    (S.SUSPENDED, A.RESUME): Step(Same.BEFORE, CLOCKWORK, (), Clocks(resume=True)),
    (S.SUSPENDED, A.CANCEL): CANCEL,
    (S.SUSPENDED, A.COMMENT): COMMENT,
    # Finished; never reopened silently
    (S.CLOSED, A.REOPEN): Step(
        S.FILED, REOPENERS, (Need.REASON, Need.NO_TWIN), Clocks(start=(DISPATCH,))
    ),
    (S.CLOSED, A.COMMENT): COMMENT,
    (S.REJECTED, A.REOPEN): Step(
        S.REPORTED, REOPENERS, (Need.REASON, Need.NO_TWIN), Clocks(start=(FILE,))
    ),
    (S.REJECTED, A.COMMENT): COMMENT,
    (S.CANCELLED, A.REOPEN): Step(
        S.FILED, REOPENERS, (Need.REASON, Need.NO_TWIN), Clocks(start=(DISPATCH,))
    ),
    (S.CANCELLED, A.COMMENT): COMMENT,
    (S.MERGED, A.UNMERGE): Step(
        Same.BEFORE, CENTRE, (Need.REASON, Need.MERGE_STANDS, Need.NO_TWIN), Clocks(restart=True)
    ),
    (S.MERGED, A.COMMENT): COMMENT,
}

# What another person has to let happen, a duty chief.
OF_DUTY_CHIEF = frozenset(a for (_, a), step in TABLE.items() if Need.DUTY_CHIEF in step.needs)

# What the event log calls each action.
EVENT_KINDS: dict[A, str] = {
    A.VERIFY: "incident.verification_requested",
    A.FILE: "incident.filed",
    A.REJECT: "incident.rejected",
    A.DISPATCH: "incident.dispatched",
    A.ACKNOWLEDGE: "incident.acknowledged",
    A.RETURN_BACK: "incident.returned",
    A.ARRIVE: "incident.arrived",
    A.HANDLE: "incident.handled",
    A.CHECK: "incident.check_started",
    A.REWORK: "incident.reworked",
    A.RELEASE: "incident.released",
    A.CLOSE: "incident.closed",
    A.POSTPONE: "incident.postponed",
    A.SUSPEND: "incident.suspended",
    A.RESUME: "incident.resumed",
    A.MERGE: "incident.merged",
    A.UNMERGE: "incident.unmerged",
    A.SPLIT: "incident.split",
    A.REOPEN: "incident.reopened",
    A.CANCEL: "incident.cancelled",
    A.COMMENT: "incident.commented",
}


def actions_of(state: S, role: Role) -> list[A]:
    """What a role may do in a state, in the order of the table."""
    return [a for (s, a), step in TABLE.items() if s is state and role in step.roles]


def field_steps() -> list[dict[str, object]]:
    """What a squad leader may do in which state, what for, and where it leads: a phone without
    signal goes on by this. What a duty chief has to let happen leads nowhere yet."""
    return [
        {
            "state": state.value,
            "action": action.value,
            "to": (state if Need.DUTY_CHIEF in step.needs else target(step, state, None)).value,
            "needs": [need.value for need in step.needs],
        }
        for (state, action), step in TABLE.items()
        if Role.SQUAD_LEADER in step.roles
    ]


def target(step: Step, state: S, before: S | None) -> S:
    """The state that a step leads to."""
    if step.to is Same.STATE:
        return state
    if step.to is Same.BEFORE:
        return before or S.FILED
    return S(step.to)
