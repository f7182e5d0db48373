"""What only time brings about, kind by kind: what is due in a district, and a look around the city.

A tick is several transactions, one for each district in which something is due and one for the
look around, so that evaluation waits for a district at most, and for all of them every few seconds.
It waits for gas as for anything: what takes long is read before a lock is taken, and only kinds
that are due are looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from alerts.book import AlarmBook
from alerts.causes import say_causes, weigh_causes
from alerts.known import InForce
from alerts.openings import LONGEST_MEMORY
from alerts.permits import judge_over
from alerts.returns import judge_returned
from alerts.rule_versions import withdraw_orphans
from alerts.save import save
from alerts.watch import KINDS
from alerts.watch.kind import Kind, Look
from db import alarms, evaluation, permits, window_looks
from db.evaluation import ListeningSince
from db.events import append_events
from db.pool import Connection

# Silence and dark lamps read the latest values of all devices; minutes matter there, not
# seconds, so the look around comes less often than the ticks.
SLOW_EVERY = timedelta(seconds=5)
# No tick for this long: the installation was off, and silence meanwhile means nothing.
GAP = timedelta(seconds=60)
# Transactions for one district in a tick, each with a part of what rules over windows have to do.
MOST_PARTS = 5


def tick_by_district(conn: Connection, now: datetime) -> Iterator[int]:
    """Everything that is due at `now`, in parts: how many alarms each changed. Each is to be
    committed before the next is asked for."""
    in_force = InForce()
    in_force.refresh(conn, now)
    for district, kinds in due_districts(conn, in_force, now).items():
        parts, due = 0, kinds
        while parts < MOST_PARTS and (due or not parts):
            ahead = {
                name: KINDS[name].read_district_ahead(conn, in_force.of_kind(name), district, now)
                for name in due
            }
            alarms.lock_district(conn, district)
            in_force.refresh(conn, now)
            look = look_at_district(conn, in_force, district, due, now, ahead)
            yield look.book.changes()
            parts, due = parts + 1, look.more
    for district in alarms.list_districts_without_cause(conn):
        weighed = weigh_causes(conn, district, now)
        alarms.lock_district(conn, district)
        yield say_causes(conn, weighed, now)
    if evaluation.is_turn_due(conn, now, SLOW_EVERY):
        ahead = {
            kind.name: kind.read_ahead(conn, in_force.of_kind(kind.name), now)
            for kind in KINDS.values()
            if kind.city_wide
        }
        alarms.lock_alarms(conn)
        in_force.refresh(conn, now)
        yield look_around(conn, in_force, ahead, now)


def due_districts(conn: Connection, in_force: InForce, now: datetime) -> dict[str, set[str]]:
    """Where a delay, shelving or video event is over, or a device counts again: the kinds of rules
    for which something is due, by district."""
    beside = {*evaluation.list_due_districts(conn, now), *permits.list_due_districts(conn, now)}
    found: dict[str, set[str]] = {district: set() for district in beside}
    for kind in KINDS.values():
        for district in kind.due(conn, in_force.of_kind(kind.name), now):
            found.setdefault(district, set()).add(kind.name)
    return dict(sorted(found.items()))


def look_at_district(
    conn: Connection,
    in_force: InForce,
    district: str,
    kinds: Collection[str],
    now: datetime,
    ahead: Mapping[str, Any],
) -> Look:
    """What is due in a district that the caller has locked, of these kinds of rules and beside;
    the look says which of them have more to do."""
    look = Look(AlarmBook(now), in_force.rules, ListeningSince(now, now), district, ahead=ahead)
    look.book.permits = permits.list_spans_of_district(conn, district, now - LONGEST_MEMORY, now)
    look.book.permits_at = now
    look_with_kinds(conn, in_force, look, [kind for kind in KINDS.values() if kind.name in kinds])
    judge_returned(conn, look.book, in_force.rules, district, now)
    look.events += judge_over(conn, look.book, in_force.rules, district, now)
    run_out_shelving(conn, look.book, district, now)
    _save(conn, look)
    return look


def look_around(
    conn: Connection, in_force: InForce, ahead: Mapping[str, Any], now: datetime
) -> int:
    """One alarm when nothing arrives at all; otherwise one for each gateway and each device that
    is silent, unless a gateway's silence explains it; and whatever else is seen of the whole city
    only. The caller has locked it."""
    listening = evaluation.take_turn(conn, now, SLOW_EVERY, GAP)
    if listening is None:
        return 0
    look = Look(AlarmBook(now), in_force.rules, listening, ahead=ahead)
    withdraw_orphans(conn, look.book, in_force.rules, now)
    window_looks.forget_others(conn, list(in_force.rules), now)
    look_with_kinds(conn, in_force, look, [kind for kind in KINDS.values() if kind.city_wide])
    _save(conn, look)
    return look.book.changes()


def look_with_kinds(
    conn: Connection, in_force: InForce, look: Look, kinds: Iterable[Kind[Any, Any]]
) -> None:
    """Every kind loads, judges and settles; what it found is in the book before the next looks."""
    for kind in kinds:
        rules = in_force.of_kind(kind.name)
        state = kind.load(conn, rules, look)
        if state is None:
            continue
        findings = list(kind.judge(rules, state, look.now))
        for found in findings:
            look.book.take(found)
        kind.settle(conn, state, findings, look)


def run_out_shelving(conn: Connection, book: AlarmBook, district: str, now: datetime) -> None:
    """Shelving is always for a time; after it an alarm that stands is announced again."""
    over = evaluation.list_shelving_over(conn, district, now)
    book.add(alarms.list_live_alarms(conn, conditions=over))
    for condition in over:
        alarm = book.find(condition)
        if alarm is not None and alarm.shelved_until is not None and alarm.shelved_until <= now:
            book.run_out(condition)


def _save(conn: Connection, look: Look) -> None:
    append_events(conn, [*look.events, *save(conn, look.book)])
