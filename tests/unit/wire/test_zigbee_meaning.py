"""What a Zigbee value means: by the bridge's definition, and safely without one."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from city.reading import METRICS, REASON_ALARM, REASON_UNIT, MessageClass
from ingest.decode import decode_by_hand, rejected_everything
from tests.tables import cases
from tests.unit.wire.corpus import NOW
from tests.unit.wire.test_gas_alarm_words import Device
from tests.unit.wire.zigbee_definitions import (
    GET,
    SET,
    STATE,
    binary,
    bridge_devices,
    composite,
    device,
    enum,
    gathered,
    numeric,
)
from wire import FORMATS, PAYLOAD_LIMIT
from wire.format import Refused
from wire.home.zigbee2mqtt import bridge_topic, parse_defined
from wire.home.zigbee2mqtt_definitions import (
    DEVICES_LIMIT,
    LIST_LIMIT,
    VALUES_LIMIT,
    Definition,
    exposed_as_json,
    exposed_from_json,
    parse_devices,
    parse_info,
)
from wire.models import load_model
from wire.normalize import Normalized, normalize


def defined(*exposes: dict[str, Any], **about: Any) -> Definition:
    (definition,) = parse_devices(bridge_devices(device("d", *exposes, **about)))
    return definition


def read(
    body: Any,
    definition: Definition | None,
    *,
    kind: str = "gas",
    model: str = "",
    topic: str = "d",
    gas: str | None = None,
) -> Normalized:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    topic = f"zigbee2mqtt/{topic}"
    if definition is None:
        decoded = FORMATS["zigbee2mqtt"].parse(topic, payload, NOW)
    else:
        decoded = parse_defined(topic, payload, NOW, definition)
    return normalize(decoded, Device(model=model, kind=kind, gas=gas), NOW)


def stored(content: Normalized) -> dict[str, float]:
    return {reading.metric: round(reading.value, 9) for reading in content.readings}


def reasons(content: Normalized) -> list[str]:
    return [reject.reason for reject in content.rejects]


# --- quantities: the definition has the unit ---------------------------------------------------


@pytest.mark.parametrize(
    ("name", "unit", "sent", "metric", "value"),
    [
        ("pressure", "kPa", 101.3, "pressure_kpa", 101.3),
        ("pressure", "hPa", 1013, "pressure_kpa", 101.3),
        ("pressure", "Pa", 101_300, "pressure_kpa", 101.3),
        ("current", "A", 0.45, "current_a", 0.45),
        ("current", "mA", 450, "current_a", 0.45),
        ("power_factor", "%", 95, "power_factor", 0.95),
        ("power_factor", "", 0.95, "power_factor", 0.95),
        ("power_factor", "%", 1, "power_factor", 0.01),
        ("gas", "%LEL", 12.3, "ch4_pct_lel", 12.3),
        ("gas", "%LEL", 1, "ch4_pct_lel", 1),
        ("gas_value", "LEL", 12, "ch4_pct_lel", 12),
        ("gas_value", "LEL %", 12, "ch4_pct_lel", 12),
        ("gas_value", "ppm", 60, "gas_ppm", 60),
        ("gas_concentration", "% vol", 2, "ch4_pct_vol", 2),
        ("co", "ppm", 30, "co_ppm", 30),
        ("carbon_monoxide_value", "ppm", 30, "co_ppm", 30),
        ("energy", "Wh", 1200, "energy_kwh", 1.2),
        ("power", "kW", 1.2, "power_w", 1200),
        ("temperature", "°F", 212, "temperature_c", 100),
        ("liquid_depth", "m", 1.5, "water_level_cm", 150),
        ("water_level", "cm", 150, "water_level_cm", 150),
        ("power_reactive", "VAR", 7, "reactive_power_var", 7),
        ("leakage_current", "mA", 31, "leakage_ma", 31),
        ("ozone", "ppb", 40, "o3_ppm", 0.04),
        ("illuminance", "lx", 40, "illuminance_lx", 40),
        ("linkquality", "lqi", 200, "link_quality", 200),
    ],
)
def test_a_quantity_is_in_the_unit_of_its_definition(
    name: str, unit: str, sent: float, metric: str, value: float
) -> None:
    content = read({name: sent}, defined(numeric(name, unit)))
    assert (stored(content), content.rejects) == ({metric: value}, ())
    assert metric in METRICS


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("gas", "m³"),
        ("illuminance", "%"),
        ("humidity", ""),
        ("pressure", "x"),
        ("gas", "L"),
        ("gas_flow", "m³/h"),
    ],
)
def test_a_quantity_in_a_unit_of_something_else_is_none(name: str, unit: str) -> None:
    content = read({name: 1}, defined(numeric(name, unit)))
    assert (stored(content), content.rejects) == ({}, ())


def test_a_raw_number_of_gas_is_refused_unless_something_else_says_it() -> None:
    assert reasons(read({"gas_density": 3}, defined(numeric("gas_density")))) == [REASON_UNIT]
    beside = defined(numeric("gas_density"), binary("gas"))
    content = read({"gas_density": 3, "gas": False}, beside)
    assert (stored(content), content.rejects) == ({"gas_alarm": 0}, ())
    mass = defined(numeric("gas", "mg/m³"))
    assert reasons(read({"gas": 3}, mass)) == [REASON_UNIT]


@pytest.mark.parametrize(
    ("unit", "power", "more", "metric"),
    [
        ("V", "Mains (single phase)", (), "voltage_v"),
        ("V", "Battery", (), "battery_v"),
        ("mV", "Battery", (), "battery_v"),
        ("mV", "", (), "battery_v"),
        ("mV", "Mains (single phase)", (), "voltage_v"),
        ("mV", "Mains (single phase)", (numeric("battery", "%"),), "battery_v"),  # buffered
    ],
)
def test_a_voltage_is_the_batterys_or_the_mains(
    unit: str, power: str, more: tuple[dict[str, Any], ...], metric: str
) -> None:
    sent = 2900 if unit == "mV" else 2.9
    definition = defined(numeric("voltage", unit), *more, power=power)
    assert stored(read({"voltage": sent}, definition)) == {metric: 2.9}


def test_what_can_be_set_is_a_setting_and_no_reading() -> None:
    definition = defined(
        numeric("temperature", "°C", STATE | SET),
        numeric("gas", "%LEL", SET),
        binary("vibration", "ON", "OFF", STATE | SET),
        binary("gas_alarm", True, False, 7),
        numeric("humidity", "%", STATE | GET),
    )
    body = {"temperature": 21, "gas": 10, "vibration": "ON", "gas_alarm": True, "humidity": 40}
    assert stored(read(body, definition)) == {"humidity_pct": 40}


def test_of_several_sensors_of_one_gas_the_worst_counts() -> None:
    first = numeric("co", "ppm") | {"property": "co_l1", "endpoint": "l1"}
    second = numeric("co", "ppm") | {"property": "co_l2", "endpoint": "l2"}
    definition = defined(first, second)
    assert stored(read({"co_l1": 80, "co_l2": 3}, definition)) == {"co_ppm": 80}
    assert stored(read({"co_l1": 3, "co_l2": 80}, definition)) == {"co_ppm": 80}


def test_an_endpoint_is_read_by_the_definition_of_its_device() -> None:
    second = numeric("current", "mA") | {"property": "current_l2", "endpoint": "l2"}
    definition = defined(numeric("current", "A"), second)
    assert stored(read({"current": 450}, definition, topic="d/l2")) == {"current_a": 0.45}


# --- flags and words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exposed", "loud", "quiet", "metric"),
    [
        (binary("gas"), True, False, "gas_alarm"),
        (binary("gas_alarm_1"), True, False, "gas_alarm"),
        (binary("gas_alarm_2"), True, False, "gas_alarm"),
        (binary("carbon_monoxide", "ON", "OFF"), "ON", "OFF", "gas_alarm"),
        (binary("carbon_monoxide_alarm_1"), True, False, "gas_alarm"),
        (binary("carbon_monoxide_alarm_2"), True, False, "gas_alarm"),
        (enum("gas_sensor_state", "normal", "alarm"), "alarm", "normal", "gas_alarm"),
        (enum("co_state", "normal", "alarm"), "alarm", "normal", "gas_alarm"),
        (binary("water_leak"), True, False, "flooded"),
        (binary("water_leak_alarm_1"), True, False, "flooded"),
        (binary("water_leak_alarm_2"), True, False, "flooded"),
        (binary("water"), True, False, "flooded"),
        (binary("water_sensor"), True, False, "flooded"),
        (binary("channel_3_leak_detect", "Leak", "Dry"), "Leak", "Dry", "flooded"),
        (enum("water_leakage_state"), "water_leakage_yes", "water_leakage_no", "flooded"),
        (enum("liquid_state", "low", "normal", "high"), "high", "low", "flooded"),
        (binary("tilt"), True, False, "cover_open"),
        (binary("contact", False, True), False, True, "cover_open"),
        (binary("contact", True, False), False, True, "cover_open"),  # true is closed all the same
        (binary("contact_alarm_1"), True, False, "cover_open"),
        (binary("vibration"), True, False, "vibration"),
        (binary("occupancy"), True, False, "motion"),
        (binary("battery_low", "Low", "Normal"), "Low", "Normal", "battery_low"),
        (binary("tamper_alarm", "ON", "OFF"), "ON", "OFF", "tamper"),
        (binary("gas", 1, 0), 1, 0, "gas_alarm"),
        (binary("gas", "closed", "open"), "closed", "open", "gas_alarm"),
    ],
)
def test_an_alarm_is_known_by_any_name_and_in_its_own_words(
    exposed: dict[str, Any], loud: object, quiet: object, metric: str
) -> None:
    definition = defined(exposed)
    for said, value in ((loud, 1), (quiet, 0)):
        content = read({exposed["property"]: said}, definition)
        assert (stored(content), content.rejects) == ({metric: value}, ())


@pytest.mark.parametrize(
    ("exposed", "loud", "quiet"),
    [
        (binary("smoke"), True, False),
        (binary("sos"), True, False),
        (enum("water_warning", "none", "alarm"), "alarm", "none"),  # of plants that want water
        (enum("valve_abnormal_state"), "water_leakage,fail_safe", "normal"),
        (enum("link_available"), "gas_active", "inactive"),
        (enum("fault"), "fire_alarm", "clear"),
        (enum("action"), "emergency", "arm_day_zones"),
        (binary("device_overheated", "Alarm Active", "Normal"), "Alarm Active", "Normal"),
        (binary("fault_alarm"), True, False),
        (enum("gas_alarm"), "stage three", "normal"),
    ],
)
def test_an_alarm_of_something_else_is_refused_while_it_sounds(
    exposed: dict[str, Any], loud: object, quiet: object
) -> None:
    definition = defined(exposed)
    assert reasons(read({exposed["property"]: loud}, definition)) == [REASON_ALARM]
    assert reasons(read({exposed["property"]: quiet}, definition)) == []


def test_contact_in_words_is_refused_because_nobody_knows_which_is_open() -> None:
    definition = defined(binary("contact", "ON", "OFF"))
    assert reasons(read({"contact": "ON"}, definition, kind="manhole")) == [REASON_ALARM]
    assert reasons(read({"contact": "OFF"}, definition, kind="manhole")) == [REASON_ALARM]


@pytest.mark.parametrize("kind", ["gas", "manhole", "light"])
@pytest.mark.parametrize(
    ("exposed", "loud"),
    [
        (binary("alarm"), True),
        (binary("alarm_1"), True),
        (enum("alarm_state", "normal", "prealarm", "critical_alarm"), "critical_alarm"),
        (enum("alarm_status", "normal", "alarm"), "alarm"),
    ],
)
def test_the_alarm_of_a_gas_detector_is_of_gas_and_that_of_another_device_unclear(
    exposed: dict[str, Any], loud: object, kind: str
) -> None:
    content = read({exposed["property"]: loud}, defined(exposed), kind=kind)
    if kind == "gas":
        assert (stored(content), content.rejects) == ({"gas_alarm": 1}, ())
    else:
        assert (stored(content), reasons(content)) == ({}, [REASON_ALARM])
    assert reasons(read({exposed["property"]: "normal"}, defined(exposed), kind=kind)) == []


def test_a_detector_that_is_not_ready_says_nothing() -> None:
    content = read({"gas_sensor_state": "unknown"}, defined(enum("gas_sensor_state")))
    assert (stored(content), content.rejects) == ({}, ())


def test_the_state_of_a_light_is_its_lamp_and_that_of_anything_else_none() -> None:
    state = binary("state", "ON", "OFF", 7)
    assert stored(read({"state": "ON"}, defined(gathered("light", state)))) == {"lamp_on": 1}
    assert stored(read({"state": "OFF"}, defined(gathered("switch", state)))) == {"lamp_on": 0}
    lock = gathered("lock", binary("state", "LOCK", "UNLOCK", 7))
    assert read({"state": "LOCK"}, defined(lock)).rejects == ()
    ready = binary("state", "preparation", "work")
    assert stored(read({"state": "work"}, defined(ready))) == {}


def test_nested_names_and_single_attributes_are_found() -> None:
    definition = defined(composite("weather", numeric("rain", "mm")), binary("gas", "ON", "OFF"))
    assert "weather.rain" in (definition.exposed or {})
    assert stored(read(b"ON", definition, topic="d/gas")) == {"gas_alarm": 1}
    assert read({"weather": {"rain": 3}}, definition).rejects == ()


# --- a device model beside the definition ------------------------------------------------------


def test_the_definition_has_the_unit_whatever_the_model_says() -> None:
    definition = defined(numeric("gas_value", "ppm"), binary("gas"))
    body = {"gas_value": 60, "gas": False}
    content = read(body, definition, model="tuya-ts0601-gas")
    assert stored(content) == {"gas_ppm": 60, "gas_alarm": 0}
    assert content.rejects == ()
    methane = read(body, definition, model="tuya-ts0601-gas", gas="methane")
    assert stored(methane)["ch4_pct_lel"] == pytest.approx(0.12)


def test_a_model_of_switches_makes_no_alarm_of_a_number() -> None:
    definition = defined(numeric("gas", "%LEL"))
    for sent in (1, 12.3):
        content = read({"gas": sent}, definition, model="heiman-gas")
        assert (stored(content), content.rejects) == ({"ch4_pct_lel": sent}, ())


def test_a_model_has_the_first_word_on_what_a_value_is() -> None:
    definition = defined(enum("action", "tilt", "vibration"))
    content = read({"action": "tilt"}, definition, model="aqara-djt11lm", kind="manhole")
    assert stored(content) == {"vibration": 1}


def test_what_a_model_leaves_out_stays_out_but_for_a_gas_alarm() -> None:
    definition = defined(binary("vibration"), binary("gas"))
    assert load_model("aqara-djt11lm").knows("vibration")  # type: ignore[union-attr]
    content = read({"vibration": True, "gas": True}, definition, model="aqara-djt11lm")
    assert stored(content) == {"gas_alarm": 1}


def test_what_was_sent_is_kept_beside_what_it_means() -> None:
    definition = defined(binary("contact", False, True), binary("carbon_monoxide", "ON", "OFF"))
    content = read({"contact": False, "carbon_monoxide": "OFF"}, definition)
    assert [(r.metric, r.value, r.raw_value) for r in content.readings] == [
        ("cover_open", 1, False),
        ("gas_alarm", 0, "OFF"),
    ]
    pressure = read({"pressure": 1013}, defined(numeric("pressure", "hPa"))).readings[0]
    assert (pressure.raw_value, pressure.raw_unit) == (1013, "hPa")


def test_a_flag_where_the_definition_has_a_number_is_a_flag_all_the_same() -> None:
    content = read({"gas": True}, defined(numeric("gas", "%LEL")))
    assert (stored(content), content.rejects) == ({"gas_alarm": 1}, ())


# --- without a definition ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    cases(
        "without_a_definition_what_is_sure_is_taken.jsonl",
        body=dict[str, Any],
        expected=dict[str, Any],
    ),
)
def test_without_a_definition_what_is_sure_is_taken(
    body: dict[str, Any], expected: dict[str, float]
) -> None:
    content = read(body, None)
    assert (stored(content), content.rejects) == (expected, ())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"gas": 12.3}, REASON_UNIT), ({"gas": 1}, REASON_UNIT), ({"gas": 0}, REASON_UNIT),
        ({"gas_value": 60}, REASON_UNIT), ({"pressure": 101.3}, REASON_UNIT),
        ({"current": 450}, REASON_UNIT), ({"power_factor": 0.95}, REASON_UNIT),
        ({"liquid_depth": 1.2}, REASON_UNIT),
        ({"smoke": True}, REASON_ALARM), ({"some_alarm": "yes"}, REASON_ALARM),
        ({"current_device_status": "water_leakage"}, REASON_ALARM),
    ],
)  # fmt: skip
def test_without_a_definition_what_is_not_sure_is_refused_and_named(
    body: dict[str, Any], reason: str
) -> None:
    content = read(body, None)
    assert (stored(content), reasons(content)) == ({}, [reason])
    (name,) = body
    assert content.rejects[0].detail.startswith(f"{name}: ")
    assert content.message_class is MessageClass.INVALID


def test_settings_of_an_undefined_device_raise_nothing() -> None:
    body = {
        "gas_alarm_enable": True,
        "alarm_volume": "high",
        "alarm_ringtone": "melody_1",
        "sensitivity": "high",
        "tilt": 1,
        "switch_type": "toggle",
    }
    content = read(body, None)
    assert (stored(content), content.rejects) == ({}, ())


def test_a_value_that_a_definition_leaves_out_is_read_as_without_one() -> None:
    definition = defined(binary("tamper"))
    content = read({"tamper": False, "gas_alarm": True, "pressure": 101}, definition)
    assert stored(content) == {"tamper": 0, "gas_alarm": 1}
    assert reasons(content) == [REASON_UNIT]


def test_by_hand_the_answer_says_what_only_the_bridge_knows() -> None:
    body = json.dumps({"pressure": 101.3, "temperature": 20}).encode()
    result = decode_by_hand("zigbee2mqtt/d", body, received_at=NOW)
    assert (result["rejects"], len(result["warnings"])) == ([], 2)
    assert "bridge/devices" in result["warnings"][0]
    assert "pressure" in result["warnings"][1]
    assert [(r["metric"], r["stored"]) for r in result["readings"]] == [
        ("temperature_c", True),
        ("pressure", False),
    ]


def test_by_hand_a_message_with_nothing_else_in_it_is_refused_as_ingest_would() -> None:
    body = json.dumps({"gas": 12.3, "smoke": True}).encode()
    result = decode_by_hand("zigbee2mqtt/d", body, received_at=NOW)
    assert [r["reason"] for r in result["rejects"]] == [REASON_UNIT, REASON_ALARM]
    assert rejected_everything(result)


def test_by_hand_warnings_of_many_lines_are_told_once() -> None:
    body = json.dumps({"pressure": 101.3, "temperature": 20}).encode()
    one = decode_by_hand("zigbee2mqtt/d", body, received_at=NOW)
    many = decode_by_hand("zigbee2mqtt/d", body + b"\n" + body, received_at=NOW)
    assert many["warnings"] == one["warnings"]


# --- reading the list --------------------------------------------------------------------------


def test_a_list_is_read_without_its_coordinator_and_without_what_is_broken() -> None:
    good = device("良い / 1", numeric("gas", "%LEL"))
    half = good | {"ieee_address": "0x2", "definition": {"exposes": [7, {"type": []}]}}
    broken = [5, None, {}, {"ieee_address": "0x1"}, {"ieee_address": 7, "definition": []}, half]
    found = parse_devices(json.dumps([*broken, good]).encode())
    assert [item.name for item in found] == ["0x1", "良い / 1", "良い / 1"]
    assert [item.exposed for item in found][:2] == [None, {}]
    assert (found[-1].exposed or {})["gas"].unit == "%LEL"


@pytest.mark.parametrize(
    "exposes",
    [
        [numeric("a", "W", value_max=math.inf)],
        [binary("a", 10**400, -math.inf)],
        [numeric("a" * 10_000, "W" * 10_000)],
        [numeric(f"v{n}") for n in range(5_000)],
        [{"type": "composite", "property": "x", "features": [numeric("y")]}],
    ],
)
def test_what_no_definition_should_hold_is_cut_and_kept_small(exposes: list[Any]) -> None:
    entry = device("d", *exposes)
    (definition,) = parse_devices(json.dumps([entry]).encode())
    exposed = definition.exposed or {}
    assert 0 < len(exposed) <= VALUES_LIMIT
    assert max(map(len, exposed)) <= 128
    assert len(json.dumps(exposed_as_json(exposed))) < 100_000


def test_features_in_features_without_end_are_cut() -> None:
    nested = numeric("x")
    for _ in range(40):
        nested = composite("c", nested)
    assert len(defined(nested).exposed or {}) < 10


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b"5",
        b"null",
        b"[",
        b"\xff",
        b"",
        b"[" * 300_000,
        b" " * (LIST_LIMIT + 1),
        json.dumps([{}] * (DEVICES_LIMIT + 1)).encode(),
    ],
)
def test_what_is_no_list_is_refused(payload: bytes) -> None:
    with pytest.raises(Refused):
        parse_devices(payload)


def test_the_list_may_be_larger_than_any_other_message() -> None:
    many = [device(f"n{n}", *(numeric(f"v{k}", "W") for k in range(40))) for n in range(200)]
    payload = bridge_devices(*many)
    assert len(payload) > 2 * PAYLOAD_LIMIT
    assert len(parse_devices(payload)) == 200


def test_a_definition_comes_back_from_the_database_as_it_was() -> None:
    definition = defined(
        numeric("a", "W", 7),
        binary("b", False, True),
        enum("c", "x"),
        gathered("light", binary("state", "ON", "OFF", 7)),
        {"property": "t"},
    )
    exposed = definition.exposed or {}
    kept = json.loads(json.dumps(exposed_as_json(exposed)))
    assert exposed_from_json(kept) == exposed
    kept["a"]["added later"] = 1
    assert exposed_from_json(kept) == exposed


def test_the_versions_are_read_where_they_are_told() -> None:
    new = {"version": "2.7.1", "zigbee_herdsman_converters": {"version": "25.9.0"}, "config": {}}
    assert parse_info(json.dumps(new).encode()).converters == "25.9.0"
    old = parse_info(b'{"version": "1.40.0", "permit_join": false}')
    assert (old.version, old.converters) == ("1.40.0", "")


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("zigbee2mqtt/bridge/devices", ("", "bridge/devices")),
        ("zigbee2mqtt/bridge/response/device/rename", ("", "bridge/response/device/rename")),
        ("zigbee2mqtt/east/bridge/info", ("east", "bridge/info")),
        ("feed/zigbee2mqtt/z2m/yard/bridge/devices", ("z2m/yard", "bridge/devices")),
        ("zigbee2mqtt/bridge", ("", "")),
        ("zigbee2mqtt/yard/bridge/temperature", ("", "")),  # a lamp on a bridge
        ("zigbee2mqtt/lamp", ("", "")),
    ],
)
def test_a_bridge_is_known_by_the_levels_before_it(topic: str, expected: tuple[str, str]) -> None:
    assert bridge_topic(topic) == expected
