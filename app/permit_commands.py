"""`gridwarden permit add|list|end|import`: who may open covers where, from when to when."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from alerts.steps import add_permit, end_permit
from app.commands import district_of, installation, parse_time, print_json, read_text, transaction
from app.settings import Settings
from city.errors import InvalidInput
from city.incident import Role
from city.permit import NewPermit, read_place
from city.person import Caller
from city.scope import Scope
from db import permits
from db.permits import PermitRow
from db.pool import Connection

ACTOR = "cli"
COLUMNS = (
    "code", "who", "why", "from", "until", "devices", "lon", "lat", "radius_m", "polygon", "street",
)  # fmt: skip
NEEDED = ("who", "why", "until")


@click.group("permit")
def permit_group() -> None:
    """Work permits: a cover that is opened under one is a note and no alarm."""


@permit_group.command("add")
@click.option("--code", default="", help="Number on the paper; without it one is given.")
@click.option("--who", required=True)
@click.option("--why", required=True)
@click.option("--from", "from_", default="", help="RFC 3339; without it now.")
@click.option("--until", required=True)
@click.option("--device", "devices", multiple=True, help="Code of a device; may be said again.")
@click.option("--lon", type=float)
@click.option("--lat", type=float)
@click.option("--radius-m", type=float)
@click.option("--polygon", default="", help="Corners: 'lon lat; lon lat; lon lat'.")
@click.option("--street", default="", help="Code of a street's division.")
@installation
def permit_add(settings: Settings, devices: tuple[str, ...], **fields: Any) -> None:
    """Covers of a place may be open for a time: devices, a circle, a polygon or a street."""
    row = {**fields, "from": fields["from_"], "devices": list(devices)}
    with transaction(settings) as conn:
        made = _add(conn, settings, row, datetime.now(UTC))
    click.echo(line(made))


@permit_group.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--json", "json_", is_flag=True)
@installation
def permit_list(settings: Settings, everything: bool, json_: bool) -> None:
    """The permits that are open or planned, newest first."""
    now = datetime.now(UTC)
    with transaction(settings) as conn:
        found = permits.list_permits(
            conn,
            Scope(district_of(conn, settings)),
            open_at=None if everything else now,
            limit=1000,
        )
    if json_:
        print_json([asdict(row) for row in found])
        return
    for row in found:
        click.echo(line(row))


@permit_group.command("end")
@click.argument("code")
@click.option("--why", required=True)
@installation
def permit_end(settings: Settings, code: str, why: str) -> None:
    """End a permit early: covers that are still open in a minute are alarms."""
    with transaction(settings) as conn:
        caller = _caller(conn, settings)
        row = end_permit(conn, caller, code, None, why, datetime.now(UTC))
    click.echo(line(row))


@permit_group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@installation
def permit_import(settings: Settings, file: Path) -> None:
    """Store the permits of FILE.csv, all of them or none; one that is there already as it stands
    in the file is skipped. Columns: code, who, why, from, until, and for the place devices (codes
    with spaces between), lon with lat and radius_m, polygon, or street."""
    made, known, faults, now = 0, 0, [], datetime.now(UTC)
    with transaction(settings) as conn:
        _caller(conn, settings)  # begins the transaction: those of the rows are within it
        for number, row in read_rows(read_text(file)):
            try:
                with conn.transaction():
                    if _is_known(conn, settings, row):
                        known += 1
                    else:
                        _add(conn, settings, row, now)
                        made += 1
            except InvalidInput as error:
                faults.append(f"{file.name}: row {number}: {error}")
        if faults:
            conn.rollback()
    if faults:
        click.echo("\n".join(faults), err=True)
        click.echo("nothing was stored", err=True)
        sys.exit(1)
    click.echo(f"{made} permits stored, {known} known already")


def read_rows(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a file by their number in it; an unknown or missing column is an error."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    names = reader.fieldnames or []
    for name in names:
        if name not in COLUMNS:
            raise InvalidInput("column", name, f"is none of {', '.join(COLUMNS)}")
    for name in NEEDED:
        if name not in names:
            raise InvalidInput("column", name, "is missing")
    for number, row in enumerate(reader, start=2):
        yield number, {name: (row.get(name) or "").strip() or None for name in COLUMNS}


def line(row: PermitRow) -> str:
    """One permit as people read it."""
    span = " to ".join(f"{t.astimezone():%Y-%m-%d %H:%M}" for t in (row.from_at, row.until_at))
    open_ = f", {len(row.noted)} opened" if row.noted else ""
    ended = f", ended by {row.ended_by}: {row.ended_why}" if row.ended_by else ""
    return f"{row.code}: {row.who}, {span}, {len(row.devices)} devices{open_}: {row.why}{ended}"


def _add(conn: Connection, settings: Settings, row: Mapping[str, Any], now: datetime) -> PermitRow:
    until = row["until"]
    if not until:
        raise InvalidInput("until", until, "is missing")
    new = NewPermit(
        code=row.get("code") or f"WP-{permits.next_number(conn)}",
        who=row["who"] or "",
        why=row["why"] or "",
        place=read_place(row),
        from_at=parse_time(row.get("from") or None, "from", now),
        until_at=parse_time(until, "until", now),
    )
    return add_permit(conn, _caller(conn, settings), new, now)


def _is_known(conn: Connection, settings: Settings, row: Mapping[str, Any]) -> bool:
    """Whether the very same permit is stored; another one of its number is an error later."""
    if not row["code"] or not row["until"]:
        return False
    found = permits.find_permit(conn, district_of(conn, settings), row["code"])
    if found is None:
        return False
    until = parse_time(row["until"], "until", found.until_at)
    same_end = until == found.until_at or found.ended_by is not None
    return same_end and (found.who, found.why) == (row["who"], row["why"])


def _caller(conn: Connection, settings: Settings) -> Caller:
    return Caller(ACTOR, Role.SYSTEM, district_of(conn, settings))
