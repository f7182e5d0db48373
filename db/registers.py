"""Registers of a district: definitions of its own, entries, how they are listed and counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from psycopg.rows import class_row

from city.errors import NotFound
from city.register import Coverage, RegisterEntry, StoredEntry
from city.scope import Scope
from db.pool import Connection
from db.row_columns import select_list
from db.scopes import cell_at

COLUMNS = select_list(StoredEntry, "register_entry")
# An entry lies where its place is; one without a place is the district's.
_INSIDE = f"""
    (%(within)s::text[] IS NULL
     OR lies_within({cell_at("register_entry")}, NULL, NULL, %(within)s))
"""
# Rows of one statement.
CHUNK = 5_000
# After every date: entries without one come last.
NEVER = date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as a data file says it, with what follows from its definition."""

    entry: RegisterEntry
    short: str
    party: str
    due_on: date | None


def list_definitions(conn: Connection, district: str) -> dict[str, str]:
    """Texts of the city's own definitions by code."""
    rows = conn.execute(
        "SELECT code, source FROM register_definition WHERE district = %s ORDER BY code",
        (district,),
    )
    return dict(rows)


def save_definition(conn: Connection, district: str, code: str, source: str, now: datetime) -> None:
    conn.execute(
        """
        INSERT INTO register_definition (district, code, source, changed_at)
        VALUES (%s, %s, %s, %s)
        ON CONFLICT (district, code) DO UPDATE
        SET source = EXCLUDED.source, changed_at = EXCLUDED.changed_at
        """,
        (district, code, source, now),
    )


def list_entries(conn: Connection, district: str, register: str) -> list[RegisterEntry]:
    """Every entry that is not retired, as its file says it."""
    with conn.cursor(row_factory=class_row(RegisterEntry)) as cursor:
        return cursor.execute(
            """
            SELECT code, state, fields, personal, geometry, lon, lat FROM register_entry
            WHERE district = %s AND register = %s AND retired_at IS NULL ORDER BY code
            """,
            (district, register),
        ).fetchall()


def list_labels(
    conn: Connection, scope: Scope, register: str, after: str, limit: int
) -> list[tuple[str, str]]:
    """Code and short code of entries after a code, in the order of their codes."""
    return conn.execute(
        f"""
        SELECT code, short FROM register_entry
        WHERE district = %(district)s AND register = %(register)s AND retired_at IS NULL
          AND code > %(after)s AND {_INSIDE}
        ORDER BY code LIMIT %(limit)s
        """,
        {
            "district": scope.district, "within": scope.codes, "register": register,
            "after": after, "limit": limit,
        },
    ).fetchall()  # fmt: skip


def mark_demo(conn: Connection, district: str, register: str, today: date, every_days: int) -> None:
    """What is in a register now came with a demonstration, and its first inspections are spread
    over the interval, the first of them a few days ago."""
    conn.execute(
        """
        UPDATE register_entry e SET demo = true, due_on = CASE WHEN %(every)s > 0
            THEN %(today)s::date - 3 + (n.number * %(every)s / n.of)::int END
        FROM (
            SELECT id, row_number() OVER (ORDER BY md5(code)) - 1 AS number, count(*) OVER () AS of
            FROM register_entry WHERE district = %(district)s AND register = %(register)s
        ) AS n
        WHERE n.id = e.id
        """,
        {"district": district, "register": register, "today": today, "every": every_days},
    )


def used_registers(conn: Connection, district: str) -> list[str]:
    """Codes of registers that have entries."""
    rows = conn.execute(
        """
        SELECT DISTINCT register FROM register_entry
        WHERE district = %s AND retired_at IS NULL ORDER BY register
        """,
        (district,),
    )
    return [code for (code,) in rows]


def missing_codes(
    conn: Connection, district: str, register: str, codes: Sequence[str]
) -> list[str]:
    """Which of these codes no entry of a register has."""
    rows = conn.execute(
        """
        SELECT wanted FROM unnest(%s::text[]) AS wanted
        WHERE NOT EXISTS (
            SELECT FROM register_entry
            WHERE district = %s AND register = %s AND code = wanted AND retired_at IS NULL)
        ORDER BY wanted
        """,
        (list(codes), district, register),
    )
    return [code for (code,) in rows]


def save_entries(
    conn: Connection, district: str, register: str, rows: Iterable[EntryRow], now: datetime
) -> None:
    """Put entries in or change them; one that was retired is back with its history. A date on
    which it is due that was set by an inspection holds until the file names another one."""
    waiting = iter(rows)
    while chunk := list(islice(waiting, CHUNK)):
        _save_chunk(conn, district, register, chunk, now)


def _save_chunk(
    conn: Connection, district: str, register: str, rows: Sequence[EntryRow], now: datetime
) -> None:
    """Many rows in one statement."""
    conn.execute(
        """
        INSERT INTO register_entry (
            district, register, code, short, state, fields, personal, party, geometry, lon, lat,
            first_due_on, due_on, created_at, changed_at)
        SELECT %(district)s, %(register)s, n.code, n.short, n.state, n.fields::jsonb,
               n.personal::jsonb, n.party, n.geometry::jsonb, n.lon, n.lat, n.due_on, n.due_on,
               %(now)s, %(now)s
        FROM unnest(
            %(code)s::text[], %(short)s::text[], %(state)s::text[], %(fields)s::text[],
            %(personal)s::text[], %(party)s::text[], %(geometry)s::text[],
            %(lon)s::float8[], %(lat)s::float8[], %(due_on)s::date[]
        ) AS n (code, short, state, fields, personal, party, geometry, lon, lat, due_on)
        ON CONFLICT (district, register, code) DO UPDATE
        SET state = EXCLUDED.state, fields = EXCLUDED.fields, personal = EXCLUDED.personal,
            party = EXCLUDED.party, geometry = EXCLUDED.geometry, lon = EXCLUDED.lon,
            lat = EXCLUDED.lat, first_due_on = EXCLUDED.first_due_on,
            due_on = CASE
                WHEN register_entry.first_due_on IS DISTINCT FROM EXCLUDED.first_due_on
                THEN EXCLUDED.first_due_on ELSE register_entry.due_on END,
            changed_at = EXCLUDED.changed_at, retired_at = NULL,
            version = register_entry.version + 1
        """,
        {
            "district": district, "register": register, "now": now,
            "code": [r.entry.code for r in rows],
            "short": [r.short for r in rows],
            "state": [r.entry.state for r in rows],
            "fields": [_json(r.entry.fields) for r in rows],
            "personal": [_json(r.entry.personal) for r in rows],
            "party": [r.party for r in rows],
            "geometry": [None if r.entry.geometry is None else _json(r.entry.geometry)
                         for r in rows],
            "lon": [r.entry.lon for r in rows],
            "lat": [r.entry.lat for r in rows],
            "due_on": [r.due_on for r in rows],
        },
    )  # fmt: skip


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False)


def retire_entries(
    conn: Connection, district: str, register: str, codes: Sequence[str], now: datetime
) -> None:
    """Entries that are in the file no more; their inspections stay."""
    conn.execute(
        """
        UPDATE register_entry SET retired_at = %s, changed_at = %s, version = version + 1
        WHERE district = %s AND register = %s AND code = ANY(%s) AND retired_at IS NULL
        """,
        (now, now, district, register, list(codes)),
    )


def entry_ids(
    conn: Connection, district: str, register: str, codes: Sequence[str]
) -> dict[str, int]:
    rows = conn.execute(
        """
        SELECT code, id FROM register_entry
        WHERE district = %s AND register = %s AND code = ANY(%s)
        """,
        (district, register, list(codes)),
    )
    return dict(rows)


def find_entry(
    conn: Connection, district: str, short: str, *, for_update: bool = False
) -> StoredEntry:
    """The entry of a QR code; nobody else changes it until the end of the transaction where it is
    asked for `for_update`."""
    with conn.cursor(row_factory=class_row(StoredEntry)) as cursor:
        found = cursor.execute(
            f"""
            SELECT {COLUMNS} FROM register_entry WHERE district = %s AND short = %s
            {"FOR UPDATE" if for_update else ""}
            """,
            (district, short),
        ).fetchone()
    if found is None:
        raise NotFound("entry", short)
    return found


def find_by_code(conn: Connection, district: str, register: str, code: str) -> StoredEntry:
    with conn.cursor(row_factory=class_row(StoredEntry)) as cursor:
        found = cursor.execute(
            f"""
            SELECT {COLUMNS} FROM register_entry
            WHERE district = %s AND register = %s AND code = %s AND retired_at IS NULL
            """,
            (district, register, code),
        ).fetchone()
    if found is None:
        raise NotFound("entry", f"{register}/{code}")
    return found


def is_inside(conn: Connection, scope: Scope, entry_id: int) -> bool:
    """Whether an entry of the district lies within."""
    row = conn.execute(
        f"SELECT {_INSIDE} FROM register_entry WHERE id = %(id)s",
        {"id": entry_id, "within": scope.codes},
    ).fetchone()
    return row == (True,)


def refuse_outside(conn: Connection, scope: Scope, entry: StoredEntry) -> None:
    """Raises `Forbidden` naming the entry, where it lies outside."""
    if not is_inside(conn, scope, entry.id):
        raise scope.refusal("entry", entry.code)


def page_entries(
    conn: Connection,
    scope: Scope,
    register: str,
    *,
    words: Sequence[str] = (),
    with_personal: bool = False,
    state: str | None = None,
    due_until: date | None = None,
    after: tuple[date, str] | None = None,
    limit: int = 100,
) -> list[StoredEntry]:
    """A page of a register, what is due longest first; every one of `words` stands somewhere in
    code or fields, personal ones `with_personal` alone."""
    with conn.cursor(row_factory=class_row(StoredEntry)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM register_entry
            WHERE district = %(district)s AND register = %(register)s AND retired_at IS NULL
              AND {_INSIDE}
              AND (%(state)s::text IS NULL OR state = %(state)s)
              AND (%(due_until)s::date IS NULL OR due_on <= %(due_until)s)
              AND (%(after_due)s::date IS NULL
                   OR (coalesce(due_on, %(never)s), code) > (%(after_due)s, %(after_code)s))
              AND NOT EXISTS (
                  SELECT FROM unnest(%(words)s::text[]) AS word
                  WHERE position(word IN lower(concat_ws(
                      ' ', code, fields::text,
                      CASE WHEN %(with_personal)s THEN personal::text END))) = 0)
            ORDER BY coalesce(due_on, %(never)s), code
            LIMIT %(limit)s
            """,
            {
                "district": scope.district, "within": scope.codes, "register": register,
                "state": state, "due_until": due_until, "never": NEVER,
                "words": [w.lower() for w in words],
                "with_personal": with_personal, "limit": limit,
                "after_due": after[0] if after else None, "after_code": after[1] if after else "",
            },
        ).fetchall()  # fmt: skip


def count_coverage(
    conn: Connection,
    scope: Scope,
    register: str,
    states: Sequence[str],
    since: date | None,
    today: date,
) -> Coverage:
    """Counts of the entries in these states; inspected `since` a day, or ever."""
    with conn.cursor(row_factory=class_row(Coverage)) as cursor:
        found = cursor.execute(
            f"""
            SELECT count(*) AS entries,
                   count(*) FILTER (
                       WHERE inspected_on >= coalesce(%(since)s::date, inspected_on)
                   ) AS inspected,
                   count(*) FILTER (WHERE NOT passed) AS failed,
                   count(*) FILTER (WHERE due_on <= %(today)s) AS due,
                   count(*) FILTER (WHERE due_on < %(today)s) AS overdue
            FROM register_entry
            WHERE district = %(district)s AND register = %(register)s AND retired_at IS NULL
              AND state = ANY(%(states)s) AND {_INSIDE}
            """,
            {
                "district": scope.district, "within": scope.codes, "register": register,
                "states": list(states), "since": since, "today": today,
            },
        ).fetchone()  # fmt: skip
    assert found is not None, "an aggregate has one row"
    return found


def note_inspection(
    conn: Connection, entry_id: int, on: date, due_on: date | None, *, passed: bool
) -> None:
    """What an entry is known by after an inspection."""
    conn.execute(
        """
        UPDATE register_entry
        SET inspected_on = %s, passed = %s, due_on = %s, version = version + 1 WHERE id = %s
        """,
        (on, passed, due_on, entry_id),
    )


def titles_of(
    conn: Connection, district: str, relations: Mapping[str, tuple[str, str]]
) -> dict[str, StoredEntry]:
    """The entries that relations of one entry lead to, by the name of the field."""
    found = {}
    for name, (register, code) in relations.items():
        try:
            found[name] = find_by_code(conn, district, register, code)
        except NotFound:
            continue
    return found
