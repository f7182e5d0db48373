"""May this caller do this action now, and if not, why. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from city.alarm import IncidentAlarm, Severity
from city.category import Category
from city.clock import ClockKind, Deadline, PauseRow
from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import VOICE_NOTE, Action, Assignment, Incident, IncidentState, Merge, Role
from city.person import DUTY_CHIEFS, Caller
from city.requests import ActionRequest
from city.squad import Squad
from city.stale_version import is_stale_version
from dispatch.clocks import running
from dispatch.gas import GasStanding
from dispatch.machine import TABLE, Need, Step, actions_of
from dispatch.merging import is_further

# At most so many approved postponements of one incident (domain.md 8, [S8]).
MAX_POSTPONES = 2
# A suspension lasts a year at the longest (domain.md 8, [S8]).
MAX_SUSPENSION = timedelta(days=365)
# Evidence that is a stored file; the other words of a category are facts checked elsewhere.
FILE_EVIDENCE = frozenset({"photo_before", "photo_after", "check_photo", "document", VOICE_NOTE})


@dataclass(frozen=True)
class Facts:
    """What is known about an incident when an action is judged."""

    category: Category
    deadlines: Sequence[Deadline]
    pauses: Sequence[PauseRow]
    evidence: frozenset[str]  # stages that have a file
    gas: GasStanding
    standing: Sequence[IncidentAlarm]  # alarms whose condition stands
    loud: Sequence[IncidentAlarm]  # of these, the ones that nobody has muted
    latched: Sequence[IncidentAlarm]  # their condition is gone, nobody has released them
    local_now: datetime
    twin: int | None = None  # another open incident of the same condition
    squad: Squad | None = None  # the squad named in the request
    target: Incident | None = None  # the incident named in a merge
    target_needs_release: bool = False
    new_category: Category | None = None  # the category named in a split
    assignments: Sequence[Assignment] = ()  # oldest first
    merge: Merge | None = None  # the one that an incident is in
    merge_target: Incident | None = None  # what it was merged into
    # Who acted for the squad, or handed in a photo of the work, since it was sent.
    hands: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an action cannot be done; `code` is what the screens translate."""

    code: str
    text: str
    details: Mapping[str, Any] = field(default_factory=dict)


def admit(
    incident: Incident,
    caller: Caller,
    request: ActionRequest,
    facts: Facts,
    now: datetime,
    approved_by: str = "",
) -> Step:
    """The step to take, or an error that says what stands in the way. `approved_by` is the duty
    chief who let it happen, where the step needs one."""
    step = admit_asking(incident, caller, request, facts, now)
    if needs_duty_chief(step, caller) and approved_by in ("", caller.name):
        takes = " or ".join(role.value for role in DUTY_CHIEFS)
        raise Forbidden(
            f"{request.action.value} is asked for, and another person approves it: a duty chief "
            f"({takes})"
        )
    return step


def needs_duty_chief(step: Step, caller: Caller) -> bool:
    """Whether another person has to let this happen; what an alarm asks for waits for nobody."""
    return Need.DUTY_CHIEF in step.needs and caller.role is not Role.SYSTEM


def admit_asking(
    incident: Incident, caller: Caller, request: ActionRequest, facts: Facts, now: datetime
) -> Step:
    """The same but for the second person: whether it can be asked for."""
    check_version(incident, caller, request.version)
    step = find_step(incident, caller, request.action)
    for need in step.needs:
        _check_field(need, incident, request, facts, now)
    for need in step.needs:
        refusal = judge(need, incident, caller, facts, request)
        if refusal is not None:
            _refuse(need, refusal, incident, caller)
    return step


def check_version(incident: Incident, caller: Caller, version: int) -> None:
    """The person must have seen the newest version."""
    if is_stale_version(version, incident.version):
        raise Conflict(
            f"incident {incident.number} was changed meanwhile: it is at version "
            f"{incident.version}, the request was made on version {version}",
            current=current_state(incident),
            allowed=allowed(incident, caller),
        )


def find_step(incident: Incident, caller: Caller, action: Action) -> Step:
    """The table's step, if the caller's role and squad may take it."""
    step = TABLE.get((incident.state, action))
    if step is None:
        raise Conflict(
            f"{action.value} is not possible while the incident is {incident.state.value}",
            current=current_state(incident),
            allowed=allowed(incident, caller),
        )
    if caller.role not in step.roles:
        raise Forbidden(f"a {caller.role.value} may not {action.value} this incident")
    if not is_own(incident, caller, action):
        raise Forbidden(f"incident {incident.number} is not with squad {caller.squad}")
    return step


def current_state(incident: Incident) -> dict[str, object]:
    """What a refused caller is shown."""
    return {
        "id": incident.id,
        "number": incident.number,
        "state": incident.state.value,
        "version": incident.version,
        "squad": incident.squad,
    }


def allowed(incident: Incident, caller: Caller) -> list[str]:
    """Actions the table gives this caller now, whatever they still need."""
    return [
        action.value
        for action in actions_of(incident.state, caller.role)
        if is_own(incident, caller, action)
    ]


def is_own(incident: Incident, caller: Caller, action: Action) -> bool:
    """Squad leaders act on their own squad's incidents only."""
    return caller.role is not Role.SQUAD_LEADER or incident.squad == caller.squad


def judge(
    need: Need,
    incident: Incident,
    caller: Caller,
    facts: Facts,
    request: ActionRequest | None = None,
) -> Refusal | None:
    """Whether a fact that a step needs is given; fields of the request are checked elsewhere."""
    test = FACT_TESTS.get(need)
    return test(incident, caller, facts, request) if test else None


def _photo_after(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    if "photo_after" in facts.category.closing_evidence and "photo_after" not in facts.evidence:
        return _missing_file("photo_after", facts)
    return None


def _evidence(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    for stage in facts.category.closing_evidence:
        if stage in FILE_EVIDENCE and stage not in facts.evidence:
            return _missing_file(stage, facts)
    return None


def _missing_file(stage: str, facts: Facts) -> Refusal:
    return Refusal(stage, f"category {facts.category.code} asks for it before this step")


def _other_person(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    if caller.name == incident.handled_by:
        return Refusal("other_person", "nobody checks their own work: you handled this incident")
    if caller.squad is not None and caller.squad == incident.squad:
        return Refusal("other_person", f"squad {caller.squad} handled this incident")
    if caller.name in facts.hands:
        problem = "nobody checks their own work: you acted for the squad, or handed in its photo"
        return Refusal("other_person", problem)
    return None


def _gas_case(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    if facts.gas.needed:
        return None
    return Refusal("not_a_gas_case", f"category {facts.category.code} needs no gas release")


def _gas_quiet(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    return None if facts.gas.quiet else _gas_refusal(facts)


def _gas_free(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    return None if facts.gas.free else _gas_refusal(facts)


def _gas_refusal(facts: Facts) -> Refusal:
    gas = facts.gas
    if not gas.quiet:
        return _still_stand("alarm_stands", facts.standing)
    texts = {
        "sensor_silent": f"sensor {gas.device} does not report: it proves nothing",
        "reading_not_clear": f"sensor {gas.device} measured gas in the gas-free period",
        "gas_free_period_runs": "the gas-free period is not over",
        "release_missing": "a gas engineer has not released the site",
    }
    details = {"free_at": gas.free_at.isoformat()} if gas.free_at else {}
    return Refusal(gas.reason, texts[gas.reason], details)


def _alarm_over(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    standing = [alarm for alarm in facts.loud if not alarm.clearing]
    return _still_stand("alarm_stands", standing) if standing else None


def _alarm_released(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    if not facts.latched:
        return None
    asked = "; ".join(_release_asked(alarm) for alarm in facts.latched)
    return Refusal("alarm_latched", f"still latched: {asked}", _named(facts.latched))


def _release_asked(alarm: IncidentAlarm) -> str:
    """Who has to release an alarm, and from when on that is possible."""
    who = (alarm.release_role or Role.GAS_ENGINEER).replace("_", " ")
    name = f"{alarm.device_code or alarm.condition} ({alarm.rule_code})"
    text = f"the alarm of {name} has to be released by a {who} (reset on the page of alarms)"
    if alarm.releasable_at is None:
        return text
    return f"{text}, from {alarm.releasable_at.isoformat(timespec='seconds')} on"


def _no_red_alarm(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    red = [alarm for alarm in facts.loud if alarm.severity == Severity.RED]
    return _still_stand("red_alarm_stands", red) if red else None


def _still_stand(code: str, alarms: Sequence[IncidentAlarm]) -> Refusal:
    """Name every alarm in the way, its device and what it is about."""
    named = ", ".join(f"{a.device_code or a.condition} ({a.rule_code})" for a in alarms)
    text = f"the alarm of {named} still stands"
    if len(alarms) > 1:
        text = f"the alarms of {named} still stand"
    return Refusal(code, text, _named(alarms))


def _named(alarms: Sequence[IncidentAlarm]) -> Mapping[str, Any]:
    """The alarms in the way, as screens and scripts name them."""
    return {
        "alarms": [
            {
                "id": alarm.id,
                "device": alarm.device_code,
                "condition": alarm.condition,
                "severity": alarm.severity,
                "state": alarm.state,
                "reason": alarm.reason,
                "release_role": alarm.release_role,
                "releasable_at": alarm.releasable_at and alarm.releasable_at.isoformat(),
            }
            for alarm in alarms
        ]
    }


def _not_overdue(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    handling = running(facts.deadlines, ClockKind.HANDLE)
    if handling is None:
        return Refusal("no_clock", "no handling clock runs")
    if facts.local_now > handling.due_at:
        return Refusal("overdue", "the handling clock is overdue already")
    return None


def _postpones_left(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    if incident.postpone_count < MAX_POSTPONES:
        return None
    return Refusal("postponed_enough", f"it was postponed {MAX_POSTPONES} times already")


def _first_suspension(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    if not facts.pauses:
        return None
    return Refusal("suspended_before", "an incident is suspended once at most")


def _not_red_gas(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    if facts.category.family != "gas" or incident.severity != Severity.RED:
        return None
    return Refusal("red_gas", "a red gas case is never suspended")


def _not_further(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    into = facts.target
    if into is None or not is_further(incident, into):
        return None
    return Refusal(
        "further_along",
        f"incident {incident.number} is {incident.state.value}, further along than "
        f"{into.number}, which is {into.state.value}: merge it the other way",
    )


def _merge_stands(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    if facts.merge is None or facts.merge_target is None:
        return Refusal("merge_not_kept", "it was merged before merges could be taken back")
    if facts.merge_target.state is IncidentState.MERGED:
        into = facts.merge_target.number
        return Refusal("merged_on", f"incident {into} was merged itself: take that back first")
    return None


def _no_twin(
    incident: Incident, caller: Caller, facts: Facts, request: ActionRequest | None
) -> Refusal | None:
    if facts.twin is None:
        return None
    return Refusal("twin_open", f"incident {facts.twin} is open for the same condition")


FactTest = Callable[[Incident, Caller, Facts, ActionRequest | None], Refusal | None]

FACT_TESTS: dict[Need, FactTest] = {
    Need.PHOTO_AFTER: _photo_after,
    Need.EVIDENCE: _evidence,
    Need.OTHER_PERSON: _other_person,
    Need.GAS_CASE: _gas_case,
    Need.GAS_QUIET: _gas_quiet,
    Need.GAS_FREE: _gas_free,
    Need.ALARM_OVER: _alarm_over,
    Need.ALARM_RELEASED: _alarm_released,
    Need.NO_RED_ALARM: _no_red_alarm,
    Need.NOT_OVERDUE: _not_overdue,
    Need.POSTPONES_LEFT: _postpones_left,
    Need.FIRST_SUSPENSION: _first_suspension,
    Need.NO_TWIN: _no_twin,
    Need.NOT_RED_GAS: _not_red_gas,
    Need.NOT_FURTHER: _not_further,
    Need.MERGE_STANDS: _merge_stands,
}


def _refuse(need: Need, refusal: Refusal, incident: Incident, caller: Caller) -> None:
    if need in (Need.PHOTO_AFTER, Need.EVIDENCE):
        raise InvalidInput(refusal.code, None, refusal.text)
    if need is Need.OTHER_PERSON:
        raise Forbidden(refusal.text)
    raise Conflict(
        refusal.text,
        current={**current_state(incident), "refused": refusal.code, **refusal.details},
        allowed=allowed(incident, caller),
    )


def _check_field(
    need: Need, incident: Incident, request: ActionRequest, facts: Facts, now: datetime
) -> None:
    if need is Need.NOTE:
        _required("note", request.note.strip())
    elif need is Need.REASON:
        _required("reason", request.reason.strip())
    elif need is Need.CATEGORY:
        _required("category", request.category)
    elif need is Need.SQUAD:
        _check_squad(request, facts)
    elif need is Need.UNTIL:
        _check_until(request.until, now)
    elif need is Need.INTO:
        _check_into(incident, request, facts)


def _required(name: str, value: object) -> None:
    if not value:
        raise InvalidInput(name, value, "is required for this action")


def _check_squad(request: ActionRequest, facts: Facts) -> None:
    _required("squad", request.squad)
    assert facts.squad is not None, "loaded with the request"
    if not facts.squad.is_on_duty(facts.local_now) and not request.note.strip():
        raise InvalidInput("squad", request.squad, "is off duty; say in a note why it is sent")


def _check_until(until: datetime | None, now: datetime) -> None:
    _required("until", until)
    assert until is not None
    if until.tzinfo is None:
        raise InvalidInput("until", until, "needs a time zone")
    if not now < until <= now + MAX_SUSPENSION:
        raise InvalidInput("until", until.isoformat(), "must be ahead, by a year at most")


def _check_into(incident: Incident, request: ActionRequest, facts: Facts) -> None:
    _required("into", request.into)
    if request.into == incident.id:
        raise InvalidInput("into", request.into, "is the incident itself")
    if facts.target is None:
        raise InvalidInput("into", request.into, "is not an incident of this district")
    if not facts.target.is_open:
        raise InvalidInput("into", request.into, f"is {facts.target.state.value}, not open")
    if facts.category.needs_release and not facts.target_needs_release:
        raise InvalidInput(
            "into", request.into, "closes without a gas release: merge it the other way"
        )
