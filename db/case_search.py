"""The documents that cases are found by: which are due, what goes into them, finding in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from city.scope import Scope
from db.pool import Connection
from db.scopes import inside

# Cases looked through newest first before the index is asked: what is common is found here.
NEWEST = 4_000
# Where no index helps, so many of the newest are looked through.
WITHOUT_INDEX = 50_000


@dataclass(frozen=True, slots=True)
class Progress:
    """Events up to `seq` are followed; of the cases from before, those below `below` wait."""

    seq: int
    below: int


@dataclass(frozen=True, slots=True)
class CaseParts:
    """Everything that is said of a case, in the order in which people see it."""

    id: int
    district: str
    parts: list[str]


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A row of `incident_text`."""

    incident_id: int
    district: str
    text: str
    sound: str
    initials: str
    grams: list[int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One term: what `text` holds, or `sound` or `initials` where these are given."""

    text: str
    sound: str | None  # regular expression; None: it is no sound
    grams: Sequence[int]


def lock_progress(conn: Connection) -> Progress | None:
    """Where to go on; None while somebody else is at it."""
    with conn.cursor(row_factory=class_row(Progress)) as cursor:
        return cursor.execute(
            "SELECT seq, below FROM incident_text_progress FOR UPDATE SKIP LOCKED"
        ).fetchone()


def save_progress(conn: Connection, progress: Progress) -> None:
    conn.execute(
        "UPDATE incident_text_progress SET seq = %s, below = %s", (progress.seq, progress.below)
    )


def list_touched(conn: Connection, after: int, limit: int) -> tuple[list[int], int]:
    """Cases that the next events of the log are about, and the last of these events."""
    rows = conn.execute(
        """
        SELECT seq, CASE WHEN subject LIKE 'incident:%%' THEN substr(subject, 10)::bigint END
        FROM event WHERE seq > %s ORDER BY seq LIMIT %s
        """,
        (after, limit),
    ).fetchall()
    return sorted({row[1] for row in rows if row[1] is not None}), rows[-1][0] if rows else after


def list_before(conn: Connection, below: int, limit: int) -> list[int]:
    """The newest cases below an id."""
    rows = conn.execute(
        "SELECT id FROM incident WHERE id < %s ORDER BY id DESC LIMIT %s", (below, limit)
    )
    return [row[0] for row in rows]


def list_parts(conn: Connection, ids: Sequence[int]) -> list[CaseParts]:
    """What is said of these cases; those that are gone are left out."""
    with conn.cursor(row_factory=class_row(CaseParts)) as cursor:
        return cursor.execute(
            """
            SELECT i.id, i.district,
                   array_remove(ARRAY[
                       i.number, i.title_zh, i.title_en, c.name_zh, c.name_en, i.description,
                       i.reported_by, i.handled_by, i.checked_by, i.unit_grid, i.category,
                       street.name, community.name, s.name_zh, s.name_en, i.squad,
                       device.code, device.name, said.text], NULL) AS parts
            FROM incident i
            LEFT JOIN incident_category c
                ON c.code = i.category AND c.version = i.category_version
            LEFT JOIN division street ON street.code = i.street
            LEFT JOIN division community ON community.code = i.community
            LEFT JOIN squad s ON s.code = i.squad
            LEFT JOIN device ON device.id = i.device_id
            LEFT JOIN LATERAL (
                SELECT string_agg(concat_ws(' ', payload->>'reporter', payload->>'note',
                                            payload->>'reason'), ' ' ORDER BY seq) AS text
                FROM event WHERE subject = 'incident:' || i.id
            ) said ON true
            WHERE i.id = ANY(%s)
            ORDER BY i.id
            """,
            (list(ids),),
        ).fetchall()


def save_rows(conn: Connection, rows: Sequence[CaseRow]) -> None:
    """Write documents; what is the same already is left alone."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO incident_text (incident_id, district, text, sound, initials, grams)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (incident_id) DO UPDATE SET
                text = excluded.text, sound = excluded.sound, initials = excluded.initials,
                grams = excluded.grams
            WHERE incident_text.text <> excluded.text
            """,
            [(r.incident_id, r.district, r.text, r.sound, r.initials, r.grams) for r in rows],
        )


def find(
    conn: Connection,
    scope: Scope,
    wanted: Sequence[Wanted],
    *,
    states: Sequence[str] | None,
    before_id: int | None,
    limit: int,
) -> list[int]:
    """Ids of the cases in which every term is found, newest first.

    A word that many cases have is found among the newest ones soon, a rare one by its grams:
    neither way alone is quick for both.
    """
    test, values = _test(wanted)
    values |= {
        "district": scope.district,
        "within": scope.codes,
        "states": None if states is None else list(states),
        "before": before_id,
        "limit": limit,
        "grams": sorted({gram for term in wanted for gram in term.grams}),
    }
    newest = NEWEST if values["grams"] else WITHOUT_INDEX
    found = _ids(
        conn,
        f"""
        SELECT t.incident_id FROM (
            SELECT * FROM incident_text
            WHERE district = %(district)s
              AND (%(before)s::bigint IS NULL OR incident_id < %(before)s)
            ORDER BY incident_id DESC LIMIT {newest}
        ) t JOIN incident i ON i.id = t.incident_id
        WHERE {test} AND (%(states)s::text[] IS NULL OR i.state = ANY(%(states)s))
          AND {inside("i")}
        ORDER BY t.incident_id DESC LIMIT %(limit)s
        """,
        values,
    )
    if len(found) >= limit or not values["grams"]:
        return found
    return _ids(
        conn,
        f"""
        WITH t AS MATERIALIZED (
            SELECT * FROM incident_text
            WHERE grams @> %(grams)s::int[] AND district = %(district)s
              AND (%(before)s::bigint IS NULL OR incident_id < %(before)s)
        )
        SELECT t.incident_id FROM t JOIN incident i ON i.id = t.incident_id
        WHERE {test} AND (%(states)s::text[] IS NULL OR i.state = ANY(%(states)s))
          AND {inside("i")}
        ORDER BY t.incident_id DESC LIMIT %(limit)s
        """,
        values,
    )


def _ids(conn: Connection, query: str, values: Mapping[str, object]) -> list[int]:
    return [row[0] for row in conn.execute(query, values)]


def _test(wanted: Sequence[Wanted]) -> tuple[str, dict[str, object]]:
    """The condition that a document meets; values go beside it, never into it."""
    parts, values = [], dict[str, object]()
    for number, term in enumerate(wanted):
        name = f"term_{number}"
        values[name] = term.text
        ways = [f"strpos(t.text, %({name})s) > 0"]
        if term.sound is not None:
            values[f"{name}_sound"] = term.sound
            ways += [f"t.sound ~ %({name}_sound)s", f"strpos(t.initials, %({name})s) > 0"]
        parts.append("(" + " OR ".join(ways) + ")")
    return " AND ".join(parts), values
