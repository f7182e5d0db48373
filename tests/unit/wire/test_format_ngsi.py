"""FIWARE: entities in every representation, notifications, batches, measures of the agents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from city.reading import REASON_TEXT, Decoded, MessageClass, Quality, TimeSource
from ingest.decode import decode_by_hand
from wire import FORMATS, find_format, recognise

FIXTURES = Path(__file__).parents[2] / "fixtures" / "formats" / "ngsi"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
LAMP = "urn:ngsi-ld:Streetlight:lamp-7"


def parse(body: Any, topic: str = "feed/ngsi/orion") -> Decoded:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return FORMATS["ngsi"].parse(topic, payload, NOW)


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def named(decoded: Decoded) -> dict[str, Any]:
    return {v.name: v.value for v in decoded.values}


def stored(body: Any) -> dict[str, float]:
    """Canonical readings after the format's own model."""
    shown = decode_by_hand("feed/ngsi/orion", json.dumps(body).encode(), received_at=NOW)
    return {r["metric"]: r["value"] for r in shown["readings"] if r["stored"]}


def test_an_entity_of_version_2_keeps_what_measures_and_leaves_what_describes() -> None:
    decoded = parse(fixture("lamp-v2.json"))
    assert (decoded.message_class, decoded.device) == (MessageClass.TELEMETRY, LAMP)
    assert named(decoded) == {"powerState": "on", "illuminanceLevel": 0.6, "voltage": 229.5}
    assert [(r.metric, r.value, r.raw_unit) for r in decoded.readings] == [
        ("current_a", pytest.approx(0.31), "mA")
    ]
    assert decoded.cached  # the whole state again, not only what is new
    assert decoded.link["type"] == "Streetlight"


def test_an_attributes_own_time_goes_before_the_entitys() -> None:
    times = {v.name: (v.ts, v.ts_from) for v in parse(fixture("lamp-v2.json")).values}
    assert times["voltage"] == (datetime(2026, 3, 4, 5, 5, tzinfo=UTC), TimeSource.DEVICE)
    assert times["powerState"] == (datetime(2026, 3, 4, 5, 4, tzinfo=UTC), TimeSource.DEVICE)


def test_the_models_names_become_metrics() -> None:
    assert stored(fixture("lamp-v2.json")) == {
        "lamp_on": 1,
        "dim_pct": 60,
        "voltage_v": 229.5,
        "current_a": pytest.approx(0.31),
    }


def test_a_notification_is_one_part_an_entity() -> None:
    decoded = parse(fixture("notification-ld.json"))
    air, bin_ = decoded.parts
    assert (air.device, bin_.device) == (
        "urn:ngsi-ld:AirQualityObserved:a1",
        "urn:ngsi-ld:WasteContainer:w1",
    )
    assert [(r.metric, r.value) for r in air.readings] == [("co_ppm", 2.5)]
    assert {v.name: v.unit for v in air.values} == {"no2": "µg/m3", "relativeHumidity": ""}
    assert named(bin_) == {"fillingLevel": 0.75}
    # Without a time of its own an entity is of the notification's.
    notified = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    assert (bin_.values[0].ts, bin_.values[0].ts_from) == (notified, TimeSource.SERVER)


@pytest.mark.parametrize(
    "item",
    [
        21.5,
        {"value": 21.5},
        {"type": "Number", "value": 21.5, "metadata": {}},
        {"type": "Property", "value": 21.5, "unitCode": "CEL"},
        {"type": "Number", "value": "21.5"},
        [{"type": "Property", "value": 21.5, "datasetId": "urn:a"}],
    ],
)
def test_every_representation_says_the_same(item: Any) -> None:
    decoded = parse({"id": "urn:x", "type": "WeatherObserved", "temperature": item})
    assert [v.value for v in decoded.values] == [21.5]


@pytest.mark.parametrize(
    ("wrap", "count"),
    [
        (lambda e: [e, e], 2),
        (lambda e: {"actionType": "append", "entities": [e]}, 1),
        (lambda e: {"subscriptionId": "5", "data": [e, e]}, 2),
        (lambda e: {"type": "FeatureCollection", "features": [feature(e)]}, 1),
        (lambda e: feature(e), 1),
        (
            lambda e: {
                "type": "Notification",
                "data": {"features": [feature(e)], "type": "FeatureCollection"},
            },
            1,
        ),
    ],
)
def test_every_envelope_is_opened(wrap: Any, count: int) -> None:
    entity = {"id": "urn:x", "type": "Room", "temperature": {"type": "Property", "value": 20}}
    body = wrap(entity)
    decoded = parse(body)
    parts = decoded.parts or (decoded,)
    assert [named(part) for part in parts] == [{"temperature": 20}] * count
    assert recognise("", json.dumps(body).encode()) is FORMATS["ngsi"]


def feature(entity: dict[str, Any]) -> dict[str, Any]:
    properties = {key: item for key, item in entity.items() if key != "id"}
    return {"id": entity["id"], "type": "Feature", "geometry": None, "properties": properties}


def test_version_1_lists_its_attributes() -> None:
    body = {
        "subscriptionId": "5",
        "contextResponses": [
            {
                "contextElement": {
                    "id": "r1",
                    "type": "Room",
                    "isPattern": "false",
                    "attributes": [{"name": "temperature", "type": "float", "value": "23"}],
                }
            }
        ],
    }
    assert named(parse(body)) == {"temperature": 23}


def test_an_expanded_name_is_cut_to_its_last_part() -> None:
    models = "https://uri.fiware.org/ns/data-models"
    body = {
        "@id": "urn:x",
        "@type": [f"{models}#Device"],
        f"{models}#temperature": {"type": "Property", "value": 5},
    }
    decoded = parse(body)
    assert (named(decoded), decoded.link["type"]) == ({"temperature": 5}, "Device")


def test_battery_is_a_fraction_and_minus_one_is_unknown() -> None:
    entity = {"id": "d1", "type": "Device", "batteryLevel": 0.4, "rssi": -80, "deviceState": "ok"}
    assert stored(entity) == {"battery_pct": 40}
    assert stored(entity | {"batteryLevel": -1}) == {}
    assert parse(entity).link["rssi"] == -80
    percent = {"type": "Property", "value": 40, "unitCode": "P1"}
    assert stored(entity | {"batteryLevel": percent}) == {"battery_pct": 40}


def test_a_devices_value_is_ultralight() -> None:
    for text in ("t=21.2;l=0.22", "t%3D21.2%3Bl%3D0.22"):
        assert named(parse({"id": "d", "type": "Device", "value": text})) == {"t": 21.2, "l": 0.22}


def test_an_outlier_is_suspect() -> None:
    body = {
        "id": "d",
        "type": "DeviceMeasurement",
        "numValue": 5,
        "outlier": True,
        "controlledProperty": "temperature",
        "unit": "CEL",
    }
    decoded = parse(body)
    assert [(r.metric, r.quality) for r in decoded.readings] == [("temperature_c", Quality.SUSPECT)]


@pytest.mark.parametrize(
    ("said", "ts"),
    [
        ("2026-03-04T04:00:00Z/2026-03-04T05:00:00.00Z", datetime(2026, 3, 4, 5, tzinfo=UTC)),
        (
            {"@type": "DateTime", "@value": "2026-03-04T05:00:00Z"},
            datetime(2026, 3, 4, 5, tzinfo=UTC),
        ),
        (
            {"value": {"@type": "DateTime", "@value": "2026-03-04T13:00:00+08:00"}},
            datetime(2026, 3, 4, 5, tzinfo=UTC),
        ),
        ("2026-03-04T05:00:00", NOW),
        ("1970-01-01T00:00:00Z", NOW),
        (None, NOW),
        ("x", NOW),
    ],
)
def test_a_time_of_observation_in_its_wrappings(said: Any, ts: datetime) -> None:
    decoded = parse({"id": "d", "type": "Room", "temperature": 5, "dateObserved": said})
    assert decoded.values[0].ts == ts


def test_structures_are_read_one_by_one() -> None:
    body = {
        "id": "m",
        "type": "ThreePhaseAcMeasurement",
        "activePower": {"type": "Property", "value": {"L1": 1.5, "L2": 2.5}},
    }
    assert named(parse(body)) == {"activePower.L1": 1.5, "activePower.L2": 2.5}


def test_an_entity_without_readings_or_that_is_gone_is_counted_only() -> None:
    for body in (
        {"id": "s", "type": "Site", "name": "North", "refDevice": ["urn:x"]},
        {"id": "s", "type": "Room", "temperature": 5, "deletedAt": "2026-03-04T05:00:00Z"},
        {"subscriptionId": "5", "data": []},
    ):
        assert parse(body).message_class is MessageClass.OTHER


@pytest.mark.parametrize(
    "body",
    [
        5,
        "x",
        {"type": "Room"},
        {"id": 5, "type": "Room"},
        {"id": "a", "type": 5},
        b'{"id": "a"',
        {"error": "NotFound", "description": "no such entity"},
    ],
)
def test_what_is_no_entity_is_refused(body: Any) -> None:
    decoded = parse(body)
    assert decoded.message_class is MessageClass.INVALID
    assert decoded.rejects


def test_one_wrong_entity_leaves_the_others() -> None:
    decoded = parse([5, {"id": "a", "type": "Room", "temperature": 5}])
    assert [part.message_class for part in decoded.parts] == [
        MessageClass.INVALID,
        MessageClass.TELEMETRY,
    ]


# --- Agents -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    [
        "/json/key/lamp-1/attrs",
        "json/key/lamp-1/attrs",
        "/key/lamp-1/attrs",
        "feed/ngsi/lamp-1/attrs",
    ],
)
def test_measures_in_json_are_the_topics_device(topic: str) -> None:
    decoded = parse(fixture("attrs.json"), topic)
    assert decoded.device == "lamp-1"
    assert named(decoded) == {"t": 21.5, "h": 45, "door": True}
    assert {v.ts for v in decoded.values} == {datetime(2026, 3, 4, 5, 5, tzinfo=UTC)}
    assert not decoded.cached
    assert recognise(topic, b"{}") is FORMATS["ngsi"]


def test_groups_of_measures_are_several_points() -> None:
    body = [{"t": 1, "TimeInstant": "2026-03-04T05:00:00Z"}, {"t": 2}]
    decoded = parse(body, "/json/key/d/attrs")
    assert [(v.value, v.ts) for v in decoded.values] == [
        (1, datetime(2026, 3, 4, 5, tzinfo=UTC)),
        (2, NOW),
    ]


@pytest.mark.parametrize("topic", ["/ul/key/d/attrs", "feed/ultralight/d", "/key/d/attrs"])
def test_ultralight_has_groups_and_times(topic: str) -> None:
    decoded = parse(b"2026-03-04T05:00:00Z|t|21.5|k|abc#h|40", topic)
    assert [(v.name, v.value, v.ts) for v in decoded.values] == [
        ("t", 21.5, datetime(2026, 3, 4, 5, tzinfo=UTC)),
        ("k", "abc", datetime(2026, 3, 4, 5, tzinfo=UTC)),
        ("h", 40, NOW),
    ]


@pytest.mark.parametrize(("payload", "value"), [(b"21.5", 21.5), (b"open", "open")])
def test_a_single_measure_has_its_name_in_the_topic(payload: bytes, value: Any) -> None:
    assert named(parse(payload, "/ul/key/d/attrs/t")) == {"t": value}


def test_an_entity_sent_as_a_measure_is_an_entity() -> None:
    body = {"id": "urn:x", "type": "Room", "temperature": {"type": "Property", "value": 5}}
    assert parse(body, "/json/key/d/attrs").device == "urn:x"
    assert parse({"subscriptionId": "5", "data": []}, "/json/key/d/attrs").device == "d"


def test_the_result_of_a_command_is_counted_only() -> None:
    decoded = parse(b"d@ping|ok", "/ul/key/d/cmdexe")
    assert (decoded.message_class, decoded.link["event"]) == (MessageClass.OTHER, "cmdexe")


@pytest.mark.parametrize("payload", [b"t|", b"|5", b"t", b"t|1|h", b"\xff|1", b""])
def test_broken_ultralight_is_refused(payload: bytes) -> None:
    decoded = parse(payload, "/ul/key/d/attrs")
    if payload == b"t|":  # an empty value is a text of no length
        assert named(decoded) == {"t": ""}
        return
    assert decoded.rejects[0].reason == REASON_TEXT
    assert decoded.device == "d"


def test_broken_json_of_an_agent_is_refused() -> None:
    for payload in (b'{"t": 1', b"5", b"[5]", b'"x"'):
        assert parse(payload, "/json/key/d/attrs").message_class is MessageClass.INVALID


@pytest.mark.parametrize(
    "name", ["ngsi", "fiware", "fiware-ngsi-v2-normalized", "fiware-ngsi-ld", "ngsi-ld"]
)
def test_the_format_has_many_names(name: str) -> None:
    assert find_format(name) is FORMATS["ngsi"]


def test_a_list_of_numbers_is_read_and_one_of_texts_describes() -> None:
    entity = {
        "id": "urn:ngsi-ld:StreetlightFeeder:f7",
        "type": "StreetlightFeeder",
        "phaseCurrent": {"type": "Property", "value": [1.25, 1.5, 0], "unitCode": "AMP"},
        "lampsOut": {"type": "Property", "value": ["a", "b"]},
    }
    decoded = parse(entity)
    assert named(decoded) == {
        "phaseCurrent[0]": 1.25,
        "phaseCurrent[1]": 1.5,
        "phaseCurrent[2]": 0,
    }
    assert {v.unit for v in decoded.values} == {"A"}


def test_entities_of_which_the_first_is_broken_are_all_taken() -> None:
    decoded = parse([{"type": "Device"}, {"id": "lamp-7", "type": "Device", "level": 3}])
    assert decoded.message_class is MessageClass.TELEMETRY
    assert [part.message_class for part in decoded.parts] == [
        MessageClass.INVALID,
        MessageClass.TELEMETRY,
    ]


def test_a_number_that_is_none_is_refused_alone() -> None:
    entity = {
        "id": "lamp-7",
        "type": "Device",
        "temperature": {"type": "Number", "value": "NaN"},
        "voltage": {"type": "Number", "value": "229.5"},
    }
    decoded = parse(entity)
    assert named(decoded) == {"voltage": 229.5}
    assert [r.detail for r in decoded.rejects] == ["temperature: must be a number (got 'NaN')"]


def test_values_over_time_have_their_own_times() -> None:
    series = [[229, "2026-03-04T05:00:00Z"], [231, "2026-03-04T05:01:00Z"]]
    voltage = {"type": "Property", "unitCode": "VLT", "values": series}
    found = parse({"id": "lamp-7", "type": "Device", "voltage": voltage})
    assert [(v.value, v.unit, v.ts.minute) for v in found.values] == [(229, "V", 0), (231, "V", 1)]


def test_a_feed_may_name_the_format_alone() -> None:
    payload = json.dumps([{"id": "a", "type": "t", "voltage": 229}]).encode()
    known = recognise("feed/ngsi", payload)
    assert known is not None
    assert known.parse("feed/ngsi", payload, NOW).device == "a"
