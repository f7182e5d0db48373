"""Waiting batches of a district: claim, screen as arrays, judge the few, save; one transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from alerts import late, permits
from alerts.book import AlarmBook
from alerts.course import judge_sample
from alerts.judge import Sample
from alerts.known import Known
from alerts.limits import LimitRule, ReadingRule
from alerts.save import load_book, save
from alerts.screen import (
    Attention,
    Columns,
    Hit,
    by_credible_time,
    heed,
    screen,
    shown_rows,
    split,
    wake_up,
)
from alerts.wakes import marks_of
from city.device import WatchedDevice
from city.event import NewEvent
from city.moment import EPOCH
from city.reading import METRICS_BY_ID
from columns.readings import Rows, pack, unpack
from db import alarms, evaluation, window_looks
from db.evaluation import MAX_ATTEMPTS, Hazard, WaitingBatch
from db.events import append_events
from db.pool import Connection, first_line, is_away

log = logging.getLogger(__name__)

RETRY_FIRST = timedelta(seconds=1)
RETRY_LONGEST = timedelta(minutes=2)

# What is evaluated as one: enough to bring a backlog into the order of time and to share the
# fixed cost of a step, little enough that a step takes well under a second.
BATCHES_AT_ONCE = 16
READINGS_AT_ONCE = 200_000


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What batches brought. True in a condition, as there was something to evaluate."""

    batches: int = 1
    readings: int = 0
    judged: int = 0  # readings that became Python objects
    changes: int = 0  # changes of alarms
    last_seq: int | None = None  # newest event appended
    shown: Sequence[Columns] = field(default=())  # one row a device, batch after batch
    failed: bool = False

    @staticmethod
    def joined(parts: Sequence[Evaluation]) -> Evaluation:
        """Of batches that were evaluated one after the other."""
        return Evaluation(
            batches=len(parts),
            readings=sum(part.readings for part in parts),
            judged=sum(part.judged for part in parts),
            changes=sum(part.changes for part in parts),
            last_seq=max((p.last_seq for p in parts if p.last_seq is not None), default=None),
            shown=[item for part in parts for item in part.shown],
            failed=any(part.failed for part in parts),
        )


def frame(shown: Iterable[Columns]) -> list[list[Any]]:
    """Newest values for the screens: [device id, None, value, metric, ts, received]; of a device
    the one that came last."""
    newest: dict[int, list[Any]] = {}
    for rows in shown:
        for device, value, metric, ts_us, received_us in zip(
            rows.device_id.tolist(),
            rows.value.tolist(),
            rows.metric_id.tolist(),
            rows.ts_us.tolist(),
            rows.received_us.tolist(),
            strict=True,
        ):
            name = METRICS_BY_ID[metric].name
            newest[device] = [device, None, value, name, ts_us // 1000, received_us // 1000]
    return list(newest.values())


def evaluate_waiting(
    conn: Connection, now: datetime, known: Known | None = None
) -> Evaluation | None:
    """Evaluate the oldest waiting batches of one district, if any wait, as one; the caller commits.

    Together, because several ingest workers commit what one device said in any order. A batch
    that cannot be evaluated moves its own next attempt ahead and the others go on.
    """
    district = _take_district(conn, now)
    if district is None:
        return None
    batches = evaluation.claim_batches(
        conn, district, now, MAX_ATTEMPTS, at_most=BATCHES_AT_ONCE, readings=READINGS_AT_ONCE
    )
    if not batches:  # another engine has been faster
        return Evaluation(batches=0)
    known = known or Known()
    done = _try(conn, district, batches, known, now)
    if done.failed and len(batches) > 1:
        parts = [_try(conn, district, [batch], known, now) for batch in batches]
        done = Evaluation.joined(parts)
    return done


def _take_district(conn: Connection, now: datetime) -> str | None:
    """The district whose oldest batch has waited longest, of those that no other engine is at;
    where all are taken, the first that is given back. Its lock is the only one that is held."""
    waiting = evaluation.list_waiting_districts(conn, now, MAX_ATTEMPTS)
    for district in waiting:
        if alarms.try_lock_district(conn, district):
            return district
    if not waiting:
        return None
    alarms.lock_district(conn, waiting[0])
    return waiting[0]


def _try(
    conn: Connection,
    district: str,
    batches: Sequence[WaitingBatch],
    known: Known,
    now: datetime,
) -> Evaluation:
    """Evaluate batches as one, or undo it; a single one that fails is put off."""
    try:
        with conn.transaction():
            return _evaluate(conn, district, batches, known, now)
    except Exception as error:
        if is_away(error):
            raise
        if len(batches) > 1:
            log.warning("%s batches fail as one (%s)", len(batches), first_line(error))
            return Evaluation(failed=True)
        (batch,) = batches
        log.exception("batch %s cannot be evaluated (attempt %s)", batch.id, batch.attempts + 1)
        return _put_off(conn, batch, error, now)


def _evaluate(
    conn: Connection,
    district: str,
    batches: Sequence[WaitingBatch],
    known: Known,
    now: datetime,
) -> Evaluation:
    ids = [batch.id for batch in batches]
    packed = [(batch, unpack(batch.payload)) for batch in batches if batch.payload]
    if packed:
        known.refresh(conn, now, np.concatenate([rows["device_id"] for _, rows in packed]))
    rows = [_of_district(conn, district, batch, rows, known) for batch, rows in packed]
    columns = by_credible_time(split(np.concatenate(rows))) if rows else None
    if columns is None or not len(columns):
        evaluation.mark_evaluated(conn, ids, now)
        return Evaluation(batches=len(ids))
    attention = _attention(conn, district, known)
    hits = screen(columns, known.fleet, attention, now)
    marks = marks_of(wake_up(columns, known.fleet, attention, now), known.marked, now)
    window_looks.mark(conn, [row for one in marks for row in one.rows(now)])
    book = AlarmBook(now)
    judged = judge_hits(conn, book, known, columns, hits)
    events = save(conn, book)
    evaluation.mark_evaluated(conn, ids, now)
    appended = append_events(conn, events)
    known.marked.note(marks, now)
    return Evaluation(
        batches=len(ids),
        readings=len(columns),
        judged=judged,
        changes=book.changes(),
        last_seq=appended[-1].seq if appended else None,
        shown=[columns.keep(shown_rows(columns))],
    )


def _of_district(
    conn: Connection, district: str, batch: WaitingBatch, rows: Rows, known: Known
) -> Rows:
    """The readings of known devices of the district. Those of devices that are in another one (or
    have been moved since) are passed on to it: it is not locked."""
    fleet = known.fleet
    rows = rows[fleet.has(rows["device_id"])]
    place = fleet.district[rows["device_id"]]
    own = fleet.districts.index(district) if district in fleet.districts else -1
    if (place == own).all():
        return rows
    foreign = [
        (fleet.districts[number], rows[place == number])
        for number in np.unique(place).tolist()
        if number != own
    ]
    evaluation.pass_on(conn, batch.id, [(code, len(part), pack(part)) for code, part in foreign])
    mine: Rows = rows[place == own]
    return mine


def _attention(conn: Connection, district: str, known: Known) -> Attention:
    """Which devices have an alarm or a delay, by condition."""
    hazards = [
        Hazard(rule.code, rule.condition, int(rule.levels[0].severity))
        for rule in known.rules.values()
        if isinstance(rule, LimitRule)
    ]
    return {
        found.condition: heed(
            known.fleet,
            found.device_ids, found.until_us, found.calm_from_us, found.calm_to_us,
        )
        for found in evaluation.list_attention(conn, district, hazards)
    }  # fmt: skip


def judge_hits(
    conn: Connection, book: AlarmBook, known: Known, columns: Columns, hits: Sequence[Hit]
) -> int:
    """Judge the screened readings in the order of their time; answers how many there were."""
    if not hits:
        return 0
    concerned = np.unique(np.concatenate([columns.device_id[hit.rows] for hit in hits])).tolist()
    load_book(conn, book, concerned, known.reading_rules())
    found = list(in_time_order(columns, hits, known.devices))
    moments = ((rule, device.id, sample.ts) for rule, device, sample in found)
    book.permits = permits.load_spans(conn, moments, book.now)
    overtaken = late.find_overtaken(conn, known, columns, found)
    for rule, device, sample in found:
        if (device.id, rule.condition) not in overtaken:
            judge_sample(book, rule, device, sample, known.beside(rule))
    late.judge_overtaken(conn, book, known, overtaken, found)
    permits.judge_again(conn, book.noted.values(), book.now)
    return len(found)


def in_time_order(
    columns: Columns, hits: Iterable[Hit], devices: dict[int, WatchedDevice]
) -> Iterator[tuple[ReadingRule, WatchedDevice, Sample]]:
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
        return Evaluation(failed=True)
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
    return Evaluation(last_seq=appended[-1].seq, failed=True)


def _moment(epoch_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=epoch_us)
