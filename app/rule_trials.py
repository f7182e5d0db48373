"""Trials of rules: one process of its own at a time, so that nobody waits for its minute.

The scheduler takes the oldest one that waits and starts `gridwarden rules trial NUMBER`
(`app.trial_starter`). That beats once a second. It ends where nobody wants its answer or its
scheduler has gone; another scheduler starts it again where it beats no more.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import click

from alerts import trial as trials
from alerts.known import load_rules
from alerts.orphans import Orphan
from alerts.rule_files import parse_rule
from alerts.sanity import look_at
from app import four_eyes
from app.commands import no_installation_needed
from app.four_eyes import RuleChange
from app.rule_commands import EVERY
from city.errors import GridwardenError, NotFound, Unavailable
from db import evaluation, rule_trials, rules
from db.pool import Connection, DatabaseError, connect, first_line, is_away
from db.rule_trials import TrialRow

log = logging.getLogger(__name__)

BEAT_S = 1.0
# Below those who ingest, judge and serve.
NICENESS = 10
GIVEN_UP = 3


@click.command("trial", hidden=True)
@click.argument("number", type=int)
@no_installation_needed
def trial_command(number: int) -> None:
    """Try a change of rules on the past; the scheduler says this, and where."""
    database_url = os.environ["GRIDWARDEN_DATABASE_URL"]
    os.nice(NICENESS)
    parent = os.getppid()
    work_on(
        database_url, number, give_up=lambda: os._exit(GIVEN_UP),
        orphaned=lambda: os.getppid() != parent,
    )  # fmt: skip


def work_on(
    database_url: str,
    number: int,
    *,
    give_up: Callable[[], object],
    orphaned: Callable[[], bool] = lambda: False,
) -> None:
    """Do a trial that was claimed. `give_up` is called from another thread as soon as nobody wants
    the answer."""
    done = threading.Event()
    beating = threading.Thread(
        target=_beat, args=(database_url, number, done, give_up, orphaned), daemon=True
    )
    beating.start()
    with (
        closing(connect(database_url, application="rule trial")) as conn,
        closing(connect(database_url, application="rule trial", autocommit=True)) as told,
    ):
        try:
            row = rule_trials.find_trial(conn, number)
            if row is None:
                raise NotFound("trial", number)
            result = _try(conn, told, row)
            rule_trials.finish(told, number, datetime.now(UTC), result=result)
        except Exception as error:
            if is_away(error):
                raise  # it beats no more and is taken again
            if not isinstance(error, GridwardenError):
                log.exception("trial %s failed", number)
            rule_trials.finish(told, number, datetime.now(UTC), problem=first_line(error))
        finally:
            done.set()
    beating.join()


def _try(conn: Connection, told: Connection, row: TrialRow) -> dict[str, Any]:
    change = RuleChange(row.change["put"], row.change["retire"], agreed=EVERY)
    put = [parse_rule(text, code) for code, text in change.put.items()]

    def tell(progress: trials.Progress) -> None:
        known = progress.so_far
        so_far = None if known is None else {"alarms": trials.as_json(known)}
        rule_trials.note_progress(told, row.id, progress.share, so_far)

    now = datetime.now(UTC)
    tried = trials.try_out(conn, put, change.retire, now, time.monotonic, tell=tell)
    conn.rollback()
    in_force = load_rules(conn, now).values()
    devices = evaluation.list_watched_devices(conn)
    remarks = [remark for rule in put for remark in look_at(rule, in_force, devices)]
    remarks += trials.remarks(tried, put)
    files = {f"rules/{code}.toml": text for code, text in change.put.items()}
    held, gone = four_eyes.gas_rules_among(conn, files, change.retire, now)
    orphans = four_eyes.try_out(conn, change, row.asked_by, now)
    conn.rollback()
    return {
        "alarms": trials.as_json(tried),
        "remarks": [remark.as_json() for remark in remarks],
        "ends": [_end(orphan) for orphan in orphans],
        "before": {code: _text(conn, code) for code in (*change.put, *change.retire)},
        "gas": bool(held or gone),
        "four_eyes": four_eyes.district_of_rules(conn, row.district) is not None,
    }


def _end(orphan: Orphan) -> Mapping[str, Any]:
    return {
        "id": orphan.alarm.id, "condition": orphan.alarm.condition,
        "severity": orphan.alarm.severity.value, "since": orphan.alarm.sensed_at.isoformat(),
        "because": orphan.because, "gas": orphan.gas,
    }  # fmt: skip


def _text(conn: Connection, code: str) -> str:
    newest = rules.find_newest(conn, code)
    return newest.source if newest is not None and not newest.retired else ""


def _beat(
    database_url: str,
    number: int,
    done: threading.Event,
    give_up: Callable[[], object],
    orphaned: Callable[[], bool],
) -> None:
    """Once a second: still here; and out where it is not wanted."""
    try:
        with closing(connect(database_url, application="rule trial", autocommit=True)) as conn:
            while not done.wait(BEAT_S):
                if orphaned() or not rule_trials.beat(conn, number, datetime.now(UTC)):
                    if not done.is_set():
                        give_up()
                    return
    except (Unavailable, DatabaseError) as error:
        log.warning("trial %s: %s", number, first_line(error))
        give_up()
