"""`gridwarden lighting send|list|cancel|night`: orders to lamps, and the lit rate of a night."""

from __future__ import annotations

from datetime import UTC, date, datetime

import click

from app import lamps
from app.commands import district_of, installation, parse_time, print_json, transaction
from app.settings import Settings
from city.errors import InvalidInput
from city.incident import Role
from city.lighting import NightOfStreet
from city.person import Caller
from city.requests import LampCancelRequest, LampOrderRequest, NightRequest
from city.scope import Scope
from db import lamp_commands
from db.pool import Connection

LISTED = 50


@click.group("lighting")
def lighting_group() -> None:
    """Lamps: commands that are waited for, and how the nights went."""


def _cli(conn: Connection, settings: Settings) -> Caller:
    """Who holds the database's address may do what an administrator may."""
    return Caller("cli", Role.ADMIN, district_of(conn, settings))


@lighting_group.command("send")
@click.option("--target", type=click.Choice(["lamp", "lamps", "cabinet", "street"]), required=True)
@click.option("--code", default="", help="Of the lamp, cabinet or street (a division).")
@click.option("--lamp", "codes", multiple=True, help="With --target lamps; again for more.")
@click.option("--level", type=int, required=True, help="Per cent; 0 is off.")
@click.option("--until", default=None, help="When lamps that keep time follow their own again.")
@click.option("--why", required=True)
@click.option("--json", "as_json", is_flag=True)
@installation
def send_command(
    settings: Settings,
    target: str,
    code: str,
    codes: tuple[str, ...],
    level: int,
    until: str | None,
    why: str,
    as_json: bool,
) -> None:
    """Set lamps to a level. Many of them by day wait for a second person."""
    now = datetime.now(UTC)
    end = parse_time(until, "until", now) if until is not None else None
    wanted = LampOrderRequest(target, level, why, code, list(codes), end)
    with transaction(settings) as conn:
        done = lamps.order(conn, _cli(conn, settings), wanted, now)
    if as_json:
        print_json(
            {"order": done.order, "approval": done.approval, "lamps": done.lamps,
             "cancelled": done.cancelled}
        )  # fmt: skip
    elif done.order is None:
        click.echo(f"{done.lamps} lamps by day: approval {done.approval} waits for somebody else")
    else:
        click.echo(f"order {done.order}: {done.lamps} lamps")


@lighting_group.command("list")
@click.option("--state", type=click.Choice(["open", "lost"]), default=None)
@click.option("--json", "as_json", is_flag=True)
@installation
def list_command(settings: Settings, state: str | None, as_json: bool) -> None:
    """The newest orders with how many lamps stand how."""
    with transaction(settings) as conn:
        district = district_of(conn, settings)
        rows = lamp_commands.list_orders(
            conn, Scope(district), below=None, limit=LISTED, state=state
        )
    if as_json:
        print_json([{name: _plain(value) for name, value in row.items()} for row in rows])
        return
    for row in rows:
        stand = ", ".join(f"{row[n]} {n}" for n in lamp_commands.STATES if row[n])
        what = f"{row['target']} {row['code']} -> {row['level']} %"
        click.echo(f"{row['id']:>6}  {row['ordered_at']:%Y-%m-%d %H:%M}  {what:<32} {stand}")
        click.echo(f"        {row['actor']}: {row['why']}")


@lighting_group.command("cancel")
@click.argument("order_id", type=int)
@click.option("--why", required=True)
@installation
def cancel_command(settings: Settings, order_id: int, why: str) -> None:
    """Call off what is not answered yet."""
    with transaction(settings) as conn:
        count = lamps.cancel(
            conn, _cli(conn, settings), order_id, LampCancelRequest(why), datetime.now(UTC)
        )
    click.echo(f"{count} commands cancelled")


@lighting_group.command("night")
@click.argument("night")
@click.option("--why", required=True)
@installation
def night_command(settings: Settings, night: str, why: str) -> None:
    """Compute the lit rate of a night (the date on which it began) anew."""
    try:
        day = date.fromisoformat(night)
    except ValueError as error:
        raise InvalidInput("night", night, "must be a date like 2026-11-28") from error
    with transaction(settings) as conn:
        rows = lamps.recompute(
            conn, _cli(conn, settings), day, NightRequest(why), datetime.now(UTC)
        )
    for row in rows:
        click.echo(_line(row))


def _line(row: NightOfStreet) -> str:
    known = row.lit + row.dark
    rate = f"{100 * row.lit / known:.1f} %" if known else "-"
    return (
        f"{row.name or row.street or '(no street)':<16} {rate:>8}  {row.lit} of {known} checks lit,"
        f" {row.unknown} unknown, {row.hours_lost:.1f} lamp-hours lost"
    )


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
