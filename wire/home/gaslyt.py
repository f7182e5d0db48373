"""GASLYT: ESP32 modules with an MQ-x sensor for combustible gas, `/{id}/{lecturas,alarmas,…}`.

Source: the maker's manual ("Manual Técnico"). `timestamp` is epoch seconds; `fecha` is local time
without an offset and has been seen years away from it, so it is not a time. Concentrations come
from a curve of an uncalibrated sensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from city.reading import (
    REASON_FIELD,
    REASON_TOPIC,
    Decoded,
    MessageClass,
    RawValue,
    Reading,
    StatusReport,
    TimeSource,
)
from wire.body import as_finite, as_plain, as_text, identity, parse_object, shown
from wire.format import Format, Refused, about, fits_object, guarded
from wire.series import clock_is_set
from wire.times import time_or_none
from wire.values import Flattened, Stamp, flatten

NAME = "gaslyt"
SUBSCRIPTIONS = ("/+/lecturas", "/+/alarmas", "/+/metadata")
# Commands to the device and reports about its updates: no readings among them.
_OTHERS = frozenset({"configuracion", "actualizaciones"})
_READING = ("concentracion", "umbral", "alarma")
_PERIODIC = ("uptime", "estadoAlarma")
_ABOUT = ("tipo", "version", "mac", "ip", "rssi", "estadoWifi", "estadoMQTT", "umbralAlarma")
_UNITS = {"umbral": "ppm", "uptime": "s"}


def _parse(topic: str, payload: bytes, received_at: datetime) -> Decoded:
    body = parse_object(payload)
    device, kind = _address(topic)
    device = identity(
        body.get("idDispositivo") or body.get("dispositivo") or device, "idDispositivo"
    )
    kind = kind or _kind(body)
    stamp = _stamp(body.get("timestamp"), received_at)
    return about(device, _by_kind, device, kind, body, stamp)


def _by_kind(device: str, kind: str, body: Mapping[str, Any], stamp: Stamp) -> Decoded:
    if kind == "lecturas":
        return _reading(device, body, stamp)
    if kind == "alarmas":
        return _alarm(device, body, stamp)
    if kind == "metadata":
        return _metadata(device, body, stamp)
    if kind in _OTHERS:
        event = as_text(body.get("comando") or body.get("estado") or kind)
        return Decoded(NAME, MessageClass.OTHER, device, link={"event": event})
    raise Refused(REASON_TOPIC, f"not a topic of GASLYT: {kind[:120]!r}")


def _reading(device: str, body: Mapping[str, Any], stamp: Stamp) -> Decoded:
    _concentration(body)
    flat = _values(body, _READING, stamp)
    rssi = as_finite(body.get("rssi"))
    link = {} if rssi is None else {"rssi_dbm": rssi}
    return Decoded(
        NAME, MessageClass.TELEMETRY, device, values=flat.values, rejects=flat.rejects, link=link
    )


def _alarm(device: str, body: Mapping[str, Any], stamp: Stamp) -> Decoded:
    """The device's own alarm: the concentration that raised it, and that there is one."""
    _concentration(body)
    kind = identity(body.get("tipo"), "tipo")
    flat = _values(body, ("concentracion",), stamp)
    raised = Reading(
        device, "gas_alarm", 1.0, "0/1", stamp.ts, stamp.ts_from, "tipo", kind,
        quality=stamp.quality,
    )  # fmt: skip
    link = {
        "event": kind,
        "severity": as_text(body.get("severidad")),
        "action": as_text(body.get("accion")),
        "threshold": as_finite(body.get("umbral")),
    }
    return Decoded(
        NAME, MessageClass.EVENT, device, (raised,), flat.values, rejects=flat.rejects, link=link
    )


def _metadata(device: str, body: Mapping[str, Any], stamp: Stamp) -> Decoded:
    """How the device is. `ultimaLectura` repeats an old reading under a new time: no value."""
    flat = _values(body, _PERIODIC, stamp)
    told = {key: as_plain(body.get(key)) for key in _ABOUT}
    about = {key: value for key, value in told.items() if value is not None}
    report = StatusReport(device, True, stamp.ts, stamp.ts_from, about)
    return Decoded(
        NAME, MessageClass.STATUS, device, values=flat.values, statuses=(report,),
        rejects=flat.rejects,
    )  # fmt: skip


def _concentration(body: Mapping[str, Any]) -> None:
    value = body.get("concentracion")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused(REASON_FIELD, f"concentracion: must be a number (got {shown(value)})")


def _values(body: Mapping[str, Any], names: tuple[str, ...], stamp: Stamp) -> Flattened:
    flat = flatten({name: body[name] for name in names if name in body}, stamp)
    unit = as_text(body.get("unidad"), 16) or "ppm"
    values = tuple(_with_unit(value, unit) for value in flat.values)
    return Flattened(values, flat.rejects)


def _with_unit(value: RawValue, unit: str) -> RawValue:
    own = unit if value.name == "concentracion" else _UNITS.get(value.name, "")
    return RawValue(
        value.name, value.value, value.ts, value.ts_from, own, value.sent, value.quality
    )


def _stamp(said: Any, received_at: datetime) -> Stamp:
    ts = time_or_none(said)
    if ts is None or not clock_is_set(ts):
        return Stamp(received_at, TimeSource.RECEIVED)
    return Stamp(ts, TimeSource.DEVICE)


def _kind(body: Mapping[str, Any]) -> str:
    if "severidad" in body:
        return "alarmas"
    return "lecturas" if "concentracion" in body else "metadata"


def _address(topic: str) -> tuple[str, str]:
    """`/{id}/{kind}/…`, or `feed/gaslyt/{id}/{kind}`."""
    parts = topic.split("/")
    if parts[0] == "feed":
        parts = ["", *parts[2:]]
    if parts[0] or len(parts) < 2:
        return "", ""
    return parts[1], parts[2] if len(parts) > 2 else ""


def _matches(topic: str) -> bool:
    parts = topic.split("/")
    kinds = {"lecturas", "alarmas", "metadata", *_OTHERS}
    return len(parts) >= 3 and not parts[0] and parts[2] in kinds


def _fits(body: Mapping[str, Any]) -> bool:
    return "idDispositivo" in body


GASLYT = Format(NAME, SUBSCRIPTIONS, _matches, fits_object(_fits), guarded(NAME, _parse))
