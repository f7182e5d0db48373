"""Rows that were changed and wait for their event, and to which event each of them belongs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from city.event import NewEvent
from db.pool import Connection

# Rows in one event: a reader holds an event as a whole. An import has tens of thousands.
ROWS_MAX = 500
# Events of rows that were changed without one of their own, and of those that were there before.
CHANGED, BEGAN = "row.changed", "log.began"
ROWS_SUBJECT = "log:rows"
ACTOR = "system"


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A row after its change; `body` is its element of `event.rows` as the database prints it."""

    id: int
    txid: int
    began: bool
    district: str
    subject: str
    name: str
    key: str
    body: str


@dataclass(frozen=True, slots=True)
class Told:
    """An event to append and the rows that it carries, as text; None: it carries none."""

    event: NewEvent
    rows: str | None = None


def are_waiting(conn: Connection) -> bool:
    """Whether there is anything to take."""
    row = conn.execute("SELECT EXISTS (SELECT FROM event_row_waiting)").fetchone()
    return bool(row and row[0])


def take_rows(conn: Connection) -> list[WaitingRow]:
    """Take what this transaction and committed ones left, in the order of the changes. Whoever
    calls holds the head of the log: a change that follows one of these cannot come before it."""
    with conn.cursor(row_factory=class_row(WaitingRow)) as cursor:
        rows = cursor.execute(
            """
            DELETE FROM event_row_waiting
            RETURNING id, txid, began, district, subject, name, key,
                      body::text AS body
            """
        ).fetchall()
    return sorted(rows, key=lambda row: row.id)


def give_rows(
    waiting: Sequence[WaitingRow], events: Sequence[NewEvent], txid: int, now: datetime
) -> Iterator[Told]:
    """First what was left over as events of its own, then the events with the rows of their own
    transaction `txid`: each goes to the first event about its subject, the rest to the first."""
    left = [row for row in waiting if row.txid != txid]
    own = newest_only(row for row in waiting if row.txid == txid)
    first_about = {event.subject: n for n, event in reversed(list(enumerate(events)))}
    carried: dict[int, list[WaitingRow]] = {}
    homeless = []
    for row in own:
        if row.subject in first_about:
            carried.setdefault(first_about[row.subject], []).append(row)
        else:
            homeless.append(row)
    if events and len(homeless) + len(carried.get(0, ())) <= ROWS_MAX:
        carried[0] = [*homeless, *carried.get(0, ())]
        homeless = []
    yield from tell_left([*left, *homeless], now)
    for number, event in enumerate(events):
        yield Told(event, as_text(carried.get(number, ())))


def tell_left(rows: Sequence[WaitingRow], now: datetime) -> Iterator[Told]:
    """Events for rows without one, by district; what names no district may refer to the others'
    rows and comes last."""
    for began in (True, False):
        mine = newest_only(row for row in rows if row.began is began)
        for district in sorted({row.district for row in mine}, key=lambda code: (not code, code)):
            chosen = [row for row in mine if row.district == district]
            for start in range(0, len(chosen), ROWS_MAX):
                part = chosen[start : start + ROWS_MAX]
                kind = BEGAN if began else CHANGED
                payload = {"rows": dict(Counter(row.name for row in part))}
                event = NewEvent(now, district, kind, ROWS_SUBJECT, ACTOR, payload)
                yield Told(event, as_text(part))


def newest_only(rows: Iterable[WaitingRow]) -> list[WaitingRow]:
    """Of each row what it is in the end, in the place of its first change: a row that others
    refer to comes before them."""
    found: dict[tuple[str, str], WaitingRow] = {}
    for row in rows:
        found[row.name, row.key] = row
    return list(found.values())


def as_text(rows: Sequence[WaitingRow]) -> str | None:
    """The array of these rows as the database prints it."""
    return f"[{', '.join(row.body for row in rows)}]" if rows else None
