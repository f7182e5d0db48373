"""The beat of each stage: the last time it went round, by the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.rows import kwargs_row

from db.pool import Connection

# How often a stage says that it goes round.
BEAT_S = 2.0


class Stage(StrEnum):
    """The way of a reading, and the clock beside it."""

    RECEIVED = "received"  # the inbox listens at the broker
    COMMITTED = "committed"  # received messages are stored
    JUDGED = "judged"  # stored readings become alarms
    DISPATCHED = "dispatched"  # alarms become incidents
    TICKED = "ticked"  # deadlines, delays and silence run out


@dataclass(frozen=True, slots=True)
class Beat:
    """The newest of one process; ages in seconds by the database's clock when it was read."""

    stage: Stage
    name: str
    age_s: float
    connected: bool
    connected_age_s: float | None  # since the newest beat with a connection
    newest_age_s: float | None  # since the newest message was received
    waiting_s: float | None  # since the oldest message that it holds was received


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
