"""A person reports something: it waits to be accepted."""

from __future__ import annotations

from datetime import datetime

from shapely.geometry import Point, shape

from city.category import Category
from city.errors import Forbidden, InvalidInput
from city.incident import IncidentState, Role, Source
from city.person import Caller
from city.place import LonLat
from city.requests import ReportRequest
from db import categories, demo, openings, places
from db.events import append_events
from db.places import DeviceRow
from db.pool import Connection
from db.scopes import refuse_place_outside
from dispatch.grouping import SIMILAR_TIME, Candidate, Similar, find_similar
from dispatch.steps.opening import NewMatter, open_incident

# Sources a person may give; the others belong to the engine.
BY_PEOPLE = frozenset({Source.HOTLINE, Source.PATROL, Source.LEADER, Source.VIDEO})
MAX_TEXT = 4000


def report(conn: Connection, caller: Caller, request: ReportRequest, now: datetime) -> int:
    """Open a reported incident and give its id; a similar open one is named, never merged."""
    _check(caller, request)
    at = LonLat(request.lon, request.lat)
    category = categories.find_in_force(conn, request.category, caller.district)
    _check_inside(conn, caller.district, at)
    refuse_place_outside(conn, caller.scope, at)
    device = _device(conn, caller, request)
    opened = open_incident(
        conn,
        caller,
        NewMatter(
            category=category,
            source=request.source,
            state=IncidentState.REPORTED,
            severity=request.severity or category.severity,
            at=at,
            title=request.title.strip(),
            description=request.description.strip(),
            device_id=device.id if device else None,
            device_name=device.name if device else "",
            told={
                "reporter": request.reporter.strip(),
                "device": device.code if device else None,
            },
            similar=_similar(conn, caller, request, category, device, at, now),
            demo=demo.is_demo(conn, caller.district),
        ),
        now,
    )
    assert opened is not None, "without a condition nothing stands in the way"
    append_events(conn, opened.events)
    return opened.incident.id


def _check(caller: Caller, request: ReportRequest) -> None:
    if caller.role is Role.VIEWER:
        raise Forbidden("a viewer may not report")
    if request.source not in BY_PEOPLE:
        raise InvalidInput("source", request.source.value, "is not a source a person may give")
    if request.severity is not None and not 1 <= request.severity <= 4:
        raise InvalidInput("severity", request.severity, "must be 1 to 4")
    if not request.description.strip():
        raise InvalidInput("description", request.description, "is required")
    for name, text in (("description", request.description), ("title", request.title)):
        if len(text) > MAX_TEXT:
            raise InvalidInput(name, len(text), f"is longer than {MAX_TEXT} characters")


def _check_inside(conn: Connection, district: str, at: LonLat) -> None:
    outline = shape(places.outline_of(conn, district))
    if not outline.covers(Point(at.lon, at.lat)):
        raise InvalidInput("lon", (at.lon, at.lat), f"lies outside district {district}")


def _device(conn: Connection, caller: Caller, request: ReportRequest) -> DeviceRow | None:
    if request.device is None:
        return None
    return places.find_device(conn, caller.district, request.device)


def _similar(
    conn: Connection,
    caller: Caller,
    request: ReportRequest,
    category: Category,
    device: DeviceRow | None,
    at: LonLat,
    now: datetime,
) -> Similar | None:
    candidate = Candidate(request.category, category.family, device.id if device else None, at, now)
    neighbours = openings.list_neighbours(
        conn, caller.district, category.family, now - SIMILAR_TIME, at, candidate.device_id
    )
    return find_similar(candidate, neighbours)
