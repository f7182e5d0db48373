"""A gas alarm is one, whatever format brings it and whatever model its device was given."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from city.reading import REASON_ALARM, REASON_FIELD, REASON_METRIC_UNKNOWN, Reading
from tests.tables import cases
from tests.unit.wire.corpus import NOW
from tests.unit.wire.test_model_keys import HEAD, raw
from wire import FORMATS
from wire.alarm_words import Said, gas_alarm, word
from wire.models import model_names, parse_model
from wire.normalize import Normalized, normalize
from wire.translate import translate

UP = "application/1/device/24e1000000000001/event/up"
LORA = {"deviceInfo": {"devEui": "24e1000000000001"}, "fCnt": 1, "fPort": 85}
# One message of each kind of format in which a gas detector says that it is in alarm.
ALARMS: dict[str, tuple[str, str, Any]] = {
    "the words of a LoRaWAN decoder": (
        "chirpstack",
        UP,
        LORA | {"object": {"gasAlarm": True, "battery": 80}},
    ),
    "the decoder's words beside bytes": (
        "chirpstack",
        UP,
        LORA | {"object": {"CH4_ALARM": "alarm"}, "data": "AXVkA2cQAQ=="},
    ),
    "the flag of Zigbee2MQTT": (
        "zigbee2mqtt",
        "zigbee2mqtt/d",
        {"gas": True, "gas_density": 9, "linkquality": 87},
    ),
    "the second name of it": (
        "zigbee2mqtt",
        "zigbee2mqtt/d",
        {"gas_alarm_2": True, "gas_alarm_1": False},
    ),
    "carbon monoxide that says ON": ("zigbee2mqtt", "zigbee2mqtt/d", {"carbon_monoxide": "ON"}),
    "one attribute": ("zigbee2mqtt", "zigbee2mqtt/d/gas", b"true"),
    "the state of a Shelly": ("shelly", "shellies/shellygas-0a1b2c/sensor/gas", b"heavy"),
    "a platform": (
        "thingsboard",
        "v1/gateway/telemetry",
        {"gas-1": [{"ts": 1772600767000, "values": {"gas_leak_detected": 1}}]},
    ),
    "SenML": ("senml", "feed/senml/gas-1", [{"n": "gas_alarm", "vb": True}]),
}


@dataclass(frozen=True)
class Device:
    model: str = ""
    kind: str = "gas"
    code: str = "GD-1"
    district: str = "460107"
    gas: str | None = None
    lon: float | None = None
    lat: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


def judged(format_name: str, topic: str, body: Any, device: Device) -> Normalized:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    decoded = FORMATS[format_name].parse(topic, payload, NOW)
    (part,) = decoded.parts or (decoded,)
    return normalize(part, device, NOW)


def alarms(content: Normalized) -> list[Reading]:
    return [reading for reading in content.readings if reading.metric == "gas_alarm"]


@pytest.mark.parametrize("message", ALARMS.values(), ids=ALARMS)
def test_no_choice_of_model_loses_a_gas_alarm(message: tuple[str, str, Any]) -> None:
    for model in ["", "no-such-model", *sorted(model_names())]:
        content = judged(*message, Device(model=model))
        assert [alarm.value for alarm in alarms(content)] == [1], model


def test_the_end_of_an_alarm_is_seen_as_well() -> None:
    content = judged("chirpstack", UP, LORA | {"object": {"gasAlarm": False}}, Device())
    assert [alarm.value for alarm in alarms(content)] == [0]


def test_a_model_that_knows_none_of_the_values_is_refused_beside_the_alarm() -> None:
    state = {"gas": True, "linkquality": 87}
    wrong = Device(model="aqara-jt-bz-01aq")  # the same detector, behind another gateway
    content = judged("zigbee2mqtt", "zigbee2mqtt/d", state, wrong)
    assert [alarm.value for alarm in alarms(content)] == [1]
    assert [reject.reason for reject in content.rejects] == [REASON_METRIC_UNKNOWN]
    right = judged("zigbee2mqtt", "zigbee2mqtt/d", state, Device(model="heiman-gas"))
    assert right.rejects == ()


@pytest.mark.parametrize("model", ["aqara-jt-bz-01aq", "tasmota", "shelly", "zigbee2mqtt"])
def test_a_model_that_ignores_the_rest_of_another_format_hides_nothing(model: str) -> None:
    body = LORA | {"object": {"pm2_5": 3, "note": "x"}}
    content = judged("chirpstack", UP, body, Device(model=model))
    assert [reject.reason for reject in content.rejects] == [REASON_METRIC_UNKNOWN]


def test_numbers_of_a_xiaomi_gateway_without_a_model_are_refused_and_with_it_read() -> None:
    for model, values, reasons in (
        ("", [], [REASON_METRIC_UNKNOWN]),
        ("aqara-jt-bz-01aq", [1], []),
    ):
        body = {"did": "lumi.1", "mi_spec": [{"siid": 2, "piid": 1, "value": 1}], "cmd": "report"}
        content = judged("xiaomi-gw3", "zigbee/send", body, Device(model=model))
        assert [alarm.value for alarm in alarms(content)] == values
        assert [reject.reason for reject in content.rejects] == reasons


def test_what_a_model_says_of_its_own_names_stands() -> None:
    rule = 'names = ["gas_alarm"]\nmetric = "tamper"'
    model = parse_model("m", f"{HEAD}[[field]]\n{rule}")
    found = translate("d", [raw("gas_alarm", True)], model, None)
    assert [(r.metric, r.value) for r in found.readings] == [("tamper", 1)]
    silent = parse_model("m", f'{HEAD}[[field]]\n{rule}\nsentinels = ["test"]')
    assert translate("d", [raw("gas_alarm", "test")], silent, None).readings == ()


def test_a_rule_that_cannot_read_the_alarm_does_not_swallow_it() -> None:
    model = parse_model("m", f'{HEAD}[[field]]\nnames = ["gas"]\nmetric = "ch4_pct_lel"')
    found = translate("d", [raw("gas", True)], model, None)
    assert [(r.metric, r.value) for r in found.readings] == [("gas_alarm", 1)]
    assert translate("d", [raw("gas", 12.3)], model, None).readings[0].metric == "ch4_pct_lel"


def test_a_quantity_in_a_unit_is_no_alarm() -> None:
    model = parse_model("m", f'{HEAD}[[field]]\nnames = ["gas"]\nmetric = "gas_alarm"')
    for value in (1.0, 12.3):
        found = translate("d", [raw("gas", value, "%LEL")], model, None)
        assert (found.readings, [r.reason for r in found.rejects]) == ((), [REASON_FIELD])
    assert translate("d", [raw("gas", 1.0)], model, None).readings[0].value == 1


def test_of_two_alarms_the_one_that_sounds_counts_in_any_order() -> None:
    quiet, loud = raw("gas", False), raw("co_alarm", True)
    model = parse_model("m", f'{HEAD}[[field]]\nnames = ["gas", "x"]\nmetric = "gas_alarm"')
    for values in ([quiet, loud], [loud, quiet]):
        for chosen in (model, None):
            found = translate("d", values, chosen, None)
            assert [r.value for r in found.readings] == [1]


@pytest.mark.parametrize(
    ("name", "value"), cases("these_are_gas_alarms.jsonl", name=str, value=object)
)
def test_these_are_gas_alarms(name: str, value: float | bool | str) -> None:
    assert gas_alarm(name, value) is Said.ALARM


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gas", False),
        ("gas_alarm", "normal"),
        ("gas_alarm", 0.0),
        ("gas", "no_alarm"),
        ("co_state", "clear"),
        ("gas_alarm", "alarm_cleared"),
        ("燃气报警", "正常"),
    ],
)
def test_these_say_that_all_is_well(name: str, value: float | bool | str) -> None:
    assert gas_alarm(name, value) is Said.QUIET


@pytest.mark.parametrize(
    ("name", "value"), cases("these_are_no_gas_alarms.jsonl", name=str, value=object)
)
def test_these_are_no_gas_alarms(name: str, value: float | bool | str) -> None:
    assert gas_alarm(name, value) is not Said.ALARM


@pytest.mark.parametrize(
    ("name", "value"),
    [("co_alarm", 2.0), ("co_alarm", "stage 2"), ("has_gas", True), ("gas_fault_alarm", True)],
)
def test_what_may_be_an_alarm_and_nobody_can_tell_is_refused(
    name: str, value: float | bool | str
) -> None:
    assert gas_alarm(name, value) is Said.UNCLEAR
    content = judged(
        "chirpstack", UP, LORA | {"object": {name: value, "battery_pct": 80}}, Device()
    )
    assert [reject.reason for reject in content.rejects] == [REASON_ALARM]
    assert repr(value)[:5] in content.rejects[0].detail


def test_a_model_that_names_a_value_as_no_reading_is_believed_where_it_is_unclear() -> None:
    model = parse_model("m", f'{HEAD}ignore = ["gas_alarm"]')
    unclear = translate("d", [raw("gas_alarm", 2.0)], model, None)
    assert (unclear.unclear, unclear.readings) == ((), ())
    sure = translate("d", [raw("gas_alarm", True)], model, None)
    assert [r.value for r in sure.readings] == [1]


def test_a_calm_word_beside_a_loud_one_calms_nobody() -> None:
    assert word("water_leakage,fail_safe") is Said.ALARM
    assert word("safe") is Said.QUIET


def test_a_long_name_is_searched_no_further_than_names_go() -> None:
    assert gas_alarm("x" * 200_000 + "_gas", True) is Said.NOTHING
