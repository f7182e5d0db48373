"""Rules as people look at them: every rule with its alarms, every version with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class ListedRule:
    """The newest version of a rule, and what it holds and raised in a district."""

    code: str
    version: int
    source: str
    definition: dict[str, Any]
    valid_from: datetime
    retired_at: datetime | None
    applied_by: str
    live: int
    lately: int


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One version; `at` and `why` are of the entry of the log that put it in force."""

    version: int
    source: str
    valid_from: datetime
    retired_at: datetime | None
    applied_by: str
    at: datetime | None
    actor: str | None
    asked_by: str | None
    why: str | None
    approval: int | None


def list_rules(conn: Connection, district: str, since: datetime) -> list[ListedRule]:
    """All rules there ever were, by code; `live` are alarms that a rule holds now, `lately` those
    that it raised since then."""
    with conn.cursor(row_factory=class_row(ListedRule)) as cursor:
        return cursor.execute(
            """
            WITH holding AS (
                SELECT held.code, count(*) AS live
                FROM alarm a, jsonb_each(a.levels) AS held (code, steps)
                WHERE a.district = %(district)s AND a.state IN ('unacknowledged', 'acknowledged')
                  AND held.steps -> -1 ->> 1 IS NOT NULL
                GROUP BY held.code
            ), raised AS (
                SELECT rule_code AS code, count(*) AS lately FROM alarm
                WHERE district = %(district)s AND raised_at >= %(since)s GROUP BY rule_code
            )
            SELECT DISTINCT ON (r.code)
                   r.code, r.version, r.source, r.definition, r.valid_from, r.retired_at,
                   r.applied_by, COALESCE(h.live, 0)::int AS live,
                   COALESCE(l.lately, 0)::int AS lately
            FROM rule r LEFT JOIN holding h USING (code) LEFT JOIN raised l USING (code)
            ORDER BY r.code, r.version DESC
            """,
            {"district": district, "since": since},
        ).fetchall()


def list_versions(conn: Connection, code: str) -> list[RuleVersion]:
    """The versions of a rule, newest first."""
    with conn.cursor(row_factory=class_row(RuleVersion)) as cursor:
        return cursor.execute(
            """
            SELECT r.version, r.source, r.valid_from, r.retired_at, r.applied_by, e.at, e.actor,
                   e.payload ->> 'asked_by' AS asked_by, e.payload ->> 'why' AS why,
                   (e.payload ->> 'approval')::int AS approval
            FROM rule r LEFT JOIN LATERAL (
                SELECT at, actor, payload FROM event
                WHERE subject = 'rule:' || r.code AND kind = 'rule.applied'
                  AND (payload ->> 'version')::int = r.version
                ORDER BY seq LIMIT 1
            ) e ON true
            WHERE r.code = %s ORDER BY r.version DESC
            """,
            (code,),
        ).fetchall()


@dataclass(frozen=True, slots=True)
class Retirement:
    """Who took a rule out of force, and why."""

    version: int
    at: datetime
    actor: str
    why: str | None


def list_retirements(conn: Connection, code: str) -> list[Retirement]:
    """Newest first."""
    with conn.cursor(row_factory=class_row(Retirement)) as cursor:
        return cursor.execute(
            """
            SELECT (payload ->> 'version')::int AS version, at, actor, payload ->> 'why' AS why
            FROM event WHERE subject = %s AND kind = 'rule.retired' ORDER BY seq DESC
            """,
            (f"rule:{code}",),
        ).fetchall()
