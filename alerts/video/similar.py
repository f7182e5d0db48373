"""Which other events and cases may be the same thing: pure.

Same class within 50 m and 24 h: the "similar case" mark of the city platforms (`similar_distance`,
`similar_time`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.place import LonLat, distance_m
from city.video import Near

SIMILAR_M = 50.0
SIMILAR_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Similar:
    """`subject` is `incident:ID` or `video:CAMERA/EVENT`; `number` that of the case, if there is
    one."""

    subject: str
    number: str
    camera: str
    start_at: datetime
    distance_m: int
    open: bool


def rank_similar(place: LonLat, at: datetime, near: Iterable[Near]) -> list[Similar]:
    """What is near enough in place and time: open cases first, then the nearest, then the
    latest."""
    found = []
    for one in near:
        metres = distance_m(place, LonLat(one.lon, one.lat))
        if metres > SIMILAR_M or abs(one.start_at - at) > SIMILAR_WITHIN:
            continue
        found.append(
            Similar(one.subject, one.number, one.camera, one.start_at, round(metres), one.open)
        )
    return sorted(found, key=lambda s: (not s.open, s.distance_m, -s.start_at.timestamp()))
