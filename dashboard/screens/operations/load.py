"""The state of ingest as a person at night needs it: figures, and what is wrong in plain codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from dashboard.screens.operations.books_load import BooksItem, find_losses, read_books
from dashboard.screens.operations.feeds_load import ListeningItem, read_listening
from dashboard.shell import stages
from dashboard.shell.disk import FREE_MIN_BYTES, disk_of
from dashboard.shell.parts import ROOT_FOLDER
from dashboard.shell.stages import Fault
from db import gateways, ledger, message_settings, operations
from db.kpi import ingest_lag
from db.ledger import Imbalance, LedgerLine
from db.operations import DatabaseSize, FeedFigures, Worker
from db.pool import Connection
from db.reject_counts import QuarantineSize, quarantine_size
from db.reject_limits import LIMITS

WINDOW = timedelta(hours=1)
MINUTES = 60
# A feed that was slower than this all day is not silent when it pauses.
SILENT_MIN_S = 600
SILENT_GAPS = 5
# A feed that stopped this long ago has been taken out of use: it is listed, not complained of.
SILENT_MAX_S = 7 * 86_400
# Too few minutes to know how often a feed speaks.
MINUTES_TO_KNOW = 3
# A worker gives a sign of life every two seconds.
WORKER_GONE_S = 30
# As in `gridwarden doctor`.
BACKLOG_MAX_S = 30
# Batches are committed within 25 ms of their first message when all is well.
STORE_SLOW_S = 5
# Refusals that are more than noise: so many of the hour, and so large a share.
REFUSED_MIN, REFUSED_SHARE = 20, 0.05
# The feed of messages that no format claims; nobody waits for more of them.
UNKNOWN_FEED = "unknown"
# Our programs by the name of their database connections.
PROGRAMS = {"ingest": "ingest", "engine": "engine", "scheduler": "scheduler lock", "serve": "serve"}
NEEDED_PROGRAMS = ("ingest", "engine", "scheduler")
# Needed once a city has a channel for messages.
NOTIFY = "notify"
# Who can read this page has a database; whether walls are fed is no matter of ingest.
SAID_ELSEWHERE = (stages.DATABASE_AWAY, stages.PICTURE_STANDS)
# Findings that a stage that stands still says already: one fact is one line.
SAYS_THE_SAME: Mapping[str, tuple[str, ...]] = {
    stages.INGEST_ABSENT: ("ingest_absent", "nothing_received"),
    stages.BROKER_AWAY: ("nothing_received",),
    stages.NOTHING_COMES: ("nothing_received",),
    stages.NOT_JUDGED: ("engine_absent", "evaluation_behind"),
    stages.JUDGED_LATE: ("evaluation_behind",),
    stages.NOT_TICKED: ("scheduler_absent",),
}


class FeedItem(msgspec.Struct, kw_only=True):
    """One wire format in the last hour. `minutes` are 60 triples (stored, duplicate, rejected),
    the present minute last; `usual_gap_s` is how far apart its busy minutes were in the last
    day. A lag is null where nobody measured it."""

    feed: str
    received: int
    stored: int
    duplicate: int
    rejected: int
    without_values: int
    readings_stored: int
    newest_at: datetime
    newest_is_exact: bool
    age_s: float
    usual_gap_s: float | None
    silent: bool
    balanced: bool
    store_lag_avg_s: float | None
    store_lag_max_s: float | None
    sense_lag_avg_s: float | None
    sense_lag_max_s: float | None
    minutes: list[list[int]]


class WorkerItem(msgspec.Struct, kw_only=True):
    """One ingest worker; `gone`: no sign of life although it did not say good-bye.
    `received` are its messages of the last hour."""

    worker: str
    seen_at: datetime
    last_at: datetime | None
    received: int
    gone: bool


class EvaluationItem(msgspec.Struct, kw_only=True):
    """Stored batches that the engine has not looked at, and alarm changes nobody has taken."""

    batches_waiting: int
    oldest_waiting_s: float | None
    alarm_changes_waiting: int


class DiskItem(msgspec.Struct, kw_only=True):
    """The disk that the data folder is on, as the web server sees it."""

    total: int
    free: int


class FindingItem(msgspec.Struct, kw_only=True):
    """Something that is wrong, as a code with its facts."""

    code: str
    facts: dict[str, Any] = {}


class GatewaysItem(msgspec.Struct, kw_only=True, frozen=True):
    """Gateways of the caller's district; `explained` devices are silent because of one."""

    heard: int = 0
    silent: int = 0
    explained: int = 0


class OperationsAnswer(msgspec.Struct, kw_only=True):
    """Everything about ingest from `from` to `now`."""

    from_: datetime = msgspec.field(name="from")
    now: datetime
    findings: list[FindingItem]
    feeds: list[FeedItem]
    imbalances: list[Imbalance]
    workers: list[WorkerItem]
    programs: dict[str, int]
    evaluation: EvaluationItem
    quarantine: QuarantineSize
    quarantine_limit_bytes: int
    database: DatabaseSize
    disk: DiskItem
    gateways: GatewaysItem = GatewaysItem()
    books: BooksItem = BooksItem()
    listening: list[ListeningItem] = []


def read_operations(
    conn: Connection,
    district: str,
    now: datetime,
    faults: Sequence[Fault] = (),
    data_dir: Path = ROOT_FOLDER,
) -> OperationsAnswer:
    """Read everything and judge it; of gateways those of the district and of none. `faults` is
    what the beats of the stages say."""
    start = ledger.floor_minute(now) - WINDOW + timedelta(minutes=1)
    wrong = ledger.verify(conn, start, now)
    lines = ledger.list_entries(conn, start, now, limit=100_000)
    lag = ingest_lag(conn, now)
    known = gateways.count_gateways(conn, district)
    answer = OperationsAnswer(
        from_=start,
        now=now,
        findings=[],
        feeds=build_feeds(operations.list_feeds(conn, now), lines, wrong, start, now),
        imbalances=wrong,
        workers=build_workers(operations.list_workers(conn, now), now),
        programs=_programs(
            operations.count_processes(conn), messages=bool(message_settings.list_lanes(conn))
        ),
        evaluation=EvaluationItem(
            batches_waiting=lag.batches_waiting,
            oldest_waiting_s=lag.oldest_waiting_s,
            alarm_changes_waiting=lag.alarm_changes_waiting,
        ),
        quarantine=quarantine_size(conn, now),
        quarantine_limit_bytes=LIMITS.total_bytes,
        database=operations.database_size(conn),
        disk=_disk(data_dir),
        gateways=GatewaysItem(heard=known.heard, silent=known.silent, explained=known.explained),
        books=read_books(conn, start, now, now),
        listening=read_listening(conn, district, now),
    )
    answer.findings = [*stage_problems(faults), *unsaid(find_problems(answer), faults)]
    return answer


def _programs(connections: Mapping[str, int], *, messages: bool) -> dict[str, int]:
    found = {name: connections.get(label, 0) for name, label in PROGRAMS.items()}
    return found | ({NOTIFY: connections.get(NOTIFY, 0)} if messages else {})


def _disk(folder: Path) -> DiskItem:
    disk = disk_of(folder)
    return DiskItem(total=disk.total, free=disk.free)


def build_feeds(
    figures: Iterable[FeedFigures],
    lines: Iterable[LedgerLine],
    wrong: Iterable[Imbalance],
    start: datetime,
    now: datetime,
) -> list[FeedItem]:
    """The feeds that speak first, then the silent ones."""
    minutes: dict[str, list[list[int]]] = {}
    for line in lines:
        place = int((line.minute - start) / timedelta(minutes=1))
        if place in range(MINUTES):
            series = minutes.setdefault(line.feed, [[0, 0, 0] for _ in range(MINUTES)])
            series[place] = [line.stored, line.duplicate, line.rejected]
    unbalanced = {item.feed for item in wrong}
    feeds = [
        _feed_item(row, minutes.get(row.feed), row.feed not in unbalanced, now) for row in figures
    ]
    return sorted(feeds, key=lambda feed: (feed.silent, -feed.received, feed.feed))


def _feed_item(
    row: FeedFigures, minutes: list[list[int]] | None, balanced: bool, now: datetime
) -> FeedItem:
    age_s = max(0.0, (now - row.newest_at).total_seconds())
    gap_s = usual_gap_s(row)
    shared = {
        field.name: getattr(row, field.name)
        for field in fields(FeedFigures)
        if field.name in FeedItem.__struct_fields__
    }
    return FeedItem(
        **shared,
        newest_is_exact=row.is_exact,
        age_s=age_s,
        usual_gap_s=gap_s,
        silent=is_silent(row.feed, age_s, gap_s),
        balanced=balanced,
        minutes=minutes or [[0, 0, 0] for _ in range(MINUTES)],
    )


def usual_gap_s(row: FeedFigures) -> float | None:
    """How far apart the minutes were in which it spoke; None: it spoke too seldom to tell."""
    if row.first_minute is None or row.active_minutes < MINUTES_TO_KNOW:
        return None
    return (row.newest_at - row.first_minute).total_seconds() / (row.active_minutes - 1)


def is_silent(feed: str, age_s: float, gap_s: float | None) -> bool:
    """It has been quiet for much longer than it usually is."""
    if feed == UNKNOWN_FEED:
        return False
    if gap_s is None:
        return age_s > 86_400
    return age_s > max(SILENT_MIN_S, SILENT_GAPS * gap_s)


def build_workers(workers: Iterable[Worker], now: datetime) -> list[WorkerItem]:
    """Who is alive and who is not."""
    return [
        WorkerItem(
            worker=worker.worker,
            seen_at=worker.seen_at,
            last_at=worker.last_at,
            received=worker.received,
            gone=(now - worker.seen_at).total_seconds() > WORKER_GONE_S,
        )
        for worker in workers
    ]


def find_problems(answer: OperationsAnswer) -> Iterator[FindingItem]:
    """What is wrong, worst first: nothing arrives, something is lost, something is slow."""
    yield from _programs_missing(answer.programs)
    yield from _nothing_arrives(answer.feeds)
    for code, facts in find_losses(answer.books):
        yield _finding(code, **facts)
    if wrong := answer.imbalances:
        yield _finding("imbalance", count=len(wrong), feed=wrong[0].feed, minute=wrong[0].minute)
    for worker in answer.workers:
        if worker.gone:
            yield _finding("worker_gone", worker=worker.worker, seen_at=worker.seen_at)
    if (answer.evaluation.oldest_waiting_s or 0) > BACKLOG_MAX_S:
        yield _finding(
            "evaluation_behind",
            count=answer.evaluation.batches_waiting,
            age_s=answer.evaluation.oldest_waiting_s,
        )
    if answer.disk.free < FREE_MIN_BYTES:
        yield _finding("disk_low", bytes=answer.disk.free)
    if silent := answer.gateways.silent:
        yield _finding("gateway_silent", count=silent, devices=answer.gateways.explained)
    for feed in answer.feeds:
        yield from _feed_problems(feed)
    for row in answer.listening:
        if row.late:
            yield _finding("feed_late", feed=row.name, last=row.heard_at, gap_s=row.interval_s)


def stage_problems(faults: Iterable[Fault]) -> Iterator[FindingItem]:
    """What the beats of the stages say; `last` is null where the stage never went round."""
    for fault in faults:
        if fault.code not in SAID_ELSEWHERE:
            yield _finding(fault.code, last=fault.since)


def unsaid(found: Iterable[FindingItem], faults: Sequence[Fault]) -> list[FindingItem]:
    """Without what a stage that stands still says already."""
    said = {code for fault in faults for code in SAYS_THE_SAME.get(fault.code, ())}
    return [finding for finding in found if finding.code not in said]


def _programs_missing(programs: Mapping[str, int]) -> Iterator[FindingItem]:
    for name in (*NEEDED_PROGRAMS, *(name for name in programs if name == NOTIFY)):
        if not programs.get(name):
            yield _finding(f"{name}_absent")


def _nothing_arrives(feeds: Sequence[FeedItem]) -> Iterator[FindingItem]:
    if not feeds:
        yield _finding("never_received")
    elif (age_s := min(feed.age_s for feed in feeds)) > SILENT_MIN_S:
        yield _finding("nothing_received", age_s=age_s)


def _feed_problems(feed: FeedItem) -> Iterator[FindingItem]:
    if feed.silent and feed.age_s < SILENT_MAX_S:
        yield _finding("feed_silent", feed=feed.feed, age_s=feed.age_s, gap_s=feed.usual_gap_s)
    if feed.rejected >= REFUSED_MIN and feed.rejected > REFUSED_SHARE * feed.received:
        yield _finding(
            "many_refused", feed=feed.feed, rejected=feed.rejected, received=feed.received
        )
    if (feed.store_lag_avg_s or 0) > STORE_SLOW_S:
        yield _finding("store_slow", feed=feed.feed, age_s=feed.store_lag_avg_s)


def _finding(code: str, **facts: Any) -> FindingItem:
    return FindingItem(code=code, facts=facts)
