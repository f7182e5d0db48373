"""`gridwarden device …`: the registry, strangers that wait, absences, exchanged hardware."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from app.commands import district_of, installation, parse_time, print_json, transaction
from app.settings import Settings
from city.errors import InvalidInput
from city.requests import ApproveRequest, OutOfServiceRequest, ReplaceRequest
from city.scope import Scope
from db import discovery, listings
from db.device_changes import list_identities
from ingest.replay import replay_group
from registry import steps as registration

# Who did it, in the event log.
ACTOR = "cli"
# Rows read at a time.
PAGE = 1_000
# Messages tried again after an approval or an exchange.
REPLAY_MAX = 100_000


def add_device_commands(group: click.Group) -> None:
    """Hang every verb of this module below `gridwarden device`."""
    for command in COMMANDS:
        group.add_command(command)


@click.command("list")
@click.option("--kind", default=None)
@click.option("--out-of-service", "away", is_flag=True, help="Only those out of service.")
@click.option("--json", "as_json", is_flag=True)
@installation
def list_command(settings: Settings, kind: str | None, away: bool, as_json: bool) -> None:
    """Registered devices: code, kind, model, identity, newest value, out of service until when."""
    wanted: dict[str, Any] = {"kind": kind} if kind else {}
    if away:
        wanted["out_of_service"] = True
    now = datetime.now(UTC)
    rows = _all_devices(settings, wanted, now)
    if as_json:
        print_json([registry_json(row) for row in rows])
    else:
        for row in rows:
            click.echo(device_line(row, now))


def _all_devices(
    settings: Settings, wanted: dict[str, Any], now: datetime
) -> Iterator[listings.ListedDevice]:
    after = None
    with transaction(settings) as conn:
        while rows := listings.list_devices(
            conn,
            Scope(district_of(conn, settings)),
            now,
            filters=wanted,
            since=None,
            after=after,
            limit=PAGE,
        ):
            yield from rows
            after = rows[-1].code


def device_line(row: listings.ListedDevice, now: datetime) -> str:
    """One device in one line."""
    latest = max(row.latest, key=lambda reading: reading.ts, default=None)
    value = f"{latest.metric} {latest.value:g} {latest.ts:%Y-%m-%dT%H:%M:%SZ}" if latest else "-"
    line = (
        f"{row.code}  {row.kind}  {row.model or '-'}  {row.format}:{row.external_id or row.code}"
        f"  {value}"
    )
    if row.out_of_service_since is None:
        return line
    due = row.return_due_at
    until = f"{due:%Y-%m-%dT%H:%MZ}" if due else "no date"
    overdue = " OVERDUE" if due and due <= now else ""
    return f"{line}  out of service until {until}{overdue}: {row.out_of_service_reason or '-'}"


def registry_json(row: listings.ListedDevice) -> dict[str, Any]:
    """The row as the API gives it, without its values."""
    return {name: getattr(row, name) for name in row.__slots__ if name != "latest"}


@click.command("discovered")
@click.option("--state", type=click.Choice(discovery.STATES), default="waiting", show_default=True)
@installation
def discovered_command(settings: Settings, state: str) -> None:
    """Identities that report and that nobody registered, last seen first."""
    with transaction(settings) as conn:
        rows = discovery.list_discovered(conn, state=state, limit=discovery.WAITING_MAX)
    for row in rows:
        click.echo(
            f"{row.id}  {row.format}:{row.identity}  {row.kind or '-'}  {row.messages} messages"
            f"  {row.last_seen:%Y-%m-%dT%H:%M:%SZ}  [{row.last_topic}]"
        )


@click.command("approve")
@click.argument("number", type=int)
@click.option("--code", required=True)
@click.option("--kind", required=True)
@click.option("--name", required=True)
@click.option("--lon", type=float, required=True)
@click.option("--lat", type=float, required=True)
@click.option("--model", default="")
@click.option("--gas", default="")
@click.option("--report-interval", "report_interval_s", type=int, default=None)
@click.option("--replay/--no-replay", default=True, help="Take in what it sent before.")
@installation
def approve_command(settings: Settings, number: int, replay: bool, **wanted: Any) -> None:
    """Register the stranger NUMBER of `device discovered`."""
    with transaction(settings) as conn:
        code = registration.approve(
            conn,
            ACTOR,
            district_of(conn, settings),
            number,
            ApproveRequest(**wanted),
            datetime.now(UTC),
        )
    click.echo(f"{code} is registered")
    if replay:
        replay_of(settings, code)


@click.command("ignore")
@click.argument("number", type=int)
@installation
def ignore_command(settings: Settings, number: int) -> None:
    """Do not show the stranger NUMBER again; it is still counted."""
    with transaction(settings) as conn:
        registration.ignore(conn, ACTOR, district_of(conn, settings), number, datetime.now(UTC))
    click.echo("ignored")


@click.command("out-of-service")
@click.argument("code")
@click.option("--reason", required=True)
@click.option("--until", required=True, help="When it should be back, e.g. 2026-12-01T18:00+08:00.")
@installation
def out_of_service_command(settings: Settings, code: str, reason: str, until: str) -> None:
    """No alarms from device CODE until it is due back; again: another date."""
    now = datetime.now(UTC)
    wanted = OutOfServiceRequest(reason, parse_time(until, "--until", now))
    with transaction(settings) as conn:
        registration.take_out_of_service(
            conn, ACTOR, district_of(conn, settings), code, wanted, now
        )
    click.echo(f"{code} is out of service")


@click.command("return")
@click.argument("code")
@installation
def return_command(settings: Settings, code: str) -> None:
    """Device CODE counts again."""
    with transaction(settings) as conn:
        registration.return_to_service(
            conn, ACTOR, district_of(conn, settings), code, version=None, now=datetime.now(UTC)
        )
    click.echo(f"{code} is in service")


@click.command("replace")
@click.argument("code")
@click.option("--external-id", default="", help="Identity of the new hardware.")
@click.option("--format", "format_name", default=None, help="If it speaks another format.")
@click.option("--model", default=None, help="If it is of another model.")
@click.option("--reason", required=True)
@installation
def replace_command(
    settings: Settings,
    code: str,
    external_id: str,
    format_name: str | None,
    model: str | None,
    reason: str,
) -> None:
    """Other hardware at the place of device CODE, which keeps its code and history."""
    if not external_id and format_name is None and model is None:
        raise InvalidInput("--external-id", None, "or --format or --model must be given")
    wanted = ReplaceRequest(reason, external_id, format_name, model)
    with transaction(settings) as conn:
        registration.replace(
            conn, ACTOR, district_of(conn, settings), code, wanted, datetime.now(UTC)
        )
        present = list_identities(conn, district_of(conn, settings), code)[0]
    click.echo(f"{code} is now {present.format}:{present.identity} {present.model}".rstrip())
    replay_of(settings, code)


def replay_of(settings: Settings, code: str) -> None:
    """Try again what came before the identity was registered."""
    with transaction(settings) as conn:
        device = listings.find_device(
            conn, Scope(district_of(conn, settings)), code, datetime.now(UTC)
        )
        names = [device.code, device.external_id] if device.external_id else [device.code]
        waiting = discovery.list_stranger_rejects(conn, device.format, names, limit=REPLAY_MAX)
    if waiting:
        done = replay_group(lambda: transaction(settings), waiting, datetime.now(UTC)).stored
        click.echo(f"replayed {done}, still refused {len(waiting) - done}")


COMMANDS: tuple[click.Command, ...] = (
    list_command, discovered_command, approve_command, ignore_command, out_of_service_command,
    return_command, replace_command,
)  # fmt: skip
