"""Write a past in bulk: events in their chain and the rows that they add up to, by COPY.

The triggers that set changed rows aside for the log are off meanwhile: the rows are in it already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from msgspec.json import encode
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from city.alarm import Alarm
from city.clock import Deadline, PauseRow
from city.event import Event, NewEvent
from city.hash_chain import chain_hash
from city.incident import Incident
from city.past import RowChange
from db.evidence import NewEvidence
from db.past_rows import RowTexts
from db.places import Place
from db.pool import Connection
from db.row_columns import names_of

# Events sent to the server at a time.
EVENTS_AT_ONCE = 2_000
EVENT_COLUMNS = (
    "seq", "at", "district", "kind", "subject", "actor", "payload", "prev_hash", "hash", "rows",
)  # fmt: skip
# Tables of the past, what they refer to first, with their columns.
TABLES: Mapping[str, tuple[str, ...]] = {
    "alarm": (*names_of(Alarm), "committed_at"),
    "incident": names_of(Incident),
    "incident_alarm": ("alarm_id", "incident_id"),
    "alarm_change": ("id", "alarm_id", "kind", "at", "taken_at"),
    "deadline": names_of(Deadline),
    "pause": names_of(PauseRow),
    "assignment": (
        "id", "incident_id", "squad", "assigned_by", "assigned_at", "acknowledged_at",
        "arrived_at", "ended_at", "end_reason", "attempt",
    ),
    "evidence": ("id", *names_of(NewEvidence), "size_bytes"),
}  # fmt: skip
NUMBERED = ("alarm", "incident", "alarm_change", "deadline", "pause", "assignment", "evidence")


@dataclass(frozen=True)
class PlacedCell:
    """A cell of the unit grid in which devices stand, and what is known of the place."""

    unit_grid: str
    street: str
    community: str
    duty_grid: str
    street_name: str
    community_name: str
    west: float
    south: float
    east: float
    north: float

    @property
    def place(self) -> Place:
        return Place(
            self.unit_grid, self.street, self.community, self.duty_grid,
            self.street_name, self.community_name,
        )  # fmt: skip


def list_cells(conn: Connection, district: str) -> list[PlacedCell]:
    """Cells of a district in which a demo device stands, by code."""
    with conn.cursor(row_factory=class_row(PlacedCell)) as cursor:
        return cursor.execute(
            """
            SELECT u.code AS unit_grid, u.street, u.community, u.duty_grid,
                   street.name AS street_name, community.name AS community_name,
                   u.west, u.south, u.east, u.north
            FROM unit_grid u
            JOIN division street ON street.code = u.street
            JOIN division community ON community.code = u.community
            WHERE u.district = %s
              AND EXISTS (SELECT FROM device d WHERE d.unit_grid = u.code AND d.demo)
            ORDER BY u.code
            """,
            (district,),
        ).fetchall()


def device_names(conn: Connection) -> dict[int, str]:
    """Names of all devices by their number."""
    return dict(conn.execute("SELECT id, name FROM device").fetchall())


class PastLog:
    """Appends events to the log, far more at a time than `db.events`; numbers rows of tables."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        row = conn.execute("SELECT seq, hash FROM event_head FOR UPDATE").fetchone()
        assert row is not None, "migration 0001 puts the head row there"
        self.seq: int = row[0]
        self._hash: bytes = bytes(row[1])
        self._waiting: list[Event] = []
        self._texts = RowTexts()
        self._numbers = Counter({table: _last_number(conn, table) for table in NUMBERED})

    def number(self, table: str) -> int:
        """The next number of a table's rows."""
        self._numbers[table] += 1
        return self._numbers[table]

    def append(self, events: Sequence[NewEvent], rows: Iterable[RowChange]) -> None:
        """The events of one transaction; its rows go to the first of them."""
        text = self._texts.as_text(rows)
        for new in events:
            self.seq += 1
            digest = chain_hash(self._hash, self.seq, new, text)
            self._waiting.append(
                Event(
                    self.seq, new.at, new.district, new.kind, new.subject, new.actor, new.payload,
                    self._hash, digest, text,
                )
            )  # fmt: skip
            self._hash, text = digest, None

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= EVENTS_AT_ONCE

    def send(self) -> list[Event]:
        """Write what waits, and give it back."""
        sent, self._waiting = self._waiting, []
        with self._conn.cursor() as cursor, cursor.copy(_copy("event", EVENT_COLUMNS)) as copy:
            for e in sent:
                copy.write_row(
                    (
                        e.seq, e.at, e.district, e.kind, e.subject, e.actor,
                        Jsonb(e.payload, encode), e.prev_hash, e.hash, e.rows,
                    )
                )  # fmt: skip
        return sent

    def finish(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Write the rows that the events add up to, and what follows their numbers."""
        self.send()
        self._conn.execute("UPDATE event_head SET seq = %s, hash = %s", (self.seq, self._hash))
        for table in TABLES:
            self._write(table, rows.get(table, ()))
        for table in NUMBERED:
            self._conn.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'), greatest(%s, 1), %s > 0)",
                (table, self._numbers[table], self._numbers[table]),
            )
        last = self._numbers["incident"] % 99_999
        self._conn.execute("SELECT setval('incident_number', %s)", (max(last, 1),))
        for table in (*TABLES, "event"):
            self._conn.execute(SQL("ANALYZE {}").format(Identifier(table)))

    def _write(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        name, columns = Identifier(table), TABLES[table]
        self._conn.execute(SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name))
        with self._conn.cursor() as cursor, cursor.copy(_copy(table, columns)) as copy:
            for row in rows:
                copy.write_row([_stored(row[column]) for column in columns])
        self._conn.execute(SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(name))


def _copy(table: str, columns: Sequence[str]) -> Any:
    names = SQL(", ").join(map(Identifier, columns))
    return SQL("COPY {} ({}) FROM STDIN").format(Identifier(table), names)


def _stored(value: Any) -> Any:
    if isinstance(value, dict | list):
        return Jsonb(value, encode)
    return value.value if isinstance(value, Enum) else value


def _last_number(conn: Connection, table: str) -> int:
    row = conn.execute(
        SQL("SELECT coalesce(max(id), 0) FROM {}").format(Identifier(table))
    ).fetchone()
    return int(row[0]) if row else 0


def is_untouched(conn: Connection, since: datetime) -> bool:
    """Whether nothing has happened yet: no case, no alarm, no event after this moment."""
    row = conn.execute(
        """
        SELECT NOT EXISTS (SELECT FROM incident) AND NOT EXISTS (SELECT FROM alarm)
           AND NOT EXISTS (SELECT FROM event WHERE at > %s)
        """,
        (since,),
    ).fetchone()
    return bool(row and row[0])
