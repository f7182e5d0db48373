"""The devices of the demo district, about 5,000, every row marked as demo."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from db import demo
from db.pool import Connection
from db.seeds import grid
from db.seeds.fleet import PlannedDevice, build_fleet


def seed_demo(conn: Connection, now: datetime) -> None:
    """Put in what is missing and leave alone what is there; the caller commits."""
    known = {row[0] for row in conn.execute("SELECT code FROM device")}
    _insert_devices(conn, [d for d in build_fleet() if d.code not in known], now)
    demo.mark(conn, grid.DISTRICT, (), now)


def _insert_devices(conn: Connection, devices: Sequence[PlannedDevice], now: datetime) -> None:
    statement = """
        COPY device (code, district, kind, model, format, external_id, name, lon, lat, unit_grid,
                     street, community, gas, report_interval_s, attributes, demo, created_at)
        FROM STDIN
    """
    if not devices:
        return
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        for d in devices:
            community = d.cell.community
            copy.write_row(
                (
                    *(d.code, grid.DISTRICT, d.kind, d.model, d.format, d.external_id, d.name),
                    *(d.lon, d.lat, d.cell.code, community[:9], community, d.gas),
                    *(d.report_interval_s, Jsonb(d.attributes), True, now),
                )
            )
