"""The ingest accounts: `/ledger`, `/rejects` and `/operations`."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, request

from city.errors import InvalidInput
from city.event import NewEvent
from city.incident import Role
from city.requests import GasSeenRequest, ReplayGroupRequest
from dashboard.api.answers import json_answer, known_id, read_body
from dashboard.api.bodies import BIGINT_MAX
from dashboard.api.params import (
    ListQuery,
    check_choice,
    cursor_key,
    page,
    parse_time,
    read_list_query,
)
from dashboard.screens.operations import load as operations
from dashboard.screens.quarantine import load as quarantine
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db import ledger as ledger_rows
from db import rejects as reject_rows
from db.events import append_events
from db.pool import transaction
from db.rejects import Which

# Refused messages may hold anything, also what was meant for another district.
MAY_SEE_REJECTS = (Role.ADMIN, Role.DISPATCHER, Role.GAS_ENGINEER)
REJECT_FILTERS: dict[str, type] = {"format": str, "device": str, "reason": str, "replayed": bool}
COUNT_FILTERS: dict[str, type] = {"format": str, "device": str, "reason": str, "by": str}
GROUPINGS = ("device", "reason")
LEDGER_FILTERS: dict[str, type] = {"feed": str}
DEFAULT_LEDGER_SPAN = timedelta(hours=1)
LEDGER_LIMIT = 1000
# Refused messages with gas in them that are listed at once, and that an event of them names.
GAS_SHOWN, GAS_TOLD = 100, 20

ingest = Blueprint("ingest", __name__)


@ingest.get("/ledger")
def ledger() -> Response:
    """received = stored + duplicate + rejected, a line per feed and minute, newest first."""
    query = read_list_query(LEDGER_FILTERS, also=("from", "to"))
    key = cursor_key(query, str, str)
    start, to = _ledger_period(query)
    limit = query.limit if "limit" in request.args else LEDGER_LIMIT
    with transaction(parts().pool) as conn:
        rows = ledger_rows.list_entries(
            conn,
            start,
            to,
            after=(parse_time("cursor", key[0]), key[1]) if key else None,
            limit=limit + 1,
            **query.filters,
        )
        totals = ledger_rows.totals(conn, start, to)
        wrong = ledger_rows.verify(conn, start, to)
    return json_answer(
        {
            "from": as_plain(start),
            "to": as_plain(to),
            **page(rows, limit, lambda row: [row.minute.isoformat(), row.feed]),
            "totals": [_as_numbers(row) for row in totals],
            "imbalances": as_plain(wrong),
        }
    )


def _ledger_period(query: ListQuery) -> tuple[datetime, datetime]:
    """From `from`, or `since`, until `to`; the last hour when nobody says."""
    args = request.args
    if "from" in args and query.since is not None:
        raise InvalidInput("since", args["since"], "is another word for from: give one of them")
    to = parse_time("to", args["to"]) if "to" in args else datetime.now(UTC)
    start = parse_time("from", args["from"]) if "from" in args else query.since
    if start is None:
        start = to - DEFAULT_LEDGER_SPAN
    if start > to:
        field = "from" if "from" in args else "since"
        raise InvalidInput(field, args[field], "must not be later than to")
    return start, to


def _as_numbers(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, str) else int(value) for name, value in row.items()}


@ingest.get("/operations")
@requires(*MAY_SEE_REJECTS)
def operations_now() -> Response:
    """Feeds, workers, backlog, quarantine and sizes of the last hour, and what is wrong."""
    read_list_query({})
    now = datetime.now(UTC)
    # Before a connection is taken: the first look of the pulse may be waited for, and needs one.
    faults = parts().walls.pulse.faults(now)
    with transaction(parts().pool) as conn:
        found = operations.read_operations(
            conn, current_caller().district, now, faults, parts().data_dir
        )
        return json_answer(as_plain(found))


@ingest.get("/rejects")
@requires(*MAY_SEE_REJECTS)
def rejects() -> Response:
    """Quarantined messages, newest first; the bytes as Base64."""
    query = read_list_query(REJECT_FILTERS)
    key = cursor_key(query, int)
    replayed = query.filters.pop("replayed", False)
    with transaction(parts().pool) as conn:
        rows = reject_rows.list_rejects(
            conn,
            Which(**query.filters, since=query.since),
            before=key[0] if key else None,
            limit=query.limit + 1,
            replayed=replayed,
        )
    answer = page(rows, query.limit, lambda row: [row.id])
    for item, row in zip(answer["items"], rows, strict=False):
        item["raw"] = base64.b64encode(row.raw).decode()
        item["raw_is_complete"] = row.is_complete
    return json_answer(answer)


@ingest.get("/rejects/counts")
@requires(*MAY_SEE_REJECTS)
def counts() -> Response:
    """Groups by device, reason and format, or over all devices; most messages first."""
    query = read_list_query(COUNT_FILTERS)
    if query.cursor is not None:
        raise InvalidInput("cursor", "…", "this list has one page; narrow it down by filters")
    check_choice(query.filters, "by", GROUPINGS)
    by_device = query.filters.pop("by", "device") == "device"
    found = quarantine.list_groups(
        datetime.now(UTC),
        Which(**query.filters, since=query.since),
        by_device=by_device,
        limit=query.limit,
    )
    return json_answer({"items": as_plain(found), "next": None})


@ingest.get("/rejects/gas")
@requires(*MAY_SEE_REJECTS)
def refused_gas() -> Response:
    """Refused messages that speak of gas over a limit and that nobody has dealt with."""
    with transaction(parts().pool) as conn:
        found = reject_rows.list_refused_gas(conn, GAS_SHOWN)
    return json_answer({"items": as_plain(found), "next": None})


@ingest.post("/rejects/gas/seen")
@requires(*MAY_SEE_REJECTS)
def gas_seen() -> Response:
    """Somebody has looked into those up to this one, and says what became of it."""
    body = read_body(GasSeenRequest)
    note = body.note.strip()
    if not note:
        raise InvalidInput("note", body.note, "must say what was found, or what becomes of it")
    now, caller = datetime.now(UTC), current_caller()
    with transaction(parts().pool) as conn:
        seen = reject_rows.mark_gas_seen(conn, known_id("reject", body.up_to), now)
        if seen:
            told = {"note": note, "count": len(seen), "said": seen[:GAS_TOLD]}
            subject = f"reject:{body.up_to}"
            append_events(
                conn,
                [NewEvent(now, caller.district, "reject.gas_seen", subject, caller.name, told)],
            )
    return json_answer({"seen": len(seen)})


@ingest.post("/rejects/<int:reject_id>/replay")
@requires(*MAY_SEE_REJECTS)
def replay(reject_id: int) -> Response:
    """Try one message again; what is refused again says why and stays."""
    found = quarantine.replay_one(known_id("reject", reject_id), datetime.now(UTC))
    return json_answer(as_plain(found))


@ingest.post("/rejects/replay")
@requires(*MAY_SEE_REJECTS)
def replay_group() -> Response:
    """Try a group again, oldest first, a bounded number a request."""
    body = read_body(ReplayGroupRequest)
    which = Which(body.format, body.device, body.reason)
    if which == reject_rows.EVERY:
        raise InvalidInput("body", "{}", "must name a format, a device or a reason")
    if not 0 <= body.after <= BIGINT_MAX:
        raise InvalidInput("after", body.after, "must be the next of an answer")
    found = quarantine.replay_group(which, body.after, datetime.now(UTC))
    return json_answer(as_plain(found))
