"""`/squads`: where they are, whether they are on duty, how much they carry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from flask import Blueprint, Response

from city.person import Caller
from city.squad import Squad
from dashboard.api.answers import json_answer
from dashboard.api.params import cursor_key, page, read_list_query
from dashboard.shell.auth import current_caller
from dashboard.shell.parts import parts
from db import squads as squad_rows
from db.pool import transaction
from db.walls import find_district

SQUAD_FILTERS: dict[str, type] = {"kind": str, "on_duty": bool, "skill": str}

squads = Blueprint("squads", __name__)


class SquadItem(msgspec.Struct, frozen=True):
    """A squad, where it is, whether it is on duty and how much it carries."""

    code: str
    name_zh: str
    name_en: str
    kind: str
    skills: list[str]
    duty_grids: list[str]
    shifts: list[dict[str, Any]]
    lon: float | None
    lat: float | None
    position_at: datetime | None
    on_duty: bool
    open_incidents: int
    brigade_zh: str
    brigade_en: str
    kit: list[str]


def squad_item(row: Squad, local: datetime) -> dict[str, Any]:
    """A squad at a local wall-clock time."""
    item = SquadItem(
        code=row.code,
        name_zh=row.name_zh,
        name_en=row.name_en,
        kind=row.kind,
        skills=sorted(row.skills),
        duty_grids=sorted(row.duty_grids),
        shifts=[
            {
                "weekdays": sorted(shift.weekdays),
                "start": f"{shift.start:%H:%M}",
                "end": f"{shift.end:%H:%M}",
            }
            for shift in row.shifts
        ],
        lon=row.position.lon if row.position else None,
        lat=row.position.lat if row.position else None,
        position_at=row.position_at,
        on_duty=row.is_on_duty(local),
        open_incidents=row.open_incidents,
        brigade_zh=row.brigade_zh,
        brigade_en=row.brigade_en,
        kit=sorted(row.kit),
    )
    plain: dict[str, Any] = msgspec.to_builtins(item)
    return plain


@squads.get("/squads")
def list_squads() -> Response:
    query = read_list_query(SQUAD_FILTERS)
    key = cursor_key(query, str)
    rows = [
        row
        for row in _squads_now(current_caller())
        if _is_wanted(row, query.filters)
        and (key is None or row["code"] > key[0])
        and (query.since is None or _reported_since(row, query.since))
    ]
    return json_answer(page(rows, query.limit, lambda row: [row["code"]]))


def _is_wanted(row: dict[str, Any], filters: dict[str, Any]) -> bool:
    return (
        filters.get("kind", row["kind"]) == row["kind"]
        and filters.get("on_duty", row["on_duty"]) == row["on_duty"]
        and ("skill" not in filters or filters["skill"] in row["skills"])
    )


def _reported_since(row: dict[str, Any], since: datetime) -> bool:
    return row["position_at"] is not None and datetime.fromisoformat(row["position_at"]) >= since


def _squads_now(caller: Caller) -> list[dict[str, Any]]:
    """Active squads with position, duty and load."""
    now = datetime.now(UTC)
    with transaction(parts().pool) as conn:
        district = find_district(conn, caller.district)
        rows = squad_rows.list_squads(conn, caller.district, near=now)
    zone = ZoneInfo(district.timezone if district else "UTC")
    return [squad_item(row, now.astimezone(zone)) for row in rows]
