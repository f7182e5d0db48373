"""Pages of the registry as people search it: state, newest value and age, counted as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from city.reading import SHOWN_METRICS
from city.scope import Scope
from db.pool import Connection
from db.row_columns import select_list
from db.scopes import inside

STATES = ("ok", "alarm", "silent", "never", "out")


@dataclass(frozen=True, slots=True)
class RegistryRow:
    """One device of a page; `total` counts all that fit the search."""

    id: int
    code: str
    kind: str
    name: str
    model: str
    format: str
    external_id: str | None
    gas: str | None
    lon: float
    lat: float
    unit_grid: str | None
    street: str | None
    community: str | None
    report_interval_s: int
    out_of_service_since: datetime | None
    return_due_at: datetime | None
    out_of_service_reason: str
    out_of_service_by: str | None
    demo: bool
    version: int
    state: str
    severity: int | None
    heard_at: datetime | None
    total: int
    metric: str | None
    value: float | None
    ts: datetime | None
    quality: int | None
    faults: Sequence[str] = ()  # kinds of fault of the shown metric and of the whole device


ROW_COLUMNS = select_list(
    RegistryRow, "page",
    street="street.name", community="community.name", metric="shown.metric",
    value="shown.value", ts="shown.ts", quality="shown.quality",
    faults="""array(SELECT fault.kind FROM device_fault fault
                    WHERE fault.device_id = page.id AND fault.metric IN ('', shown.metric))""",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RegistrySearch:
    """What a person looks for; empty texts mean everything."""

    text: str = ""
    kind: str = ""
    state: str = ""


def list_registry(
    conn: Connection,
    scope: Scope,
    now: datetime,
    search: RegistrySearch,
    *,
    silent_intervals: int,
    offset: int,
    limit: int,
) -> list[RegistryRow]:
    """One page by code. `silent_intervals`: so many reports may fail before a device is silent.

    A device that should be back is judged as one in service: its alarms count again.
    """
    pattern = search.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    with conn.cursor(row_factory=class_row(RegistryRow)) as cursor:
        return cursor.execute(
            f"""
            WITH heard AS (
                SELECT device_id, max(received_at) AS at FROM device_latest GROUP BY device_id
            ), live AS (
                SELECT device_id, min(severity) AS severity FROM alarm
                WHERE state <> 'normal' GROUP BY device_id
            ), found AS (
                SELECT d.*, heard.at AS heard_at, live.severity,
                       CASE
                       WHEN d.out_of_service_since <= %(now)s
                            AND (d.return_due_at IS NULL OR d.return_due_at > %(now)s) THEN 'out'
                       WHEN live.severity IS NOT NULL THEN 'alarm'
                       WHEN heard.at IS NULL THEN 'never'
                       WHEN heard.at < %(now)s
                            - d.report_interval_s * %(silent_after)s::interval THEN 'silent'
                       ELSE 'ok' END AS state
                FROM device d
                LEFT JOIN heard ON heard.device_id = d.id
                LEFT JOIN live ON live.device_id = d.id
                WHERE d.district = %(district)s AND {inside("d")}
                  AND (%(kind)s = '' OR d.kind = %(kind)s)
                  AND (%(text)s = '%%' OR concat_ws(' ', d.code, d.name, d.external_id, d.model)
                       ILIKE %(text)s)
            ), page AS (
                SELECT found.*, count(*) OVER ()::int AS total FROM found
                WHERE %(state)s = '' OR found.state = %(state)s
                ORDER BY found.code LIMIT %(limit)s OFFSET %(offset)s
            )
            SELECT {ROW_COLUMNS}
            FROM page
            LEFT JOIN division street ON street.code = page.street
            LEFT JOIN division community ON community.code = page.community
            LEFT JOIN LATERAL (
                SELECT m.name AS metric, l.value, l.ts, l.quality
                FROM device_latest l JOIN metric m ON m.id = l.metric_id
                WHERE l.device_id = page.id
                ORDER BY array_position(%(shown)s::text[], m.name), m.id LIMIT 1
            ) shown ON true
            ORDER BY page.code
            """,
            {
                "district": scope.district, "within": scope.codes, "now": now,
                "kind": search.kind, "state": search.state,
                "text": f"%{pattern}%" if pattern else "%",
                "silent_after": timedelta(seconds=silent_intervals),
                "shown": list(SHOWN_METRICS), "offset": offset, "limit": limit,
            },
        ).fetchall()  # fmt: skip


@dataclass(frozen=True, slots=True)
class OutOfService:
    """A device that people took out of service."""

    code: str
    kind: str
    name: str
    street: str | None
    community: str | None
    since: datetime
    due: datetime | None
    reason: str
    by: str | None
    version: int


OUT_OF_SERVICE_COLUMNS = select_list(
    OutOfService, "d",
    street="street.name", community="community.name", since="d.out_of_service_since",
    due="d.return_due_at", reason="d.out_of_service_reason", by="d.out_of_service_by",
)  # fmt: skip


def list_out_of_service(conn: Connection, scope: Scope, limit: int) -> list[OutOfService]:
    """The register: what should be back first, first; without a date last."""
    with conn.cursor(row_factory=class_row(OutOfService)) as cursor:
        return cursor.execute(
            f"""
            SELECT {OUT_OF_SERVICE_COLUMNS}
            FROM device d
            LEFT JOIN division street ON street.code = d.street
            LEFT JOIN division community ON community.code = d.community
            WHERE d.district = %(district)s AND {inside("d")}
              AND d.out_of_service_since IS NOT NULL
            ORDER BY d.return_due_at NULLS LAST, d.code LIMIT %(limit)s
            """,
            {"district": scope.district, "within": scope.codes, "limit": limit},
        ).fetchall()


@dataclass(frozen=True, slots=True)
class RegistryCounts:
    devices: int
    out: int
    overdue: int  # of `out`: should be back


def count_registry(conn: Connection, scope: Scope, now: datetime) -> RegistryCounts:
    """Figures on the tabs."""
    with conn.cursor(row_factory=class_row(RegistryCounts)) as cursor:
        found = cursor.execute(
            f"""
            SELECT count(*)::int AS devices,
                   count(*) FILTER (WHERE out_of_service_since IS NOT NULL)::int AS out,
                   count(*) FILTER (WHERE out_of_service_since IS NOT NULL
                                    AND return_due_at <= %(now)s)::int AS overdue
            FROM device d WHERE district = %(district)s AND {inside("d")}
            """,
            {"district": scope.district, "within": scope.codes, "now": now},
        ).fetchone()
    assert found is not None, "an aggregate without GROUP BY always has a row"
    return found
