"""What a call or order must say, and until when what it is owed is due. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shapely.geometry import Polygon

from city.clock import ClockKind, Limit, WorkCalendar
from city.errors import InvalidInput
from city.incident import Incident
from city.intake import ANSWERED, PATCHES, SATISFACTIONS, Channel
from city.intake_requests import CallBackRequest, IntakeRequest
from city.place import LonLat
from dispatch import sla

MAX_TEXT = 4000
# Of a name, a telephone number, a number of another system.
MAX_SHORT = 100
# A patch of a satellite has some dozens of corners.
CORNERS = range(3, 501)


def check_intake(request: IntakeRequest) -> None:
    """Raises `InvalidInput` for the first field that is not acceptable."""
    if request.channel is Channel.PUBLIC:
        raise InvalidInput("channel", request.channel.value, "comes from the public page alone")
    if not request.description.strip():
        raise InvalidInput("description", request.description, "is required")
    if request.severity is not None and not 1 <= request.severity <= 4:
        raise InvalidInput("severity", request.severity, "must be 1 to 4")
    for name, most in (
        ("description", MAX_TEXT), ("title", MAX_TEXT), ("caller", MAX_SHORT),
        ("phone", MAX_SHORT), ("external_number", MAX_SHORT),
    ):  # fmt: skip
        if len(text := getattr(request, name)) > most:
            raise InvalidInput(name, len(text), f"is longer than {most} characters")
    if request.call_back and not request.phone.strip():
        raise InvalidInput("phone", request.phone, "is required for a call back")
    if (request.polygon or request.captured_on) and request.channel not in PATCHES:
        raise InvalidInput("polygon", request.channel.value, "goes with drone and satellite only")
    if request.joins is None and not request.category:
        raise InvalidInput("category", request.category, "is required")


def place_of(request: IntakeRequest) -> LonLat:
    """Where a new case is: the place that is given, else the middle of the patch."""
    if request.lon is not None and request.lat is not None:
        return LonLat(request.lon, request.lat)
    if not request.polygon:
        raise InvalidInput("lon", request.lon, "is required: say where it is")
    middle = _outline(request.polygon).representative_point()
    return LonLat(middle.x, middle.y)


def polygon_of(request: IntakeRequest) -> list[list[float]] | None:
    """The corners of a patch, checked; None: it has none."""
    if not request.polygon:
        return None
    _outline(request.polygon)
    return [list(corner) for corner in request.polygon]


def _outline(corners: list[list[float]]) -> Polygon:
    if len(corners) not in CORNERS or any(len(corner) != 2 for corner in corners):
        raise InvalidInput("polygon", len(corners), "must have 3 to 500 corners [lon, lat]")
    outline = Polygon([(at.lon, at.lat) for at in (LonLat(*corner) for corner in corners)])
    if not outline.is_valid or outline.area == 0:
        raise InvalidInput("polygon", len(corners), "must not cross itself")
    return outline


def reply_due(
    request: IntakeRequest, now: datetime, limits: Mapping[ClockKind, Limit], by: WorkCalendar
) -> datetime | None:
    """Until when a reply is due: as the order says, else by the limit; None: none is owed."""
    if request.reply_due_at is not None:
        if request.reply_due_at <= now:
            shown = request.reply_due_at.isoformat()
            raise InvalidInput("reply_due_at", shown, "must be ahead")
        return request.reply_due_at
    if request.channel not in ANSWERED:
        return None
    return sla.deadline(now, limits[ClockKind.REPLY], by).due_at


def check_call_back(request: CallBackRequest) -> None:
    """A score is of somebody who answered."""
    if request.satisfaction is None:
        return
    if request.satisfaction not in SATISFACTIONS:
        named = ", ".join(map(str, SATISFACTIONS))
        raise InvalidInput("satisfaction", request.satisfaction, f"must be one of {named}")
    if not request.reached:
        raise InvalidInput("satisfaction", request.satisfaction, "nobody answered")


def check_joined(incident: Incident) -> None:
    """Callers are kept with cases that are open."""
    if not incident.is_open:
        raise InvalidInput("joins", incident.id, f"is {incident.state.value}, not open")
