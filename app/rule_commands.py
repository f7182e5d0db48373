"""`gridwarden rules apply|retire`: alarms that lose their rule are named before they end, and what
is gas safety waits for a second person where a city has four eyes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from alerts.orphans import Orphan
from alerts.rule_files import parse_rule
from alerts.sanity import Grade, Remark, worst
from alerts.steps import put_in_force, retire_rule
from alerts.trial import remarks as trial_remarks
from alerts.trial import try_out
from app import four_eyes
from app.approval_commands import acting_person, as_option, say_waiting, why_option
from app.commands import district_of, installation, read_text, transaction, warn_of_help
from app.four_eyes import RuleChange
from app.rule_check_commands import ask_about, look_beside
from app.settings import Settings
from city.alarm import Alarm
from city.errors import Conflict
from db import rules as rule_rows
from db.events import append_events
from db.pool import Connection

# Applies what was asked for; ends only the gas alarms whose ids it is given.
Change = Callable[[Connection, Sequence[int]], tuple[Sequence[str], Sequence[Orphan]]]
# Every alarm is agreed to where a change is only tried out.
EVERY = range(sys.maxsize)
# So long a person waits at a prompt to hear whether a rule would have been too loud.
TRY_S = 10.0


def add_rule_commands(rules: click.Group) -> None:
    """Hang the verbs that change what is in force below `rules`."""
    rules.add_command(apply_command)
    rules.add_command(retire_command)


@click.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Ask nothing: end gas alarms too, take odd rules.")
@as_option
@why_option
@installation
def apply_command(settings: Settings, file: Path, yes: bool, as_: str, why: str) -> None:
    """Put a rule file in force as a new version; alarms that lose their rule are ended. Where a
    city has four eyes, a gas safety rule waits for a second person."""
    text = read_text(file)
    warn_of_help(parse_rule(text, str(file)), str(file))
    ask_about(look_first(settings, text, file), yes=yes)
    if held := held_back(settings, {str(file): text}, ()):
        ask_for(settings, held, as_, why, yes=yes)
        return

    def apply(conn: Connection, agreed: Sequence[int]) -> tuple[Sequence[str], Sequence[Orphan]]:
        done = put_in_force(conn, "cli", {str(file): text}, datetime.now(UTC), agreed=agreed)
        return done.rules, done.orphans

    applied = change_rules(settings, apply, yes=yes)
    click.echo("\n".join(applied) or "unchanged: this text is already in force")


@click.command("retire")
@click.argument("code")
@click.option("--yes", is_flag=True, help="End gas alarms that lose their rule without asking.")
@as_option
@why_option
@installation
def retire_command(settings: Settings, code: str, yes: bool, as_: str, why: str) -> None:
    """Take a rule out of force; alarms that lose it are ended. Where a city has four eyes, a gas
    safety rule waits for a second person."""
    if held := held_back(settings, {}, (code,)):
        ask_for(settings, held, as_, why, yes=yes)
        return

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
    name_ends(orphans, yes=yes)
    with transaction(settings) as conn:
        done, _ = change(conn, EVERY if yes else [orphan.alarm.id for orphan in orphans])
    return done


def name_ends(orphans: Sequence[Orphan], *, yes: bool) -> None:
    """Name the alarms that would end, and ask where gas is among them."""
    for orphan in orphans:
        click.echo(f"ends: {in_words(orphan)}", err=True)
    gas = sum(orphan.gas for orphan in orphans)
    if gas and not yes:
        ask(gas)


def look_first(settings: Settings, text: str, file: Path) -> list[Remark]:
    """What is odd about a rule, and whether it would have been too loud, as far back as can be
    tried in a few seconds. Nothing where its text is in force already."""
    rule, now = parse_rule(text, str(file)), datetime.now(UTC)
    with transaction(settings) as conn:
        newest = rule_rows.find_newest(conn, rule.code)
        if newest is not None and newest.source == text and not newest.retired:
            return []
        found = look_beside(conn, rule, now)
        if worst(found) is not Grade.ERROR:
            tried = try_out(conn, [rule], (), now, time.monotonic, budget_s=TRY_S)
            found += trial_remarks(tried, [rule])
    return found


def held_back(
    settings: Settings, put: Mapping[str, str], retire: Sequence[str]
) -> RuleChange | None:
    """What of these rules a second person has to see; None: nothing."""
    with transaction(settings) as conn:
        if four_eyes.district_of_rules(conn, district_of(conn, settings)) is None:
            return None
        held, gone = four_eyes.gas_rules_among(conn, put, retire, datetime.now(UTC))
    return RuleChange(held, gone) if held or gone else None


def ask_for(settings: Settings, wanted: RuleChange, as_: str, why: str, *, yes: bool) -> None:
    """Store the change as a request; its asker has seen which alarms it would end."""
    now = datetime.now(UTC)
    with transaction(settings) as conn:
        orphans = four_eyes.try_out(conn, replace(wanted, agreed=EVERY), "cli", now)
        conn.rollback()
    name_ends(orphans, yes=yes)
    seen = replace(wanted, agreed=[orphan.alarm.id for orphan in orphans])
    with transaction(settings) as conn:
        foreseen = four_eyes.foreseen_json(four_eyes.foresee(conn, seen.put, seen.retire, now))
        district = four_eyes.district_of_rules(conn, district_of(conn, settings))
    if district is None:
        raise Conflict("four eyes were switched off meanwhile: say it again", current={})
    caller = acting_person(settings, as_, district)
    with transaction(settings) as conn:
        asked = four_eyes.ask(conn, caller, seen, foreseen, why, now)
        append_events(conn, asked.events)
        say_waiting(conn, asked)


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
