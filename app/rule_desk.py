"""The desk of the rules: looked at, tried on the past, put in force, by one person or by two.

A change is applied as the trial that it was looked at in: the same text, on the same versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from alerts.gas_rules import is_gas_rule
from alerts.known import load_rules
from alerts.limits import ReadingRule
from alerts.rule_files import parse_rule, rule_from
from alerts.rule_form import Form, as_json, change_text, read_form
from alerts.rules import Rule
from alerts.sanity import Grade, look_at
from alerts.steps import write_retirement, write_rules
from alerts.trial import concerned
from app import four_eyes
from app.four_eyes import RuleChange
from city.approval import ApprovalState, check_why
from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.event import NewEvent
from city.incident import Role
from city.person import Caller
from city.rule_pages import (
    AppliedTrial,
    FormAnswer,
    RuleAnswer,
    RuleItem,
    RuleVersionItem,
    TrialAnswer,
)
from db import alarms, approvals, evaluation, rule_history, rule_trials, rules
from db.events import append_events, list_events
from db.pool import Connection
from db.rule_history import ListedRule, RuleVersion
from db.rule_trials import TrialRow
from db.scopes import refuse_not_whole

EDITORS = frozenset({Role.ADMIN, Role.GAS_ENGINEER})
LATELY = timedelta(days=30)
# What was tried longer ago says nothing of the last 30 days.
FRESH = timedelta(hours=24)
WAITING_LISTED = 100


def list_rules(conn: Connection, caller: Caller, now: datetime) -> list[RuleItem]:
    """Every rule there is or was, by code."""
    gas, waits = evaluation.list_gas_categories(conn), _waiting(conn, caller.district, now)
    found = rule_history.list_rules(conn, caller.district, now - LATELY)
    return [_item(row, gas, waits.get(row.code), now) for row in found]


def show_rule(conn: Connection, caller: Caller, code: str, now: datetime) -> RuleAnswer:
    """One rule with all its versions."""
    item = next((item for item in list_rules(conn, caller, now) if item.code == code), None)
    if item is None:
        raise NotFound("rule", code)
    gone = rule_history.list_retirements(conn, code)
    newest = gone[0] if gone and item.state == "retired" else None
    beside = [
        other.code
        for other in load_rules(conn, now).values()
        if other.condition == item.condition and other.code != code
    ]
    return RuleAnswer(
        rule=item,
        versions=[_version(row) for row in rule_history.list_versions(conn, code)],
        retired=None if newest is None else {
            "at": newest.at, "actor": newest.actor, "why": newest.why or "",
        },
        beside=sorted(beside),
        may_change=caller.role in EDITORS and caller.within is None,
    )  # fmt: skip


def read_text(
    conn: Connection, caller: Caller, text: str, put: Mapping[str, Any], now: datetime
) -> FormAnswer:
    """A text as a form, after other values were put into it. A fault is part of the answer."""
    form = read_form(text)
    if put and form.table is None:
        raise InvalidInput("text", form.fault.value if form.fault else "", "is not valid TOML")
    if put:
        form = read_form(change_text(text, put))
    in_force = load_rules(conn, now)
    rule, table = form.rule, form.table or {}
    code = str(table.get("code", ""))
    known = rules.find_newest(conn, code) if code else None
    return FormAnswer(
        **as_json(form),
        remarks=[remark.as_json() for remark in look_at(rule, in_force.values())] if rule else [],
        code=code,
        known=None if known is None else known.version,
        gas=_is_gas(conn, form, in_force),
    )


def start_trial(
    conn: Connection, caller: Caller, put: str, retire: str, version: int | None, now: datetime
) -> TrialAnswer:
    """Have a text, or the end of a rule, tried on the past. `version` is the newest one that the
    person looked at."""
    _need_editor(caller)
    if bool(put) == bool(retire):
        raise InvalidInput("text", None, "is one of text and retire")
    in_force = load_rules(conn, now)
    rule = parse_rule(put) if put else None
    code = rule.code if rule else retire
    newest = rules.find_newest(conn, code)
    _check_version(conn, code, newest.version if newest else None, version)
    if rule is None and code not in in_force:
        raise NotFound("rule in force", code)
    if rule is not None:
        if newest is not None and newest.source == put and not newest.retired:
            raise InvalidInput("text", code, "is in force already as it is")
        for remark in look_at(rule, in_force.values()):
            if remark.grade is Grade.ERROR:
                raise InvalidInput(f"rule: {remark.field}", remark.value, remark.text("en"))
    change = {"put": {code: put} if rule else {}, "retire": [] if rule else [code]}
    made_on = _versions(conn, change, now)
    found = rule_trials.insert_trial(conn, caller.district, change, made_on, caller.name, now)
    return find_trial(conn, caller, found, now)


def find_trial(conn: Connection, caller: Caller, trial_id: int, now: datetime) -> TrialAnswer:
    """How far a trial is, and what it found."""
    row = _find(conn, caller, trial_id)
    return TrialAnswer(
        id=row.id, state=row.state, share=row.share, asked_by=row.asked_by, asked_at=row.asked_at,
        put=row.change["put"], retire=row.change["retire"], result=row.result, problem=row.problem,
        moved=_moved(conn, row, now),
    )  # fmt: skip


def cancel_trial(conn: Connection, caller: Caller, trial_id: int, now: datetime) -> TrialAnswer:
    """Nobody waits for it any more."""
    row = _find(conn, caller, trial_id)
    if row.asked_by != caller.name:
        raise Forbidden(f"{row.asked_by} asked for it")
    rule_trials.cancel(conn, trial_id, now)
    return find_trial(conn, caller, trial_id, now)


def apply_trial(
    conn: Connection, caller: Caller, trial_id: int, why: str, accept: bool, now: datetime
) -> AppliedTrial:
    """Put in force what was tried, or ask for a second person where the city has four eyes and it
    is gas safety. Refused where the rules concerned have changed since, with who changed what."""
    _need_editor(caller)
    why = check_why(why)
    row = _find(conn, caller, trial_id)
    if row.asked_by != caller.name:
        raise Forbidden(f"{row.asked_by} asked for it: try it yourself")
    if row.state != "done" or row.result is None:
        raise Conflict("the change was not tried on the past to the end", current={
            "refused": "not_tried", "state": row.state,
        })  # fmt: skip
    if now - row.asked_at > FRESH:
        raise Conflict("it was tried too long ago: try it again", current={"refused": "old"})
    asked = [r for r in row.result["remarks"] if r["grade"] == Grade.ASK]
    if asked and not accept:
        raise InvalidInput("accept", False, f"must be true: {len(asked)} remarks are to be agreed")
    alarms.lock_alarms(conn)
    if moved := _moved(conn, row, now):
        raise _stale(moved)
    change = RuleChange(
        row.change["put"], row.change["retire"], agreed=[e["id"] for e in row.result["ends"]]
    )
    on = four_eyes.district_of_rules(conn, caller.district)
    held, gone = four_eyes.gas_rules_among(conn, _files(change.put), change.retire, now)
    if on is not None and (held or gone):
        if on != caller.district:
            raise Forbidden(f"gas safety rules are changed by people of district {on}")
        waiting = four_eyes.ask(conn, caller, change, row.result["alarms"], why, now)
        append_events(conn, waiting.events)
        return AppliedTrial([], waiting.approval.id)
    events, applied = _write(conn, caller, change, now)
    append_events(conn, [_with_reason(event, why) for event in events])
    return AppliedTrial(applied, None)


def _write(
    conn: Connection, caller: Caller, change: RuleChange, now: datetime
) -> tuple[list[NewEvent], list[str]]:
    done = write_rules(conn, caller.name, _files(change.put), now, agreed=change.agreed)
    events, applied = [*done.events], [*done.rules]
    for code in change.retire:
        gone = write_retirement(conn, caller.name, code, now, agreed=change.agreed)
        events += gone.events
        applied += gone.rules
    return events, applied


def _files(put: Mapping[str, str]) -> dict[str, str]:
    return {f"rules/{code}.toml": text for code, text in put.items()}


def _with_reason(event: NewEvent, why: str) -> NewEvent:
    """Beside what became of the rule; alarms that end have reasons of their own."""
    if not event.kind.startswith("rule."):
        return event
    return replace(event, payload={**event.payload, "why": why})


def _need_editor(caller: Caller) -> None:
    if caller.role not in EDITORS:
        raise Forbidden(f"role {caller.role.value} may not do this")
    refuse_not_whole(caller.scope, "a rule")


def _find(conn: Connection, caller: Caller, trial_id: int) -> TrialRow:
    row = rule_trials.find_trial(conn, trial_id)
    if row is None or row.district != caller.district:
        raise NotFound("trial", trial_id)
    return row


def _check_version(conn: Connection, code: str, newest: int | None, seen: int | None) -> None:
    """Whoever looked at an older version is told who changed it since, and what it is now."""
    if newest is None or seen is None or newest == seen:
        return
    rows = [v for v in rule_history.list_versions(conn, code) if v.version > seen]
    raise _stale([_change_of(code, row) for row in reversed(rows)])


def _versions(conn: Connection, change: Mapping[str, Any], now: datetime) -> dict[str, int]:
    """What a change is made on: the newest version of each rule concerned, 0 of what is new, and
    minus the version of one that is out of force."""
    before = load_rules(conn, now)
    put = [parse_rule(text, code) for code, text in change["put"].items()]
    codes = {*(rule.code for rule in put), *change["retire"]}
    about = concerned(codes, before.values(), put)
    found = {code: rule.version for code, rule in before.items()
             if (rule.condition, rule.watch) in about}  # fmt: skip
    for code in codes - found.keys():
        newest = rules.find_newest(conn, code)
        found[code] = 0 if newest is None else newest.version * (-1 if newest.retired else 1)
    return found


def _moved(conn: Connection, row: TrialRow, now: datetime) -> list[dict[str, Any]]:
    """Who changed the rules concerned since the trial was asked for, and to what."""
    if row.state in ("cancelled", "failed"):
        return []
    present = _versions(conn, row.change, now)
    if present == row.made_on:
        return []
    found = []
    for code in sorted(present.keys() | row.made_on.keys()):
        if present.get(code) == row.made_on.get(code):
            continue
        for event in list_events(conn, subject=f"rule:{code}", since=row.asked_at):
            found.append(_told(conn, code, event.kind, event.actor, event.at, event.payload))
    return found or [{"actor": "", "at": now, "what": "rule.applied", "code": "", "version": 0,
                      "why": "", "text": ""}]  # fmt: skip


def _change_of(code: str, row: RuleVersion) -> dict[str, Any]:
    return {
        "actor": row.actor or row.applied_by, "at": row.at or row.valid_from,
        "what": "rule.applied", "code": code, "version": row.version, "why": row.why or "",
        "text": row.source,
    }  # fmt: skip


def _told(
    conn: Connection, code: str, kind: str, actor: str, at: datetime, payload: Mapping[str, Any]
) -> dict[str, Any]:
    versions = {v.version: v for v in rule_history.list_versions(conn, code)}
    version = int(payload.get("version", 0))
    text = versions[version].source if version in versions and kind == "rule.applied" else ""
    return {
        "actor": actor, "at": at, "what": kind, "code": code, "version": version,
        "why": payload.get("why", ""), "text": text,
    }  # fmt: skip


def _stale(moved: Sequence[Mapping[str, Any]]) -> Conflict:
    who = "; ".join(
        f"{m['actor'] or 'somebody'}, {m['at'].isoformat(timespec='seconds')}: {m['what']} "
        f"{m['code']} version {m['version']}" for m in moved
    )  # fmt: skip
    return Conflict(
        f"the rules have changed since ({who}); look at what they are now and try it again",
        current={"refused": "stale", "changed": [
            {**m, "at": m["at"].isoformat(timespec="seconds")} for m in moved
        ]},
    )  # fmt: skip


def _waiting(conn: Connection, district: str, now: datetime) -> dict[str, int]:
    """Approvals that would change a rule, by its code."""
    found: dict[str, int] = {}
    for item in approvals.list_approvals(conn, district, below=None, limit=WAITING_LISTED):
        if item.standing(now) is ApprovalState.WAITING and item.kind == four_eyes.GAS_RULES:
            for code in (*item.change["put"], *item.change["retire"]):
                found.setdefault(code, item.id)
    return found


def _item(row: ListedRule, gas: frozenset[str], waits: int | None, now: datetime) -> RuleItem:
    over = row.retired_at is not None and row.retired_at <= now
    try:
        rule: Rule | None = rule_from(row.definition, row.code, row.version)
    except InvalidInput:  # one of an earlier product, long out of force
        rule = None
    text = row.definition
    return RuleItem(
        code=row.code,
        version=row.version,
        state="retired" if over else "planned" if row.valid_from > now else "in_force",
        title_zh=str(text.get("title_zh", row.code)),
        title_en=str(text.get("title_en", row.code)),
        watch=rule.watch if rule else str(text.get("watch", "")),
        condition=rule.condition if rule else "",
        category=rule.category if rule else "",
        kinds=sorted(rule.kinds) if rule else [],
        metric=rule.metric.name if isinstance(rule, ReadingRule) else "",
        levels=[
            {"severity": int(lv.severity), "limit": lv.limit, "attribute": lv.limit_attribute,
             "on_delay_s": lv.on_delay.total_seconds()}
            for lv in (rule.levels if rule else ())
        ],
        gas=rule is not None and is_gas_rule(rule, gas),
        valid_from=row.valid_from,
        retired_at=row.retired_at,
        applied_by=row.applied_by,
        live=row.live,
        lately=row.lately,
        waits=waits,
    )  # fmt: skip


def _version(row: RuleVersion) -> RuleVersionItem:
    return RuleVersionItem(
        version=row.version, text=row.source, valid_from=row.valid_from,
        retired_at=row.retired_at, applied_by=row.actor or row.applied_by, at=row.at,
        asked_by=row.asked_by, why=row.why or "", approval=row.approval,
    )  # fmt: skip


def _is_gas(conn: Connection, form: Form, in_force: Mapping[str, Rule]) -> bool:
    gas = evaluation.list_gas_categories(conn)
    code = str((form.table or {}).get("code", ""))
    both = [rule for rule in (form.rule, in_force.get(code)) if rule is not None]
    return any(is_gas_rule(rule, gas) for rule in both)
