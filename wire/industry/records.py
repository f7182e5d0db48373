"""Resolved records of what devices measured, as SenML and OMA's object paths name them.

Names are world-wide unique, so the device is the first part of a name:
`urn:dev:ow:10e2073a0108006:voltage` is `voltage` of the device `urn:dev:ow:10e2073a0108006`.
Values keep the resolved name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from city.reading import (
    REASON_FIELD,
    REASON_NAN,
    Decoded,
    MessageClass,
    Quality,
    RawValue,
    Reject,
    TimeSource,
)
from wire.body import as_finite, as_number, as_text, identity, shown
from wire.format import Refused
from wire.industry import oma
from wire.quantities import quantity_of, sort_out
from wire.series import clock_is_set, stamps
from wire.times import from_epoch
from wire.values import Stamp

# Characters of a resolved name; the longest in the RFCs has 46.
NAME_LIMIT = 256
# LwM2M begins paths with a slash, against the rule for names (OMA-TS-LightweightM2M_Core).
PATH_NAME = re.compile(r"/\d{1,5}(/\d{1,5}){0,3}/?")
_URN_DEVICE = re.compile(r"(urn:dev:[A-Za-z0-9]+:[^:/_]+)")
_SEPARATORS = ":/._-"


@dataclass(frozen=True, slots=True)
class Record:
    """One resolved record. A time of None is now."""

    base: str
    name: str
    value: float | bool | str | bytes
    unit: str = ""
    sent: Any = None
    ts: datetime | None = None


def decode_records(
    name: str,
    topic_device: str,
    records: Sequence[Record],
    rejects: Sequence[Reject],
    received_at: datetime,
) -> Decoded:
    """Resolved records as a message of the format `name`."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(_device(record, topic_device), []).append(record)
    if not groups:
        return _nothing(name, topic_device, rejects)
    parts = [_part(name, device, group, received_at) for device, group in groups.items()]
    parts[0] = _with_rejects(parts[0], rejects)
    return (
        parts[0] if len(parts) == 1 else Decoded(name, parts[0].message_class, parts=tuple(parts))
    )


def _nothing(name: str, device: str, rejects: Sequence[Reject]) -> Decoded:
    if rejects:
        return Decoded(name, MessageClass.INVALID, device, rejects=tuple(rejects))
    return Decoded(name, MessageClass.OTHER, device, link={"event": "pack without values"})


def _with_rejects(part: Decoded, rejects: Sequence[Reject]) -> Decoded:
    return Decoded(
        part.format, part.message_class, part.device, part.readings, part.values,
        rejects=(*rejects, *part.rejects), raw_bytes=part.raw_bytes, link=part.link,
    )  # fmt: skip


# --- Fields of a record ----------------------------------------------------------------------


def moved(ts: datetime, seconds: float) -> datetime | None:
    """The moment this many seconds later; None outside the calendar."""
    try:
        return ts + timedelta(seconds=seconds)
    except OverflowError:
        return None


def number_of(value: Any, where: str) -> float:
    """A finite number, or a refusal that says where."""
    number = as_number(value)
    if number is None:
        raise Refused(REASON_FIELD, f"{where}: must be a number (got {shown(value)})")
    if as_finite(number) is None:
        raise Refused(REASON_NAN, f"{where}: must be a finite number (got {shown(value)})")
    return number


def text_of(value: Any, where: str) -> str:
    """A text, or a refusal that says where."""
    if not isinstance(value, str):
        raise Refused(REASON_FIELD, f"{where}: must be text (got {shown(value)})")
    return value


def truth_of(value: Any, where: str) -> bool:
    """A truth value, or a refusal that says where."""
    if not isinstance(value, bool):
        raise Refused(REASON_FIELD, f"{where}: must be true or false (got {shown(value)})")
    return value


def time_of(
    seconds: float, where: str, received_at: datetime, *, relative_below: float
) -> datetime | None:
    """The time of a record, in seconds since 1970, or from now where they are below a limit; None,
    for 0, is now."""
    if seconds == 0:
        return None
    ts = moved(received_at, seconds) if seconds < relative_below else from_epoch(seconds)
    if ts is None:
        raise Refused(REASON_FIELD, f"{where}: t is no time the calendar knows ({seconds:g})")
    return ts


# --- Resolved records to values of devices ----------------------------------------------------


def _device(record: Record, topic_device: str) -> str:
    """The part of a name that is the device: a device URN, what stands before an object path,
    the base name; a name without any of these is the device's if the topic names none."""
    urn = _URN_DEVICE.match(record.name)
    path = oma.parse_path(record.name) if urn is None else None
    if urn is not None:
        found = urn[1]
    elif path is not None:
        found = path.device
    else:
        found = _object_prefix(record.base) or record.base.rstrip(_SEPARATORS)
    found = found.strip("/")
    if not found:
        found = topic_device
    if not found and path is None and not PATH_NAME.fullmatch(record.name):
        found = record.name
    return identity(found, "name") if found else ""


def _object_prefix(base: str) -> str:
    """What stands before `/{object}/` at the end of a base name: 9fb5/3330/ is of 9fb5."""
    match = re.fullmatch(r"(.{1,256}?)/(\d{1,5})(?:/\d{1,5})?/?", base)
    return match[1] if match and int(match[2]) in oma.OBJECTS else ""


def _part(name: str, device: str, records: Sequence[Record], received_at: datetime) -> Decoded:
    marks = stamps((record.ts for record in records), received_at)
    details = _details(records)
    told: list[tuple[RawValue, str]] = []
    link: dict[str, Any] = {}
    blobs: list[tuple[str, bytes]] = []
    for record, stamp in zip(records, marks, strict=True):
        if isinstance(record.value, bytes):
            blobs.append((record.name, record.value))
        elif record.unit in ("lat", "lon", "alt") and not isinstance(record.value, str):
            link.setdefault("place", {})[record.unit] = float(record.value)
        elif not _is_remark(record, link):
            told.append(_named(record, stamp, details))
    found = sort_out(device, told)
    objects = _object_names(records)
    link |= {"objects": objects} if objects else {}
    link |= {"data": [blob_name for blob_name, _ in blobs]} if blobs else {}
    raw = blobs[0][1] if len(blobs) == 1 and not told else b""
    message_class = _class(bool(told), bool(raw))
    if message_class is MessageClass.UNDECODED:
        link |= {"time": marks[0].ts.isoformat(), "time_from": marks[0].ts_from.value}
    if "place" in link:
        at, source = marks[0].ts.isoformat(), marks[0].ts_from.value
        link |= {"place_time": at, "place_time_from": source}
    if message_class is MessageClass.OTHER:
        link["event"] = "place" if "place" in link else "info"
    return Decoded(
        name, message_class, device, found.readings, found.values,
        rejects=found.rejects, raw_bytes=raw, link=link,
    )  # fmt: skip


def _class(values: bool, raw: bool) -> MessageClass:
    if values:
        return MessageClass.TELEMETRY
    return MessageClass.UNDECODED if raw else MessageClass.OTHER


def _named(
    record: Record, stamp: Stamp, details: Mapping[tuple[int, int], _Detail]
) -> tuple[RawValue, str]:
    """The value under its resolved name, and the metric that unit or registry tell."""
    path = oma.parse_path(record.name)
    detail = _NO_DETAIL if path is None else details.get(path.place, _NO_DETAIL)
    unit = record.unit
    if path is None:
        metric = quantity_of(record.name, unit)
    else:
        unit = unit or (detail.unit if path.resource == oma.SENSOR_VALUE else "")
        metric, unit = oma.metric_of(path, unit)
        if path.key == (3325, oma.SENSOR_VALUE) and detail.application:
            metric = quantity_of(detail.application, unit or "ppm")
    when = detail.stamp or stamp
    if detail.doubtful:
        when = Stamp(when.ts, when.ts_from, Quality.SUSPECT)
    value = record.value if isinstance(record.value, (bool, str)) else float(record.value)
    raw = RawValue(record.name, value, when.ts, when.ts_from, unit, record.sent, when.quality)
    return raw, metric


@dataclass(frozen=True, slots=True)
class _Detail:
    """What the resources of one object instance say about the value beside them."""

    unit: str = ""
    application: str = ""
    stamp: Stamp | None = None
    doubtful: bool = False


_NO_DETAIL = _Detail()


def _details(records: Sequence[Record]) -> dict[tuple[int, int], _Detail]:
    about: dict[tuple[int, int], dict[int, Any]] = {}
    for record in records:
        path = oma.parse_path(record.name)
        if path is not None:
            about.setdefault(path.place, {})[path.resource] = record.value
    return {place: _detail(resources) for place, resources in about.items()}


def _detail(resources: Mapping[int, Any]) -> _Detail:
    seconds = as_finite(resources.get(oma.TIMESTAMP))
    fraction = as_finite(resources.get(oma.FRACTION)) or 0.0
    ts = None if seconds is None else from_epoch(seconds + fraction)
    return _Detail(
        unit=as_text(resources.get(oma.SENSOR_UNITS), 16),
        application=as_text(resources.get(oma.APPLICATION_TYPE), 64),
        stamp=Stamp(ts, TimeSource.DEVICE) if ts is not None and clock_is_set(ts) else None,
        doubtful=resources.get(oma.QUALITY_INDICATOR) in oma.DOUBTFUL
        or resources.get(oma.QUALITY_LEVEL) == 0,
    )


def _is_remark(record: Record, link: dict[str, Any]) -> bool:
    """Texts of an object (maker, unit, tenant) and resources about other resources go with
    the link; so does the marker that only names the object."""
    path = oma.parse_path(record.name)
    if path is not None and path.resource in oma.ABOUT:
        link.setdefault("about", {})[record.name] = record.value
        return True
    if path is not None and path.key in (oma.LATITUDE, oma.LONGITUDE):
        axis = "lat" if path.key == oma.LATITUDE else "lon"
        link.setdefault("place", {})[axis] = record.value
        return True
    if isinstance(record.value, str) and (path is not None or _object_prefix(record.base)):
        link.setdefault("text", {})[record.name] = record.value
        return True
    return False


def _object_names(records: Sequence[Record]) -> dict[str, str]:
    paths = (oma.parse_path(record.name) for record in records)
    numbers = {path.object for path in paths if path is not None and path.object in oma.OBJECTS}
    return {str(number): oma.OBJECTS[number] for number in sorted(numbers)}
