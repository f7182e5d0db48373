"""Sparkplug messages of our own making, written by code: (topic, payload)."""

from __future__ import annotations

from typing import Any

from wire.industry.sparkplug_payload import BOOLEAN, REBIRTH
from wire.industry.sparkplug_schema import Payload

GROUP, EDGE = "North", "cabinet-7"
FLOAT, INT32, UINT64 = 9, 3, 8
# 2026-03-04T05:06:07Z in milliseconds.
SENT_MS = 1_772_600_767_000


def topic(kind: str, device: str = "", edge: str = EDGE) -> str:
    return f"spBv1.0/{GROUP}/{kind}/{edge}" + (f"/{device}" if device else "")


def metric(
    name: str = "", value: Any = None, datatype: int = 0, *, properties: Any = None, **fields: Any
) -> dict[str, Any]:
    """One metric as fields of the protobuf message; floats and truth values by themselves."""
    if name:
        fields["name"] = name.encode()
    if isinstance(value, bool):
        fields |= {"boolean_value": value, "datatype": datatype or BOOLEAN}
    elif isinstance(value, float):
        fields |= {"float_value": value, "datatype": datatype or FLOAT}
    elif datatype:
        fields["datatype"] = datatype
    if properties:
        fields["properties"] = {
            "keys": [key.encode() for key in properties],
            "values": [_property(item) for item in properties.values()],
        }
    return fields


def _property(item: Any) -> dict[str, Any]:
    if isinstance(item, int):
        return {"type": INT32, "int_value": item & 0xFFFFFFFF}
    return {"type": 12, "string_value": item.encode()}


def payload(*metrics: dict[str, Any], seq: int | None = None, **fields: Any) -> bytes:
    fields = {"timestamp": SENT_MS, **fields}
    if seq is not None:
        fields["seq"] = seq
    encoded: bytes = Payload(metrics=list(metrics), **fields).SerializeToString()
    return encoded


def node_birth(*metrics: dict[str, Any], bd_seq: int = 3, seq: int = 0) -> bytes:
    always = (
        metric("bdSeq", datatype=UINT64, long_value=bd_seq),
        metric(REBIRTH, False),
    )
    return payload(*always, *metrics, seq=seq)


def node_death(bd_seq: int = 3) -> bytes:
    return payload(metric("bdSeq", datatype=UINT64, long_value=bd_seq))
