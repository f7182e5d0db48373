"""What was changed of a part of the settings, read off the rows that events carry. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from city.event import Event
from city.settings import FieldChange, HistoryItem
from founding.area_file import place_text

# Rows of a thing by table and key.
Rows = dict[tuple[str, str], Mapping[str, Any]]
# Told by no person: numbers of versions and what only the demonstration sets.
HIDDEN = frozenset(
    {"version", "demo", "district", "position_at", "created_at", "updated_at", "definition"}
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the past of a part stands: the subjects of its events, and for each table the column
    that names the thing a row belongs to. `only`: no other fields are of this part."""

    subjects: tuple[str, ...]
    tables: Mapping[str, str]
    only: tuple[str, ...] = ()


SETTING = "setting"
# By the part; calendars are told day by day.
SOURCES: Mapping[str, Source] = {
    "people": Source(("user",), {"app_user": "name"}),
    "squads": Source(
        ("squad",), {"squad": "code", "squad_shift": "squad", "squad_duty_grid": "squad"}
    ),
    "categories": Source(("category",), {"incident_category": "code"}),
    "limits": Source(("stage_limit",), {"stage_limit": "clock"}),
    "divisions": Source(("division",), {"division": "code"}),
    "feeds": Source(("feed",), {"feed": "name"}),
    "rosters": Source(("roster",), {"squad_roster": "squad"}),
    "rules": Source(("rule",), {"rule": "code"}),
    "duty-grids": Source(("duty_grid",), {"duty_grid": "code", "duty_grid_division": "duty_grid"}),
    "models": Source(("model",), {"device_model": "name"}),
    "city": Source(
        ("district", "setting"),
        {"district": "code", SETTING: "district"},
        (
            "name_zh",
            "name_en",
            "timezone",
            "calendar",
            "languages",
            "levels",
            "four_eyes",
            "phone_hours",
        ),
    ),
    "boundary": Source(("district",), {"district": "code"}, ("outline",)),
    "calendar": Source(("calendar",), {"work_calendar_day": "code"}),
    "areas": Source(("area",), {"area": "code"}),
    "video": Source(("video_limit",), {"video_limit": "entry"}),
    "channels": Source(("message_channel",), {"message_channel": "name"}),
    "escalation": Source(("escalation",), {"escalation_step": "step"}),
}
# Parts of which the log has numbers, and no row: what their events are about.
AT_ONCE: Mapping[str, str] = {
    "unit-grid": "unit_grid", "pipes": "pipe", "division-outlines": "division_outline",
}  # fmt: skip
LOG = "log"


@dataclass(frozen=True, slots=True)
class Told:
    """An event with those of its rows that are of a part: {"key", "row" or None, "table"}."""

    seq: int
    at: datetime
    actor: str
    kind: str
    subject: str
    why: str
    rows: Sequence[Mapping[str, Any]]


def read_history(source: Source, told: Iterable[Told], year: int | None) -> list[HistoryItem]:
    """Every change of every thing, newest first; `year` is of a calendar. What was there when the
    log began, or was put there by the installation itself (in several events where it is much), is
    no change."""
    now: dict[str, Rows] = {}
    since: dict[str, datetime] = {}
    found = []
    for event in told:
        changed: dict[str, Rows] = {}
        for row in event.rows:
            code = str(row["key"][source.tables[row["table"]]])
            things = changed.setdefault(code, dict(now.get(code, {})))
            place = (row["table"], json.dumps(row["key"], sort_keys=True))
            if row["row"] is None:
                things.pop(place, None)
            else:
                things[place] = row["row"]
        for code, rows in changed.items():
            known = since.setdefault(code, event.at) < event.at
            before, after = _values(source, now.get(code, {})), _values(source, rows)
            now[code] = rows
            fields = [f for f in _differences(before, after) if year is None or _is_of(f, year)]
            fields = [f for f in fields if not source.only or f.name in source.only]
            if fields and (known or not event.subject.startswith(f"{LOG}:")):
                found.append(_item(event, code, fields))
    return found[::-1]


def _item(event: Told, code: str, fields: Sequence[FieldChange]) -> HistoryItem:
    return HistoryItem(event.seq, event.at, event.actor, event.kind, code, event.why, fields)


def count_item(event: Event, district: str) -> HistoryItem:
    """How many were changed at once."""
    counts = [(how, event.payload.get(how)) for how in ("added", "changed", "retired")]
    fields = [FieldChange(how, "", str(count)) for how, count in counts if count]
    why = str(event.payload.get("why", ""))
    return HistoryItem(event.seq, event.at, event.actor, event.kind, district, why, fields)


def _is_of(change: FieldChange, year: int) -> bool:
    return change.name.startswith(f"{year}-")


def _values(source: Source, rows: Rows) -> dict[str, str]:
    """Fields of a thing as text. Of a table with versions the newest counts, one of the district
    before one that all share."""
    values: dict[str, str] = {}
    for table, owner in source.tables.items():
        mine = [row for (name, _), row in rows.items() if name == table]
        newest = max(map(_rank, mine), default=_rank({}))[1]
        if table == "work_calendar_day":
            days = (row for row in mine if row["version"] == newest)
            values |= {str(row["day"]): _text(row["working"]) for row in days}
        elif table == SETTING:
            values |= {str(row["key"]): _text(row["value"]) for row in mine}
        elif table.startswith("squad_") or table == "duty_grid_division":
            values[table] = "; ".join(sorted(_parts(row, owner) for row in mine))
        else:
            current = (row for row in mine if row.get("version", 0) == newest)
            for row in current:
                values |= {_named(n): _text(v) for n, v in row.items() if n not in HIDDEN}
    return values


def _rank(row: Mapping[str, Any]) -> tuple[bool, int]:
    is_own = bool(row.get("district")) and row.get("valid_to") is None
    return is_own, row.get("version", 0)


def _parts(row: Mapping[str, Any], owner: str) -> str:
    return " ".join(_text(value) for name, value in sorted(row.items()) if name != owner)


def _named(column: str) -> str:
    """As the table of the part calls it."""
    return "place" if column == "geometry" else column


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict) and "coordinates" in value:
        found = value["coordinates"]
        return place_text([[found]] if value.get("type") == "Point" else found)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(_text, value))
    if isinstance(value, dict):
        return json.dumps(value)
    return str(value)


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[FieldChange]:
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            yield FieldChange(name, old, new)
