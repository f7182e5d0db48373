"""GASLYT gas modules: readings, alarms, metadata."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass, TimeSource
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "gaslyt"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
DEVICE = "ESP32-GASLYT-00AA11"


def parse(body: Any, kind: str = "lecturas") -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["gaslyt"].parse(f"/{DEVICE}/{kind}", payload, NOW)


def fixture(name: str, **changes: Any) -> dict[str, Any]:
    return json.loads((FIXTURES / name).read_text()) | changes


def test_a_reading_has_its_unit_and_the_timestamps_time() -> None:
    decoded = parse(fixture("reading.json"))
    assert (decoded.message_class, decoded.device) == (MessageClass.TELEMETRY, DEVICE)
    assert {v.name: (v.value, v.unit) for v in decoded.values} == {
        "concentracion": (120.5, "ppm"),
        "umbral": (900, "ppm"),
        "alarma": (False, ""),
    }
    # Not `fecha`, which is local, has no offset and is years away.
    assert {v.ts for v in decoded.values} == {datetime(2026, 3, 4, 5, 5, tzinfo=UTC)}
    assert decoded.link["rssi_dbm"] == -61


def test_an_alarm_is_an_event_that_raises_one() -> None:
    decoded = parse(fixture("alarm.json"), "alarmas")
    assert (decoded.message_class, decoded.link["event"]) == (MessageClass.EVENT, "GAS_INFLAMABLE")
    assert [(v.name, v.value) for v in decoded.values] == [("concentracion", 1500)]
    assert [(r.metric, r.value) for r in decoded.readings] == [("gas_alarm", 1)]
    assert (decoded.link["severity"], decoded.link["threshold"]) == ("ALTA", 900)


def test_metadata_is_a_status_and_its_last_reading_is_old() -> None:
    decoded = parse(fixture("metadata.json"), "metadata")
    (status,) = decoded.statuses
    assert (decoded.message_class, status.online) == (MessageClass.STATUS, True)
    assert status.attributes["rssi"] == -61
    assert {v.name: v.value for v in decoded.values} == {"uptime": 60, "estadoAlarma": True}


def test_commands_and_updates_are_counted_only() -> None:
    for kind in ("configuracion", "actualizaciones/estado", "actualizaciones/progreso"):
        decoded = parse({"estado": "OTA", "timestamp": 1772600700}, kind)
        assert (decoded.message_class, decoded.device) == (MessageClass.OTHER, DEVICE)


@pytest.mark.parametrize("said", [0, 5000, None, "x", -1])
def test_a_clock_never_set_is_the_time_of_receipt(said: Any) -> None:
    value = parse(fixture("reading.json", timestamp=said)).values[0]
    assert (value.ts, value.ts_from) == (NOW, TimeSource.RECEIVED)


@pytest.mark.parametrize("said", [None, "120", True, {}])
def test_a_reading_without_a_concentration_is_refused(said: Any) -> None:
    for name, kind in (("reading.json", "lecturas"), ("alarm.json", "alarmas")):
        decoded = parse(fixture(name, concentracion=said), kind)
        assert decoded.message_class is MessageClass.INVALID
        assert "concentracion" in decoded.rejects[0].detail
        assert decoded.device == DEVICE


@pytest.mark.parametrize("body", [b"{", b"[]", b"5"])
def test_another_body_is_refused(body: bytes) -> None:
    assert parse(body).message_class is MessageClass.INVALID


def test_messages_are_told_apart_by_their_fields_on_a_feed() -> None:
    wanted = {"reading.json": "telemetry", "alarm.json": "event", "metadata.json": "status"}
    for name, message_class in wanted.items():
        payload = (FIXTURES / name).read_bytes()
        decoded = FORMATS["gaslyt"].parse(f"feed/gaslyt/{DEVICE}", payload, NOW)
        assert decoded.message_class.value == message_class
        assert recognise("", payload) is FORMATS["gaslyt"]
        assert recognise(f"/{DEVICE}/lecturas", payload) is FORMATS["gaslyt"]
