"""Query parameters of lists: limit, cursor, since and filters; an unknown one is refused."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from flask import request

from city.errors import InvalidInput
from dashboard.api.bodies import BIGINT_MAX, INT_MAX, as_utc, check_text, number_of
from dashboard.shell.plain_json import as_plain

T = TypeVar("T")

DEFAULT_LIMIT = 100
LIMITS = range(1, 1001)
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What every list takes."""

    limit: int
    cursor: list[Any] | None
    since: datetime | None
    filters: dict[str, Any]


def read_list_query(filters: Mapping[str, type], *, also: Iterable[str] = ()) -> ListQuery:
    """The query of this request; raises `InvalidInput` naming the parameter that is wrong."""
    args = read_args({"limit", "cursor", "since", *filters, *also})
    limit = whole_number("limit", args["limit"]) if "limit" in args else DEFAULT_LIMIT
    if limit not in LIMITS:
        raise InvalidInput("limit", limit, f"must be from {LIMITS.start} to {LIMITS.stop - 1}")
    return ListQuery(
        limit=limit,
        cursor=decode_cursor(args["cursor"]) if "cursor" in args else None,
        since=parse_time("since", args["since"]) if "since" in args else None,
        filters={
            name: parse_filter(name, args[name], kind)
            for name, kind in filters.items()
            if name in args
        },
    )


def read_args(known: Iterable[str]) -> dict[str, str]:
    """The parameters of this request, each at most once and each of them known."""
    allowed = sorted(known)
    found: dict[str, str] = {}
    for name, values in request.args.lists():
        if name not in allowed:
            raise InvalidInput(name, values[0], "is not a parameter here: " + ", ".join(allowed))
        if len(values) > 1:
            raise InvalidInput(name, values[1], "is given more than once")
        found[name] = check_text(name, values[0])
    return found


def parse_filter(name: str, text: str, kind: type) -> Any:
    """A filter value of the column's type."""
    if kind is bool:
        if text.lower() not in BOOLEANS:
            raise InvalidInput(name, text, "must be true or false")
        return BOOLEANS[text.lower()]
    return whole_number(name, text) if kind is int else text


def check_choice(filters: Mapping[str, Any], name: str, allowed: Sequence[str]) -> None:
    """A filter that is given must be one of these words."""
    if name in filters and filters[name] not in allowed:
        raise InvalidInput(name, filters[name], "must be one of " + ", ".join(allowed))


def whole_number(name: str, text: str) -> int:
    """A number that a column can hold."""
    number = number_of(text, INT_MAX)
    if number is None:
        raise InvalidInput(name, text, "must be a whole number")
    return number


def parse_time(name: str, text: str) -> datetime:
    """RFC 3339, or epoch milliseconds."""
    try:
        if text.isascii() and text.isdigit():
            return as_utc(name, datetime.fromtimestamp(int(text) / 1000, UTC))
        # A "+" that was not escaped arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidInput(name, text, "must be a time like 2026-11-22T08:00:00+08:00") from error
    if moment.tzinfo is None:
        raise InvalidInput(name, text, "needs a time zone offset, for example +08:00 or Z")
    return as_utc(name, moment)


def read_sent_at() -> datetime | None:
    """What the clock of a phone said when it sent this request. A header, for a repeated request
    is the same request though it is sent later."""
    text = request.headers.get("Sent-At")
    return None if text is None else parse_time("Sent-At", text)


def encode_cursor(key: Sequence[Any]) -> str:
    """Where the next page begins; opaque to clients."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(key))).decode().rstrip("=")


def decode_cursor(text: str, *, field: str = "cursor") -> list[Any]:
    """The key inside a cursor of ours."""
    try:
        padded = text + "=" * (-len(text) % 4)
        found = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, msgspec.DecodeError, RecursionError) as error:
        raise InvalidInput(field, text, "is not a cursor of this list") from error
    if not isinstance(found, list):
        raise InvalidInput(field, text, "is not a cursor of this list")
    return found


def cursor_key(query: ListQuery, *kinds: type) -> list[Any] | None:
    """The cursor's parts if they are of these kinds and a column can hold them."""
    if query.cursor is None:
        return None
    right = len(query.cursor) == len(kinds) and all(
        type(part) is kind and (not isinstance(part, int) or 0 <= part <= BIGINT_MAX)
        for part, kind in zip(query.cursor, kinds, strict=True)
    )
    if not right:
        raise InvalidInput("cursor", "…", "is not a cursor of this list")
    return [check_text("cursor", part) if isinstance(part, str) else part for part in query.cursor]


def page(rows: Sequence[T], limit: int, key: Callable[[T], Sequence[Any]]) -> dict[str, Any]:
    """One page out of rows that were asked for with `limit + 1`: is there more?"""
    shown = rows[:limit]
    more = len(rows) > limit
    return {"items": as_plain(shown), "next": encode_cursor(key(shown[-1])) if more else None}
