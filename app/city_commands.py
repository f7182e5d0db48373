"""`gridwarden city check|plan|apply|export`: a city as a folder."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from alerts import rule_files
from alerts import steps as alert_steps
from app.commands import district_of, installation, no_installation_needed, print_json, transaction
from app.settings import Settings
from city.errors import Conflict, InvalidInput
from city.event import NewEvent
from db import calendars, seeds
from db.pool import Connection
from founding import steps as founding
from founding.check import judge_folder
from founding.compare import as_json, as_lines
from founding.export import write_folder
from founding.parts import City, Fault, Shipped, StageLimit
from registers.shipped import shipped_registers

ACTOR = "cli"
# Folders inside a city folder.
INNER = ("rules", "registers")
# A folder in which a file is larger than this is another folder.
FILE_MAX_BYTES = 200_000_000
PASSWORD_BYTES = 9

folder_argument = click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path)
)


@click.group("city")
def city_group() -> None:
    """A city as a folder: checked, compared, put in force, written out."""


@city_group.command("check")
@folder_argument
@no_installation_needed
def city_check(folder: Path) -> None:
    """Name every fault of a city folder; exit 1 if there is one."""
    city = judged(folder)
    parts = {
        "divisions": city.divisions, "cells": city.cells, "squads": city.squads,
        "people": city.people, "categories": city.categories, "rules of its own": city.rules,
        "registers": city.registers,
    }  # fmt: skip
    counted = ", ".join(f"{len(found)} {name}" for name, found in parts.items())
    click.echo(f"{city.district.code} {city.district.name_zh}: no fault. {counted}")


@city_group.command("plan")
@folder_argument
@click.option("--json", "as_json_", is_flag=True)
@installation
def city_plan(settings: Settings, folder: Path, as_json_: bool) -> None:
    """Say what `city apply` would change; nothing is written. Exit 1 if it would be refused."""
    city = judged(folder)
    with transaction(settings) as conn:
        plan = founding.plan_city(conn, city)
        conn.rollback()
    if as_json_:
        print_json({"changes": as_json(plan.changes)})
    else:
        click.echo("\n".join(as_lines(plan.changes)) or "nothing to do")
    refuse(plan.obstacles)


@city_group.command("apply")
@folder_argument
@installation
def city_apply(settings: Settings, folder: Path) -> None:
    """Put a city folder in force, all of it or nothing. Passwords of new people are printed, this
    once."""
    city = judged(folder)
    with transaction(settings) as conn:
        done = founding.apply_city(
            conn, city, ACTOR, datetime.now(UTC), put_rules=put_rules, new_password=new_password
        )
    click.echo("\n".join(as_lines(done.changes)) or "nothing to do")
    for name, password in done.passwords.items():
        click.echo(f"{name:<24}{password:<16}{city.people[name].role}")


@city_group.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@installation
def city_export(settings: Settings, folder: Path) -> None:
    """Write the city of this installation to FOLDER, which must be empty or not there."""
    if folder.exists() and any(folder.iterdir()):
        raise InvalidInput("folder", str(folder), "is not empty")
    with transaction(settings) as conn:
        code = district_of(conn, settings)
        files = write_folder(founding.read_city(conn, code, with_registers=True))
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    click.echo(f"{len(files)} files in {folder}")


def judged(folder: Path) -> City:
    """The city of a folder; where it has faults they are printed and the command ends with 1."""
    city, faults = judge_folder(read_files(folder), shipped())
    refuse(faults)
    assert city is not None, "a folder without a fault is a city"
    return city


def refuse(faults: Sequence[Fault]) -> None:
    if faults:
        click.echo("\n".join(map(str, faults)), err=True)
        sys.exit(1)


def read_files(folder: Path) -> dict[str, bytes]:
    """Contents of the files of a folder and of the folders in it that are ours, by name."""
    found = [path for path in folder.iterdir() if path.is_file()]
    found += [path for name in INNER for path in (folder / name).glob("*") if path.is_file()]
    files = {}
    for path in sorted(found):
        name = path.relative_to(folder).as_posix()
        if path.stat().st_size > FILE_MAX_BYTES:
            raise InvalidInput(name, path.stat().st_size, f"has more than {FILE_MAX_BYTES} bytes")
        files[name] = path.read_bytes()
    return files


def shipped() -> Shipped:
    """What holds where a folder says nothing."""
    limits = {
        clock.value: StageLimit(clock.value, limit, source)
        for clock, limit, source in seeds.read_stage_limits()
    }
    rules = [rule_files.parse_rule(text) for text in alert_steps.default_rules().values()]
    return Shipped(
        categories={c.code: replace(c, version=0) for c in seeds.read_categories()},
        stage_limits=limits,
        rules={rule.code: rule.category for rule in rules},
        calendars=frozenset({calendars.DEFAULT_CODE}),
        parse_rule=rule_files.parse_rule,
        registers=shipped_registers(),
    )


def put_rules(
    conn: Connection, actor: str, texts: Mapping[str, str], now: datetime
) -> Sequence[NewEvent]:
    """A city never ends a gas alarm: whoever means that says it rule by rule."""
    try:
        return alert_steps.write_rules(conn, actor, texts, now, agreed=()).events
    except Conflict as conflict:
        hint = "`gridwarden rules apply` names them and asks"
        raise Conflict(f"{conflict}; {hint}", current=conflict.current) from conflict


def new_password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)
