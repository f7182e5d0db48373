"""What other areas or limits would have made of the video events of the last days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from alerts.video.standing import HELD, NEW, judge_standing
from city.area import Area
from city.video import VideoLimit
from db import areas, places, video_queue
from db.pool import Connection

LOOKED_BACK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Of `events`, how many would be held back that are not, and the other way round."""

    events: int
    held: int
    shown: int


def foresee_standings(
    conn: Connection,
    district: str,
    *,
    areas_then: Sequence[Area] | None = None,
    limits_then: Sequence[VideoLimit] | None = None,
) -> Foreseen:
    """Judge the events of the last seven days by what is in force and by what would be; None: as
    it is."""
    areas_now, limits_now = areas.list_areas(conn, district), areas.list_limits(conn, district)
    areas_then = areas_now if areas_then is None else areas_then
    limits_then = limits_now if limits_then is None else limits_then
    zone = places.zone_of(conn, district)
    found, now = video_queue.list_recent(conn, district, LOOKED_BACK)
    held = shown = 0
    for one in found:
        event = replace(one, standing=NEW)
        before = judge_standing(event, limits_now, areas_now, zone, now).standing == HELD
        after = judge_standing(event, limits_then, areas_then, zone, now).standing == HELD
        held += after and not before
        shown += before and not after
    return Foreseen(len(found), held, shown)
