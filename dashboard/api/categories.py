"""`/categories`: what a matter can be."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response

from dashboard.api.answers import json_answer
from dashboard.api.params import read_args
from dashboard.shell.auth import current_caller
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db.categories import list_in_force
from db.pool import transaction

categories = Blueprint("categories", __name__)


@categories.get("/categories")
def list_categories() -> Response:
    """Every category a person of this district may choose."""
    read_args(())
    with transaction(parts().pool) as conn:
        rows = list_in_force(conn, current_caller().district)
    plain = [as_plain(asdict(row)) for row in rows]
    items = [{"class": row.pop("class_"), **row} for row in plain]
    return json_answer({"items": items, "next": None})
