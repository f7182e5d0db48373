"""What of a message is stored: names, units, ranges, times, and who may say it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from city.reading import (
    METRICS,
    REASON_CODEC,
    REASON_DEVICE_UNKNOWN,
    REASON_DISTRICT,
    REASON_FIELD,
    REASON_KIND,
    REASON_METRIC_UNKNOWN,
    REASON_RANGE,
    REASON_TIME_FUTURE,
    REASON_TIME_OLD,
    Decoded,
    MessageClass,
    Quality,
    RawValue,
    TimeSource,
)
from tests.tables import cases
from wire import FORMATS
from wire.models import parse_model
from wire.normalize import Normalized, interpret, normalize
from wire.translate import Translated, translate
from wire.units import convert

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
GAS = "city/v1/460107/gas/GD-000123/telemetry"
UP = "application/1/device/24e1000000000001/event/up"
HEIGHT = {"mounting_height_cm": 250}
GAS_PPM = """
title = "p"
kind = "gas"
interval_s = 60
[[field]]
names = ["lpg_ppm"]
metric = "gas_ppm"
unit = "ppm"
"""


@dataclass(frozen=True)
class Device:
    code: str = "GD-000123"
    kind: str = "gas"
    district: str = "460107"
    model: str = ""
    lon: float | None = None
    lat: float | None = None
    gas: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def native(body: dict[str, Any], topic: str = GAS) -> Decoded:
    return FORMATS["native"].parse(topic, json.dumps(body).encode(), NOW)


def uplink(decoded: dict[str, Any] | None, **changes: Any) -> Decoded:
    body = json.loads((FIXTURES / "chirpstack" / "up-decoded.json").read_text())
    body |= {"object": decoded} | changes
    return FORMATS["chirpstack"].parse(UP, json.dumps(body).encode(), NOW)


def frame(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def reasons(content: Normalized) -> list[str]:
    return [reject.reason for reject in content.rejects]


def stored(content: Normalized) -> dict[str, float]:
    return {reading.metric: reading.value for reading in content.readings}


def test_a_native_message_of_a_registered_device_passes_unchanged() -> None:
    decoded = native({"ts": "2026-03-04T05:06:07Z", "readings": {"co_ppm": 3}})
    content = normalize(decoded, Device(), NOW)
    assert content.readings is decoded.readings
    assert (content.rejects, content.message_class) == ((), MessageClass.TELEMETRY)


def test_an_unregistered_device_is_refused_by_name() -> None:
    content = normalize(native({"readings": {"co_ppm": 3}}), None, NOW)
    assert (content.readings, reasons(content)) == ((), [REASON_DEVICE_UNKNOWN])
    assert "GD-000123" in content.rejects[0].detail


def test_joins_and_logs_need_no_registered_device() -> None:
    body = (FIXTURES / "chirpstack" / "join.json").read_bytes()
    decoded = FORMATS["chirpstack"].parse(UP.replace("/up", "/join"), body, NOW)
    assert normalize(decoded, None, NOW) == Normalized(MessageClass.OTHER)


def test_a_bridge_that_comes_and_goes_needs_no_registered_device() -> None:
    decoded = FORMATS["frigate"].parse("frigate/available", b"offline", NOW)
    content = normalize(decoded, None, NOW)
    assert (content.rejects, content.statuses[0].online) == ((), False)


def test_a_squads_position_needs_no_device() -> None:
    body = (FIXTURES / "native" / "position.json").read_bytes()
    decoded = FORMATS["native"].parse("city/v1/460107/squad/SQ-1/position", body, NOW)
    assert normalize(decoded, None, NOW).positions[0].squad == "SQ-1"
    later = normalize(decoded, None, NOW - timedelta(hours=1))
    assert (later.positions, reasons(later)) == ((), [REASON_TIME_FUTURE])


@pytest.mark.parametrize(
    ("device", "reason"),
    [(Device(district="110101"), REASON_DISTRICT), (Device(kind="manhole"), REASON_KIND)],
)
def test_a_topic_that_contradicts_the_registry_is_refused(device: Device, reason: str) -> None:
    content = normalize(native({"readings": {"co_ppm": 3}}), device, NOW)
    assert (content.readings, reasons(content)) == ((), [reason])


def test_the_topic_level_video_belongs_to_cameras() -> None:
    body = (FIXTURES / "native" / "event-new.json").read_bytes()
    decoded = FORMATS["native"].parse("city/v1/460107/video/CAM-1/event", body, NOW)
    assert normalize(decoded, Device(kind="camera"), NOW).events
    assert reasons(normalize(decoded, Device(kind="light"), NOW)) == [REASON_KIND]


def test_a_reading_from_2099_is_refused_and_ten_minutes_ahead_are_not() -> None:
    content = normalize(
        native({"ts": "2099-01-01T00:00:00Z", "readings": {"co_ppm": 3}}), Device(), NOW
    )
    assert (content.readings, reasons(content)) == ((), [REASON_TIME_FUTURE])
    assert content.message_class is MessageClass.INVALID
    ahead = (NOW + timedelta(minutes=10)).isoformat()
    assert normalize(native({"ts": ahead, "readings": {"co_ppm": 3}}), Device(), NOW).readings


@pytest.mark.parametrize("ts", [0, 1772600767, "2020-01-01T00:00:00Z"])
def test_a_live_reading_of_a_clock_that_was_never_set_counts_from_its_receipt(ts: object) -> None:
    content = normalize(native({"ts": ts, "readings": {"ch4_pct_lel": 60}}), Device(), NOW)
    reading = content.readings[0]
    assert (reading.ts, reading.ts_from) == (NOW, TimeSource.RECEIVED)
    assert (reading.quality, reading.value) == (Quality.CLOCK_REPLACED, 60)
    assert content.rejects == ()


def test_a_fault_says_more_than_a_wrong_clock() -> None:
    content = normalize(native({"ts": 0, "readings": {"co_ppm": 1}, "fault": "E1"}), Device(), NOW)
    assert content.readings[0].quality is Quality.SUSPECT
    assert content.statuses[0].ts == NOW


def test_stored_points_of_a_year_ago_stay_where_they_are() -> None:
    history = [{"timestamp": "2025-03-04T00:00:00Z", "co_ppm": 4}]
    content = normalize(uplink({"co_ppm": 3, "history": history}), Device(), NOW)
    live, old = content.readings
    assert (live.quality, old.quality) == (Quality.GOOD, Quality.LATE)
    assert old.ts == datetime(2025, 3, 4, tzinfo=UTC)


def test_stored_points_from_before_all_that_is_kept_are_refused() -> None:
    history = [{"timestamp": f"{year}-01-01T00:00:00Z", "co_ppm": 4} for year in (2021, 2024)]
    content = normalize(uplink({"co_ppm": 3, "history": history}), Device(), NOW)
    assert [reading.quality for reading in content.readings] == [Quality.GOOD]
    assert reasons(content) == [REASON_TIME_OLD] * 2
    assert content.message_class is MessageClass.TELEMETRY


def test_a_simulated_uplink_stays_marked_through_model_and_codec() -> None:
    body = json.loads((FIXTURES / "ttn" / "up-simulated.json").read_text())
    decoded = FORMATS["ttn"].parse("v3/a/devices/d/up", json.dumps(body).encode(), NOW)
    content = normalize(decoded, Device(kind="manhole", model="dingtek-dc413"), NOW)
    assert {r.quality for r in content.readings} == {Quality.SIMULATED}
    del body["uplink_message"]["decoded_payload"]
    body["uplink_message"]["frm_payload"] = frame("058e01")
    decoded = FORMATS["ttn"].parse("v3/a/devices/d/up", json.dumps(body).encode(), NOW)
    alarm = normalize(decoded, Device(model="milesight-gs101"), NOW).readings[0]
    assert (alarm.metric, alarm.value, alarm.quality) == ("gas_alarm", 1, Quality.SIMULATED)


def test_a_model_gives_vendor_names_their_canonical_metric_and_keeps_what_was_sent() -> None:
    content = normalize(
        uplink({"distance": 1290, "position": "tilt", "battery": 90}),
        Device(kind="manhole", model="milesight-em400"),
        NOW,
    )
    assert stored(content) == {"distance_mm": 1290, "cover_open": 1, "battery_pct": 90}
    cover = content.readings[1]
    assert (cover.raw_name, cover.raw_value, cover.unit) == ("position", "tilt", "0/1")


def test_without_a_model_canonical_names_are_taken_and_others_kept_out() -> None:
    content = normalize(uplink({"co_ppm": 3, "pressure": 7, "note": "x"}), Device(), NOW)
    assert stored(content) == {"co_ppm": 3}
    assert [value.name for value in content.kept_out] == ["pressure", "note"]
    assert content.rejects == ()


@pytest.mark.parametrize("model", ["", "milesight-em300-sld", "no-such-model"])
def test_a_message_of_which_nothing_is_known_is_refused_with_its_names(model: str) -> None:
    decoded = uplink({"pm2_5": 3, "note": "x"}, data="")
    content = normalize(decoded, Device(model=model), NOW)
    assert (content.readings, reasons(content)) == ((), [REASON_METRIC_UNKNOWN])
    assert "pm2_5, note" in content.rejects[0].detail


def test_a_message_of_known_settings_is_no_rejection() -> None:
    decoded = uplink({"device_status": "on", "firmware_version": "1.0"}, data="")
    content = normalize(decoded, Device(model="milesight-gs101"), NOW)
    assert (content.readings, content.rejects) == ((), ())
    assert len(content.kept_out) == 2


def test_bytes_are_decoded_by_the_models_codec() -> None:
    content = normalize(
        uplink(None, data=frame("058e01060101070100")), Device(model="milesight-gs101"), NOW
    )
    reading = content.readings[0]
    assert content.message_class is MessageClass.TELEMETRY
    assert stored(content) == {"gas_alarm": 1}
    assert (reading.raw_name, reading.raw_value) == ("gas_status", "alarm")
    assert reading.ts == datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)


def test_bytes_that_the_codec_refuses_are_a_named_rejection() -> None:
    content = normalize(uplink(None, data=frame("7777")), Device(model="milesight-gs101"), NOW)
    assert (content.readings, reasons(content)) == ((), [REASON_CODEC])
    assert content.message_class is MessageClass.INVALID


@pytest.mark.parametrize("model", ["", "dingtek-df702"])
def test_bytes_without_a_codec_stay_undecoded_and_are_no_rejection(model: str) -> None:
    content = normalize(uplink(None), Device(model=model), NOW)
    assert content == Normalized(MessageClass.UNDECODED)


@pytest.mark.parametrize(
    "said",
    [
        {"gas_status": "alarm"},
        {"state": "alarm"},
        {"gas": "alarm"},
        {"gas": True},
        {"GAS_Status": "Abnormal"},
        {"gas_status": 1},
    ],
)
def test_an_alarm_is_an_alarm_in_every_spelling_seen(said: dict[str, Any]) -> None:
    content = normalize(uplink(said), Device(model="milesight-gs101"), NOW)
    assert stored(content) == {"gas_alarm": 1}


def test_a_word_that_the_model_does_not_know_is_refused_alone() -> None:
    decoded = uplink({"gas_status": "polarizing", "temperature": 20}, data="")
    content = normalize(decoded, Device(model="milesight-gs101"), NOW)
    assert stored(content) == {"temperature_c": 20}
    assert reasons(content) == [REASON_FIELD]
    assert "gas_status" in content.rejects[0].detail


def test_a_value_outside_the_models_range_is_refused_alone() -> None:
    decoded = uplink({"temperature": 327.67, "distance": 900})
    content = normalize(decoded, Device(kind="manhole", model="milesight-em400"), NOW)
    assert (stored(content), reasons(content)) == ({"distance_mm": 900}, [REASON_RANGE])


def test_a_sentinel_is_no_value_and_no_rejection() -> None:
    decoded = uplink({"distance": 65535, "battery": 50})
    content = normalize(decoded, Device(kind="manhole", model="milesight-em400"), NOW)
    assert (stored(content), content.rejects) == ({"battery_pct": 50}, ())


def test_methane_in_percent_of_volume_gets_its_lel_beside_it() -> None:
    content = normalize(native({"readings": {"ch4_pct_vol": 1.25}}), Device(gas="methane"), NOW)
    assert stored(content) == {"ch4_pct_vol": 1.25, "ch4_pct_lel": 25}
    derived = content.readings[1]
    assert (derived.raw_name, derived.raw_value, derived.raw_unit) == ("ch4_pct_vol", 1.25, "%vol")


@pytest.mark.parametrize(("gas", "lel"), [("methane", 20), ("propane", 47.6), ("lpg", 55.6)])
def test_combustible_gas_in_ppm_of_a_known_kind_gets_its_lel_beside_it(
    gas: str, lel: float
) -> None:
    model = parse_model("ppm", GAS_PPM)
    found = interpret(decoded_values(value("lpg_ppm", 10_000, "ppm")), model, gas)
    assert found.readings[0].value == 10_000
    assert found.readings[1].metric == "ch4_pct_lel"
    assert found.readings[1].value == pytest.approx(lel, abs=0.05)
    assert found.readings[1].raw_unit == "ppm"


def test_of_percent_of_volume_and_ppm_only_one_is_taken_for_the_lel() -> None:
    model = parse_model("ppm", GAS_PPM)
    both = decoded_values(value("lpg_ppm", 9_000, "ppm"), value("ch4_pct_vol", 1.0, "%vol"))
    found = interpret(both, model, "methane").readings
    assert [(r.metric, r.value) for r in found if r.metric == "ch4_pct_lel"] == [
        ("ch4_pct_lel", 20)
    ]


def test_without_knowing_the_gas_nothing_is_converted() -> None:
    content = normalize(native({"readings": {"ch4_pct_vol": 1.25}}), Device(gas=None), NOW)
    assert stored(content) == {"ch4_pct_vol": 1.25}
    content = normalize(native({"readings": {"ch4_pct_vol": 1.25}}), Device(gas="hydrogen"), NOW)
    assert stored(content) == {"ch4_pct_vol": 1.25}


def test_the_distance_to_the_water_of_a_sensor_at_a_known_height_is_its_level_too() -> None:
    shaft = Device("MH-1", "manhole", model="milesight-em400", attributes=HEIGHT)
    content = normalize(uplink({"distance": 900, "battery": 50}), shaft, NOW)
    assert stored(content) == {"distance_mm": 900, "battery_pct": 50, "water_level_cm": 160}
    level = content.readings[-1]
    assert (level.raw_name, level.raw_value, level.unit) == ("distance", 900, "cm")


def test_a_level_that_the_device_says_itself_is_not_computed_again() -> None:
    shaft = Device("MH-1", "manhole", attributes=HEIGHT)
    body = {"readings": {"distance_mm": 900, "water_level_cm": 42}}
    topic = GAS.replace("/gas/", "/manhole/").replace("GD-000123", "MH-1")
    assert stored(normalize(native(body, topic), shaft, NOW)) == {
        "distance_mm": 900,
        "water_level_cm": 42,
    }


@pytest.mark.parametrize("height", [None, "250", True, -1, 0, float("nan"), float("inf"), [250]])
def test_a_height_that_is_no_height_derives_nothing(height: object) -> None:
    shaft = Device(
        "MH-1", "manhole", model="milesight-em400", attributes={"mounting_height_cm": height}
    )
    assert stored(normalize(uplink({"distance": 900}), shaft, NOW)) == {"distance_mm": 900}


def test_a_device_that_says_lel_itself_is_not_corrected() -> None:
    body = {"readings": {"ch4_pct_vol": 1.25, "ch4_pct_lel": 24}}
    content = normalize(native(body), Device(gas="methane"), NOW)
    assert stored(content) == {"ch4_pct_vol": 1.25, "ch4_pct_lel": 24}


def test_frigate_classes_become_event_types_and_counts_are_kept_out() -> None:
    camera = Device("CAM-1", "camera")
    body = (FIXTURES / "frigate" / "event-new.json").read_bytes()
    event = normalize(FORMATS["frigate"].parse("frigate/events", body, NOW), camera, NOW).events[0]
    assert (event.type, event.attributes["label"]) == ("vehicle", "car")
    count = FORMATS["frigate"].parse("frigate/market_east/person", b"3", NOW)
    content = normalize(count, camera, NOW)
    assert (content.rejects, content.kept_out[0].name) == ((), "person_count")


def test_an_event_from_the_future_is_refused_and_a_future_end_becomes_now() -> None:
    body = json.loads((FIXTURES / "native" / "event-new.json").read_text())
    camera, topic = Device("CAM-1", "camera"), "city/v1/460107/video/CAM-1/event"
    future = native(body | {"start": "2099-01-01T00:00:00Z"}, topic)
    assert reasons(normalize(future, camera, NOW)) == [REASON_TIME_FUTURE]
    ends = native(body | {"phase": "end", "end": "2099-01-01T00:00:00Z"}, topic)
    content = normalize(ends, camera, NOW)
    assert (content.events[0].end_at, reasons(content)) == (NOW, [REASON_TIME_FUTURE])


def test_rejections_of_the_parser_stay_with_the_message() -> None:
    content = normalize(native({"readings": {"co_ppm": 1, "bogus": 2}}), Device(), NOW)
    assert (stored(content), reasons(content)) == ({"co_ppm": 1}, [REASON_METRIC_UNKNOWN])


def value(name: str, sent: float | bool | str, unit: str = "") -> RawValue:
    return RawValue(name, sent, NOW, TimeSource.SERVER, unit, sent)


def decoded_values(*values: RawValue) -> Decoded:
    return Decoded("chirpstack", MessageClass.TELEMETRY, "d", values=values)


TILT = parse_model(
    "tilt",
    """
title = "t"
kind = "manhole"
interval_s = 60
time_field = "clock"
[[field]]
names = ["x", "y"]
metric = "tilt_deg"
wrap_deg = 360
combine = "largest"
[[field]]
names = ["depth", "level"]
metric = "water_level_cm"
unit = "mm"
[[field]]
names = ["raw"]
metric = "temperature_c"
scale = 0.1
offset = -40
[[field]]
names = ["ch4"]
metric = "ch4_pct_lel"
""",
)


def translated(*values: RawValue, gas: str | None = None) -> Translated:
    return translate("d", values, TILT, gas)


def test_of_several_axes_the_largest_angle_counts_whatever_its_sign() -> None:
    found = translated(value("x", 16.5), value("y", 297.13))
    assert [(r.metric, round(r.value, 2), r.raw_name) for r in found.readings] == [
        ("tilt_deg", -62.87, "y"),
    ]


def test_of_several_names_the_one_listed_first_counts() -> None:
    found = translated(value("level", 100), value("depth", 500))
    assert [(r.value, r.raw_name, r.raw_unit) for r in found.readings] == [(50, "depth", "mm")]


def test_the_unit_in_the_message_beats_the_models() -> None:
    assert translated(value("depth", 2, "m")).readings[0].value == 200


def test_scale_and_offset_are_the_models_own_arithmetic() -> None:
    assert translated(value("raw", 655)).readings[0].value == pytest.approx(25.5)


def test_percent_of_volume_cannot_become_lel_without_the_gas() -> None:
    assert translated(value("ch4", 1, "%vol"), gas="methane").readings[0].value == 20
    assert translated(value("ch4", 10_000, "ppm"), gas="methane").readings[0].value == 20
    unknown = translated(value("ch4", 1, "%vol"))
    assert (unknown.readings, unknown.rejects[0].reason) == ((), REASON_FIELD)


def test_the_devices_own_clock_is_believed_within_limits_and_is_no_reading() -> None:
    own = NOW - timedelta(minutes=5)
    found = translated(value("clock", own.isoformat()), value("depth", 1))
    assert (found.readings[0].ts, found.readings[0].ts_from) == (own, TimeSource.DEVICE)
    for wrong in (NOW + timedelta(hours=1), NOW - timedelta(days=30)):
        found = translated(value("clock", wrong.timestamp()), value("depth", 1))
        assert (found.readings[0].ts, found.readings[0].ts_from) == (NOW, TimeSource.SERVER)


def test_an_empty_text_says_nothing() -> None:
    found = translated(value("depth", ""))
    assert (found.readings, found.rejects) == ((), ())


@pytest.mark.parametrize(
    ("number", "unit", "metric", "expected"),
    cases(
        "units_convert_only_where_the_unit_alone_is_enough.jsonl",
        number=object,
        unit=str,
        metric=str,
        expected=object,
    ),
)
def test_units_convert_only_where_the_unit_alone_is_enough(
    number: float, unit: str, metric: str, expected: float | None
) -> None:
    found = convert(number, unit, METRICS[metric], None)
    assert found == (None if expected is None else pytest.approx(expected))


def test_values_without_any_model_lose_nothing_by_interpretation() -> None:
    decoded = uplink({"temperature": 5})
    content = interpret(decoded, None, None)
    assert [v.name for v in content.kept_out] == ["temperature"]
    assert replace(content, kept_out=()).readings == ()


@pytest.mark.parametrize(
    ("device", "name", "read"),
    [
        ("urn:dev:mac:0024befffe804ff1", "urn:dev:mac:0024befffe804ff1:lpg_ppm", True),
        ("urn:dev:mac:0024befffe804ff1/", "urn:dev:mac:0024befffe804ff1/lpg_ppm", False),
        ("tank-7", "tank-7/lpg_ppm", True),
        ("tank-7", "tank-71/lpg_ppm", False),
        ("tank-7", "tank-7lpg_ppm", False),
        ("", "lpg_ppm", True),
    ],
)
def test_a_name_that_begins_with_the_device_is_known_without_it(
    device: str, name: str, read: bool
) -> None:
    value = RawValue(name, 120.0, NOW, TimeSource.DEVICE)
    found = translate(device, [value], parse_model("p", GAS_PPM), None)
    assert [(r.metric, r.value, r.raw_name) for r in found.readings] == (
        [("gas_ppm", 120.0, name)] if read else []
    )


@pytest.mark.parametrize(
    ("key", "counted"), [("uplink_normalized", True), ("uplink_message", False)]
)
def test_a_second_form_of_a_frame_without_a_known_name_is_only_counted(
    key: str, counted: bool
) -> None:
    """The first form is the one that is stored, or refused with all of its names."""
    body = {
        "end_device_ids": {"dev_eui": "24E1AA0000000001"},
        "received_at": "2026-03-04T05:06:07Z",
        key: {"normalized_payload": [{"soil": {"moisture": 30}}], "f_cnt": 5},
    }
    topic = "v3/a@t/devices/d/up" + ("/normalized" if counted else "")
    decoded = FORMATS["ttn"].parse(topic, json.dumps(body).encode(), NOW)
    found = normalize(decoded, Device(), NOW)
    wanted = (MessageClass.OTHER, 0) if counted else (MessageClass.INVALID, 1)
    assert (found.message_class, len(found.rejects)) == wanted
