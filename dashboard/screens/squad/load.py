"""What the phone of a squad reads: its open incidents, how to get there, and its own check-in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from city.datum import Datum, from_wgs84
from city.person import Caller
from city.place import LonLat
from dashboard.screens.detail.load import facts_of
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db import devices, safety
from db.pool import Connection, transaction
from db.squads import list_squads

GAS = "gas"
# Detectors whose trend is shown at the place of a gas case.
NEAR_M = 300
NEAREST = 3


def phone_picture(caller: Caller) -> dict[str, Any]:
    """Everything that the phone shows and keeps for later: `tasks` as the API answers them, with
    `maps` (the place in the datums of map apps) and `nearby` (gas detectors there), the `steps`
    that a squad leader may take, and `now` in milliseconds."""
    now = datetime.now(UTC)
    picture: dict[str, Any] = {
        "person": caller.name,
        "squad": caller.squad,
        "squad_zh": "",
        "squad_en": "",
        "now": round(now.timestamp() * 1000),
        "steps": parts().ports.incidents.field_steps(),
        "tasks": [],
        "check_in": None,
    }
    if caller.squad is None:
        return picture
    rows = parts().walls.of(caller.scope).open_incidents(caller.squad)
    with transaction(parts().pool) as conn:
        tasks = [facts_of(conn, caller, row.id, now) for row in rows]
        picture["tasks"] = [_with_place(conn, caller, task) for task in tasks]
        for squad in list_squads(conn, caller.district, caller.squad, near=now):
            picture |= {"squad_zh": squad.name_zh, "squad_en": squad.name_en}
        picture["check_in"] = as_plain(safety.find_running(conn, caller.district, caller.name))
    return picture


def _with_place(conn: Connection, caller: Caller, task: Mapping[str, Any]) -> dict[str, Any]:
    at = LonLat(task["lon"], task["lat"])
    nearby = (
        devices.list_near(conn, caller.district, GAS, at, NEAR_M, NEAREST)
        if task["family"] == GAS
        else []
    )
    return {**task, "maps": map_places(at), "nearby": as_plain(nearby)}


def map_places(at: LonLat) -> dict[str, list[float]]:
    """A place as map apps want it, lon and lat."""
    datums = (Datum.WGS84, Datum.GCJ02, Datum.BD09)
    found = {datum.value: from_wgs84(at, datum) for datum in datums}
    return {name: [place.lon, place.lat] for name, place in found.items()}
