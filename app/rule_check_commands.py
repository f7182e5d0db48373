"""`gridwarden rules check|test`: what can be said of rules before they are in force."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from alerts.known import load_rules
from alerts.rule_files import parse_rule
from alerts.rule_tables import Outcome, as_json
from alerts.rules import Rule
from alerts.sanity import Grade, Remark, look_at, worst
from app.commands import (
    no_installation_needed,
    print_json,
    read_text,
    transaction,
    warn_of_help,
)
from app.rule_tables import run_path, run_shipped, shipped_rules, summary
from app.settings import load_settings
from city.errors import Conflict, InvalidInput, Unavailable
from db import evaluation
from db.pool import Connection


def add_rule_check_commands(rules: click.Group) -> None:
    """Hang the verbs that store nothing below `rules`."""
    rules.add_command(check_command)
    rules.add_command(test_command)


@click.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default=None)
@click.pass_obj
def check_command(default_dir: Path | None, file: Path, data_dir: Path | None) -> None:
    """Validate a rule file and name what is odd about it; nothing is stored. Beside the rules and
    devices of the installation if one runs, else beside the shipped rules."""
    rule = parse_rule(read_text(file), str(file))
    warn_of_help(rule, str(file))
    try:
        with transaction(load_settings(data_dir or default_dir)) as conn:
            found = look_beside(conn, rule, datetime.now(UTC))
    except (InvalidInput, Unavailable):
        found = look_at(rule, shipped_rules().values())
    say(found)
    if worst(found) is Grade.ERROR:
        sys.exit(1)
    click.echo(f"{file}: rule {rule.code} is valid")


@click.command("test")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "json_", is_flag=True)
@no_installation_needed
def test_command(paths: tuple[Path, ...], json_: bool) -> None:
    """Run the tables beside rules: readings in, alarms out, no database. PATH is a folder of rules
    with `tests/*.toml` in it, or one such file; none: the rules that ship. Exit 1 where the rules
    raise something else."""
    outcomes: list[Outcome] = []
    for path in paths:
        found = run_path(path)
        if not found:
            raise InvalidInput("path", str(path), "has no tests/*.toml")
        outcomes += found
    if not paths:
        outcomes = run_shipped()
    if json_:
        print_json(as_json(outcomes))
    else:
        for outcome in outcomes:
            click.echo("\n".join(outcome.as_lines()))
        click.echo(summary(outcomes))
    sys.exit(0 if all(outcome.ok for outcome in outcomes) else 1)


def look_beside(conn: Connection, rule: Rule, now: datetime) -> list[Remark]:
    """What is odd about a rule beside the rules in force and the devices that are registered."""
    in_force = load_rules(conn, now).values()
    return look_at(rule, in_force, evaluation.list_watched_devices(conn))


def say(remarks: Iterable[Remark]) -> None:
    for remark in remarks:
        click.echo(str(remark), err=True)


def ask_about(remarks: Iterable[Remark], *, yes: bool) -> None:
    """Name everything; where something is asked, whoever means it says so."""
    found = list(remarks)
    say(found)
    asked = sum(remark.grade is Grade.ASK for remark in found)
    if not asked or yes:
        return
    what = f"{asked} of this is to be confirmed"
    if not sys.stdin.isatty():
        raise Conflict(
            f"{what}; nothing was changed. Say --yes if it is meant", current={"asked": asked}
        )
    if not click.confirm(f"{what}. Go on?", default=False, err=True):
        raise Conflict("nothing was changed", current={"asked": asked})
