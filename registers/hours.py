"""Hours of a day in which something is allowed, as `22:00-05:00; 12:00-13:00`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import time

from city.errors import InvalidInput

SPAN = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)")
Span = tuple[time, time]


def parse_hours(text: str) -> list[Span]:
    """Spans of a day; one that ends before it begins goes over midnight."""
    spans = []
    for part in filter(None, (one.strip() for one in text.replace("；", ";").split(";"))):
        found = SPAN.fullmatch(part)
        try:
            span = (time.fromisoformat(found[1]), time.fromisoformat(found[2])) if found else None
        except ValueError:
            span = None
        if span is None or span[0] == span[1]:
            raise InvalidInput("hours", part, "must be like 22:00-05:00")
        spans.append(span)
    return spans


def is_within(at: time, spans: Sequence[Span]) -> bool:
    """Whether a time of the day lies in one of the spans; the end does not."""
    return any(
        begin <= at < end if begin < end else at >= begin or at < end for begin, end in spans
    )
