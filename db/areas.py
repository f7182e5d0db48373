"""Areas of a district, and what video events need there before a person sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg.types.json import Jsonb

from city.area import Area, AreaKind, geometry_of, hours_text, parse_hours, shape_of
from city.video import VideoLimit
from db.pool import Connection


def list_areas(conn: Connection, district: str) -> list[Area]:
    """Every area of a district."""
    rows = conn.execute(
        """
        SELECT code, kind, name_zh, name_en, geometry, radius_m, classes, hours, valid_from,
               valid_until, note
        FROM area WHERE district = %s ORDER BY code
        """,
        (district,),
    ).fetchall()
    found = []
    for (
        code,
        kind,
        name_zh,
        name_en,
        geometry,
        radius_m,
        classes,
        hours,
        since,
        until,
        note,
    ) in rows:
        rings, centre = shape_of(geometry)
        found.append(
            Area(
                code=code, kind=AreaKind(kind), name_zh=name_zh, name_en=name_en, rings=rings,
                centre=centre, radius_m=radius_m, classes=tuple(classes),
                hours=parse_hours(hours), valid_from=since, valid_until=until, note=note,
            )
        )  # fmt: skip
    return found


def save_areas(conn: Connection, district: str, areas: Iterable[Area]) -> None:
    """Put areas in, in the place of those of their codes."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO area (district, code, kind, name_zh, name_en, geometry, radius_m, classes,
                              hours, valid_from, valid_until, note)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (district, code) DO UPDATE
            SET kind = excluded.kind, name_zh = excluded.name_zh, name_en = excluded.name_en,
                geometry = excluded.geometry, radius_m = excluded.radius_m,
                classes = excluded.classes, hours = excluded.hours,
                valid_from = excluded.valid_from, valid_until = excluded.valid_until,
                note = excluded.note
            """,
            [
                (
                    district, a.code, a.kind.value, a.name_zh, a.name_en, Jsonb(geometry_of(a)),
                    a.radius_m, list(a.classes), hours_text(a.hours), a.valid_from, a.valid_until,
                    a.note,
                )
                for a in areas
            ],
        )  # fmt: skip


def delete_areas(conn: Connection, district: str, codes: Sequence[str]) -> None:
    conn.execute("DELETE FROM area WHERE district = %s AND code = ANY(%s)", (district, list(codes)))


def list_limits(conn: Connection, district: str) -> list[VideoLimit]:
    rows = conn.execute(
        """
        SELECT type, camera, min_confidence, min_stay_s, note FROM video_limit
        WHERE district = %s ORDER BY entry
        """,
        (district,),
    )
    return [VideoLimit(*row) for row in rows]


def save_limits(conn: Connection, district: str, limits: Iterable[VideoLimit]) -> None:
    """Put limits in, in the place of those of their entries."""
    with conn.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO video_limit
                (district, entry, type, camera, min_confidence, min_stay_s, note)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (district, entry) DO UPDATE
            SET min_confidence = excluded.min_confidence, min_stay_s = excluded.min_stay_s,
                note = excluded.note
            """,
            [
                (district, x.entry, x.type, x.camera, x.min_confidence, x.min_stay_s, x.note)
                for x in limits
            ],
        )


def delete_limits(conn: Connection, district: str, entries: Sequence[str]) -> None:
    conn.execute(
        "DELETE FROM video_limit WHERE district = %s AND entry = ANY(%s)", (district, list(entries))
    )


def judge_again(conn: Connection, district: str) -> None:
    """Areas or limits are others: what a person has not judged is looked at once more."""
    conn.execute(
        """
        UPDATE video_event SET look_at = now()
        WHERE district = %s AND review = 'pending' AND standing <> 'review'
          AND start_at > now() - interval '7 days'
        """,
        (district,),
    )
