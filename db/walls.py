"""What the walls show beside the event log: newest values of devices, the district, the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from city.reading import SHOWN_METRICS
from city.scope import Scope
from columns.readings import CLOCKS_AGREE
from db.arrays import POSTGRES_EPOCH_US, read_columns
from db.pool import Connection
from db.scopes import inside

_NO_RANK = len(SHOWN_METRICS)

# Of the metric that a device's dot shows: its name, the newest value and its time; and when the
# device was heard last. Times in epoch milliseconds.
Newest = tuple[str, float, int, int]


def list_newest(conn: Connection, district: str) -> dict[int, Newest]:
    """By device; one pass over the latest-value table. A value of the future is as old as its
    receipt, so that the next one is newer."""
    names = dict(conn.execute("SELECT id, name FROM metric").fetchall())
    with conn.cursor(binary=True) as cursor:
        cursor.execute(
            """
            SELECT array_agg(l.device_id), array_agg(l.metric_id),
                   array_agg(least(l.ts, l.received_at + %s)), array_agg(l.received_at),
                   array_agg(l.value)
            FROM device_latest l JOIN device d ON d.id = l.device_id
            WHERE d.district = %s
            """,
            (CLOCKS_AGREE, district),
        )
        columns = read_columns(cursor, (">i4", ">i2", ">i8", ">i8", ">f8"))
    return _newest(names, *columns) if len(columns[0]) else {}


def _newest(
    names: dict[int, str],
    devices: NDArray[Any],
    metrics: NDArray[Any],
    ts: NDArray[Any],
    received: NDArray[Any],
    values: NDArray[Any],
) -> dict[int, Newest]:
    ranks = np.full(max(names) + 1, _NO_RANK)
    for metric_id, name in names.items():
        if name in SHOWN_METRICS:
            ranks[metric_id] = SHOWN_METRICS.index(name)
    order = np.lexsort((metrics, ranks[metrics], devices))
    first = np.flatnonzero(np.diff(devices[order], prepend=-1))
    shown = order[first]
    rows = zip(
        [names[metric_id] for metric_id in metrics[shown].tolist()],
        values[shown].tolist(),
        _as_ms(ts[shown]),
        _as_ms(np.maximum.reduceat(received[order], first)),
        strict=True,
    )
    return dict(zip(devices[shown].tolist(), rows, strict=True))


def _as_ms(postgres_us: NDArray[Any]) -> list[int]:
    found: list[int] = np.rint((postgres_us + POSTGRES_EPOCH_US) / 1000).astype(int).tolist()
    return found


@dataclass(frozen=True, slots=True)
class District:
    """The district a wall shows; `outline` is a GeoJSON geometry."""

    code: str
    name_zh: str
    name_en: str
    outline: dict[str, Any]
    timezone: str


def find_district(conn: Connection, code: str) -> District | None:
    """One district by its code."""
    with conn.cursor(row_factory=class_row(District)) as cursor:
        return cursor.execute(
            "SELECT code, name_zh, name_en, outline, timezone FROM district WHERE code = %s",
            (code,),
        ).fetchone()


def list_districts(conn: Connection) -> list[str]:
    """Codes of all districts."""
    return [row[0] for row in conn.execute("SELECT code FROM district ORDER BY code")]


def has_demo_rows(conn: Connection, district: str) -> bool:
    """Whether anything on this map was invented."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM device WHERE district = %s AND demo)", (district,)
    ).fetchone()
    return bool(row and row[0])


def map_devices(conn: Connection, scope: Scope) -> list[tuple[Any, ...]]:
    """(id, code, kind, lon, lat, unit grid, name) of every device."""
    return conn.execute(
        f"""
        SELECT id, code, kind, round(lon::numeric, 6)::float8, round(lat::numeric, 6)::float8,
               unit_grid, name
        FROM device d WHERE district = %(district)s AND {inside("d")} ORDER BY id
        """,
        {"district": scope.district, "within": scope.codes},
    ).fetchall()


def map_cells(conn: Connection, scope: Scope) -> list[tuple[Any, ...]]:
    """(code, west, south, east, north) of every unit grid."""
    return conn.execute(
        """
        SELECT code, round(west::numeric, 6)::float8, round(south::numeric, 6)::float8,
               round(east::numeric, 6)::float8, round(north::numeric, 6)::float8
        FROM unit_grid WHERE district = %(district)s
          AND (%(within)s::text[] IS NULL OR coalesce(division, community) = ANY(%(within)s))
        ORDER BY code
        """,
        {"district": scope.district, "within": scope.codes},
    ).fetchall()


def community_names(conn: Connection, district: str) -> dict[str, str]:
    """Name of every community and street by its official code."""
    rows = conn.execute(
        "SELECT code, name FROM division WHERE district = %s AND level <> 'district'",
        (district,),
    ).fetchall()
    return dict(rows)


def map_stamp(conn: Connection, district: str) -> str:
    """Changes whenever the district, its devices, pipes, areas or the cells of the map do."""
    row = conn.execute(
        """
        SELECT (SELECT coalesce(md5(string_agg(concat_ws(' ', id, code, kind, lon, lat, unit_grid,
                                                         name), ',' ORDER BY id)), '')
                FROM device WHERE district = %(d)s) || '-' ||
               (SELECT count(*) FROM unit_grid WHERE district = %(d)s) || '-' ||
               (SELECT coalesce(md5(string_agg(md5(p::text), '' ORDER BY code)), '')
                FROM pipe_section AS p WHERE district = %(d)s) || '-' ||
               (SELECT coalesce(md5(string_agg(md5(a::text), '' ORDER BY code)), '')
                FROM area AS a WHERE district = %(d)s) || '-' ||
               (SELECT md5(concat_ws(' ', name_zh, name_en, timezone, outline))
                FROM district WHERE code = %(d)s)
        """,
        {"d": district},
    ).fetchone()
    return str(row[0]) if row else ""
