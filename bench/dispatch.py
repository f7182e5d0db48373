"""Dispatch with 900,000 incidents of five years in the database.

Queue, actions, new incidents at a rate while clocks run out, a roll of 10,000 due steps, and key
figures of periods of any length, the same of a year counted from every fact beside it. Searching
is measured by `case_search`. The incidents are made by SQL, of draws that are the same each time.
Takes about half an hour, most of it to make them and to add up their days.
"""

from __future__ import annotations

import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import stack
from bench import city_load
from city.incident import Action, Role, Source
from city.person import Caller
from city.requests import ActionRequest, ReportRequest
from city.scope import Scope
from db import incidents, kpi, tallies
from db.pool import Connection, connect
from dispatch import steps

CASES = 900_000
YEARS = 5
OPEN = 1_500
AT_ONCE = 50_000
SQUADS, PEOPLE, STREETS, COMMUNITIES = 20, 60, 12, 120
ASKED = 200
ACTED = 200
RATE, RATE_S, REPORTERS = 200, 60, 3
START_S = 8  # until every process is there
DUE = 10_000
FILLED = ("incident", "assignment", "deadline")
OPEN_STATES = (
    "reported", "verifying", "accepted", "filed", "dispatched", "acknowledged", "on_site",
    "handled", "checking", "suspended",
)  # fmt: skip


def run(cases: int = CASES, seconds: int = RATE_S, due: int = DUE) -> dict[str, Any]:
    """Make the incidents, then measure one thing after the other."""
    with (
        tempfile.TemporaryDirectory(prefix="gridwarden-bench-") as folder,
        stack.running(Path(folder)) as servers,
    ):
        city_load.found(servers.postgres, servers.mqtt, 10)
        figures: dict[str, Any] = {"incidents": cases}
        with connect(servers.postgres) as conn:
            began = time.monotonic()
            _fill(conn, cases)
            figures["filled_s"] = time.monotonic() - began
            began = time.monotonic()
            while tallies.fold(conn):
                conn.commit()
            conn.commit()
            figures["added_up_s"] = time.monotonic() - began
        with connect(servers.postgres, autocommit=True) as conn:
            for table in ("incident", "case_fact", "deadline", "tally_block", "tally_change"):
                conn.execute(f"VACUUM ANALYZE {table}")
            figures |= _sizes(conn)
        with connect(servers.postgres) as conn:
            figures |= _evaluate(conn)
            figures |= _queue(conn)
            figures |= _act(conn)
        figures |= _open_at_rate(servers.postgres, seconds)
        with connect(servers.postgres) as conn:
            figures |= _roll(conn, due)
        return figures


def _fill(conn: Connection, cases: int) -> None:
    """Incidents with what the log would have said of them; without their events, of which five
    years are another matter."""
    conn.execute("SELECT setseed(0.5)")
    conn.execute(
        "INSERT INTO squad (code, district, name_zh, name_en, kind, skills)"
        " SELECT 'S' || n, %s, '中队' || n, 'Squad ' || n, 'general',"
        " (SELECT array_agg(DISTINCT skill) FROM incident_category)"
        " FROM generate_series(1, %s) n",
        (city_load.DISTRICT, SQUADS),
    )
    conn.execute(
        "INSERT INTO squad_shift (squad, weekdays, start_at, end_at)"
        " SELECT code, '{1,2,3,4,5,6,7}', '00:00', '00:00' FROM squad"
    )
    for table in FILLED:  # the rows of the log are not what is measured
        conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    step_s = YEARS * 365.25 * 86_400 / cases
    for first in range(0, cases, AT_ONCE):
        count = min(AT_ONCE, cases - first)
        conn.execute(
            """
            CREATE TEMP TABLE drawn ON COMMIT DROP AS
            SELECT n, at, squad, category, version, street, community, source, person, waits,
                   handles, checks, due_s, attempts, n >= %(cases)s - %(open)s AS open,
                   nextval(pg_get_serial_sequence('incident', 'id')) AS id
            FROM (
                SELECT n, now() - make_interval(secs => (%(cases)s - n) * %(step)s) AS at,
                       'S' || 1 + floor(random() * %(squads)s)::int AS squad,
                       c.code AS category, c.version,
                       '990101' || lpad((1 + floor(random() * %(streets)s))::text, 3, '0')
                           AS street,
                       '990101001' || lpad((1 + floor(random() * %(communities)s))::text, 3, '0')
                           AS community,
                       (ARRAY['sensor','patrol','hotline','video','leader'])[
                           1 + floor(random() * 5)::int] AS source,
                       'p' || floor(random() * %(people)s)::int AS person,
                       60 + random() * 1200 AS waits, 1800 * exp(2 * random()) AS handles,
                       600 + random() * 7200 AS checks, 7200 + random() * 5400 AS due_s,
                       CASE WHEN random() < 0.07 THEN 2 ELSE 1 END AS attempts
                FROM generate_series(%(first)s, %(first)s + %(count)s - 1) n
                JOIN (SELECT code, version, row_number() OVER (ORDER BY code) - 1 AS place,
                             count(*) OVER () AS all_of_them
                      FROM incident_category WHERE valid_to IS NULL AND district = '') c
                  ON c.place = (n * 7919) %% c.all_of_them
            ) d
            """,
            {
                "cases": cases, "open": min(OPEN, cases // 10), "step": step_s, "first": first,
                "count": count, "squads": SQUADS, "streets": STREETS, "people": PEOPLE,
                "communities": COMMUNITIES,
            },
        )  # fmt: skip
        _insert_drawn(conn, first)
        conn.execute("DROP TABLE drawn")
    for table in FILLED:
        conn.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    # The log goes on after what it would have said.
    conn.execute("UPDATE event_head SET seq = greatest(seq, (SELECT max(seq) FROM case_fact))")
    conn.commit()


def _insert_drawn(conn: Connection, first: int) -> None:
    conn.execute(
        """
        INSERT INTO incident (id, number, district, category, category_version, source, state,
                              severity, title_zh, title_en, lon, lat, street, community, squad,
                              opened_at, filed_at, dispatched_at, acknowledged_at, handled_at,
                              closed_at, outcome, reported_by)
        OVERRIDING SYSTEM VALUE
        SELECT id, %(district)s || to_char(at, 'YYYYMMDD') || lpad((n %% 100000)::text, 5, '0'),
               %(district)s, category, version, source,
               CASE WHEN open THEN 'acknowledged' ELSE 'closed' END, 3, '占道经营 ' || n,
               'Stall ' || n, 110.5, 20.3, street, community, squad, at, at,
               at + make_interval(secs => waits), at + make_interval(secs => waits + 300),
               CASE WHEN NOT open THEN at + make_interval(secs => waits + handles) END,
               CASE WHEN NOT open THEN at + make_interval(secs => waits + handles + checks) END,
               CASE WHEN NOT open THEN 'resolved' END, person
        FROM drawn
        """,
        {"district": city_load.DISTRICT},
    )
    conn.execute(
        """
        INSERT INTO assignment (incident_id, squad, assigned_by, assigned_at, acknowledged_at,
                                ended_at, end_reason, attempt)
        SELECT id, squad, person, at + make_interval(secs => waits),
               at + make_interval(secs => waits + 300),
               CASE WHEN NOT open THEN at + make_interval(secs => waits + handles + checks) END,
               CASE WHEN NOT open THEN 'close' END, attempts
        FROM drawn
        """
    )
    conn.execute(
        """
        INSERT INTO deadline (district, incident_id, clock, attempt, started_at, limit_amount,
                              limit_unit, calendar, calendar_version, due_at, counted, warn_at,
                              met_at, warned_at, overdue_at)
        SELECT %(district)s, id, 'handle', attempts, at + make_interval(secs => waits),
               due_s / 3600, 'urgent_hour', 'CN', 1,
               CASE WHEN open THEN now() + interval '30 days'
                    ELSE at + make_interval(secs => waits + due_s) END, '[]',
               CASE WHEN open THEN now() + interval '20 days'
                    ELSE at + make_interval(secs => waits + due_s * 0.8) END,
               CASE WHEN NOT open THEN at + make_interval(secs => waits + handles) END, NULL,
               CASE WHEN NOT open AND handles > due_s
                    THEN at + make_interval(secs => waits + due_s) END
        FROM drawn
        """,
        {"district": city_load.DISTRICT},
    )
    conn.execute(
        """
        INSERT INTO case_fact (seq, kind, at, district, incident_id, squad, clock, attempt, late,
                               seconds, actor)
        SELECT %(first)s::bigint * 12 + row_number() OVER (ORDER BY f.at), f.kind, f.at,
               %(district)s, d.id, f.squad, f.clock, f.attempt, f.late, f.seconds, d.person
        FROM drawn d, LATERAL (VALUES
            ('opened', d.at, '', '', NULL::int, false, NULL::float8, true),
            ('filed', d.at, '', '', NULL, false, NULL, true),
            ('sent', d.at + make_interval(secs => waits), squad, 'handle', 1, false, waits, true),
            ('met_dispatch', d.at + make_interval(secs => waits), squad, 'dispatch', 1,
             waits > 900, NULL, true),
            ('acknowledged', d.at + make_interval(secs => waits + 300), squad, 'handle', 1, false,
             300, true),
            ('ran_out', d.at + make_interval(secs => waits + due_s), squad, 'handle', 1, true,
             NULL, handles > due_s AND NOT open),
            ('handled', d.at + make_interval(secs => waits + handles), squad, 'handle', 1,
             handles > due_s, handles, NOT open),
            ('reworked', d.at + make_interval(secs => waits + handles + 60), squad, 'handle', 1,
             false, NULL, attempts > 1 AND NOT open),
            ('sent', d.at + make_interval(secs => waits + handles + 60), squad, 'handle', 2,
             false, NULL, attempts > 1 AND NOT open),
            ('handled', d.at + make_interval(secs => waits + handles + checks - 60), squad,
             'handle', 2, false, checks - 120, attempts > 1 AND NOT open),
            ('closed', d.at + make_interval(secs => waits + handles + checks), squad, '', NULL,
             handles > due_s, waits + handles + checks, NOT open)
        ) AS f (kind, at, squad, clock, attempt, late, seconds, there)
        WHERE f.there
        """,
        {"first": first, "district": city_load.DISTRICT},
    )


def _sizes(conn: Connection) -> dict[str, Any]:
    row = conn.execute(
        "SELECT (SELECT count(*) FROM case_fact), pg_total_relation_size('case_fact'),"
        " pg_total_relation_size('tally_block'), pg_total_relation_size('tally_change')"
    ).fetchone()
    assert row is not None
    return {
        "facts": row[0], "facts_mb": row[1] / 1e6, "blocks_mb": row[2] / 1e6,
        "changes_mb": row[3] / 1e6,
    }  # fmt: skip


def _evaluate(conn: Connection) -> dict[str, Any]:
    """Periods of all lengths that begin and end at any minute, by every grouping in turn."""
    draw = random.Random(3)
    now = datetime.now(UTC)
    scope = Scope(city_load.DISTRICT)
    figures: dict[str, Any] = {}
    for name, days in (("day", 1), ("month", 30), ("year", 365), ("five years", 1826)):
        took = []
        for n in range(ASKED // 4):
            end = now - timedelta(days=draw.uniform(0, max(0, 1826 - days)))
            by = tallies.GROUPINGS[n % len(tallies.GROUPINGS)]
            start = end - timedelta(days=days)
            took.append(
                _ms(lambda: tallies.list_figures(conn, scope, start, end, by))  # noqa: B023
            )
            conn.rollback()
        figures |= _spread(f"evaluation of a {name}", took)
    year = (now - timedelta(days=365), now)
    counted = _ms(lambda: kpi.list_kpi(conn, scope, *year, "category"))
    added = min(_ms(lambda: tallies.list_figures(conn, scope, *year, "category")) for _ in range(5))
    figures["year by category, every fact ms"] = counted
    figures["year by category, times as fast"] = counted / added
    exact = {row.key: row for row in kpi.list_kpi(conn, scope, *year, "squad")}
    for row in tallies.list_figures(conn, scope, *year, "squad"):
        other = exact[row.key]
        assert (row.opened, row.handled_in_time, row.due_to_close) == (
            other.opened, other.handled_in_time, other.due_to_close,
        ), f"{row}\n{other}"  # fmt: skip
    conn.rollback()
    return figures


def _queue(conn: Connection) -> dict[str, Any]:
    took = []
    for _ in range(ASKED):
        took.append(
            _ms(
                lambda: incidents.list_incidents(
                    conn, Scope(city_load.DISTRICT), states=OPEN_STATES, limit=100
                )
            )
        )
        conn.rollback()
    return _spread("queue", took)


def _person(role: Role, name: str = "bench") -> Caller:
    return Caller(name, role, city_load.DISTRICT, None)


def _report(conn: Connection, now: datetime, n: int) -> int:
    request = ReportRequest(
        "04-06", 110.6 + (n % 997) / 10_000, 20.31 + (n % 331) / 10_000, f"占道经营 {n}",
        Source.PATROL,
    )  # fmt: skip
    return steps.report(conn, _person(Role.DISPATCHER), request, now)


def _act(conn: Connection) -> dict[str, Any]:
    """From a report to the squad on site, each action a transaction of its own."""
    took: dict[str, list[float]] = {}
    person = _person(Role.DISPATCHER)
    for n in range(ACTED):
        case = 0

        def report(n: int = n) -> None:
            nonlocal case
            case = _report(conn, datetime.now(UTC), n)
            conn.commit()

        took.setdefault("report", []).append(_ms(report))
        for action, more in (
            (Action.FILE, {}),
            (Action.DISPATCH, {"squad": f"S{n % SQUADS + 1}", "note": "bench"}),
            (Action.ACKNOWLEDGE, {}),
            (Action.ARRIVE, {}),
        ):
            took.setdefault(action.value, []).append(
                _ms(lambda: _do(conn, person, case, action, more))  # noqa: B023
            )
    figures: dict[str, Any] = {}
    for name, times in took.items():
        figures |= _spread(name, times)
    return figures | _spread("an action", [ms for times in took.values() for ms in times])


def _do(conn: Connection, who: Caller, case: int, action: Action, more: dict[str, Any]) -> None:
    found = incidents.find(conn, case, who.district)
    steps.act(conn, who, case, ActionRequest(action, found.version, **more), datetime.now(UTC))
    conn.commit()


def _open_at_rate(postgres: str, seconds: int) -> dict[str, Any]:
    """New incidents at a rate, from several processes, while the clockwork ticks."""
    context = multiprocessing.get_context("spawn")
    begin = time.time() + START_S
    ticked: list[float] = []
    with ProcessPoolExecutor(REPORTERS, mp_context=context) as pool:
        asked = [
            pool.submit(_report_at_rate, postgres, which, begin, seconds)
            for which in range(REPORTERS)
        ]
        with connect(postgres) as conn:
            while not all(one.done() for one in asked):
                ticked.append(_ms(lambda: steps.tick_deadlines(conn, datetime.now(UTC))))
                conn.commit()
                time.sleep(1)
        late = [ms for one in asked for ms in one.result()]
    return {
        "new incidents": len(late),
        "new incidents a second": len(late) / (seconds + max(late[-REPORTERS:]) / 1000),
        **_spread("new incident, behind its time", late),
        "longest tick meanwhile ms": max(ticked, default=0.0),
    }


def _report_at_rate(postgres: str, which: int, begin: float, seconds: int) -> list[float]:
    """How long after its moment each incident was stored, in milliseconds; raises where one
    could not be."""
    late = []
    with connect(postgres) as conn:
        _report(conn, datetime.now(UTC), which)  # what is read once has been read
        conn.rollback()
        for n in range(which, RATE * seconds, REPORTERS):
            due = begin + n / RATE
            time.sleep(max(0.0, due - time.time()))
            _report(conn, datetime.now(UTC), n)
            conn.commit()
            late.append((time.time() - due) * 1000)
    return late


def _roll(conn: Connection, due: int) -> dict[str, Any]:
    """So many clocks run out at one moment."""
    conn.execute(
        """
        UPDATE deadline SET due_at = now() - interval '1 second', warn_at = now() - interval '1 h',
                            warned_at = now()
        WHERE id IN (
            SELECT d.id FROM deadline d JOIN incident i ON i.id = d.incident_id
            WHERE d.met_at IS NULL AND d.stopped_at IS NULL AND i.state <> 'closed' LIMIT %s)
        """,
        (due,),
    )
    conn.commit()
    began = time.monotonic()
    done = 0
    while time.monotonic() - began < 600:
        count = steps.tick_deadlines(conn, datetime.now(UTC))
        conn.commit()
        if not count:
            break
        done += count
    took = time.monotonic() - began
    return {"due steps": done, "roll of due steps s": took, "due steps a second": done / took}


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _spread(name: str, took: list[float]) -> dict[str, Any]:
    took = sorted(took)
    return {
        f"{name} p50_ms": took[len(took) // 2],
        f"{name} p95_ms": took[int(len(took) * 0.95)],
        f"{name} longest_ms": took[-1],
    }
