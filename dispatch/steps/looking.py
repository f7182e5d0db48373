"""What a form shows beside what is typed: categories, places, and what is around a place."""

from __future__ import annotations

from datetime import datetime

from city.looking import Around, FoundCategory, FoundPlace, NearCase, NearDevice
from city.place import LonLat, distance_m
from city.scope import Scope
from db import categories, incidents, looking, openings, places
from db.pool import Connection
from db.scopes import refuse_place_outside
from dispatch.case_text import Term, fold, is_found, name_text, read_query
from dispatch.grouping import SIMILAR_DISTANCE_M, SIMILAR_TIME

# Lines that a person reads through while somebody is on the telephone.
SHOWN = 12
DEVICES_M = 150.0
HALF_DEG = 0.0015  # about 165 m


def find_categories(conn: Connection, district: str, query: str) -> list[FoundCategory]:
    """Categories in force by name in either language, pinyin, initials or code; with an empty
    query all of them."""
    terms = read_query(query) if query.strip() else []
    found = []
    for row in categories.list_in_force(conn, district):
        text = f"{row.code} {row.name_zh} {row.name_en} {row.family}"
        if all(is_found(term, name_text(text)) for term in terms):
            found.append(
                FoundCategory(
                    code=row.code,
                    family=row.family,
                    name_zh=row.name_zh,
                    name_en=row.name_en,
                    severity=row.severity,
                )
            )
    return sorted(found, key=lambda c: (not _begins(c, terms), c.code)) if terms else found


def _begins(category: FoundCategory, terms: list[Term]) -> bool:
    """Whether a name begins with what was typed: such come first."""
    first, document = terms[0], name_text(category.name_zh)
    return (
        category.code.startswith(first.word)
        or document.text.startswith(first.word)
        or category.name_en.lower().startswith(first.word)
        or document.initials.strip().startswith(first.word)
        or document.sound.replace(" ", "").startswith(first.word)
    )


def find_places(conn: Connection, scope: Scope, query: str) -> list[FoundPlace]:
    """Streets and communities by name, pinyin or initials, cells, devices and entries of registers
    by code or name."""
    terms = read_query(query)
    named = [
        FoundPlace(kind=kind, code=code, name=name, lon=lon, lat=lat)
        for kind, code, name, lon, lat in looking.list_divisions(conn, scope.district)
        if all(is_found(term, name_text(f"{name} {code}")) for term in terms)
    ]
    coded = looking.list_coded_places(conn, scope, fold(query), SHOWN)
    return [*named[:SHOWN], *coded]


def list_around(conn: Connection, scope: Scope, at: LonLat, category: str, now: datetime) -> Around:
    """Open cases within 50 m and 24 h of the same class, and the devices near."""
    refuse_place_outside(conn, scope, at)
    district = scope.district
    place = places.place_at(conn, district, at)
    return Around(
        unit_grid=place.unit_grid,
        street_name=place.street_name,
        community_name=place.community_name,
        cases=_cases(conn, district, at, category, now) if category else [],
        devices=_devices(conn, district, at),
    )


def _cases(conn: Connection, district: str, at: LonLat, code: str, now: datetime) -> list[NearCase]:
    family = categories.find_in_force(conn, code, district).family
    found = openings.list_neighbours(conn, district, family, now - SIMILAR_TIME, at, None)
    apart = {n.id: distance_m(at, LonLat(n.lon, n.lat)) for n in found}
    near = [n for n in found if apart[n.id] <= SIMILAR_DISTANCE_M]
    rows = {i.id: i for i in incidents.list_by_id(conn, [n.id for n in near], district)}
    cases = [
        NearCase(
            id=n.id,
            number=n.number,
            state=n.state,
            severity=rows[n.id].severity,
            title_zh=rows[n.id].title_zh,
            title_en=rows[n.id].title_en,
            distance_m=round(apart[n.id]),
            same=n.category == code,
        )
        for n in near
    ]
    return sorted(cases, key=lambda c: (not c.same, c.distance_m))[:SHOWN]


def _devices(conn: Connection, district: str, at: LonLat) -> list[NearDevice]:
    found = [
        NearDevice(
            code=d.code,
            kind=d.kind,
            name=d.name,
            lon=d.lon,
            lat=d.lat,
            distance_m=round(distance_m(at, LonLat(d.lon, d.lat))),
            alarm=d.alarm,
        )
        for d in looking.list_devices_near(conn, district, at, HALF_DEG)
    ]
    near = [d for d in found if d.distance_m <= DEVICES_M]
    return sorted(near, key=lambda d: (d.alarm is None, d.distance_m))[:SHOWN]
