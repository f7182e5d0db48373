"""The verbs that do one piece of work and end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from alerts.help import help_warning, missing_help
from alerts.rules import Rule
from app import books as bookkeeping
from app import doctor as doctoring
from app.model_commands import model
from app.restart_test import run_restart_test
from app.settings import DEMO_DISTRICT, Settings, load_settings
from city.datum import Datum
from city.errors import Conflict, InvalidInput, Unavailable
from db import calendars, districts, events, inbox_lease, ingest_workers, ledger
from db.ingest_workers import SILENT_S
from db.pool import Connection, connect
from dispatch import by_hand
from ingest import decode as decoding
from ingest import mqtt
from ingest.feeds import Feeds
from ingest.feeds_reader import follow_models, read_feeds
from ingest.message import GAS_LANE
from registry import import_file as device_import


def installation(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--data-dir` and hands the command its `Settings` first."""

    @click.option("--data-dir", "own_data_dir", type=click.Path(path_type=Path, file_okay=False))
    @click.pass_obj
    def wrapped(data_dir: Path | None, /, own_data_dir: Path | None, **arguments: Any) -> Any:
        return command(load_settings(own_data_dir or data_dir), **arguments)

    wrapped.__name__ = command.__name__
    wrapped.__doc__ = command.__doc__
    wrapped.__click_params__ = [  # type: ignore[attr-defined]
        *getattr(command, "__click_params__", []),
        *getattr(wrapped, "__click_params__", []),
    ]
    return wrapped


@contextmanager
def transaction(settings: Settings) -> Iterator[Connection]:
    """A connection for one command: committed at the end, undone on any error."""
    with connect(settings.database_url, application="gridwarden cli") as conn:
        yield conn


def district_of(conn: Connection, settings: Settings) -> str:
    """Code of the district that a command is about: the one that is named, else the only one."""
    if settings.district:
        return settings.district
    known = districts.list_codes(conn)
    if len(known) > 1 and DEMO_DISTRICT not in known:
        there = ", ".join(known)
        raise InvalidInput("GRIDWARDEN_DISTRICT", "", f"must name one of {there}")
    return known[0] if len(known) == 1 else DEMO_DISTRICT


def parse_time(text: str | None, field: str, default: datetime) -> datetime:
    """RFC 3339 with an offset; without one the machine's own zone is meant."""
    if text is None:
        return default
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(field, text, "must be a time like 2026-11-22T08:00:00+08:00") from error


def read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("file", str(file), f"is not UTF-8 text: {error.reason}") from error


def no_installation_needed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Understands `--data-dir` like every other command, and has no use for it."""
    return click.option(
        "--data-dir", expose_value=False, type=click.Path(path_type=Path, file_okay=False)
    )(command)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=1, default=str))


@click.group()
def device() -> None:
    """Registry of devices."""


@device.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Report what is wrong, write nothing.")
@click.option(
    "--datum",
    default=None,
    metavar="NAME",
    help="What the positions are in: wgs84, cgcs2000, gcj02 or bd09. Not asked about if given.",
)
@click.option(
    "--reason",
    default=None,
    help="Why devices that are registered are changed by their rows; without it they are faults.",
)
@installation
def device_import_command(
    settings: Settings, file: Path, dry_run: bool, datum: str | None, reason: str | None
) -> None:
    """Register devices from FILE (.csv or .geojson), with --reason change them."""
    with transaction(settings) as conn:
        report = device_import.import_file(
            conn, file, dry_run=dry_run, now=datetime.now(UTC), datum=datum, why=reason
        )
        if dry_run:
            conn.rollback()
    click.echo(report.as_text())
    if datum is None and Datum.WGS84 in report.datums:
        click.echo(
            "positions without a datum were read as WGS-84; --datum says otherwise", err=True
        )
    sys.exit(1 if report.faults else 0)


def warn_of_help(rule: Rule, file: str) -> None:
    """Name what a rule file lacks that its alarms should say."""
    if missing_help(rule.help):
        click.echo(f"warning: {help_warning(rule.code, file)}", err=True)


@click.group()
def rules() -> None:
    """Alarm rules."""


@click.group("ledger")
def ledger_group() -> None:
    """Ingest accounts."""


@ledger_group.command("verify")
@click.option("--from", "from_text", default=None)
@click.option("--to", "to_text", default=None)
@click.option("--json", "as_json", is_flag=True)
@installation
def ledger_verify(
    settings: Settings, from_text: str | None, to_text: str | None, as_json: bool
) -> None:
    """received = stored + duplicate + rejected, per feed and minute, and nothing known to have
    been lost before it was received; exit 1 where not."""
    now = datetime.now(UTC)
    start = parse_time(from_text, "--from", datetime(1970, 1, 1, tzinfo=UTC))
    end = parse_time(to_text, "--to", now)
    if start >= end:
        raise InvalidInput("--from", from_text, "must be before --to")
    with transaction(settings) as conn:
        wrong = ledger.verify(conn, start, end)
        totals = ledger.totals(conn, start, end)
        books = bookkeeping.read(conn, start, end, now)
    if as_json:
        found = {"balanced": not wrong, "totals": totals, "wrong": [asdict(w) for w in wrong]}
        print_json(found | bookkeeping.as_json(books))
    else:
        for row in totals:
            click.echo(
                "{feed:<16} received {received} = stored {stored} + duplicate {duplicate}"
                " + rejected {rejected}".format(**row)
            )
        for item in wrong:
            click.echo(f"does not balance: {item}")
        click.echo("\n".join(bookkeeping.lines(books)))
        click.echo("the ledger does not balance" if wrong else "the ledger balances")
    sys.exit(1 if wrong or not books.balanced else 0)


@click.group()
def audit() -> None:
    """The event log."""


@audit.command("verify")
@click.option("--json", "as_json", is_flag=True)
@installation
def audit_verify(settings: Settings, as_json: bool) -> None:
    """Recompute the hash chain of the event log; exit 1 at the first broken row."""
    with transaction(settings) as conn:
        report = events.verify_chain(conn)
    if as_json:
        print_json(asdict(report))
    else:
        click.echo(report.problem or f"{report.events} events, the chain is whole")
    sys.exit(1 if report.broken_at else 0)


@click.command()
@click.option("--format", "format_name", default="auto", show_default=True)
@click.option("--topic", default="", help="MQTT topic that the message came with.")
@click.option("--model", default=None, help="Device model, e.g. milesight-gs101.")
@click.option("--codec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("file", type=click.File("rb"))
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default=None)
@click.pass_obj
def decode(
    default_dir: Path | None, format_name: str, topic: str, model: str | None, codec: Path | None,
    file: Any, data_dir: Path | None,
) -> None:  # fmt: skip
    """Parse one message by hand and print what was understood; nothing is stored.

    `feed` says which feed of the installation takes the topic; without one, which shipped feed."""
    feeds = stored_feeds(data_dir or default_dir)
    result = decoding.decode_by_hand(
        topic,
        file.read(),
        format=format_name,
        model=model,
        codec_js=read_text(codec) if codec else None,
        received_at=datetime.now(UTC),
        feeds=feeds,
    )
    print_json(result)
    sys.exit(1 if decoding.rejected_everything(result) else 0)


def stored_feeds(data_dir: Path | None) -> Feeds:
    """The installation's feeds where one runs, else those that ship with the product; with its
    feeds its device models are read."""
    try:
        with transaction(load_settings(data_dir)) as conn:
            follow_models(conn)
            return read_feeds(conn)
    except (InvalidInput, Unavailable):
        return Feeds()


@click.group()
def sla() -> None:
    """Deadlines by hand."""


@sla.command("due")
@click.option("--start", required=True)
@click.option("--limit", "limit_text", required=True, help='For example "4 work_hour".')
@click.option("--pause", "pauses", multiple=True, metavar="FROM/TO")
@click.option("--calendar", "calendar_code", default="CN", show_default=True)
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), default=None)
@click.pass_obj
def sla_due(
    default_dir: Path | None,
    start: str,
    limit_text: str,
    pauses: tuple[str, ...],
    calendar_code: str,
    data_dir: Path | None,
) -> None:
    """When a clock that started then ends, and how it was counted day by day."""
    calendar = stored_calendar(data_dir or default_dir, calendar_code)
    print_json(by_hand.due_by_hand(start, limit_text, list(pauses), calendar))


def stored_calendar(data_dir: Path | None, code: str) -> Any:
    """The installation's calendar where one runs, else the one that ships with the product."""
    try:
        settings = load_settings(data_dir)
    except InvalidInput:
        if data_dir is not None or code != calendars.DEFAULT_CODE:
            raise
        return calendars.build_china_calendar()
    with transaction(settings) as conn:
        return calendars.find_calendar(conn, code)


@click.group()
def calendar() -> None:
    """Working calendars."""


@calendar.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--calendar", "calendar_code", default=calendars.DEFAULT_CODE, show_default=True)
@installation
def calendar_load(settings: Settings, file: Path, calendar_code: str) -> None:
    """Add the days of FILE (date,working,note) as a new version of the calendar."""
    with transaction(settings) as conn:
        days = calendars.parse_calendar_file(read_text(file), file.suffix)
        stored = calendars.extend_calendar(calendars.find_calendar(conn, calendar_code), days)
        calendars.insert_calendar(conn, stored, str(file), datetime.now(UTC))
    click.echo(f"{stored.code} version {stored.version}, known until {stored.known_until}")


@click.group()
def worker() -> None:
    """Ingest workers."""


@worker.command("end")
@click.argument("name")
@click.option("--force", is_flag=True, help="Lose what waits at the broker.")
@installation
def worker_end(settings: Settings, name: str, force: bool) -> None:
    """Forget a storing worker that is gone for good. NAME may also be a process with a shared
    subscription of its own: then what waits for it at the broker is lost."""
    with transaction(settings) as conn:
        leases = {lease.process: lease for lease in inbox_lease.list_leases(conn)}
        workers = ingest_workers.list_workers(conn)
        gone = [worker for worker in workers if name in (worker.name, worker.process)]
        if not gone and name not in leases:
            known = sorted({w.name for w in workers} | {w.process for w in workers})
            raise InvalidInput("name", name, f"is no worker; there are {', '.join(known)}")
        alive = [worker for worker in gone if worker.is_alive]
        if alive:
            heard = f"{alive[0].name} was heard {alive[0].silent_s:.0f} s ago"
            raise Conflict(
                f"{heard}; stop it first and wait {SILENT_S:.0f} s",
                current={"silent_s": alive[0].silent_s},
            )
        lease = leases.get(name)
        if settings.mqtt_shared and lease is not None:
            if not force:
                raise Conflict(
                    f"what waits for {name} at the broker would be lost; start it once more to "
                    "have it stored, or say --force",
                    current={"session": lease.session},
                )
            for suffix in ("", GAS_LANE):
                mqtt.end_session(settings.mqtt_url, lease.session + suffix)
        for worker in gone:
            ingest_workers.forget(conn, worker.name)
    click.echo(f"{name} is forgotten")


@click.command()
@click.option(
    "--restart-test",
    is_flag=True,
    help="Try what the broker keeps over a restart; you are asked to restart it.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(1),
    default=300.0,
    show_default=True,
    help="Seconds to wait for that restart.",
)
@installation
def doctor(settings: Settings, restart_test: bool, wait_s: float) -> None:
    """Check every connection, version, clock, disk and broker limit; exit 1 on a fault."""
    if restart_test:
        findings = run_restart_test(settings, click.echo, wait_s)
    else:
        findings = doctoring.examine(settings)
    for finding in findings:
        click.echo(f"{'ok   ' if finding.ok else 'FAULT'} {finding.what}: {finding.text}")
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


WORK_COMMANDS = (
    device, rules, ledger_group, audit,
    decode, model, sla, calendar, worker, doctor,
)  # fmt: skip
