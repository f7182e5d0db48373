"""Looks at an installation as an engineer on call would: one line a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from app.finding import Finding
from app.restart_test import recall
from app.settings import Settings
from city.errors import GridwardenError
from city.settings import missing_year
from dashboard.shell.disk import disk_of
from db import (
    calendars,
    evaluation,
    inbox_lease,
    ingest_workers,
    live,
    migrate,
    operations,
    rosters,
)
from db.pool import first_line
from ingest import mqtt

# More than this between our clock and the database's makes alarm times doubtful.
CLOCK_SKEW_MAX_S = 2.0
# Batches older than this that nobody evaluated mean that the engine stands still.
BACKLOG_MAX_S = 30
# The next roster is asked for so long before the present one ends.
ROSTER_AHEAD = timedelta(days=7)


def examine(settings: Settings) -> list[Finding]:
    """All findings; a check that cannot run is a fault that says why."""
    checks: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("database", _database),
        ("redis", _redis),
        ("mqtt", _broker),
        ("restart", _restart),
        ("ingest", _workers),
        ("disk", _disk),
    )
    findings: list[Finding] = []
    for name, check in checks:
        try:
            findings.extend(check(settings))
        except (GridwardenError, OSError) as error:
            findings.append(Finding(False, name, first_line(error)))
    return findings


def _database(settings: Settings) -> Iterator[Finding]:
    with operations.examining(settings.database_url) as conn:
        server = operations.look_at_server(conn)
        yield Finding(
            server.timescale is not None,
            "database",
            f"PostgreSQL {server.version}, TimescaleDB {server.timescale or 'is missing'} "
            f"({server.licence})",
        )
        skew = abs((server.now - datetime.now(UTC)).total_seconds())
        yield Finding(skew <= CLOCK_SKEW_MAX_S, "clock", f"{skew:.1f} s from the database's")
        pending = migrate.pending(settings.database_url)
        yield Finding(
            not pending, "schema", f"missing {', '.join(pending)}" if pending else "is the newest"
        )
        if pending:
            return
        batches, oldest_s = evaluation.count_waiting(conn)
        yield Finding(
            oldest_s <= BACKLOG_MAX_S,
            "evaluation",
            f"{batches} batches wait, the oldest for {oldest_s:.0f} s",
        )
        known = calendars.find_calendar(conn, calendars.DEFAULT_CODE).known_until
        today = datetime.now(UTC).date()
        yield calendar_finding(known, today)
        if dates := rosters.list_last_dates(conn):
            yield roster_finding(dates, today)


def calendar_finding(known_until: date, today: date) -> Finding:
    """Days that nobody knows are a fault; that next year's are missing is said from 1 October."""
    text = f"working days known until {known_until}"
    if year := missing_year(known_until, today):
        text += (
            f": those of {year} are missing; enter them on the page /settings?part=calendar-{year}"
            " or with `gridwarden calendar load`"
        )
    return Finding(today <= known_until, "calendar", text)


def roster_finding(dates: Sequence[tuple[str, date]], today: date) -> Finding:
    """Rosters that have ended leave their squads off duty; that one ends is said before."""
    over = [squad for squad, last in dates if last < today]
    soon = [(squad, last) for squad, last in dates if today <= last < today + ROSTER_AHEAD]
    text = "; ".join(
        [f"the roster of {squad} has ended: it is off duty" for squad in over]
        + [f"the roster of {squad} ends on {last}" for squad, last in soon]
    )
    where = "; enter the next one on the page /settings?part=rosters"
    return Finding(not over, "rosters", text + where if text else "go on for a week at least")


def _workers(settings: Settings) -> Iterator[Finding]:
    """Who has the inbox, and whether those who store are alive."""
    with operations.examining(settings.database_url) as conn:
        if migrate.pending(settings.database_url):
            return  # said above; an old schema may not know of workers
        workers = ingest_workers.list_workers(conn)
        leases = inbox_lease.list_leases(conn)
    if not any(lease.is_held for lease in leases):
        yield Finding(False, "ingest", "nobody takes messages: run `gridwarden ingest`")
    for lease in leases:
        if lease.is_held:
            since = f"{lease.held_since:%Y-%m-%d %H:%M} UTC"
            yield Finding(True, "ingest", f"{lease.process} has {lease.session} since {since}")
    for worker in workers:
        text = f"{worker.name} is alive, started at {worker.started_at:%Y-%m-%d %H:%M} UTC"
        if not worker.is_alive:
            text = (
                f"{worker.name} is silent for {worker.silent_s:.0f} s; start {worker.process} "
                f"again, or `gridwarden worker end {worker.name}` if it is gone for good"
            )
        yield Finding(worker.is_alive, "ingest", text)


def _redis(settings: Settings) -> Iterator[Finding]:
    version = live.server_version(settings.redis_url)
    yield Finding(version is not None, "redis", version or "does not answer")


def _broker(settings: Settings) -> Iterator[Finding]:
    for ok, text in mqtt.examine_broker(settings.mqtt_url, shared=settings.mqtt_shared):
        yield Finding(ok, "mqtt", text)


def _restart(settings: Settings) -> Iterator[Finding]:
    with operations.examining(settings.database_url) as conn:
        yield from recall(settings, conn)


def _disk(settings: Settings) -> Iterator[Finding]:
    """Of the data folder; in a container, where that is empty, of the volume it lies on."""
    disk = disk_of(settings.data_dir)
    yield Finding(not disk.is_low, "disk", f"{disk.free / 1e9:.1f} GB free at {disk.folder}")
