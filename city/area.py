"""Areas of a city that mean something: where stalls are permitted, what is dangerous, what matters.

Pure. A place is a point with a radius, or polygons; times are the city's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from enum import StrEnum
from typing import Any

from city.errors import InvalidInput
from city.place import LonLat, distance_m

RADIUS_MAX_M = 20_000.0
POINTS_MAX = 2_000
_SPAN = re.compile(r"(?:([1-7](?:[-,][1-7])*)\s+)?(\d\d:\d\d)-(\d\d:\d\d)")
EVERY_DAY = frozenset(range(1, 8))
Ring = tuple[tuple[float, float], ...]


class AreaKind(StrEnum):
    """`stalls` (便民疏导点) permits classes of events; the others say that a place counts more."""

    STALLS = "stalls"
    HAZARD = "hazard"
    IMPORTANT = "important"


@dataclass(frozen=True, slots=True)
class Span:
    """Hours of days of the week, 1 is Monday. `end` at or before `start` is on the next day."""

    days: frozenset[int]
    start: time
    end: time

    def holds(self, local: datetime) -> bool:
        day, clock = local.isoweekday(), local.time()
        if self.start < self.end:
            return day in self.days and self.start <= clock < self.end
        before = 7 if day == 1 else day - 1
        return (day in self.days and clock >= self.start) or (
            before in self.days and clock < self.end
        )

    def __str__(self) -> str:
        hours = f"{self.start:%H:%M}-{self.end:%H:%M}"
        return hours if self.days == EVERY_DAY else f"{_days_text(self.days)} {hours}"


@dataclass(frozen=True, slots=True)
class Area:
    """`rings` are those of its polygons, lon/lat in WGS-84, each closed or not; empty where
    `centre` and `radius_m` say it. A point inside two rings lies in a hole."""

    code: str
    kind: AreaKind
    name_zh: str
    name_en: str
    rings: tuple[Ring, ...] = ()
    centre: tuple[float, float] | None = None
    radius_m: float | None = None
    classes: tuple[str, ...] = ()  # types of video events that it permits
    hours: tuple[Span, ...] = ()  # none: always
    valid_from: date | None = None
    valid_until: date | None = None  # the last day
    note: str = ""

    def covers(self, lon: float, lat: float) -> bool:
        """Whether a place lies in it; on the edge of a polygon it may or may not."""
        if self.centre is not None:
            return distance_m(LonLat(*self.centre), LonLat(lon, lat)) <= (self.radius_m or 0.0)
        inside = False
        for ring in self.rings:
            inside ^= _is_inside(ring, lon, lat)
        return inside

    def holds(self, at: datetime, zone: tzinfo) -> bool:
        """Whether it counts at a time."""
        local = at.astimezone(zone)
        if not self.is_valid_on(local.date()):
            return False
        return not self.hours or any(span.holds(local) for span in self.hours)

    def is_valid_on(self, day: date) -> bool:
        """Whether it counts on a day, at whatever hour."""
        return (self.valid_from or day) <= day <= (self.valid_until or day)

    def permits(self, type_: str) -> bool:
        return self.kind is AreaKind.STALLS and type_ in self.classes


def areas_at(
    areas: Iterable[Area], lon: float, lat: float, at: datetime, zone: tzinfo
) -> list[Area]:
    """The areas that a place lies in and that count at this time, in the order given."""
    return [area for area in areas if area.holds(at, zone) and area.covers(lon, lat)]


def _is_inside(ring: Ring, lon: float, lat: float) -> bool:
    """Ray to the east; the last point leads back to the first."""
    inside = False
    for (x0, y0), (x1, y1) in zip(ring, (*ring[1:], *ring[:1]), strict=True):
        if (y0 > lat) != (y1 > lat) and lon < (x1 - x0) * (lat - y0) / (y1 - y0) + x0:
            inside = not inside
    return inside


def parse_hours(text: str) -> tuple[Span, ...]:
    """`1-5 06:00-09:00; 6,7 06:00-12:00`; without days every day."""
    spans = []
    for part in text.replace("；", ";").split(";"):
        if not part.strip():
            continue
        match = _SPAN.fullmatch(part.strip())
        try:
            if match is None:
                raise ValueError
            start, end = (_clock(match[n]) for n in (2, 3))
        except ValueError:
            problem = "must be like 1-5 06:00-09:00, with 1 for Monday"
            raise InvalidInput("hours", part.strip(), problem) from None
        spans.append(Span(_days(match[1]) if match[1] else EVERY_DAY, start, end))
    return tuple(spans)


def hours_text(spans: Sequence[Span]) -> str:
    """As `parse_hours` reads it."""
    return "; ".join(map(str, spans))


def _clock(text: str) -> time:
    return time(0) if text == "24:00" else time.fromisoformat(text)


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        edges = [int(day) for day in part.split("-")]
        days |= set(range(edges[0], edges[-1] + 1))
    if not days:
        raise InvalidInput("hours", text, "names its days backwards")
    return frozenset(days)


def _days_text(days: frozenset[int]) -> str:
    ordered = sorted(days)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{ordered[0]}-{ordered[-1]}"
    return ",".join(map(str, ordered))


def geometry_of(area: Area) -> dict[str, Any]:
    """A GeoJSON geometry: Point or Polygon."""
    if area.centre is not None:
        return {"type": "Point", "coordinates": list(area.centre)}
    rings = [[list(point) for point in _closed(ring)] for ring in area.rings]
    return {"type": "Polygon", "coordinates": rings}


def shape_of(geometry: Mapping[str, Any]) -> tuple[tuple[Ring, ...], tuple[float, float] | None]:
    """Rings and centre of a geometry that `geometry_of` wrote."""
    if geometry["type"] == "Point":
        lon, lat = geometry["coordinates"]
        return (), (float(lon), float(lat))
    return tuple(_open(ring) for ring in geometry["coordinates"]), None


def _closed(ring: Ring) -> Ring:
    return ring if ring[0] == ring[-1] else (*ring, ring[0])


def _open(ring: Sequence[Sequence[float]]) -> Ring:
    points = tuple((float(lon), float(lat)) for lon, lat in ring)
    return points[:-1] if len(points) > 1 and points[0] == points[-1] else points
