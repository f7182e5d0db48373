"""`gridwarden rules apply|retire`: alarms that lose their rule are named before they end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from alerts.orphans import Orphan
from alerts.steps import put_in_force, retire_rule
from app.commands import installation, read_text, transaction
from app.settings import Settings
from city.alarm import Alarm
from city.errors import Conflict
from db.pool import Connection

# Applies what was asked for; ends only the gas alarms whose ids it is given.
Change = Callable[[Connection, Sequence[int]], tuple[Sequence[str], Sequence[Orphan]]]
# Every alarm is agreed to where a change is only tried out.
EVERY = range(sys.maxsize)


def add_rule_commands(rules: click.Group) -> None:
    """Hang the verbs that change what is in force below `rules`."""
    rules.add_command(apply_command)
    rules.add_command(retire_command)


@click.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="End gas alarms that lose their rule without asking.")
@installation
def apply_command(settings: Settings, file: Path, yes: bool) -> None:
    """Put a rule file in force as a new version; alarms that lose their rule are ended."""
    text = read_text(file)

    def apply(conn: Connection, agreed: Sequence[int]) -> tuple[Sequence[str], Sequence[Orphan]]:
        done = put_in_force(conn, "cli", {str(file): text}, datetime.now(UTC), agreed=agreed)
        return done.rules, done.orphans

    applied = change_rules(settings, apply, yes=yes)
    click.echo("\n".join(applied) or "unchanged: this text is already in force")


@click.command("retire")
@click.argument("code")
@click.option("--yes", is_flag=True, help="End gas alarms that lose their rule without asking.")
@installation
def retire_command(settings: Settings, code: str, yes: bool) -> None:
    """Take a rule out of force; alarms that lose it are ended."""

    def retire(conn: Connection, agreed: Sequence[int]) -> tuple[Sequence[str], Sequence[Orphan]]:
        return [code], retire_rule(conn, "cli", code, datetime.now(UTC), agreed=agreed)

    change_rules(settings, retire, yes=yes)
    click.echo(f"{code} is no longer in force")


def change_rules(settings: Settings, change: Change, *, yes: bool) -> Sequence[str]:
    """Try the change out, name what it would end, ask where gas is among it, then make it.

    A gas alarm that was raised while the person thought is not ended: `Conflict`.
    """
    with transaction(settings) as conn:
        _, orphans = change(conn, EVERY)
        conn.rollback()
    for orphan in orphans:
        click.echo(f"ends: {in_words(orphan)}", err=True)
    gas = sum(orphan.gas for orphan in orphans)
    if gas and not yes:
        ask(gas)
    with transaction(settings) as conn:
        done, _ = change(conn, EVERY if yes else [orphan.alarm.id for orphan in orphans])
    return done


def ask(gas: int) -> None:
    """Only a person who sees the list may end a gas alarm that its sensor has not ended."""
    what = f"{gas} gas alarm{'s' if gas > 1 else ''} would end although no sensor has cleared it"
    if not sys.stdin.isatty():
        problem = f"{what}; nothing was changed. Say --yes if that is meant"
        raise Conflict(problem, current={"gas_alarms": gas})
    if not click.confirm(f"{what}. Go on?", default=False, err=True):
        raise Conflict("nothing was changed", current={"gas_alarms": gas})


def in_words(orphan: Orphan) -> str:
    """One line: what, how bad, since when, and why it ends."""
    alarm: Alarm = orphan.alarm
    mark = "gas " if orphan.gas else ""
    since = alarm.sensed_at.astimezone().isoformat(timespec="seconds")
    return (
        f"{mark}alarm {alarm.condition} ({alarm.severity.name.lower()}, since {since}): "
        f"{orphan.rule}: {orphan.because}"
    )
