"""Is this the same matter as an incident that is open already? Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.incident import IncidentState, Neighbour
from city.place import LonLat, distance_m

# A "similar case" (domain.md 0, [S9] weak source).
SIMILAR_DISTANCE_M = 50.0
SIMILAR_TIME = timedelta(hours=24)
# Families of which one source trips several sensors: a leak, a flood. Two open covers, dark lamps
# or leaking poles side by side are two matters, and each needs somebody.
ONE_SOURCE = frozenset({"gas", "drainage"})
# Why an incident may be the same matter.
SAME_DEVICE, NEAR = "same_device", "near_same_category"
# Reports that nobody has accepted yet: no squad will be sent before somebody has.
UNVERIFIED = frozenset({IncidentState.REPORTED, IncidentState.VERIFYING})


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
    """An open incident that may be the same matter, and why we think so."""

    incident_id: int
    number: str
    because: str  # SAME_DEVICE or NEAR
    distance_m: float
    joins: bool = False  # the same surely enough to be one incident without asking a person


def find_similar(candidate: Candidate, open_incidents: Iterable[Neighbour]) -> Similar | None:
    """The best match: one to join first, then the same device, then the nearest."""
    matches = [m for n in open_incidents if (m := _match(candidate, n)) is not None]
    return min(
        matches,
        key=lambda m: (not m.joins, m.because != SAME_DEVICE, m.distance_m),
        default=None,
    )


def _match(candidate: Candidate, other: Neighbour) -> Similar | None:
    if candidate.when - other.opened_at > SIMILAR_TIME:
        return None
    if candidate.needs_release and not other.needs_release:
        return None
    apart = distance_m(candidate.at, LonLat(other.lon, other.lat))
    same_category = candidate.category == other.category
    joins = same_category and other.state not in UNVERIFIED
    same_device = candidate.device_id is not None and candidate.device_id == other.device_id
    if same_device and candidate.family == other.family:
        return Similar(other.id, other.number, SAME_DEVICE, apart, joins)
    if same_category and apart <= SIMILAR_DISTANCE_M:
        joins = joins and candidate.family in ONE_SOURCE
        return Similar(other.id, other.number, NEAR, apart, joins)
    return None
