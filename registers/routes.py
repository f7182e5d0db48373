"""Vehicles that leave their permitted route or hours. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo

import numpy as np
import shapely
from shapely.geometry import Point, shape

from city.errors import InvalidInput
from city.place import EARTH_RADIUS_M, LonLat
from city.register import PlaceKind, Register, RegisterEntry, StoredEntry
from registers.hours import is_within, parse_hours

OFF_ROUTE, OUT_OF_HOURS = "off_route", "out_of_hours"


@dataclass(frozen=True, slots=True)
class Position:
    entry: str
    at: datetime
    place: LonLat


@dataclass(frozen=True, slots=True)
class RouteFinding:
    """The first position of a stretch of them that are wrong in the same way, how many it has and,
    off the route, how far the farthest lies, metres."""

    entry: str
    why: str
    first: Position
    last: Position
    positions: int
    farthest_m: float


def judge_positions(
    register: Register,
    entry: RegisterEntry | StoredEntry,
    positions: Iterable[Position],
    zone: tzinfo,
) -> list[RouteFinding]:
    """Positions of one vehicle in any order; what lies on the route and in its hours ends a
    stretch. An entry without a route may go anywhere, one without hours at any time."""
    if register.place is not PlaceKind.LINE:
        raise InvalidInput("register", register.code, "has no routes: its place is no line")
    spans = parse_hours(entry.value(register.hours)) if register.hours else []
    findings: list[RouteFinding] = []
    standing: dict[str, RouteFinding] = {}
    for position in sorted(positions, key=lambda p: p.at):
        away = distance_to_route_m(entry, position.place)
        wrong = {
            OFF_ROUTE: away > register.corridor_m,
            OUT_OF_HOURS: bool(spans) and not is_within(position.at.astimezone(zone).time(), spans),
        }
        for why, is_wrong in wrong.items():
            before = standing.pop(why, None)
            if is_wrong:
                standing[why] = _longer(before, entry.code, why, position, away)
            elif before is not None:
                findings.append(before)
    return sorted([*findings, *standing.values()], key=lambda f: (f.first.at, f.why))


def _longer(
    before: RouteFinding | None, entry: str, why: str, position: Position, away: float
) -> RouteFinding:
    if before is None:
        return RouteFinding(entry, why, position, position, 1, away)
    return RouteFinding(
        entry, why, before.first, position, before.positions + 1, max(before.farthest_m, away)
    )


def distance_to_route_m(entry: RegisterEntry | StoredEntry, place: LonLat) -> float:
    """On a plane that touches the earth at the place: good to a percent within a city."""
    if entry.geometry is None:
        return 0.0
    scale = EARTH_RADIUS_M * math.pi / 180
    east = scale * math.cos(math.radians(place.lat))
    here = np.array([place.lon, place.lat])
    metres = np.array([east, scale])
    route = shapely.transform(shape(dict(entry.geometry)), lambda xy: (xy - here) * metres)
    return float(route.distance(Point(0, 0)))


def describe_stray(finding: RouteFinding) -> str:
    """What the case says of it."""
    span = f"{finding.first.at.isoformat()} – {finding.last.at.isoformat()}"
    if finding.why == OFF_ROUTE:
        away = f"{finding.farthest_m:.0f} m"
        what = f"偏离准运路线 {away} (off the permitted route by {away})"
    else:
        what = "在准运时段外行驶 (outside the permitted hours)"
    return f"{what}\n{span}, {finding.positions} 个定位 (positions)"
