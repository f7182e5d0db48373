"""What the keys of a model file make of values: batteries, flags, words, conditions, units."""

from __future__ import annotations

import itertools

import pytest

from city.reading import (
    METRICS,
    REASON_FIELD,
    REASON_RANGE,
    Quality,
    RawValue,
    Reading,
    TimeSource,
)
from tests.unit.wire.corpus import NOW
from wire.models import load_model, parse_model
from wire.translate import Translated, translate
from wire.units import EXPLOSIVE_LIMITS, convert

HEAD = 'title = "m"\nkind = "any"\ninterval_s = 60\n'


def read(field: str, *values: RawValue, gas: str | None = None) -> Translated:
    return translate("d", values, parse_model("m", f"{HEAD}[[field]]\n{field}"), gas)


def raw(name: str, value: float | bool | str, unit: str = "") -> RawValue:
    return RawValue(name, value, NOW, TimeSource.SERVER, unit, value)


def numbers(found: Translated) -> list[float]:
    return [reading.value for reading in found.readings]


@pytest.mark.parametrize(
    ("field", "sent", "unit", "expected"),
    [
        ('names = ["b"]\nmetric = "battery_pct"', 87, "", 87),
        ('names = ["b"]\nmetric = "battery_v"', 3.6, "V", 3.6),
        ('names = ["b"]\nmetric = "battery_v"\nunit = "mV"', 3600, "", 3.6),
        ('names = ["b"]\nmetric = "battery_pct"\nunit = "/"', 0.75, "", 75),
        ('names = ["b"]\nmetric = "battery_pct"\nscale = 0.3937007874', 254, "", 100),
        ('names = ["b"]\nmetric = "battery_low"', True, "", 1),
        ('names = ["b"]\nmetric = "battery_low"\ninvert = true', True, "", 0),
        ('names = ["b"]\nmetric = "battery_low"\ninvert = true', 0, "", 1),
        ('names = ["b"]\nmetric = "battery_low"\nvalues = { LOW = 1, OK = 0 }', "low", "", 1),
        ('names = ["b"]\nmetric = "battery_low"\nvalues = { "3" = 0, "0" = 1 }', 3.0, "", 0),
        ('names = ["b"]\nmetric = "battery_pct"\nscale = 33.33333333', 3, "", 100),
        ('names = ["b"]\nmetric = "battery_pct"\nvalues = { HEALTHY = 100 }', "HEALTHY", "", 100),
    ],
)
def test_every_form_in_which_batteries_are_reported(
    field: str, sent: float | bool | str, unit: str, expected: float
) -> None:
    assert numbers(read(field, raw("b", sent, unit))) == [pytest.approx(expected, abs=1e-6)]


@pytest.mark.parametrize(
    ("words", "sent", "expected"),
    [
        ("ON = 1, OFF = 0", "OFF", [0]),
        ("OPEN = 1, CLOSE = 0", " open ", [1]),
        ("H = 1, L = 0", "l", [0]),
        ("true = 0, false = 1", False, [1]),
        ('"1" = 0, "2" = 1', 2, [1]),
    ],
)
def test_states_in_words_and_codes(words: str, sent: bool | str, expected: list[float]) -> None:
    field = f'names = ["s"]\nmetric = "cover_open"\nvalues = {{ {words} }}'
    assert numbers(read(field, raw("s", sent))) == expected


def test_a_listed_value_is_the_reading_itself_and_is_neither_scaled_nor_converted() -> None:
    field = 'names = ["d"]\nmetric = "distance_mm"\nunit = "cm"\nvalues = { full = 40 }'
    assert numbers(read(field, raw("d", "full"), raw("d", 12))) == [40]
    assert numbers(read(field, raw("d", 12))) == [120]


def test_a_truth_value_is_never_a_measurement() -> None:
    found = read('names = ["d"]\nmetric = "distance_mm"', raw("d", True))
    assert [reject.reason for reject in found.rejects] == [REASON_FIELD]


def test_a_word_or_a_number_that_means_no_measurement_is_no_rejection() -> None:
    field = 'names = ["g"]\nmetric = "nh3_ppm"\nsentinels = [655.35, "Polarizing"]'
    for sent in (655.35, "polarizing ", ""):
        found = read(field, raw("g", sent))
        assert (found.readings, found.rejects, found.known) == ((), (), True)
    assert numbers(read(field, raw("g", 65.0))) == [65]
    assert read(field, raw("g", "broken")).rejects


VALID = 'names = ["d"]\nmetric = "distance_mm"\nunless = { Valid = ["False", "no"], code = "4" }'


def test_a_value_does_not_count_while_another_of_its_message_says_so() -> None:
    assert numbers(read(VALID, raw("d", 5), raw("valid", True))) == [5]
    assert numbers(read(VALID, raw("d", 0), raw("valid", False))) == []
    assert numbers(read(VALID, raw("d", 0), raw("VALID", "NO "))) == []
    assert numbers(read(VALID, raw("d", 0), raw("code", 4.0))) == []
    assert numbers(read(VALID, raw("d", 5))) == [5]


def test_a_condition_is_asked_of_the_same_point_in_time() -> None:
    earlier = RawValue("valid", False, NOW.replace(year=2020), TimeSource.DEVICE)
    assert numbers(read(VALID, raw("d", 5), earlier)) == [5]


def test_a_value_that_is_not_to_be_trusted_is_marked() -> None:
    field = 'names = ["g"]\nmetric = "gas_alarm"\nsuspect_if = { preheat = "true" }'
    warm = read(field, raw("g", True), raw("preheat", True)).readings[0]
    assert (warm.value, warm.quality) == (1, Quality.SUSPECT)
    assert read(field, raw("g", True), raw("preheat", False)).readings[0].quality is Quality.GOOD


def test_an_alarm_that_contradicts_its_value_stands_beside_it() -> None:
    model = load_model("tuya-ts0601-gas")
    found = translate("d", [raw("gas", True), raw("gas_value", 0)], model, "methane")
    assert {r.metric: r.value for r in found.readings} == {"gas_alarm": 1, "ch4_pct_lel": 0}


def stored(model: str, **values: float | bool | str) -> dict[str, float]:
    found = translate("d", [raw(n, v) for n, v in values.items()], load_model(model), None)
    assert found.rejects == ()
    return {reading.metric: reading.value for reading in found.readings}


def test_the_bytes_of_one_device_under_the_names_of_two_codecs_are_the_same_readings() -> None:
    first = {"level": 1700, "full": False, "motion": True, "battery": False, "angle": 5}
    second = {
        "level": 1700,
        "alarmLevel": False,
        "alarmFall": True,
        "alarmBattery": False,
        "angle": 5,
    }
    assert (
        stored("dingtek-dc410", **first)
        == stored("dingtek-dc413", **second)
        == {
            "distance_mm": 1700,
            "flooded": 0,
            "cover_open": 1,
            "battery_low": 0,
            "tilt_deg": 5,
        }
    )


@pytest.mark.parametrize("name", ["depth", "water_level", "waterLevel", "level"])
def test_one_level_under_four_names(name: str) -> None:
    assert stored("milesight-em500-swl", **{name: 42}) == {"water_level_cm": 42}


def test_probes_that_are_missing_and_echoes_that_did_not_come_are_no_readings() -> None:
    assert stored("dragino-ldds75", Distance="No Sensor", TempC_DS18B20=-0.1, BatV=3.6) == {
        "battery_v": 3.6,
    }
    assert stored("milesight-em410-rdl", distance=-1, distance_exception="no target") == {}
    assert stored("milesight-em410-rdl", distance=200, distance_exception="no target") == {}
    assert stored("teneo-filling-degree", distance=0, valid=False, battery=3.3) == {
        "battery_v": 3.3,
    }
    assert stored("shelly-gas", **{"concentration.ppm": -1, "gas_sensor.alarm_state": "none"}) == {
        "gas_alarm": 0,
    }
    assert stored("netvox-r72615", CO="NoSensor", H2S=0.4) == {"h2s_ppm": 0.4}


def test_a_lamp_controller_with_three_spellings() -> None:
    for name in ("switch_3", "switch3", "switch_status_3"):
        assert stored("milesight-ws558", **{name: "on", "switch_1": "off"}) == {"lamp_on": 1}
    assert stored("milesight-ws558", power_factor=98, power_consumption=1500) == {
        "power_factor": 0.98,
        "energy_kwh": 1.5,
    }


EXACT = [
    (928, "mm", "water_level_cm", 92.8), (0.928, "m", "distance_mm", 928),
    (10, "in", "distance_mm", 254), (1, "ft", "water_level_cm", 30.48),
    (3, "mV", "battery_v", 0.003), (350, "mA", "current_a", 0.35), (1, "kW", "power_w", 1000),
    (1.5, "kVA", "apparent_power_va", 1500), (39.73, "kvar", "reactive_power_var", 39730),
    (1500, "Wh", "energy_kwh", 1.5), (90, "Wmin", "energy_kwh", 0.0015),
    (1, "bar", "pressure_kpa", 100), (1013, "hPa", "pressure_kpa", 101.3),
    (20, "ppb", "o3_ppm", 0.02), (0.5, "%vol", "gas_ppm", 5000), (500, "ppm", "ch4_pct_vol", 0.05),
    (98, "%", "power_factor", 0.98), (0.4, "/", "dim_pct", 40), (50, "%RH", "humidity_pct", 50),
    (212, "°F", "temperature_c", 100), (273.15, "K", "temperature_c", 0),
    (9.80665, "m/s2", "acceleration_g", 1), (5400, "s", "operating_h", 1.5),
    (90, "%EL", "battery_pct", 90), (7, "", "co_ppm", 7),
]  # fmt: skip


@pytest.mark.parametrize(("value", "unit", "metric", "expected"), EXACT)
def test_units_convert_exactly(value: float, unit: str, metric: str, expected: float) -> None:
    assert convert(value, unit, METRICS[metric], None) == expected


@pytest.mark.parametrize(
    ("unit", "metric"),
    [
        ("mg/m3", "co_ppm"),
        ("V", "battery_pct"),
        ("mm", "fill_pct"),
        ("°", "temperature_c"),
        ("%LEL", "o2_pct_vol"),
        ("%LEL", "co_ppm"),
        ("furlong", "distance_mm"),
    ],
)
@pytest.mark.parametrize("gas", [None, "methane"])
def test_what_a_unit_alone_does_not_tell_is_not_converted(
    unit: str, metric: str, gas: str | None
) -> None:
    assert convert(1, unit, METRICS[metric], gas) is None


@pytest.mark.parametrize("gas", EXPLOSIVE_LIMITS)
def test_percent_of_the_explosive_limit_goes_both_ways_for_a_known_gas(gas: str) -> None:
    limit = EXPLOSIVE_LIMITS[gas]
    assert limit.norm
    assert convert(limit.pct_vol, "%vol", METRICS["ch4_pct_lel"], gas) == 100
    assert convert(limit.pct_vol * 10_000, "ppm", METRICS["ch4_pct_lel"], gas) == 100
    assert convert(100, "%LEL", METRICS["ch4_pct_vol"], gas) == limit.pct_vol
    assert convert(50, "%LEL", METRICS["gas_ppm"], gas) == limit.pct_vol * 5000


@pytest.mark.parametrize("gas", [None, "", "hydrogen"])
def test_percent_of_the_explosive_limit_of_an_unknown_gas_is_not_converted(
    gas: str | None,
) -> None:
    assert convert(1, "%vol", METRICS["ch4_pct_lel"], gas) is None
    assert convert(1, "%LEL", METRICS["gas_ppm"], gas) is None
    found = read('names = ["g"]\nmetric = "gas_ppm"\nunit = "%LEL"', raw("g", 5), gas=gas)
    assert "without knowing the gas" in found.rejects[0].detail


def test_what_cannot_be_converted_keeps_the_message_short() -> None:
    found = read('names = ["c"]\nmetric = "co_ppm"', raw("c", 20, "mg/m3"))
    assert found.rejects[0].detail == "c: mg/m3 cannot become ppm"


def test_a_range_of_the_model_holds_after_conversion_and_inversion() -> None:
    field = 'names = ["d"]\nmetric = "distance_mm"\nunit = "m"\nhigh = 8000'
    assert numbers(read(field, raw("d", 8))) == [8000]
    assert read(field, raw("d", 8.1)).rejects[0].reason == REASON_RANGE
    flag = 'names = ["f"]\nmetric = "battery_low"\ninvert = true'
    assert read(flag, raw("f", 3)).rejects[0].reason == REASON_RANGE


def test_raw_name_value_and_unit_stay_with_a_converted_reading() -> None:
    (reading,) = read('names = ["D"]\nmetric = "distance_mm"', raw("D", 1.7, "m")).readings
    assert isinstance(reading, Reading)
    assert (reading.value, reading.raw_name, reading.raw_value, reading.raw_unit) == (
        1700,
        "D",
        1.7,
        "m",
    )


def test_no_factor_of_the_table_contradicts_another() -> None:
    metrics = [METRICS[name] for name in ("water_level_cm", "distance_mm")]
    for unit, metric in itertools.product(("mm", "cm", "dm", "m", "in", "ft"), metrics):
        assert convert(1, unit, metric, None) is not None
    for unit in ("mm", "cm", "dm", "m", "in", "ft"):
        in_cm = convert(1, unit, metrics[0], None)
        in_mm = convert(1, unit, metrics[1], None)
        assert in_cm is not None
        assert in_mm == pytest.approx(in_cm * 10)
