"""Topics and the plain text bodies that home automation publishes beside JSON."""

from __future__ import annotations

from city.reading import REASON_TEXT
from wire.body import shown
from wire.format import Refused

# Where formats without a topic of their own are bridged to: `feed/{format}/{device}/…`.
FEED = "feed"
# Bytes of a body that is one value; longer ones are pictures or logs.
PLAIN_LIMIT = 256


def own_levels(topic: str) -> list[str]:
    """The levels of a topic, without the `feed/{format}/` of a bridged one."""
    levels = topic.split("/")
    return levels[2:] or [""] if levels[0] == FEED and len(levels) > 1 else levels


def feed_device(topic: str) -> str | None:
    """The device in `feed/{format}/{device}`, for messages that do not name it."""
    levels = topic.split("/")
    return levels[2] if levels[0] == FEED and len(levels) > 2 else None


def level_of(topic: str, number: int) -> str | None:
    """One level of a topic, counted from 0; None where it has not so many."""
    levels = topic.split("/", number + 1)
    return levels[number] if len(levels) > number else None


def plain_text(payload: bytes) -> str:
    """The body as one short text; a picture or a document is no text. May be empty."""
    try:
        text = payload.decode("utf-8").strip() if len(payload) <= PLAIN_LIMIT else None
    except UnicodeDecodeError:
        text = None
    if text is None or not text.isprintable():
        problem = f"must be one plain value of at most {PLAIN_LIMIT} bytes"
        raise Refused(REASON_TEXT, f"body: {problem} (got {shown(payload[:40])})")
    return text
