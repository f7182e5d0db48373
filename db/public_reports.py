"""What people send from the public page, until somebody has looked at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from city.errors import NotFound
from city.intake import PublicReport, ReportPhoto, draw_code
from city.scope import Scope
from db.pool import Connection
from db.row_columns import select_list
from db.scopes import inside

COLUMNS = select_list(PublicReport, "public_report")
PHOTO_COLUMNS = select_list(ReportPhoto, "public_report_photo", metres_away="NULL::int")
# Two of 2^44 numbers are hardly ever the same; several in a row never.
DRAWS = 5


@dataclass(frozen=True)
class NewReport:
    district: str
    once: str
    kind: str
    said: str
    place_said: str
    lon: float | None
    lat: float | None
    unit_grid: str | None
    street: str | None
    community: str | None
    phone: str
    received_at: datetime


@dataclass(frozen=True)
class NewPhoto:
    media_type: str
    sha256: bytes
    content: bytes
    taken_at: datetime | None
    lon: float | None
    lat: float | None
    shown: bytes | None


class Sent(NamedTuple):
    report_id: int
    code: str
    is_new: bool


def insert_report(conn: Connection, new: NewReport, photos: Sequence[NewPhoto]) -> Sent:
    """Keep a report; the same form again is the report that it was."""
    for _ in range(DRAWS):
        code = draw_code()
        try:
            with conn.transaction():
                row = conn.execute(
                    """
                    INSERT INTO public_report (district, code, once, kind, said, place_said, lon,
                                               lat, unit_grid, street, community, phone,
                                               received_at)
                    VALUES (%(district)s, %(code)s, %(once)s, %(kind)s, %(said)s, %(place_said)s,
                            %(lon)s, %(lat)s, %(unit_grid)s, %(street)s, %(community)s, %(phone)s,
                            %(received_at)s)
                    ON CONFLICT (once) DO NOTHING RETURNING id
                    """,
                    {**vars(new), "code": code},
                ).fetchone()
        except UniqueViolation:
            continue
        if row is None:
            return _sent_before(conn, new.once)
        _insert_photos(conn, int(row[0]), photos)
        return Sent(int(row[0]), code, True)
    raise AssertionError("random numbers are not random")


def _sent_before(conn: Connection, once: str) -> Sent:
    row = conn.execute("SELECT id, code FROM public_report WHERE once = %s", (once,)).fetchone()
    assert row is not None, "the insert found it"
    return Sent(int(row[0]), str(row[1]), False)


def _insert_photos(conn: Connection, report_id: int, photos: Sequence[NewPhoto]) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO public_report_photo
                (report_id, ordinal, media_type, sha256, content, taken_at, lon, lat, shown)
            VALUES (%(report_id)s, %(ordinal)s, %(media_type)s, %(sha256)s, %(content)s,
                    %(taken_at)s, %(lon)s, %(lat)s, %(shown)s)
            """,
            [
                {**vars(photo), "report_id": report_id, "ordinal": ordinal}
                for ordinal, photo in enumerate(photos, start=1)
            ],
        )


def find_by_code(conn: Connection, code: str) -> PublicReport | None:
    """A report by its number, of any district."""
    with conn.cursor(row_factory=class_row(PublicReport)) as cursor:
        return cursor.execute(
            f"SELECT {COLUMNS} FROM public_report WHERE code = %s", (code,)
        ).fetchone()


def lock_report(conn: Connection, scope: Scope, report_id: int) -> PublicReport:
    """One report of a scope, locked until the commit."""
    with conn.cursor(row_factory=class_row(PublicReport)) as cursor:
        found = cursor.execute(
            f"""
            SELECT {COLUMNS} FROM public_report
            WHERE id = %(id)s AND district = %(district)s AND {inside("public_report")}
            FOR UPDATE
            """,
            {"id": report_id, "district": scope.district, "within": scope.codes},
        ).fetchone()
    if found is None:
        raise NotFound("report", report_id)
    return found


def list_reports(
    conn: Connection,
    scope: Scope,
    *,
    state: str | None = None,
    since: datetime | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> list[PublicReport]:
    """Reports, newest first."""
    with conn.cursor(row_factory=class_row(PublicReport)) as cursor:
        return cursor.execute(
            f"""
            SELECT {COLUMNS} FROM public_report
            WHERE district = %(district)s AND {inside("public_report")}
              AND (%(state)s::text IS NULL OR state = %(state)s)
              AND (%(since)s::timestamptz IS NULL OR received_at >= %(since)s)
              AND (%(before)s::bigint IS NULL OR id < %(before)s)
            ORDER BY id DESC LIMIT %(limit)s
            """,
            {
                "district": scope.district, "within": scope.codes, "state": state,
                "since": since, "before": before_id, "limit": limit,
            },
        ).fetchall()  # fmt: skip


def decide_report(
    conn: Connection,
    report_id: int,
    state: str,
    by: str,
    now: datetime,
    *,
    reason: str = "",
    incident_id: int | None = None,
) -> None:
    """Write what was decided of a locked report."""
    conn.execute(
        """
        UPDATE public_report SET state = %s, decided_by = %s, decided_at = %s, reason = %s,
               incident_id = %s, version = version + 1
        WHERE id = %s
        """,
        (state, by, now, reason, incident_id, report_id),
    )


def list_photos(conn: Connection, report_ids: Sequence[int]) -> list[ReportPhoto]:
    """Photos of reports without their content."""
    with conn.cursor(row_factory=class_row(ReportPhoto)) as cursor:
        return cursor.execute(
            f"""
            SELECT {PHOTO_COLUMNS} FROM public_report_photo
            WHERE report_id = ANY(%s) ORDER BY report_id, ordinal
            """,
            (list(report_ids),),
        ).fetchall()


def list_contents(conn: Connection, report_id: int) -> list[NewPhoto]:
    """The photos themselves, in their order."""
    with conn.cursor(row_factory=class_row(NewPhoto)) as cursor:
        return cursor.execute(
            """
            SELECT media_type, sha256, content, taken_at, lon, lat, shown
            FROM public_report_photo WHERE report_id = %s ORDER BY ordinal
            """,
            (report_id,),
        ).fetchall()


def find_photo(conn: Connection, scope: Scope, report_id: int, ordinal: int) -> NewPhoto:
    """One photo of a report of this scope."""
    with conn.cursor(row_factory=class_row(NewPhoto)) as cursor:
        found = cursor.execute(
            f"""
            SELECT p.media_type, p.sha256, p.content, p.taken_at, p.lon, p.lat, p.shown
            FROM public_report_photo p JOIN public_report r ON r.id = p.report_id
            WHERE r.district = %(district)s AND p.report_id = %(id)s AND p.ordinal = %(ordinal)s
              AND {inside("r")}
            """,
            {
                "district": scope.district,
                "within": scope.codes,
                "id": report_id,
                "ordinal": ordinal,
            },
        ).fetchone()
    if found is None:
        raise NotFound("photo", ordinal)
    return found


def drop_photos(conn: Connection, report_id: int) -> None:
    """Nobody keeps the pictures of spam."""
    conn.execute("DELETE FROM public_report_photo WHERE report_id = %s", (report_id,))
