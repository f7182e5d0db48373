"""Which squads to ask first for a case, with everything that speaks for and against them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from city.category import Category
from city.incident import Incident
from city.run_card import Checklist, Send
from city.squad import Recommendation
from db import certificates, places, squads
from db.pool import Connection
from dispatch.recommend import rank


def rank_for(
    conn: Connection,
    incident: Incident,
    category: Category,
    checklist: Checklist | None,
    now: datetime,
) -> list[Recommendation]:
    """Squads of the incident's district in the order in which to ask them, and whom to call. Its
    run card says who goes; without one its category says which skill it takes."""
    place = places.place_at(conn, incident.district, incident.at)
    local = now.astimezone(places.zone_of(conn, incident.district))
    there = squads.list_squads(conn, incident.district, near=now)
    on_duty = {duty.person for squad in there if (duty := squad.duty_at(local))}
    held = certificates.list_certificates(conn, sorted(on_duty))
    wanted = checklist.card.send[0] if checklist else Send(category.skill)
    lapsed = {
        one.person: one.valid_until
        for one in held
        if one.skill == wanted.skill and one.valid_until < local.date()
    }
    ranked = rank(wanted, incident.at, place.duty_grid, there, now, local, lapsed)
    phones = squads.list_phones(conn, incident.district)
    return [r if r.phone else replace(r, phone=phones[r.squad]) for r in ranked]
