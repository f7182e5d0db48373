"""Parse one message by hand: what `gridwarden decode` prints. Nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from city.errors import InvalidInput
from city.reading import (
    REASON_FORMAT,
    REASON_TIME_FUTURE,
    Decoded,
    MessageClass,
    RawValue,
    Reading,
    Reject,
    SquadPosition,
    StatusReport,
    VideoEvent,
)
from ingest.feeds import Feeds
from ingest.message import Message
from wire import FORMATS, Format, find_format, recognise
from wire.models import DeviceModel, load_model, model_names, whole_codec
from wire.normalize import Normalized, interpret, misfit, nothing_known
from wire.quality import is_in_future

# Messages taken from a file of one message a line.
LINE_LIMIT = 10_000
TOPIC_SHOWN = 200

Resolve = Callable[[Message, Decoded], Decoded]


def decode_by_hand(
    topic: str,
    payload: bytes,
    *,
    format: str = "auto",
    model: str | None = None,
    codec_js: str | None = None,
    received_at: datetime,
    resolve: Resolve | None = None,
    feeds: Feeds | None = None,
) -> dict[str, Any]:
    """The message as JSON (contract: `gridwarden decode`), with the times that it carries.

    `feeds` are those of the installation, else the shipped ones: `feed` is the one that takes the
    topic, null where no worker subscribes to it and nothing of it would be stored.

    Without a model every value is shown under the name it has; `stored` says whether ingest
    would keep it. A file of one JSON message a line is read as that many messages. `resolve` adds
    what earlier messages told, where there is somebody who kept it.
    """
    chosen = _format(format)
    device_model = _model(model, codec_js)
    known = feeds or Feeds()
    sent = [Message(topic, line, False, received_at) for line in _lines(payload)]
    messages = [known.hand(message) for message in sent]
    results = [_decode_one(chosen, message, device_model, resolve) for message in messages]
    result = results[0] if len(results) == 1 else _joined(results)
    return _with_feed(result, topic, known) if topic else result


def _with_feed(result: dict[str, Any], topic: str, known: Feeds) -> dict[str, Any]:
    """Which feed takes the topic."""
    taker = known.taker_of(topic)
    result["feed"] = None if taker is None else taker.feed.name
    if taker is None:
        said = f"no feed takes {topic[:TOPIC_SHOWN]!r}: no worker subscribes to it (feed add)"
        result["warnings"] = [*result.get("warnings", ()), said]
        result["readings"] = [{**reading, "stored": False} for reading in result["readings"]]
    return result


def rejected_everything(result: dict[str, Any]) -> bool:
    """Nothing of the message could be used: the command ends with 1."""
    used = ("readings", "events", "statuses", "positions")
    return bool(result["rejects"]) and not any(result[key] for key in used)


def _format(name: str) -> Format | None:
    if name == "auto":
        return None
    known = find_format(name)
    if known is None:
        raise InvalidInput("format", name, f"must be auto or one of {sorted(FORMATS)}")
    return known


def _model(name: str | None, codec_js: str | None) -> DeviceModel | None:
    """The named model, with another codec if one is given; a codec alone has no names to map."""
    model = load_model(name) if name else None
    if name and model is None:
        raise InvalidInput("model", name, f"must be one of {sorted(model_names())}")
    if codec_js is None:
        return model
    if model is None:
        model = DeviceModel("", "codec given by hand", "any", 3600, {})
    return replace(model, codec=whole_codec(codec_js))


def _lines(payload: bytes) -> list[bytes]:
    """The messages of a file: one, unless every line begins a JSON object or list and the first
    ends it too. One that is broken further down is refused alone."""
    lines = [line for line in payload.split(b"\n", LINE_LIMIT) if line.strip()]
    begun = all(line.lstrip()[:1] in (b"{", b"[") for line in lines)
    ended = bool(lines) and lines[0].rstrip()[-1:] in (b"}", b"]")
    return lines if len(lines) > 1 and begun and ended else [payload]


def _decode_one(
    chosen: Format | None, message: Message, model: DeviceModel | None, resolve: Resolve | None
) -> dict[str, Any]:
    received_at = message.received_at
    taken_as = FORMATS.get(message.format)
    wire_format = chosen or taken_as or recognise(message.topic, message.payload)
    if wire_format is None:
        reject = Reject(REASON_FORMAT, "neither topic nor body is of a known format")
        nothing = Decoded("", MessageClass.INVALID, rejects=(reject,))
        return _result(nothing, None, False, received_at)
    decoded = wire_format.parse(message.topic, message.payload, received_at)
    decoded = decoded if resolve is None else resolve(message, decoded)
    known = model or load_model(decoded.format)
    named = model is not None and bool(model.name)
    results = [_result(part, known, named, received_at) for part in decoded.parts or (decoded,)]
    return results[0] if len(results) == 1 else _joined(results)


def _result(
    decoded: Decoded, model: DeviceModel | None, named: bool, received_at: datetime
) -> dict[str, Any]:
    """One message as JSON. Values that the model does not know are shown beside the readings;
    where a model was named and knows none at all, or nobody does, they stand apart from what is
    rejected."""
    content = _in_time(interpret(decoded, model, None), received_at)
    unknown = nothing_known(content) if named else None
    problem = unknown or (misfit(decoded, content) if named else None)
    undefined = _undefined(decoded, content)
    apart = unknown is not None or (bool(content.unclear) and not content.readings)
    rejects = [*content.rejects, *content.unclear, *([problem] if problem else [])]
    rejects = [reject for reject in rejects if reject not in undefined]
    warnings = [*content.warnings, *_in_words(decoded, undefined)]
    others = [_value_json(decoded.device, value) for value in content.kept_out]
    readings = [_reading_json(reading) for reading in content.readings]
    result: dict[str, Any] = {
        "format": decoded.format,
        "class": content.message_class.value,
        "device": decoded.device,
        "readings": readings if apart else readings + others,
        "events": [_event_json(event) for event in content.events],
        "statuses": [_status_json(status) for status in content.statuses],
        "positions": [_position_json(position) for position in content.positions],
        "rejects": [{"reason": r.reason, "detail": r.detail} for r in rejects],
        "link": decoded.link,
    }
    if apart:
        result["unmapped"] = others
    if warnings:
        result["warnings"] = warnings
    if decoded.raw_bytes:
        result |= {"fport": decoded.fport, "frame": decoded.raw_bytes.hex()}
    return result


def _undefined(decoded: Decoded, content: Normalized) -> list[Reject]:
    """What ingest may know from earlier messages, and nobody knows by hand. Beside what is known
    it is told as a warning; with nothing else in it the message is refused."""
    return list(content.unclear) if content.readings and _lacking(decoded) else []


def _lacking(decoded: Decoded) -> str:
    """What the message needs and was read without, in words."""
    wire_format = FORMATS.get(decoded.format)
    return "" if wire_format is None or wire_format.lacks is None else wire_format.lacks(decoded)


def _in_words(decoded: Decoded, undefined: Sequence[Reject]) -> list[str]:
    if not undefined:
        return []
    told = f"{_lacking(decoded)}; without it:"
    return [told, *(f"refused as {reject.reason}: {reject.detail}" for reject in undefined)]


def _in_time(content: Normalized, received_at: datetime) -> Normalized:
    """Only what is not in the future; old times are shown as they are, unlike in ingest."""
    late = [r.ts for r in content.readings if is_in_future(r.ts, received_at)]
    late += [e.start_at for e in content.events if is_in_future(e.start_at, received_at)]
    late += [p.ts for p in content.positions if is_in_future(p.ts, received_at)]
    late += [v.ts for v in content.kept_out if is_in_future(v.ts, received_at)]
    if not late:
        return content
    detail = f"{late[0].isoformat()} is after the time of receipt {received_at.isoformat()}"
    return replace(
        content,
        readings=tuple(r for r in content.readings if r.ts not in late),
        events=tuple(e for e in content.events if e.start_at not in late),
        positions=tuple(p for p in content.positions if p.ts not in late),
        kept_out=tuple(v for v in content.kept_out if v.ts not in late),
        rejects=(*content.rejects, Reject(REASON_TIME_FUTURE, detail)),
    )


def _joined(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several messages as one answer: lists put together, the messages counted by class."""
    classes = [result["class"] for result in results]
    joined: dict[str, Any] = {
        "format": results[0]["format"],
        "class": max(set(classes), key=classes.count),
        "messages": len(results),
        "classes": {name: classes.count(name) for name in sorted(set(classes))},
    }
    for key in ("readings", "events", "statuses", "positions", "rejects"):
        joined[key] = [item for result in results for item in result[key]]
    warnings = dict.fromkeys(item for result in results for item in result.get("warnings", ()))
    if warnings:
        joined["warnings"] = list(warnings)
    return joined


def _reading_json(reading: Reading) -> dict[str, Any]:
    return {
        "device": reading.device,
        "metric": reading.metric,
        "value": reading.value,
        "unit": reading.unit,
        "raw_name": reading.raw_name,
        "raw_value": reading.raw_value,
        "raw_unit": reading.raw_unit,
        "ts": _time_json(reading.ts),
        "ts_from": reading.ts_from.value,
        "quality": reading.quality.name.lower(),
        "stored": True,
    }


def _value_json(device: str, value: RawValue) -> dict[str, Any]:
    """A value under its vendor's name: ingest would count it and keep it out."""
    number = float(value.value) if isinstance(value.value, bool) else value.value
    return {
        "device": device,
        "metric": value.name,
        "value": number,
        "unit": value.unit,
        "raw_name": value.name,
        "raw_value": value.value if value.sent is None else value.sent,
        "raw_unit": value.unit,
        "ts": _time_json(value.ts),
        "ts_from": value.ts_from.value,
        "quality": value.quality.name.lower(),
        "stored": False,
    }


def _event_json(event: VideoEvent) -> dict[str, Any]:
    return {
        "camera": event.camera,
        "id": event.event_id,
        "type": event.type,
        "phase": event.phase.value,
        "start": _time_json(event.start_at),
        "end": None if event.end_at is None else _time_json(event.end_at),
        "confidence": event.confidence,
        "bbox": None if event.bbox is None else list(event.bbox),
        "snapshot": event.snapshot[:2048],
        "model": event.model,
        "version": event.model_version,
        "attributes": event.attributes,
    }


def _status_json(status: StatusReport) -> dict[str, Any]:
    return {
        "device": status.device,
        "online": status.online,
        "ts": _time_json(status.ts),
        "ts_from": status.ts_from.value,
        "attributes": status.attributes,
    }


def _position_json(position: SquadPosition) -> dict[str, Any]:
    return {
        "squad": position.squad,
        "lon": position.lon,
        "lat": position.lat,
        "accuracy_m": position.accuracy_m,
        "ts": _time_json(position.ts),
    }


def _time_json(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
