"""`/alarms`: IEC 62682 states with rule and reason, and what people do to them."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response

from city.alarm import AlarmState
from city.incident import Role
from city.requests import ShelveRequest, VersionRequest
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.params import check_choice, cursor_key, page, read_args, read_list_query
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.changes import Work, change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db import listings
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
            current_caller().district,
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
        row = listings.find_alarm(conn, current_caller().district, known_id("alarm", alarm_id))
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
    wanted = read_body(ShelveRequest)
    caller, number = current_caller(), known_id("alarm", alarm_id)
    shelve = parts().ports.alarms.shelve
    return _change(
        number,
        lambda conn, now: shelve(
            conn, caller, number, wanted.version, wanted.until, wanted.reason, now
        ),
    )


def _change(alarm_id: int, step: Work) -> Response:
    """Do a step on an alarm of the caller's district; answers with the alarm."""
    caller = current_caller()

    def work(conn: Connection, now: datetime) -> ListedAlarm:
        listings.find_alarm(conn, caller.district, alarm_id)
        step(conn, now)
        return listings.find_alarm(conn, caller.district, alarm_id)

    return stored_answer(change(caller, work, once=read_once()))
