"""Xiaomi and Aqara gateways: numbered properties of one or several devices."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import Decoded, MessageClass, TimeSource
from ingest.decode import decode_by_hand
from wire import FORMATS, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "xiaomi_gw3"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
THEN = datetime(2026, 3, 4, 5, 6, 5, 250_000, tzinfo=UTC)


def parse(body: Any, topic: str = "zigbee/send") -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["xiaomi-gw3"].parse(topic, payload, NOW)


def fixture(name: str, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((FIXTURES / name).read_text())
    return body | changes


def named(decoded: Decoded) -> dict[str, object]:
    return {value.name: value.value for value in decoded.values}


def test_a_report_has_its_properties_by_number() -> None:
    decoded = parse(fixture("report.json"))
    assert (decoded.message_class, decoded.device) == (
        MessageClass.TELEMETRY,
        "lumi.158d0001020304",
    )
    assert named(decoded) == {"0.12.85": 41.5, "8.0.2008": 3005, "2.1": 1}
    assert {(v.ts, v.ts_from) for v in decoded.values} == {(THEN, TimeSource.GATEWAY)}
    assert decoded.link == {"event": "report", "rssi": -62, "zseq": 54}


def test_a_heartbeat_speaks_for_several_devices_each_at_its_time() -> None:
    first, second = parse(fixture("heartbeat.json")).parts
    assert (first.device, named(first)) == ("lumi.158d0001020304", {"8.0.2007": 140})
    assert (second.device, named(second)) == ("lumi.158d0001020305", {"0.11.85": 229500})
    assert second.values[0].ts.timestamp() - first.values[0].ts.timestamp() == 1
    assert (first.link["zseq"], second.link["zseq"]) == (55, 56)


def test_numbers_that_all_devices_share_become_readings() -> None:
    payload = json.dumps(fixture("report.json")).encode()
    result = decode_by_hand("zigbee/send", payload, received_at=NOW)
    stored = {r["metric"]: r["value"] for r in result["readings"] if r["stored"]}
    assert stored == {"power_w": 41.5, "battery_v": 3.005}
    assert result["rejects"] == []


@pytest.mark.parametrize(("code", "stored"), [(0, [0]), (1, [1]), (2, []), (3, []), (4, [])])
def test_a_gas_detector_that_is_not_ready_says_nothing_of_the_gas(
    code: int, stored: list[float]
) -> None:
    body = fixture("report.json", params=[], mi_spec=[{"siid": 2, "piid": 1, "value": code}])
    result = decode_by_hand(
        "zigbee/send", json.dumps(body).encode(), model="aqara-jt-bz-01aq", received_at=NOW
    )
    assert [r["value"] for r in result["readings"] if r["stored"]] == stored
    assert result["rejects"] == []


@pytest.mark.parametrize("time", [None, 0, "soon"])
def test_without_a_time_it_is_the_time_of_receipt(time: object) -> None:
    value = parse(fixture("report.json", time=time)).values[0]
    assert (value.ts, value.ts_from) == (NOW, TimeSource.RECEIVED)


def test_properties_that_could_not_be_read_are_no_values() -> None:
    spec = [{"siid": 5, "piid": 2, "value": 0, "code": -4004}, {"siid": 3, "eiid": 1}]
    body = {"cmd": "read_rsp", "did": "lumi.1", "mi_spec": spec}
    decoded = parse(body)
    assert (decoded.message_class, decoded.link) == (MessageClass.OTHER, {"event": "read_rsp"})


@pytest.mark.parametrize(
    "part", [{"value": 1}, {"siid": 2, "value": 1}, {"res_name": "x", "value": 1}]
)
def test_a_property_without_a_number_is_refused_alone(part: dict[str, Any]) -> None:
    decoded = parse(fixture("report.json", mi_spec=[part]))
    assert len(decoded.rejects) == 1
    assert "0.12.85" in named(decoded)


@pytest.mark.parametrize("command", ["write", "read", "write_rsp", "behaviour"])
def test_commands_and_their_answers_are_counted(command: str) -> None:
    decoded = parse({"cmd": command, "did": "lumi.1", "params": [{"res_name": "4.1.85"}]})
    assert (decoded.message_class, decoded.link) == (MessageClass.OTHER, {"event": command})
    assert parse(fixture("report.json"), "zigbee/recv").message_class is MessageClass.OTHER


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        {"cmd": 5},
        {"cmd": "report"},
        {"cmd": "report", "did": ""},
        {"cmd": "heartbeat"},
        {"cmd": "heartbeat", "params": [{}]},
    ],
)
def test_a_broken_message_is_refused(body: Any) -> None:
    assert parse(body).message_class is MessageClass.INVALID


def test_it_is_recognised() -> None:
    known = FORMATS["xiaomi-gw3"]
    assert recognise("zigbee/send", b"") is known
    for name in ("report.json", "heartbeat.json"):
        assert recognise("", json.dumps(fixture(name)).encode()) is known
