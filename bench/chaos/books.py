"""What the database has of what was sent, and of the gas alarm in the middle of a fault."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from bench.chaos.faults import Happened
from bench.remembering import NEVER, Sent

# (device, time or value): how often.
Stored = Counter[tuple[str, int]]


@dataclass(frozen=True)
class Losses:
    """Acknowledged by the broker and not stored, and stored more than once."""

    acknowledged: int
    lost: int  # what the broker owes: all but the next
    lost_after_save: int  # accepted by a broker that was ended, after its last save
    doubled: int
    lost_untimed: int = 0  # of the lost: messages without a time


class Books:
    """Asks over a connection that is made anew when the database was away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: psycopg.Connection[Any] | None = None

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        if self._conn is None or self._conn.closed:
            self._conn = psycopg.connect(self._url, autocommit=True, connect_timeout=3)
        try:
            return self._conn.execute(query, parameters).fetchall()
        except psycopg.Error:
            self._conn.close()
            raise

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()

    def moment(self, query: str, *parameters: Any) -> float | None:
        """Epoch seconds of the one timestamp a query answers; None while there is none, or no
        database to ask."""
        with suppress(psycopg.Error):
            ((at,),) = self.rows(query, *parameters)
            return at.timestamp() if at else None
        return None

    def first_stored(self, after: float) -> float | None:
        """Of messages received after that moment: what storing processes still had in hand when
        their inbox was killed says nothing."""
        query = "SELECT min(committed_at) FROM ingest_batch WHERE stored > 0 AND received_to > %s"
        return self.moment(query, _time(after))

    def first_judged(self, after: float) -> float | None:
        return self.moment(
            "SELECT min(evaluated_at) FROM ingest_batch WHERE evaluated_at > %s", _time(after)
        )

    def scheduler_ticked(self, after: float) -> float | None:
        return self.moment(
            """
            SELECT min(state_change) FROM pg_stat_activity
            WHERE application_name = 'scheduler' AND state_change > %s
            """,
            _time(after),
        )

    def stored(self, timed: Sequence[str], untimed: Sequence[str], since_ms: int) -> Stored:
        """How often each message stands in the readings: by device and time of measurement, or,
        where messages have no time, by device and value."""
        found = self.rows(
            """
            SELECT d.code, (extract(epoch FROM r.ts) * 1000)::bigint, count(*)
            FROM reading r JOIN device d ON d.id = r.device_id
            WHERE r.ts >= %s AND d.code = ANY(%s) GROUP BY 1, 2
            """,
            _time(since_ms / 1000),
            list(timed),
        ) + self.rows(
            """
            SELECT d.code, r.value::bigint, count(*)
            FROM reading r JOIN device d ON d.id = r.device_id
            WHERE d.code = ANY(%s) GROUP BY 1, 2
            """,
            list(untimed),
        )
        return Counter({(code, int(key)): n for code, key, n in found})

    def gas_alarm(self, code: str) -> tuple[int, int]:
        """Alarms of gas of a device, and the incidents they stand in."""
        ((alarms, incidents),) = self.rows(
            """
            SELECT count(DISTINCT a.id), count(DISTINCT i.incident_id)
            FROM alarm a JOIN device d ON d.id = a.device_id
            LEFT JOIN incident_alarm i ON i.alarm_id = a.id
            WHERE d.code = %s AND a.category <> 'device'
            """,
            code,
        )
        return alarms, incidents


def losses(
    sent: Collection[Sent],
    codes: Sequence[str],
    stored: Stored,
    happened: Happened,
    untimed: Collection[str] = (),
) -> Losses:
    """What was acknowledged against what is stored; `untimed` devices send no times."""
    acknowledged = [one for one in sent if one.acked_at != NEVER]
    gone = [one for one in acknowledged if not stored[codes[one.source], one.key]]
    owed = [one for one in gone if not _after_save(one, happened)]
    doubled = sum(max(0, stored[codes[one.source], one.key] - 1) for one in sent)
    lost_untimed = sum(codes[one.source] in untimed for one in owed)
    return Losses(len(acknowledged), len(owed), len(gone) - len(owed), doubled, lost_untimed)


def _after_save(one: Sent, happened: Happened) -> bool:
    """Accepted by the broker that was ended, after it had saved for the last time. While it saves
    it acknowledges nothing, so the end of the save is the limit."""
    if happened.saved_at is None or happened.back_at is None:
        return False
    return happened.saved_at < one.acked_at < happened.back_at


def wait_for(look: Callable[[], Any], wait: Callable[[float], None], timeout_s: float) -> Any:
    """The first answer of `look` that is not empty; None if there is none in time."""
    until = time.monotonic() + timeout_s
    while True:
        with suppress(psycopg.Error):
            if found := look():
                return found
        if time.monotonic() > until:
            return None
        wait(0.1)


def _time(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
