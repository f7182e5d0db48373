"""Sparkplug B 3.0 (Eclipse): births, data and deaths of edge nodes and their devices, in protobuf.

A message alone is told apart here. Which name an alias stands for, and whether messages are
missing, only the births of the same edge node tell: see `ingest.formats.sparkplug_sessions`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from city.gateway import SPARKPLUG_NODE, Carrier
from city.reading import (
    REASON_ALIAS,
    REASON_FIELD,
    REASON_PROTOBUF,
    REASON_TEXT,
    REASON_TOO_LARGE,
    REASON_TOPIC,
    Decoded,
    MessageClass,
    Reject,
    StatusReport,
    TimeSource,
)
from city.sequence import MessageNumber
from wire.body import identity, parse_object, shown
from wire.carriers import own_word, speaks_itself
from wire.format import PAYLOAD_LIMIT, Format, Numbering, Refused, guarded, no_body
from wire.industry.sparkplug_metrics import (
    BD_SEQ,
    CLOCK_SET_MS,
    INTEGER,
    METRIC_LIMIT,
    NAMES_SHOWN,
    Clock,
    Names,
    Values,
    by_name_and_alias,
    metric_name,
    metric_names,
)
from wire.industry.sparkplug_payload import parse_payload
from wire.numbering import number_at
from wire.spelling import bytes_of
from wire.times import from_epoch
from wire.values import Stamp

NAME = "sparkplug"
ROOT = "spBv1.0"
STATE = "STATE"
# Commands (NCMD, DCMD) are understood but not subscribed: they are ours, or another host's.
SUBSCRIPTIONS = (
    f"{ROOT}/+/NBIRTH/+", f"{ROOT}/+/NDATA/+", f"{ROOT}/+/NDEATH/+",
    f"{ROOT}/+/DBIRTH/+/+", f"{ROOT}/+/DDATA/+/+", f"{ROOT}/+/DDEATH/+/+",
    f"{ROOT}/{STATE}/+", f"{STATE}/+",
)  # fmt: skip
SEQUENCE = 256  # numbers run from 0 to 255
# What Tahu, the reference implementation, writes as `uuid` of a message whose `body` holds the
# real one, compressed.
COMPRESSED = b"SPBV1.0_COMPRESSED"


class Kind(StrEnum):
    """Types of messages about edge nodes (N) and devices (D)."""

    NBIRTH = "NBIRTH"
    NDATA = "NDATA"
    NDEATH = "NDEATH"
    NCMD = "NCMD"
    DBIRTH = "DBIRTH"
    DDATA = "DDATA"
    DDEATH = "DDEATH"
    DCMD = "DCMD"


BIRTHS = frozenset({Kind.NBIRTH, Kind.DBIRTH})
DEATHS = frozenset({Kind.NDEATH, Kind.DDEATH})
COMMANDS = frozenset({Kind.NCMD, Kind.DCMD})
# What only a living edge node sends.
_OF_LIVING_NODES = BIRTHS | {Kind.NDATA, Kind.DDATA, Kind.DDEATH}
_number = number_at("seq")


@dataclass(frozen=True, slots=True)
class Address:
    """What a topic says; `device` is empty for messages of the edge node itself."""

    kind: Kind
    group: str
    edge: str
    device: str = ""

    @property
    def node(self) -> str:
        return f"{self.group}/{self.edge}"

    @property
    def identity(self) -> str:
        return f"{self.node}/{self.device}" if self.device else self.node


@dataclass(frozen=True, slots=True)
class Telegram:
    """One message as it was sent, before aliases are resolved."""

    address: Address
    payload: Any  # the protobuf message
    seq: int | None = None
    bd_seq: int | None = None
    rejects: tuple[Reject, ...] = ()


def read(topic: str, payload: bytes) -> Telegram:
    """Topic and protobuf of a message about an edge node or a device."""
    address = read_address(topic)
    if not payload and address.kind is not Kind.NDEATH:
        raise Refused(REASON_PROTOBUF, "empty payload", address.identity)
    try:
        content = _unpacked(parse_payload(_spelled_out(payload)))
    except Refused as refusal:
        raise Refused(refusal.reject.reason, refusal.reject.detail, address.identity) from None
    seq = content.seq if content.HasField("seq") else None
    rejects: tuple[Reject, ...] = ()
    if seq is not None and seq >= SEQUENCE:
        rejects = (Reject(REASON_FIELD, f"seq: must be 0 to 255 (got {seq})"),)
        seq = None
    return Telegram(address, content, seq, _bd_seq(content), rejects)


def _spelled_out(payload: bytes) -> bytes:
    """The message behind a hex or base64 text, as a file may hold it. No message is one: its
    fields have the numbers 1 to 5, and begin with bytes that are no letters or digits."""
    return bytes_of(payload, PAYLOAD_LIMIT) if payload[:1].isalnum() else payload


def read_address(topic: str) -> Address:
    """The address in a topic; levels before the namespace (a bridge's prefix) are left out."""
    levels = topic.split("/")
    if ROOT in levels:
        levels = levels[levels.index(ROOT) :]
    if len(levels) not in (4, 5) or levels[0] != ROOT or levels[2] not in Kind.__members__:
        raise Refused(REASON_TOPIC, f"no Sparkplug topic: {shown(topic)}")
    kind = Kind(levels[2])
    if (len(levels) == 5) != (kind[0] == "D"):
        problem = "needs a device" if kind[0] == "D" else "is about the edge node, not a device"
        raise Refused(REASON_TOPIC, f"{kind} {problem}: {shown(topic)}")
    device = identity(levels[4], "device") if len(levels) == 5 else ""
    return Address(kind, identity(levels[1], "group"), identity(levels[3], "edge"), device)


def rebirth_topic(group: str, edge: str) -> str:
    """Where an edge node listens for commands."""
    return f"{ROOT}/{group}/{Kind.NCMD}/{edge}"


def _unpacked(content: Any) -> Any:
    """The message inside a compressed one (gzip or zlib), or the message itself."""
    if content.uuid != COMPRESSED:
        return content
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        inner = unpacking.decompress(content.body, PAYLOAD_LIMIT + 1)
    except zlib.error as error:
        raise Refused(REASON_PROTOBUF, f"body: {error}") from None
    if len(inner) > PAYLOAD_LIMIT:
        detail = f"body: more than {PAYLOAD_LIMIT} bytes when unpacked"
        raise Refused(REASON_TOO_LARGE, detail)
    return parse_payload(inner)


def _bd_seq(content: Any) -> int | None:
    """The number that a birth and the death of the same session share."""
    for metric in content.metrics[:METRIC_LIMIT]:
        if metric.name == BD_SEQ.encode():
            which = metric.WhichOneof("value")
            number = getattr(metric, which) if which in INTEGER else None
            return number if number is not None and number < SEQUENCE else None
    return None


def decode(telegram: Telegram, received_at: datetime, names: Names | None = None) -> Decoded:
    """The message in the words of the system. `names` are those of the births of its sender;
    without any births to ask (None) a metric is called after its alias, `alias:17`."""
    address = telegram.address
    if address.kind in COMMANDS:
        link = {"event": address.kind.value, "metrics": _listed_names(telegram)}
        return Decoded(NAME, MessageClass.OTHER, address.identity, link=link)
    if address.kind in DEATHS:
        return _death(telegram, received_at)
    if address.kind in BIRTHS:
        born = by_name_and_alias(metric_names(telegram.payload))
        status = _status(telegram, received_at, online=True)
        decoded = _values(telegram, Values(telegram.payload, received_at, born))
        return replace(decoded, statuses=(status,), cached=True)
    return _values(telegram, Values(telegram.payload, received_at, names))


def _values(telegram: Telegram, found: Values) -> Decoded:
    """Births and data; data of which not one value can be used is refused."""
    found.take_all()
    address = telegram.address
    link = {**_numbers(telegram), **found.left_out}
    if found.descriptions:
        link["properties"] = found.descriptions
    rejects = (*telegram.rejects, *found.rejects)
    if found.unknown:
        listed = ", ".join(map(str, found.unknown[:NAMES_SHOWN]))
        problem = f"no birth of the sender names alias {listed}"
        rejects = (Reject(REASON_ALIAS, problem), *rejects)
    message_class = MessageClass.TELEMETRY
    if not found.values and address.kind in BIRTHS:
        message_class = MessageClass.STATUS
    elif not found.values and rejects:
        message_class = MessageClass.INVALID
    return Decoded(
        NAME, message_class, address.identity,
        values=tuple(found.values), rejects=rejects, link=link,
    )  # fmt: skip


def _numbers(telegram: Telegram) -> dict[str, Any]:
    """What the link record says of every message: its kind and its place in the session."""
    numbers = {"event": telegram.address.kind.value, "seq": telegram.seq, BD_SEQ: telegram.bd_seq}
    return {name: value for name, value in numbers.items() if value is not None}


def _death(telegram: Telegram, received_at: datetime) -> Decoded:
    """An edge node's Last Will, or its word that a device is gone."""
    address = telegram.address
    link = _numbers(telegram)
    if not address.device:
        link["bridge"] = address.identity
    status = _status(telegram, received_at, online=False)
    return Decoded(
        NAME, MessageClass.STATUS, address.identity,
        statuses=(status,), rejects=telegram.rejects, link=link,
    )  # fmt: skip


def _status(telegram: Telegram, received_at: datetime, *, online: bool) -> StatusReport:
    """A will was written when the edge node connected: its time is not that of the death."""
    stamp = Stamp(received_at, TimeSource.RECEIVED)
    if telegram.address.kind is not Kind.NDEATH:
        stamp = Clock(telegram.payload, received_at).stamp(None)
    attributes: dict[str, Any] = {"event": telegram.address.kind.value, "values_stale": not online}
    if telegram.bd_seq is not None:
        attributes["bd_seq"] = telegram.bd_seq
    return StatusReport(telegram.address.identity, online, stamp.ts, stamp.ts_from, attributes)


def _listed_names(telegram: Telegram) -> list[str]:
    metrics = telegram.payload.metrics[:NAMES_SHOWN]
    return [metric_name(metric) or f"alias:{metric.alias}" for metric in metrics]


def _host_state(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    """A host application says whether it is there: JSON, or a bare word before version 3."""
    host = identity(topic.rsplit("/", 1)[-1], "host application")
    word = payload.strip().upper()
    stamp = Stamp(received_at, TimeSource.RECEIVED)
    if word in (b"ONLINE", b"OFFLINE"):
        online = word == b"ONLINE"
    elif not word.startswith(b"{"):
        raise Refused(REASON_TEXT, f"must be ONLINE, OFFLINE or JSON (got {shown(word[:80])})")
    else:
        body = parse_object(payload)
        said = body.get("online")
        if not isinstance(said, bool):
            raise Refused(REASON_FIELD, f"online: must be true or false (got {shown(said)})")
        online = said
        stamp = _state_stamp(body.get("timestamp"), stamp)
    name = f"{STATE}/{host}"
    report = StatusReport(name, online, stamp.ts, stamp.ts_from, {"event": STATE})
    link = {"event": STATE, "bridge": name}
    return Decoded(NAME, MessageClass.STATUS, name, statuses=(report,), link=link)


def _state_stamp(sent_ms: Any, received: Stamp) -> Stamp:
    if type(sent_ms) is int and CLOCK_SET_MS <= sent_ms < 1 << 64:
        moment = from_epoch(sent_ms / 1000)
        if moment is not None:
            return Stamp(moment, TimeSource.SERVER)
    return received


def _is_state(topic: str) -> bool:
    levels = topic.split("/")
    if ROOT in levels:
        levels = levels[levels.index(ROOT) + 1 :]
    return len(levels) == 2 and levels[0] == STATE


def _matches(topic: str) -> bool:
    return topic.startswith(f"{ROOT}/") or _is_state(topic)


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    if _is_state(topic):
        return _host_state(topic, payload, received_at)
    return decode(read(topic, payload), received_at)


def _carriers(decoded: Decoded) -> Iterator[Carrier]:
    """The edge node. Devices that went with it, and host applications, are none."""
    if speaks_itself(decoded):
        for word in own_word(decoded, NAME, SPARKPLUG_NODE):
            levels = word.identity.split("/")
            if len(levels) == 2 and levels[0] != STATE:
                yield word
    elif decoded.link.get("event") in _OF_LIVING_NODES:
        yield Carrier(NAME, _node(decoded), SPARKPLUG_NODE, counts_always=True)


def _node(decoded: Decoded) -> str:
    return "/".join(decoded.device.split("/")[:2])


def _numbered(decoded: Decoded) -> MessageNumber | None:
    """An edge node counts for all its devices, and begins anew with its birth."""
    said, node = _number(decoded), _node(decoded)
    if said is None or not node:
        return None
    is_birth = decoded.link.get("event") == Kind.NBIRTH
    return MessageNumber(said.number, node, begins=is_birth, sent_at=said.sent_at)


SPARKPLUG = Format(
    NAME, SUBSCRIPTIONS, _matches, no_body, guarded(NAME, _parse),
    carriers=_carriers, numbering=Numbering(_numbered, SEQUENCE), needs="sessions",
)  # fmt: skip
