"""What only time brings about, kind by kind: what is due in a district, and a look around the city.

A tick is several transactions, one for each district in which something is due and one for the
look around, so that evaluation waits for a district at most, and for all of them every few seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from alerts.book import AlarmBook
from alerts.causes import assess_causes
from alerts.known import InForce
from alerts.openings import LONGEST_MEMORY
from alerts.permits import judge_over
from alerts.returns import judge_returned
from alerts.rule_versions import withdraw_orphans
from alerts.save import save
from alerts.watch import KINDS
from alerts.watch.kind import Look
from db import alarms, evaluation, permits, window_looks
from db.evaluation import ListeningSince
from db.events import append_events
from db.pool import Connection

# Silence and dark lamps read the latest values of all devices; minutes matter there, not
# seconds, so the look around comes less often than the ticks.
SLOW_EVERY = timedelta(seconds=5)
# No tick for this long: the installation was off, and silence meanwhile means nothing.
GAP = timedelta(seconds=60)


def tick_by_district(conn: Connection, now: datetime) -> Iterator[int]:
    """Everything that is due at `now`, in parts: how many alarms each changed. Each is to be
    committed before the next is asked for."""
    in_force = InForce()
    in_force.refresh(conn, now)
    for district in due_districts(conn, in_force, now):
        alarms.lock_district(conn, district)
        in_force.refresh(conn, now)
        yield look_at_district(conn, in_force, district, now)
    if evaluation.is_turn_due(conn, now, SLOW_EVERY):
        alarms.lock_alarms(conn)
        in_force.refresh(conn, now)
        yield look_around(conn, in_force, now)


def due_districts(conn: Connection, in_force: InForce, now: datetime) -> list[str]:
    """Where a delay, shelving or video event is over, or a device counts again."""
    found = {
        *evaluation.list_due_districts(conn, now),
        *permits.list_due_districts(conn, now),
        *alarms.list_districts_without_cause(conn),
    }
    for kind in KINDS.values():
        found.update(kind.due(conn, in_force.of_kind(kind.name), now))
    return sorted(found)


def look_at_district(conn: Connection, in_force: InForce, district: str, now: datetime) -> int:
    """What is due in a district that the caller has locked."""
    look = Look(AlarmBook(now), in_force.rules, ListeningSince(now, now), district)
    look.book.permits = permits.list_spans_of_district(conn, district, now - LONGEST_MEMORY, now)
    look.book.permits_at = now
    look_with_kinds(conn, in_force, look, city_wide=False)
    judge_returned(conn, look.book, in_force.rules, district, now)
    look.events += judge_over(conn, look.book, in_force.rules, district, now)
    run_out_shelving(conn, look.book, district, now)
    look.events += assess_causes(conn, look.book, district, now)
    return _save(conn, look)


def look_around(conn: Connection, in_force: InForce, now: datetime) -> int:
    """One alarm when nothing arrives at all; otherwise one for each gateway and each device that
    is silent, unless a gateway's silence explains it; and whatever else is seen of the whole city
    only. The caller has locked it."""
    listening = evaluation.take_turn(conn, now, SLOW_EVERY, GAP)
    if listening is None:
        return 0
    look = Look(AlarmBook(now), in_force.rules, listening)
    withdraw_orphans(conn, look.book, in_force.rules, now)
    window_looks.forget_others(conn, list(in_force.rules), now)
    look_with_kinds(conn, in_force, look, city_wide=True)
    return _save(conn, look)


def look_with_kinds(conn: Connection, in_force: InForce, look: Look, *, city_wide: bool) -> None:
    """Every kind loads, judges and settles; what it found is in the book before the next looks."""
    for kind in KINDS.values():
        if kind.city_wide is not city_wide:
            continue
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


def _save(conn: Connection, look: Look) -> int:
    append_events(conn, [*look.events, *save(conn, look.book)])
    return look.book.changes()
