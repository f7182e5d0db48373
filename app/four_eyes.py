"""What waits for a second pair of eyes: changes of the gas safety rules, switching that off,
orders to many lamps by day (`app.lamps`), and time that squads ask for (`app.case_requests`).

Rules are the installation's: they wait as soon as one district has `four_eyes`, in the caller's
district if it is one of these.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alerts import foresight
from alerts.gas_rules import is_gas_rule
from alerts.known import load_rules
from alerts.orphans import Orphan
from alerts.rule_files import parse_rule
from alerts.rules import Rule
from alerts.steps import write_retirement, write_rules
from app import case_requests, duty, lamps, shelving
from city.approval import Approval, NewApproval, may_decide
from city.errors import Conflict, Forbidden
from city.event import NewEvent
from city.incident import Role
from city.person import Caller
from db import alarms, approvals, categories, districts, evaluation, rules, users
from db.events import list_events
from db.pool import Connection
from people import approvals as steps
from people.approvals import ApprovalKind, Asked

GAS_RULES = "gas_rules"
ROLES = (Role.GAS_ENGINEER, Role.ADMIN)
FOUR_EYES = "four_eyes"
SETTING_SUBJECT = f"setting:{FOUR_EYES}"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """Rule files to be put in force by their code, rules to be retired, and whether the second
    pair of eyes goes. `agreed` are the gas alarms whose end is part of it."""

    put: Mapping[str, str] = field(default_factory=dict)
    retire: Sequence[str] = ()
    switch_off: bool = False
    agreed: Sequence[int] = ()

    @property
    def what(self) -> str:
        parts = [f"rule {code}" for code in sorted(self.put)]
        parts += [f"rule {code} taken out of force" for code in sorted(self.retire)]
        return ", ".join(parts + (["four eyes switched off"] if self.switch_off else []))

    def as_json(self) -> dict[str, Any]:
        return {
            "put": dict(self.put),
            "retire": sorted(self.retire),
            "switch_off": self.switch_off,
            "agreed": sorted(self.agreed),
        }


def districts_with(conn: Connection) -> list[str]:
    """Codes of the districts that have four eyes."""
    return districts.list_where(conn, FOUR_EYES, True)


def district_of_rules(conn: Connection, *own: str) -> str | None:
    """Where changes of gas rules wait, one of these districts if it can be; None: they do not."""
    switched_on = districts_with(conn)
    mine = [code for code in own if code in switched_on]
    return next(iter([*mine, *switched_on]), None)


def is_on(conn: Connection, district: str) -> bool:
    return district in districts_with(conn)


def gas_rules_among(
    conn: Connection, put: Mapping[str, str], retire: Sequence[str], now: datetime
) -> tuple[dict[str, str], list[str]]:
    """Of these files those that are gas safety as they are or as they would be, by code, and of
    these rules those that are; a text that is in force already is none."""
    gas, present = evaluation.list_gas_categories(conn), load_rules(conn, now)

    def is_gas(rule: Rule | None) -> bool:
        return rule is not None and is_gas_rule(rule, gas)

    held = {}
    for file, text in put.items():
        rule = parse_rule(text, file)
        newest = rules.find_newest(conn, rule.code)
        same = newest is not None and newest.source == text and not newest.retired
        if not same and (is_gas(rule) or is_gas(present.get(rule.code))):
            held[rule.code] = text
    return held, [code for code in retire if is_gas(present.get(code))]


def ask(
    conn: Connection,
    caller: Caller,
    change: RuleChange,
    foreseen: Mapping[str, Any] | None,
    why: str,
    now: datetime,
) -> Asked:
    """Store the request, after the change was tried out and taken back. `foreseen` was looked at
    before anything was locked. The events are the caller's to append."""
    if not [name for name in approvers(conn, caller.district) if name != caller.name]:
        takes = " or ".join(role.value for role in ROLES)
        raise Conflict(f"nobody else could approve it: it takes another {takes}", current={})
    orphans = try_out(conn, change, caller.name, now)
    new = NewApproval(
        kind=GAS_RULES,
        what=change.what,
        change=change.as_json(),
        before=_before(conn, caller.district, change.as_json(), now),
        shown=_shown(conn, change, orphans, foreseen, now),
    )
    return steps.ask(conn, KINDS, caller, new, why, now)


def check_categories(
    conn: Connection, codes: Sequence[str], held: Mapping[str, str], now: datetime
) -> None:
    """A rule that is still in force because its successor waits still raises cases, in every one
    of these districts."""
    present = load_rules(conn, now)
    for district in codes:
        known = {category.code for category in categories.list_in_force(conn, district)}
        for rule in (present[code] for code in held if code in present):
            if rule.opens_incident and rule.category not in known:
                raise Conflict(
                    f"rule {rule.code} raises cases of category {rule.category} until its "
                    "successor is approved: keep the category until then; nothing was changed",
                    current={"rule": rule.code, "category": rule.category},
                )


def approvers(conn: Connection, district: str) -> list[str]:
    """Names of the people who may decide."""
    return [user.name for user in users.list_users(conn, district) if user.role in ROLES]


def try_out(conn: Connection, change: RuleChange, actor: str, now: datetime) -> list[Orphan]:
    """The alarms that the change would end; raises what putting it in force would raise."""
    with conn.transaction(force_rollback=True):
        return _write(conn, change, actor, now)[1]


def _write(
    conn: Connection, change: RuleChange, actor: str, now: datetime
) -> tuple[list[NewEvent], list[Orphan]]:
    agreed = change.agreed
    done = write_rules(conn, actor, _files(change.put), now, agreed=agreed)
    events, orphans = [*done.events], [*done.orphans]
    for code in change.retire:
        gone = write_retirement(conn, actor, code, now, agreed=agreed)
        events += gone.events
        orphans += gone.orphans
    return events, orphans


def _files(put: Mapping[str, str]) -> dict[str, str]:
    return {f"rules/{code}.toml": text for code, text in put.items()}


def foresee(
    conn: Connection, put: Mapping[str, str], retire: Sequence[str], now: datetime
) -> foresight.Foresight | None:
    """What the rules would have raised and not raised lately; None where none changes."""
    if not put and not retire:
        return None
    parsed = [parse_rule(text, file) for file, text in put.items()]
    return foresight.foresee(conn, parsed, retire, now, time.monotonic)


def foreseen_json(found: foresight.Foresight | None) -> dict[str, Any] | None:
    return None if found is None else foresight.as_json(found)


def _shown(
    conn: Connection,
    change: RuleChange,
    orphans: Sequence[Orphan],
    foreseen: Mapping[str, Any] | None,
    now: datetime,
) -> dict[str, Any]:
    present = load_rules(conn, now)
    parsed = [parse_rule(text, code) for code, text in change.put.items()]
    concerned = [*parsed, *(present[code] for code in change.retire)]
    return {
        "rules": [
            {
                "code": rule.code,
                "title_zh": rule.title_zh,
                "title_en": rule.title_en,
                "before": _text(conn, rule.code),
                "after": change.put.get(rule.code, ""),
            }
            for rule in concerned
        ],
        "switch_off": change.switch_off,
        "ends": [
            {
                "alarm": orphan.alarm.id,
                "condition": orphan.alarm.condition,
                "severity": orphan.alarm.severity.value,
                "since": orphan.alarm.sensed_at.isoformat(),
                "because": orphan.because,
            }
            for orphan in orphans
        ],
        "alarms": foreseen,
    }


def _text(conn: Connection, code: str) -> str:
    newest = rules.find_newest(conn, code)
    return newest.source if newest is not None and not newest.retired else ""


# The kind, as `people.approvals` wants it


def _before(
    conn: Connection, district: str, change: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """The rules concerned as they are."""
    found: dict[str, Any] = {}
    for code in sorted({*change["put"], *change["retire"]}):
        newest = rules.find_newest(conn, code)
        if newest is not None:
            found[code] = {
                "version": newest.version, "text": newest.source, "retired": newest.retired,
            }  # fmt: skip
    return {"rules": found, FOUR_EYES: is_on(conn, district)}


def _moved(conn: Connection, approval: Approval) -> list[dict[str, Any]]:
    """Who changed the rules concerned since the request."""
    subjects = [f"rule:{code}" for code in {*approval.change["put"], *approval.change["retire"]}]
    events = [
        event
        for subject in [*sorted(subjects), SETTING_SUBJECT]
        for event in list_events(conn, subject=subject, since=approval.asked_at)
    ]
    return [
        {
            "actor": event.actor,
            "at": event.at.isoformat(timespec="seconds"),
            "what": f"{event.kind} {event.subject.partition(':')[2]}",
            "seq": event.seq,
        }
        for event in sorted(events, key=lambda e: e.seq)
    ]


def _put(conn: Connection, approval: Approval, caller: Caller, now: datetime) -> list[NewEvent]:
    change = approval.change
    wanted = RuleChange(change["put"], change["retire"], change["switch_off"], change["agreed"])
    events, _ = _write(conn, wanted, caller.name, now)
    if wanted.switch_off:
        districts.save_setting(conn, approval.district, FOUR_EYES, False, now)
        payload = {"value": False, "before": True}
        events.append(
            NewEvent(
                now, approval.district, "setting.changed", SETTING_SUBJECT, caller.name, payload
            )
        )
    return [
        NewEvent(e.at, e.district, e.kind, e.subject, e.actor,
                 {**e.payload, "asked_by": approval.asked_by, **_reason(e, approval)})
        for e in events
    ]  # fmt: skip


def _reason(event: NewEvent, approval: Approval) -> dict[str, str]:
    return {"why": approval.why} if event.kind.startswith("rule.") else {}


KINDS: Mapping[str, ApprovalKind] = {
    GAS_RULES: ApprovalKind(ROLES, alarms.lock_alarms, _before, _moved, _put),
    **shelving.KINDS,
    **lamps.KINDS,
    **duty.KINDS,
    **case_requests.KINDS,
}


# What the commands and the dashboard call


def list_approvals(
    conn: Connection, caller: Caller, *, below: int | None = None, limit: int = 100
) -> Sequence[Approval]:
    """Newest first. A dispatcher sees what dispatchers decide, what is asked for cases, and what
    they asked for themselves; whoever is bounded what lies within."""
    own = [name for name, kind in KINDS.items() if caller.role in kind.roles]
    kinds = [*own, case_requests.CASE_STEP] if caller.role is Role.DISPATCHER else None
    return approvals.list_approvals(
        conn, caller.district, below=below, limit=limit, kinds=kinds, or_asked_by=caller.name,
        within=caller.scope.codes,
    )  # fmt: skip


def may_approve(approval: Approval, caller: Caller) -> bool:
    return approval.kind in KINDS and may_decide(approval, KINDS[approval.kind].roles, caller)


def approve(
    conn: Connection, caller: Caller, number: int, digest: str, why: str, now: datetime
) -> Approval:
    return steps.approve(conn, KINDS, caller, number, digest, why, now)


def refuse(conn: Connection, caller: Caller, number: int, why: str, now: datetime) -> Approval:
    return steps.refuse(conn, KINDS, caller, number, why, now)


def person(conn: Connection, name: str, password: str, district: str) -> Caller:
    """Who acts on the command line: named, and known by their password."""
    found = users.verify(conn, name, password)
    if found is None or found.district != district:
        raise Forbidden(f"{name} is nobody of district {district}, or the password is another")
    return users.caller_of(conn, found)
