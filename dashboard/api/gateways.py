"""`/gateways` and `/inhibitions`: who carries the messages, and what a silent one explains."""

from __future__ import annotations

from flask import Blueprint, Response

from city.gateway import KINDS
from dashboard.api.answers import json_answer
from dashboard.api.params import check_choice, cursor_key, page, read_list_query
from dashboard.shell.auth import current_caller
from dashboard.shell.parts import parts
from db import gateways as rows
from db import inhibitions
from db.pool import transaction

gateways = Blueprint("gateways", __name__)


@gateways.get("/gateways")
def list_gateways() -> Response:
    query = read_list_query(rows.GATEWAY_FILTERS)
    check_choice(query.filters, "kind", KINDS)
    key = cursor_key(query, int)
    with transaction(parts().pool) as conn:
        found = rows.list_gateways(
            conn,
            current_caller().district,
            **query.filters,
            since=query.since,
            after=key[0] if key else 0,
            limit=query.limit + 1,
        )
    return json_answer(page(found, query.limit, lambda row: [row.id]))


@gateways.get("/inhibitions")
def list_inhibitions() -> Response:
    query = read_list_query(inhibitions.INHIBITION_FILTERS)
    key = cursor_key(query, str)
    with transaction(parts().pool) as conn:
        found = inhibitions.list_inhibited(
            conn,
            current_caller().district,
            **query.filters,
            since=query.since,
            after=key[0] if key else "",
            limit=query.limit + 1,
        )
    return json_answer(page(found, query.limit, lambda row: [row.condition]))
