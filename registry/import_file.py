"""Register devices from a CSV or GeoJSON file; whatever is wrong with it gets a line of report.

Rows without fault are imported, the others are named and left out: an installer with 5,000 lamps
corrects the twelve that are wrong and gives the file again. `strict` imports all rows or none. With
a reason, a row whose code is registered changes that device (`registry.changed_rows`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from city.datum import Datum, parse_datum
from city.event import NewEvent
from city.text_files import UTF8
from db.devices import NewDevice, list_taken
from db.events import append_events
from db.pool import Connection
from registry.changed_rows import Changes
from registry.changes import check_reason
from registry.device_files import DeviceFile, read_file
from registry.device_rows import (
    TEXT_LENGTH_MAX,
    Fault,
    districts_of,
    follow_models,
    judge_rows,
    register,
)
from registry.known_places import ask_for_datum

# Codes of imported devices that the event names.
NAMED_IN_EVENT = 50


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What a file held, what of it was imported (or would be), and every fault."""

    rows: int
    imported: int
    faults: tuple[Fault, ...]
    dry_run: bool
    encoding: str = UTF8
    datums: tuple[Datum, ...] = ()
    changed: int = 0
    unchanged: int = 0

    @property
    def faulty_rows(self) -> int:
        return len({fault.row for fault in self.faults})

    def as_text(self) -> str:
        """For people: a line a fault, then the sum."""
        done = "would be imported" if self.dry_run else "imported"
        lines = [str(fault) for fault in self.faults]
        if self.encoding != UTF8:
            lines.append(f"the file was read as {self.encoding}, not as {UTF8}")
        if shifted := [datum.label for datum in self.datums if datum.is_shifted]:
            lines.append(f"positions were converted from {' and '.join(shifted)}")
        changed = ""
        if self.changed or self.unchanged:
            would = "would be changed" if self.dry_run else "changed"
            changed = f", {self.changed} {would}, {self.unchanged} as they were"
        lines.append(
            f"{self.imported} of {self.rows} devices {done}{changed},"
            f" {self.faulty_rows} rows with faults"
        )
        return "\n".join(lines)


def import_file(
    conn: Connection,
    path: Path,
    *,
    dry_run: bool,
    now: datetime,
    strict: bool = False,
    datum: str | None = None,
    actor: str = "cli",
    why: str | None = None,
) -> ImportReport:
    """Import what is right, report what is wrong; a dry run only reports."""
    return import_content(
        conn, path.name, path.read_bytes(), dry_run=dry_run, now=now, strict=strict, datum=datum,
        actor=actor, why=why,
    )  # fmt: skip


def import_content(
    conn: Connection,
    name: str,
    content: bytes,
    *,
    dry_run: bool,
    now: datetime,
    strict: bool = False,
    district: str | None = None,
    actor: str = "cli",
    datum: str | None = None,
    why: str | None = None,
) -> ImportReport:
    """The same for a file that was handed in; with `district`, devices of this one only.

    `datum` is what a person says of all positions. Without it, positions that look shifted are a
    Conflict that asks for it, and nothing is imported. `why` is the reason for which rows change
    devices that are registered; None: they are faults.
    """
    file = read_file(name, content)
    follow_models(conn)
    stated = parse_datum("datum", datum) if datum else None
    districts = districts_of(conn, district)
    reason = None if why is None else check_reason(why)
    changes = Changes(conn, file.rows, districts, reason)
    taken = list_taken(conn, without=changes.codes)
    judged = judge_rows(file.rows, districts, taken, _datum_of(file), stated)
    changes.take_from(judged)
    if stated is None:
        ask_for_datum(conn, districts, judged.unshifted)
    refused = strict and bool(judged.faults)
    devices = [] if refused else judged.devices
    datums = tuple(sorted(judged.datums))
    if not (refused or dry_run):
        events = changes.write(conn, name, actor, now)
        if devices:
            register(conn, devices, now)
            said = {"datum": [*datums], "datum_stated": stated}
            events += _events(devices, name, said, actor, now)
        append_events(conn, events)
    return ImportReport(
        len(file.rows), len(devices), tuple(judged.faults), dry_run, file.encoding, datums,
        0 if refused else len(changes.wanted), changes.unchanged,
    )  # fmt: skip


def _datum_of(file: DeviceFile) -> Datum:
    return parse_datum("crs", file.crs) if file.crs else Datum.WGS84


def _events(
    devices: Sequence[NewDevice], name: str, said: Mapping[str, Any], actor: str, now: datetime
) -> list[NewEvent]:
    """One entry of the log a district: a file may hold 50,000 devices."""
    codes: dict[str, list[str]] = {}
    for device in devices:
        codes.setdefault(device.district, []).append(device.code)
    return [
        NewEvent(
            at=now, district=district, kind="device.imported", subject=f"district:{district}",
            actor=actor,
            payload={
                "file": name[:TEXT_LENGTH_MAX], "count": len(found),
                "first": found[:NAMED_IN_EVENT], **said,
            },
        )
        for district, found in sorted(codes.items())
    ]  # fmt: skip
