"""Key figures: counts beside every ratio, medians and 90th percentiles of the response times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from city.errors import InvalidInput
from city.scope import Scope
from db.pool import Connection
from db.scopes import inside

GROUPINGS = ("district", "street", "squad", "category")


@dataclass(frozen=True, slots=True)
class KpiRow:
    """Figures of one group. A time is in seconds, None where nothing was measured.

    due_to_handle   handling clocks met in the period, or run out in it and not met by its end;
                    a suspended one runs out for nobody
    handled         of these, met; handled_in_time: met by their due time
    due_to_close    incidents closed in the period, or open at its end with a handling or
                    checking clock that ran out in it
    closed          of these, closed; closed_in_time: no handling or checking clock met late
    """

    key: str
    name_zh: str
    name_en: str
    opened: int
    filed: int
    due_to_handle: int
    handled: int
    handled_in_time: int
    due_to_close: int
    closed: int
    closed_in_time: int
    reworked: int
    returned: int
    alarm_to_dispatch_count: int
    alarm_to_dispatch_median_s: float | None
    alarm_to_dispatch_p90_s: float | None
    dispatch_to_acknowledge_count: int
    dispatch_to_acknowledge_median_s: float | None
    dispatch_to_acknowledge_p90_s: float | None
    acknowledge_to_arrive_count: int
    acknowledge_to_arrive_median_s: float | None
    acknowledge_to_arrive_p90_s: float | None
    dispatch_to_handled_count: int
    dispatch_to_handled_median_s: float | None
    dispatch_to_handled_p90_s: float | None
    open_to_closed_count: int
    open_to_closed_median_s: float | None
    open_to_closed_p90_s: float | None


def list_kpi(
    conn: Connection, scope: Scope, start: datetime, end: datetime, by: str
) -> list[KpiRow]:
    """Figures of a scope in [start, end), one row a group by "district", "street", "squad" or
    "category".

    A case counts where something of it happened in the period. Cancelled, rejected and merged
    cases count as opened only.
    """
    if by not in GROUPINGS:
        raise InvalidInput("by", by, "must be one of " + ", ".join(GROUPINGS))
    with conn.cursor(row_factory=class_row(KpiRow)) as cursor:
        return cursor.execute(
            f"""
            WITH judged AS (
                SELECT i.*,
                       CASE %(by)s WHEN 'street' THEN coalesce(i.street, '')
                                   WHEN 'squad' THEN coalesce(i.squad, '')
                                   WHEN 'category' THEN i.category
                                   ELSE i.district END AS key,
                       i.state NOT IN ('rejected', 'cancelled', 'merged') AS counts,
                       i.opened_at >= %(start)s AND i.opened_at < %(end)s AS opened_in,
                       i.filed_at >= %(start)s AND i.filed_at < %(end)s AS filed_in,
                       i.dispatched_at >= %(start)s AND i.dispatched_at < %(end)s AS dispatched_in,
                       i.acknowledged_at >= %(start)s AND i.acknowledged_at < %(end)s
                           AS acknowledged_in,
                       i.arrived_at >= %(start)s AND i.arrived_at < %(end)s AS arrived_in,
                       i.handled_at >= %(start)s AND i.handled_at < %(end)s AS handled_in,
                       i.state = 'closed' AND i.closed_at >= %(start)s AND i.closed_at < %(end)s
                           AS closed_in,
                       h.met_at >= %(start)s AND h.met_at < %(end)s AS met_in,
                       h.paused_at IS NULL AND h.due_at >= %(start)s AND h.due_at < %(end)s
                           AND coalesce(h.met_at, %(end)s) >= %(end)s AS ran_out_in,
                       h.met_at <= h.due_at AS met_in_time,
                       coalesce(c.met_late, false) AS met_late,
                       coalesce(c.ran_out, false)
                           AND (i.closed_at IS NULL OR i.closed_at >= %(end)s) AS close_ran_out,
                       alarmed.raised_at
                FROM incident i
                LEFT JOIN LATERAL (
                    SELECT due_at, met_at, paused_at FROM deadline
                    WHERE incident_id = i.id AND clock = 'handle' AND stopped_at IS NULL
                    ORDER BY attempt DESC LIMIT 1
                ) h ON true
                LEFT JOIN LATERAL (
                    SELECT bool_or(met_at > due_at) AS met_late,
                           bool_or(due_at >= %(start)s AND due_at < %(end)s
                                   AND coalesce(met_at, %(end)s) >= %(end)s
                                   AND paused_at IS NULL) AS ran_out
                    FROM deadline
                    WHERE incident_id = i.id AND clock IN ('handle', 'check')
                      AND stopped_at IS NULL
                ) c ON true
                LEFT JOIN LATERAL (
                    SELECT min(a.raised_at) AS raised_at
                    FROM incident_alarm link JOIN alarm a ON a.id = link.alarm_id
                    WHERE link.incident_id = i.id
                ) alarmed ON true
                WHERE i.district = %(district)s AND {inside("i")} AND i.opened_at < %(end)s
                  AND (i.opened_at >= %(start)s OR i.closed_at >= %(start)s
                       OR i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged'))
            ), times AS (
                SELECT id,
                       CASE WHEN counts AND dispatched_in
                            THEN extract(epoch FROM dispatched_at - raised_at) END AS to_dispatch,
                       CASE WHEN counts AND acknowledged_in
                            THEN extract(epoch FROM acknowledged_at - dispatched_at) END
                            AS to_acknowledge,
                       CASE WHEN counts AND arrived_in
                            THEN extract(epoch FROM arrived_at - acknowledged_at) END AS to_arrive,
                       CASE WHEN counts AND handled_in
                            THEN extract(epoch FROM handled_at - dispatched_at) END AS to_handled,
                       CASE WHEN counts AND closed_in
                            THEN extract(epoch FROM closed_at - opened_at) END AS to_closed
                FROM judged
            ), grouped AS (
                SELECT key,
                       count(*) FILTER (WHERE opened_in) AS opened,
                       count(*) FILTER (WHERE filed_in) AS filed,
                       count(*) FILTER (WHERE counts AND (met_in OR ran_out_in)) AS due_to_handle,
                       count(*) FILTER (WHERE counts AND met_in) AS handled,
                       count(*) FILTER (WHERE counts AND met_in AND met_in_time)
                           AS handled_in_time,
                       count(*) FILTER (WHERE counts AND (closed_in OR close_ran_out))
                           AS due_to_close,
                       count(*) FILTER (WHERE closed_in) AS closed,
                       count(*) FILTER (WHERE closed_in AND NOT met_late) AS closed_in_time,
                       count(*) FILTER (WHERE closed_in AND rework_count > 0) AS reworked,
                       count(*) FILTER (WHERE closed_in AND return_count > 0) AS returned,
                       count(to_dispatch) AS alarm_to_dispatch_count,
                       count(to_acknowledge) AS dispatch_to_acknowledge_count,
                       count(to_arrive) AS acknowledge_to_arrive_count,
                       count(to_handled) AS dispatch_to_handled_count,
                       count(to_closed) AS open_to_closed_count,
                       percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY to_dispatch) AS p1,
                       percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY to_acknowledge)
                           AS p2,
                       percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY to_arrive) AS p3,
                       percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY to_handled) AS p4,
                       percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY to_closed) AS p5
                FROM judged JOIN times USING (id)
                GROUP BY key
            )
            SELECT g.key,
                   coalesce(d.name_zh, street.name, s.name_zh, c.name_zh, g.key) AS name_zh,
                   coalesce(d.name_en, street.name, s.name_en, c.name_en, g.key) AS name_en,
                   opened, filed, due_to_handle, handled, handled_in_time, due_to_close, closed,
                   closed_in_time, reworked, returned,
                   alarm_to_dispatch_count, p1[1] AS alarm_to_dispatch_median_s,
                   p1[2] AS alarm_to_dispatch_p90_s,
                   dispatch_to_acknowledge_count, p2[1] AS dispatch_to_acknowledge_median_s,
                   p2[2] AS dispatch_to_acknowledge_p90_s,
                   acknowledge_to_arrive_count, p3[1] AS acknowledge_to_arrive_median_s,
                   p3[2] AS acknowledge_to_arrive_p90_s,
                   dispatch_to_handled_count, p4[1] AS dispatch_to_handled_median_s,
                   p4[2] AS dispatch_to_handled_p90_s,
                   open_to_closed_count, p5[1] AS open_to_closed_median_s,
                   p5[2] AS open_to_closed_p90_s
            FROM grouped g
            LEFT JOIN district d ON %(by)s = 'district' AND d.code = g.key
            LEFT JOIN division street ON %(by)s = 'street' AND street.code = g.key
            LEFT JOIN squad s ON %(by)s = 'squad' AND s.code = g.key
            LEFT JOIN LATERAL (
                SELECT * FROM incident_category
                WHERE %(by)s = 'category' AND code = g.key AND valid_to IS NULL
                  AND district IN ('', %(district)s)
                ORDER BY district DESC LIMIT 1
            ) AS c ON true
            WHERE opened + filed + due_to_handle + due_to_close + alarm_to_dispatch_count
                  + dispatch_to_acknowledge_count + acknowledge_to_arrive_count
                  + dispatch_to_handled_count > 0
            ORDER BY g.key
            """,
            {
                "district": scope.district,
                "within": scope.codes,
                "start": start,
                "end": end,
                "by": by,
            },
        ).fetchall()


@dataclass(frozen=True, slots=True)
class IngestLag:
    """How far behind the sensors the database is."""

    last_commit_age_s: float | None
    receive_to_commit_s: float | None
    batches_waiting: int
    oldest_waiting_s: float | None
    alarm_changes_waiting: int
    last_event: int


def ingest_lag(conn: Connection, now: datetime) -> IngestLag:
    """Age and delay of the newest committed batch, and the rows that wait for the next stage."""
    with conn.cursor(row_factory=class_row(IngestLag)) as cursor:
        found = cursor.execute(
            """
            SELECT extract(epoch FROM %(now)s - newest.committed_at)::float8 AS last_commit_age_s,
                   extract(epoch FROM newest.committed_at - newest.received_from)::float8
                       AS receive_to_commit_s,
                   waiting.count AS batches_waiting,
                   extract(epoch FROM %(now)s - waiting.oldest)::float8 AS oldest_waiting_s,
                   (SELECT count(*) FROM alarm_change WHERE taken_at IS NULL)
                       AS alarm_changes_waiting,
                   (SELECT seq FROM event_head) AS last_event
            FROM (SELECT count(*) AS count, min(committed_at) AS oldest
                  FROM ingest_batch WHERE evaluated_at IS NULL) waiting
            LEFT JOIN LATERAL (
                SELECT committed_at, received_from FROM ingest_batch
                WHERE received > 0 ORDER BY id DESC LIMIT 1
            ) newest ON true
            """,
            {"now": now},
        ).fetchone()
    assert found is not None, "an aggregate has one row"
    return found
