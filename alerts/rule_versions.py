"""Rules are put in force and retired; the alarms that they orphan are ended with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from alerts.book import SYSTEM, AlarmBook
from alerts.known import load_rules
from alerts.lifecycle import Input
from alerts.limits import ReadingRule, applies_to
from alerts.orphans import Kept, Orphan, is_due_still, look_for_orphans
from alerts.rule_files import as_definition, parse_rule
from alerts.rules import Rule
from alerts.sanity import Grade, look_at
from alerts.save import save, timer_from
from city.errors import Conflict, InvalidInput, NotFound
from city.event import NewEvent
from db import alarms, evaluation, returns, rule_timers, rules
from db.events import append_events
from db.pool import Connection

# Whoever ships the product; what an operator applied or retired is never replaced by a default.
SHIPPED = "system"
EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Applied:
    """What came into force, as "code version n", the alarms that this ended, and its events."""

    rules: Sequence[str]
    orphans: Sequence[Orphan]
    events: Sequence[NewEvent]


def apply_rules(
    conn: Connection,
    caller_name: str,
    toml_texts: Mapping[str, str] | Iterable[str],
    now: datetime,
) -> list[str]:
    """Put rule files in force with nobody to ask; a text that is in force already is skipped.

    An alarm that no rule can end any more waits for somebody to acknowledge its end; every other
    stands on until a reading ends it.
    """
    return list(put_in_force(conn, caller_name, toml_texts, now).rules)


def put_in_force(
    conn: Connection,
    caller_name: str,
    toml_texts: Mapping[str, str] | Iterable[str],
    now: datetime,
    *,
    agreed: Collection[int] | None = None,
) -> Applied:
    """Put rule files in force as new versions; a text that is in force already is skipped.

    `agreed` are the alarms whose end a person has agreed to; gas alarms that are not among them
    are a `Conflict`, and nothing is changed. None: nobody is there to be asked.
    """
    done = write_rules(conn, caller_name, toml_texts, now, agreed=agreed)
    append_events(conn, done.events)
    return done


def write_rules(
    conn: Connection,
    caller_name: str,
    toml_texts: Mapping[str, str] | Iterable[str],
    now: datetime,
    *,
    agreed: Collection[int] | None = None,
) -> Applied:
    """The same for whoever changes more than rules: the events are theirs to append, last."""
    if not isinstance(toml_texts, Mapping):
        toml_texts = {f"rule file {i}": text for i, text in enumerate(toml_texts, start=1)}
    parsed = [(parse_sane(text, name), text) for name, text in toml_texts.items()]
    alarms.lock_alarms(conn)
    before = load_rules(conn, now)
    events, applied = [], []
    for rule, text in parsed:
        version = _store(conn, rule, text, caller_name, now)
        if version is not None:
            applied.append(f"{rule.code} version {version}")
            events.append(_rule_entry(conn, rule, version, caller_name, now))
    if not applied:
        return Applied([], [], [])
    orphans, ended = _settle(conn, before, caller_name, now, agreed)
    return Applied(applied, orphans, [*events, *ended])


def parse_sane(text: str, file: str) -> Rule:
    """A rule that can never raise, or never clear, is an error like a misspelt field."""
    rule = parse_rule(text, file)
    for remark in look_at(rule):
        if remark.grade is Grade.ERROR:
            raise InvalidInput(f"{file}: {remark.field}", remark.value, remark.text("en"))
    return rule


def retire_rule(
    conn: Connection, caller_name: str, code: str, now: datetime, *, agreed: Collection[int]
) -> list[Orphan]:
    """Take a rule out of force; the alarms that this ended, as in `put_in_force`."""
    done = write_retirement(conn, caller_name, code, now, agreed=agreed)
    append_events(conn, done.events)
    return list(done.orphans)


def write_retirement(
    conn: Connection, caller_name: str, code: str, now: datetime, *, agreed: Collection[int]
) -> Applied:
    """The same for whoever changes more than this rule: the events are theirs to append, last."""
    alarms.lock_alarms(conn)
    before = load_rules(conn, now)
    if code not in before:
        raise NotFound("rule in force", code)
    rules.retire(conn, code, now)
    entry = _rule_entry(conn, before[code], before[code].version, caller_name, now, "rule.retired")
    orphans, ended = _settle(conn, before, caller_name, now, agreed)
    return Applied([code], orphans, [entry, *ended])


def withdraw_orphans(
    conn: Connection, book: AlarmBook, in_force: Mapping[str, Rule], now: datetime
) -> None:
    """End what no rule can end any more, with nobody to ask: a version that came into force later
    than it was applied, or a device that was changed."""
    if not in_force:
        return  # nothing was ever applied: nobody knows what should stand
    in_hand = {page.alarm.id for page in book.pages if page.changes or page.touched}
    found = [o for o in look_for_orphans(conn, in_force, now) if o.alarm.id not in in_hand]
    _end(conn, book, found, in_force, SYSTEM, None, now)
    rule_timers.delete_timers_of_others(conn, sorted(in_force))


def _settle(
    conn: Connection,
    before: Mapping[str, Rule],
    caller_name: str,
    now: datetime,
    agreed: Collection[int] | None,
) -> tuple[list[Orphan], list[NewEvent]]:
    """Bring alarms and delays in line with the rules in force now; answers what is to be told."""
    after = load_rules(conn, now)
    changed = {code for code in before if code in after and _differ(before[code], after[code])}
    _drop_timers(conn, [after[code] for code in sorted(changed)])
    found = look_for_orphans(conn, after, now, changed if agreed is not None else ())
    orphans = [item for item in found if isinstance(item, Orphan)]
    _check_agreed(orphans, agreed)
    book = AlarmBook(now)
    _end(conn, book, found, after, caller_name, agreed, now)
    events = save(conn, book)
    rule_timers.delete_timers_of_others(conn, sorted(after))
    return orphans, events


def _check_agreed(orphans: Iterable[Orphan], agreed: Collection[int] | None) -> None:
    missing = [o for o in orphans if agreed is not None and o.gas and o.alarm.id not in agreed]
    if missing:
        names = ", ".join(orphan.alarm.condition for orphan in missing)
        raise Conflict(
            f"this would end gas alarms that nobody agreed to end: {names}; nothing was changed",
            current={"alarms": [orphan.alarm.id for orphan in missing]},
        )


def _end(
    conn: Connection,
    book: AlarmBook,
    found: Iterable[Orphan | Kept],
    after: Mapping[str, Rule],
    actor: str,
    agreed: Collection[int] | None,
    now: datetime,
) -> None:
    """Write the verdicts into the book; who lost an alarm is judged anew by its latest values."""
    ended = []
    for item in found:
        book.add([item.alarm])
        if isinstance(item, Kept):
            holder = after[item.levels.standing[0]]
            book.hand_over(item.alarm.condition, item.levels, holder)
            continue
        if agreed is None or item.alarm.latch_s is not None:
            book.withdraw(item.alarm.condition, item.facts)
        else:
            book.act(item.alarm.condition, Input.END, actor, item.facts)
        ended.append(item.alarm.device_id)
    returns.judge_at(conn, [device_id for device_id in ended if device_id is not None], now)


def _drop_timers(conn: Connection, changed: Iterable[Rule]) -> None:
    """On-delays that would not have begun under the new terms; those of other kinds than readings
    begin anew."""
    for rule in changed:
        rows = rule_timers.list_timers_of_rule(conn, rule.code)
        found = evaluation.list_watched_devices(conn, [row.device_id for row in rows])
        devices = {device.id: device for device in found}
        over = [
            row.condition
            for row in rows
            if not isinstance(rule, ReadingRule)
            or not applies_to(rule, devices[row.device_id])
            or not is_due_still(rule, timer_from(row), devices[row.device_id])
        ]
        rule_timers.delete_timers(conn, over)


def _differ(one: Rule, other: Rule) -> bool:
    """Whether two versions judge differently."""
    return _terms(one) != _terms(other)


def _terms(rule: Rule) -> Rule:
    return replace(rule, title_zh="", title_en="", source="", version=0, valid_from=EVER, help=None)


def _store(conn: Connection, rule: Rule, text: str, caller_name: str, now: datetime) -> int | None:
    """Store a version; None where nothing changes."""
    newest = rules.find_newest(conn, rule.code)
    if newest is not None and newest.source == text and not newest.retired:
        return None
    own = newest is not None and (newest.applied_by != SHIPPED or newest.retired)
    if own and caller_name == SHIPPED:
        return None
    version = newest.version + 1 if newest else 1
    rules.insert_version(
        conn,
        code=rule.code,
        version=version,
        source=text,
        definition=as_definition(text),
        # What was in force in the past stays as it was.
        valid_from=max(rule.valid_from, now) if newest else rule.valid_from,
        applied_by=caller_name,
    )
    return version


def _rule_entry(
    conn: Connection,
    rule: Rule,
    version: int,
    caller_name: str,
    now: datetime,
    kind: str = "rule.applied",
) -> NewEvent:
    centre = evaluation.find_centre(conn)
    payload: dict[str, Any] = {"rule": rule.code, "version": version, "title_en": rule.title_en}
    return NewEvent(
        at=now,
        district=centre[0] if centre else "",
        kind=kind,
        subject=f"rule:{rule.code}",
        actor=caller_name,
        payload=payload,
    )
