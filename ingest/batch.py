"""Messages to a batch: decoded, normalised, accounted for. Pure: what is stored is decided here."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from city.device import DeviceLink, RegisteredDevice, Stranger
from city.errors import InvalidInput
from city.gateway import Heard
from city.ledger import LedgerEntry
from city.lighting import HeardAnswer
from city.moment import EPOCH, as_microseconds
from city.reading import (
    METRICS,
    REASON_DEVICE_UNKNOWN,
    REASON_DISTRICT,
    REASON_FIELD,
    REASON_FORMAT,
    REASON_UNDECODED,
    Decoded,
    MessageClass,
    Reading,
    Reject,
    SquadPosition,
    StatusReport,
    TimeSource,
)
from city.reject import NewReject
from city.squad import SquadPlace
from city.video import ReportedEvent
from columns.numbers import Numbers
from columns.readings import BATCH_DTYPE, Mask, RawValues, Rows, first_of_key, sort_rows
from ingest.gateways import heard
from ingest.message import GAS_LANE, Message
from ingest.numbers import NumbersDraft
from ingest.plain import Plain
from ingest.reporters import Reporters
from ingest.strangers import Strangers, note_message
from wire import FORMATS, GAS, recognise
from wire.lorawan.codec import CodecCall, Run, run_ahead
from wire.normalize import Normalized, codec_call, normalize
from wire.refused_gas import refused_gas

# A message that no format claims is booked under this feed.
UNKNOWN_FEED = "unknown"
# A parser that fails instead of refusing has met a message nobody thought of.
REASON_DECODER = "decoder_failed"
# What bad input can make pure code raise, should a parser not have foreseen it.
DECODER_FAULTS = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
    struct.error, zlib.error,
)  # fmt: skip

MINUTE_US = 60_000_000
_METRIC_ID = {name: metric.id for name, metric in METRICS.items()}


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
    cached: set[int]  # messages that repeat old values beside new ones
    untimed: list[Untimed]  # what is known only by what it says
    row_untimed: NDArray[np.int32]  # which of these each row belongs to; -1: none
    strangers: list[Stranger]
    heard: list[Heard]  # signs of gateways
    answers: list[HeardAnswer]  # of lamps, to commands
    numbers: Numbers  # that the senders gave their messages
    number_names: list[str]

    def without_rows(self, gone: Mask) -> Batch:
        """The same, where these rows are no news; their messages have brought repeats."""
        stay = np.flatnonzero(~gone)
        return replace(
            self,
            rows=self.rows[stay],
            row_messages=self.row_messages[stay],
            repeat_messages=np.concatenate([self.repeat_messages, self.row_messages[gone]]),
            raws=_moved(self.raws, stay),
            row_untimed=self.row_untimed[stay],
        )


class Untimed(NamedTuple):
    """How what one device says in a message without a time of its own is known again.
    `only_once`: the same content is the same whoever sends it; else only if the broker says
    that it sends it `again`."""

    key: int
    only_once: bool
    again: bool


def decode_messages(messages: Sequence[Message]) -> list[Decoded]:
    """Each message by the format that claims it; a refusal is a result like any other."""
    return [_decode(message) for message in messages]


def _decode(message: Message) -> Decoded:
    try:
        known = FORMATS.get(message.format)
        wire_format = known or recognise(message.topic, message.payload)
    except DECODER_FAULTS as error:
        return _refused(UNKNOWN_FEED, REASON_DECODER, f"{type(error).__name__}: {error}")
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
            if part.message_class not in _WITHOUT_DEVICE or part.answer is not None:
                yield part.format, part.device


_WITHOUT_DEVICE = (MessageClass.OTHER, MessageClass.INVALID, MessageClass.POSITION)


def build_batch(
    messages: Sequence[Message],
    decoded: Sequence[Decoded],
    registry: Reporters,
    plain: Plain | None = None,
) -> Batch:
    """Decide about every message; the registry says who is known. `decoded` are the messages
    that were not taken as plain ones, in their order."""
    numbers = range(len(messages)) if plain is None else plain.rest
    draft = _Draft(registry, run_ahead(_codec_calls(decoded, registry)))
    feeds = ["" if plain is None else plain.feed] * len(messages)
    contents = [Content.VALUES] * len(messages)
    for number, content in zip(numbers, decoded, strict=True):
        feeds[number] = content.format
        contents[number] = draft.add(number, messages[number], content)
    rows = np.array(draft.rows, dtype=BATCH_DTYPE)
    row_messages = np.array(draft.row_messages, dtype=np.int32)
    row_untimed = np.array(draft.row_untimed, dtype=np.int32)
    if plain is not None:
        rows = np.concatenate([rows, plain.rows])
        row_messages = np.concatenate([row_messages, plain.row_messages])
        row_untimed = np.concatenate([row_untimed, np.full(len(plain.rows), -1, np.int32)])
    arrival = np.argsort(row_messages, kind="stable")
    order = arrival[sort_rows(rows[arrival])]
    first = first_of_key(rows[order])
    kept = order[first]
    return Batch(
        messages=messages,
        feeds=feeds,
        contents=contents,
        rows=rows[kept],
        row_messages=row_messages[kept],
        repeat_messages=row_messages[order[~first]],
        raws=_moved(draft.raws, kept),
        rejects=draft.rejects,
        links=draft.links,
        places=draft.places,
        videos=draft.videos,
        cached=draft.cached,
        untimed=draft.untimed,
        row_untimed=row_untimed[kept],
        strangers=list(draft.strangers.values()),
        heard=draft.heard,
        answers=draft.answers,
        numbers=draft.numbers.numbers(plain and plain.numbers),
        number_names=draft.numbers.names(),
    )


def _codec_calls(decoded: Iterable[Decoded], registry: Reporters) -> Iterator[CodecCall]:
    """The codecs that the batch will ask for: together they cost a third."""
    for message in decoded:
        for part in message.parts or (message,):
            if part.raw_bytes and part.device:
                call = codec_call(part, registry.find(part.format, part.device))
                if call is not None:
                    yield call


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

    def __init__(self, registry: Reporters, run_codec: Run) -> None:
        self._registry = registry
        self._run_codec = run_codec
        self.rows: list[tuple[int, int, int, int, int, float]] = []
        self.row_messages: list[int] = []
        self.raws: dict[int, tuple[str, str]] = {}
        self.rejects: list[NewReject] = []
        self.links: list[tuple[int, DeviceLink]] = []
        self.places: list[tuple[int, SquadPlace]] = []
        self.videos: list[tuple[int, ReportedEvent]] = []
        self.cached: set[int] = set()
        self.untimed: list[Untimed] = []
        self.row_untimed: list[int] = []
        self.strangers: Strangers = {}
        self.heard: list[Heard] = []
        self.answers: list[HeardAnswer] = []
        self.numbers = NumbersDraft()

    def add(self, number: int, message: Message, decoded: Decoded) -> Content:
        """Take one message apart, device by device; what it held."""
        shares = [self._add_part(number, message, part) for part in decoded.parts or (decoded,)]
        taken = sum(share.taken for share in shares)
        replayed = any(share.replayed for share in shares)
        counted = not taken and (replayed or any(share.spoke for share in shares))
        refused = [share for share in shares if share.rejects]
        whole = not taken and not counted and len(refused) == len(shares)
        # The message is booked as refused once; whose else it was must be found by their names.
        self._refuse(message, refused[:whole], whole=True)
        self._refuse(message, refused[whole:], whole=False)
        if taken:
            return Content.VALUES
        if replayed:
            return Content.REPLAYED
        return Content.REFUSED if whole else Content.NO_VALUES

    def _add_part(self, number: int, message: Message, decoded: Decoded) -> _Share:
        """What one device says in a message."""
        device = self._registry.find(decoded.format, decoded.device) if decoded.device else None
        if device is None and self._repeats_another(decoded):
            return _Share(decoded, 0, (), replayed=False, spoke=True)
        found = normalize(decoded, device, message.received_at, self._run_codec)
        self.heard += heard(decoded, device, message.received_at, retained=message.retain)
        self.numbers.note(message, decoded, None if device is None else device.id)
        rejects = [self._registry.explain(decoded, reject) for reject in found.rejects]
        taken = 0
        if any(reject.reason == REASON_DEVICE_UNKNOWN for reject in rejects):
            note_message(
                self.strangers, decoded, message.topic, message.payload, message.received_at
            )
        undecoded = device is not None and not message.retain and _only_bytes(decoded, found)
        if undecoded:
            rejects.append(_undecoded(decoded))
        if device is not None:
            readings, events = found.readings, found.events
            if message.retain:
                readings, events = _lasting(readings), ()
            if readings:
                self._add_readings(number, message, device, readings)
                self._add_untimed(message, decoded, readings)
            self.videos += [
                (number, ReportedEvent(device.id, device.code, device.district, event,
                                       message.received_at))
                for event in events
            ]  # fmt: skip
            self.links += [(number, _link(device, status)) for status in found.statuses]
            if decoded.answer is not None and not message.retain:
                self.answers.append(HeardAnswer(device.id, decoded.answer, message.received_at))
            if decoded.cached:
                self.cached.add(number)
                # Repeated values are no news, but a sign of life, unless the broker repeats them.
                if not found.statuses and not message.retain:
                    self.links.append(
                        (number, DeviceLink(device.id, None, message.received_at, {}))
                    )
            taken = len(readings) + len(events) + len(found.statuses)
        if found.positions:
            taken += self._add_places(number, decoded, found.positions, rejects)
        return _Share(
            decoded, taken, tuple(rejects),
            replayed=message.retain and bool(found.readings or found.events),
            spoke=undecoded or bool(found.statuses),
        )  # fmt: skip

    def _repeats_another(self, decoded: Decoded) -> bool:
        """An endpoint that nobody registered says again what its device says under its own name."""
        parent = str(decoded.link.get("parent", ""))
        return bool(parent) and self._registry.find(decoded.format, parent) is not None

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

    def _add_untimed(self, message: Message, decoded: Decoded, readings: Sequence[Reading]) -> None:
        """Rows whose time is that of their receipt say nothing of whether they were stored."""
        timed = [reading.ts_from is not TimeSource.RECEIVED for reading in readings]
        if all(timed):
            self.row_untimed += [-1] * len(timed)
            return
        self.row_untimed += [-1 if is_timed else len(self.untimed) for is_timed in timed]
        self.untimed += _untimed(message, decoded)

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
                        "" if share.taken else refused_gas(share.decoded, message.payload),
                    )
                )  # fmt: skip


def _only_bytes(decoded: Decoded, found: Normalized) -> bool:
    """A frame that nobody could read yet: neither the network server nor a codec of the model."""
    undecoded = found.message_class is MessageClass.UNDECODED
    return undecoded and bool(decoded.raw_bytes) and not found.readings and not found.rejects


def _undecoded(decoded: Decoded) -> Reject:
    """The frame is booked as received, and kept so that it can be read once there is a codec."""
    size, port = len(decoded.raw_bytes), decoded.fport
    on_port = "" if port is None else f" on port {port}"
    return Reject(REASON_UNDECODED, f"{size} bytes{on_port}: the device's model has no codec")


def _lasting(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """Of a retained message only readings that say when they were measured: how long the broker
    had kept the others nobody knows."""
    return tuple(r for r in readings if r.ts_from is not TimeSource.RECEIVED)


def _untimed(message: Message, decoded: Decoded) -> list[Untimed]:
    """By what a message is known again, the first being that of its rows.

    A LoRaWAN frame is the same by whatever message it comes. Else the broker, should it miss our
    acknowledgement, sends the message again in the same session under the same number. Gas comes
    in two sessions; the copy in the other one, where it is not passed over, is known by the body.
    """
    frame = decoded.link.get("frame")
    if frame and decoded.raw_bytes:
        said = (decoded.format, decoded.device, str(frame), decoded.raw_bytes.hex())
        return [Untimed(_digest("\0".join(said).encode()), True, message.again)]
    in_any = ("", decoded.device, message.topic)
    in_this = (f"{message.session} {message.mid}", decoded.device, message.topic)
    seen = message.topic.removeprefix(f"{message.base}/") if message.base else message.topic
    if not GAS.matches(seen) or not message.session:
        return [Untimed(_said(in_this, message.payload), False, message.again)]
    body = _said(in_any, message.payload)
    if message.session.endswith(GAS_LANE):
        own = Untimed(_said(in_this, message.payload), False, message.again)
        return [own, Untimed(body, False, False)]
    return [Untimed(body, True, message.again)]


def _said(by: tuple[str, ...], payload: bytes) -> int:
    return _digest("\0".join(by).encode("utf-8", "replace") + b"\0" + payload)


def _digest(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True)


def _link(device: RegisteredDevice, status: StatusReport) -> DeviceLink:
    return DeviceLink(device.id, status.online, status.ts, status.attributes)


def refuse_message(message: Message, reason: str, detail: str, *, unread: bool = False) -> Batch:
    """A batch of one message that is put into quarantine as a whole, whatever it holds. `unread`:
    nobody knows whose format it is, because to look would be dangerous."""
    decoded = _refused(UNKNOWN_FEED, reason, detail) if unread else _decode(message)
    reject = NewReject(
        message.received_at, decoded.format, message.topic, decoded.device, reason, detail,
        message.payload, True, refused_gas(decoded, message.payload),
    )  # fmt: skip
    return replace(
        build_batch([], [], Reporters([])),
        messages=[message],
        feeds=[decoded.format],
        contents=[Content.REFUSED],
        rejects=[reject],
    )


def account(batch: Batch, new: Mask, changed: Collection[int]) -> list[LedgerEntry]:
    """Book every message once. `new` marks the rows that were not stored before, `changed` names
    the messages whose other parts were news."""
    count = len(batch.messages)
    brought = np.bincount(batch.row_messages, minlength=count)
    stored_rows = np.bincount(batch.row_messages[new], minlength=count)
    repeats = np.bincount(batch.repeat_messages, minlength=count)
    contents = np.array(batch.contents, np.int8)
    refused = contents == Content.REFUSED
    without_values = contents == Content.NO_VALUES
    stored = (stored_rows > 0) | without_values
    stored[list(changed)] = True
    stored &= ~refused
    received_us = _received_us(batch.messages)
    return [
        _entry(batch, feed, minute, of, received_us, new, {
            "stored": stored, "rejected": refused, "duplicate": ~refused & ~stored,
            "without_values": stored & (brought == 0), "readings_stored": stored_rows,
            "readings_duplicate": brought - stored_rows + repeats,
        })
        for feed, minute, of in _accounts(batch.feeds, received_us // MINUTE_US)
    ]  # fmt: skip


def _received_us(messages: Sequence[Message]) -> NDArray[np.int64]:
    """Times of receipt; neighbours often share one, which is worked out once."""
    last: datetime | None = None
    last_us = 0
    found = []
    for message in messages:
        if message.received_at is not last:
            last, last_us = message.received_at, as_microseconds(message.received_at)
        found.append(last_us)
    return np.array(found, np.int64)


def _accounts(
    feeds: Sequence[str], minutes: NDArray[np.int64]
) -> Iterator[tuple[str, int, NDArray[np.bool_]]]:
    """Every feed and minute of a batch, with the messages that belong to it."""
    names = np.array(feeds)
    for feed in sorted(set(feeds)):
        of_feed = names == feed
        for minute in np.unique(minutes[of_feed]).tolist():
            yield feed, minute, of_feed & (minutes == minute)


def _entry(
    batch: Batch,
    feed: str,
    minute: int,
    of: NDArray[np.bool_],
    received_us: NDArray[np.int64],
    new: Mask,
    counts: Mapping[str, NDArray[np.integer | np.bool_]],
) -> LedgerEntry:
    start_us = minute * MINUTE_US
    sensed_us = batch.rows["received_us"] - batch.rows["ts_us"]
    said = new & (sensed_us != 0) & of[batch.row_messages]
    return LedgerEntry(
        feed,
        EPOCH + timedelta(minutes=minute),
        received=int(of.sum()),
        **{name: int(values[of].sum()) for name, values in counts.items()},
        oldest_at=EPOCH + timedelta(microseconds=int(received_us[of].min())),
        newest_at=EPOCH + timedelta(microseconds=int(received_us[of].max())),
        received_s_sum=float((received_us[of] - start_us).sum()) / 1e6,
        sense_n=int(said.sum()),
        sense_s_sum=float(sensed_us[said].sum()) / 1e6,
        sense_s_max=float(sensed_us[said].max()) / 1e6 if said.any() else None,
    )
