"""What the screens read from the tables before they were the fold of the log: the measure of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from city.reading import SHOWN_METRICS
from columns.readings import CLOCKS_AGREE
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class WallIncident:
    """An open incident with the clock that runs out first."""

    id: int
    number: str
    state: str
    severity: int
    family: str
    category: str
    category_zh: str
    category_en: str
    title_zh: str
    title_en: str
    lon: float
    lat: float
    unit_grid: str | None
    street_name: str | None
    community_name: str | None
    source: str
    squad: str | None
    squad_zh: str | None
    squad_en: str | None
    opened_at: datetime
    clock: str | None
    due_at: datetime | None
    warn_at: datetime | None
    paused_at: datetime | None
    version: int
    demo: bool
    device: str | None


def list_incidents(
    conn: Connection,
    district: str,
    *,
    ids: Sequence[int] | None = None,
    squad: str | None = None,
) -> list[WallIncident]:
    """Open incidents, worst and oldest first: all, or those of `ids`, or those of one squad.

    Not a call of `db.incidents.list_incidents`: its optional filters hide from the planner that
    only open incidents are meant, and every event on the wall would read years of closed ones.
    """
    with conn.cursor(row_factory=class_row(WallIncident)) as cursor:
        return cursor.execute(
            """
            SELECT i.id, i.number, i.state, i.severity, coalesce(c.family, 'other') AS family,
                   i.category, coalesce(c.name_zh, i.category) AS category_zh,
                   coalesce(c.name_en, i.category) AS category_en, i.title_zh, i.title_en,
                   i.lon, i.lat, i.unit_grid, street.name AS street_name,
                   community.name AS community_name, i.source, i.squad,
                   s.name_zh AS squad_zh, s.name_en AS squad_en, i.opened_at,
                   d.clock, d.due_at, d.warn_at, d.paused_at, i.version, i.demo,
                   device.code AS device
            FROM incident i
            LEFT JOIN incident_category c ON c.code = i.category AND c.version = i.category_version
            LEFT JOIN division street ON street.code = i.street
            LEFT JOIN division community ON community.code = i.community
            LEFT JOIN squad s ON s.code = i.squad
            LEFT JOIN device ON device.id = i.device_id
            LEFT JOIN LATERAL (
                SELECT clock, due_at, warn_at, paused_at FROM deadline
                WHERE incident_id = i.id AND met_at IS NULL AND stopped_at IS NULL
                ORDER BY due_at, id LIMIT 1
            ) d ON true
            WHERE i.district = %(district)s
              AND i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
              AND (%(ids)s::bigint[] IS NULL OR i.id = ANY(%(ids)s))
              AND (%(squad)s::text IS NULL OR i.squad = %(squad)s)
            ORDER BY i.severity, i.opened_at, i.id
            """,
            {"district": district, "ids": None if ids is None else list(ids), "squad": squad},
        ).fetchall()


@dataclass(frozen=True, slots=True)
class WallAlarm:
    """A live alarm and the incident it belongs to."""

    id: int
    severity: int
    state: str
    category: str
    device: str | None
    device_id: int | None
    lon: float
    lat: float
    unit_grid: str | None
    sensed_at: datetime
    raised_at: datetime
    announced_at: datetime  # it came, became worse or came back
    reason: dict[str, Any]
    incident_id: int | None
    shelved_until: datetime | None
    version: int


def list_alarms(
    conn: Connection,
    district: str,
    *,
    ids: Sequence[int] | None = None,
    incident_ids: Sequence[int] = (),
) -> list[WallAlarm]:
    """Alarms that are not over: all, or those of `ids` and those of `incident_ids`."""
    with conn.cursor(row_factory=class_row(WallAlarm)) as cursor:
        return cursor.execute(
            """
            SELECT a.id, a.severity, a.state, a.category, device.code AS device, a.device_id,
                   a.lon, a.lat, a.unit_grid, a.sensed_at, a.raised_at,
                   coalesce(a.announced_at, a.raised_at) AS announced_at, a.reason,
                   link.incident_id, a.shelved_until, a.version
            FROM alarm a
            LEFT JOIN device ON device.id = a.device_id
            LEFT JOIN incident_alarm link ON link.alarm_id = a.id
            WHERE a.district = %(district)s
              AND a.state <> 'normal'
              AND (%(ids)s::bigint[] IS NULL OR a.id = ANY(%(ids)s)
                   OR link.incident_id = ANY(%(incident_ids)s::bigint[]))
            ORDER BY a.severity, a.raised_at DESC, a.id
            """,
            {
                "district": district,
                "ids": None if ids is None else list(ids),
                "incident_ids": list(incident_ids),
            },
        ).fetchall()


@dataclass(frozen=True, slots=True)
class WallDevice:
    """A device with the newest value of the metric its dot shows, and when it was last heard."""

    id: int
    kind: str
    report_interval_s: int
    out_of_service: bool
    metric: str | None
    value: float | None
    ts: datetime | None
    heard_at: datetime | None


def list_devices(conn: Connection, district: str, now: datetime) -> list[WallDevice]:
    """Every device of the district; one pass over the latest-value table."""
    with conn.cursor(row_factory=class_row(WallDevice)) as cursor:
        return cursor.execute(
            """
            SELECT d.id, d.kind, d.report_interval_s,
                   d.out_of_service_since IS NOT NULL
                       AND coalesce(d.return_due_at > %(now)s, true) AS out_of_service,
                   shown.metric, shown.value, shown.ts, heard.at AS heard_at
            FROM device d
            LEFT JOIN (
                SELECT DISTINCT ON (l.device_id) l.device_id, m.name AS metric, l.value,
                       least(l.ts, l.received_at + %(agree)s) AS ts
                FROM device_latest l
                JOIN metric m ON m.id = l.metric_id
                ORDER BY l.device_id, array_position(%(shown)s::text[], m.name), m.id
            ) shown ON shown.device_id = d.id
            LEFT JOIN (
                SELECT device_id, max(received_at) AS at FROM device_latest GROUP BY device_id
            ) heard ON heard.device_id = d.id
            WHERE d.district = %(district)s
            ORDER BY d.id
            """,
            {"district": district, "now": now, "shown": list(SHOWN_METRICS),
             "agree": CLOCKS_AGREE},
        ).fetchall()  # fmt: skip


@dataclass(frozen=True, slots=True)
class Headline:
    """The figures on top of the wall."""

    open: int
    overdue: int
    due_soon: int
    opened_today: int
    closed_today: int


def headline(conn: Connection, district: str, midnight: datetime, now: datetime) -> Headline:
    """Open, overdue and due-soon incidents now; opened and closed since `midnight`."""
    with conn.cursor(row_factory=class_row(Headline)) as cursor:
        found = cursor.execute(
            """
            WITH standing AS (
                SELECT i.id,
                       bool_or(d.due_at < %(now)s) AS overdue,
                       bool_or(d.warn_at <= %(now)s AND d.due_at >= %(now)s) AS due_soon
                FROM incident i
                LEFT JOIN deadline d ON d.incident_id = i.id AND d.met_at IS NULL
                     AND d.stopped_at IS NULL AND d.paused_at IS NULL
                WHERE i.district = %(district)s
                  AND i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
                GROUP BY i.id
            )
            SELECT count(*) AS open,
                   count(*) FILTER (WHERE overdue) AS overdue,
                   count(*) FILTER (WHERE due_soon AND NOT overdue) AS due_soon,
                   (SELECT count(*) FROM incident WHERE district = %(district)s
                    AND opened_at >= %(midnight)s) AS opened_today,
                   (SELECT count(*) FROM incident WHERE district = %(district)s
                    AND state = 'closed' AND closed_at >= %(midnight)s) AS closed_today
            FROM standing
            """,
            {"district": district, "midnight": midnight, "now": now},
        ).fetchone()
    assert found is not None, "an aggregate has one row"
    return found
