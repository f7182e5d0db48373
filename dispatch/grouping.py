"""Is this the same matter as an incident that is open already? Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.place import LonLat, distance_m
from db.openings import Neighbour

# A "similar case" (domain.md 0, [S9] weak source).
SIMILAR_DISTANCE_M = 50.0
SIMILAR_TIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What has just been raised or reported."""

    category: str
    family: str
    device_id: int | None
    at: LonLat
    when: datetime
    needs_release: bool = False  # must not end up under a category that closes without one


@dataclass(frozen=True, slots=True)
class Similar:
    """An open incident that is the same matter, and why we think so."""

    incident_id: int
    number: str
    because: str  # same_device or near_same_category
    distance_m: float


def find_similar(candidate: Candidate, open_incidents: Iterable[Neighbour]) -> Similar | None:
    """The best match: the same device first, then the nearest of the same category."""
    matches = [m for n in open_incidents if (m := _match(candidate, n)) is not None]
    return min(matches, key=lambda m: (m.because != "same_device", m.distance_m), default=None)


def _match(candidate: Candidate, other: Neighbour) -> Similar | None:
    if candidate.when - other.opened_at > SIMILAR_TIME:
        return None
    if candidate.needs_release and not other.needs_release:
        return None
    apart = distance_m(candidate.at, LonLat(other.lon, other.lat))
    same_device = candidate.device_id is not None and candidate.device_id == other.device_id
    if same_device and candidate.family == other.family:
        return Similar(other.id, other.number, "same_device", apart)
    if candidate.category == other.category and apart <= SIMILAR_DISTANCE_M:
        return Similar(other.id, other.number, "near_same_category", apart)
    return None
