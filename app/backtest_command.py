"""`gridwarden rules backtest`: what rules would have raised, on files or on what is stored."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from alerts.backtest import (
    Difference,
    WouldRaise,
    as_json,
    backtest,
    compare,
    has_history,
    judge_history,
    less_permitted,
    refuse_without_history,
)
from alerts.history import History
from alerts.history_files import read_history
from alerts.known import load_rules
from alerts.rule_files import parse_rule
from alerts.rules import Rule
from app.backtest_files import areas_of, permits_of, with_programmes
from app.settings import Settings, load_settings
from city.errors import InvalidInput, Unavailable
from city.permit import Span
from db.permits import list_spans_by_code
from db.pool import connect
from db.rules import default_texts

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
# Looked back on where nobody says how far.
USUAL_SPAN = timedelta(days=1)


@click.command("backtest")
@click.argument("files", nargs=-1, type=FILE)
@click.option("--from", "from_text", default=None, help="Stored readings from then; a day ago.")
@click.option("--to", "to_text", default=None, help="Up to then; now.")
@click.option("--readings", type=FILE, help="CSV or CSV.gz: ts,received_at,device,metric,value.")
@click.option("--devices", type=FILE, help="CSV as `device import` takes it.")
@click.option(
    "--areas",
    type=FILE,
    help="areas.geojson, for rules about devices of areas, and permits for streets.",
)
@click.option("--permits", type=FILE, help="CSV as `permit import` takes it: no alarm under one.")
@click.option("--programmes", multiple=True, type=FILE, help="TOML of a lighting programme.")
@click.option("--against", multiple=True, type=FILE, help="Name alarms gained and lost.")
@click.option("--json", "as_json_", is_flag=True)
@click.option("--data-dir", "own_data_dir", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def backtest_command(
    data_dir: Path | None,
    own_data_dir: Path | None,
    files: tuple[Path, ...],
    from_text: str | None,
    to_text: str | None,
    readings: Path | None,
    devices: Path | None,
    areas: Path | None,
    permits: Path | None,
    programmes: tuple[Path, ...],
    against: tuple[Path, ...],
    as_json_: bool,
) -> None:
    """Say what rules would have raised on stored readings, or on those of files.

    No FILE: the rules in force, or those that ship with the product where nothing is installed.
    With FILEs the stored rules that share a condition with them are judged beside them, and alarms
    in which none of them had a part are left out; on readings of files they are judged alone.
    --against judges that rule in the place of FILEs (or beside the rules in force, in the place of
    the one of its code) and names what only one of the two raises."""
    began = time.perf_counter()
    named, others = [_parse(file) for file in files], [_parse(file) for file in against]
    refuse_without_history([*named, *others])
    if (readings is None) != (devices is None):
        missing = "--readings" if readings is None else "--devices"
        raise InvalidInput(missing, None, "is needed with the other one")
    if readings is not None and devices is not None:
        if from_text or to_text:
            raise InvalidInput("--from", from_text or to_text, "is for stored readings")
        drawn = areas_of(areas)
        history = with_programmes(read_history(readings, devices, areas=drawn), programmes)
        spans = permits_of(permits, history.devices.values(), drawn)
        found, other = _on_files(history, spans, named, others, own_data_dir or data_dir)
    elif beside := next(
        (
            n
            for n, given in (
                ("--areas", areas),
                ("--permits", permits),
                ("--programmes", programmes),
            )
            if given
        ),
        "",
    ):
        raise InvalidInput(beside, None, "goes with --readings and --devices")
    else:
        settings = load_settings(own_data_dir or data_dir)
        found, other = _on_stored(settings, named, others, from_text, to_text)
    difference = compare(found, other) if others else None
    took_s = time.perf_counter() - began
    if as_json_:
        click.echo(json.dumps(_as_json(found, difference, took_s), ensure_ascii=False, default=str))
    else:
        _say(found, difference, took_s)


def _on_files(
    history: History,
    spans: Mapping[str, Sequence[Span]],
    named: Sequence[Rule],
    against: Sequence[Rule],
    data_dir: Path | None,
) -> tuple[list[WouldRaise], list[WouldRaise]]:
    rules = list(named) or _in_force(data_dir)
    found = less_permitted(judge_history(rules, history), rules, spans)
    if not against:
        return found, []
    others = _other(named, rules, against)
    return found, less_permitted(judge_history(others, history), others, spans)


def _on_stored(
    settings: Settings,
    named: Sequence[Rule],
    against: Sequence[Rule],
    from_text: str | None,
    to_text: str | None,
) -> tuple[list[WouldRaise], list[WouldRaise]]:
    to = _time(to_text, "--to", datetime.now(UTC))
    from_ = _time(from_text, "--from", to - USUAL_SPAN)
    with connect(settings.database_url, application="gridwarden cli") as conn:
        rules = list(named) or [r for r in load_rules(conn, to).values() if has_history(r)]
        spans = list_spans_by_code(conn, from_, to)
        found = less_permitted(backtest(conn, rules, from_, to), rules, spans)
        other = []
        if against:
            others = _other(named, rules, against)
            other = less_permitted(backtest(conn, others, from_, to), others, spans)
    return found, other


def _other(named: Sequence[Rule], rules: Sequence[Rule], against: Sequence[Rule]) -> list[Rule]:
    """What is compared with: that rule alone where rules were named, else in its place."""
    if named:
        return list(against)
    return list({rule.code: rule for rule in (*rules, *against)}.values())


def _in_force(data_dir: Path | None) -> list[Rule]:
    try:
        settings = load_settings(data_dir)
        with connect(settings.database_url, application="gridwarden cli") as conn:
            return list(load_rules(conn, datetime.now(UTC)).values())
    except (InvalidInput, Unavailable):
        return [parse_rule(text, name) for name, text in default_texts().items()]


def _parse(file: Path) -> Rule:
    try:
        return parse_rule(file.read_text(encoding="utf-8"), file.name)
    except UnicodeDecodeError as error:
        raise InvalidInput("file", str(file), f"is not UTF-8 text: {error.reason}") from error


def _time(text: str | None, field: str, default: datetime) -> datetime:
    if text is None:
        return default
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(field, text, "must be a time like 2026-11-22T08:00:00+08:00") from error


def _as_json(
    found: Sequence[WouldRaise], difference: Difference | None, took_s: float
) -> dict[str, Any]:
    told: dict[str, Any] = {"alarms": [as_json(alarm) for alarm in found]}
    if difference is not None:
        told["gained"] = [as_json(alarm) for alarm in difference.gained]
        told["lost"] = [as_json(alarm) for alarm in difference.lost]
    return told | {"took_s": round(took_s, 3)}


def _say(found: Sequence[WouldRaise], difference: Difference | None, took_s: float) -> None:
    if difference is None:
        for alarm in found:
            click.echo(_line(alarm))
        click.echo(f"{len(found)} alarms in {took_s:.1f} s")
        return
    for sign, alarms in (("+", difference.gained), ("-", difference.lost)):
        for alarm in alarms:
            click.echo(f"{sign} {_line(alarm)}")
    gained, lost = len(difference.gained), len(difference.lost)
    click.echo(f"{len(found)} alarms: {gained} gained, {lost} lost, in {took_s:.1f} s")


def _line(alarm: WouldRaise) -> str:
    began = alarm.raised_at or alarm.sensed_at
    ended = alarm.cleared_at
    span = f"{began.astimezone():%Y-%m-%d %H:%M:%S} to " + (
        f"{ended.astimezone():%Y-%m-%d %H:%M:%S}" if ended else "the end"
    )
    cause = f" [{alarm.likely_cause}]" if alarm.likely_cause else ""
    return (
        f"{span}  {alarm.severity:<6} {alarm.condition}/{alarm.device} "
        f"({alarm.rule}){cause}: {alarm.text_en}"
    )
