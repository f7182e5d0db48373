"""What clients may send: JSON bodies as structs that refuse anything else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec

from city.errors import InvalidInput
from city.incident import Action, Source
from dashboard.shell.problems import Malformed

T = TypeVar("T", bound="Body")

# PostgreSQL's int and bigint: larger numbers cannot name anything.
INT_MAX = 2**31 - 1
BIGINT_MAX = 2**63 - 1
# Room at both ends of the calendar for what is added to a time: zones, spans, whole minutes.
TIME_MARGIN = timedelta(days=2)
EARLIEST = datetime.min.replace(tzinfo=UTC) + TIME_MARGIN
LATEST = datetime.max.replace(tzinfo=UTC) - TIME_MARGIN
# Described here; the review itself refuses other words and says which ones it takes.
VERDICT = msgspec.Meta(extra_json_schema={"enum": ["confirmed", "dismissed"]})

_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_NAMED = re.compile(r"^Object (?:missing required|contains unknown) field `(?P<name>[^`]*)`")


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request body; unknown members are refused, so a typo never goes unnoticed."""


class ActionBody(Body):
    """One action on an incident, on the version the person was looking at."""

    action: Action
    version: int | None = None
    note: str = ""
    squad: str | None = None
    category: str | None = None
    reason: str = ""
    until: datetime | None = None
    into: int | None = None
    outcome: str | None = None


class ReportBody(Body):
    """A matter reported by a person; coordinates in degrees."""

    category: str
    lon: float
    lat: float
    description: str = ""
    source: Source = Source.HOTLINE
    title: str = ""
    severity: int | None = None
    reporter: str = ""
    device: str | None = None


class VersionBody(Body):
    """A change that needs nothing but the version it is meant for."""

    version: int | None = None


class ShelveBody(Body):
    """Mute an alarm until a time, with a reason."""

    until: datetime
    reason: str
    version: int | None = None


class ReviewBody(Body):
    """A person's verdict on a video event."""

    verdict: Annotated[str, VERDICT]
    note: str = ""


class ApproveBody(Body):
    """A stranger becomes a device: the columns of a device file that it does not bring itself."""

    code: str
    kind: str
    name: str
    lon: float
    lat: float
    model: str = ""
    gas: str = ""
    report_interval_s: int | None = None
    attributes: dict[str, Any] = {}


class OutOfServiceBody(Body):
    """Until when, and why."""

    reason: str
    return_due_at: datetime
    version: int | None = None


class ReplaceBody(Body):
    """Other hardware at the same place; what is not given stays as it is."""

    reason: str
    external_id: str = ""
    format: str | None = None
    model: str | None = None
    version: int | None = None


class ReplayBody(Body):
    """Go on after this message, the `last` of the answer before."""

    after: int = 0


def decode_body(raw: bytes, kind: type[T]) -> T:
    """From JSON bytes; `Malformed` when it is not JSON, `InvalidInput` naming a bad field."""
    try:
        found = msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise _as_invalid(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"not JSON: {error}") from error
    return _checked(found)


def convert_body(values: dict[str, Any], kind: type[T]) -> T:
    """The same from plain values, as callbacks hand them over."""
    try:
        found = msgspec.convert(values, type=kind)
    except msgspec.ValidationError as error:
        raise _as_invalid(error) from error
    return _checked(found)


def required_version(version: int | None) -> int:
    """A change must say which version it is meant for."""
    if version is None:
        raise InvalidInput("version", None, 'is missing: send it in the body or as If-Match: "3"')
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


def _checked(body: T) -> T:
    for name in body.__struct_fields__:
        value = getattr(body, name)
        if isinstance(value, str):
            check_text(name, value)
        elif isinstance(value, datetime):
            if value.tzinfo is None:
                raise InvalidInput(name, value.isoformat(), "needs a time zone offset")
            setattr(body, name, as_utc(name, value))
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > INT_MAX:
            raise InvalidInput(name, value, "is too large")
    return body


def _as_invalid(error: msgspec.ValidationError) -> InvalidInput:
    text = str(error)
    path = _PATH.search(text)
    named = _NAMED.match(text)
    parts = [path["path"] if path else "", named["name"] if named else ""]
    field = ".".join(part for part in parts if part) or "body"
    return InvalidInput(field, None, _PATH.sub("", text))
