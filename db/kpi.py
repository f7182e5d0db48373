"""Key figures: counts beside every ratio, medians and 90th percentiles of the response times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from city.errors import InvalidInput
from city.scope import Scope
from db.pool import Connection
from db.scopes import inside

GROUPINGS = ("district", "street", "community", "squad", "category", "source")
# Clocks whose meeting is counted beside that of handling.
CLOCKS = ("verify", "file", "dispatch", "acknowledge", "check")


@dataclass(frozen=True, slots=True)
class KpiRow:
    """Figures of one group. A time is in seconds, None where nothing was measured.

    An attempt is a squad that was sent, with its handling clock; it counts for that squad whoever
    finished later, and whatever became of the case.

    due_to_handle   attempts finished in the period, or whose clock ran out in it and that were
                    not finished by its end; a suspended one runs out for nobody
    handled         of these, finished; handled_in_time: by their due time
    due_to_close    incidents closed in the period and not reopened in it, or open at its end with
                    a clock that ran out in it: one that nobody was ever sent to counts as well
    closed          of these, closed; closed_in_time: no handling or checking clock of it ran out
    reworked        attempts that were sent back to do again
    returned        attempts that were given back unfinished; returned_late: after their due time
    sent            attempts that began, those to do again among them
    postponed       attempts that were given another limit
    verify_due      clocks of the center (verify, file, dispatch, acknowledge, check) that were met
                    in the period, or ran out in it and were not met by its end;
                    verify_in_time: of these met by their due time
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
    returned_late: int
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
    sent: int = 0
    postponed: int = 0
    verify_due: int = 0
    verify_in_time: int = 0
    file_due: int = 0
    file_in_time: int = 0
    dispatch_due: int = 0
    dispatch_in_time: int = 0
    acknowledge_due: int = 0
    acknowledge_in_time: int = 0
    check_due: int = 0
    check_in_time: int = 0

    @property
    def says_something(self) -> bool:
        """Whether anything but clocks of the center was counted."""
        return (
            self.opened + self.filed + self.due_to_handle + self.due_to_close + self.reworked
            + self.returned + self.alarm_to_dispatch_count + self.dispatch_to_acknowledge_count
            + self.acknowledge_to_arrive_count + self.dispatch_to_handled_count
        ) > 0  # fmt: skip


# Which rows of `_keyed` a figure counts; None: late or not.
FIGURES: dict[str, tuple[tuple[str, ...], bool | None]] = {
    "opened": (("opened",), None),
    "filed": (("filed",), None),
    "due_to_handle": (("handled", "missed"), None),
    "handled": (("handled",), None),
    "handled_in_time": (("handled",), False),
    "due_to_close": (("closed", "open_late"), None),
    "closed": (("closed",), None),
    "closed_in_time": (("closed",), False),
    "reworked": (("reworked",), None),
    "returned": (("returned",), None),
    "returned_late": (("returned",), True),
    "sent": (("sent",), None),
    "postponed": (("postponed",), None),
    **{f"{clock}_due": ((f"met_{clock}", f"missed_{clock}"), None) for clock in CLOCKS},
    **{f"{clock}_in_time": ((f"met_{clock}",), False) for clock in CLOCKS},
}
# Where the time of a step is measured.
TIMED = {
    "sent": "alarm_to_dispatch",
    "acknowledged": "dispatch_to_acknowledge",
    "arrived": "acknowledge_to_arrive",
    "handled": "dispatch_to_handled",
    "closed": "open_to_closed",
}


def _counts() -> str:
    """The columns of FIGURES, over the rows of `_keyed`."""
    columns = []
    for name, (whats, late) in FIGURES.items():
        which = "" if late is None else " AND late" if late else " AND NOT late"
        names = ", ".join(f"'{what}'" for what in whats)
        columns.append(f"count(*) FILTER (WHERE what IN ({names}){which}) AS {name}")
    return ", ".join(columns)


def _times() -> str:
    """Count and percentiles of each step; the percentiles as an array named after it."""
    return ", ".join(
        f"count(seconds) FILTER (WHERE what = '{what}') AS {step}_count,"
        " percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY seconds)"
        f" FILTER (WHERE what = '{what}') AS {step}"
        for what, step in TIMED.items()
    )


def _keyed() -> str:
    """What counts in a period and for which group, one row each: the start of a query."""
    return f"""
            WITH said AS (
                SELECT f.*, i.street, i.community, i.category, i.source FROM case_fact f
                JOIN incident i ON i.id = f.incident_id
                WHERE f.district = %(district)s AND {inside("i")}
                  AND f.at >= %(start)s AND f.at < %(end)s
            ), ran_out AS (
                SELECT f.* FROM said f
                WHERE f.kind = 'ran_out' AND NOT EXISTS (
                    SELECT FROM case_fact x
                    WHERE x.incident_id = f.incident_id AND x.kind = 'excused'
                      AND x.clock = f.clock AND x.attempt = f.attempt AND x.at < %(end)s)
            ), unmet AS (
                SELECT f.* FROM said f
                WHERE f.kind LIKE 'missed%%' AND NOT EXISTS (
                    SELECT FROM case_fact x
                    WHERE x.incident_id = f.incident_id AND x.kind = 'met_' || f.clock
                      AND x.attempt = f.attempt AND x.at < %(end)s)
            ), counted AS (
                SELECT f.*, f.kind AS what,
                       f.kind IN ('opened', 'filed') AS of_case
                FROM said f
                WHERE f.kind NOT IN ('ran_out', 'closed', 'excused') AND f.kind NOT LIKE 'missed%%'
                UNION ALL
                SELECT f.*, f.kind, false FROM unmet f
                UNION ALL
                SELECT f.*, 'missed', false
                FROM ran_out f
                WHERE f.clock = 'handle' AND NOT EXISTS (
                    SELECT FROM case_fact h
                    WHERE h.incident_id = f.incident_id AND h.kind = 'handled'
                      AND h.attempt = f.attempt AND h.at < %(end)s)
                UNION ALL
                -- The last that was said of the end of a case: it is closed, or open and late.
                SELECT f.*, 'closed', true
                FROM said f
                WHERE f.kind = 'closed' AND NOT EXISTS (
                    SELECT FROM case_fact x
                    WHERE x.incident_id = f.incident_id AND x.at < %(end)s AND x.seq > f.seq
                      AND x.kind IN ('closed', 'ended', 'reopened'))
                UNION ALL
                SELECT late.*, 'open_late', true
                FROM (SELECT DISTINCT ON (incident_id) *
                      FROM (TABLE ran_out UNION ALL TABLE unmet) AS any_clock
                      ORDER BY incident_id, seq, kind) AS late
                LEFT JOIN LATERAL (
                    SELECT x.kind FROM case_fact x
                    WHERE x.incident_id = late.incident_id AND x.at < %(end)s
                      AND x.kind IN ('closed', 'ended', 'reopened')
                    ORDER BY x.seq DESC LIMIT 1
                ) AS over ON true
                WHERE over.kind IS DISTINCT FROM 'closed' AND over.kind IS DISTINCT FROM 'ended'
            ), keyed AS (
                SELECT c.what, c.late, c.seconds, c.incident_id, c.at,
                       CASE %(by)s WHEN 'street' THEN coalesce(c.street, '')
                                   WHEN 'community' THEN coalesce(c.community, '')
                                   WHEN 'source' THEN c.source
                                   WHEN 'category' THEN c.category
                                   WHEN 'district' THEN c.district
                                   ELSE CASE WHEN c.of_case THEN coalesce(holder.squad, '')
                                             ELSE c.squad END END AS key
                FROM counted c
                LEFT JOIN LATERAL (
                    SELECT x.squad FROM case_fact x
                    WHERE %(by)s = 'squad' AND c.of_case AND x.incident_id = c.incident_id
                      AND x.kind = 'sent' AND x.at < %(end)s
                    ORDER BY x.seq DESC LIMIT 1
                ) AS holder ON true
            )"""


def list_kpi(
    conn: Connection, scope: Scope, start: datetime, end: datetime, by: str
) -> list[KpiRow]:
    """Figures of a scope in [start, end), one row a group by "district", "street", "squad" or
    "category".

    They are counted from what the log said in the period: what happens later changes none of
    them, and a clock that is due later is not missed yet. What a case did as a whole counts for
    the squad that had it last, at the end of the period.
    """
    if by not in GROUPINGS:
        raise InvalidInput("by", by, "must be one of " + ", ".join(GROUPINGS))
    times = ", ".join(
        f"{step}_count, {step}[1] AS {step}_median_s, {step}[2] AS {step}_p90_s"
        for step in TIMED.values()
    )
    with conn.cursor(row_factory=class_row(KpiRow)) as cursor:
        return cursor.execute(
            f"""
            {_keyed()}, grouped AS (
                SELECT key, {_counts()}, {_times()} FROM keyed GROUP BY key
            )
            SELECT g.key,
                   coalesce(d.name_zh, street.name, s.name_zh, c.name_zh, g.key) AS name_zh,
                   coalesce(d.name_en, street.name, s.name_en, c.name_en, g.key) AS name_en,
                   {", ".join(FIGURES)}, {times}
            FROM grouped g
            LEFT JOIN district d ON %(by)s = 'district' AND d.code = g.key
            LEFT JOIN division street
                   ON %(by)s IN ('street', 'community') AND street.code = g.key
            LEFT JOIN squad s ON %(by)s = 'squad' AND s.code = g.key
            LEFT JOIN LATERAL (
                SELECT * FROM incident_category
                WHERE %(by)s = 'category' AND code = g.key AND valid_to IS NULL
                  AND district IN ('', %(district)s)
                ORDER BY district DESC LIMIT 1
            ) AS c ON true
            WHERE opened + filed + due_to_handle + due_to_close + reworked + returned
                  + alarm_to_dispatch_count + dispatch_to_acknowledge_count
                  + acknowledge_to_arrive_count + dispatch_to_handled_count > 0
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


def list_counted(
    conn: Connection,
    scope: Scope,
    start: datetime,
    end: datetime,
    by: str,
    key: str | None,
    figure: str,
    limit: int,
) -> list[tuple[int, datetime]]:
    """What a figure counts: case and when, newest first, a case as often as it is counted; `key` is
    the group, None for all of them."""
    if by not in GROUPINGS:
        raise InvalidInput("by", by, "must be one of " + ", ".join(GROUPINGS))
    if figure not in FIGURES:
        raise InvalidInput("figure", figure, "must be one of " + ", ".join(FIGURES))
    whats, late = FIGURES[figure]
    return conn.execute(
        f"""
        {_keyed()}
        SELECT incident_id, at FROM keyed
        WHERE what = ANY(%(whats)s) AND (%(late)s::boolean IS NULL OR late = %(late)s)
          AND (%(key)s::text IS NULL OR key = %(key)s)
        ORDER BY at DESC, incident_id DESC LIMIT %(limit)s
        """,
        {
            "district": scope.district, "within": scope.codes, "start": start, "end": end,
            "by": by, "key": key, "whats": list(whats), "late": late, "limit": limit,
        },
    ).fetchall()  # fmt: skip


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
