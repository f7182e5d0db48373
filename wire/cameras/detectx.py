"""DetectX, an application on Axis cameras: detections, label states, crops, connection.

Topics `{prefix}/{detection,event,crop,connect,status}/{serial}[/…]`. Detections come with every
picture and number nothing; what they say of one label is one recurring condition, which the
label's state (`event`) begins and ends and to which the picture (`crop`) only adds. Coordinates
are thousandths of the picture, confidence is per cent. Source: the application's README.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from city.reading import (
    REASON_FIELD,
    Decoded,
    MessageClass,
    Reject,
    TimeSource,
    VideoEvent,
)
from wire.body import as_dict, as_finite, identity, kind_of
from wire.cameras.application import GRID, application_status, open_message
from wire.cameras.video import bounded, moment_or, one_report, relative_box, report_condition, share
from wire.format import Format, Refused, about, fits_object, guarded

NAME = "detectx"
# Not `detectx/status/+`: Shelly's `+/status/+` brings it, and a broker may send what two filters
# match twice.
SUBSCRIPTIONS = (
    "detectx/detection/+", "detectx/detections/+", "detectx/event/#", "detectx/events/#",
    "detectx/crop/+", "detectx/crops/+", "detectx/connect/+",
)  # fmt: skip
# Detections of one picture that are looked at, and labels that are reported.
DETECTION_LIMIT = 500
LABEL_LIMIT = 32
_KINDS = frozenset("detection detections event events crop crops connect status occupancy".split())


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    kind, device, body = open_message(topic, payload, _KINDS)
    return about(device, _by_kind, kind, body, device, received_at)


def _by_kind(kind: str, body: dict[str, Any], device: str, received_at: datetime) -> Decoded:
    if "detections" in body:
        return _detections(body, device, received_at)
    if isinstance(body.get("connected"), bool):
        return application_status(NAME, body, device, body["connected"], received_at)
    if kind == "status":
        return application_status(NAME, body, device, True, received_at)
    if isinstance(body.get("state"), bool):
        return _label_state(body, device, received_at)
    if "label" in body:
        return _crop(body, device, received_at)
    raise Refused(REASON_FIELD, "body: holds no detections, state, picture or connection")


def _detections(body: Mapping[str, Any], device: str, received_at: datetime) -> Decoded:
    """One event for each label in the picture, by its surest detection."""
    found = body["detections"]
    if not isinstance(found, list):
        raise Refused(REASON_FIELD, f"detections: must be an array (got {kind_of(found)})")
    if not found:
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": "nothing_detected"})
    rejects: list[Reject] = []
    by_label: dict[str, list[dict[str, Any]]] = {}
    for number, entry in enumerate(found[:DETECTION_LIMIT]):
        try:
            label = identity(as_dict(entry).get("label"), f"detections[{number}].label")
        except Refused as refusal:
            rejects.append(refusal.reject)
        else:
            by_label.setdefault(label, []).append(entry)
    events, sources = [], set()
    for label, entries in list(by_label.items())[:LABEL_LIMIT]:
        best = max(entries, key=lambda entry: as_finite(entry.get("c")) or 0.0)
        event, time_from = _seen(device, label, True, {**best, "count": len(entries)}, received_at)
        events.append(event)
        sources.add(time_from.value)
    message_class = MessageClass.EVENT if events else MessageClass.INVALID
    return Decoded(
        NAME, message_class, device, events=tuple(events), rejects=tuple(rejects[:LABEL_LIMIT]),
        link={"event": "detection", "time_from": min(sources, default="received")},
    )  # fmt: skip


def _label_state(body: Mapping[str, Any], device: str, received_at: datetime) -> Decoded:
    label = identity(body.get("label"), "label")
    event, time_from = _seen(device, label, body["state"], body, received_at, ongoing=False)
    return one_report(NAME, event, "state", time_from)


def _crop(body: Mapping[str, Any], device: str, received_at: datetime) -> Decoded:
    """The cut-out of a detection; the picture itself is not kept, its place in the image is
    that of the object inside the cut-out and says nothing about the scene."""
    label = identity(body.get("label"), "label")
    fields = {**body, "c": body.get("confidence", body.get("c"))}
    event, time_from = _seen(device, label, True, fields, received_at, box=False)
    return one_report(NAME, event, "crop", time_from)


def _seen(
    device: str, label: str, state: bool, fields: Mapping[str, Any], received_at: datetime,
    *, ongoing: bool = True, box: bool = True,
) -> tuple[VideoEvent, TimeSource]:  # fmt: skip
    at, time_from = moment_or(fields.get("timestamp"), received_at)
    kept = {k: v for k, v in fields.items() if k not in ("serial", "image", "timestamp")}
    sides = [fields.get(side) for side in "xywh"]
    attributes = bounded(kept) | {"label": label}
    if as_finite(fields.get("c")) is not None:
        attributes["confidence"] = bounded(fields["c"])
    event = report_condition(
        device, f"label/{label}"[:96], label, state, at, model=NAME, attributes=attributes,
        ongoing=ongoing, bbox=relative_box(sides, GRID) if box else None,
        confidence=share(fields.get("c"), 100),
    )  # fmt: skip
    return event, time_from


def _matches(topic: str) -> bool:
    return topic.startswith("detectx/")


def _fits(body: Mapping[str, Any]) -> bool:
    if isinstance(body.get("detections"), list) and ("serial" in body or "name" in body):
        return True
    if "label" not in body or "timestamp" not in body:
        return False
    return isinstance(body.get("state"), bool) or "image" in body


DETECTX = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse), kind="camera",
    base=NAME,
)  # fmt: skip
