"""`/squads`, `/kpi`, `/categories`, and the ingest accounts: `/ledger` and `/rejects`."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, request

from city.errors import InvalidInput
from city.incident import Role
from dashboard import load
from dashboard.api.answers import json_answer
from dashboard.api.params import (
    ListQuery,
    cursor_key,
    page,
    parse_time,
    read_args,
    read_list_query,
)
from dashboard.auth import current_caller, requires
from dashboard.parts import parts
from db import ledger as ledger_rows
from db import rejects as reject_rows
from db.pool import transaction

# Refused messages may hold anything, also what was meant for another district.
MAY_SEE_REJECTS = (Role.ADMIN, Role.DISPATCHER, Role.GAS_ENGINEER)
SQUAD_FILTERS: dict[str, type] = {"kind": str, "on_duty": bool, "skill": str}
REJECT_FILTERS: dict[str, type] = {"format": str, "reason": str, "replayed": bool}
LEDGER_FILTERS: dict[str, type] = {"feed": str}
DEFAULT_LEDGER_SPAN = timedelta(hours=1)
LEDGER_LIMIT = 1000

accounts = Blueprint("accounts", __name__)


@accounts.get("/squads")
def list_squads() -> Response:
    query = read_list_query(SQUAD_FILTERS)
    key = cursor_key(query, str)
    rows = [
        row
        for row in load.squads(current_caller())
        if _is_wanted(row, query.filters)
        and (key is None or row["code"] > key[0])
        and (query.since is None or _reported_since(row, query.since))
    ]
    return json_answer(page(rows, query.limit, lambda row: [row["code"]]))


def _is_wanted(row: dict[str, Any], filters: dict[str, Any]) -> bool:
    return (
        filters.get("kind", row["kind"]) == row["kind"]
        and filters.get("on_duty", row["on_duty"]) == row["on_duty"]
        and ("skill" not in filters or filters["skill"] in row["skills"])
    )


def _reported_since(row: dict[str, Any], since: datetime) -> bool:
    return row["position_at"] is not None and datetime.fromisoformat(row["position_at"]) >= since


@accounts.get("/categories")
def list_categories() -> Response:
    read_args(())
    return json_answer({"items": load.categories(), "next": None})


@accounts.get("/kpi")
def kpi() -> Response:
    """Figures of a period; without `from` the last 24 hours, by district."""
    args = read_args(("from", "to", "by"))
    to = parse_time("to", args["to"]) if "to" in args else datetime.now(UTC)
    start = parse_time("from", args["from"]) if "from" in args else to - timedelta(days=1)
    return json_answer(load.kpi(current_caller(), start, to, args.get("by", "district")))


@accounts.get("/ledger")
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
            "from": load.as_plain(start),
            "to": load.as_plain(to),
            **page(rows, limit, lambda row: [row.minute.isoformat(), row.feed]),
            "totals": [_as_numbers(row) for row in totals],
            "imbalances": load.as_plain(wrong),
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


@accounts.get("/rejects")
@requires(*MAY_SEE_REJECTS)
def rejects() -> Response:
    """Quarantined messages, newest first; the bytes as Base64."""
    query = read_list_query(REJECT_FILTERS)
    key = cursor_key(query, int)
    with transaction(parts().pool) as conn:
        rows = reject_rows.list_rejects(
            conn, before=key[0] if key else None, limit=query.limit + 1, **query.filters
        )
    if query.since is not None:
        rows = [row for row in rows if row.received_at >= query.since]
    answer = page(rows, query.limit, lambda row: [row.id])
    for item, row in zip(answer["items"], rows, strict=False):
        item["raw"] = base64.b64encode(row.raw).decode()
        item["raw_is_complete"] = row.is_complete
    return json_answer(answer)
