"""Messages to a batch: decoded, normalised, accounted for. Pure: what is stored is decided here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from city.errors import InvalidInput
from city.reading import (
    METRICS,
    REASON_DEVICE_UNKNOWN,
    REASON_DISTRICT,
    REASON_FIELD,
    REASON_FORMAT,
    Decoded,
    MessageClass,
    Reading,
    Reject,
    SquadPosition,
    StatusReport,
    TimeSource,
)
from db.devices import DeviceLink, RegisteredDevice, SquadPlace
from db.ledger import LedgerEntry
from db.readings import (
    BATCH_DTYPE,
    EPOCH,
    Mask,
    RawValues,
    Rows,
    as_microseconds,
    first_of_key,
    sort_rows,
)
from db.rejects import NewReject
from db.video_events import ReportedEvent
from ingest.formats import recognise
from ingest.normalize import normalize
from ingest.registry import Registry

# A message that no format claims is booked under this feed.
UNKNOWN_FEED = "unknown"
# A parser that fails instead of refusing has met a message nobody thought of.
REASON_DECODER = "decoder_failed"
# What bad input can make pure code raise, should a parser not have foreseen it.
DECODER_FAULTS = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip

_METRIC_ID = {name: metric.id for name, metric in METRICS.items()}


class Message(NamedTuple):
    """One MQTT message; `mid` and `connection` say how to acknowledge it (mid 0: not at all)."""

    topic: str
    payload: bytes
    retain: bool
    received_at: datetime
    mid: int = 0
    connection: int = 0


class Content(IntEnum):
    """What a message turned out to hold."""

    VALUES = 0  # stored if any of it is new, else a duplicate
    NO_VALUES = 1  # joins, acknowledgements, logs, bridges: counted only
    REFUSED = 2
    REPLAYED = 3  # sent again by the broker because it was retained: nothing new by definition


@dataclass(slots=True)
class Batch:
    """What a number of messages comes to. Rows are sorted by key and hold no repeats."""

    messages: Sequence[Message]
    feeds: list[str]
    contents: list[Content]
    rows: Rows
    row_messages: NDArray[np.int32]  # the message each row came in
    repeat_messages: NDArray[np.int32]  # the message of each row that repeats another of the batch
    raws: RawValues
    rejects: list[NewReject]
    links: list[tuple[int, DeviceLink]]  # each with the message it came in
    places: list[tuple[int, SquadPlace]]
    videos: list[tuple[int, ReportedEvent]]


def decode_messages(messages: Sequence[Message]) -> list[Decoded]:
    """Each message by the format that claims it; a refusal is a result like any other."""
    return [_decode(message) for message in messages]


def _decode(message: Message) -> Decoded:
    wire_format = recognise(message.topic, message.payload)
    if wire_format is None:
        return _refused(UNKNOWN_FEED, REASON_FORMAT, "neither topic nor body is of a known format")
    try:
        return wire_format.parse(message.topic, message.payload, message.received_at)
    except InvalidInput as error:
        return _refused(wire_format.name, REASON_FIELD, str(error))
    except DECODER_FAULTS as error:
        return _refused(wire_format.name, REASON_DECODER, f"{type(error).__name__}: {error}")


def _refused(feed: str, reason: str, detail: str) -> Decoded:
    return Decoded(feed, MessageClass.INVALID, rejects=(Reject(reason, detail),))


def identities(decoded: Iterable[Decoded]) -> Iterator[tuple[str, str]]:
    """(format, identity) of every device that the messages speak of."""
    for message in decoded:
        for part in message.parts or (message,):
            if part.message_class not in _WITHOUT_DEVICE:
                yield part.format, part.device


_WITHOUT_DEVICE = (MessageClass.OTHER, MessageClass.INVALID, MessageClass.POSITION)


def build_batch(
    messages: Sequence[Message], decoded: Sequence[Decoded], registry: Registry
) -> Batch:
    """Decide about every message; the registry says who is known."""
    draft = _Draft(registry)
    contents = [
        draft.add(number, message, content)
        for number, (message, content) in enumerate(zip(messages, decoded, strict=True))
    ]
    rows = np.array(draft.rows, dtype=BATCH_DTYPE)
    row_messages = np.array(draft.row_messages, dtype=np.int32)
    order = sort_rows(rows)
    first = first_of_key(rows[order])
    kept = order[first]
    return Batch(
        messages=messages,
        feeds=[content.format for content in decoded],
        contents=contents,
        rows=rows[kept],
        row_messages=row_messages[kept],
        repeat_messages=row_messages[order[~first]],
        raws=_moved(draft.raws, kept),
        rejects=draft.rejects,
        links=draft.links,
        places=draft.places,
        videos=draft.videos,
    )


def _moved(
    raws: Mapping[int, tuple[str, str]], kept: NDArray[np.intp]
) -> dict[int, tuple[str, str]]:
    """Raw values under the numbers their rows have after sorting."""
    if not raws:
        return {}
    return {new: raws[old] for new, old in enumerate(kept.tolist()) if old in raws}


class _Share(NamedTuple):
    """What one device of a message came to."""

    decoded: Decoded
    taken: int  # readings, events, reports and positions that are kept
    rejects: tuple[Reject, ...]
    replayed: bool
    spoke: bool  # it said how it is, whether or not anybody knows it


class _Draft:
    """Collects what the messages of one batch bring."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.rows: list[tuple[int, int, int, int, int, float]] = []
        self.row_messages: list[int] = []
        self.raws: dict[int, tuple[str, str]] = {}
        self.rejects: list[NewReject] = []
        self.links: list[tuple[int, DeviceLink]] = []
        self.places: list[tuple[int, SquadPlace]] = []
        self.videos: list[tuple[int, ReportedEvent]] = []

    def add(self, number: int, message: Message, decoded: Decoded) -> Content:
        """Take one message apart, device by device; what it held."""
        shares = [self._add_part(number, message, part) for part in decoded.parts or (decoded,)]
        taken = sum(share.taken for share in shares)
        replayed = any(share.replayed for share in shares)
        counted = not taken and (replayed or any(share.spoke for share in shares))
        refused = [share for share in shares if share.rejects]
        whole = not taken and not counted and len(refused) == len(shares)
        if whole:
            self._refuse(message, refused[:1], whole=True)
        else:
            self._refuse(message, refused, whole=False)
        if taken:
            return Content.VALUES
        if replayed:
            return Content.REPLAYED
        return Content.REFUSED if whole else Content.NO_VALUES

    def _add_part(self, number: int, message: Message, decoded: Decoded) -> _Share:
        """What one device says in a message."""
        device = self._registry.find(decoded.format, decoded.device) if decoded.device else None
        found = normalize(decoded, device, message.received_at)
        rejects = list(found.rejects)
        taken = 0
        if device is not None:
            readings, events = found.readings, found.events
            if message.retain:
                readings, events = _lasting(readings), ()
            if readings:
                self._add_readings(number, message, device, readings)
            self.videos += [
                (number, ReportedEvent(device.id, device.code, device.district, event,
                                       message.received_at))
                for event in events
            ]  # fmt: skip
            self.links += [(number, _link(device, status)) for status in found.statuses]
            taken = len(readings) + len(events) + len(found.statuses)
        if found.positions:
            taken += self._add_places(number, decoded, found.positions, rejects)
        return _Share(
            decoded, taken, tuple(rejects),
            replayed=message.retain and bool(found.readings or found.events),
            spoke=bool(found.statuses),
        )  # fmt: skip

    def _add_readings(
        self,
        number: int,
        message: Message,
        device: RegisteredDevice,
        readings: Sequence[Reading],
    ) -> None:
        received_us = as_microseconds(message.received_at)
        ts, ts_us = message.received_at, received_us
        for reading in readings:
            if reading.ts is not ts:
                ts = reading.ts
                ts_us = as_microseconds(ts)
            if (
                reading.raw_unit != reading.unit or reading.raw_value != reading.value
            ) and reading.raw_value is not None:
                self.raws[len(self.rows)] = str(reading.raw_value), reading.raw_unit
            self.rows.append(
                (device.id, _METRIC_ID[reading.metric], reading.quality, ts_us, received_us,
                 reading.value)
            )  # fmt: skip
        self.row_messages += [number] * len(readings)

    def _add_places(
        self,
        number: int,
        decoded: Decoded,
        positions: Sequence[SquadPosition],
        rejects: list[Reject],
    ) -> int:
        added = 0
        for position in positions:
            district = self._registry.squad_district(position.squad)
            if district is None:
                rejects.append(Reject(REASON_DEVICE_UNKNOWN, f"no squad {position.squad!r}"))
            elif decoded.link.get("district", district) != district:
                detail = f"squad {position.squad!r} is in district {district!r}"
                rejects.append(Reject(REASON_DISTRICT, detail))
            else:
                place = SquadPlace(position.squad, position.lon, position.lat, position.ts)
                self.places.append((number, place))
                added += 1
        return added

    def _refuse(self, message: Message, shares: Iterable[_Share], *, whole: bool) -> None:
        """One row for a whole message, or one for each device and reason of refused parts."""
        for share in shares:
            by_reason: dict[str, list[str]] = {}
            for reject in share.rejects:
                reason = share.rejects[0].reason if whole else reject.reason
                by_reason.setdefault(reason, []).append(reject.detail)
            for reason, details in by_reason.items():
                self.rejects.append(
                    NewReject(
                        message.received_at, share.decoded.format, message.topic,
                        share.decoded.device, reason, "; ".join(details), message.payload, whole,
                    )
                )  # fmt: skip


def _lasting(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """Of a retained message only readings that say when they were measured: how long the broker
    had kept the others nobody knows."""
    return tuple(r for r in readings if r.ts_from is not TimeSource.RECEIVED)


def _link(device: RegisteredDevice, status: StatusReport) -> DeviceLink:
    return DeviceLink(device.id, status.online, status.ts, status.attributes)


def refuse_message(message: Message, reason: str, detail: str) -> Batch:
    """A batch of one message that is put into quarantine unread."""
    decoded = _decode(message)
    feed = decoded.format
    return Batch(
        messages=[message],
        feeds=[feed],
        contents=[Content.REFUSED],
        rows=np.empty(0, BATCH_DTYPE),
        row_messages=np.empty(0, np.int32),
        repeat_messages=np.empty(0, np.int32),
        raws={},
        rejects=[
            NewReject(
                message.received_at, feed, message.topic, decoded.device, reason, detail,
                message.payload, True,
            )
        ],
        links=[],
        places=[],
        videos=[],
    )  # fmt: skip


def account(batch: Batch, new: Mask, changed: Collection[int]) -> list[LedgerEntry]:
    """Book every message once. `new` marks the rows that were not stored before, `changed` names
    the messages whose other parts were news."""
    count = len(batch.messages)
    brought = np.bincount(batch.row_messages, minlength=count).tolist()
    stored_rows = np.bincount(batch.row_messages[new], minlength=count).tolist()
    repeats = np.bincount(batch.repeat_messages, minlength=count).tolist()
    sums: dict[tuple[str, int], list[int]] = {}
    for number, message in enumerate(batch.messages):
        minute = int(message.received_at.timestamp()) // 60
        entry = sums.setdefault((batch.feeds[number], minute), [0] * 7)
        entry[0] += 1
        content = batch.contents[number]
        is_stored = stored_rows[number] > 0 or number in changed or content is Content.NO_VALUES
        if content is Content.REFUSED:
            entry[3] += 1
        elif is_stored:
            entry[1] += 1
            entry[4] += not brought[number]
        else:
            entry[2] += 1
        entry[5] += stored_rows[number]
        entry[6] += brought[number] - stored_rows[number] + repeats[number]
    return [
        LedgerEntry(feed, EPOCH + timedelta(minutes=minute), *entry)
        for (feed, minute), entry in sorted(sums.items())
    ]
