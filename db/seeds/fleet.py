"""The demo district's devices, placed along its made-up streets; the same every time."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

from city.place import LonLat, UnitGrid
from db.seeds import grid
from db.seeds.geography import streets
from db.seeds.grid import METRES_LAT, METRES_LON, TOWN_CENTRE_M, TOWN_RADIUS_M

SEED = 460107
GAS_COUNT, MANHOLE_COUNT, CAMERA_COUNT = 1_600, 1_400, 100
CABINET_COUNT, LAMPS_PER_CABINET = 76, 25
LAMP_SPACING_M = 35.0

# How often a device of each kind reports. Batteries and radio bands set these, not the platform.
REPORT_INTERVAL_S = {"gas": 120, "manhole": 600, "light": 600, "camera": 300}
LORAWAN_INTERVAL_S = 600

# Distance from the middle of the street.
OFFSET_M = {"gas": 6.0, "manhole": 2.5, "light": 9.0, "camera": 7.5}
# Streets in town carry more devices for the same length.
TOWN_WEIGHT = 2.2
# No two devices stand closer than this on one street.
STEP_ASIDE_M = 4.0

# Every n-th device speaks another wire format than the native one.
CHIRPSTACK_EVERY, THINGS_STACK_EVERY, FRIGATE_EVERY = 13, 14, 3
# Locally administered EUI-64 prefixes: no vendor owns them.
GAS_EUI, MANHOLE_EUI = "0246010701", "0246010702"

# Lamps of one cabinet are of one kind.
RATED_POWER_W = (120, 150, 180)
COVER_CODES = (
    ["0102"] * 4 + ["0103"] * 4 + ["0101", "0105", "0107"]
)  # mostly sewage and rainwater, then water supply, power, telecom
# What a camera's analytics look for, as `type` of its events.
CAMERA_DETECTS = (
    ["hawker", "outstore"],
    ["illegal_parking", "bicycle_misparking"],
    ["exposed_garbage", "overflowed_garbage"],
    ["road_occupation", "sundry_stack"],
    ["water_gather", "hawker"],
)
# Labels of a Frigate model trained for the street.
FRIGATE_LABELS = ["garbage", "vendor"]
LEAKAGE_LIMIT_MA = 30


@dataclass(frozen=True, slots=True)
class PlannedDevice:
    """A registry row of the demo, before the database gives it a number."""

    code: str
    kind: str
    name: str
    lon: float
    lat: float
    cell: UnitGrid
    report_interval_s: int
    model: str = ""
    format: str = "native"
    external_id: str | None = None
    gas: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Street:
    code: str
    name: str
    street_class: str
    metres: tuple[tuple[float, float], ...]  # east and north of the grid's corner
    length_m: float

    @property
    def in_town(self) -> bool:
        return math.dist(self.metres[len(self.metres) // 2], TOWN_CENTRE_M) < TOWN_RADIUS_M


@dataclass(frozen=True, slots=True)
class Spot:
    """A place beside a street; `offset_m` is positive to the right of its direction."""

    street: Street
    distance_m: float
    offset_m: float


@cache
def build_fleet() -> tuple[PlannedDevice, ...]:
    """All devices of the demo, gas first."""
    network = _read_streets()
    place = _placer()
    devices = [
        *_gas(network, place),
        *_manholes(network, place),
        *_lamps(network, place),
        *_cameras(network, place),
    ]
    return tuple(devices)


Placer = Callable[[Spot], tuple[LonLat, UnitGrid]]


def _placer() -> Placer:
    """Places spots on free ground: a spot that is taken moves along its street."""
    index = grid.cell_index(grid.demo_grid())
    taken: set[tuple[int, int]] = set()

    def place(spot: Spot) -> tuple[LonLat, UnitGrid]:
        distance = spot.distance_m
        while True:
            x, y = locate(spot.street, distance % spot.street.length_m, spot.offset_m)
            lonlat = LonLat(
                round(grid.GRID_WEST + x / METRES_LON, 6),
                round(grid.GRID_SOUTH + y / METRES_LAT, 6),
            )
            cell = grid.find_cell(index, lonlat)
            key = (round(x), round(y))
            if cell is not None and key not in taken:
                taken.add(key)
                return lonlat, cell
            distance += STEP_ASIDE_M

    return place


def locate(street: Street, distance_m: float, offset_m: float) -> tuple[float, float]:
    """Metres east and north of the grid's corner, `distance_m` along the street."""
    left = distance_m
    for (ax, ay), (bx, by) in pairwise(street.metres):
        step = math.hypot(bx - ax, by - ay)
        if left <= step:
            east, north = (bx - ax) / step, (by - ay) / step
            return ax + east * left + north * offset_m, ay + north * left - east * offset_m
        left -= step
    return street.metres[-1]


def _read_streets() -> list[Street]:
    network = []
    for feature in streets()["features"]:
        properties = feature["properties"]
        metres = tuple(
            ((lon - grid.GRID_WEST) * METRES_LON, (lat - grid.GRID_SOUTH) * METRES_LAT)
            for lon, lat in feature["geometry"]["coordinates"]
        )
        length = sum(math.dist(a, b) for a, b in pairwise(metres))
        name = properties["name_zh"].removesuffix("（演示）")
        network.append(Street(properties["code"], name, properties["class"], metres, length))
    return network


def _spread(network: list[Street], count: int, offset_m: float, salt: int) -> Iterator[Spot]:
    """`count` spots, evenly by length, denser in town, on either side by chance."""
    rng = random.Random(SEED + salt)
    weights = [s.length_m * (TOWN_WEIGHT if s.in_town else 1) for s in network]
    step = sum(weights) / count
    position, passed = step / 2, 0.0
    for street, weight in zip(network, weights, strict=True):
        while position < passed + weight:
            share = (position - passed) / weight
            jitter = rng.uniform(0.0, 0.6) * step * street.length_m / weight
            distance = min(share * street.length_m + jitter, street.length_m - 1)
            yield Spot(street, distance, rng.choice((-1, 1)) * offset_m)
            position += step
        passed += weight


def _gas(network: list[Street], place: Placer) -> Iterator[PlannedDevice]:
    rng = random.Random(SEED + 11)
    spots = _spread(network, GAS_COUNT, OFFSET_M["gas"], salt=1)
    for number, spot in enumerate(spots, start=1):
        lonlat, cell = place(spot)
        lorawan = number % CHIRPSTACK_EVERY == 0
        mounting = rng.choice(("valve_well", "valve_well", "sewer_well", "regulator_box"))
        yield PlannedDevice(
            code=f"GAS-{number:06d}",
            kind="gas",
            name=f"{spot.street.name}燃气 {number}（演示）",
            lon=lonlat.lon,
            lat=lonlat.lat,
            cell=cell,
            report_interval_s=LORAWAN_INTERVAL_S if lorawan else REPORT_INTERVAL_S["gas"],
            model="milesight-gs101" if lorawan else "",
            format="chirpstack" if lorawan else "native",
            external_id=f"{GAS_EUI}{number:06x}" if lorawan else None,
            gas="methane",
            attributes={"mounting": mounting, "street": spot.street.code},
        )


def _manholes(network: list[Street], place: Placer) -> Iterator[PlannedDevice]:
    rng = random.Random(SEED + 12)
    spots = _spread(network, MANHOLE_COUNT, OFFSET_M["manhole"], salt=2)
    for number, spot in enumerate(spots, start=1):
        lonlat, cell = place(spot)
        lorawan = number % THINGS_STACK_EVERY == 0
        yield PlannedDevice(
            code=f"MH-{number:06d}",
            kind="manhole",
            name=f"{spot.street.name}井盖 {number}（演示）",
            lon=lonlat.lon,
            lat=lonlat.lat,
            cell=cell,
            report_interval_s=REPORT_INTERVAL_S["manhole"],
            format="ttn" if lorawan else "native",
            external_id=f"{MANHOLE_EUI}{number:06x}" if lorawan else None,
            attributes={
                "cover_code": rng.choice(COVER_CODES),
                "tilt_baseline_deg": round(rng.uniform(-2.5, 2.5), 1),
                "water_limit_cm": rng.choice((80, 100, 120)),
                "street": spot.street.code,
            },
        )


def _lamps(network: list[Street], place: Placer) -> Iterator[PlannedDevice]:
    run_m = LAMP_SPACING_M * LAMPS_PER_CABINET
    arterials = [street for street in network if street.street_class == "arterial"]
    runs = [(s, start * run_m) for s in arterials for start in range(int(s.length_m // run_m))]
    runs.sort(key=lambda run: math.dist(locate(run[0], run[1] + run_m / 2, 0), TOWN_CENTRE_M))
    number = 0
    for cabinet, (street, start) in enumerate(runs[:CABINET_COUNT], start=1):
        for lamp in range(LAMPS_PER_CABINET):
            number += 1
            side = 1 if lamp % 2 else -1
            distance = start + (lamp + 0.5) * LAMP_SPACING_M
            lonlat, cell = place(Spot(street, distance, side * OFFSET_M["light"]))
            yield PlannedDevice(
                code=f"LT-{number:06d}",
                kind="light",
                name=f"{street.name}路灯 {number}（演示）",
                lon=lonlat.lon,
                lat=lonlat.lat,
                cell=cell,
                report_interval_s=REPORT_INTERVAL_S["light"],
                attributes={
                    "cabinet": f"CAB-{cabinet:03d}",
                    "rated_power_w": RATED_POWER_W[cabinet % len(RATED_POWER_W)],
                    "leakage_limit_ma": LEAKAGE_LIMIT_MA,
                    "road": "main",
                    "street": street.code,
                },
            )


def _cameras(network: list[Street], place: Placer) -> Iterator[PlannedDevice]:
    in_town = [street for street in network if street.in_town]
    spots = _spread(in_town, CAMERA_COUNT, OFFSET_M["camera"], salt=4)
    for number, spot in enumerate(spots, start=1):
        lonlat, cell = place(spot)
        frigate = number % FRIGATE_EVERY == 0
        yield PlannedDevice(
            code=f"CAM-{number:06d}",
            kind="camera",
            name=f"{spot.street.name}摄像机 {number}（演示）",
            lon=lonlat.lon,
            lat=lonlat.lat,
            cell=cell,
            report_interval_s=REPORT_INTERVAL_S["camera"],
            format="frigate" if frigate else "native",
            external_id=f"demo_street_{number:03d}" if frigate else None,
            attributes={
                "detects": FRIGATE_LABELS if frigate else CAMERA_DETECTS[number % 5],
                "street": spot.street.code,
            },
        )
