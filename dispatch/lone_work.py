"""When the next "I am fine" is due. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from city.safety import CheckIn


def heard(row: CheckIn, said_at: datetime, lon: float | None, lat: float | None) -> CheckIn:
    """After "I am fine" said then; what comes late out of a phone's queue moves nothing back."""
    if said_at < row.heard_at:
        return row
    due_at = said_at + timedelta(minutes=row.every_minutes)
    place = (row.lon, row.lat) if lon is None or lat is None else (lon, lat)
    return replace(row, heard_at=said_at, due_at=due_at, lon=place[0], lat=place[1])
