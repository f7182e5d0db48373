"""One waiting batch of readings: claim, screen as arrays, judge the few, save; one transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from alerts.book import AlarmBook
from alerts.judge import Sample, fall_due, judge
from alerts.known import Known
from alerts.rules import Rule
from alerts.save import save, timer_from
from alerts.screen import Columns, Hit, known_rows, screen, shown_rows, split
from city.event import NewEvent
from city.reading import METRICS_BY_ID
from db import alarms, evaluation, readings, rule_timers
from db.evaluation import WaitingBatch, WatchedDevice
from db.events import append_events
from db.pool import Connection, first_line, is_away
from db.readings import EPOCH

log = logging.getLogger(__name__)

# A batch that fails this often is set aside for a person; the last attempt comes after about
# ten minutes, long enough for a passing fault (disk full, memory) to be repaired.
MAX_ATTEMPTS = 10
RETRY_FIRST = timedelta(seconds=1)
RETRY_LONGEST = timedelta(minutes=2)

Shown = tuple[int, None, float, str, int, int]  # as the screens want it: see `Evaluation.frame`


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one batch brought. True in a condition, as there was a batch to evaluate."""

    batch_id: int
    readings: int = 0
    judged: int = 0  # readings that became Python objects
    changes: int = 0  # changes of alarms
    last_seq: int | None = None  # newest event appended
    shown: Sequence[Shown] = field(default=())
    failed: bool = False

    def frame(self) -> list[list[Any]]:
        """Newest values for the screens: [device id, None, value, metric, ts, received]."""
        return [list(item) for item in self.shown]


def evaluate_next_batch(
    conn: Connection, now: datetime, known: Known | None = None
) -> Evaluation | None:
    """Evaluate the oldest waiting batch, if there is one; the caller commits.

    A batch that cannot be evaluated moves its own next attempt ahead and the rest goes on.
    """
    alarms.lock_alarms(conn)
    batch = evaluation.claim_batch(conn, now, MAX_ATTEMPTS)
    if batch is None:
        return None
    try:
        with conn.transaction():
            return _evaluate(conn, batch, known or Known(), now)
    except Exception as error:
        if is_away(error):
            raise
        log.exception("batch %s cannot be evaluated (attempt %s)", batch.id, batch.attempts + 1)
        return _put_off(conn, batch, error, now)


def _evaluate(conn: Connection, batch: WaitingBatch, known: Known, now: datetime) -> Evaluation:
    columns = split(readings.unpack(batch.payload or b""))
    if not len(columns):
        evaluation.mark_evaluated(conn, batch.id, now)
        return Evaluation(batch.id)
    known.refresh(conn, now, columns.device_id)
    columns = columns.keep(np.flatnonzero(known_rows(columns, known.fleet)))
    codes = known.reading_rules()
    hits = screen(columns, known.fleet, alarms.list_attention(conn, codes), now)
    book = AlarmBook(now)
    judged = judge_hits(conn, book, known, columns, hits)
    events = save(conn, book)
    evaluation.mark_evaluated(conn, batch.id, now)
    appended = append_events(conn, events)
    return Evaluation(
        batch_id=batch.id,
        readings=len(columns),
        judged=judged,
        changes=book.changes(),
        last_seq=appended[-1].seq if appended else None,
        shown=_shown(columns),
    )


def judge_hits(
    conn: Connection, book: AlarmBook, known: Known, columns: Columns, hits: Sequence[Hit]
) -> int:
    """Judge the screened readings in the order of their time; answers how many there were."""
    if not hits:
        return 0
    concerned = np.unique(np.concatenate([columns.device_id[hit.rows] for hit in hits])).tolist()
    load_book(conn, book, concerned, known.reading_rules())
    count = 0
    for rule, device, sample in in_time_order(columns, hits, known.devices):
        judge_sample(book, rule, device, sample)
        count += 1
    return count


def load_book(
    conn: Connection, book: AlarmBook, device_ids: Sequence[int], codes: Sequence[str]
) -> None:
    """Take the live alarms and running timers of these devices into the book."""
    timers = rule_timers.list_timers(conn, device_ids, codes)
    book.add(alarms.list_live_alarms(conn, device_ids=device_ids), (timer_from(t) for t in timers))


def judge_sample(book: AlarmBook, rule: Rule, device: WatchedDevice, sample: Sample) -> None:
    """What fell due before the reading, then the reading."""
    for outcome in list(fall_due(rule, book.standing(rule, device), sample.ts)):
        book.apply(rule, device, outcome)
    standing = book.standing(rule, device)
    for outcome in list(judge(rule, device.id, device.attributes, standing, sample)):
        book.apply(rule, device, outcome)


def in_time_order(
    columns: Columns, hits: Iterable[Hit], devices: dict[int, WatchedDevice]
) -> Iterator[tuple[Rule, WatchedDevice, Sample]]:
    """The readings of all hits by time, then by their order in the batch."""
    found = [
        (ts, row, hit.rule)
        for hit in hits
        for ts, row in zip(columns.ts_us[hit.rows].tolist(), hit.rows.tolist(), strict=True)
    ]
    found.sort(key=lambda item: item[:2])
    for ts_us, row, rule in found:
        device = devices[int(columns.device_id[row])]
        sample = Sample(
            ts=_moment(ts_us),
            received_at=_moment(int(columns.received_us[row])),
            value=float(columns.value[row]),
            quality=int(columns.quality[row]),
        )
        yield rule, device, sample


def _put_off(conn: Connection, batch: WaitingBatch, error: Exception, now: datetime) -> Evaluation:
    attempt = batch.attempts + 1
    wait = min(RETRY_FIRST * 2**batch.attempts, RETRY_LONGEST)
    evaluation.postpone_batch(conn, batch.id, now + wait)
    if attempt < MAX_ATTEMPTS:
        return Evaluation(batch.id, failed=True)
    centre = evaluation.find_centre(conn)
    appended = append_events(
        conn,
        [
            NewEvent(
                at=now,
                district=centre[0] if centre else "",
                kind="batch.set_aside",
                subject=f"batch:{batch.id}",
                actor="system",
                payload={"batch_id": batch.id, "attempts": attempt, "error": first_line(error)},
            )
        ],
    )
    return Evaluation(batch.id, last_seq=appended[-1].seq, failed=True)


def _shown(columns: Columns) -> list[Shown]:
    chosen = columns.keep(shown_rows(columns))
    return [
        (device, None, value, METRICS_BY_ID[metric].name, ts // 1000, received // 1000)
        for device, value, metric, ts, received in zip(
            chosen.device_id.tolist(),
            chosen.value.tolist(),
            chosen.metric_id.tolist(),
            chosen.ts_us.tolist(),
            chosen.received_us.tolist(),
            strict=True,
        )
    ]


def _moment(epoch_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=epoch_us)
