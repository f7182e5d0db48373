"""Those of the thirty pitfalls that only a database can tell: repeats, order, occurrences.

The rest, and what the numbers stand for, is in `tests/unit/ingest/test_pitfalls.py`.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.steps import apply_rules, default_rules, evaluate_waiting
from city.reading import METRICS, Quality
from db import rejects
from db.devices import NewDevice, insert_devices
from db.pool import Connection
from db.readings import latest, list_history
from ingest.message import Message
from ingest.store_batch import replay_reject
from tests.integration.ingest.field import DISTRICT, Field

EUI = "24e1aa0000000001"
UP = f"application/7/device/{EUI}/event/up"
TTN = "v3/fleet@town/devices/lid-4/up"
CAMERA = "ACCC8E000001"


@pytest.fixture
def devices(field: Field) -> Field:
    """The field with one device of each format that repeats itself in a way of its own."""
    register(field.conn, field.now, "P-CS", "chirpstack", EUI, "milesight-em400")
    register(field.conn, field.now, "P-RAW", "chirpstack", "24e1aa0000000010", "")
    register(field.conn, field.now, "P-TTN", "ttn", EUI, "milesight-em400")
    register(field.conn, field.now, "P-LOR", "loriot", EUI, "milesight-em400")
    register(field.conn, field.now, "P-Z2M", "zigbee2mqtt", "lid 4", "")
    register(field.conn, field.now, "P-Z2M-2", "zigbee2mqtt", "lid 4/l2", "")
    register(field.conn, field.now, "P-TAS", "tasmota", "lamp-6", "", kind="light")
    register(field.conn, field.now, "P-AXIS", "axis", CAMERA, "", kind="camera")
    register(field.conn, field.now, "P-FRIGATE", "frigate", "gate", "", kind="camera")
    return field


def register(
    conn: Connection,
    now: datetime,
    code: str,
    format_: str,
    identity: str,
    model: str,
    kind: str = "manhole",
) -> None:
    place = (110.35, 20.0, None)
    device = NewDevice(code, DISTRICT, kind, model, format_, identity, code, *place, None, 3600, {})
    insert_devices(conn, [device], now)


def message(
    field: Field,
    topic: str,
    body: Any,
    later_s: float = 0,
    *,
    retain: bool = False,
    again: bool = False,
) -> Message:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    received_at = field.now + timedelta(seconds=later_s)
    return Message(topic, payload, retain, received_at, again=again)


def chirpstack(field: Field, distance: float, later_s: float = 0, **changes: Any) -> dict[str, Any]:
    at = (field.now + timedelta(seconds=later_s - 1)).isoformat()
    return {
        "deviceInfo": {"devEui": EUI},
        "time": at,
        "fCnt": 41,
        "fPort": 85,
        "object": {"distance": distance},
        **changes,
    }


def values(field: Field, code: str, metric: str) -> list[float]:
    """Every stored value of a device, oldest first."""
    rows = field.conn.execute(
        "SELECT value FROM reading JOIN device ON device.id = device_id "
        "WHERE code = %s AND metric_id = %s ORDER BY ts",
        (code, METRICS[metric].id),
    ).fetchall()
    return [row[0] for row in rows]


def last(field: Field, code: str, metric: str) -> float:
    device_id = field.one("SELECT id FROM device WHERE code = %s", code)
    return {value.metric: value.value for value in latest(field.conn, device_id)}[metric]


def occurrences(field: Field) -> list[tuple[str, str]]:
    return field.conn.execute("SELECT phase, type FROM video_event ORDER BY start_at").fetchall()


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in seven batches"])
def test_pitfall_01_one_frame_by_seven_gateways_is_stored_once(
    devices: Field, together: bool
) -> None:
    """A network without deduplication sends it once for each gateway; the time is the sensor's."""
    frames = [
        message(
            devices,
            UP,
            chirpstack(
                devices,
                1290,
                rxInfo=[{"gatewayId": f"aa0{number}", "rssi": -100 - number}],
            ),
            number / 10,
        )
        for number in range(7)
    ]
    for batch in [frames] if together else [[frame] for frame in frames]:
        devices.store(*batch)

    assert values(devices, "P-CS", "distance_mm") == [1290]
    assert devices.books() == (7, 1, 6, 0)


def test_pitfall_01_packet_brokers_double_without_a_time_is_stored_once(devices: Field) -> None:
    """The same frame, its counter and bytes, from our own network and from a partner's."""
    frame = {"f_port": 85, "f_cnt": 7, "frm_payload": "BIIKBQ=="}
    ids = {"end_device_ids": {"device_id": "lid-4", "dev_eui": EUI.upper()}}
    own = frame | {"rx_metadata": [{"gateway_ids": {"gateway_id": "g-1"}, "rssi": -90}]}
    partners = frame | {"rx_metadata": [{"packet_broker": {"forwarder_gateway_id": "x"}}]}

    devices.store(message(devices, TTN, ids | {"uplink_message": own}))
    devices.store(message(devices, TTN, ids | {"uplink_message": partners}, 3))

    assert values(devices, "P-TTN", "distance_mm") == [1290]
    assert devices.books() == (2, 1, 1, 0)


def test_pitfall_02_loriots_rx_and_gw_of_a_frame_are_one(devices: Field) -> None:
    ts = round(devices.now.timestamp() * 1000) - 900
    frame = {"EUI": EUI.upper(), "ts": ts, "fcnt": 7, "port": 85, "data": "04820a05"}
    devices.store(message(devices, "feed/loriot/x", {"cmd": "rx", **frame, "rssi": -90}))
    devices.store(message(devices, "feed/loriot/x", {"cmd": "gw", **frame, "gws": []}, 2))

    assert values(devices, "P-LOR", "distance_mm") == [1290]
    assert devices.books() == (2, 1, 1, 0)


def test_pitfall_02_up_and_normalised_up_do_not_double_what_both_say(devices: Field) -> None:
    at = (devices.now - timedelta(seconds=1)).isoformat()
    ids = {"end_device_ids": {"device_id": "lid-4", "dev_eui": EUI.upper()}}
    frame = {"f_port": 85, "f_cnt": 7, "received_at": at, "decoded_payload": {"distance": 1290}}
    normalized = {
        "f_port": 85,
        "f_cnt": 7,
        "received_at": at,
        "normalized_payload": [{"air": {"temperature": 21.5}}],
    }
    for _ in range(2):
        devices.store(message(devices, TTN, ids | {"uplink_message": frame}))
        devices.store(
            message(devices, f"{TTN}/normalized", ids | {"uplink_normalized": normalized})
        )

    assert values(devices, "P-TTN", "distance_mm") == [1290]
    assert values(devices, "P-TTN", "temperature_c") == [21.5]
    assert devices.books() == (4, 2, 2, 0)


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in three batches"])
def test_pitfall_02_the_same_state_three_times_in_a_second_is_one(
    devices: Field, together: bool
) -> None:
    state = {"tamper": False, "battery": 81, "linkquality": 90}
    messages = [message(devices, "zigbee2mqtt/lid 4", state, n * 0.3) for n in range(3)]
    for batch in [messages] if together else [[one] for one in messages]:
        devices.store(*batch)

    assert values(devices, "P-Z2M", "battery_pct") == [81]
    assert values(devices, "P-Z2M", "tamper") == [0]


def test_pitfall_02_a_device_and_its_endpoint_are_two_and_each_once(devices: Field) -> None:
    for later_s in (0, 1):
        devices.store(
            message(devices, "zigbee2mqtt/lid 4", {"state_l2": "ON", "tamper": True}, later_s),
            message(devices, "zigbee2mqtt/lid 4/l2", {"state": "ON"}, later_s),
        )
    assert values(devices, "P-Z2M", "tamper") == [1]
    assert values(devices, "P-Z2M-2", "lamp_on") == [1]


def test_pitfall_02_a_message_without_a_time_sent_again_by_the_broker_is_one(
    devices: Field,
) -> None:
    topic, body = "tele/lamp-6/SENSOR", {"ENERGY": {"Power": 41}}
    devices.store(message(devices, topic, body))
    devices.store(message(devices, topic, body, 2, again=True))
    assert values(devices, "P-TAS", "power_w") == [41]
    # The same once more, and not marked as sent again: the lamp still draws 41 W.
    devices.store(message(devices, topic, body, 60))
    assert values(devices, "P-TAS", "power_w") == [41, 41]
    assert devices.books() == (3, 2, 1, 0)


def axis(field: Field, name: str, active: str, later_s: float = 0) -> Message:
    at = round((field.now + timedelta(seconds=later_s)).timestamp() * 1000)
    topic = f"tnsaxis:CameraApplicationPlatform/ObjectAnalytics/{name}"
    body = {
        "topic": topic,
        "timestamp": at,
        "serial": CAMERA,
        "message": {"source": {}, "key": {}, "data": {"active": active}},
    }
    return message(field, f"axis/{CAMERA}/event/{name}", body, later_s)


@pytest.mark.parametrize(
    "names",
    [("Device1Scenario3", "Device1ScenarioANY"), ("Device1ScenarioANY", "Device1Scenario3")],
)
def test_pitfall_02_a_scenario_and_any_scenario_are_one_event(
    devices: Field, names: tuple[str, str]
) -> None:
    devices.store(*(axis(devices, name, "1") for name in names))
    assert len(occurrences(devices)) == 1
    devices.store(*(axis(devices, name, "0", 20) for name in names))
    assert [phase for phase, _ in occurrences(devices)] == ["end"]


def test_pitfall_03_after_a_rejoin_frames_count_from_zero_and_all_are_stored(
    devices: Field,
) -> None:
    counters = [37, 48, 0, 1, 0]  # a gap, a rejoin, another rejoin
    for number, counter in enumerate(counters):
        body = chirpstack(devices, 1000 + number, number * 60, fCnt=counter)
        devices.store(message(devices, UP, body, number * 60))

    assert values(devices, "P-CS", "distance_mm") == [1000, 1001, 1002, 1003, 1004]
    assert last(devices, "P-CS", "distance_mm") == 1004


def test_pitfall_05_a_frame_that_nobody_could_read_is_read_once_there_is_a_codec(
    devices: Field,
) -> None:
    body = chirpstack(
        devices, 0, deviceInfo={"devEui": "24e1aa0000000010"}, object=None, data="BIIKBQ=="
    )
    devices.store(message(devices, UP, body))
    assert devices.books() == (1, 1, 0, 0)  # received, not refused
    (kept,) = rejects.list_rejects(devices.conn)
    assert kept.reason == "frame_undecoded"
    assert replay_reject(devices.conn, kept.id, devices.now) is False

    devices.conn.execute("UPDATE device SET model = 'milesight-em400' WHERE code = 'P-RAW'")

    assert replay_reject(devices.conn, kept.id, devices.now) is True
    assert values(devices, "P-RAW", "distance_mm") == [1290]
    assert devices.books() == (1, 1, 0, 0)


def test_pitfall_08_a_clock_years_behind_still_raises_alarms_and_moves_the_latest_value(
    devices: Field,
) -> None:
    devices.store(message(devices, UP, chirpstack(devices, 1290)))
    old = chirpstack(devices, 800, 60, time="2019-01-01T00:00:00Z")
    devices.store(message(devices, UP, old, 60))

    assert last(devices, "P-CS", "distance_mm") == 800
    quality = devices.one("SELECT quality FROM reading WHERE value = 800")
    assert quality == Quality.CLOCK_REPLACED


def test_pitfall_10_late_data_is_stored_in_its_time_and_never_becomes_the_latest(
    devices: Field,
) -> None:
    devices.store(message(devices, UP, chirpstack(devices, 1290)))
    devices.store(message(devices, UP, chirpstack(devices, 900, -3600), 5))

    assert values(devices, "P-CS", "distance_mm") == [900, 1290]
    assert last(devices, "P-CS", "distance_mm") == 1290


def test_pitfall_10_points_of_a_history_are_late_and_the_live_one_is_not(devices: Field) -> None:
    then = (devices.now - timedelta(hours=3)).timestamp()
    points = [{"timestamp": then + 600 * n, "distance": 100 + n} for n in (2, 0, 1)]
    body = chirpstack(devices, 1290, object={"distance": 1290, "history": points})
    devices.store(message(devices, UP, body))
    devices.store(message(devices, UP, body, 5))

    rows = devices.conn.execute("SELECT value, quality FROM reading ORDER BY ts").fetchall()
    late = Quality.LATE  # what evaluation raises nothing for
    assert rows == [(100, late), (101, late), (102, late), (1290, Quality.GOOD)]
    assert last(devices, "P-CS", "distance_mm") == 1290


def test_pitfall_10_points_of_a_history_raise_nothing_and_the_same_value_now_does(
    devices: Field,
) -> None:
    """From the message to the alarm, over the shipped rules."""
    apply_rules(devices.conn, "system", default_rules(), devices.now)
    devices.conn.execute("UPDATE ingest_batch SET payload = NULL, evaluated_at = now()")
    register(devices.conn, devices.now, "P-GAS", "chirpstack", "24e1aa0000000011", "", kind="gas")

    def gas(live: float, *, later_s: float, **more: Any) -> Message:
        body = chirpstack(
            devices,
            0,
            later_s,
            deviceInfo={"devEui": "24e1aa0000000011"},
            object={"ch4_pct_lel": live, **more},
        )
        return message(devices, UP, body, later_s)

    then = (devices.now - timedelta(hours=3)).timestamp()
    old = [{"timestamp": then + 60 * n, "ch4_pct_lel": 90} for n in range(5)]
    devices.store(gas(1, later_s=0, history=old))
    evaluate_waiting(devices.conn, devices.now)
    assert devices.one("SELECT count(*) FROM alarm WHERE NOT demo") == 0

    devices.store(gas(90, later_s=60))
    evaluate_waiting(devices.conn, devices.now + timedelta(seconds=60))
    assert devices.one("SELECT count(*) FROM alarm WHERE NOT demo") == 1


def test_pitfall_13_a_counter_that_starts_again_is_stored_and_is_the_latest(
    devices: Field,
) -> None:
    for later_s, total in ((0, 812.5), (60, 0.25)):
        body = {"ENERGY": {"Total": total}}
        devices.store(message(devices, "tele/lamp-6/SENSOR", body, later_s))

    assert values(devices, "P-TAS", "energy_kwh") == [812.5, 0.25]
    assert last(devices, "P-TAS", "energy_kwh") == 0.25


def test_pitfall_20_of_a_repeated_cache_only_what_changed_is_new(devices: Field) -> None:
    states = [
        {"tamper": False, "battery": 81},
        {"tamper": False, "battery": 81},
        {"tamper": True, "battery": 81},
        {"tamper": False, "battery": 81},
    ]
    for number, state in enumerate(states):
        devices.store(message(devices, "zigbee2mqtt/lid 4", state, number * 60))

    assert values(devices, "P-Z2M", "battery_pct") == [81]
    assert values(devices, "P-Z2M", "tamper") == [0, 1, 0]
    seen = devices.one(
        "SELECT reported_at FROM device_link JOIN device ON device.id = device_id "
        "WHERE code = 'P-Z2M'"
    )
    assert seen == devices.now + timedelta(minutes=3)  # a sign of life all the same


def test_pitfall_21_what_the_broker_had_kept_brings_nothing_twice(devices: Field) -> None:
    said = devices.now.timestamp()
    event = {
        "type": "new",
        "after": {"id": f"{said:.2f}-ab", "camera": "gate", "label": "person", "start_time": said},
    }
    live = [
        message(devices, "frigate/events", event),
        message(devices, UP, chirpstack(devices, 1290)),
        message(devices, "zigbee2mqtt/lid 4", {"tamper": True}),
        message(devices, "zigbee2mqtt/lid 4/availability", b"offline"),
    ]
    devices.store(*live)
    devices.conn.execute("UPDATE video_event SET review = 'dismissed'")
    before = devices.books()

    for _ in range(2):  # each time that a worker connects
        devices.store(*(one._replace(retain=True) for one in live))

    assert devices.one("SELECT review FROM video_event") == "dismissed"
    assert values(devices, "P-CS", "distance_mm") == [1290]
    assert values(devices, "P-Z2M", "tamper") == [1]
    received, stored, duplicate, rejected = devices.books()
    assert (received, stored, rejected) == (before[0] + 8, before[1], 0)
    assert duplicate == before[2] + 8


def test_pitfall_23_one_poisoned_message_does_not_stop_the_batch(devices: Field) -> None:
    devices.store(
        message(devices, UP, b'{"deviceInfo": {"devEui": "24e1'),
        message(devices, UP, chirpstack(devices, 1290)),
        message(devices, "frigate/events", [1, 2]),
    )
    assert values(devices, "P-CS", "distance_mm") == [1290]
    assert len(rejects.list_rejects(devices.conn)) == 2
    assert devices.books() == (3, 1, 0, 2)


def test_pitfall_28_a_parked_car_is_one_event_however_long_it_stands(devices: Field) -> None:
    said = devices.now.timestamp()

    def report(phase: str, minute: int, **more: Any) -> Message:
        after = {
            "id": f"{said:.2f}-car",
            "camera": "gate",
            "label": "car",
            "start_time": said,
            "end_time": None,
            "frame_time": said + 60 * minute,
            **more,
        }
        return message(devices, "frigate/events", {"type": phase, "after": after}, 60 * minute)

    devices.store(report("new", 0))
    for minute in range(1, 61):
        devices.store(report("update", minute))
    devices.store(report("end", 61), report("update", 59))

    assert occurrences(devices) == [("end", "vehicle")]
    assert devices.one("SELECT end_at - start_at FROM video_event") == timedelta(minutes=61)


def test_pitfall_29_a_renamed_device_keeps_its_history(devices: Field) -> None:
    register(devices.conn, devices.now, "P-HW", "zigbee2mqtt", "0x00124b0001020304", "")
    hardware = {"device": {"ieeeAddr": "0x00124B0001020304"}}
    for later_s, name in ((0, "Küche"), (60, "renamed")):
        body = hardware | {"temperature": 20 + later_s}
        devices.store(message(devices, f"zigbee2mqtt/{name}", body, later_s))
    assert values(devices, "P-HW", "temperature_c") == [20, 80]


def test_pitfall_30_a_huge_message_is_quarantined_and_booked(devices: Field) -> None:
    devices.store(message(devices, UP, b"{" * 300_000))
    (row,) = rejects.list_rejects(devices.conn)
    assert (row.reason, row.raw_size) == ("payload_too_large", 300_000)
    assert devices.books() == (1, 0, 0, 1)


def test_pitfall_10_history_is_listed_by_the_time_of_measuring(devices: Field) -> None:
    for distance, age_s in ((3, 10), (1, 30), (2, 20)):
        devices.store(message(devices, UP, chirpstack(devices, distance, -age_s)))
    device_id = devices.one("SELECT id FROM device WHERE code = 'P-CS'")
    hour = timedelta(hours=1)
    points = list_history(
        devices.conn, device_id, "distance_mm", devices.now - hour, devices.now + hour, "raw"
    )
    assert [point.avg for point in points] == [1, 2, 3]
