"""Work permits: who may open covers where, from when to when, and why. Pure.

Under a permit a cover that opens is a note and no alarm. A minute after the permit ends a cover
that is still open is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from city.errors import InvalidInput
from city.place import LonLat, distance_m

# So long after its end the crew may still be shutting the covers.
GRACE = timedelta(minutes=1)
# Longer work gets another permit: one that never ends would silence a cover for good.
LONGEST = timedelta(days=31)
# Work that has begun is entered afterwards; what is older is a slip of the pen.
BEGUN_AT_MOST = timedelta(days=1)
RADIUS_MAX_M = 5_000.0
CORNERS_MAX = 200
DEVICES_MAX = 1_000
_CODE = re.compile(r"[\w.\-/]{1,40}")


@dataclass(frozen=True, slots=True)
class PermitPlace:
    """Where: exactly one of devices, a circle, a polygon (without its first corner again) and a
    street's division."""

    devices: tuple[str, ...] = ()
    centre: LonLat | None = None
    radius_m: float = 0.0
    polygon: tuple[LonLat, ...] = ()
    street: str = ""

    def as_json(self) -> dict[str, Any]:
        if self.devices:
            return {"devices": list(self.devices)}
        if self.street:
            return {"street": self.street}
        if self.centre is not None:
            return {
                "lon": self.centre.lon, "lat": self.centre.lat, "radius_m": self.radius_m,
            }  # fmt: skip
        return {"polygon": [[corner.lon, corner.lat] for corner in self.polygon]}


@dataclass(frozen=True, slots=True)
class NewPermit:
    """What a person asks for. `code` is the number on the paper."""

    code: str
    who: str
    why: str
    place: PermitPlace
    from_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device that a permit may be about."""

    id: int
    code: str
    lon: float
    lat: float
    street: str | None
    has_cover: bool


@dataclass(frozen=True, slots=True)
class Span:
    """When a permit counts for a device: [from_at, over_at), a minute more than it says."""

    permit_id: int
    permit: str
    from_at: datetime
    over_at: datetime


@dataclass(frozen=True, slots=True)
class Noted:
    """A condition that would have been an alarm."""

    span: Span
    device_id: int
    district: str
    condition: str
    sensed_at: datetime
    reason: dict[str, Any]


def covered(spans: Iterable[Span], at: datetime, memory: timedelta = timedelta(0)) -> Span | None:
    """The permit under which something is so, the one that lasts longest if there are several.
    `memory` is how far back it looks: so long after a permit it still sees what was then."""
    holding = [span for span in spans if span.from_at <= at < span.over_at + memory]
    return max(holding, key=lambda span: span.over_at, default=None)


def check_permit(new: NewPermit, now: datetime) -> None:
    """Refuse by name what cannot be a permit."""
    if not _CODE.fullmatch(new.code):
        raise InvalidInput("code", new.code, "must be 1 to 40 letters, digits, '-', '.' or '/'")
    for name, text in (("who", new.who), ("why", new.why)):
        if not text.strip() or len(text) > 500:
            raise InvalidInput(name, text[:80], "must have 1 to 500 characters")
    if new.until_at <= new.from_at:
        raise InvalidInput("until", new.until_at, f"is not after from, {new.from_at.isoformat()}")
    if new.until_at <= now:
        raise InvalidInput("until", new.until_at, "is over: a permit of the past is of no use")
    if new.from_at < now - BEGUN_AT_MOST:
        raise InvalidInput("from", new.from_at, "is more than a day ago")
    if new.until_at - new.from_at > LONGEST:
        raise InvalidInput("until", new.until_at, f"is more than {LONGEST.days} days after from")


def read_place(fields: Mapping[str, Any]) -> PermitPlace:
    """The place out of the fields `devices`, `lon` with `lat` and `radius_m`, `polygon`, `street`;
    those that are None or empty are not given."""
    given = [n for n in ("devices", "polygon", "street") if fields.get(n)]
    if any(fields.get(name) is not None for name in ("lon", "lat", "radius_m")):
        given.append("radius_m")
    if len(given) != 1:
        raise InvalidInput(
            "place", ", ".join(given) or None,
            "must be one of: devices; lon, lat and radius_m; polygon; street",
        )  # fmt: skip
    if given == ["devices"]:
        return PermitPlace(devices=_devices(fields["devices"]))
    if given == ["street"]:
        return PermitPlace(street=str(fields["street"]))
    if given == ["polygon"]:
        return PermitPlace(polygon=_polygon(fields["polygon"]))
    lon, lat = _number("lon", fields.get("lon")), _number("lat", fields.get("lat"))
    radius = _number("radius_m", fields.get("radius_m"))
    if not 0 < radius <= RADIUS_MAX_M:
        raise InvalidInput("radius_m", radius, f"must be more than 0 and at most {RADIUS_MAX_M:g}")
    return PermitPlace(centre=LonLat(lon, lat), radius_m=radius)


def devices_in(place: PermitPlace, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The devices of a place: those that are named, or those with a cover that lie in it."""
    if place.devices:
        known = {candidate.code: candidate for candidate in candidates}
        for code in place.devices:
            if code not in known:
                raise InvalidInput("devices", code, "is no device of this district")
        return [known[code] for code in place.devices]
    found = [c for c in candidates if c.has_cover and _lies_in(place, c)]
    if not found:
        raise InvalidInput("place", place.as_json(), "there is no cover with a sensor in it")
    return found


def _lies_in(place: PermitPlace, candidate: Candidate) -> bool:
    if place.street:
        return candidate.street == place.street
    at = LonLat(candidate.lon, candidate.lat)
    if place.centre is not None:
        return distance_m(place.centre, at) <= place.radius_m
    return _is_inside(at, place.polygon)


def _is_inside(at: LonLat, corners: Sequence[LonLat]) -> bool:
    """Whether a ray to the east crosses the edges an odd number of times."""
    inside, before = False, corners[-1]
    for corner in corners:
        if (corner.lat > at.lat) != (before.lat > at.lat):
            share = (at.lat - corner.lat) / (before.lat - corner.lat)
            if at.lon < corner.lon + share * (before.lon - corner.lon):
                inside = not inside
        before = corner
    return inside


def _devices(value: Any) -> tuple[str, ...]:
    codes = value.split() if isinstance(value, str) else value
    if not isinstance(codes, list | tuple) or not all(isinstance(c, str) and c for c in codes):
        raise InvalidInput("devices", value, "must be codes of devices")
    if len(codes) > DEVICES_MAX:
        raise InvalidInput("devices", len(codes), f"at most {DEVICES_MAX} are allowed")
    return tuple(dict.fromkeys(codes))


def _polygon(value: Any) -> tuple[LonLat, ...]:
    """[[lon, lat], …], or the same as text: `lon lat; lon lat; …`."""
    if isinstance(value, str):
        value = [part.split() for part in value.split(";") if part.strip()]
    if not isinstance(value, list) or not all(
        isinstance(c, list | tuple) and len(c) == 2 for c in value
    ):
        raise InvalidInput("polygon", value, "must be corners [lon, lat]")
    corners = [LonLat(_number("polygon", lon), _number("polygon", lat)) for lon, lat in value]
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()
    if not 3 <= len(corners) <= CORNERS_MAX:
        raise InvalidInput("polygon", len(corners), f"must have 3 to {CORNERS_MAX} corners")
    return tuple(corners)


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(name, value, "must be a number") from error
