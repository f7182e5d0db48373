"""The hand-over from alarms to dispatch, and the alarms of an incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from city.alarm import IncidentAlarm
from columns.readings import CLOCKS_AGREE
from db.pool import Connection
from db.readings import MOST_AHEAD
from db.row_columns import select_list


@dataclass(frozen=True)
class WaitingChange:
    """An alarm change that dispatch has to act on, with the alarm as it is now."""

    id: int
    kind: str
    at: datetime
    attempts: int
    alarm_id: int
    district: str
    condition: str
    rule_code: str
    category: str
    severity: int
    state: str
    opens_incident: bool
    shelved_until: datetime | None
    reason: dict[str, Any]
    sensed_at: datetime
    device_id: int | None
    device_code: str | None
    device_name: str | None
    camera_event: str | None
    lon: float
    lat: float
    demo: bool

    @property
    def condition_stands(self) -> bool:
        return self.state in ("unacknowledged", "acknowledged")


WAITING_COLUMNS = select_list(
    WaitingChange, "a",
    id="c.id", kind="c.kind", at="c.at", attempts="c.attempts", alarm_id="a.id",
    device_code="device.code", device_name="device.name",
)  # fmt: skip


def claim_change(conn: Connection, now: datetime) -> WaitingChange | None:
    """Lock the oldest waiting change; one alarm's changes are taken in their order."""
    with conn.cursor(row_factory=class_row(WaitingChange)) as cursor:
        return cursor.execute(
            f"""
            SELECT {WAITING_COLUMNS}
            FROM alarm_change c
            JOIN alarm a ON a.id = c.alarm_id
            LEFT JOIN device ON device.id = a.device_id
            WHERE c.taken_at IS NULL AND c.not_before <= %s
              AND NOT EXISTS (
                  SELECT FROM alarm_change earlier
                  WHERE earlier.alarm_id = c.alarm_id AND earlier.taken_at IS NULL
                    AND earlier.id < c.id)
            ORDER BY c.id
            LIMIT 1
            FOR UPDATE OF c SKIP LOCKED
            """,
            (now,),
        ).fetchone()


def mark_taken(conn: Connection, change_id: int, now: datetime) -> None:
    """Done; in the same transaction as what was done."""
    conn.execute("UPDATE alarm_change SET taken_at = %s WHERE id = %s", (now, change_id))


def mark_failed(conn: Connection, change_id: int, not_before: datetime) -> None:
    """Not now: the change waits for its next attempt and the rest goes on."""
    conn.execute(
        "UPDATE alarm_change SET attempts = attempts + 1, not_before = %s WHERE id = %s",
        (not_before, change_id),
    )


def hand_over_forgotten(conn: Connection, now: datetime) -> int:
    """Hand over again every alarm that stands unmuted and has no open incident.

    One whose off-delay runs is left to it: its sensor says that the condition is gone.
    """
    found = conn.execute(
        """
        INSERT INTO alarm_change (alarm_id, kind, at)
        SELECT a.id, 'raised', %(now)s FROM alarm a
        WHERE a.state <> 'normal' AND a.state IN ('unacknowledged', 'acknowledged')
          AND a.opens_incident
          AND (a.shelved_until IS NULL OR a.shelved_until <= %(now)s)
          AND NOT EXISTS (
              SELECT FROM incident_alarm link JOIN incident i ON i.id = link.incident_id
              WHERE link.alarm_id = a.id
                AND i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged'))
          AND NOT EXISTS (
              SELECT FROM alarm_change c WHERE c.alarm_id = a.id AND c.taken_at IS NULL)
          AND NOT alarm_is_clearing(a)
        FOR UPDATE OF a SKIP LOCKED
        """,
        {"now": now},
    )
    return found.rowcount


def link_alarm(conn: Connection, alarm_id: int, incident_id: int) -> None:
    """An alarm belongs to one incident: the last one that it opened or joined."""
    conn.execute(
        """
        INSERT INTO incident_alarm (alarm_id, incident_id) VALUES (%s, %s)
        ON CONFLICT (alarm_id) DO UPDATE SET incident_id = excluded.incident_id
        """,
        (alarm_id, incident_id),
    )


def move_alarms(conn: Connection, from_incident: int, to_incident: int) -> list[int]:
    """A merged incident hands its alarms over; answers which."""
    moved = conn.execute(
        "UPDATE incident_alarm SET incident_id = %s WHERE incident_id = %s RETURNING alarm_id",
        (to_incident, from_incident),
    )
    return sorted(row[0] for row in moved)


def move_alarms_back(
    conn: Connection, from_incident: int, to_incident: int, ids: Sequence[int], since: datetime
) -> int:
    """A merge is taken back: these go back, and whatever of their conditions came since."""
    moved = conn.execute(
        """
        UPDATE incident_alarm link SET incident_id = %(to)s
        FROM alarm a
        WHERE link.incident_id = %(from)s AND a.id = link.alarm_id
          AND (a.id = ANY(%(ids)s)
               OR a.raised_at >= %(since)s
                  AND a.condition IN (SELECT condition FROM alarm WHERE id = ANY(%(ids)s)))
        """,
        {"from": from_incident, "to": to_incident, "ids": list(ids), "since": since},
    )
    return moved.rowcount


def find_incident_of(conn: Connection, alarm_id: int) -> int | None:
    """The incident that an alarm belongs to."""
    row = conn.execute(
        "SELECT incident_id FROM incident_alarm WHERE alarm_id = %s", (alarm_id,)
    ).fetchone()
    return None if row is None else int(row[0])


OF_INCIDENT_COLUMNS = select_list(
    IncidentAlarm, "a",
    device_code="device.code", report_interval_s="device.report_interval_s",
    metric_id="metric.id", comparison="rule.definition ->> 'comparison'",
    # Of a rule over a window the clear limit is on its signal; on values it is what holds it.
    clear_limit="coalesce(rule.definition ->> 'hold_above',"
    " rule.definition ->> 'clear_limit')::float8",
    clearing="alarm_is_clearing(a)",
)  # fmt: skip


def list_alarms_of(conn: Connection, incident_id: int) -> list[IncidentAlarm]:
    """Alarms of an incident, oldest first."""
    with conn.cursor(row_factory=class_row(IncidentAlarm)) as cursor:
        return cursor.execute(
            f"""
            SELECT {OF_INCIDENT_COLUMNS}
            FROM incident_alarm link
            JOIN alarm a ON a.id = link.alarm_id
            LEFT JOIN device ON device.id = a.device_id
            LEFT JOIN metric ON metric.name = a.reason ->> 'metric'
            LEFT JOIN rule ON rule.code = a.rule_code AND rule.version = a.rule_version
            WHERE link.incident_id = %s
            ORDER BY a.id
            """,
            (incident_id,),
        ).fetchall()


@dataclass(frozen=True)
class Extremes:
    """What a sensor measured in a stretch of time; empty when it did not report."""

    count: int
    lowest: float | None
    highest: float | None
    newest_at: datetime | None


def extremes(
    conn: Connection, device_id: int, metric_id: int, start: datetime, end: datetime
) -> Extremes:
    """Lowest and highest trustworthy reading; suspect and simulated values prove nothing, and a
    reading from the future belongs to the time of its receipt."""
    with conn.cursor(row_factory=class_row(Extremes)) as cursor:
        row = cursor.execute(
            """
            SELECT count(*) AS count, min(value) AS lowest, max(value) AS highest,
                   max(credible_at) AS newest_at
            FROM (
                SELECT value, least(ts, received_at + %(agree)s) AS credible_at FROM reading
                WHERE device_id = %(device)s AND metric_id = %(metric)s AND quality <= 2
                  AND ts > %(start)s AND ts <= %(end)s + %(ahead)s
            ) near
            WHERE credible_at > %(start)s AND credible_at <= %(end)s
            """,
            {
                "device": device_id, "metric": metric_id, "start": start, "end": end,
                "agree": CLOCKS_AGREE, "ahead": MOST_AHEAD,
            },
        ).fetchone()  # fmt: skip
    assert row is not None
    return row
