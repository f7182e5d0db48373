"""Open an incident: its number, its place, its first clock, its first event."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from city.category import Category
from city.clock import ClockKind
from city.event import NewEvent
from city.incident import Incident, IncidentState, Source
from city.person import Caller
from city.place import LonLat
from db import deadlines, incidents, openings, places
from db.places import Place
from db.pool import Connection
from dispatch.clocks import ClockChanges, Terms, apply_clocks
from dispatch.grouping import Similar
from dispatch.machine import Clocks
from dispatch.steps.loading import load_terms
from dispatch.steps.telling import calendar_warnings, event

# The clock that waits for the first action of a person.
FIRST_CLOCK = {
    IncidentState.REPORTED: ClockKind.FILE,
    IncidentState.FILED: ClockKind.DISPATCH,
}


@dataclass(frozen=True)
class NewMatter:
    """What is to become an incident."""

    category: Category
    source: Source
    state: IncidentState  # reported, or filed where it is verified already
    severity: int
    at: LonLat
    title: str = ""
    description: str = ""
    condition: str | None = None
    device_id: int | None = None
    device_name: str = ""
    split_from: int | None = None
    demo: bool = False
    similar: Similar | None = None  # an open incident that may be the same matter
    told: dict[str, Any] = field(default_factory=dict)  # more for the event's payload


@dataclass(frozen=True)
class Opened:
    incident: Incident
    events: list[NewEvent]


def open_incident(
    conn: Connection, caller: Caller, matter: NewMatter, now: datetime
) -> Opened | None:
    """Store it with its clock; None when its condition has an open incident already."""
    place = places.place_at(conn, caller.district, matter.at)
    local = now.astimezone(places.zone_of(conn, caller.district))
    new_id = incidents.insert_incident(conn, row_of(matter, place, caller, now), f"{local:%Y%m%d}")
    if new_id is None:
        return None
    incident = incidents.find(conn, new_id)
    terms = load_terms(conn, caller.district, new_id, matter.category)
    started = first_clock(matter.state, terms, now)
    for deadline in started.new:
        deadlines.insert_deadline(conn, deadline)
    similar = matter.similar
    if similar is not None:
        openings.insert_similar(
            conn, new_id, similar.incident_id, similar.because, similar.distance_m
        )
    return Opened(incident, opening_told(incident, matter, started, terms, caller))


def first_clock(state: IncidentState, terms: Terms, now: datetime) -> ClockChanges:
    """The clock that a new incident starts with."""
    return apply_clocks(Clocks(start=(FIRST_CLOCK[state],)), (), now, terms)


def opening_told(
    incident: Incident, matter: NewMatter, started: ClockChanges, terms: Terms, caller: Caller
) -> list[NewEvent]:
    """The first event of an incident, and what the calendar does not know yet."""
    similar, now = matter.similar, incident.opened_at
    opened = event(
        incident,
        "incident.opened",
        caller,
        now,
        to=incident.state.value,
        version=incident.version,
        category=incident.category,
        category_version=incident.category_version,
        source=incident.source.value,
        severity=incident.severity,
        unit_grid=incident.unit_grid,
        split_from=incident.split_from,
        similar_to=similar.number if similar else None,
        description=incident.description,
        clocks=started.told,
        **matter.told,
    )
    known_until = terms.calendar.known_until.isoformat()
    return [opened, *calendar_warnings(incident, started, known_until, caller, now)]


def row_of(matter: NewMatter, place: Place, caller: Caller, now: datetime) -> Incident:
    """The incident that a matter becomes; without id and number."""
    where = matter.device_name or place.community_name or place.street_name or ""
    suffix = f" · {where}" if where else ""
    return Incident(
        id=0,
        number="",
        district=caller.district,
        condition=matter.condition,
        category=matter.category.code,
        category_version=matter.category.version,
        source=matter.source,
        state=matter.state,
        severity=matter.severity,
        title_zh=matter.title or matter.category.name_zh + suffix,
        title_en=matter.title or matter.category.name_en + suffix,
        description=matter.description,
        lon=matter.at.lon,
        lat=matter.at.lat,
        unit_grid=place.unit_grid,
        street=place.street,
        community=place.community,
        device_id=matter.device_id,
        opened_at=now,
        reported_by=caller.name,
        demo=matter.demo,
        filed_at=now if matter.state is IncidentState.FILED else None,
        split_from=matter.split_from,
    )
