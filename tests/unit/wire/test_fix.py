"""How far a cover is from where it is registered: fixes by format, datum, accuracy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from city.datum import Datum, from_wgs84
from city.place import LonLat, distance_m
from city.reading import MessageClass, Quality
from wire import FORMATS
from wire.normalize import Normalized, normalize

NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
HOME = LonLat(110.35, 20.02)
THERE = LonLat(110.3521, 20.0207)
AWAY_M = round(distance_m(HOME, THERE))
NATIVE = "city/v1/460107/manhole/MH-1/telemetry"
TTN = "v3/app@tenant/devices/mh-1/up"


@dataclass(frozen=True)
class Cover:
    code: str = "MH-1"
    kind: str = "manhole"
    district: str = "460107"
    model: str = ""
    gas: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    lon: float | None = HOME.lon
    lat: float | None = HOME.lat


def ttn(values: Mapping[str, Any]) -> bytes:
    return json.dumps(
        {
            "end_device_ids": {"device_id": "mh-1", "dev_eui": "0011223344556677"},
            "received_at": NOW.isoformat(),
            "uplink_message": {
                "f_port": 2,
                "f_cnt": 1,
                "decoded_payload": values,
                "received_at": NOW.isoformat(),
            },
        }
    ).encode()


def judged(name: str, topic: str, payload: bytes, cover: Cover = Cover()) -> Normalized:
    decoded = FORMATS[name].parse(topic, payload, NOW)
    return normalize(decoded, cover, NOW)


def moved(content: Normalized) -> list[float]:
    return [reading.value for reading in content.readings if reading.metric == "moved_m"]


@pytest.mark.parametrize(
    "names",
    [
        ("latitude", "longitude"),
        ("lat", "lon"),
        ("gps_lat", "gps_lng"),
        ("gpsLatitude", "gpsLongitude"),
        ("GNSS_Latitude", "GNSS_Longitude"),
    ],
)
def test_a_fix_is_found_under_names_that_belong_together(names: tuple[str, str]) -> None:
    lat, lon = names
    body = {lat: THERE.lat, lon: THERE.lon, "tilt_deg": 1.5}
    content = judged("ttn", TTN, ttn(body))
    assert moved(content) == [AWAY_M]
    assert {reading.metric for reading in content.readings} == {"moved_m", "tilt_deg"}
    alone = judged("ttn", TTN, ttn({"location": {lat: THERE.lat, lon: THERE.lon}}))
    assert (moved(alone), alone.message_class) == ([AWAY_M], MessageClass.TELEMETRY)
    assert moved(judged("ttn", TTN, ttn({lat: THERE.lat, "tilt_deg": 1}))) == []


@pytest.mark.parametrize(
    ("beside", "counts"),
    [
        ({"accuracy": 12}, True),
        ({"accuracy": 30}, True),
        ({"accuracy": 31}, False),
        ({"hdop": 1.2}, True),
        ({"hdop": 8}, False),
        ({"hacc": 2500.0}, False),
        ({"fix": False}, False),
        ({"valid": 0}, False),
        ({"fix": 3}, True),
        ({}, True),
    ],
)
def test_a_fix_that_is_not_sure_says_nothing(beside: dict[str, Any], counts: bool) -> None:
    fix = {"latitude": THERE.lat, "longitude": THERE.lon, "tilt_deg": 1.5}
    content = judged("ttn", TTN, ttn({**fix, **beside}))
    assert moved(content) == ([AWAY_M] if counts else [])
    assert content.rejects == ()
    assert "tilt_deg" in {reading.metric for reading in content.readings}


@pytest.mark.parametrize(("lat", "lon"), [(0, 0), (91, 110), (20, 181)])
def test_a_receiver_without_a_fix_has_not_moved(lat: float, lon: float) -> None:
    body = {"latitude": lat, "longitude": lon, "tilt_deg": 1}
    assert moved(judged("ttn", TTN, ttn(body))) == []


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_a_position_counts_in_the_datum_that_it_is_in(datum: Datum) -> None:
    shifted = from_wgs84(THERE, datum)
    body = {"latitude": shifted.lat, "longitude": shifted.lon}
    said = Cover(attributes={"fix_datum": datum.value})
    assert moved(judged("ttn", TTN, ttn(body), said)) == [AWAY_M]
    assert moved(judged("ttn", TTN, ttn(body)))[0] > AWAY_M + 300
    sent = {"lon": shifted.lon, "lat": shifted.lat, "datum": datum.value}
    payload = json.dumps({"ts": NOW.isoformat(), "position": sent}).encode()
    assert moved(judged("native", NATIVE, payload)) == [AWAY_M]


def native(position: Any, **more: Any) -> Normalized:
    body = {"ts": NOW.isoformat(), "position": position, **more}
    return judged("native", NATIVE, json.dumps(body).encode())


def test_the_native_format_says_where_a_cover_is() -> None:
    place = {"lon": THERE.lon, "lat": THERE.lat}
    both = native(place, readings={"tilt_deg": 2.0})
    assert {r.metric: r.value for r in both.readings} == {"tilt_deg": 2.0, "moved_m": AWAY_M}
    assert moved(native({**place, "accuracy_m": 500})) == []
    (faulty,) = [r for r in native(place, fault="E7").readings if r.metric == "moved_m"]
    assert faulty.quality is Quality.SUSPECT
    for wrong, named in (
        ("here", "position: must be an object"),
        ({"lon": 110}, "position.lat"),
        ({**place, "accuracy_m": -1}, "position.accuracy_m"),
        ({**place, "datum": "moon"}, "position.datum"),
    ):
        content = native(wrong, readings={"tilt_deg": 2.0})
        assert [reading.metric for reading in content.readings] == ["tilt_deg"]
        assert named in content.rejects[0].detail


def test_a_device_that_measures_it_itself_is_believed() -> None:
    place = {"lon": THERE.lon, "lat": THERE.lat}
    assert moved(native(place, readings={"moved_m": 3.0})) == [3.0]


def test_senml_and_lwm2m_say_it_too() -> None:
    senml = [
        {
            "bn": "urn:dev:ow:10e2073a0108006:",
            "bt": NOW.timestamp(),
            "u": "lat",
            "v": THERE.lat,
            "n": "a",
        },
        {"u": "lon", "v": THERE.lon, "n": "b"},
    ]
    content = judged("senml", "feed/senml/x", json.dumps(senml).encode())
    assert (moved(content), content.message_class) == ([AWAY_M], MessageClass.TELEMETRY)
    lwm2m = [
        {"bn": "/3336/0/", "n": "5513", "v": THERE.lat, "bt": NOW.timestamp()},
        {"n": "5514", "v": THERE.lon},
    ]
    content = judged("lwm2m", "feed/lwm2m/mh-1", json.dumps(lwm2m).encode())
    assert moved(content) == [AWAY_M]


def test_only_what_may_be_carried_off_is_looked_for() -> None:
    fix = {"latitude": THERE.lat, "longitude": THERE.lon, "ch4_pct_lel": 1}
    for cover in (Cover(kind="gas"), Cover(lon=None, lat=None)):
        assert moved(judged("ttn", TTN, ttn(fix), cover)) == []
