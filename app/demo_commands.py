"""`gridwarden city remove-demo`: the demonstration goes, and leaves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from app.commands import installation, transaction
from app.demo_plan import LOGINS_FILE, forget_past
from app.settings import DEMO_DISTRICT, Settings
from city.errors import Conflict
from city.event import NewEvent
from db import alarms, demo, districts, live
from db.events import append_events
from db.pool import Connection

ACTOR = "cli"
REMOVED = "demo.removed"


def add_demo_commands(city: click.Group) -> None:
    """`gridwarden city remove-demo`."""
    city.add_command(remove_demo_command)


@click.command("remove-demo")
@click.option("--yes", is_flag=True, help="Do not ask.")
@installation
def remove_demo_command(settings: Settings, yes: bool) -> None:
    """Delete the demo district with all that belongs to it: devices, readings, alarms, incidents,
    squads, people and its part of the event log. Refused where anything else hangs on it."""
    with transaction(settings) as conn:
        check(conn)
    if not yes:
        question = f"Delete the demo district {DEMO_DISTRICT} and all of its past?"
        click.confirm(question, abort=True)
    with transaction(settings) as conn:
        told = remove_demo(conn, check(conn), datetime.now(UTC))
    (settings.data_dir / LOGINS_FILE).unlink(missing_ok=True)
    with closing(live.open_redis(settings.redis_url, live.DIAGNOSIS_S)) as redis:
        live.forget_all(redis)
    for table, count in told["rows"].items():
        click.echo(f"{count:>9} {table}")
    click.echo(told["log"])
    click.echo("Restart Gridwarden: `gridwarden up` no longer brings the demonstration.")


def check(conn: Connection) -> Sequence[str]:
    """The people of the demonstration; refused where it is not there, plays, or is built on."""
    districts.lock_districts(conn)
    if not demo.is_demo(conn, DEMO_DISTRICT):
        raise Conflict(
            f"district {DEMO_DISTRICT} is no demonstration of this installation", current={}
        )
    if demo.simulators(conn):
        raise Conflict(
            "the simulator plays in it: start with `gridwarden up --no-demo`, then remove it",
            current={},
        )
    people = demo.people_of(conn, DEMO_DISTRICT)
    hanging = demo.list_hanging(conn, DEMO_DISTRICT, people)
    if hanging:
        lines = "; ".join(map(str, hanging))
        raise Conflict(
            f"nothing was removed: the demo district has what is not of the demonstration: {lines}",
            current={"hanging": [asdict(one) for one in hanging]},
        )
    return people


def remove_demo(conn: Connection, people: Sequence[str], now: datetime) -> dict[str, Any]:
    """Delete it; the caller has checked and commits. The log begins anew if it tells of nothing
    else, else its events stay."""
    alarms.lock_alarms(conn)
    alone = demo.is_alone(conn, DEMO_DISTRICT)
    anew = alone and demo.is_only_told_of(conn, DEMO_DISTRICT, people)
    rows = demo.remove(conn, DEMO_DISTRICT, now, alone=alone, told=not anew)
    forget_past(conn, now)
    payload: dict[str, Any] = {"district": DEMO_DISTRICT, "rows": rows}
    log = "the event log tells of more than the demonstration: it stays whole"
    if anew:
        cut = demo.begin_log_anew(conn)
        payload |= {"events": cut.events, "hash": cut.hash.hex()}
        log = f"{cut.events} events; the event log begins anew"
    event = NewEvent(now, "", REMOVED, f"district:{DEMO_DISTRICT}", ACTOR, payload)
    append_events(conn, [event])
    return {"rows": rows, "log": log}
