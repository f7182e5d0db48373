"""`gridwarden approval list|show|approve|refuse`: the second pair of eyes on the command line."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime

import click

from app import four_eyes
from app.commands import district_of, installation, print_json, transaction
from app.settings import Settings
from city.approval import Approval, ApprovalState
from city.errors import Forbidden, InvalidInput, NotFound
from city.person import Caller
from db import approvals, second_factors
from db.pool import Connection
from people.approvals import Asked
from people.second_factor import check_second_factor

LISTED_MAX = 100

as_option = click.option(
    "--as", "as_", default="", metavar="NAME",
    help="Who acts; password and code are read from standard input. Needed with four eyes.",
)  # fmt: skip
why_option = click.option(
    "--why", default="", metavar="TEXT", help="The reason, which is in the log for good."
)


@click.group("approval")
def approval_group() -> None:
    """Changes of gas safety that wait for a second person."""


@approval_group.command("list")
@click.option("--json", "as_json", is_flag=True)
@installation
def approval_list(settings: Settings, as_json: bool) -> None:
    """What waits, and what became of the rest; newest first."""
    now = datetime.now(UTC)
    with transaction(settings) as conn:
        found = approvals.list_approvals(
            conn, district_of(conn, settings), below=None, limit=LISTED_MAX
        )
    if as_json:
        print_json([asdict(item) | {"state": item.standing(now)} for item in found])
        return
    for item in found:
        click.echo(f"{item.id:<6}{item.standing(now).value:<11}{line(item)}")


@approval_group.command("show")
@click.argument("number", type=int)
@installation
def approval_show(settings: Settings, number: int) -> None:
    """Exactly what would change: the rules before and after, alarms gained and lost."""
    with transaction(settings) as conn:
        print_json(asdict(_find(conn, district_of(conn, settings), number)))


@approval_group.command("approve")
@click.argument("number", type=int)
@as_option
@why_option
@installation
def approval_approve(settings: Settings, number: int, as_: str, why: str) -> None:
    """Let it happen: it is done at once. Whoever asked cannot."""
    with transaction(settings) as conn:
        district = district_of(conn, settings)
        digest = _find(conn, district, number).digest
    caller = acting_person(settings, as_, district)
    with transaction(settings) as conn:
        done = four_eyes.approve(conn, caller, number, digest, why, datetime.now(UTC))
    click.echo(f"in force: {done.what} (approval {number}, {done.asked_by} and {caller.name})")


@approval_group.command("refuse")
@click.argument("number", type=int)
@as_option
@why_option
@installation
def approval_refuse(settings: Settings, number: int, as_: str, why: str) -> None:
    """Say no, or take back what one has asked for oneself."""
    caller = acting_here(settings, as_)
    with transaction(settings) as conn:
        done = four_eyes.refuse(conn, caller, number, why, datetime.now(UTC))
    click.echo(f"{done.state.value}: {done.what} (approval {number}); nothing was changed")


def acting_here(settings: Settings, name: str) -> Caller:
    """`acting_person` in the district of this installation."""
    with transaction(settings) as conn:
        district = district_of(conn, settings)
    return acting_person(settings, name, district)


def acting_person(settings: Settings, name: str, district: str) -> Caller:
    """Whoever holds the database's address may do much, but not be two people: asks for their
    password and, where they have a second factor, for its code, which is used up."""
    if not name:
        raise InvalidInput("--as", name, "must name who acts: there are four eyes")
    password = read_secret(f"Password of {name}")
    with transaction(settings) as conn:
        caller = four_eyes.person(conn, name, password, district)
        if second_factors.enrolled_at(conn, name) is not None:
            code, now = read_secret(f"Code of {name}"), datetime.now(UTC)
            key = settings.secret_key
            if not check_second_factor(conn, name, district, code, key, now):
                raise Forbidden(f"{name} has a second factor, and the code is not right")
    return caller


def read_secret(what: str) -> str:
    """Typed unseen, or a line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def say_waiting(conn: Connection, asked: Asked) -> None:
    """What waits, for whom and until when."""
    item = asked.approval
    names = [n for n in four_eyes.approvers(conn, item.district) if n != item.asked_by]
    until = item.expires_at.astimezone().isoformat(timespec="minutes")
    again = "" if asked.is_new else ", and waited already"
    click.echo(
        f"nothing of this is in force: {item.what} waits as approval {item.id}{again}\n"
        f"one of {', '.join(names)} can let it happen until {until}: "
        f"`gridwarden approval approve {item.id} --as NAME --why TEXT`, or the page /approvals"
    )


def line(item: Approval) -> str:
    asked = f"{item.what}; asked by {item.asked_by} {_day(item.asked_at)}: {item.why}"
    if item.state is ApprovalState.WAITING or item.decided_by is None:
        return asked
    when = _day(item.decided_at)
    return f"{asked}; {item.state.value} by {item.decided_by} {when}: {item.decided_why}"


def _day(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else ""


def _find(conn: Connection, district: str, number: int) -> Approval:
    found = approvals.list_approvals(conn, district, below=number + 1, limit=1)
    if not found or found[0].id != number:
        raise NotFound("approval", number)
    return found[0]
