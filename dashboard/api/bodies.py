"""What clients may send: requests of `city.requests` out of JSON that holds nothing else."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, Field, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec

from city.errors import InvalidInput
from dashboard.shell.problems import Malformed

T = TypeVar("T")

# PostgreSQL's int and bigint: larger numbers cannot name anything.
INT_MAX = 2**31 - 1
BIGINT_MAX = 2**63 - 1
# Room at both ends of the calendar for what is added to a time: zones, spans, whole minutes.
TIME_MARGIN = timedelta(days=2)
EARLIEST = datetime.min.replace(tzinfo=UTC) + TIME_MARGIN
LATEST = datetime.max.replace(tzinfo=UTC) - TIME_MARGIN
VERSION_FIELD = "version"

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_NO_WORD = re.compile(r"Invalid enum value '(?P<value>[^']*)'")
_NAMED = re.compile(r"^Object (?:missing required|contains unknown) field `(?P<name>[^`]*)`")


@cache
def body_of(request: type[Any]) -> type[msgspec.Struct]:
    """The JSON object that is sent for a request: its fields, and no others, so that a typo never
    goes unnoticed. The version may be left to the header `If-Match`."""
    kinds = get_type_hints(request)
    return msgspec.defstruct(
        request.__name__.removesuffix("Request") + "Body",
        [_member(field, kinds[field.name]) for field in fields(request)],
        forbid_unknown_fields=True,
        kw_only=True,
        namespace={"__doc__": inspect.getdoc(request)},
    )


def _member(field: Field[Any], kind: Any) -> tuple[Any, ...]:
    if field.name == VERSION_FIELD:
        return VERSION_FIELD, int | None, None
    if words := field.metadata.get("words"):
        kind = Annotated[kind, msgspec.Meta(extra_json_schema={"enum": list(words)})]
    if field.default_factory is not MISSING:
        return field.name, kind, field.default_factory()
    return (field.name, kind) if field.default is MISSING else (field.name, kind, field.default)


def decode_request(raw: bytes, request: type[T], matched: int | None = None) -> T:
    """From JSON bytes; `matched` is the version of `If-Match`.

    Raises `Malformed` when it is not JSON, `InvalidInput` naming a bad field.
    """
    kind: type = request
    try:
        found = msgspec.json.decode(raw, type=body_of(kind))
    except msgspec.ValidationError as error:
        raise _as_invalid(error, body_of(kind)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"not JSON: {error}") from error
    values = {name: _checked(name, getattr(found, name)) for name in found.__struct_fields__}
    if VERSION_FIELD in values:
        values[VERSION_FIELD] = _one_version(values[VERSION_FIELD], matched)
    return request(**values)


def _one_version(named: int | None, matched: int | None) -> int:
    """A change must say which version it is meant for, once or twice the same."""
    if named is not None and matched is not None and named != matched:
        raise InvalidInput(VERSION_FIELD, named, f"is not the If-Match of {matched}")
    version = named if matched is None else matched
    if version is None:
        raise InvalidInput(
            VERSION_FIELD, None, 'is missing: send it in the body or as If-Match: "3"'
        )
    return version


def check_text(field: str, text: str) -> str:
    """PostgreSQL has no NUL character, and half a surrogate pair is no text."""
    if "\0" in text:
        raise InvalidInput(field, text, "must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(field, ascii(text), "is not valid Unicode") from error
    return text


def as_utc(field: str, moment: datetime) -> datetime:
    """An aware time in UTC; refuses those at the ends of the calendar."""
    if not EARLIEST <= moment <= LATEST:
        raise InvalidInput(field, moment.isoformat(), "is beyond the calendar")
    return moment.astimezone(UTC)


def number_of(text: str, largest: int) -> int | None:
    """The whole number that the text is, if it is not above `largest`."""
    digits = text.lstrip("0") or text[:1]
    if not (text.isascii() and text.isdigit()) or len(digits) > len(str(largest)):
        return None
    return int(digits) if int(digits) <= largest else None


def _checked(name: str, value: Any) -> Any:
    """The value as the database can hold it."""
    if isinstance(value, str):
        check_text(name, value)
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidInput(name, value.isoformat(), "needs a time zone offset")
        return as_utc(name, value)
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > INT_MAX:
        raise InvalidInput(name, value, "is too large")
    return value


def _as_invalid(error: msgspec.ValidationError, body: type) -> InvalidInput:
    text = str(error)
    path = _PATH.search(text)
    named = _NAMED.match(text)
    parts = [path["path"] if path else "", named["name"] if named else ""]
    field = ".".join(part for part in parts if part) or "body"
    if (word := _NO_WORD.match(text)) and (words := _words_of(body, field)):
        return InvalidInput(field, word["value"], f"must be one of {', '.join(words)}")
    return InvalidInput(field, None, _PATH.sub("", text))


def _words_of(body: type, field: str) -> list[str]:
    """What a field of a body may be, where that is one of some words."""
    kinds = [kind.type for kind in msgspec.inspect.type_info(body).fields if kind.name == field]  # type: ignore[attr-defined]
    return [str(word.value) for kind in kinds if isinstance(kind, msgspec.inspect.EnumType)
            for word in kind.cls]  # fmt: skip
