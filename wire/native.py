"""Gridwarden's own format, version 1: `city/v1/{district}/…`, plain JSON, canonical names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from city.datum import Datum, parse_datum, to_wgs84
from city.errors import InvalidInput
from city.lighting import LampAnswer, LampCommand
from city.place import LonLat
from city.reading import (
    METRICS,
    REASON_FIELD,
    REASON_METRIC_UNKNOWN,
    REASON_NAN,
    REASON_RANGE,
    REASON_TOPIC,
    Decoded,
    EventPhase,
    MessageClass,
    Metric,
    Quality,
    Reading,
    Reject,
    SquadPosition,
    StatusReport,
    TimeSource,
    VideoEvent,
)
from city.video import INLINE_MAX, inline_picture
from wire.body import as_number, as_text, identity, kind_of, parse_object, shown
from wire.command import Commanding, Downlink, as_json, below_feed, is_dimmable
from wire.fast import build_decoded, build_reading
from wire.format import Format, GasTopics, Numbering, Refused, fits_object, guarded
from wire.numbering import number_at
from wire.times import parse_time

NAME = "native"
ROOT = "city/"
PREFIX = "city/v1/"
# Everything below our own root, so that a mistyped topic is a reject somebody sees, not silence.
SUBSCRIPTIONS = ("city/#",)
# Of these, what gas sensors publish.
GAS_FILTER = f"{PREFIX}+/gas/#"
# Topics whose parts are remembered: more than the devices of a district, some 10 MB.
TOPICS_REMEMBERED = 32_768
# Characters of a topic; the longest honest one has about 100. What is remembered is bounded by it.
TOPIC_LIMIT = 512
# Readings looked at in one message: every canonical metric twice over.
READING_LIMIT = 64

_PHASES = frozenset(phase.value for phase in EventPhase)
_ANY_KIND = ("battery_pct", "battery_v", "rssi_dbm", "snr_db", "temperature_c", "humidity_pct")
_GAS = ("ch4_pct_lel", "ch4_pct_vol", "co_ppm", "h2s_ppm", "o2_pct_vol", "pressure_kpa")
KIND_METRICS: dict[str, dict[str, Metric]] = {
    kind: {name: METRICS[name] for name in (*names, *_ANY_KIND)}
    for kind, names in {
        "gas": (*_GAS, "gas_alarm"),
        # Manhole probes measure the sewer air too: the gases of a gas sensor are theirs as well.
        "manhole": (
            "tilt_deg", "water_level_cm", "cover_open", "flooded", "distance_mm", "moved_m", *_GAS,
        ),
        "light": (
            "lamp_on", "dim_pct", "power_w", "voltage_v", "current_a", "energy_kwh",
            "leakage_ma", "power_factor",
        ),
    }.items()
}  # fmt: skip


# Of a telemetry message: where the device says that it is.
POSITION = "position"

_Reader = Callable[[str, str, str, dict[str, Any], datetime], Decoded]


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    district, kind, device, reader = _address(topic)
    try:
        return reader(district, kind, device, parse_object(payload), received_at)
    except Refused as refusal:
        refusal.device = device
        raise


@lru_cache(maxsize=TOPICS_REMEMBERED)
def _address(topic: str) -> tuple[str, str, str, _Reader]:
    """District, kind and device of a topic, and what reads its messages."""
    prefix, _, rest = topic.partition(PREFIX)
    parts = rest.split("/", 3)
    if prefix or len(parts) < 4 or len(topic) > TOPIC_LIMIT:
        raise Refused(REASON_TOPIC, f"not a topic of the native format: {topic[:200]!r}")
    district, kind, device, what = parts
    reader = _READERS.get((kind, what)) or _READERS.get(("", what))
    if reader is None:
        raise Refused(REASON_TOPIC, f"not a topic of the native format: {topic[:200]!r}")
    return district, kind, identity(device, "topic"), reader


def is_gas_topic(topic: str) -> bool:
    """Whether `GAS_FILTER` matches."""
    return "/gas" in topic and topic.split("/", 4)[3:4] == ["gas"] and topic.startswith(PREFIX)


def telemetry_address(topic: str) -> tuple[str, str, str] | None:
    """District, kind and device of a telemetry topic; None for any other topic. Who asks this
    remembers the answer: it need not be kept here as well."""
    if not (topic.startswith(PREFIX) and topic.endswith("/telemetry")):
        return None
    try:
        district, kind, device, reader = _address.__wrapped__(topic)
    except Refused:
        return None
    return (district, kind, device) if reader is _telemetry else None


def _telemetry(
    district: str, kind: str, device: str, body: dict[str, Any], received_at: datetime
) -> Decoded:
    ts, ts_from = _time(body, received_at)
    sent = body.get("readings", {} if POSITION in body else None)
    if not isinstance(sent, dict) or not (sent or POSITION in body):
        got = "nothing" if sent in (None, {}) else kind_of(sent)
        raise Refused(REASON_FIELD, f"readings: must be an object of metrics (got {got})")
    rejects: list[Reject] = []
    fault = _optional_text(body, "fault", rejects)
    quality = Quality.SUSPECT if fault else Quality.GOOD
    readings = _readings(device, kind, sent, ts, ts_from, quality, rejects)
    link: dict[str, Any] = {"district": district, "kind": kind}
    seq = _sequence(body, rejects)
    if seq is not None:
        link["seq"] = seq
    place = _own_position(body, quality, rejects)
    if place is not None:
        link |= {"place": place, "place_time": ts.isoformat(), "place_time_from": ts_from.value}
    statuses: tuple[StatusReport, ...] = ()
    if fault:
        link["fault"] = fault
        statuses = (StatusReport(device, True, ts, ts_from, {"fault": fault}),)
    used = readings or statuses
    nothing = MessageClass.INVALID if place is None else MessageClass.OTHER
    message_class = MessageClass.TELEMETRY if used else nothing
    return build_decoded(NAME, message_class, device, readings, statuses, tuple(rejects), link)


def _own_position(
    body: Mapping[str, Any], quality: Quality, rejects: list[Reject]
) -> dict[str, Any] | None:
    """Where the device says that it is: `{"lon", "lat", "accuracy_m", "datum"}`, the last two
    optional; one that cannot be used is refused, and the readings stay."""
    sent = body.get(POSITION)
    if sent is None:
        return None
    if not isinstance(sent, dict):
        rejects.append(_optional_refusal(POSITION, "must be an object with lon and lat", sent))
        return None
    try:
        place = {
            "lon": _coordinate(sent, "lon", 180),
            "lat": _coordinate(sent, "lat", 90),
            "datum": _datum(sent).value,
        }
    except Refused as refusal:
        detail = f"{POSITION}.{refusal.reject.detail}"
        rejects.append(Reject(refusal.reject.reason, detail))
        return None
    accuracy_m = as_number(sent.get("accuracy_m"))
    if sent.get("accuracy_m") is not None:
        if accuracy_m is None or not 0 <= accuracy_m < math.inf:
            problem = "must be metres, 0 or more"
            rejects.append(_optional_refusal("position.accuracy_m", problem, sent["accuracy_m"]))
            return None
        place["accuracy_m"] = accuracy_m
    return place | {"quality": int(quality)}


def _readings(
    device: str,
    kind: str,
    sent: Mapping[str, Any],
    ts: datetime,
    ts_from: TimeSource,
    quality: Quality,
    rejects: list[Reject],
) -> tuple[Reading, ...]:
    """The readings that can be used; the others go to `rejects`, each under its own name."""
    known = KIND_METRICS.get(kind, METRICS)
    readings = []
    for name, value in sent.items():
        metric = known.get(name)
        number = value if type(value) is float else _number(value, metric)
        if (
            metric is None
            or number is None
            or not metric.low <= number <= metric.high  # NaN is within no range
            or ((unit := metric.unit) == "0/1" and number not in (0.0, 1.0))
        ):
            rejects.append(_refusal(name, value, metric, number, kind))
        else:
            readings.append(
                build_reading(device, name, number, unit, ts, ts_from, name, value, unit, quality)
            )
        if len(rejects) + len(readings) >= READING_LIMIT:
            rejects.append(Reject(REASON_FIELD, f"readings: more than {READING_LIMIT} metrics"))
            break
    return tuple(readings)


def _number(value: Any, metric: Metric | None) -> float | None:
    """A JSON number; true and false only where the metric is a switch."""
    if isinstance(value, bool):
        return float(value) if metric is not None and metric.unit == "0/1" else None
    return as_number(value)


def _refusal(
    name: str, value: Any, metric: Metric | None, number: float | None, kind: str
) -> Reject:
    """Why this one reading cannot be used."""
    field = f"readings.{shown(name)[1:-1]}"
    if metric is None:
        owner = f"of a {kind} device" if name in METRICS else "of this format"
        return Reject(REASON_METRIC_UNKNOWN, f"{field}: is no metric {owner}")
    if number is None:
        return Reject(REASON_FIELD, f"{field}: must be a number (got {shown(value)})")
    if not math.isfinite(number):
        return Reject(REASON_NAN, f"{field}: must be a finite number (got {shown(value)})")
    if metric.unit == "0/1":
        return Reject(REASON_RANGE, f"{field}: must be 0 or 1 (got {shown(value)})")
    limits = f"{metric.low:g} to {metric.high:g} {metric.unit}"
    return Reject(REASON_RANGE, f"{field}: must be {limits} (got {shown(value)})")


def _status(
    district: str, kind: str, device: str, body: dict[str, Any], received_at: datetime
) -> Decoded:
    """Online or not. A Last Will carries the time of its connection: for "offline" only the
    time of receipt means anything, what the message says is kept beside it."""
    ts, ts_from = _time(body, received_at)
    online = body.get("online")
    if not isinstance(online, bool):
        raise Refused(REASON_FIELD, f"online: must be true or false (got {shown(online)})")
    attributes: dict[str, Any] = {}
    if not online:
        attributes = {"said_at": ts.isoformat()} if ts_from is TimeSource.DEVICE else {}
        ts, ts_from = received_at, TimeSource.RECEIVED
    report = StatusReport(device, online, ts, ts_from, attributes)
    link = {"district": district, "kind": kind}
    return Decoded(NAME, MessageClass.STATUS, device, statuses=(report,), link=link)


def _video_event(
    district: str, kind: str, device: str, body: dict[str, Any], received_at: datetime
) -> Decoded:
    rejects: list[Reject] = []
    phase = body.get("phase")
    if not isinstance(phase, str) or phase not in _PHASES:
        raise Refused(REASON_FIELD, f"phase: must be new, update or end (got {shown(phase)})")
    start_at = parse_time(body.get("start"), "start")
    end_at = None if body.get("end") is None else parse_time(body["end"], "end")
    if end_at is not None and end_at < start_at:
        raise Refused(REASON_FIELD, f"end: is before start (got {shown(body['end'])})")
    event = VideoEvent(
        camera=device,
        event_id=identity(body.get("id"), "id"),
        type=identity(body.get("type"), "type"),
        phase=EventPhase(phase),
        start_at=start_at,
        end_at=end_at or (max(received_at, start_at) if phase == EventPhase.END else None),
        confidence=_fraction(body, "confidence", rejects),
        bbox=_box(body, rejects),
        snapshot=_link(body, "snapshot", rejects),
        model=_optional_text(body, "model", rejects),
        model_version=_optional_text(body, "version", rejects),
    )
    link = {"district": district, "kind": kind}
    return Decoded(
        NAME, MessageClass.EVENT, device, events=(event,), rejects=tuple(rejects), link=link
    )


def _position(
    district: str, kind: str, device: str, body: dict[str, Any], received_at: datetime
) -> Decoded:
    rejects: list[Reject] = []
    ts, _ = _time(body, received_at)
    lon = _coordinate(body, "lon", 180)
    lat = _coordinate(body, "lat", 90)
    if lon == 0 and lat == 0:
        raise Refused(REASON_FIELD, "lon: 0/0 is the sign of a receiver without a fix")
    place = to_wgs84(LonLat(lon, lat), _datum(body))
    accuracy = body.get("accuracy_m")
    accuracy_m = as_number(accuracy)
    if accuracy is not None and (accuracy_m is None or not 0 <= accuracy_m < math.inf):
        rejects.append(_optional_refusal("accuracy_m", "must be metres, 0 or more", accuracy))
        accuracy_m = None
    position = SquadPosition(device, place.lon, place.lat, accuracy_m, ts)
    link = {"district": district, "kind": kind}
    if body.get("datum") is not None:
        link["datum"] = str(body["datum"])  # said, and converted from, here
    return Decoded(
        NAME, MessageClass.POSITION, device,
        positions=(position,), rejects=tuple(rejects), link=link,
    )  # fmt: skip


def _command(
    district: str, kind: str, device: str, body: dict[str, Any], received_at: datetime
) -> Decoded:
    """Our own command, as the broker gives it back: no measurement."""
    link: dict[str, Any] = {"district": district, "kind": kind}
    link["command"] = identity(body.get("id"), "id")
    link.update({key: body[key] for key in ("ok", "level") if isinstance(body.get(key), int)})
    return Decoded(NAME, MessageClass.OTHER, device, link=link)


def _command_ack(
    district: str, kind: str, device: str, body: dict[str, Any], received_at: datetime
) -> Decoded:
    """A lamp's answer to a command."""
    decoded = _command(district, kind, device, body, received_at)
    ok = body.get("ok")
    if not isinstance(ok, bool):
        raise Refused(REASON_FIELD, f"ok: must be true or false (got {shown(ok)})")
    said = as_text(body.get("error"))
    answer = LampAnswer(decoded.link["command"], ok, as_number(body.get("level")), said)
    return replace(decoded, answer=answer)


# A lamp answers as soon as it has switched.
ANSWERS_S = 20.0


def _encode(command: LampCommand) -> Downlink:
    lamp = command.lamp
    is_dimmable(command)
    body: dict[str, Any] = {"id": command.token, "level": command.level}
    if command.until is not None:
        body["until"] = command.until.isoformat().replace("+00:00", "Z")
    topic = f"{PREFIX}{lamp.district}/light/{lamp.code}/command"
    return Downlink(below_feed(lamp, topic), as_json(body))


_READERS: dict[tuple[str, str], _Reader] = {
    ("", "telemetry"): _telemetry,
    ("", "status"): _status,
    ("video", "event"): _video_event,
    ("squad", "position"): _position,
    ("light", "command"): _command,
    ("light", "command/ack"): _command_ack,
}


def _time(body: Mapping[str, Any], received_at: datetime) -> tuple[datetime, TimeSource]:
    sent = body.get("ts")
    if sent is None:
        return received_at, TimeSource.RECEIVED
    return parse_time(sent, "ts"), TimeSource.DEVICE


def _sequence(body: Mapping[str, Any], rejects: list[Reject]) -> int | None:
    seq = body.get("seq")
    if seq is None or (type(seq) is int and 0 <= seq < 2**63):
        return seq
    rejects.append(_optional_refusal("seq", "must be a whole number, 0 or more", seq))
    return None


def _optional_text(body: Mapping[str, Any], field: str, rejects: list[Reject]) -> str:
    value = body.get(field)
    if value is None or isinstance(value, str):
        return as_text(value).strip()
    if field in ("fault", "version") and as_number(value) is not None:
        return shown(value)  # codes and versions are often written as numbers
    rejects.append(_optional_refusal(field, "must be text", value))
    return ""


def _fraction(body: Mapping[str, Any], field: str, rejects: list[Reject]) -> float | None:
    value = body.get(field)
    number = as_number(value)
    if value is None or (number is not None and 0 <= number <= 1):
        return number
    rejects.append(_optional_refusal(field, "must be a number from 0 to 1", value))
    return None


def _box(
    body: Mapping[str, Any], rejects: list[Reject]
) -> tuple[float, float, float, float] | None:
    value = body.get("bbox")
    if value is None:
        return None
    numbers = [as_number(item) for item in value] if isinstance(value, list) else []
    inside = [number for number in numbers if number is not None and 0 <= number <= 1]
    if len(numbers) == len(inside) == 4:
        return inside[0], inside[1], inside[2], inside[3]
    rejects.append(_optional_refusal("bbox", "must be [x, y, w, h], each from 0 to 1", value))
    return None


def _link(body: Mapping[str, Any], field: str, rejects: list[Reject]) -> str:
    """A web address, a path, or a picture itself; other schemes never reach a screen."""
    value = body.get(field)
    if value is None or value == "":
        return ""
    if isinstance(value, str) and value.startswith("data:"):
        if inline_picture(value) is not None:
            return value
        problem = f"must be data:image/…;base64,… of at most {INLINE_MAX} characters"
        rejects.append(_optional_refusal(field, problem, value[:64]))
        return ""
    text = value if isinstance(value, str) and len(value) <= 2048 else ""
    if text.isprintable() and text.startswith(("http://", "https://", "/")):
        return text
    rejects.append(_optional_refusal(field, "must be an http or https address", value))
    return ""


def _datum(body: Mapping[str, Any]) -> Datum:
    """What a position is in: a phone with a map of the mainland sends it shifted."""
    named = body.get("datum")
    if named is None:
        return Datum.WGS84
    try:
        return parse_datum("datum", named if isinstance(named, str) else shown(named))
    except InvalidInput as error:
        raise Refused(REASON_FIELD, str(error)) from error


def _coordinate(body: Mapping[str, Any], field: str, limit: float) -> float:
    number = as_number(body.get(field))
    if number is None or not -limit <= number <= limit:
        got = shown(body.get(field))
        raise Refused(REASON_FIELD, f"{field}: must be -{limit} to {limit} degrees (got {got})")
    return number


def _optional_refusal(field: str, problem: str, value: Any) -> Reject:
    """An optional field that cannot be used: the rest of the message is kept."""
    return Reject(REASON_FIELD, f"{field}: {problem} (got {shown(value)})")


def _matches(topic: str) -> bool:
    return topic.startswith(ROOT)


# What the kind in a topic is called in the registry.
_KINDS = {"gas": "gas", "manhole": "manhole", "light": "light", "video": "camera"}


def _kind_of_topic(topic: str) -> str | None:
    levels = topic.split("/", 4)
    return _KINDS.get(levels[3], "") if len(levels) > 3 else None


# The keys that tell our own messages where no topic does.
_SIGNS = ({"id", "type", "phase", "start"}, {"ts", "lon", "lat"}, {"ts", "online"}, {"id", "ok"})


def _fits(body: Mapping[str, Any]) -> bool:
    if body.keys() & {"after", "deviceInfo"}:
        return False
    return isinstance(body.get("readings"), dict) or any(keys <= body.keys() for keys in _SIGNS)


NATIVE = Format(
    NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse),
    numbering=Numbering(number_at("seq")), kind_of_topic=_kind_of_topic,
    gas=GasTopics(GAS_FILTER, is_gas_topic), by_code=True,
    commanding=Commanding(_encode, ANSWERS_S, acknowledges=True),
)  # fmt: skip
