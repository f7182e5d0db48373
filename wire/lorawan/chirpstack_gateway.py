"""ChirpStack's gateways themselves: whether they are connected, and their statistics.

Published by the Gateway Bridge and the MQTT Forwarder for the network server, below a region's
prefix since version 4, as Protobuf (usual) or JSON. Topics: "State" and "Event" pages of the
Gateway Bridge's documentation; field numbers: `gw.proto` of chirpstack-api 4 (ConnState,
GatewayStats). Frames are published there, too, but encrypted: they come from the network server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from city.gateway import LORAWAN_GATEWAY, Carrier
from city.reading import (
    REASON_FIELD,
    REASON_PROTOBUF,
    REASON_TOPIC,
    Decoded,
    MessageClass,
    StatusReport,
    TimeSource,
)
from wire.body import as_finite, identity, parse_object, shown
from wire.carriers import own_word, speaks_itself
from wire.format import Format, Refused, guarded, no_body
from wire.lorawan.chirpstack import NAME as SERVER
from wire.lorawan.lorawan import EUI_BYTES, eui_text
from wire.topics import own_levels

NAME = "chirpstack-gateway"
SUBSCRIPTIONS = (
    "gateway/+/state/conn", "gateway/+/event/stats",
    "+/gateway/+/state/conn", "+/gateway/+/event/stats",
)  # fmt: skip
ONLINE, OFFLINE = "ONLINE", "OFFLINE"
# Statistics that are kept, by their JSON names.
COUNTERS = {
    "rxPacketsReceived": 5, "rxPacketsReceivedOk": 6, "txPacketsReceived": 7,
    "txPacketsEmitted": 8,
}  # fmt: skip

# By message: number and whether it is text, else a number. Texts are declared as bytes, which look
# the same on the wire.
_FIELDS = {
    "ConnState": {"gateway_id_legacy": (1, True), "state": (2, False), "gateway_id": (3, True)},
    "GatewayStats": {
        "gateway_id_legacy": (1, True),
        "gateway_id": (17, True),
        **{name: (number, False) for name, number in COUNTERS.items()},
    },
}


@cache
def message_classes() -> dict[str, Any]:
    """Also what tests write messages with."""
    # Not at the top, as in `wire.industry.sparkplug_payload`.
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    types = descriptor_pb2.FieldDescriptorProto
    described = descriptor_pb2.FileDescriptorProto(
        name="chirpstack_gw.proto", package="chirpstack_gw", syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = described.message_type.add(name=name)
        for field, (number, is_text) in fields.items():
            kind = types.TYPE_BYTES if is_text else types.TYPE_UINT32
            message.field.add(name=field, number=number, type=kind, label=types.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"chirpstack_gw.{name}"))
        for name in _FIELDS
    }


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    levels = own_levels(topic)
    if "gateway" not in levels or len(levels) != levels.index("gateway") + 4:
        raise Refused(REASON_TOPIC, f"no topic of a gateway: {shown(topic)}")
    named, kind = levels[-3], "/".join(levels[-2:])
    gateway = eui_text(identity(named, "gateway"))
    if kind == "state/conn":
        body = _read("ConnState", payload, gateway)
        return _report(gateway, _is_online(body, gateway), {"event": "conn"}, body, received_at)
    if kind == "event/stats":
        body = _read("GatewayStats", payload, gateway)
        return _report(gateway, True, {"event": "stats"} | _counters(body), body, received_at)
    return Decoded(NAME, MessageClass.OTHER, gateway, link={"event": kind[:64]})


def _read(name: str, payload: bytes, gateway: str) -> dict[str, Any]:
    """The message with its JSON names. Empty Protobuf is a message of default values."""
    if payload.lstrip().startswith(b"{"):
        return parse_object(payload)
    from google.protobuf.message import DecodeError

    try:
        message = message_classes()[name].FromString(payload)
    except DecodeError as error:
        raise Refused(REASON_PROTOBUF, str(error)[:200], gateway) from None
    body: dict[str, Any] = {field.name: value for field, value in message.ListFields()}
    if "gateway_id" in body:
        body["gatewayId"] = body["gateway_id"].decode("ascii", "replace")
    elif len(body.get("gateway_id_legacy", b"")) == EUI_BYTES:
        body["gatewayId"] = body["gateway_id_legacy"].hex()
    return body


def _is_online(body: Mapping[str, Any], gateway: str) -> bool:
    """Protobuf leaves out a value of 0, and so does the JSON made of it: that is OFFLINE."""
    said = body.get("state", OFFLINE)
    if said not in (0, 1, ONLINE, OFFLINE) or isinstance(said, bool):
        raise Refused(
            REASON_FIELD, f"state: must be ONLINE or OFFLINE (got {shown(said)})", gateway
        )
    return said in (1, ONLINE)


def _counters(body: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: as_finite(body.get(name)) for name in COUNTERS}
    return {name: value for name, value in found.items() if value is not None}


def _report(
    gateway: str, online: bool, about: dict[str, Any], body: Mapping[str, Any],
    received_at: datetime,
) -> Decoded:  # fmt: skip
    said = body.get("gatewayId") or body.get("gatewayID")
    if isinstance(said, str) and eui_text(said) != gateway:
        detail = f"gatewayId: is {shown(said)}, the topic names {shown(gateway)}"
        raise Refused(REASON_FIELD, detail, gateway)
    # Gateways' clocks are often wrong, and a Last Will was written when it connected.
    report = StatusReport(gateway, online, received_at, TimeSource.RECEIVED, about)
    link = {"event": about["event"], "bridge": gateway}
    return Decoded(NAME, MessageClass.STATUS, gateway, statuses=(report,), link=link)


def _matches(topic: str) -> bool:
    levels = topic.split("/")
    return (
        len(levels) in (4, 5)
        and levels[-4] == "gateway"
        and (levels[-2] == "event" or levels[-2:] == ["state", "conn"])
    )


def _carriers(decoded: Decoded) -> Iterator[Carrier]:
    """The gateway, by the name under which the network server's frames know it."""
    if speaks_itself(decoded):
        yield from own_word(decoded, SERVER, LORAWAN_GATEWAY)


CHIRPSTACK_GATEWAY = Format(
    NAME, SUBSCRIPTIONS, _matches, no_body, guarded(NAME, _parse), carriers=_carriers
)
