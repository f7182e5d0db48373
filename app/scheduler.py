"""The clock of the city: APScheduler only ticks, every due time is a row in the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from alerts import steps as alert_steps
from app.settings import Settings
from app.trial_starter import TrialStarter
from city.stage import DEADLINES, TIMERS, Stage
from db import (
    beats,
    broker_counts,
    events,
    forecasts,
    idempotency,
    lamp_commands,
    leadership,
    ledger,
    live,
    operations,
    outbox,
    reject_counts,
    repeated_messages,
    rollups,
    rule_trials,
    sequences,
    tallies,
    users,
)
from db.pool import (
    Connection,
    Pool,
    connect,
    connect_when_ready,
    first_line,
    is_away,
    open_pool,
    transaction,
)
from dispatch import steps as dispatch_steps
from ingest import peculiar
from ingest.sequence_steps import follow_numbers
from lighting import steps as lighting_steps
from notify import reports
from replay.read_picture import keep_pictures

log = logging.getLogger(__name__)

# How often a waiting scheduler asks whether the leader has gone.
STANDBY_S = 2.0

# Evaluated batches of one feed and minute become one ledger row after this time.
FOLD_AFTER = timedelta(hours=1)
# Longer than any session cookie lives; longer than anybody repeats a request.
KEEP_SIGN_OUTS = timedelta(days=31)
# A phone may send after a week without signal what it has sent before (`phone_hours`).
KEEP_ANSWERS = timedelta(days=14)
# Steps of lighting programmes: some commands a day for every lamp of a city.
KEEP_LAMP_STEPS = timedelta(days=90)

# A roll of due clocks is worked on for so long before its tick says that it is alive.
DEADLINES_S = 5.0
# Batches of facts that are counted in one tick.
TALLIES_AT_ONCE = 5

ROLL_UPS = "roll-ups"
ROLL_UPS_S = 20
TRIALS = "rule trials"
TRIALS_S = 1

Job = Callable[[Connection, datetime], object]


def run(settings: Settings, stop: threading.Event) -> None:
    """Wait to become the leader, tick until told to stop, start over when the database goes."""
    while not stop.is_set():
        lock = connect_when_ready(
            settings.database_url, log.warning, application="scheduler lock", stopped=stop.wait
        )
        try:
            if _lead(lock, stop):
                log.info("leading: alarms, deadlines and roll-ups tick here")
                _tick_until_lost(settings, lock, stop)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("database lost (%s); another scheduler may lead now", first_line(error))
        finally:
            lock.close()


def _lead(lock: Connection, stop: threading.Event) -> bool:
    waiting = False
    while not stop.is_set():
        leads = leadership.try_lead(lock)
        lock.commit()
        if leads:
            return True
        if not waiting:
            log.info("another scheduler leads; waiting")
            waiting = True
        stop.wait(STANDBY_S)
    return False


def _tick_until_lost(settings: Settings, lock: Connection, stop: threading.Event) -> None:
    pool = open_pool(settings.database_url, max_size=4, application="scheduler")
    redis = live.open_redis(settings.redis_url)
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(4)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone=UTC,
    )
    rhythms = {name: beats.Rhythm() for name in (TIMERS, DEADLINES)}
    for name, seconds, job in JOBS:
        work = (name, job, pool, redis, rhythms.get(name))
        scheduler.add_job(_run_job, "interval", work, seconds=seconds, id=name)
    scheduler.add_job(
        refresh_roll_ups, "interval", (settings.database_url,), seconds=ROLL_UPS_S, id=ROLL_UPS
    )
    trials = TrialStarter(settings.database_url)
    scheduler.add_job(start_trials, "interval", (trials,), seconds=TRIALS_S, id=TRIALS)
    scheduler.start()
    try:
        while not stop.wait(STANDBY_S):
            leadership.check_lead(lock)
            lock.commit()
    finally:
        scheduler.shutdown(wait=True)
        trials.close()
        pool.close()
        redis.close()


def _run_job(
    name: str, job: Job, pool: Pool, redis: live.Redis, rhythm: beats.Rhythm | None
) -> None:
    """One tick in one transaction; its beat says that it succeeded."""
    with _reported(name):
        with transaction(pool) as conn:
            before = events.last_seq(conn)
            job(conn, datetime.now(UTC))
            if rhythm is not None and rhythm.is_due(time.monotonic()):
                beats.beat(conn, Stage.TICKED, name)
            after = events.last_seq(conn)
        if after != before:
            live.publish_event_seq(redis, after)
            live.wake(redis, "dispatch")


def refresh_roll_ups(database_url: str) -> None:
    """One tick that must not be in a transaction, over a connection of its own."""
    with (
        _reported(ROLL_UPS),
        closing(connect(database_url, application="scheduler", autocommit=True)) as conn,
    ):
        rollups.refresh(conn, datetime.now(UTC))


def start_trials(trials: TrialStarter) -> None:
    """Changes of rules that somebody wants tried: each is a process of its own."""
    with _reported(TRIALS):
        trials.tick()


@contextmanager
def _reported(name: str) -> Iterator[None]:
    """A failing job is logged and ticks again next time."""
    try:
        yield
    except Exception as error:
        if is_away(error):
            log.warning("%s: %s", name, first_line(error))
        else:
            log.exception("%s failed", name)


def _tick_alarms(conn: Connection, now: datetime) -> None:
    """District by district, so that evaluation goes on in the others."""
    for _ in alert_steps.tick_by_district(conn, now):
        conn.commit()


def _tick_deadlines(conn: Connection, now: datetime) -> None:
    """As many as have come, so that thousands at one moment do not wait for as many ticks; in
    transactions of their own, so that people's actions come in between."""
    until = time.monotonic() + DEADLINES_S
    while dispatch_steps.tick_deadlines(conn, now) and time.monotonic() < until:
        conn.commit()


def _tally(conn: Connection, _now: datetime) -> None:
    """What waits of the key figures, some seconds of it at a time."""
    for _ in range(TALLIES_AT_ONCE):
        if not tallies.fold(conn):
            return
        conn.commit()


def _fold_ledger(conn: Connection, now: datetime) -> None:
    ledger.fold_batches(conn, now - FOLD_AFTER)


def _forget(conn: Connection, now: datetime) -> None:
    users.forget_ended_sessions(conn, now - KEEP_SIGN_OUTS)
    idempotency.forget_answers(conn, now - KEEP_ANSWERS)
    sequences.forget(conn, now)
    broker_counts.forget(conn, now)
    lamp_commands.forget_steps(conn, now - KEEP_LAMP_STEPS)
    rule_trials.forget(conn, now)


def _forget_messages(conn: Connection, now: datetime) -> None:
    repeated_messages.forget_seen(conn, now)
    outbox.delete_old(conn, now)


def _forget_learned(conn: Connection, _now: datetime) -> None:
    peculiar.trim(conn)


JOBS: tuple[tuple[str, float, Job], ...] = (
    ("forgotten alarms", 1, dispatch_steps.watch_alarms),
    (TIMERS, 1, _tick_alarms),
    ("rows without an event", 2, events.append_waiting),
    ("case texts", 1, dispatch_steps.write_case_texts),
    ("pictures", 60, keep_pictures),
    (DEADLINES, 1, _tick_deadlines),
    ("check-ins", 0.5, dispatch_steps.tick_check_ins),
    ("tallies", 10, _tally),
    ("published figures", 300, dispatch_steps.publish_due),
    ("forecasts", 15, dispatch_steps.keep_forecasts),
    ("times of handling", 3600, forecasts.refresh),
    ("reports", 60, reports.send_reports),
    ("retention", 3600, rollups.drop_old),
    ("ledger", 600, _fold_ledger),
    ("quarantine", 300, reject_counts.trim_rejects),
    ("feed totals", 15, operations.add_totals),
    ("forgetting", 3600, _forget),
    ("sequence numbers", 10, follow_numbers),
    ("messages seen", 60, _forget_messages),
    ("edge nodes", 60, _forget_learned),
    ("clocks", 900, alert_steps.look_at_clocks),
    ("stuck values", 900, alert_steps.look_for_stuck_values),
    ("lamp commands", 1, lighting_steps.tick_commands),
    ("lamp programmes", 5, lighting_steps.tick_programmes),
    ("new lamps", 60, lighting_steps.tick_new_lamps),
    ("lit rate", 300, lighting_steps.tick_nights),
)
