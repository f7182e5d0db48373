"""`/alarms`: IEC 62682 states with rule and reason, and what people do to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response

from city.alarm import AlarmState
from city.approval import Approval
from city.errors import InvalidInput
from city.incident import Role
from city.requests import AcknowledgeRequest, ShelveRequest, VersionRequest
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.params import (
    check_choice,
    cursor_key,
    page,
    parse_time,
    read_args,
    read_list_query,
)
from dashboard.api.shapes import WaitingAnswer
from dashboard.screens.alarms import load
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.changes import ACCEPTED, Work, change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db import listings
from db.idempotency import StoredAnswer
from db.listings import ListedAlarm
from db.pool import Connection, transaction

# Who may touch an alarm at all; the alarm step itself may ask for more.
MAY_CHANGE = (Role.ADMIN, Role.DISPATCHER, Role.GAS_ENGINEER)

alarms = Blueprint("alarms", __name__)


@alarms.get("/alarms")
def list_alarms() -> Response:
    query = read_list_query(listings.ALARM_FILTERS)
    check_choice(query.filters, "state", list(AlarmState))
    key = cursor_key(query, int)
    with transaction(parts().pool) as conn:
        rows = listings.list_alarms(
            conn,
            current_caller().scope,
            filters=query.filters,
            since=query.since,
            before=key[0] if key else None,
            limit=query.limit + 1,
        )
    return json_answer(page(rows, query.limit, lambda row: [row.id]))


@alarms.get("/alarms/<int:alarm_id>")
def get_alarm(alarm_id: int) -> Response:
    read_args(())
    with transaction(parts().pool) as conn:
        row = listings.find_alarm(conn, current_caller().scope, known_id("alarm", alarm_id))
    return json_answer(as_plain(row))


@alarms.post("/alarms/<int:alarm_id>/<any(acknowledge, unshelve, reset):verb>")
@requires(*MAY_CHANGE)
def change_alarm(alarm_id: int, verb: str) -> Response:
    steps = parts().ports.alarms
    step = {
        "acknowledge": steps.acknowledge, "unshelve": steps.unshelve, "reset": steps.reset,
    }[verb]  # fmt: skip
    version = read_body(VersionRequest).version
    caller, number = current_caller(), known_id("alarm", alarm_id)
    return _change(number, lambda conn, now: step(conn, caller, number, version, now))


@alarms.post("/alarms/<int:alarm_id>/shelve")
@requires(*MAY_CHANGE)
def shelve_alarm(alarm_id: int) -> Response:
    """Mute an alarm. A red gas alarm is asked for: 202 with the request, nothing is muted yet."""
    wanted = read_body(ShelveRequest)
    caller, number = current_caller(), known_id("alarm", alarm_id)
    shelve = parts().ports.shelving.shelve

    def work(conn: Connection, now: datetime) -> Any:
        listings.find_alarm(conn, caller.scope, number)
        done = shelve(conn, caller, number, wanted.version, wanted.until, wanted.reason, now)
        if isinstance(done, Approval):
            return StoredAnswer(ACCEPTED, as_plain(WaitingAnswer.of(done)))
        return listings.find_alarm(conn, caller.scope, number)

    return stored_answer(change(caller, work, once=read_once()))


@alarms.post("/alarms/acknowledge")
@requires(*MAY_CHANGE)
def acknowledge_alarms() -> Response:
    """All of these, or none: one that is red gas, has changed or is over is named."""
    wanted: dict[int, int] = {}
    for i, seen in enumerate(read_body(AcknowledgeRequest).alarms):
        if seen.id in wanted:
            raise InvalidInput(f"alarms[{i}].id", seen.id, "is named twice")
        wanted[known_id("alarm", seen.id)] = seen.version
    caller = current_caller()

    def work(conn: Connection, now: datetime) -> Any:
        for number in wanted if caller.within else ():
            listings.find_alarm(conn, caller.scope, number)
        done = parts().ports.alarms.acknowledge_together(conn, caller, wanted, now)
        rows = [listings.find_alarm(conn, caller.scope, alarm.id) for alarm in done]
        return {"items": rows, "next": None}

    return stored_answer(change(caller, work, once=read_once()))


@alarms.get("/alarms/measures")
def get_measures() -> Response:
    """Measures of a period; without `from` the last 24 hours."""
    start, end = _period(read_args(("from", "to")))
    return json_answer(as_plain(load.measures(current_caller(), start, end, datetime.now(UTC))))


@alarms.get("/alarms/proposals")
@requires(*MAY_CHANGE, Role.LEADER)
def get_proposals() -> Response:
    """What would make a rule quieter, tried on the stored readings of a period."""
    args = read_args(("rule", "device", "from", "to"))
    if not args.get("rule"):
        raise InvalidInput("rule", None, "is missing")
    start, end = _period(args)
    caller = current_caller()
    with transaction(parts().pool) as conn:
        found = parts().ports.proposals.propose(
            conn, caller, args["rule"], args.get("device", ""), start, end
        )
    return json_answer({"items": as_plain(found), "next": None})


def _period(args: dict[str, str]) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    to = min(now, parse_time("to", args["to"])) if "to" in args else now
    start = parse_time("from", args["from"]) if "from" in args else to - timedelta(days=1)
    return start, to


def _change(alarm_id: int, step: Work) -> Response:
    """Do a step on an alarm of the caller's district; answers with the alarm."""
    caller = current_caller()

    def work(conn: Connection, now: datetime) -> ListedAlarm:
        listings.find_alarm(conn, caller.scope, alarm_id)
        step(conn, now)
        return listings.find_alarm(conn, caller.scope, alarm_id)

    return stored_answer(change(caller, work, once=read_once()))
