"""Store a batch of messages in one transaction; give a quarantined message another chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from city.errors import Conflict, NotFound
from city.event import NewEvent
from city.reading import Quality
from db import devices, ledger, readings, rejects, rollups, video_events
from db.events import append_events
from db.pool import Connection
from db.readings import EPOCH, Mask, Rows
from ingest.batch import (
    Batch,
    Content,
    Message,
    account,
    build_batch,
    decode_messages,
    identities,
)
from ingest.registry import Registry

# A reading that reaches evaluation later than this after it was measured is stored as late and
# raises no alarm: only a replay from quarantine can be so late without the format saying so.
REPLAY_LATE_US = 10 * 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """What a committed batch came to."""

    batch_id: int
    readings: int
    event_seq: int | None  # newest entry of the event log, if the batch wrote one


class NewestKnown:
    """A worker's belief of how new the stored readings are. It only chooses the faster way to
    store; the unique index decides, so the belief may be wrong."""

    def __init__(self, conn: Connection) -> None:
        self._ts_us: dict[int, int] = {
            _key(device_id, metric_id): ts_us
            for device_id, metric_id, ts_us in readings.list_latest_times(conn)
        }

    def newer(self, rows: Rows) -> Mask:
        """True for rows newer than everything of their device and metric."""
        known = self._ts_us
        return np.array(
            [
                ts_us > known.get(key, ts_us)
                for key, ts_us in zip(_keys(rows), rows["ts_us"].tolist(), strict=True)
            ],
            dtype=bool,
        )

    def learn(self, rows: Rows) -> None:
        """Take in sorted rows that were committed."""
        known = self._ts_us
        newest = rows[readings.last_of_metric(rows)]
        for key, ts_us in zip(_keys(newest), newest["ts_us"].tolist(), strict=True):
            if ts_us > known.get(key, ts_us - 1):
                known[key] = ts_us


def _key(device_id: int, metric_id: int) -> int:
    return device_id << 16 | metric_id


def _keys(rows: Rows) -> list[int]:
    keys: list[int] = (rows["device_id"].astype(np.int64) << 16 | rows["metric_id"]).tolist()
    return keys


def store_batch(
    conn: Connection,
    batch: Batch,
    now: datetime,
    *,
    worker: str = "ingest",
    newest: NewestKnown | None = None,
) -> Stored:
    """Everything a batch brings, its ledger entries and the hand-over, in one transaction."""
    fresh = newest.newer(batch.rows) if newest else np.zeros(len(batch.rows), dtype=bool)
    with conn.transaction():
        parts = _store_parts(conn, batch, fresh, now)
        entries = account(batch, parts.new, parts.changed)
        stored = _hand_over(conn, batch, parts, entries, worker, now)
    if newest:
        newest.learn(batch.rows)
    return stored


@dataclass(frozen=True, slots=True)
class _Parts:
    """What of a batch was news."""

    new: Mask
    changed: set[int]  # messages with a link, place or video event that was news
    events: list[NewEvent]


def _store_parts(conn: Connection, batch: Batch, fresh: Mask, now: datetime) -> _Parts:
    new = readings.insert_readings(conn, batch.rows, batch.raws, fresh)
    readings.upsert_latest(conn, batch.rows[new])
    links = devices.upsert_links(conn, [link for _, link in batch.links])
    places = devices.update_squad_places(conn, [place for _, place in batch.places])
    changes = video_events.upsert_video_events(conn, [report for _, report in batch.videos])
    rejects.insert_rejects(conn, batch.rejects)
    changed = {number for number, link in batch.links if link.device_id in links}
    changed |= {number for number, place in batch.places if place.squad in places}
    videos = list(zip(batch.videos, changes, strict=True))
    changed |= {number for (number, _), change in videos if change.changed}
    events = [_as_log_event(report, now) for (_, report), change in videos if change.is_new]
    return _Parts(new, changed, events)


def _hand_over(
    conn: Connection,
    batch: Batch,
    parts: _Parts,
    entries: Sequence[ledger.LedgerEntry],
    worker: str,
    now: datetime,
) -> Stored:
    """The ledger entry that is the next stage's work, and the event log last of all."""
    stored = batch.rows[parts.new]
    rollups.insert_due(conn, _minutes(stored))
    received = [message.received_at for message in batch.messages]
    new_batch = ledger.NewBatch(
        worker=worker,
        received_from=min(received),
        received_to=max(received),
        readings_stored=len(stored),
        payload=readings.pack(stored) if len(stored) else None,
    )
    batch_id = ledger.insert_batch(conn, new_batch, entries, now)
    appended = append_events(conn, parts.events)
    return Stored(batch_id, len(stored), appended[-1].seq if appended else None)


def _as_log_event(report: video_events.ReportedEvent, now: datetime) -> NewEvent:
    event = report.event
    return NewEvent(
        at=now,
        district=report.district,
        kind="video.reported",
        subject=f"video:{report.camera_code}/{event.event_id}",
        actor="system",
        payload={
            "camera_id": report.camera_id,
            "event_id": event.event_id,
            "type": event.type,
            "start": event.start_at.isoformat(),
            "confidence": event.confidence,
        },
    )


def _minutes(rows: Rows) -> list[datetime]:
    from_1970 = np.unique(rows["ts_us"] // 60_000_000).tolist()
    return [EPOCH + rollups.MINUTE * minute for minute in from_1970]


def replay_reject(conn: Connection, reject_id: int, now: datetime) -> bool:
    """Try a quarantined message again; False, and nothing changed, if it is refused again.

    The message was booked as rejected in the minute it arrived. A replay corrects that entry:
    one rejected less, one stored (or duplicate) more, nothing received.
    """
    kept = rejects.claim_reject(conn, reject_id)
    if kept is None:
        raise NotFound("reject", reject_id)
    if kept.replayed_at is not None:
        raise Conflict("this message was replayed already", current={"at": kept.replayed_at})
    if not kept.is_complete:
        problem = f"only {len(kept.raw)} of its {kept.raw_size} bytes were kept"
        raise Conflict(problem, current={"raw_size": kept.raw_size})
    batch = read_again(conn, kept, now)
    if refused_again(kept, batch):
        return False
    if not kept.whole_message:
        batch.rejects.clear()  # its other refused parts are in quarantine already
    with conn.transaction():
        parts = _store_parts(conn, batch, np.zeros(len(batch.rows), dtype=bool), now)
        entries = _correction(kept, account(batch, parts.new, parts.changed))
        _hand_over(conn, batch, parts, entries, "replay", now)
        rejects.mark_replayed(conn, reject_id, now)
    return True


def refused_again(kept: rejects.StoredReject, batch: Batch) -> list[rejects.NewReject]:
    """Why a quarantined message would be refused once more; empty if it can be stored now."""
    if kept.whole_message:
        return batch.rejects if batch.contents[0] is Content.REFUSED else []
    same = [reject for reject in batch.rejects if reject.reason == kept.reason]
    return same or (batch.rejects if batch.contents[0] is Content.REFUSED else [])


def read_again(conn: Connection, kept: rejects.StoredReject, now: datetime) -> Batch:
    """What a quarantined message comes to with today's decoders and registry; nothing is stored."""
    message = Message(kept.topic, bytes(kept.raw), False, kept.received_at)
    decoded = decode_messages([message])
    known = devices.find_registered(conn, [identity for _, identity in identities(decoded)])
    batch = build_batch([message], decoded, Registry(known, devices.list_squad_districts(conn)))
    age_us = readings.as_microseconds(now) - batch.rows["ts_us"]
    late = (age_us > REPLAY_LATE_US) & (batch.rows["quality"] == Quality.GOOD)
    batch.rows["quality"][late] = Quality.LATE
    return batch


def _correction(
    kept: rejects.StoredReject, entries: Sequence[ledger.LedgerEntry]
) -> list[ledger.LedgerEntry]:
    """Ledger entries that turn "rejected" into what the message has become."""
    (entry,) = entries
    if not kept.whole_message:
        stored = entry.readings_stored
        return [ledger.LedgerEntry(kept.format, entry.minute, 0, 0, 0, 0, 0, stored, 0)]
    if entry.feed == kept.format:
        return [replace(entry, received=0, rejected=-1)]
    minute = entry.minute
    return [entry, ledger.LedgerEntry(kept.format, minute, -1, 0, 0, -1, 0, 0, 0)]
