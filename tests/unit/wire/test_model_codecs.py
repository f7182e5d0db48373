"""Our codecs on frames of our own making: what they read, what they leave out, what they refuse."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from tests.unit.wire.corpus import NOW
from wire.lorawan.codec import CodecCall, CodecFailed, CodecOutput, run_codecs
from wire.models import load_model, model_names

CODECS = {
    name: model.codec
    for name in sorted(model_names())
    if (model := load_model(name)) and model.codec
}
# Ports that the codecs of single-port devices know, and one that nobody uses.
PORTS = (1, 2, 3, 6, 7, 15, 50, 85, 199, None)
ENGINE_ERROR = re.compile(r"(Type|Reference|Range|Syntax|Internal)Error|memory|ran longer")
FOREIGN = ("", "aa", "aa55deadbe", "00000000000000000000000000", "ee" * 21)


def result(model: str, frame: str, port: int | None) -> CodecOutput | CodecFailed:
    return run_codecs([CodecCall(CODECS[model], bytes.fromhex(frame), port, NOW)])[0]


def data(model: str, frame: str, port: int | None = 1) -> dict[str, Any]:
    found = result(model, frame, port)
    assert isinstance(found, CodecOutput), found
    return found.data


def refusal(model: str, frame: str, port: int | None = 1) -> str:
    found = result(model, frame, port)
    assert isinstance(found, CodecFailed), found
    assert not ENGINE_ERROR.search(str(found)), found
    return str(found)


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_refuses_foreign_bytes_in_words(name: str) -> None:
    for frame in FOREIGN:
        refusal(name, frame, 199)


@pytest.mark.parametrize("name", CODECS)
def test_no_bytes_make_a_codec_fail_instead_of_refusing(name: str) -> None:
    dice = random.Random(name)
    calls = [
        CodecCall(CODECS[name], dice.randbytes(dice.randrange(64)), dice.choice(PORTS), NOW)
        for _ in range(300)
    ]
    for found in run_codecs(calls):
        assert isinstance(found, CodecOutput) or not ENGINE_ERROR.search(str(found)), found


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_of_ours_keeps_its_engine(name: str) -> None:
    assert not re.search(r"prototype(?!\.\w+\.call)|defineProp|\beval\b", CODECS[name])


def test_milesight_distance_sensors() -> None:
    assert data("milesight-em400", "01755a0367f6ff0482e803050000") == {
        "battery": 90,
        "temperature": -1,
        "distance": 1000,
        "position": "normal",
    }
    cut = result("milesight-em400", "01755a0482e8", 85)
    assert isinstance(cut, CodecOutput)
    assert (cut.data, cut.warnings) == ({"battery": 90}, ("unknown or cut channel 4/130",))
    located = data("milesight-em400", "0688" + "40420f00" + "80841e00" + "00")
    assert located == {"longitude": 1.0, "latitude": 2.0}


def test_the_radar_sensor_says_what_hinders_it_and_keeps_stored_points_apart() -> None:
    assert data("milesight-em410-rdl", "b482ffff02") == {
        "distance": -1,
        "distance_exception": "no target",
    }
    stored = data("milesight-em410-rdl", "20ce" + "00e40b54" + "e803" + "fa00" + "0000" + "40")
    assert stored["history"] == [
        {
            "timestamp": 1410065408,
            "distance": 1000,
            "temperature": 25,
            "distance_mutation": 0,
            "position": "tilt",
        },
    ]
    assert data("milesight-em410-rdl", "9482" + "d007" + "6400" + "02") == {
        "distance": 2000,
        "distance_mutation": 100,
        "distance_alarm": "mutation",
    }


def test_the_tilt_sensor_with_the_alarm_bit_inside_the_angle() -> None:
    found = data("milesight-em320-tilt", "017564" + "03d4" + "d107" + "30f8" + "5046")
    assert found == {
        "battery": 100,
        "angle_x": 10,
        "angle_y": -10,
        "angle_z": 90,
        "threshold_x": "trigger",
        "threshold_y": "normal",
        "threshold_z": "normal",
    }


def test_a_gas_cell_that_warms_up_or_is_broken_says_so_in_place_of_a_number() -> None:
    assert data("milesight-gs301", "047dfeff" + "057dffff" + "067d0a00") == {
        "nh3": "polarizing",
        "h2s": 0.01,
    }
    assert data("atomsenses-as204", "077d9001" + "087dffff" + "097d3200") == {
        "co2": 400,
        "nh3": "device error",
        "h2s": 0.5,
    }


def test_the_submersible_sensor_and_its_stored_points() -> None:
    found = data("milesight-em500-swl", "037767002" + "0ce" + "01000065" + "3200")
    assert found == {"depth": 103, "history": [{"timestamp": 0x65000001, "depth": 50}]}


def test_netvox_reports_of_every_kind() -> None:
    gases = data("netvox-r72615", "0109059a000affff000100", 6)
    assert gases == {
        "Device": "R726Series",
        "Volt": 2.6,
        "LowBattery": True,
        "O3": 1,
        "CO": "NoSensor",
        "NO": 0.1,
    }
    weather = data("netvox-r72615", "01050c24f63c1388006400", 6)
    assert (weather["Temperature"], weather["Humidity"], weather["WindSpeed"]) == (-25, 50, 1)
    assert data("netvox-r72615", "01050d24005a00018a8800", 6)["Atomsphere"] == 1010
    assert data("netvox-r718ea", "01c80124fff6000a038400", 6) == {
        "Device": "R718EB",
        "Volt": 3.6,
        "AngleX": -1,
        "AngleY": 1,
        "AngleZ": 90,
    }
    assert data("netvox-r718ea", "019a000a0120170503000000"[:22], 6)["Datecode"] == "20170503"
    assert data("netvox-r718x", "013401240103e800fa320a", 6) == {
        "Device": "R718X",
        "Volt": 3.6,
        "Status": "ON",
        "Distance": 1000,
        "FillLevel": 50,
        "Temp": 25,
        "AngleOfInclination": 10,
    }
    assert "not a frame of this sensor" in refusal("netvox-r718x", "010101240103e800fa320a", 6)
    assert "report type" in refusal("netvox-r72615", "01096324000000000000" + "00", 6)


def test_dingtek_packets_are_checked_before_they_are_read() -> None:
    heartbeat = "80000102110bb800f60005100100070081"
    assert data("dingtek-dc410", heartbeat, 3) == {
        "level": "3000 mm",
        "full": True,
        "motion": False,
        "battery": True,
        "angle": "5 °",
        "temperature": "-10 ℃",
        "frame_counter": 7,
    }
    assert data("dingtek-dc413", heartbeat, 3)["angle"] == 5
    assert data("dingtek-dc413", heartbeat.replace("f60005", "f60105"), 3)["angle"] == -5
    refusal("dingtek-dc413", heartbeat, 4)
    refusal("dingtek-dc413", heartbeat[:-2] + "80", 3)
    refusal("dingtek-dc413", heartbeat.replace("0211", "0212"), 3)


def test_a_distance_without_an_echo_is_told_in_words_or_left_out() -> None:
    assert data("dragino-ldds75", "0d1000000000fa01", 2)["Distance"] == "No Sensor"
    assert data("dragino-ldds75", "0d10001400ffff00", 2)["Distance"] == "Invalid Reading"
    assert data("dragino-ldds75", "0d1003e800", 2) == {
        "BatV": 3.344,
        "Distance": "1000 mm",
        "Interrupt_status": 0,
    }
    pipe = data("pipiot-levelsense", "300600000000" + "0001" + "e8" + "b4" + "00" + "00")
    assert not {"ultrasonicDistanceExt", "laserDistanceExt", "tiltAngle", "batteryVoltage"} & {
        *pipe
    }
    assert (pipe["temperature"], pipe["laserHWErrorFlag"]) == (-24, True)
    assert data("teneo-filling-degree", "0a000004")["distance"] == -1
    assert data("teneo-filling-degree", "0a0064" + "ff38" + "1388")["temperature"] == -2
    assert data("teneo-filling-degree", "0a", 3)["charging"] is True


def test_the_radar_sensor_whose_unit_travels_in_the_frame() -> None:
    assert data("vegapuls-air41", "020042c80000315000d105")["distance"] == 0.1
    assert data("vegapuls-air41", "020040000000" + "2c" + "5000d105")["distance"] == 0.6096
    fahrenheit = data("vegapuls-air41", "0840000000" + "2d" + "50" + "02a8" + "21" + "05")
    assert (fahrenheit["temperature"], fahrenheit["battery"]) == (20, 80)
    odd = result("vegapuls-air41", "020040000000995000d105", 1)
    assert isinstance(odd, CodecOutput)
    assert odd.warnings == ("unknown unit of distance 153",)
    refusal("vegapuls-air41", "020040000000")
    refusal("vegapuls-air41", "0200400000002d5000d10500")


def test_decentlab_frames_have_the_length_that_their_flags_say() -> None:
    assert data("decentlab-dl-lid", "0200010002" + "0c1c") == {
        "protocol_version": 2,
        "device_id": 1,
        "battery_voltage": 3.1,
    }
    refusal("decentlab-dl-lid", "0200010003" + "0c1c")
    refusal("decentlab-dl-lp8p", "0200010004" + "0c1c")
    climate = data("decentlab-dl-lp8p", "0200010003" + "6666" + "7ae1" + "1b58" + "c350")
    assert climate["air_temperature"] == pytest.approx(23.4, abs=0.05)
    assert (climate["barometer_temperature"], climate["barometric_pressure"]) == (20, 100_000)


def test_elsys_values_of_many_kinds_and_a_frame_of_settings() -> None:
    found = data("elsys-elt", "01ff9c" + "0c00fa" + "1201" + "070e10" + "03ff0140", 5)
    assert found == {
        "temperature": -10,
        "externalTemperature": 25,
        "waterleak": 1,
        "vdd": 3600,
        "x": -1,
        "y": 1,
        "z": 64,
    }
    assert data("elsys-elt", "3e01", 6) == {"settings": True}
    placed = data("elsys-elt", "09" + "07a120" + "f85ee0" + "100064ff9c" + "151e0a")
    assert (placed["lat"], placed["long"]) == (50, -50)
    assert (placed["irInternalTemperature"], placed["irExternalTemperature"]) == (10, -10)


def test_a_meter_says_its_registers_with_their_sign_and_resolution() -> None:
    found = data("yobiiq-em4301", "fe0c000008fc" + "fe1de0" + "fe231388" + "fef10102", 3)
    assert found == {
        "voltageL1N": 230,
        "powerFactorL1": -0.32,
        "frequency": 50,
        "firmwareVersion": "V1.2",
    }
    assert data("yobiiq-em4301", "ff090101", 50) == {"info": "ff090101"}
    refusal("yobiiq-em4301", "fe0c000008fc", 60)


def test_the_air_stations_with_their_sign_in_the_top_bit() -> None:
    frame = bytearray(50)
    frame[20:22] = b"\x80\x64"
    frame[22:24] = b"\x87\x97"
    frame[29:33] = b"\x03\x00\x03\xe8"
    found = data("uradmonitor-industrial", frame.hex())
    assert (found["temperature"], found["pressure"], found["h2s"]) == (-1, 100_246, 1)
    assert "iaq" not in found
    small = bytearray(32)
    small[10:12], small[19:21] = b"\x0a\x1b", b"\x02\x6a"
    station = data("uradmonitor-a3", small.hex())
    assert (station["temperature"], station["co2"]) == (25.87, 618)


def test_the_remaining_level_sensors() -> None:
    assert data("niab-fls", "ff" + "f0" + "03e8") == {
        "battery": 100,
        "temperature": -15,
        "distance": 1,
    }
    assert data("ellenex-pls2-l", "0000000005000024", 15) == {"level": 5, "batteryVoltage": 3.6}
    assert data("terabee-lm-xl", "03e8320e1000") == {
        "distance": 1000,
        "levelPercentage": 50,
        "batteryVoltage": 3600,
    }
    assert data("axsensor-level", "801027" + "a1f203" + "a20afe" + "a30002" + "a4100e", 2) == {
        "distance": 1,
        "pressure": 101_000,
        "temperature": -50.2 + 0.0,
        "relativeHumidity": 50,
        "powerSourceVoltage": 3600,
    }
    assert data("aiut-alevel-v2", "81010a40fa07")["batteryStatus"] == "LOW"
    assert data("aiut-alevel-v2", "81010a40fa07")["notValidReadout"] is True
    refusal("aiut-alevel-v2", "81010a40ff47")


def test_lamp_circuits_and_people_are_counted_one_by_one() -> None:
    found = data("milesight-ws558", "0831ff82" + "058162" + "07c9e803")
    assert [found[f"switch_{n}"] for n in range(1, 9)] == [
        "off",
        "on",
        "off",
        "off",
        "off",
        "off",
        "off",
        "on",
    ]
    assert (found["power_factor"], found["total_current"]) == (98, 1000)
    people = data("milesight-vs360", "84cc0100020001" + "05cc03000400" + "03f40201")
    assert people == {
        "total_in": 1,
        "total_out": 2,
        "total_count_alarm": True,
        "period_in": 3,
        "period_out": 4,
        "event_devices_misaligned": True,
    }
