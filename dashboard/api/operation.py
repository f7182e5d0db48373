"""How one method on one path is described, and the parameters that many have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dashboard.api import ingest

WORDS = {str: "string", int: "integer", bool: "boolean"}


@dataclass(frozen=True)
class Operation:
    """One method on one path."""

    method: str
    path: str
    summary: str
    answer: type | None = None
    listed: bool = False  # the answer is a page of `answer`
    body: type | None = None  # of `city.requests`
    query: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: str = "200"
    upload: tuple[str, ...] = ()  # fields of a form; `file` is the file itself
    answer_types: tuple[str, ...] = ("application/json",)
    also: dict[str, type] = field(default_factory=dict)  # other answers, by status


def text(description: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": {"type": "string"} | schema}


def moment(description: str) -> dict[str, Any]:
    return text(description, format="date-time")


def filters(columns: dict[str, type]) -> dict[str, dict[str, Any]]:
    return {
        name: {"description": f"only with this {name}", "schema": {"type": WORDS[kind]}}
        for name, kind in columns.items()
    }


LIMIT = {
    "limit": {
        "description": "items of a page",
        "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    }
}
LEDGER_LIMIT = {
    "limit": {
        "description": "items of a page",
        "schema": {
            "type": "integer", "minimum": 1, "maximum": 1000, "default": ingest.LEDGER_LIMIT,
        },
    }
}  # fmt: skip
CURSOR = {"cursor": text("`next` of the page before")}
SINCE = {"since": moment("only what happened at or after this time")}
PAGING = {**LIMIT, **CURSOR, **SINCE}
PERIOD = {"from": moment("begin"), "to": moment("end, not included")}
