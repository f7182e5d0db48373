"""Pure: the picture of one district, and what an event makes of it.

`Picture = fold(events)`. A picture is a value: an event makes another one, which shares with the
one before it whatever the event did not touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from city.event import Event
from city.incident import FINAL_STATES

# A row of a table as `to_jsonb` shows it: times are ISO 8601 text.
Row = dict[str, Any]

FINAL = frozenset(state.value for state in FINAL_STATES)
LIVE_NO_MORE = "normal"
# Cases that are over count in the figures of their day; nobody's day is longer than this.
PAST_KEPT = timedelta(days=3)
CASE_PARTS = ("deadline", "pause", "assignment")


class Device(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Of a device, of which there are very many, what anybody looks at."""

    id: int
    code: str
    district: str
    kind: str
    name: str
    lon: float
    lat: float
    unit_grid: str | None
    report_interval_s: int
    out_of_service_since: str | None
    return_due_at: str | None
    demo: bool


@dataclass(frozen=True, slots=True)
class Case:
    """An open incident with its clocks, pauses and assignments by their ids."""

    row: Row
    deadline: dict[int, Row] = field(default_factory=dict)
    pause: dict[int, Row] = field(default_factory=dict)
    assignment: dict[int, Row] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """What there is after the event `seq`: nothing that is over, everything that is not.

    `past` holds the rows of cases that were opened or closed in the last days and are over. `links`
    leads from a live alarm to its incident. `tables` holds the rest, by table and by the values of
    its key (`key_of`).
    """

    district: str
    seq: int = 0
    at: datetime | None = None
    cases: dict[int, Case] = field(default_factory=dict)
    past: dict[int, Row] = field(default_factory=dict)
    alarms: dict[int, Row] = field(default_factory=dict)
    links: dict[int, int] = field(default_factory=dict)
    devices: dict[int, Device] = field(default_factory=dict)
    tables: dict[str, dict[str, Row]] = field(default_factory=dict)

    def table(self, name: str) -> Mapping[str, Row]:
        """Rows of a table of which everything is kept."""
        return self.tables.get(name, {})


class Change(msgspec.Struct, frozen=True):
    """One row after its change; `row` None: it is gone."""

    table: str
    key: dict[str, Any]
    row: dict[str, Any] | None


_CHANGES = msgspec.json.Decoder(list[Change])


def changes_of(event: Event) -> list[Change]:
    """The rows that an event carries."""
    return [] if event.rows is None else _CHANGES.decode(event.rows)


def fold(picture: Picture, event: Event) -> Picture:
    """The picture after one more event."""
    return fold_all(picture, [event])


def fold_all(picture: Picture, events: Iterable[Event]) -> Picture:
    """The picture after all of these."""
    return apply_all(picture, ((event, changes_of(event)) for event in events))


def apply_all(picture: Picture, told: Iterable[tuple[Event, Sequence[Change]]]) -> Picture:
    """`fold_all` for those who look at the changes themselves, too."""
    draft, last = _Draft(picture), None
    for last, changes in told:
        for change in changes:
            draft.take(change, last.at)
    if last is None:
        return picture
    return replace(picture, seq=last.seq, at=last.at, **draft.touched)


def key_of(values: Iterable[Any]) -> str:
    """How `Picture.tables` names a row: the values of its key columns, sorted by column."""
    return "/".join(map(str, values))


class _Draft:
    """The parts of a picture that some events touch, each copied once."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self.touched: dict[str, Any] = {}

    def take(self, change: Change, at: datetime) -> None:
        """Put one row, changed at this time, into the place that its table has in the picture."""
        row = change.row if change.row is None or self._is_ours(change.row) else None
        match change.table:
            case "incident":
                self._take_incident(change.key["id"], row, at)
            case "deadline" | "pause" | "assignment":
                self._take_part(change.table, change.key, row)
            case "alarm":
                self._take_alarm(change.key["id"], row)
            case "incident_alarm":
                self._take_link(change.key["alarm_id"], row)
            case "device":
                _put(self._part("devices"), change.key["id"], None if row is None else _device(row))
            case "distress_call":
                key, over = key_of(change.key.values()), row and row["acknowledged_at"]
                _put(self._table(change.table), key, None if over else row)
            case "register_definition" | "register_inspection":
                pass  # as many as a city has years: no screen shows them as they were
            case _:
                key = key_of(change.key[name] for name in sorted(change.key))
                _put(self._table(change.table), key, row)

    def _is_ours(self, row: Row) -> bool:
        return row.get("district", "") in (self._picture.district, "", None)

    def _part(self, name: str) -> dict[Any, Any]:
        if name not in self.touched:
            self.touched[name] = dict(getattr(self._picture, name))
        part: dict[Any, Any] = self.touched[name]
        return part

    def _table(self, name: str) -> dict[str, Row]:
        tables = self._part("tables")
        if tables.get(name) is self._picture.tables.get(name):
            tables[name] = dict(tables.get(name, {}))
        table: dict[str, Row] = tables[name]
        return table

    def _take_incident(self, incident_id: int, row: Row | None, at: datetime) -> None:
        cases, past = self._part("cases"), self._part("past")
        past.pop(incident_id, None)
        if row is None:
            cases.pop(incident_id, None)
        elif row["state"] in FINAL:
            cases.pop(incident_id, None)
            past[incident_id] = row
            _forget_past(past, at - PAST_KEPT)
        else:
            known = cases.get(incident_id)
            cases[incident_id] = Case(row) if known is None else replace(known, row=row)

    def _take_part(self, table: str, key: Mapping[str, Any], row: Row | None) -> None:
        cases = self._part("cases")
        known = cases.get(key["incident_id"])
        if known is None:
            return
        part = dict(getattr(known, table))
        _put(part, key["id"], row)
        cases[key["incident_id"]] = replace(known, **{table: part})

    def _take_alarm(self, alarm_id: int, row: Row | None) -> None:
        ended = row is None or row["state"] == LIVE_NO_MORE
        _put(self._part("alarms"), alarm_id, None if ended else row)
        if ended:
            self._part("links").pop(alarm_id, None)

    def _take_link(self, alarm_id: int, row: Row | None) -> None:
        known = alarm_id in self._part("alarms")
        _put(self._part("links"), alarm_id, row["incident_id"] if row and known else None)


def _forget_past(past: dict[int, Row], since: datetime) -> None:
    for incident_id, row in list(past.items()):
        if max(moment(row["opened_at"]), moment(row["closed_at"] or row["opened_at"])) < since:
            del past[incident_id]


def _device(row: Row) -> Device:
    return Device(**{name: row[name] for name in Device.__struct_fields__})


def _put(rows: dict[Any, Any], key: Any, value: Any) -> None:
    if value is None:
        rows.pop(key, None)
    else:
        rows[key] = value


def moment(text: str) -> datetime:
    """A time of a row."""
    return datetime.fromisoformat(text)
