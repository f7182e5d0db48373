"""The simulator's play: repeatable, evenly spread, alive within a minute, calm afterwards."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from city.device import RegisteredDevice
from city.place import LonLat, distance_m
from db.seeds.simulated import SimulatedDevice, planned_devices
from db.seeds.squads import read_squads
from simulator.cast import Cast
from simulator.episodes import Episode, Observation
from simulator.messages import Message
from simulator.play import FILL_S, play
from simulator.scenarios import DEFAULT, SCENARIOS
from wire import FORMATS
from wire.normalize import normalize

START = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)  # 11:00 in the district: lamps are off
NIGHT = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)  # 22:00


@pytest.fixture(scope="module")
def whole() -> Cast:
    """All devices of the demo."""
    return Cast(tuple(planned_devices()), tuple(read_squads()))


@pytest.fixture(scope="module")
def small() -> Cast:
    """Forty devices of each kind: enough for every scenario."""
    devices: list[SimulatedDevice] = []
    for _, group in itertools.groupby(planned_devices(), key=lambda d: d.kind):
        devices += itertools.islice(group, 40)
    return Cast(tuple(devices), tuple(read_squads())[:3])


def during(
    cast: Cast, seconds: float, *, scenario: str = DEFAULT, seed: int = 1, start: datetime = START
) -> Iterator[tuple[float, Message]]:
    """Messages of the first seconds, with their time since the start."""
    for message in play(cast, SCENARIOS[scenario], seed, start):
        since = (message.at - start).total_seconds()
        if since > seconds:
            return
        yield since, message


def values_of(cast: Cast, device: str, metric: str, **options: object) -> list[tuple[float, float]]:
    """Times and values of one metric of a native device."""
    found = []
    for since, message in during(cast, 900, **options):  # type: ignore[arg-type]
        if f"/{device}/telemetry" in message.topic:
            found.append((since, json.loads(message.payload)["readings"][metric]))
    return found


def first(cast: Cast, scenario: str, start: datetime = START) -> Episode:
    happening = next(SCENARIOS[scenario](cast, start, random.Random(1)))
    assert isinstance(happening, Episode)
    return happening


def test_the_same_seed_and_start_give_the_same_messages(small: Cast) -> None:
    assert list(during(small, 300)) == list(during(small, 300))


def test_another_seed_gives_another_city(small: Cast) -> None:
    assert list(during(small, 60)) != list(during(small, 60, seed=2))


def test_messages_come_in_the_order_of_time(small: Cast) -> None:
    times = [since for since, _ in during(small, 600)]
    assert times == sorted(times)


def test_every_device_reports_within_twenty_seconds_of_the_start(whole: Cast) -> None:
    topics = {message.topic for _, message in during(whole, 20)}
    told = "\n".join(topics)
    silent = [
        d.code
        for d in whole.devices
        if d.code not in told and (d.external_id or "-") not in told and d.code.lower() not in told
    ]
    assert FILL_S < 20
    assert silent == []


def test_reports_are_spread_evenly_over_the_interval(whole: Cast) -> None:
    slots = Counter(
        int((since - 20) // 20)
        for since, message in during(whole, 320, scenario="calm")
        if since >= 20 and "position" not in message.topic
    )
    rates = [slots[n] for n in range(15)]
    assert max(rates) < 1.2 * min(rates)


def test_a_device_keeps_its_beat(small: Cast) -> None:
    device = next(d for d in small.of_kind("gas") if d.format == "native")
    times = [at for at, _ in values_of(small, device.code, "ch4_pct_lel", scenario="calm")]
    steps = [round(b - a, 3) for a, b in itertools.pairwise(times[1:])]
    assert set(steps) == {float(device.report_interval_s)}


def test_a_visitor_sees_a_leak_a_sighting_and_an_open_cover_within_two_minutes(
    whole: Cast,
) -> None:
    opening = list(itertools.islice(SCENARIOS[DEFAULT](whole, START, random.Random(1)), 3))
    assert [round((h.starts_at - START).total_seconds()) for h in opening] == [45, 60, 90]
    leak, sighting, cover = opening
    assert isinstance(sighting, Observation)
    assert isinstance(leak, Episode)
    assert isinstance(cover, Episode)
    assert leak.devices[0].startswith("GAS")
    assert cover.devices[0].startswith("MH")


def test_the_first_leak_passes_both_limits_soon_and_decays_after_the_repair(whole: Cast) -> None:
    leak = first(whole, DEFAULT)
    course = values_of(whole, leak.devices[0], "ch4_pct_lel")
    low = min(at for at, value in course if value >= 20)
    high = min(at for at, value in course if value >= 50)
    assert 45 < low < 75
    assert low < high < 110
    assert course[-1][1] < 10
    assert max(value for _, value in course) < 80


def test_about_six_troubles_an_hour_and_some_sightings_for_one_dispatcher(whole: Cast) -> None:
    until = START + timedelta(hours=6)
    events = list(
        itertools.takewhile(
            lambda h: h.starts_at < until, SCENARIOS[DEFAULT](whole, START, random.Random(1))
        )
    )
    troubles = sum(isinstance(h, Episode) for h in events)
    assert 5 <= troubles / 6 <= 7
    assert 8 <= (len(events) - troubles) / 6 <= 12


def test_an_opened_cover_tilts_far_from_its_baseline_and_comes_back(small: Cast) -> None:
    surge = first(small, "cover-after-rain")
    device = small.by_code[surge.devices[0]]
    assert device.format == "native"
    baseline = device.attributes["tilt_baseline_deg"]
    tilts = values_of(small, device.code, "tilt_deg", scenario="cover-after-rain")
    levels = values_of(small, device.code, "water_level_cm", scenario="cover-after-rain")
    limit = device.attributes["water_limit_cm"]
    assert max(tilt for _, tilt in tilts) - baseline > 15
    assert abs(tilts[-1][1] - baseline) < 2
    assert max(level for _, level in levels) > limit > levels[-1][1]


def test_lamps_burn_by_night_only(small: Cast) -> None:
    lamp = small.of_kind("light")[0].code
    by_day = values_of(small, lamp, "lamp_on", scenario="calm")
    by_night = values_of(small, lamp, "lamp_on", scenario="calm", start=NIGHT)
    assert {value for _, value in by_day} == {0.0}
    assert {value for _, value in by_night} == {1.0}


def test_a_cabinet_outage_darkens_every_lamp_of_one_cabinet(small: Cast) -> None:
    outage = first(small, "cabinet-outage", NIGHT)
    cabinets = {small.by_code[code].attributes["cabinet"] for code in outage.devices}
    assert len(cabinets) == 1
    at_once = set()
    for since, message in during(small, 40, scenario="cabinet-outage", start=NIGHT):
        if since > FILL_S and "/light/" in message.topic:
            readings = json.loads(message.payload)["readings"]
            if readings["lamp_on"] == 0 and readings["power_w"] == 0:
                at_once.add(message.topic.split("/")[4])
    assert at_once == set(outage.devices)


def test_a_sighting_is_new_then_updated_then_ended_under_one_id(small: Cast) -> None:
    phases: dict[str, list[str]] = {}
    for _, message in during(small, 800, scenario="street-vending"):
        body = json.loads(message.payload) if message.payload.startswith(b"{") else {}
        if message.topic.endswith("/event"):
            phases.setdefault(body["id"], []).append(body["phase"])
        elif message.topic == "frigate/events":
            phases.setdefault(body["after"]["id"], []).append(body["type"])
    complete = [said for said in phases.values() if said[-1] == "end"]
    assert len(complete) >= 3
    for said in complete:
        assert said[0] == "new"
        assert set(said[1:-1]) == {"update"}


def test_nothing_happens_in_the_calm_city(small: Cast) -> None:
    for _, message in during(small, 900, scenario="calm"):
        readings = (
            json.loads(message.payload).get("readings", {}) if b"{" in message.payload else {}
        )
        assert readings.get("ch4_pct_lel", 0) < 10
        assert readings.get("cover_open", 0) == 0
        assert "/video/" not in message.topic


def test_squads_move_while_on_duty_and_say_nothing_while_off(small: Cast) -> None:
    night_only = next(s for s in read_squads() if s.code == "SQ-11")
    cast = Cast(small.devices, (*small.squads, night_only))
    places: dict[str, set[tuple[float, float]]] = {}
    for _, message in during(cast, 300, scenario="calm"):
        if message.topic.endswith("/position"):
            body = json.loads(message.payload)
            places.setdefault(message.topic.split("/")[4], set()).add((body["lon"], body["lat"]))
    assert "SQ-11" not in places
    assert any(len(seen) > 3 for seen in places.values())


def test_a_squad_that_is_called_goes_there_no_faster_than_it_can(small: Cast) -> None:
    called: dict[str, LonLat] = {}
    way = []
    for message in play(small, SCENARIOS["calm"], 1, START, called):
        if message.at > START + timedelta(minutes=12):
            break
        if message.topic.endswith("/squad/SQ-01/position"):
            body = json.loads(message.payload)
            way.append(LonLat(body["lon"], body["lat"]))
        if message.at > START + timedelta(seconds=60):
            called["SQ-01"] = LonLat(110.3900, 19.9600)
    steps = [distance_m(a, b) for a, b in itertools.pairwise(way)]
    assert max(steps) <= 12 * 30 + 1
    assert distance_m(way[0], LonLat(110.3900, 19.9600)) > 2_000
    assert distance_m(way[-1], LonLat(110.3900, 19.9600)) < 1


@pytest.mark.parametrize("kind", ["gas", "manhole", "light", "camera"])
def test_every_scenario_plays_with_devices_of_one_kind_alone(kind: str, small: Cast) -> None:
    alone = Cast(tuple(small.of_kind(kind)), ())
    for scenario in SCENARIOS:
        assert sum(1 for _ in during(alone, 120, scenario=scenario)) >= len(alone.devices)


def test_a_cover_that_is_carried_off_says_where_it_is(small: Cast) -> None:
    gone = first(small, "cover-carried-off")
    device = next(d for d in small.devices if d.code == gone.devices[0])
    told = []
    for since, message in during(small, 900, scenario="cover-carried-off"):
        if device.code.lower() not in message.topic.lower():
            continue
        decoded = FORMATS[device.format].parse(message.topic, message.payload, message.at)
        registered = RegisteredDevice(
            1,
            device.code,
            device.kind,
            device.district,
            device.model,
            None,
            device.format,
            device.external_id,
            device.attributes,
            "Asia/Shanghai",
            device.lon,
            device.lat,
        )
        readings = normalize(decoded, registered, message.at).readings
        told += [(since, r.value) for r in readings if r.metric == "moved_m"]
    assert len(told) >= 10
    assert all(200 < value < 280 for _, value in told)
