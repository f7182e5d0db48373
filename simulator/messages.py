"""Messages as the devices' networks publish them: one function for each wire format."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from db.seeds.simulated import SimulatedDevice
from simulator.model import Values

# Names of the made-up LoRaWAN installations; they appear in topics.
CHIRPSTACK_APPLICATION = "6d2f1c9e-4a0b-4f5e-9c38-460107000001"
THINGS_STACK_APPLICATION = "demo-manholes@gridwarden"
LORA_GATEWAY = "0246010700ff0001"
# LoRa ports: Milesight devices send measurements on 85.
GS101_PORT, MANHOLE_PORT = 85, 10
# Picture size of the made-up Frigate cameras, pixels.
FRAME_W, FRAME_H = 1280, 720
# A frame counter has 16 bits on air.
FRAME_COUNTER_SPAN = 65_536


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message and the moment at which it is sent."""

    at: datetime
    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """One message about one video event."""

    event_id: str
    type: str
    phase: str  # new, update or end
    start_at: datetime
    end_at: datetime | None
    confidence: float
    bbox: tuple[float, float, float, float]  # x, y, w, h, each 0 to 1
    picture: bytes = b""  # a JPEG, sent with the message


def telemetry(device: SimulatedDevice, values: Values, at: datetime) -> Message:
    """A report in the device's own format; what its codec cannot say is left out."""
    return _TELEMETRY[device.format](device, values, at)


def camera_status(device: SimulatedDevice, at: datetime) -> Message:
    """A camera says that it is there."""
    if device.format == "frigate":
        return Message(at, f"frigate/{device.external_id}/status/detect", b"online", retain=True)
    topic = f"city/v1/{device.district}/camera/{device.code}/status"
    return Message(at, topic, _json({"ts": _rfc3339(at), "online": True}), retain=True)


def takes_picture(device: SimulatedDevice) -> bool:
    """Whether a message of this camera's format has room for a picture."""
    return device.format == "native"


def video(device: SimulatedDevice, seen: Sighting, at: datetime) -> Message:
    """A video event in the camera's own format."""
    return _VIDEO[device.format](device, seen, at)


def position(district: str, squad: str, lon: float, lat: float, at: datetime) -> Message:
    body = {
        "ts": _rfc3339(at),
        "lon": round(lon, 6),
        "lat": round(lat, 6),
        "accuracy_m": 8,
    }
    return Message(at, f"city/v1/{district}/squad/{squad}/position", _json(body))


# What codecs call the parts of a fix, and what the native format does.
POSITION = {"longitude": "lon", "latitude": "lat", "accuracy_m": "accuracy_m"}


def _native(device: SimulatedDevice, values: Values, at: datetime) -> Message:
    topic = f"city/v1/{device.district}/{device.kind}/{device.code}/telemetry"
    readings = {name: value for name, value in values.items() if name not in POSITION}
    body: dict[str, Any] = {"ts": _rfc3339(at), "readings": readings}
    if position := {POSITION[name]: values[name] for name in POSITION if name in values}:
        body["position"] = position
    return Message(at, topic, _json(body))


def _chirpstack(device: SimulatedDevice, values: Values, at: datetime) -> Message:
    """A Milesight GS101: bytes for its codec, alarm or not, no concentration."""
    alarm = values.get("gas_alarm", 0.0) > 0
    frame = bytes([0x05, 0x8E, int(alarm), 0x06, 0x01, 0 if alarm else 1, 0x07, 0x01, int(alarm)])
    body = {
        "deduplicationId": f"{device.external_id}-{int(at.timestamp() * 1000):x}",
        "time": _rfc3339(at),
        "deviceInfo": {
            "tenantName": "demo",
            "applicationId": CHIRPSTACK_APPLICATION,
            "applicationName": "demo gas detectors",
            "deviceProfileName": device.model,
            "deviceName": device.code,
            "devEui": device.external_id,
            "tags": {},
        },
        "devAddr": (device.external_id or "")[-8:],
        "adr": True,
        "dr": 5,
        "fCnt": _frame_counter(device, at),
        "fPort": GS101_PORT,
        "confirmed": False,
        "data": base64.b64encode(frame).decode(),
        "rxInfo": [
            {
                "gatewayId": LORA_GATEWAY,
                "gwTime": _rfc3339(at),
                "rssi": int(values.get("rssi_dbm", -90)),
                "snr": 7.5,
                "crcStatus": "CRC_OK",
            }
        ],
        "txInfo": {"frequency": 471_900_000},
    }
    topic = f"application/{CHIRPSTACK_APPLICATION}/device/{device.external_id}/event/up"
    return Message(at, topic, _json(body))


def _things_stack(device: SimulatedDevice, values: Values, at: datetime) -> Message:
    """A manhole sensor whose payload formatter already speaks canonical names."""
    device_id = device.code.lower()
    application = THINGS_STACK_APPLICATION.partition("@")[0]
    body = {
        "end_device_ids": {
            "device_id": device_id,
            "application_ids": {"application_id": application},
            "dev_eui": (device.external_id or "").upper(),
        },
        "received_at": _rfc3339(at + timedelta(milliseconds=90)),
        "uplink_message": {
            "f_port": MANHOLE_PORT,
            "f_cnt": _frame_counter(device, at),
            "decoded_payload": values,
            "rx_metadata": [
                {
                    "gateway_ids": {"gateway_id": "demo-gateway", "eui": LORA_GATEWAY.upper()},
                    "rssi": int(values.get("rssi_dbm", -90)),
                    "snr": 8.2,
                }
            ],
            "received_at": _rfc3339(at),
        },
    }
    topic = f"v3/{THINGS_STACK_APPLICATION}/devices/{device_id}/up"
    return Message(at, topic, _json(body))


def _native_video(device: SimulatedDevice, seen: Sighting, at: datetime) -> Message:
    body: dict[str, Any] = {
        "id": seen.event_id,
        "type": seen.type,
        "phase": seen.phase,
        "start": _rfc3339(seen.start_at),
        "end": _rfc3339(seen.end_at) if seen.end_at else None,
        "confidence": seen.confidence,
        "bbox": list(seen.bbox),
        "model": "demo-street",
        "version": "1",
    }
    if seen.picture:
        body["snapshot"] = f"data:image/jpeg;base64,{base64.b64encode(seen.picture).decode()}"
    return Message(at, f"city/v1/{device.district}/video/{device.code}/event", _json(body))


def _frigate(device: SimulatedDevice, seen: Sighting, at: datetime) -> Message:
    after = _tracked(device, seen, at)
    before = after | {"frame_time": round(at.timestamp() - 5, 3)}
    return Message(
        at, "frigate/events", _json({"before": before, "after": after, "type": seen.phase})
    )


def _tracked(device: SimulatedDevice, seen: Sighting, at: datetime) -> dict[str, Any]:
    x, y, w, h = seen.bbox
    left, top = round(x * FRAME_W), round(y * FRAME_H)
    right, bottom = round((x + w) * FRAME_W), round((y + h) * FRAME_H)
    return {
        "id": seen.event_id,
        "camera": device.external_id,
        "frame_time": round(at.timestamp(), 3),
        "label": seen.type,
        "sub_label": None,
        "top_score": seen.confidence,
        "score": seen.confidence,
        "false_positive": False,
        "start_time": round(seen.start_at.timestamp(), 3),
        "end_time": round(seen.end_at.timestamp(), 3) if seen.end_at else None,
        "box": [left, top, right, bottom],
        "area": (right - left) * (bottom - top),
        "stationary": seen.phase != "new",
        "current_zones": [],
        "entered_zones": [],
        "has_snapshot": False,
        "has_clip": False,
    }


def _frame_counter(device: SimulatedDevice, at: datetime) -> int:
    """Grows with time, so that it goes on after a restart of the simulator."""
    return int(at.timestamp()) % FRAME_COUNTER_SPAN


def _rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


_TELEMETRY: dict[str, Callable[[SimulatedDevice, Values, datetime], Message]] = {
    "native": _native,
    "chirpstack": _chirpstack,
    "ttn": _things_stack,
}
_VIDEO: dict[str, Callable[[SimulatedDevice, Sighting, datetime], Message]] = {
    "native": _native_video,
    "frigate": _frigate,
}
