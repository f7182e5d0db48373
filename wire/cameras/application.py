"""What applications on Axis cameras share: topics with a serial number, status, thousandths."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from city.reading import Decoded, MessageClass, StatusReport
from wire.body import identity, parse_object
from wire.cameras.video import bounded, levels_behind, moment_or

# Coordinates are shares of the picture in this many parts.
GRID = 1000.0


def open_message(
    topic: str, payload: bytes, kinds: frozenset[str]
) -> tuple[str, str, dict[str, Any]]:
    """Kind, camera and body of a message: the camera is the one in the body, else in the topic."""
    body = parse_object(payload)
    kind, serial = split_topic(topic, kinds)
    return kind, identity(body["serial"], "serial") if body.get("serial") else serial, body


def split_topic(topic: str, kinds: frozenset[str]) -> tuple[str, str]:
    """Kind of message and serial number of `{prefix}/{kind}/{serial}`; `feed/{format}/{serial}`
    names the device alone."""
    levels = levels_behind(topic)
    for index, level in enumerate(levels):
        if level in kinds:
            return level, levels[index + 1] if index + 1 < len(levels) else ""
    return "", levels[0] if levels else ""


def application_status(
    name: str, body: Mapping[str, Any], device: str, online: bool, received_at: datetime
) -> Decoded:
    """The application came, went (its Last Will), or says how the camera is doing."""
    device = identity(device, "serial")
    at, time_from = moment_or(body.get("timestamp"), received_at)
    attributes = bounded({k: v for k, v in body.items() if k not in ("serial", "connected")})
    report = StatusReport(device, online, at, time_from, attributes)
    return Decoded(name, MessageClass.STATUS, device, statuses=(report,))
