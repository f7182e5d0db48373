"""`gridwarden user` and `gridwarden token`: who may come in."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from app.commands import district_of, installation, transaction
from app.settings import Settings
from city.incident import Role
from city.person import Caller
from city.requests import PasswordRequest, RoleRequest, TokenRequest, UserRequest
from db import users
from db.pool import Connection
from people import steps as people

division_option = click.option(
    "--division", "divisions", multiple=True, metavar="CODE",
    help="Code of a street or another division to which they are bounded; may be repeated.",
)  # fmt: skip
ROLES = [role.value for role in Role if role is not Role.SYSTEM]


def _cli(conn: Connection, settings: Settings) -> Caller:
    """Who holds the database's address may do what an administrator may."""
    return Caller("cli", Role.ADMIN, district_of(conn, settings))


def _read_password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


@click.group()
def user() -> None:
    """People who sign in."""


@user.command("list")
@installation
def user_list(settings: Settings) -> None:
    """Everybody, with role, squad and second factor; those who are shut out last."""
    with transaction(settings) as conn:
        accounts = users.list_accounts(conn, district_of(conn, settings))
    for account in accounts:
        state = f"shut out {_day(account.disabled_at)}" if account.disabled_at else "may sign in"
        squad = account.squad or ""
        if account.second_factor_at:
            state += ", with second factor"
        if account.divisions:
            state += f", in {';'.join(account.divisions)} alone"
        click.echo(f"{account.name:<24}{account.role.value:<14}{squad:<12}{state}")


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--squad", default=None, help="Code of the squad, for a squad leader.")
@division_option
@installation
def user_add(
    settings: Settings, name: str, role: str, squad: str | None, divisions: tuple[str, ...]
) -> None:
    """Add a user; the password is read from standard input."""
    wanted = UserRequest(name, _read_password(), role, squad, divisions=divisions)
    with transaction(settings) as conn:
        people.add_user(conn, _cli(conn, settings), wanted, datetime.now(UTC))
    click.echo(f"user {name} may sign in as {role}")


@user.command("disable")
@click.argument("name")
@installation
def user_disable(settings: Settings, name: str) -> None:
    """Shut a user out: open pages and streams end within a second."""
    with transaction(settings) as conn:
        people.disable_user(conn, _cli(conn, settings), name, None, datetime.now(UTC))
    click.echo(f"user {name} is shut out")


@user.command("enable")
@click.argument("name")
@installation
def user_enable(settings: Settings, name: str) -> None:
    """Let a user in again, with the password they had."""
    with transaction(settings) as conn:
        people.enable_user(conn, _cli(conn, settings), name, None, datetime.now(UTC))
    click.echo(f"user {name} may sign in again")


@user.command("password")
@click.argument("name")
@installation
def user_password(settings: Settings, name: str) -> None:
    """Set a password, read from standard input; ends every session of the user."""
    wanted = PasswordRequest(_read_password())
    with transaction(settings) as conn:
        people.set_password(conn, _cli(conn, settings), name, wanted, datetime.now(UTC))
    click.echo(f"user {name} has another password and must sign in anew")


@user.command("reset-second-factor")
@click.argument("name")
@installation
def user_reset_second_factor(settings: Settings, name: str) -> None:
    """Take a lost second factor away: the password is enough until another is set."""
    with transaction(settings) as conn:
        people.reset_second_factor(conn, _cli(conn, settings), name, None, datetime.now(UTC))
    click.echo(f"user {name} has no second factor and must sign in anew")


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--squad", default=None, help="Code of the squad, for a squad leader.")
@division_option
@click.option("--whole-district", is_flag=True, help="No division bounds them any more.")
@installation
def user_role(
    settings: Settings,
    name: str,
    role: str,
    squad: str | None,
    divisions: tuple[str, ...],
    whole_district: bool,
) -> None:
    """Give a user another role or other divisions; open pages start anew with it. Without
    --division and --whole-district the divisions stay."""
    if divisions and whole_district:
        raise click.UsageError("--division and --whole-district exclude each other")
    stay = not (divisions or whole_district)
    wanted = RoleRequest(role, squad, divisions=None if stay else divisions)
    with transaction(settings) as conn:
        people.set_role(conn, _cli(conn, settings), name, wanted, datetime.now(UTC))
    click.echo(f"user {name} is {role}{f' of {squad}' if squad else ''}")


@click.group()
def token() -> None:
    """Tokens for scripts that use the API."""


@token.command("list")
@installation
def token_list(settings: Settings) -> None:
    """Every token with its role, without its text; revoked ones last."""
    with transaction(settings) as conn:
        tokens = users.list_tokens(conn, district_of(conn, settings))
    for found in tokens:
        state = f"revoked {_day(found.revoked_at)}" if found.revoked_at else "valid"
        if found.divisions:
            state += f", in {';'.join(found.divisions)} alone"
        click.echo(f"{found.name:<24}{found.role.value:<14}{found.squad or '':<12}{state}")


@token.command("create")
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--squad", default=None, help="Code of the squad, for a squad leader's token.")
@division_option
@installation
def token_create(
    settings: Settings, name: str, role: str, squad: str | None, divisions: tuple[str, ...]
) -> None:
    """Create an API token and print it, once."""
    with transaction(settings) as conn:
        wanted = TokenRequest(name, role, squad, divisions)
        secret = people.create_token(conn, _cli(conn, settings), wanted, datetime.now(UTC))
    click.echo(secret)


@token.command("revoke")
@click.argument("name")
@installation
def token_revoke(settings: Settings, name: str) -> None:
    """Make a token worthless: its requests and streams end within a second."""
    with transaction(settings) as conn:
        people.revoke_token(conn, _cli(conn, settings), name, datetime.now(UTC))
    click.echo(f"token {name} is revoked")


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""
