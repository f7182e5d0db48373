"""The devices that a simulator may speak for: those marked as demo, and no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row

from city.place import LonLat
from db.pool import Connection
from db.seeds import grid
from db.seeds.fleet import build_fleet


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    code: str
    kind: str
    district: str
    model: str
    format: str
    external_id: str | None
    lon: float
    lat: float
    report_interval_s: int
    attributes: dict[str, Any]


def list_simulated_devices(conn: Connection) -> list[SimulatedDevice]:
    """Demo devices in service, by code."""
    with conn.cursor(row_factory=class_row(SimulatedDevice)) as cursor:
        return cursor.execute(
            """
            SELECT code, kind, district, model, format, external_id, lon, lat,
                   report_interval_s, attributes
            FROM device
            WHERE demo AND out_of_service_since IS NULL AND retired_at IS NULL
            ORDER BY code
            """
        ).fetchall()


def list_destinations(conn: Connection) -> dict[str, LonLat]:
    """Where demo squads are under way: the place of the oldest incident each has accepted."""
    rows = conn.execute(
        """
        SELECT DISTINCT ON (a.squad) a.squad, i.lon, i.lat
        FROM assignment a
        JOIN incident i ON i.id = a.incident_id
        JOIN squad s ON s.code = a.squad
        WHERE a.ended_at IS NULL AND a.acknowledged_at IS NOT NULL AND s.demo
          AND i.state IN ('acknowledged', 'on_site')
        ORDER BY a.squad, a.assigned_at
        """
    )
    return {squad: LonLat(lon, lat) for squad, lon, lat in rows}


def planned_devices() -> list[SimulatedDevice]:
    """The same devices as the seeds plan them, for a simulator without a database."""
    devices = [
        SimulatedDevice(
            code=d.code,
            kind=d.kind,
            district=grid.DISTRICT,
            model=d.model,
            format=d.format,
            external_id=d.external_id,
            lon=d.lon,
            lat=d.lat,
            report_interval_s=d.report_interval_s,
            attributes=d.attributes,
        )
        for d in build_fleet()
    ]
    return sorted(devices, key=lambda device: device.code)
