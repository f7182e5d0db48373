"""What the simulator publishes is understood by the wire formats, and says what was meant."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from city.reading import EventPhase, MessageClass
from db.seeds.fleet import PlannedDevice, build_fleet
from db.seeds.simulated import SimulatedDevice, planned_devices
from simulator import messages, weather
from simulator.cast import Cast
from simulator.messages import Message, Sighting
from simulator.model import measure
from simulator.noise import drift, share
from simulator.play import play
from simulator.scenarios import SCENARIOS
from wire import FORMATS, recognise
from wire.normalize import Normalized, normalize

AT = datetime(2026, 3, 2, 3, 0, 0, 123_000, tzinfo=UTC)
DEVICES = {device.code: device for device in planned_devices()}
CAST = Cast(tuple(DEVICES.values()), ())


class Registered:
    """A registry row as the normaliser wants it."""

    def __init__(self, device: PlannedDevice) -> None:
        self.code, self.kind, self.model, self.gas = (
            device.code,
            device.kind,
            device.model,
            device.gas,
        )
        self.district = "460107"
        self.lon, self.lat = device.lon, device.lat
        self.attributes: dict[str, Any] = {}


REGISTRY = {
    (device.format, device.external_id or device.code): Registered(device)
    for device in build_fleet()
}


def understood(message: Message) -> tuple[str, Normalized]:
    """The code of the registered device and what of the message would be stored."""
    wire_format = recognise(message.topic, message.payload)
    assert wire_format is not None, message.topic
    received_at = message.at + timedelta(milliseconds=150)
    decoded = FORMATS[wire_format.name].parse(message.topic, message.payload, received_at)
    device = REGISTRY.get((decoded.format, decoded.device))
    code = device.code if device else decoded.device
    return code, normalize(decoded, device, received_at)


def one_of(kind: str, format_name: str) -> SimulatedDevice:
    return CAST.of_kind(kind, format_name)[0]


def sighting(phase: str) -> Sighting:
    ended = AT + timedelta(minutes=2) if phase == "end" else None
    return Sighting("1772420400.123-cam", "garbage", phase, AT, ended, 0.71, (0.1, 0.2, 0.3, 0.4))


@pytest.mark.parametrize(
    ("kind", "format_name"), [("gas", "native"), ("manhole", "native"), ("light", "native")]
)
def test_a_native_report_arrives_value_by_value(kind: str, format_name: str) -> None:
    device = one_of(kind, format_name)
    values = measure(1, device, AT, CAST.centre)
    code, stored = understood(messages.telemetry(device, values, AT))
    assert code == device.code
    assert stored.rejects == ()
    assert {r.metric: r.value for r in stored.readings} == values
    assert {r.ts for r in stored.readings} == {AT}


def test_a_report_through_the_things_stack_arrives_value_by_value() -> None:
    device = one_of("manhole", "ttn")
    values = measure(1, device, AT, CAST.centre)
    code, stored = understood(messages.telemetry(device, values, AT))
    assert code == device.code
    assert stored.rejects == ()
    assert {r.metric: r.value for r in stored.readings}.items() >= values.items()


@pytest.mark.parametrize("alarm", [0.0, 1.0])
def test_a_gas_detector_behind_chirpstack_arrives_as_alarm_or_not(alarm: float) -> None:
    device = one_of("gas", "chirpstack")
    code, stored = understood(messages.telemetry(device, {"gas_alarm": alarm}, AT))
    assert code == device.code
    assert stored.rejects == ()
    assert [r.value for r in stored.readings if r.metric == "gas_alarm"] == [alarm]


@pytest.mark.parametrize("phase", ["new", "update", "end"])
@pytest.mark.parametrize("format_name", ["native", "frigate"])
def test_a_video_event_arrives_with_its_identity_and_phase(format_name: str, phase: str) -> None:
    camera = one_of("camera", format_name)
    code, stored = understood(messages.video(camera, sighting(phase), AT + timedelta(minutes=2)))
    assert code == camera.code
    assert stored.message_class is MessageClass.EVENT
    (event,) = stored.events
    assert event.phase is EventPhase(phase)
    assert event.event_id == "1772420400.123-cam"
    assert event.start_at == AT
    assert event.type in ("garbage", "exposed_garbage")
    assert (event.end_at is not None) == (phase == "end")


@pytest.mark.parametrize("format_name", ["native", "frigate"])
def test_a_camera_says_that_it_is_there(format_name: str) -> None:
    camera = one_of("camera", format_name)
    message = messages.camera_status(camera, AT)
    code, stored = understood(message)
    assert message.retain
    assert code == camera.code
    assert [status.online for status in stored.statuses] == [True]


def test_a_squad_position_arrives() -> None:
    code, stored = understood(messages.position("460107", "SQ-01", 110.351234, 19.987654, AT))
    assert code == "SQ-01"
    (position,) = stored.positions
    assert (position.lon, position.lat, position.ts) == (110.351234, 19.987654, AT)


def test_nothing_in_a_quarter_of_an_hour_of_the_city_is_rejected() -> None:
    devices = [
        device
        for kind, format_name in (
            ("gas", "native"),
            ("gas", "chirpstack"),
            ("manhole", "native"),
            ("manhole", "ttn"),
            ("light", "native"),
            ("camera", "native"),
            ("camera", "frigate"),
        )
        for device in CAST.of_kind(kind, format_name)[:30]
    ]
    cast = Cast(tuple(devices), ())
    heard: dict[str, int] = defaultdict(int)
    for message in play(cast, SCENARIOS["city-day"], 1, AT):
        if message.at - AT > timedelta(minutes=15):
            break
        code, stored = understood(message)
        assert stored.rejects == (), message.topic
        assert stored.message_class is not MessageClass.INVALID
        heard[code] += 1
    assert set(heard) == {device.code for device in devices}


def test_backgrounds_stay_far_below_the_lowest_limits_through_a_year() -> None:
    rng = random.Random(3)
    detectors = rng.sample(CAST.of_kind("gas", "native"), 40)
    covers = rng.sample(CAST.of_kind("manhole", "native"), 40)
    for hour in range(0, 365 * 24, 171):
        at = AT + timedelta(hours=hour)
        for device in detectors:
            assert 0 <= measure(1, device, at, CAST.centre)["ch4_pct_lel"] < 9
        for device in covers:
            values = measure(1, device, at, CAST.centre)
            assert values["water_level_cm"] < 0.9 * device.attributes["water_limit_cm"]
            assert abs(values["tilt_deg"] - device.attributes["tilt_baseline_deg"]) < 2


def test_it_rains_now_and_then_and_the_sewers_follow() -> None:
    hours = [AT + timedelta(minutes=20 * n) for n in range(3 * 24 * 30)]
    raining = [at for at in hours if weather.rain_mm_per_h(1, at) > 1]
    assert 0.02 < len(raining) / len(hours) < 0.2
    wettest = max(weather.wetness(1, at) for at in hours)
    assert 0.3 < wettest <= 1
    assert min(weather.wetness(1, at) for at in hours) == 0


def test_lamps_are_dimmed_late_at_night() -> None:
    evening = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # 20:00 in the district
    late = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)  # 01:00
    assert weather.dim_pct(evening) == 100
    assert weather.dim_pct(late) == weather.DIM_PCT


def test_noise_is_repeatable_even_and_smooth() -> None:
    assert share(1, "a", 2) == share(1, "a", 2) != share(2, "a", 2)
    many = [share(1, "x", n) for n in range(4_000)]
    assert 0.47 < sum(many) / len(many) < 0.53
    course = [drift(1, AT + timedelta(seconds=n), 600, "x") for n in range(3_000)]
    assert all(-1 <= value <= 1 for value in course)
    assert max(abs(b - a) for a, b in pairwise(course)) < 0.02
