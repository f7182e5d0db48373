"""`gridwarden register list|draw|verify-draw|check-positions|offences`: the lists a city keeps."""

from __future__ import annotations

import csv
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from app.commands import district_of, installation, parse_time, print_json, read_text, transaction
from app.settings import Settings
from city.errors import InvalidInput
from city.incident import Role
from city.person import Caller
from city.place import LonLat
from city.requests import DrawRequest
from city.scope import Scope
from db.pool import Connection
from dispatch import steps as dispatch_steps
from registers import steps as registers
from registers.routes import Position

SEED_BYTES = 16
COLUMNS = ("code", "ts", "lon", "lat")


@click.group("register")
def register_group() -> None:
    """The lists a city keeps: merchants, sites, vehicles, facilities."""


def _cli(conn: Connection, settings: Settings) -> Caller:
    """Who holds the database's address may do what an administrator may."""
    return Caller("cli", Role.ADMIN, district_of(conn, settings))


@register_group.command("list")
@installation
def list_command(settings: Settings) -> None:
    """Every register with its counts: entries, inspected within the interval, overdue."""
    now = datetime.now(UTC)
    with transaction(settings) as conn:
        district = district_of(conn, settings)
        for code, register in registers.list_registers(conn, district).items():
            found = registers.coverage_of(conn, Scope(district), register, now)
            counts = f"{found.inspected} of {found.entries} inspected, {found.overdue} overdue"
            click.echo(f"{code:<24}{counts:<40}{register.name_zh} {register.name_en}")


@register_group.command("draw")
@click.argument("code")
@click.option("--objects", type=int, required=True, help="How many entries are drawn.")
@click.option("--each", type=int, default=2, help="Inspectors of an entry. Default: 2.")
@click.option("--inspector", "inspectors", multiple=True, help="Who may be drawn; again for more.")
@click.option("--seed", default=None, help="Default: a random one. It is told in the event log.")
@click.option("--why", required=True, help="What the draw is for.")
@click.option("--json", "as_json", is_flag=True)
@installation
def draw_command(
    settings: Settings,
    code: str,
    objects: int,
    each: int,
    inspectors: tuple[str, ...],
    seed: str | None,
    why: str,
    as_json: bool,
) -> None:
    """Draw entries of a register and who inspects them (双随机), by credit class."""
    chosen = secrets.token_hex(SEED_BYTES) if seed is None else seed
    request = DrawRequest(objects, chosen, why, each, list(inspectors))
    with transaction(settings) as conn:
        made = registers.make_draw(conn, _cli(conn, settings), code, request, datetime.now(UTC))
    if as_json:
        print_json({"draw": made.id, "seed": made.seed, "result": made.result})
        return
    drawn = f"{len(made.result)} of {len(made.population)}"
    click.echo(f"draw {made.id}: {drawn} entries, seed {made.seed}")
    for entry, names in made.result:
        click.echo(f"{entry:<32}{', '.join(names)}")


@register_group.command("verify-draw")
@click.argument("draw_id", type=int)
@installation
def verify_draw_command(settings: Settings, draw_id: int) -> None:
    """Draw again from seed and population, and compare with the event log; exit 1 if it differs."""
    with transaction(settings) as conn:
        found = registers.verify_draw(conn, district_of(conn, settings), draw_id)
    click.echo(f"draw {draw_id}: {'the same' if found.same else found.problem}")
    if not found.same:
        sys.exit(1)


@register_group.command("check-positions")
@click.argument("code")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@installation
def check_positions_command(settings: Settings, code: str, file: Path) -> None:
    """Compare positions of vehicles (FILE: code, ts, lon, lat) with their permitted routes and
    hours; each stretch that does not fit becomes an incident, once."""
    positions = list(_positions(file))
    with transaction(settings) as conn:
        found = registers.check_positions(
            conn, _cli(conn, settings), code, positions, datetime.now(UTC),
            report=dispatch_steps.report,
        )  # fmt: skip
    for one in found:
        told = "incident" if one.new else "told before as incident"
        at = one.finding.first.at.isoformat()
        click.echo(f"{one.finding.entry:<16}{one.finding.why:<14}{at} {told} {one.incident_id}")
    click.echo(f"{len(positions)} positions, {len(found)} findings")


def _positions(file: Path) -> Iterator[Position]:
    reader = csv.DictReader(read_text(file).lstrip("\ufeff").splitlines())
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise InvalidInput(file.name, ", ".join(missing), "is a column that is missing")
    for row, cells in enumerate(reader, start=2):
        where = f"{file.name}, row {row}"
        at = parse_time(cells["ts"], f"{where}, ts", datetime.now(UTC))
        try:
            place = LonLat(float(cells["lon"]), float(cells["lat"]))
        except (ValueError, TypeError) as error:
            value = f"{cells['lon']}, {cells['lat']}"
            raise InvalidInput(f"{where}, lon, lat", value, "must be degrees") from error
        yield Position(cells["code"], at, place)


@register_group.command("offences")
@click.argument("number")
@installation
def offences_command(settings: Settings, number: str) -> None:
    """Earlier failed inspections of a person or merchant, by the number of licence or identity."""
    with transaction(settings) as conn:
        found = registers.offences_of(conn, _cli(conn, settings), number)
    for one in found:
        click.echo(f"{one.at:%Y-%m-%d}  {one.register}/{one.entry}  incident {one.incident_id}")
    click.echo(f"{len(found)} earlier" if found else "first offence: nothing is known")
