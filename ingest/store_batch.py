"""Store a batch of messages in one transaction; give a quarantined message another chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from city.device import normal_identity
from city.errors import Conflict, NotFound
from city.event import NewEvent
from city.ledger import LedgerEntry
from city.moment import EPOCH, as_microseconds
from city.reading import Decoded, Quality
from city.reject import NewReject
from city.video import ReportedEvent
from columns.readings import Mask, Rows, last_of_metric, pack
from db import (
    device_changes,
    devices,
    discovery,
    feeds,
    gateways,
    lamp_commands,
    ledger,
    readings,
    rejects,
    repeated_messages,
    rollups,
    sequences,
    squad_positions,
    video_events,
)
from db.events import append_events
from db.pool import Connection
from ingest.batch import (
    Batch,
    Content,
    Untimed,
    account,
    build_batch,
    decode_messages,
    identities,
)
from ingest.feeds_reader import follow_models, read_feeds
from ingest.message import Message
from ingest.peculiar import recall
from ingest.reporters import Reporters

# A reading that reaches evaluation later than this after it was measured is stored as late and
# raises no alarm: only a replay from quarantine can be so late without the format saying so.
REPLAY_LATE_US = 10 * 60 * 1_000_000

# Of a device and metric that this worker has not met nothing is newer: another may have.
NOTHING_KNOWN = np.iinfo(np.int64).max


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
        self._ts_us: dict[int, NDArray[np.int64]] = {}  # by metric, then by device id
        known = readings.list_latest_times(conn)
        if len(known):
            self._learn(known["device_id"], known["metric_id"], known["ts_us"])

    def newer(self, rows: Rows) -> Mask:
        """True for rows newer than everything of their device and metric."""
        newer = np.zeros(len(rows), dtype=bool)
        for metric in np.unique(rows["metric_id"]).tolist():
            of = rows["metric_id"] == metric
            device_ids = rows["device_id"][of]
            newer[of] = rows["ts_us"][of] > self._room(metric, int(device_ids.max()))[device_ids]
        return newer

    def learn(self, rows: Rows) -> None:
        """Take in sorted rows that were committed."""
        newest = rows[last_of_metric(rows)]
        self._learn(newest["device_id"], newest["metric_id"], newest["ts_us"])

    def _learn(
        self, device_ids: NDArray[Any], metric_ids: NDArray[Any], ts_us: NDArray[np.int64]
    ) -> None:
        for metric in np.unique(metric_ids).tolist():
            of = metric_ids == metric
            known = self._room(metric, int(device_ids[of].max()))
            before = known[device_ids[of]]
            known[device_ids[of]] = np.where(
                before == NOTHING_KNOWN, ts_us[of], np.maximum(before, ts_us[of])
            )

    def _room(self, metric: int, device_id: int) -> NDArray[np.int64]:
        """What is known of a metric, with a place for this device."""
        known = self._ts_us.get(metric)
        if known is None or len(known) <= device_id:
            grown = np.full(device_id * 5 // 4 + 1, NOTHING_KNOWN, np.int64)
            if known is not None:
                grown[: len(known)] = known
            self._ts_us[metric] = known = grown
        return known


def store_batch(
    conn: Connection,
    batch: Batch,
    now: datetime,
    *,
    worker: str = "ingest",
    newest: NewestKnown | None = None,
    districts: Mapping[int, str] | None = None,
) -> Stored:
    """Everything a batch brings, its ledger entries and the hand-over, in one transaction.
    `districts` are those of devices by id, as far as the caller knows them."""
    with conn.transaction():
        batch = _without_repeats(conn, batch, now)
        fresh = newest.newer(batch.rows) if newest else np.zeros(len(batch.rows), dtype=bool)
        parts = _store_parts(conn, batch, fresh, now)
        entries = account(batch, parts.new, parts.changed)
        stored = _hand_over(conn, batch, parts, entries, worker, now, districts)
    if newest:
        newest.learn(batch.rows)
    return stored


def _without_repeats(conn: Connection, batch: Batch, now: datetime) -> Batch:
    """Leave out what the unique index of readings cannot tell to be repeated."""
    gone = np.zeros(len(batch.rows), dtype=bool)
    if batch.untimed:
        gone |= np.isin(batch.row_untimed, _seen_before(conn, batch.untimed, now))
    if batch.cached:
        gone |= _unchanged(conn, batch)
    return batch.without_rows(gone) if gone.any() else batch


def _seen_before(conn: Connection, untimed: Sequence[Untimed], now: datetime) -> list[int]:
    """Which of these were stored before, or come earlier in the batch."""
    again: dict[int, bool] = {}
    for said in untimed:
        again.setdefault(said.key, said.again)
    unseen = repeated_messages.insert_seen(conn, again, now)
    known = [key for key in again if key not in unseen]
    # A worker that was taken for dead stores its own copies behind those sent to another.
    stored_again = repeated_messages.list_seen_again(conn, known) if known else set()
    repeated = []
    for number, said in enumerate(untimed):
        is_first = said.key in unseen
        unseen.discard(said.key)
        if not is_first and (said.only_once or said.again or said.key in stored_again):
            repeated.append(number)
    return repeated


def _unchanged(conn: Connection, batch: Batch) -> Mask:
    """Rows of messages from a cache that repeat the value their metric already has."""
    cached = np.isin(batch.row_messages, list(batch.cached))
    ids = np.unique(batch.rows["device_id"][cached]).tolist()
    latest = readings.list_latest_values(conn, ids)
    unchanged = np.zeros(len(batch.rows), dtype=bool)
    for number in np.flatnonzero(cached).tolist():
        row = batch.rows[number]
        key, ts_us = (int(row["device_id"]), int(row["metric_id"])), int(row["ts_us"])
        before = latest.get(key)
        if before is not None and before[0] <= ts_us and before[1] == row["value"]:
            unchanged[number] = True
        else:
            latest[key] = ts_us, float(row["value"])
    return unchanged


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
    places = squad_positions.insert_positions(conn, [place for _, place in batch.places])
    changes = video_events.upsert_video_events(conn, [report for _, report in batch.videos])
    rejects.insert_rejects(conn, batch.rejects)
    discovery.note_strangers(conn, batch.strangers)
    gateways.note_gateways(conn, batch.heard)
    sequences.insert_numbers(conn, batch.numbers, batch.number_names)
    lamp_commands.insert_answers(conn, batch.answers)
    changed = {number for number, link in batch.links if link.device_id in links}
    changed |= {number for number, place in batch.places if place.squad in places}
    videos = list(zip(batch.videos, changes, strict=True))
    changed |= {number for (number, _), change in videos if change.changed}
    events = [
        _as_log_event(report, change.event_id, now)
        for (_, report), change in videos
        if change.is_new
    ]
    return _Parts(new, changed, events)


def _hand_over(
    conn: Connection,
    batch: Batch,
    parts: _Parts,
    entries: Sequence[LedgerEntry],
    worker: str,
    now: datetime,
    districts: Mapping[int, str] | None = None,
) -> Stored:
    """The ledger entry that is the next stage's work, and the event log last of all."""
    stored = batch.rows[parts.new]
    rollups.insert_due(conn, _minutes(stored))
    received = [message.received_at for message in batch.messages]
    new_batch = ledger.NewBatch(
        worker=worker,
        received_from=min(received),
        received_to=max(received),
        work=_by_district(conn, stored, districts or {}),
    )
    batch_id = ledger.insert_batch(conn, new_batch, entries, now)
    appended = append_events(conn, parts.events)
    return Stored(batch_id, len(stored), appended[-1].seq if appended else None)


def _by_district(conn: Connection, stored: Rows, known: Mapping[int, str]) -> list[ledger.Work]:
    """The new readings for those who judge them, one at a time in a district. Where a device has
    been moved since, evaluation passes its readings on."""
    device_ids, device_of = np.unique(stored["device_id"], return_inverse=True)
    ids = device_ids.tolist()
    missing = [i for i in ids if i not in known]
    found = {**known, **devices.find_districts(conn, missing)} if missing else known
    codes = [found.get(i, "") for i in ids]
    names = sorted(set(codes))
    place = np.array([names.index(code) for code in codes], np.intp)[device_of]
    parts = ((name, stored[place == number]) for number, name in enumerate(names))
    return [ledger.Work(name, len(rows), pack(rows)) for name, rows in parts]


def _as_log_event(report: ReportedEvent, event_id: str, now: datetime) -> NewEvent:
    event = report.event
    return NewEvent(
        at=now,
        district=report.district,
        kind="video.reported",
        subject=f"video:{report.camera_code}/{event_id}",
        actor="system",
        payload={
            "camera_id": report.camera_id,
            "event_id": event_id,
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


def refused_again(kept: rejects.StoredReject, batch: Batch) -> list[NewReject]:
    """Why a quarantined message would be refused once more; empty if it can be stored now."""
    if kept.whole_message:
        return batch.rejects if batch.contents[0] is Content.REFUSED else []
    same = [
        reject
        for reject in batch.rejects
        if (reject.reason, reject.device) == (kept.reason, kept.device)
    ]
    return same or (batch.rejects if batch.contents[0] is Content.REFUSED else [])


def read_again(conn: Connection, kept: rejects.StoredReject, now: datetime) -> Batch:
    """What a quarantined message comes to with today's decoders and registry; nothing is stored."""
    message = Message(kept.topic, bytes(kept.raw), False, kept.received_at)
    known_feeds = read_feeds(conn)
    follow_models(conn)
    handed = [known_feeds.hand(message)]
    decoded = recall(conn, handed, decode_messages(handed))
    said = [*_names(decoded), *(name for _, name in known_feeds.identities(handed, decoded))]
    names = sorted({*said, *map(normal_identity, said)})
    registry = Reporters(
        devices.find_registered(conn, names),
        devices.list_squad_districts(conn),
        device_changes.find_replaced(conn, names),
    )
    decoded = known_feeds.adopt(handed, decoded, registry, feeds.list_bindings(conn))
    batch = build_batch([message], decoded, registry)
    age_us = as_microseconds(now) - batch.rows["ts_us"]
    late = (age_us > REPLAY_LATE_US) & (batch.rows["quality"] != Quality.SIMULATED)
    batch.rows["quality"][late] = Quality.LATE
    return batch


def _names(decoded: Sequence[Decoded]) -> Iterator[str]:
    """Identities that the messages speak of, and those that they belong to."""
    yield from (identity for _, identity in identities(decoded))
    for message in decoded:
        for part in message.parts or (message,):
            yield str(part.link.get("parent", ""))


def _correction(kept: rejects.StoredReject, entries: Sequence[LedgerEntry]) -> list[LedgerEntry]:
    """Ledger entries that turn "rejected" into what the message has become."""
    (entry,) = entries
    if not kept.whole_message:
        stored = entry.readings_stored
        return [LedgerEntry(kept.format, entry.minute, 0, 0, 0, 0, 0, stored, 0)]
    if entry.feed == kept.format:
        return [replace(entry, received=0, rejected=-1)]
    minute = entry.minute
    return [entry, LedgerEntry(kept.format, minute, -1, 0, 0, -1, 0, 0, 0)]
