"""`gridwarden city check|plan|apply|export`: a city as a folder."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from alerts import foresight, rule_files
from alerts import steps as alert_steps
from alerts.foresight import Foresight
from alerts.help import help_warning, missing_help
from alerts.rule_form import find_faults
from alerts.rule_versions import parse_sane
from alerts.sanity import look_at
from app import four_eyes
from app.approval_commands import acting_person, as_option, say_waiting, why_option
from app.commands import (
    district_of,
    installation,
    no_installation_needed,
    print_json,
    read_text,
    transaction,
)
from app.held_back import RULES, HeldBack, find_waiting, rule_texts
from app.rule_tables import TESTS, run_texts, shipped_rules
from app.settings import Settings
from city.errors import Conflict, InvalidInput
from city.event import NewEvent
from city.incident import Role
from city.lamp_programme import parse_programme
from city.person import Caller
from db import calendars, seeds
from db.pool import Connection
from db.users import draw_password
from founding import steps as founding
from founding.check import judge_folder
from founding.city_file import CITY_FILE
from founding.compare import ADDED, CHANGED, Change, as_json, as_lines, codes
from founding.export import write_folder
from founding.parts import City, Fault, LampAssignment, Shipped, StageLimit
from lighting import programmes as lamps
from registers.shipped import shipped_registers
from wire.model_check import check_text

ACTOR = "cli"
# Folders inside a city folder.
INNER = (RULES, "models", "registers", "lighting", "run-cards")
# A folder in which a file is larger than this is another folder.
FILE_MAX_BYTES = 200_000_000

folders_argument = click.argument(
    "folders",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)


@click.group("city")
def city_group() -> None:
    """A city as a folder, or several, one a district: checked, compared, put in force, written
    out."""


@city_group.command("check")
@folders_argument
@no_installation_needed
def city_check(folders: Sequence[Path]) -> None:
    """Name every fault of city folders; exit 1 if there is one."""
    for city in judged(folders):
        parts = {
            "divisions": city.divisions, "cells": city.cells, "squads": city.squads,
            "people": city.people, "categories": city.categories, "rules of its own": city.rules,
            "registers": city.registers, "lighting programmes": city.programmes,
        }  # fmt: skip
        counted = ", ".join(f"{len(found)} {name}" for name, found in parts.items())
        say_oddities(city)
        click.echo(f"{city.district.code} {city.district.name_zh}: no fault. {counted}")


def say_oddities(city: City) -> None:
    """What is odd about a city's own rules, beside each other and the shipped ones."""
    own = [rule_files.parse_rule(text, code) for code, text in city.rules.items()]
    others = {**shipped_rules(), **{rule.code: rule for rule in own}}.values()
    for rule in own:
        for remark in look_at(rule, others):
            click.echo(str(remark), err=True)


@city_group.command("plan")
@folders_argument
@click.option("--json", "as_json_", is_flag=True)
@installation
def city_plan(settings: Settings, folders: Sequence[Path], as_json_: bool) -> None:
    """Say what `city apply` would change; nothing is written. Exit 1 if it would be refused."""
    cities, now = judged(folders), datetime.now(UTC)
    with transaction(settings) as conn:
        plans = [founding.plan_city(conn, city) for city in cities]
        texts = {
            code: city.rules[code]
            for city, plan in zip(cities, plans, strict=True)
            for code in codes(plan.changes, "rule", ADDED, CHANGED)
        }
        foreseen = four_eyes.foresee(conn, texts, (), now)
        waits = find_waiting(conn, cities, rule_texts(texts), now).change.what
        conn.rollback()
    told = {c.district.code: plan.changes for c, plan in zip(cities, plans, strict=True)}
    if as_json_:
        changes = [
            {"district": code, **change} for code, mine in told.items() for change in as_json(mine)
        ]
        found = {"alarms": four_eyes.foreseen_json(foreseen)} if foreseen else {}
        print_json({"changes": changes, **found})
    else:
        _say(told)
        for line in plan_notes(foreseen, waits):
            click.echo(line)
    refuse([fault for plan in plans for fault in plan.obstacles])


def plan_notes(foreseen: Foresight | None, waits: str) -> list[str]:
    """What changed rules would have done, and what of the plan a second person has to see."""
    lines = [] if foreseen is None else foresight.as_lines(foreseen)
    return lines + ([f"waits for a second person: {waits}"] if waits else [])


@city_group.command("apply")
@folders_argument
@as_option
@why_option
@installation
def city_apply(settings: Settings, folders: Sequence[Path], as_: str, why: str) -> None:
    """Put city folders in force, all of them or nothing. Passwords of new people are printed, this
    once. Where a city has four eyes, its gas safety rules wait for a second person."""
    cities, now = judged(folders), datetime.now(UTC)
    with transaction(settings) as conn:
        identify = partial(acting_person, settings, as_)
        held = HeldBack(conn, cities, put_rules, identify, why, now)
        done = founding.apply_cities(
            conn, held.cities, ACTOR, now, put_rules=held.put_rules, new_password=draw_password,
            look_again=held.look_again(conn), put_programmes=put_programmes,
        )  # fmt: skip
        told = zip(cities, done, strict=True)
        _say({c.district.code: [x for x in d.changes if not held.has(x)] for c, d in told})
        if held.asked is not None:
            say_waiting(conn, held.asked)
    for city, applied in zip(cities, done, strict=True):
        for name, password in applied.passwords.items():
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


def _say(told: Mapping[str, Sequence[Change]]) -> None:
    """Changes by their district; which one is said where there are several."""
    for code, changes in told.items():
        if len(told) > 1:
            click.echo(f"{code}:")
        click.echo("\n".join(as_lines(changes)) or "nothing to do")


def judged(folders: Sequence[Path]) -> list[City]:
    """The cities of folders; where they have faults these are printed and the command ends with
    1."""
    known, cities, faults = shipped(), {}, []
    for folder in folders:
        files = read_files(folder)
        city, found = judge_folder(files, known)
        if city is not None:
            found = [*found, *table_faults(folder, city)]
        of = f"{folder.name}/" if len(folders) > 1 else ""
        faults += [replace(fault, file=f"{of}{fault.file}") for fault in found]
        if city is None:
            continue
        code = city.district.code
        if code in cities:
            faults.append(Fault(f"{of}{CITY_FILE}", None, "code", code, "is in two folders"))
        cities[code] = city
    refuse(faults)
    for city in cities.values():
        say_helpless(city)
    return list(cities.values())


def say_helpless(city: City) -> None:
    """Which of a city's own rules tell nobody what to do when they raise an alarm: a warning."""
    for code, text in sorted(city.rules.items()):
        file = f"{RULES}/{code}.toml"
        if missing_help(rule_files.parse_rule(text, file).help):
            click.echo(f"warning: {help_warning(code, file)}", err=True)


def table_faults(folder: Path, city: City) -> list[Fault]:
    """What the tables beside a city's rules expect and the rules do not do."""
    found = []
    for file in sorted((folder / RULES / TESTS).glob("*.toml")):
        name = file.relative_to(folder).as_posix()
        try:
            outcomes = run_texts({name: read_text(file)}, rule_texts(city.rules))
        except InvalidInput as error:
            field = error.field.removeprefix(name).removeprefix(": ")
            found.append(Fault(name, None, field, str(error.value), error.problem))
            continue
        for outcome in outcomes:
            said = "; ".join(line.strip() for line in outcome.as_lines()[1:])
            if not outcome.ok:
                found.append(Fault(name, None, "test", outcome.table.name, f"fails: {said}"))
    return found


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
        parse_rule=parse_sane,
        check_model=check_text,
        rule_faults=find_faults,
        video_types=alert_steps.type_names(),
        registers=shipped_registers(),
    )


def put_programmes(
    conn: Connection,
    district: str,
    actor: str,
    texts: Sequence[str],
    following: Sequence[LampAssignment],
    now: datetime,
) -> Sequence[NewEvent]:
    """Lighting programmes in force as their next versions, and who follows which from the next
    step on; lamps may come later."""
    caller = Caller(actor, Role.ADMIN, district)
    events: list[NewEvent] = []
    for text in texts:
        programme = parse_programme(text)
        events += lamps.save_programme(conn, caller, programme, None, founding.SOURCE, now)[1]
    for each in following:
        events += lamps.follow(
            conn, caller, each.target, each.code, each.programme, founding.SOURCE, now
        )
    return events


def put_rules(
    conn: Connection, actor: str, texts: Mapping[str, str], now: datetime
) -> Sequence[NewEvent]:
    """A city never ends a gas alarm: whoever means that says it rule by rule."""
    if not texts:
        return ()
    try:
        return alert_steps.write_rules(conn, actor, texts, now, agreed=()).events
    except Conflict as conflict:
        hint = "`gridwarden rules apply` names them and asks"
        raise Conflict(f"{conflict}; {hint}", current=conflict.current) from conflict
