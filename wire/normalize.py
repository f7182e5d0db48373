"""From what a message says to what is stored: canonical names, units, ranges and times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from city.datum import Datum
from city.place import LonLat
from city.reading import (
    REASON_DEVICE_UNKNOWN,
    REASON_DISTRICT,
    REASON_KIND,
    REASON_METRIC_UNKNOWN,
    REASON_TIME_FUTURE,
    REASON_TIME_OLD,
    Decoded,
    MessageClass,
    Quality,
    RawValue,
    Reading,
    Reject,
    SquadPosition,
    StatusReport,
    TimeSource,
    VideoEvent,
)
from wire.fix import MOVED, PLACE, datum_of, find_fixes, fix_of_link, moved
from wire.lorawan.codec import CodecCall, CodecFailed, Run, run_one
from wire.models import DeviceModel, load_model
from wire.quality import HISTORY_LIMIT, is_beyond_history, is_implausibly_old, is_in_future
from wire.translate import GAS_ALARM, Translated, translate
from wire.units import COMBUSTIBLE, percent_lel, water_level
from wire.values import Stamp, flatten

# Metrics beside which a reading of another metric may be derived.
DERIVED_FROM = frozenset({"ch4_pct_vol", "gas_ppm", "distance_mm"})
# Kinds of devices that are not where they are registered when somebody has carried them off.
CARRIED_OFF = frozenset({"manhole"})
# Values that are not measurements of now: their old times are right and stay.
_KEEPS_TIME = (Quality.LATE, Quality.SIMULATED)
# How a topic's kind and a registered kind correspond where they differ.
_KIND_OF_TOPIC = {"video": "camera"}
# Names listed in a rejection; enough to find the codec that wrote them.
NAMES_SHOWN = 12
# Characters of each; the longest dotted name seen in a real message has 52.
NAME_SHOWN = 60


class RegisteredDevice(Protocol):
    """The registry's row of a device, as far as it bears on its readings."""

    @property
    def code(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def district(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def gas(self) -> str | None: ...
    @property
    def attributes(self) -> Mapping[str, Any]: ...
    @property
    def lon(self) -> float | None: ...
    @property
    def lat(self) -> float | None: ...


class Home(NamedTuple):
    """Where a device is registered, in WGS-84, and what its positions are in."""

    place: LonLat
    datum: Datum


@dataclass(frozen=True, slots=True)
class Normalized:
    """What of a message is stored, and what was refused. `kept_out` are values that no
    canonical metric exists for: counted, not refused."""

    message_class: MessageClass
    readings: tuple[Reading, ...] = ()
    rejects: tuple[Reject, ...] = ()
    events: tuple[VideoEvent, ...] = ()
    statuses: tuple[StatusReport, ...] = ()
    positions: tuple[SquadPosition, ...] = ()
    kept_out: tuple[RawValue, ...] = ()
    known: bool = True  # some name was known to the model, be it as "no reading"
    by_words: bool = False  # only the words of a gas alarm were understood
    by_model: bool = True  # the model itself knew some name
    unclear: tuple[Reject, ...] = ()  # what matters and nobody could read
    warnings: tuple[str, ...] = ()  # what the codec remarked


def normalize(
    decoded: Decoded,
    device: RegisteredDevice | None,
    received_at: datetime,
    run_codec: Run = run_one,
) -> Normalized:
    """Canonical readings, events and reports of one message of a registered device."""
    message_class = decoded.message_class
    home = _home(device)
    has_fix = home is not None and PLACE in decoded.link
    if message_class is MessageClass.INVALID or (
        message_class is MessageClass.OTHER and not has_fix
    ):
        return Normalized(message_class, rejects=decoded.rejects)
    if message_class is MessageClass.POSITION or decoded.link.get("bridge"):
        return _timed(Normalized(
            message_class, rejects=decoded.rejects,
            statuses=decoded.statuses, positions=decoded.positions,
        ), received_at)  # fmt: skip
    problem = _unknown(decoded) if device is None else _mismatch(decoded, device)
    if problem is not None or device is None:
        rejects = (*decoded.rejects, problem) if problem else decoded.rejects
        return Normalized(MessageClass.INVALID, rejects=rejects)
    # Formats whose names are the same for every device have a model of their own name.
    model = load_model(device.model or decoded.format)
    height = _mounting_height(device.attributes)
    content = interpret(decoded, model, device.gas, height, run_codec, device.kind, home)
    if content.unclear:
        content = replace(content, rejects=(*content.rejects, *content.unclear))
    problem = nothing_known(content)
    if problem is not None and not content.readings:
        if decoded.link.get("second_form"):
            return replace(content, message_class=MessageClass.OTHER)
        return replace(content, message_class=MessageClass.INVALID, rejects=(problem,))
    problem = problem or misfit(decoded, content)
    if problem is not None:
        content = replace(content, rejects=(*content.rejects, problem))
    return _timed(content, received_at)


def interpret(
    decoded: Decoded,
    model: DeviceModel | None,
    gas: str | None,
    mounting_height_cm: float | None = None,
    run_codec: Run = run_one,
    kind: str = "",
    home: Home | None = None,
) -> Normalized:
    """Apply the device's model (and its codec) to a message; times are not judged yet. `home`:
    where the device is registered, for those that may be carried off."""
    if not decoded.values and not decoded.raw_bytes:
        readings = _with_derived(decoded.readings, gas, mounting_height_cm)
        away, _ = _away(decoded, (), readings, home)
        events = _typed_events(decoded.events, model)
        message_class = MessageClass.TELEMETRY if away else decoded.message_class
        return Normalized(
            message_class, (*readings, *away) if away else readings, decoded.rejects, events,
            decoded.statuses, decoded.positions,
        )  # fmt: skip
    found, values, message_class, warnings = _translated(decoded, model, gas, run_codec, kind)
    own = {reading.metric for reading in found.readings}
    readings = (*found.readings, *(r for r in decoded.readings if r.metric not in own))
    away, has_fix = _away(decoded, values, readings, home)
    readings = (*readings, *away)
    # Only the model of a format knows that whatever it leaves out is no reading.
    rest_known = model is not None and model.counts_rest and model.name == decoded.format
    return Normalized(
        message_class, _with_derived(readings, gas, mounting_height_cm),
        (*decoded.rejects, *found.rejects), statuses=decoded.statuses,
        kept_out=found.kept_out, known=found.known or rest_known or has_fix,
        by_words=bool(found.readings) and not found.fits and not away,
        by_model=found.by_model or rest_known or model is None or not model.rules,
        unclear=found.unclear,
        warnings=warnings,
    )  # fmt: skip


def nothing_known(content: Normalized) -> Reject | None:
    """The rejection of a message of which the model knows not one name."""
    if content.rejects or content.known or not content.kept_out:
        return None
    if content.readings and not content.by_words:
        return None
    names = ", ".join(value.name[:NAME_SHOWN] for value in content.kept_out[:NAMES_SHOWN])
    detail = f"no value has a canonical name or one that the device's model knows: {names}"
    return Reject(REASON_METRIC_UNKNOWN, detail)


def misfit(decoded: Decoded, content: Normalized) -> Reject | None:
    """The rejection beside what was understood of all that a device has to say, without its model:
    a wrong one was chosen."""
    if content.by_model or not decoded.cached:
        return None
    names = ", ".join(value.name[:NAME_SHOWN] for value in decoded.values[:NAMES_SHOWN])
    detail = f"the device's model knows none of the values, they were read without it: {names}"
    return Reject(REASON_METRIC_UNKNOWN, detail)


def codec_call(decoded: Decoded, device: RegisteredDevice | None) -> CodecCall | None:
    """The run of a codec that normalising this message is sure to ask for."""
    if device is None or decoded.values or not decoded.raw_bytes:
        return None
    model = load_model(device.model or decoded.format)
    return _call(decoded, model) if model is not None and model.codec else None


def _call(decoded: Decoded, model: DeviceModel) -> CodecCall:
    arrived_at = frame_stamp(decoded).ts
    return CodecCall(model.codec, decoded.raw_bytes, decoded.fport, arrived_at)


def _translated(
    decoded: Decoded, model: DeviceModel | None, gas: str | None, run_codec: Run, kind: str
) -> tuple[Translated, Sequence[RawValue], MessageClass, tuple[str, ...]]:
    """The network server's decoded values if the model knows any of them, else our codec's; with
    what they were made of."""
    found = translate(decoded.device, decoded.values, model, gas, kind)
    if found.fits or not decoded.raw_bytes or model is None or not model.codec:
        return found, decoded.values, decoded.message_class, ()
    output = run_codec(_call(decoded, model))
    if isinstance(output, CodecFailed):
        refused = replace(found, rejects=(*found.rejects, output.reject))
        return refused, decoded.values, decoded.message_class, ()
    flat = flatten(output.data, frame_stamp(decoded))
    again = translate(decoded.device, flat.values, model, gas, kind)
    again = replace(
        again,
        readings=_with_alarm(again.readings, found.readings),
        rejects=(*flat.rejects, *again.rejects),
    )
    message_class = MessageClass.TELEMETRY if flat.values else decoded.message_class
    return again, flat.values, message_class, output.warnings


def _with_alarm(readings: tuple[Reading, ...], by_words: Iterable[Reading]) -> tuple[Reading, ...]:
    """A gas alarm in the network server's values is one, though the codec may not find it."""
    alarms = [r for r in by_words if r.metric == GAS_ALARM.name and r.value]
    if not alarms or any(r.metric == GAS_ALARM.name and r.value for r in readings):
        return readings
    return (*(r for r in readings if r.metric != GAS_ALARM.name), *alarms)


def frame_stamp(decoded: Decoded) -> Stamp:
    """When the frame arrived, from the link record of a LoRaWAN format."""
    if decoded.values:
        first = decoded.values[0]
        return Stamp(first.ts, first.ts_from, first.quality)
    link = decoded.link
    quality = Quality(link.get("quality", Quality.GOOD))
    return Stamp(datetime.fromisoformat(link["time"]), TimeSource(link["time_from"]), quality)


def _unknown(decoded: Decoded) -> Reject:
    return Reject(REASON_DEVICE_UNKNOWN, f"no {decoded.format} device {decoded.device!r}")


def _mismatch(decoded: Decoded, device: RegisteredDevice) -> Reject | None:
    """The topic of a native message names district and kind; the registry has the say."""
    district = decoded.link.get("district")
    if district is not None and district != device.district:
        detail = f"topic says district {district!r}, {device.code} is in {device.district!r}"
        return Reject(REASON_DISTRICT, detail)
    kind = decoded.link.get("kind")
    if kind is not None and _KIND_OF_TOPIC.get(kind, kind) != device.kind:
        detail = f"topic says kind {kind!r}, {device.code} is a {device.kind!r} device"
        return Reject(REASON_KIND, detail)
    return None


def _with_derived(
    readings: tuple[Reading, ...], gas: str | None, mounting_height_cm: float | None
) -> tuple[Reading, ...]:
    """Beside what was sent, the same in what the rules' limits are in: %LEL of a known gas, and
    how high the water stands below a sensor at a known height. Raw name, value and unit stay."""
    if gas is None and mounting_height_cm is None:
        return readings
    metrics = {reading.metric for reading in readings}
    derived: list[Reading | None] = []
    if gas is not None and "ch4_pct_lel" not in metrics:
        source = next((metric for metric in COMBUSTIBLE if metric in metrics), None)
        derived += [percent_lel(r, gas) for r in readings if r.metric == source]
    if mounting_height_cm is not None and "water_level_cm" not in metrics:
        derived += [
            water_level(r, mounting_height_cm) for r in readings if r.metric == "distance_mm"
        ]
    return (*readings, *(reading for reading in derived if reading is not None))


def _home(device: RegisteredDevice | None) -> Home | None:
    """Where a device of a kind that may be carried off is registered."""
    if device is None or device.kind not in CARRIED_OFF:
        return None
    if device.lon is None or device.lat is None:
        return None
    return Home(LonLat(device.lon, device.lat), datum_of(device.attributes))


def _away(
    decoded: Decoded, values: Sequence[RawValue], readings: Iterable[Reading], home: Home | None
) -> tuple[list[Reading], bool]:
    """How far from home the fixes of a message are, unless the device says that itself, and
    whether there was a fix at all."""
    if home is None:
        return [], False
    fixes = find_fixes(values)
    if (fix := fix_of_link(decoded.link)) is not None:
        fixes.append(fix)
    if any(reading.metric == MOVED.name for reading in readings):
        return [], bool(fixes)
    return moved(decoded.device, fixes, home.place, home.datum), bool(fixes)


def _mounting_height(attributes: Mapping[str, Any]) -> float | None:
    """How high above the ground of its shaft the sensor hangs, if the registry says it."""
    height = attributes.get("mounting_height_cm")
    if isinstance(height, bool) or not isinstance(height, (int, float)):
        return None
    return float(height) if math.isfinite(height) and height > 0 else None


def _typed_events(
    events: tuple[VideoEvent, ...], model: DeviceModel | None
) -> tuple[VideoEvent, ...]:
    """Events under our own names for what was seen; the vendor's class stays beside."""
    if model is None or not model.classes or not events:
        return events
    return tuple(
        replace(
            event,
            type=model.classes[event.type.lower()],
            attributes={"label": event.type, **event.attributes},
        )
        if event.type.lower() in model.classes
        else event
        for event in events
    )


def _timed(content: Normalized, received_at: datetime) -> Normalized:
    """Refuse what lies in the future or before all that is kept, give live values of a wrong clock
    the time of receipt."""
    if _all_plausible(content, received_at):
        if content.rejects and not content.readings:
            return replace(content, message_class=MessageClass.INVALID)
        return content
    rejects = list(content.rejects)
    readings = tuple(_plausible_readings(content.readings, received_at, rejects))
    events = tuple(_plausible_events(content.events, received_at, rejects))
    positions = []
    for position in content.positions:
        if is_in_future(position.ts, received_at):
            rejects.append(_future(position.ts, received_at))
        else:
            positions.append(position)
    nothing_left = not (readings or events or positions or content.statuses)
    return replace(
        content,
        message_class=MessageClass.INVALID if nothing_left else content.message_class,
        readings=readings,
        rejects=tuple(dict.fromkeys(rejects)),
        events=events,
        statuses=tuple(_plausible_status(status, received_at) for status in content.statuses),
        positions=tuple(positions),
    )


def _all_plausible(content: Normalized, received_at: datetime) -> bool:
    """The usual case, told fast: one time for all readings, and a good one."""
    if content.events or content.positions or content.statuses:
        return False
    last: datetime | None = None
    for reading in content.readings:
        if reading.ts is last:
            continue
        last = reading.ts
        if is_in_future(last, received_at) or is_implausibly_old(last, received_at):
            return False
    return True


def _plausible_readings(
    readings: Sequence[Reading], received_at: datetime, rejects: list[Reject]
) -> Iterable[Reading]:
    for reading in readings:
        if is_in_future(reading.ts, received_at):
            rejects.append(_future(reading.ts, received_at))
        elif is_implausibly_old(reading.ts, received_at) and reading.quality not in _KEEPS_TIME:
            quality = max(reading.quality, Quality.CLOCK_REPLACED)
            yield replace(reading, ts=received_at, ts_from=TimeSource.RECEIVED, quality=quality)
        elif is_beyond_history(reading.ts, received_at):
            rejects.append(_too_old(reading.ts))
        else:
            yield reading


def _plausible_events(
    events: Sequence[VideoEvent], received_at: datetime, rejects: list[Reject]
) -> Iterable[VideoEvent]:
    for event in events:
        if is_in_future(event.start_at, received_at):
            rejects.append(_future(event.start_at, received_at))
        elif event.end_at is not None and is_in_future(event.end_at, received_at):
            rejects.append(_future(event.end_at, received_at))
            yield replace(event, end_at=received_at)
        else:
            yield event


def _plausible_status(status: StatusReport, received_at: datetime) -> StatusReport:
    """That a device spoke is true whatever its clock says."""
    if is_in_future(status.ts, received_at) or is_implausibly_old(status.ts, received_at):
        return replace(status, ts=received_at, ts_from=TimeSource.RECEIVED)
    return status


def _future(ts: datetime, received_at: datetime) -> Reject:
    ahead = f"{ts.isoformat()} is after the time of receipt {received_at.isoformat()}"
    return Reject(REASON_TIME_FUTURE, ahead)


def _too_old(ts: datetime) -> Reject:
    return Reject(REASON_TIME_OLD, f"{ts.isoformat()} is more than {HISTORY_LIMIT.days} days ago")
