"""`/squads`, `/kpi` and `/categories`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response

from dashboard.api.answers import json_answer
from dashboard.api.params import (
    cursor_key,
    page,
    parse_time,
    read_args,
    read_list_query,
)
from dashboard.shell import load
from dashboard.shell.auth import current_caller

SQUAD_FILTERS: dict[str, type] = {"kind": str, "on_duty": bool, "skill": str}

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
