"""Events with rows, as the log has them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from city.event import Event

DISTRICT = "460107"
AT = datetime(2026, 11, 22, 4, tzinfo=UTC)

INCIDENT: dict[str, Any] = {
    "number": "N1",
    "district": DISTRICT,
    "state": "filed",
    "severity": 2,
    "category": "05-02",
    "category_version": 1,
    "title_zh": "zh",
    "title_en": "en",
    "lon": 110.0,
    "lat": 20.0,
    "unit_grid": None,
    "street": None,
    "community": None,
    "source": "sensor",
    "squad": None,
    "device_id": None,
    "opened_at": AT.isoformat(),
    "closed_at": None,
    "version": 1,
    "demo": False,
}
ALARM: dict[str, Any] = {
    "district": DISTRICT,
    "severity": 2,
    "state": "unacknowledged",
    "category": "05-02",
    "device_id": None,
    "lon": 110.0,
    "lat": 20.0,
    "unit_grid": None,
    "sensed_at": AT.isoformat(),
    "raised_at": AT.isoformat(),
    "announced_at": None,
    "reason": {},
    "shelved_until": None,
    "version": 1,
}
SQUAD: dict[str, Any] = {
    "district": DISTRICT,
    "name_zh": "中队",
    "name_en": "squad",
    "kind": "gas",
    "skills": ["gas"],
    "active": True,
}
DEVICE: dict[str, Any] = {
    "code": "GD-1",
    "district": DISTRICT,
    "kind": "gas",
    "name": "",
    "lon": 110.0,
    "lat": 20.0,
    "unit_grid": None,
    "report_interval_s": 60,
    "out_of_service_since": None,
    "return_due_at": None,
    "demo": False,
    "attributes": {"a": 1},
}


def row(table: str, key: dict[str, Any], content: dict[str, Any] | None) -> dict[str, Any]:
    """One element of an event's rows."""
    return {"key": key, "row": content if content is None else {**content, **key}, "table": table}


def event(
    seq: int,
    kind: str,
    subject: str,
    *rows: dict[str, Any],
    district: str = DISTRICT,
    at: datetime = AT,
) -> Event:
    told = json.dumps(rows) if rows else None
    return Event(seq, at, district, kind, subject, "test", {}, b"", b"", told)
