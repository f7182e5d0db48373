"""The beat of each stage: the last time it went round, by the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import kwargs_row

from city.stage import Beat, Stage, Usual, Waiting
from db.evaluation import MAX_ATTEMPTS
from db.pool import Connection

# How often a stage says that it goes round.
BEAT_S = 2.0
# A device belongs to those that are heard if its last message is at most so many of its intervals
# older than the newest of all.
HEARD_INTERVALS = 3
# Pauses are looked for in so much of the past; batches are folded after it.
LISTENED = timedelta(hours=1)


@dataclass(slots=True)
class Rhythm:
    """When a loop owes its next beat."""

    beaten_at: float = float("-inf")

    def is_due(self, clock_s: float) -> bool:
        """True once every `BEAT_S`; `clock_s` is monotonic."""
        if clock_s - self.beaten_at < BEAT_S:
            return False
        self.beaten_at = clock_s
        return True


def beat(
    conn: Connection,
    stage: Stage,
    name: str,
    *,
    connected: bool = True,
    newest_at: datetime | None = None,
    waiting_since: datetime | None = None,
) -> None:
    """This stage has just gone round. `connected`: what it takes from (for RECEIVED the broker)
    answers. `newest_at`: receipt of the newest message it dealt with; None or an older one leaves
    what is known. `waiting_since`: receipt of the oldest message it has taken and not dealt with.

    Waits for nobody: while another process of this name holds the row, the beat is left out.
    """
    conn.execute(
        """
        WITH known AS MATERIALIZED (
            SELECT FROM stage_beat WHERE stage = %(stage)s AND name = %(name)s
        ), mine AS MATERIALIZED (
            SELECT stage, name FROM stage_beat WHERE stage = %(stage)s AND name = %(name)s
            FOR UPDATE SKIP LOCKED
        ), beaten AS (
            UPDATE stage_beat AS beat
            SET beat_at = clock_timestamp(), connected = %(connected)s,
                connected_at = CASE WHEN %(connected)s THEN clock_timestamp()
                                    ELSE connected_at END,
                newest_at = greatest(newest_at, %(newest_at)s),
                waiting_since = %(waiting_since)s
            FROM mine WHERE beat.stage = mine.stage AND beat.name = mine.name
        )
        INSERT INTO stage_beat
            (stage, name, beat_at, connected, connected_at, newest_at, waiting_since)
        SELECT %(stage)s, %(name)s, clock_timestamp(), %(connected)s,
               CASE WHEN %(connected)s THEN clock_timestamp() END,
               %(newest_at)s, %(waiting_since)s
        WHERE NOT EXISTS (SELECT FROM known)
        ON CONFLICT (stage, name) DO NOTHING
        """,
        {
            "stage": stage, "name": name, "connected": connected,
            "newest_at": newest_at, "waiting_since": waiting_since,
        },
    )  # fmt: skip


def list_beats(conn: Connection) -> list[Beat]:
    """The newest beat of every process that ever went round, by stage and name."""
    with conn.cursor(row_factory=kwargs_row(_beat)) as cursor:
        return cursor.execute(
            """
            SELECT stage, name, connected,
                   extract(epoch FROM moment - beat_at)::float8 AS age_s,
                   extract(epoch FROM moment - connected_at)::float8 AS connected_age_s,
                   extract(epoch FROM moment - newest_at)::float8 AS newest_age_s,
                   extract(epoch FROM moment - waiting_since)::float8 AS waiting_s
            FROM stage_beat CROSS JOIN (SELECT clock_timestamp() AS moment) AS clock
            ORDER BY stage, name
            """
        ).fetchall()


def _beat(stage: str, **rest: Any) -> Beat:
    return Beat(Stage(stage), **rest)


def find_waiting(conn: Connection) -> Waiting:
    """The oldest stored batch nobody judged (but for those set aside for a person) and the oldest
    alarm change that dispatch has not taken."""
    row = conn.execute(
        """
        SELECT extract(epoch FROM clock_timestamp() - (
                   SELECT committed_at FROM ingest_batch
                   WHERE evaluated_at IS NULL AND attempts < %s ORDER BY id LIMIT 1))::float8,
               extract(epoch FROM clock_timestamp() - (
                   SELECT at FROM alarm_change WHERE taken_at IS NULL ORDER BY id LIMIT 1))::float8
        """,
        (MAX_ATTEMPTS,),
    ).fetchone()
    assert row is not None, "a SELECT without FROM has one row"
    return Waiting(*row)


def find_usual(conn: Connection) -> Usual:
    """Reads the newest value of every device and the batches of an hour: not for every second."""
    interval = conn.execute(
        """
        WITH heard AS MATERIALIZED (
            SELECT device_id, max(received_at) AS at FROM device_latest GROUP BY device_id
        )
        SELECT report_interval_s::float8 FROM heard JOIN device ON device.id = device_id
        WHERE heard.at > (SELECT max(at) FROM heard)
                         - report_interval_s * %s * interval '1 second'
        ORDER BY report_interval_s OFFSET 1 LIMIT 1
        """,
        (HEARD_INTERVALS,),
    ).fetchone()
    pause = conn.execute(
        """
        SELECT extract(epoch FROM max(pause))::float8 FROM (
            SELECT received_from - max(received_to) OVER (
                       ORDER BY received_from ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ) AS pause, min(received_from) OVER () AS first
            FROM ingest_batch
            WHERE received > 0 AND committed_at > clock_timestamp() - %(listened)s
        ) batch
        WHERE first < clock_timestamp() - %(listened)s * 0.9
        """,
        {"listened": LISTENED},
    ).fetchone()
    return Usual(interval[0] if interval else None, pause[0] if pause else None)
