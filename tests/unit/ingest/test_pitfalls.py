"""The thirty pitfalls of real payloads, each with what must become of it.

Numbers and names are those of the survey of published payloads; every payload is invented. What
only a database can tell (repeats, latest values, occurrences) is in
`tests/integration/ingest/test_pitfalls_stored.py`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from city.device import RegisteredDevice
from city.reading import (
    METRICS,
    REASON_FIELD,
    REASON_JSON,
    REASON_TIME_FUTURE,
    REASON_TOO_LARGE,
    REASON_UNDECODED,
    Decoded,
    EventPhase,
    MessageClass,
    Quality,
    TimeSource,
)
from ingest.batch import Batch, Content, build_batch, decode_messages
from ingest.message import Message
from ingest.reporters import Reporters
from tests.fuzz.attack import AnyDevice
from tests.tables import cases
from wire import FORMATS, PAYLOAD_LIMIT
from wire.normalize import Normalized, normalize

NOW = datetime(2026, 3, 4, 5, 6, 30, tzinfo=UTC)
AT = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)
EUI = "24e1aa0000000001"
UP = f"application/7/device/{EUI}/event/up"
TTN = "v3/fleet@town/devices/lid-4/up"


def device(number: int, format_: str, identity: str, model: str = "", **more: Any) -> Any:
    return RegisteredDevice(
        id=number,
        code=f"D-{number}",
        kind=more.get("kind", "manhole"),
        district="460107",
        model=model,
        gas=more.get("gas"),
        format=format_,
        external_id=identity,
        attributes=more.get("attributes", {}),
        timezone="Asia/Shanghai",
    )


REGISTRY = Reporters(
    [
        device(1, "chirpstack", EUI, "milesight-em500-udl"),
        device(2, "ttn", EUI, "milesight-em500-udl"),
        device(3, "loriot", EUI, "milesight-em310-tilt"),
        device(4, "zigbee2mqtt", "lid 4"),
        device(5, "axis", "ACCC8E000001", kind="camera"),
        device(6, "tasmota", "lamp-6", kind="light"),
        device(7, "shelly", "shellygas-0a1b2c", "shelly-gas", kind="gas"),
        device(8, "frigate", "gate", kind="camera"),
        device(9, "sparkplug", "g/e/d"),
        device(10, "chirpstack", "24e1aa0000000010"),
    ]
)


def message(topic: str, body: Any, *, received_at: datetime = NOW, retain: bool = False) -> Message:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(topic, payload, retain, received_at)


def decode(topic: str, body: Any) -> Decoded:
    (decoded,) = decode_messages([message(topic, body)])
    return decoded


def build(*messages: Message) -> Batch:
    return build_batch(messages, decode_messages(messages), REGISTRY)


def said(decoded: Decoded) -> dict[str, Any]:
    return {value.name: value.value for value in decoded.values}


def judged(decoded: Decoded, model: str = "", **more: Any) -> Normalized:
    return normalize(decoded, AnyDevice(model=model, attributes={}, **more), NOW)


def metrics(content: Normalized) -> dict[str, float]:
    return {reading.metric: reading.value for reading in content.readings}


def stored(batch: Batch) -> list[tuple[int, str, float]]:
    names = {metric.id: name for name, metric in METRICS.items()}
    return [
        (int(r["device_id"]), names[int(r["metric_id"])], float(r["value"])) for r in batch.rows
    ]


def chirpstack(**changes: Any) -> dict[str, Any]:
    body = {
        "deduplicationId": "5f0c",
        "time": AT.isoformat(),
        "deviceInfo": {"devEui": EUI},
        "fCnt": 41,
        "fPort": 85,
        "data": "AXVa",
        "object": {"distance": 1290, "battery": 90},
        "rxInfo": [{"gatewayId": "aa01", "rssi": -101, "snr": 4.5, "gwTime": AT.isoformat()}],
    }
    return {key: item for key, item in (body | changes).items() if item is not ...}


def ttn(**changes: Any) -> dict[str, Any]:
    uplink = {
        "f_port": 85,
        "f_cnt": 41,
        "frm_payload": "AXVa",
        "received_at": AT.isoformat(),
        "session_key_id": "AZx=",
        "decoded_payload": {"distance": 1290},
        "rx_metadata": [{"gateway_ids": {"gateway_id": "g-1"}, "rssi": -101}],
    } | changes
    ids = {"device_id": "lid-4", "dev_eui": EUI.upper()}
    return {"end_device_ids": ids, "uplink_message": uplink}


def test_pitfall_01_one_frame_heard_by_many_gateways_is_one_reading() -> None:
    heard = {"context": "q83v", "uplinkId": 9, "rssi": -110, "snr": -3}
    receptions = [
        {"gatewayId": f"aa0{number}", "rssi": -100 - number, "snr": 1, "gwTime": AT.isoformat()}
        for number in range(5)
    ]
    # The same reception once more under the id that another network gave the gateway.
    receptions += [{"gatewayId": "bb01", **heard}, {"gatewayId": "cc01", **heard}]
    batch = build(message(UP, chirpstack(rxInfo=receptions)))

    assert stored(batch) == [(1, "distance_mm", 1290), (1, "battery_pct", 90)]
    link = decode(UP, chirpstack(rxInfo=receptions)).link
    assert [entry.get("repeats") for entry in link["gateways"]] == [None] * 6 + ["bb01"]
    assert link["rssi_dbm"] == -100


def test_pitfall_01_packet_broker_repeats_a_gateway_of_our_own() -> None:
    own = {"gateway_ids": {"gateway_id": "g-1", "eui": "AA00000000000001"}, "rssi": -101}
    broker = {
        "gateway_ids": {"gateway_id": "packetbroker"},
        "rssi": -101,
        "packet_broker": {"forwarder_gateway_eui": "AA00000000000001", "forwarder_gateway_id": "x"},
    }
    decoded = decode(TTN, ttn(rx_metadata=[own, broker]))

    assert [entry.get("repeats") for entry in decoded.link["gateways"]] == [None, "g-1"]
    assert said(decoded) == {"distance": 1290}


def test_pitfall_02_both_messages_of_a_loriot_frame_are_the_same_reading() -> None:
    frame = {"EUI": EUI.upper(), "ts": 1_772_600_767_250, "fcnt": 41, "port": 85, "data": "01755a"}
    first = {"cmd": "rx", **frame, "rssi": -101}
    second = {"cmd": "gw", **frame, "gws": [{"gweui": "AA00000000000001", "rssi": -101}]}
    batch = build(message("feed/loriot/a", first), message("feed/loriot/a", second))

    assert stored(batch) == [(3, "battery_pct", 90)]
    assert set(batch.row_messages.tolist()) == {0}
    assert set(batch.repeat_messages.tolist()) == {1}


def test_pitfall_02_up_and_normalised_up_of_one_frame_share_their_mark() -> None:
    up = decode(TTN, ttn())
    normalized = ttn(normalized_payload=[{"battery": 3.4}])
    normalized["uplink_normalized"] = normalized.pop("uplink_message")
    again = decode(f"{TTN}/normalized", normalized)

    assert up.link["deduplication"] == again.link["deduplication"] == "AZx=-41"
    assert up.values[0].ts == again.readings[0].ts


def test_pitfall_02_a_message_sent_again_by_the_broker_is_one() -> None:
    twice = [message(UP, chirpstack())] * 2
    batch = build(*twice)
    assert len(batch.rows) == 2
    assert batch.repeat_messages.tolist() == [1, 1]


def test_pitfall_02_an_endpoint_says_again_what_its_device_said() -> None:
    batch = build(
        message("zigbee2mqtt/lid 4", {"state_l2": "ON", "tamper": True}),
        message("zigbee2mqtt/lid 4/l2", {"state": "ON"}),
        message("zigbee2mqtt/stranger/l2", {"state": "ON"}),
    )
    assert stored(batch) == [(4, "tamper", 1)]
    # Nobody registered the endpoint: counted, neither refused nor a stranger.
    assert batch.contents == [Content.VALUES, Content.NO_VALUES, Content.REFUSED]
    assert [stranger.identity for stranger in batch.strangers] == ["stranger/l2"]


def test_pitfall_02_any_scenario_of_a_camera_repeats_the_special_one() -> None:
    def event(name: str) -> Any:
        topic = f"tnsaxis:CameraApplicationPlatform/ObjectAnalytics/{name}"
        body = {
            "topic": topic,
            "timestamp": 1_772_600_767_250,
            "serial": "ACCC8E000001",
            "message": {"source": {}, "key": {}, "data": {"active": "1"}},
        }
        return decode("axis/ACCC8E000001/event/x", body).events[0]

    special, general = event("Device1Scenario3"), event("Device1ScenarioANY")
    assert special.repeated_as == general.event_id
    assert general.repeated_as == ""


def test_pitfall_03_a_frame_counter_that_falls_back_loses_nothing() -> None:
    """86, then 0 after a rejoin, then 1: three frames, in the order of their times."""
    frames = [(86, 0), (0, 60), (1, 120), (0, 180)]
    batch = build(
        *(
            message(
                UP,
                chirpstack(
                    fCnt=counter,
                    time=(AT + timedelta(seconds=later)).isoformat(),
                    rxInfo=[],
                    object={"distance": 1000 + later},
                ),
                received_at=NOW + timedelta(seconds=later),
            )
            for counter, later in frames
        )
    )
    assert [value for _, _, value in stored(batch)] == [1000, 1060, 1120, 1180]


def test_pitfall_04_keys_left_out_are_zero_in_the_envelope_and_nothing_among_readings() -> None:
    decoded = decode(UP, chirpstack(fCnt=..., fPort=..., object={"distance": 1290}))
    assert decoded.link["frame"] == 0
    assert metrics(judged(decoded, "milesight-em500-udl")) == {"distance_mm": 1290}
    assert decode(TTN, ttn(f_cnt=None)).link["frame"] == 0


@pytest.mark.parametrize("missing", [..., None, {}])
def test_pitfall_05_bytes_without_a_decoded_object_are_kept_for_a_codec(missing: Any) -> None:
    body = chirpstack(object=missing, deviceInfo={"devEui": "24e1aa0000000010"})
    batch = build(message(UP, body))

    (kept,) = batch.rejects
    assert (kept.reason, kept.whole_message) == (REASON_UNDECODED, False)
    assert kept.raw == json.dumps(body).encode()
    assert batch.contents == [Content.NO_VALUES]  # received, and not refused


def test_pitfall_05_a_failed_codec_and_port_0_are_counted_only() -> None:
    log = chirpstack(level="ERROR", code="UPLINK_CODEC", object=..., fCnt=..., data=...)
    batch = build(
        message(UP.replace("/up", "/log"), log),
        message(UP, chirpstack(fPort=0, data="AwcH", object=...)),
    )
    assert batch.contents == [Content.NO_VALUES, Content.NO_VALUES]
    assert batch.rejects == []


def test_pitfall_06_bytes_are_the_same_in_each_spelling() -> None:
    raw = bytes.fromhex("01755a0367d200")
    encoded = base64.b64encode(raw).decode()
    messages = [
        decode(UP, chirpstack(data=encoded, object=...)),
        decode(TTN, ttn(frm_payload=encoded, decoded_payload=None)),
        decode("feed/loriot/x", {"cmd": "rx", "EUI": EUI, "port": 85, "data": raw.hex().upper()}),
        decode(f"feed/lorawan-frame/{EUI}/85", raw.hex(" ").encode()),
        decode(f"feed/lorawan-frame/{EUI}/85", raw),
    ]
    assert {decoded.raw_bytes for decoded in messages} == {raw}
    assert {decoded.device for decoded in messages} == {EUI}


def test_pitfall_06_an_identity_is_the_same_in_each_spelling() -> None:
    of_protobuf = base64.b64encode(bytes.fromhex(EUI)).decode()
    for spelling in (EUI, EUI.upper(), of_protobuf, "24-E1-AA-00-00-00-00-01"):
        assert decode(UP, chirpstack(deviceInfo={"devEui": spelling})).device == EUI


@pytest.mark.parametrize("name", ["gas_status", "gas", "GAS_Status", "state"])
def test_pitfall_07_other_names_for_the_same_are_one_metric(name: str) -> None:
    content = judged(decode(UP, chirpstack(object={name: "alarm"})), "milesight-gs101", kind="gas")
    assert metrics(content) == {"gas_alarm": 1}


def test_pitfall_07_names_that_nobody_knows_are_kept_beside() -> None:
    decoded = decode(UP, chirpstack(object={"distance": 1290, "threhold_x": 3}))
    content = judged(decoded, "milesight-em500-udl")
    assert metrics(content) == {"distance_mm": 1290}
    assert "threhold_x" in {value.name for value in content.kept_out}


@pytest.mark.parametrize(
    ("gateway", "said_at", "source"),
    [
        # days behind, as a gateway that kept the frame is: believed
        (AT - timedelta(days=2), AT - timedelta(days=2), TimeSource.GATEWAY),
        # years wrong: the network server's
        (AT.replace(year=2021), AT, TimeSource.SERVER),
        # ahead of us: the network server's
        (AT + timedelta(hours=9), AT, TimeSource.SERVER),
        # none at all
        (None, AT, TimeSource.SERVER),
    ],
)
def test_pitfall_08_the_first_plausible_time_counts(
    gateway: datetime | None, said_at: datetime, source: TimeSource
) -> None:
    when = gateway.isoformat() if gateway else None
    heard = [{"gatewayId": "aa01", "gwTime": when, "nsTime": AT.isoformat()}]
    decoded = decode(UP, chirpstack(time=when, rxInfo=heard))
    assert {(value.ts, value.ts_from) for value in decoded.values} == {(said_at, source)}


def test_pitfall_08_a_message_without_any_time_is_of_its_receipt() -> None:
    decoded = decode(UP, chirpstack(time=..., rxInfo=[{"gatewayId": "aa01", "time": None}]))
    assert {(v.ts, v.ts_from) for v in decoded.values} == {(NOW, TimeSource.RECEIVED)}


def test_pitfall_09_a_time_among_the_readings_is_the_time_of_its_point_and_no_number() -> None:
    history = [
        {"timestamp": AT.timestamp() - 7200, "distance": 1200},
        {"timestamp": 12, "distance": 1},
    ]
    decoded = decode(UP, chirpstack(object={"distance": 1290, "history": history}))
    content = judged(decoded, "milesight-em500-udl")
    points = {(r.ts, r.value) for r in content.readings if r.quality is Quality.LATE}
    assert (AT - timedelta(hours=2), 1200) in points
    assert not any("time" in value.name for value in decoded.values)


def test_pitfall_10_stored_points_are_late_and_point_by_point_in_time() -> None:
    late = Quality.LATE
    thingpark = {
        "DevEUI_uplink": {
            "DevEUI": EUI,
            "Time": AT.isoformat(),
            "Late": 1,
            "FPort": 85,
            "payload_hex": "01755a",
        }
    }
    decoded = decode(f"mqtt/things/{EUI}/uplink", thingpark)
    assert decoded.link["quality"] == late
    out_of_order = [
        {"bn": "urn:dev:ow:1_", "bt": AT.timestamp(), "n": "t", "u": "Cel", "v": 3},
        {"n": "t", "u": "Cel", "v": 1, "t": -7200},
        {"n": "t", "u": "Cel", "v": 2, "t": -3600},
    ]
    points = decode("feed/senml/x", out_of_order).readings
    assert sorted((r.ts, r.value, r.quality is late) for r in points) == [
        (AT - timedelta(hours=2), 1, True),
        (AT - timedelta(hours=1), 2, True),
        (AT, 3, False),
    ]


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("feed/lwm2m/n", {"bn": "/3303/0/5700", "bt": 86_400, "e": [{"v": 21}]}),
        ("shellies/shellygas-0a1b2c/info", {"unixtime": 0, "tmp": {"tC": 21, "is_valid": True}}),
        ("tele/lamp-6/SENSOR", {"Time": "1970-01-01T00:00:09", "ENERGY": {"Power": 4}}),
        (UP, chirpstack(time="1980-01-06T00:00:00Z", rxInfo=[], object={"distance": 5})),
    ],
)
def test_pitfall_11_a_clock_that_was_never_set_gives_way_to_the_receipt(
    topic: str, body: Any
) -> None:
    decoded = decode(topic, body)
    found = [*decoded.values, *decoded.readings]
    assert found
    assert {(value.ts, value.ts_from) for value in found} == {(NOW, TimeSource.RECEIVED)}


def test_pitfall_11_a_live_value_years_old_is_marked() -> None:
    heard = [{"gatewayId": "aa01"}]
    old = decode(UP, chirpstack(time=AT.replace(year=2019).isoformat(), rxInfo=heard))
    content = judged(old, "milesight-em500-udl")
    assert {(r.ts, r.quality) for r in content.readings} == {(NOW, Quality.CLOCK_REPLACED)}


def test_pitfall_12_a_wall_clock_without_an_offset_is_no_moment() -> None:
    local = decode("tele/lamp-6/SENSOR", {"Time": "2026-03-04T13:06:07", "ENERGY": {"Power": 4}})
    assert local.values[0].ts_from is TimeSource.RECEIVED
    assert local.link["time_local"] == "2026-03-04T13:06:07"
    offset = {"Time": "2026-03-04T13:06:07+08:00", "ENERGY": {"Power": 4}}
    assert decode("tele/lamp-6/SENSOR", offset).values[0].ts == AT.replace(microsecond=0)
    epoch = {"Time": "2026-03-04T13:06:07", "Epoch": 1_772_600_767, "ENERGY": {"Power": 4}}
    assert decode("tele/lamp-6/SENSOR", epoch).values[0].ts == AT.replace(microsecond=0)


def test_pitfall_13_a_counter_is_stored_as_it_counts_also_after_it_fell() -> None:
    """Energy at midnight, a new battery: the value falls, and that is no fault."""

    def energy(total: float, later: int) -> Message:
        at = (AT + timedelta(seconds=later)).isoformat()
        body = {"Time": at, "ENERGY": {"Total": total, "Today": total}}
        return message("tele/lamp-6/SENSOR", body, received_at=NOW + timedelta(seconds=later))

    batch = build(energy(812.5, 0), energy(0.1, 60))
    assert stored(batch) == [(6, "energy_kwh", 812.5), (6, "energy_kwh", 0.1)]
    assert batch.rejects == []


@pytest.mark.parametrize(
    ("model", "object_"),
    [
        ("dingtek-dc413", {"level": 65535}),
        ("vegapuls-air41", {"distance": "NaN"}),
        ("shelly-gas", {"concentration_ppm": -1}),
        ("milesight-em500-udl", {"distance": None}),
        ("milesight-gs301", {"nh3": "polarizing"}),
    ],
)
def test_pitfall_14_a_sentinel_is_no_value(model: str, object_: Mapping[str, Any]) -> None:
    assert metrics(judged(decode(UP, chirpstack(object=object_, data=...)), model)) == {}


def test_pitfall_15_nothing_is_not_zero() -> None:
    null = decode("zigbee2mqtt/lid 4", {"tamper": None, "battery": 0, "linkquality": 9})
    assert said(null) == {"battery": 0, "linkquality": 9}
    mains = decode("feed/loriot/x", {"cmd": "rx", "EUI": EUI, "port": 1, "data": "00", "bat": 0})
    assert "last_battery_pct" not in mains.link
    assert mains.link["external_power"] is True


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    cases(
        "pitfall_16_a_number_in_a_text_needs_a_unit_that_is_one.jsonl",
        text=str,
        value=object,
        unit=str,
    ),
)
def test_pitfall_16_a_number_in_a_text_needs_a_unit_that_is_one(
    text: str, value: object, unit: str
) -> None:
    (found,) = decode(UP, chirpstack(object={"x": text})).values
    assert (found.value, found.unit, found.sent) == (value, unit, text)


@pytest.mark.parametrize(
    ("said_as", "value"),
    cases("pitfall_17_a_truth_value_is_read_and_not_guessed.jsonl", said_as=object, value=int),
)
def test_pitfall_17_a_truth_value_is_read_and_not_guessed(said_as: object, value: float) -> None:
    content = judged(decode(UP, chirpstack(object={"tamper": said_as})))
    assert metrics(content) == {"tamper": value}


@pytest.mark.parametrize("nonsense", ["perhaps", "H", 2, -1, "OPEN"])
def test_pitfall_17_what_is_no_truth_value_is_refused(nonsense: object) -> None:
    content = judged(decode(UP, chirpstack(object={"tamper": nonsense})))
    assert content.readings == ()
    assert content.rejects


def test_pitfall_18_each_form_of_a_battery_has_its_own_metric() -> None:
    low = judged(decode(UP, chirpstack(object={"battery": False, "level": 900})), "dingtek-dc413")
    assert metrics(low)["battery_low"] == 0  # false is good
    zigbee = {"battery": 81, "battery_low": False, "voltage": 2900}
    content = judged(decode("zigbee2mqtt/lid 4", zigbee))
    assert metrics(content) == {"battery_pct": 81, "battery_low": 0, "battery_v": 2.9}
    assert {r.raw_unit for r in content.readings if r.metric == "battery_v"} == {"mV"}
    status = chirpstack(batteryLevel=50.2, margin=-3, externalPowerSource=False)
    (reading,) = decode(UP.replace("/up", "/status"), status).readings
    assert (reading.metric, reading.value) == ("battery_pct", 50.2)


def test_pitfall_19_a_flag_that_contradicts_the_value_is_kept_beside_it() -> None:
    body = {"gas": "True", "co": 0, "linkquality": 7}
    assert metrics(judged(decode("zigbee2mqtt/lid 4", body), kind="gas")) == {
        "gas_alarm": 1,
        "co_ppm": 0,
        "link_quality": 7,
    }


def test_pitfall_20_a_repeated_cache_says_so() -> None:
    state = decode("zigbee2mqtt/lid 4", {"state": "OFF", "brightness": 254})
    assert state.cached
    assert not decode("zigbee2mqtt/lid 4/temperature", b"21.5").cached  # one value, now
    yesterday = decode(TTN, ttn(last_battery_percentage={"value": 81, "received_at": "x"}))
    assert yesterday.link["last_battery_pct"] == 81
    assert "battery_pct" not in {reading.metric for reading in yesterday.readings}


@pytest.mark.parametrize(
    ("topic", "body", "content"),
    [
        # an event: never twice
        (
            "frigate/events",
            {
                "type": "new",
                "after": {
                    "id": "1772600767.25-ab",
                    "camera": "gate",
                    "label": "person",
                    "start_time": 1772600767,
                },
            },
            Content.REPLAYED,
        ),
        # a value of unknown age: no
        ("zigbee2mqtt/lid 4", {"tamper": True}, Content.REPLAYED),
        # a value with its time, a state: the same again changes nothing
        (UP, chirpstack(), Content.VALUES),
        ("zigbee2mqtt/lid 4/availability", b"offline", Content.VALUES),
        # metadata, and the deletion of a property
        ("homeassistant/sensor/n/o/config", b"", Content.NO_VALUES),
        ("x/onvif-ej/Device/Trigger/Relay/&1", b"", Content.NO_VALUES),
    ],
)
def test_pitfall_21_what_the_broker_had_kept_is_no_news(
    topic: str, body: Any, content: Content
) -> None:
    batch = build(message(topic, body, retain=True))
    assert batch.contents == [content]
    assert batch.videos == []
    assert batch.rejects == []


def test_pitfall_21_a_state_that_the_broker_had_kept_is_no_sign_of_life() -> None:
    live = message("zigbee2mqtt/lid 4", {"tamper": True})
    assert [link.device_id for _, link in build(live).links] == [4]
    assert build(live._replace(retain=True)).links == []


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        (UP.replace("/up", "/join"), chirpstack(devAddr="00189440", object=..., data=...)),
        (UP.replace("/up", "/txack"), chirpstack(downlinkId=5, object=..., data=...)),
        (TTN.replace("/up", "/join"), {"end_device_ids": {"dev_eui": EUI}, "join_accept": {}}),
        ("zigbee2mqtt/bridge/info", {"version": "2.1", "config": {"temperature": 3}}),
        ("zigbee2mqtt/lid 4/set", {"state": "ON"}),
        ("tele/lamp-6/INFO1", {"Info1": {"Module": "x"}}),
        ("stat/lamp-6/RESULT", {"TelePeriod": 300}),
        ("homeassistant/sensor/n/o/config", {"unique_id": "u", "state_topic": "x"}),
        ("feed/loriot/x", {"cmd": "txd", "EUI": EUI, "seqdn": 4}),
    ],
)
def test_pitfall_22_what_measures_nothing_is_counted_only(topic: str, body: Any) -> None:
    decoded = decode(topic, body)
    assert decoded.message_class is MessageClass.OTHER
    assert decoded.link["event"]
    assert (decoded.values, decoded.readings, decoded.rejects) == ((), (), ())


def test_pitfall_22_a_simulated_message_raises_nothing() -> None:
    content = judged(decode(TTN, ttn() | {"simulated": True}), "milesight-em500-udl")
    assert {reading.quality for reading in content.readings} == {Quality.SIMULATED}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"deviceInfo": {"devEui": "24e1aa', REASON_JSON),
        (b"invalid", REASON_JSON),
        (b"[1, 2]", REASON_FIELD),
        (b'"text"', REASON_FIELD),
        (b"null", REASON_FIELD),
        (b'{"deviceInfo": {"devEui": 12}}', REASON_FIELD),
        (b"\xff\xfe{}", REASON_JSON),
    ],
)
def test_pitfall_23_broken_or_foreign_json_is_one_named_reject_and_the_rest_goes_on(
    body: bytes, reason: str
) -> None:
    batch = build(message(UP, body), message(UP, chirpstack()))
    assert batch.contents == [Content.REFUSED, Content.VALUES]
    assert [(reject.reason, reject.raw) for reject in batch.rejects] == [(reason, body)]


def test_pitfall_23_a_time_that_is_none_is_named() -> None:
    decoded = decode(
        "tele/lamp-6/SENSOR", {"Time": "2026-03-04T22:16:04qq", "ENERGY": {"Power": 4}}
    )
    assert decoded.rejects[0].detail.startswith("Time: ")


@pytest.mark.parametrize(
    "object_",
    [
        {"distance": 1290},
        {"payload": {"distance": 1290}},
        {"data": {"distance": 1290}, "errors": []},
        {"messages": [{"type": "distance", "measurementValue": 1290, "measurementId": "1"}]},
    ],
)
def test_pitfall_24_envelopes_are_taken_off(object_: dict[str, Any]) -> None:
    for body in (
        chirpstack(object=object_),
        chirpstack(object=..., objectJSON=json.dumps(object_)),
    ):
        content = judged(decode(UP, body), "milesight-em500-udl")
        assert metrics(content) == {"distance_mm": 1290}


def test_pitfall_24_an_array_is_as_many_messages() -> None:
    one = {"devEui": EUI, "timestamp": AT.isoformat(), "payload": "01755A", "fPort": "85"}
    decoded = decode("feed/netmore/x", [one, one | {"devEui": "24e1aa0000000002"}])
    assert [part.device for part in decoded.parts] == [EUI, "24e1aa0000000002"]


def test_pitfall_25_the_body_says_who_it_is_whatever_the_topic_says() -> None:
    for topic in (UP, UP.replace(EUI, "ffffffffffffffff"), UP.replace("/7/", "/moved/")):
        assert decode(topic, chirpstack()).device == EUI
    assert decode("feed/gaslyt/other", {"idDispositivo": "esp-1", "concentracion": 1}).device == (
        "esp-1"
    )


@pytest.mark.parametrize(
    ("lat", "lon"), [(110.77, 20), (20, 1016.66), (0, 0), ("x", 3), (None, None), (91, 0)]
)
def test_pitfall_26_an_impossible_place_is_no_place(lat: object, lon: object) -> None:
    body = chirpstack(location={"latitude": lat, "longitude": lon}, object=..., data=...)
    link = decode(UP.replace("/up", "/location"), body).link
    assert "latitude" not in link
    assert "longitude" not in link


def test_pitfall_26_an_impossible_place_of_a_squad_is_refused() -> None:
    for lon, lat in ((1016.66, 20.0), (110.3, 110.77)):
        body = {"ts": AT.isoformat(), "lon": lon, "lat": lat}
        decoded = decode("city/v1/460107/squad/S-1/position", body)
        assert decoded.positions == ()
        assert decoded.rejects


@pytest.mark.parametrize(
    ("model", "body", "metric", "value", "unit"),
    [
        # a level in three units, by the message's own word
        ("milesight-em500-udl", {"distance": "1290 mm"}, "distance_mm", 1290, "mm"),
        ("milesight-em500-udl", {"distance": "129 cm"}, "distance_mm", 1290, "cm"),
        ("milesight-em500-udl", {"distance": "1.29 m"}, "distance_mm", 1290, "m"),
        # by the model's
        ("dingtek-dc413", {"level": 1290}, "distance_mm", 1290, "mm"),
        ("milesight-gs101", {"temperature": "71.6 °F"}, "temperature_c", 22, "°F"),
        ("milesight-gs101", {"temperature": 22}, "temperature_c", 22, "°C"),
    ],
)
def test_pitfall_27_the_unit_is_the_messages_or_the_models(
    model: str, body: Mapping[str, Any], metric: str, value: float, unit: str
) -> None:
    (reading,) = judged(decode(UP, chirpstack(object=body)), model).readings
    assert (reading.metric, reading.value) == (metric, pytest.approx(value))
    assert (reading.raw_value, reading.raw_unit) == (next(iter(body.values())), unit)


def test_pitfall_27_percent_of_the_lower_limit_needs_to_know_the_gas() -> None:
    body = {"readings": {"ch4_pct_vol": 2.5}}
    decoded = decode("city/v1/460107/gas/G-1/telemetry", body)
    assert metrics(judged(decoded)) == {"ch4_pct_vol": 2.5, "ch4_pct_lel": pytest.approx(50)}
    assert metrics(judged(decoded, gas=None)) == {"ch4_pct_vol": 2.5}


def frigate(phase: str, **after: Any) -> Decoded:
    state = {
        "id": "1772600767.25-ab",
        "camera": "gate",
        "label": "person",
        "start_time": AT.timestamp(),
        "snapshot": "A" * 100_000,
        **after,
    }
    return decode("frigate/events", {"type": phase, "before": {}, "after": state})


def test_pitfall_28_an_event_of_many_reports_keeps_one_identity_and_no_picture() -> None:
    reports = [frigate(phase).events[0] for phase in ("new", "update", "update", "end")]
    assert {(event.camera, event.event_id) for event in reports} == {("gate", "1772600767.25-ab")}
    assert reports[-1].end_at is not None  # `end_time` is null: when it was seen last
    assert all(len(json.dumps(event.attributes)) < 2_000 for event in reports)


def test_pitfall_28_a_false_alarm_is_none_and_one_found_out_later_is_over() -> None:
    assert frigate("new", false_positive=True).message_class is MessageClass.OTHER
    assert frigate("update", false_positive=True).events[0].phase is EventPhase.END


def test_pitfall_28_a_picture_is_counted_and_not_kept() -> None:
    body = {"label": "car", "timestamp": 1_772_600_767_250, "serial": "a", "image": "A" * 100_000}
    decoded = decode("detectx/crop/a", body)
    assert len(json.dumps([decoded.link, [e.attributes for e in decoded.events]])) < 2_000


@pytest.mark.parametrize("name", ["lid 4", "Küche", "井盖 7/Süd", "0x00124b0001020304"])
def test_pitfall_29_a_name_of_any_letters_is_a_name(name: str) -> None:
    assert decode(f"zigbee2mqtt/{name}", {"tamper": True}).device == name


def test_pitfall_29_the_hardware_address_outlives_the_name() -> None:
    hardware = {"device": {"ieeeAddr": "0x00124B0001020304"}, "tamper": True}
    for name in ("lid 4", "renamed", ""):
        assert decode(f"zigbee2mqtt/{name}", hardware).device == "0x00124b0001020304"
    assert decode("zigbee2mqtt/", {"tamper": True}).device == ""


@pytest.mark.parametrize(
    ("topic", "body", "class_", "device_"),
    [
        # an empty first level
        ("/esp-1/lecturas", b'{"concentracion": 3}', MessageClass.TELEMETRY, "esp-1"),
        # nothing, where nothing means "deleted", and where it means nothing
        ("zigbee2mqtt/lid 4", b"", MessageClass.OTHER, "lid 4"),
        (UP, b"", MessageClass.INVALID, ""),
        # letters outside ASCII, and bytes that are no text
        ("tele/灯-7/LWT", b"Online", MessageClass.STATUS, "灯-7"),
        ("tele/lamp-6/LWT", b"\xff\xfe", MessageClass.INVALID, "lamp-6"),
        # a byte order mark before the JSON
        (UP, b"\xef\xbb\xbf" + json.dumps(chirpstack()).encode(), MessageClass.TELEMETRY, EUI),
    ],
)
def test_pitfall_30_oddities_of_the_wire_are_taken_or_refused_on_purpose(
    topic: str, body: bytes, class_: MessageClass, device_: str
) -> None:
    decoded = decode(topic, body)
    assert (decoded.message_class, decoded.device) == (class_, device_)
    assert bool(decoded.rejects) == (class_ is MessageClass.INVALID)


@pytest.mark.parametrize("name", FORMATS)
def test_pitfall_30_a_huge_body_is_refused_unread(name: str) -> None:
    decoded = FORMATS[name].parse(f"feed/{name}/x", b"{" * (PAYLOAD_LIMIT + 1), NOW)
    assert [reject.reason for reject in decoded.rejects] == [REASON_TOO_LARGE]


def test_pitfall_08_a_time_in_the_future_is_refused_by_name() -> None:
    ahead = (NOW + timedelta(hours=1)).isoformat()
    content = judged(decode(UP, chirpstack(time=ahead, rxInfo=[])), "milesight-em500-udl")
    assert content.readings == ()
    assert {reject.reason for reject in content.rejects} == {REASON_TIME_FUTURE}
