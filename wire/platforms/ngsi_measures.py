"""Measures that devices send to FIWARE's IoT agents: JSON and UltraLight 2.0."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from city.reading import REASON_FIELD, REASON_TEXT
from wire.body import IDENTITY_LIMIT, kind_of, parse_json, shown
from wire.format import Refused
from wire.series import clock_is_set
from wire.times import time_or_none
from wire.values import VALUE_LIMIT

# Groups of measures in one message of an agent.
GROUP_LIMIT = 256


def read_groups(protocol: str, attribute: str, payload: bytes) -> list[dict[str, Any]]:
    """Groups of measures by name, each with its own time."""
    if attribute:
        name = attribute[:IDENTITY_LIMIT]
        return [{name: _single(payload)}]
    if protocol != "ul":
        try:
            return _json_groups(parse_json(payload))
        except Refused:
            if protocol == "json" or payload.lstrip()[:1] in (b"{", b"["):
                raise
    return _ultralight(_decoded_text(payload))


def _single(payload: bytes) -> Any:
    """The body of one attribute: a plain text, or a JSON value."""
    try:
        return parse_json(payload)
    except Refused:
        return _decoded_text(payload)


def _json_groups(body: Any) -> list[dict[str, Any]]:
    groups = body if isinstance(body, list) else [body]
    for number, group in enumerate(groups):
        if not isinstance(group, dict):
            where = f"[{number}]" if isinstance(body, list) else "body"
            raise Refused(REASON_FIELD, f"{where}: must be an object (got {kind_of(group)})")
    return [dict(group) for group in groups[: GROUP_LIMIT + 1]]


def _decoded_text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8").strip().replace("\0", "")
    except UnicodeDecodeError as error:
        raise Refused(REASON_TEXT, f"not UTF-8 at byte {error.start}") from None


def _ultralight(text: str) -> list[dict[str, Any]]:
    """`t|15|k|abc#h|40`: names and values in turn, groups after #, a time before a group."""
    groups: list[dict[str, Any]] = []
    for number, group in enumerate(text.split("#", GROUP_LIMIT + 1)[: GROUP_LIMIT + 1]):
        fields = group.split("|", 2 * VALUE_LIMIT)
        measures: dict[str, Any] = {}
        if len(fields) % 2:
            if entity_time(fields[0]) is None:
                problem = f"group {number + 1}: names and values must come in pairs"
                raise Refused(REASON_TEXT, f"{problem} (got {shown(group[:60])})")
            measures["TimeInstant"] = fields.pop(0)
        names, values = fields[::2], fields[1::2]
        if not all(names) or not names:
            raise Refused(REASON_TEXT, f"group {number + 1}: has a measure without a name")
        groups.append(measures | dict(zip(names, values, strict=True)))
    return groups


def entity_time(said: Any) -> datetime | None:
    """A time in any of its wrappings; an interval ({from}/{to}) is of its end."""
    for _ in range(3):
        if isinstance(said, dict):
            said = said.get("value", said.get("@value"))
    if isinstance(said, str):
        said = said[-64:].rpartition("/")[2]
    ts = time_or_none(said)
    return ts if ts is not None and clock_is_set(ts) else None
