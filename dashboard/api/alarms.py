"""`/alarms`: IEC 62682 states with rule and reason, and what people do to them."""

from __future__ import annotations

from flask import Blueprint, Response

from city.alarm import AlarmState
from city.incident import Role
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.bodies import ShelveBody, VersionBody, required_version
from dashboard.api.params import check_choice, cursor_key, page, read_args, read_list_query
from dashboard.shell import load
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.load import as_plain
from dashboard.shell.parts import parts
from db import listings
from db.pool import transaction

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
    version = required_version(read_body(VersionBody).version)
    number = known_id("alarm", alarm_id)
    return stored_answer(load.change_alarm(current_caller(), number, step, (version,), read_once()))


@alarms.post("/alarms/<int:alarm_id>/shelve")
@requires(*MAY_CHANGE)
def shelve_alarm(alarm_id: int) -> Response:
    body = read_body(ShelveBody)
    arguments = (required_version(body.version), body.until, body.reason)
    number, step = known_id("alarm", alarm_id), parts().ports.alarms.shelve
    return stored_answer(load.change_alarm(current_caller(), number, step, arguments, read_once()))
