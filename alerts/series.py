"""Readings of a table in few words: `20:00 0.5`, `20:01 every 60s from 1 to 30`. Pure.

A series is a list of such texts. Each begins at its time, or where the one before ends:

    20:00 0.5                     one value
    20:01 every 60s 1 2 3 5       one after the other
    every 60s from 1 to 30        1, 2, 3 ... 30; `by 0.5` for other steps
    every 60s 5 until 21:00       the same value up to and with that time
    every 60s 5 x 10              the same value ten times

The word `suspect`, `late` or `simulated` at the end is the quality of all its readings. Times are
HH:MM or HH:MM:SS of the table's day, 25:30 is half past one of the next one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from city.reading import Quality

# A table is read by people; a series beyond this is a slip of the pen.
READINGS_MAX = 20_000
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
QUALITIES = {
    "suspect": Quality.SUSPECT, "late": Quality.LATE, "simulated": Quality.SIMULATED,
}  # fmt: skip
_TIME = re.compile(r"(\d{1,3}):([0-5]\d)(?::([0-5]\d(?:\.\d{1,3})?))?")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")

Refuse = Callable[[str, str], Exception]  # value and problem to an error that names the field


@dataclass(frozen=True, slots=True)
class Point:
    """One reading; `at` is counted from the beginning of the day."""

    at: timedelta
    value: float
    quality: Quality = Quality.GOOD


def parse_series(texts: Iterable[str], refuse: Refuse) -> list[Point]:
    """All readings of a series in the order of their times."""
    points: list[Point] = []
    next_at: timedelta | None = None
    for text in texts:
        found, step = _parse_item(text, next_at, refuse)
        if points and found[0].at <= points[-1].at:
            raise refuse(text, "must begin after the readings before it")
        points += found
        next_at = points[-1].at + step
        if len(points) > READINGS_MAX:
            raise refuse(text, f"a series has at most {READINGS_MAX} readings")
    return points


def parse_time(text: str, refuse: Refuse) -> timedelta:
    """HH:MM or HH:MM:SS from the beginning of the day."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise refuse(text, "must be a time like 20:00 or 20:00:30")
    hours, minutes, seconds = found.groups()
    return timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds or 0))


def parse_span(text: str, refuse: Refuse) -> timedelta:
    """60s, 5m, 1h, 500ms."""
    found = _SPAN.fullmatch(text)
    span = timedelta(seconds=float(found[1]) * UNITS_S[found[2]]) if found else timedelta(0)
    if not span:
        raise refuse(text, "must be a time span like 60s, 5m or 1h")
    return span


def as_clock(at: timedelta) -> str:
    """The reverse of `parse_time`."""
    seconds = round(at.total_seconds(), 3)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{int(hours):02}:{int(minutes):02}"
    return text + (f":{seconds:06.3f}".rstrip("0").rstrip(".") if seconds else "")


def _parse_item(
    text: str, next_at: timedelta | None, refuse: Refuse
) -> tuple[list[Point], timedelta]:
    """The readings of one text, and how long after the last of them the next one follows."""

    def no(problem: str) -> Exception:
        return refuse(text, problem)

    words = text.split()
    quality = QUALITIES.get(words[-1], Quality.GOOD) if words else Quality.GOOD
    if quality is not Quality.GOOD:
        words.pop()
    start = next_at
    if words and _TIME.fullmatch(words[0]):
        start = parse_time(words.pop(0), lambda _, problem: no(problem))
    if start is None:
        raise no("must begin with a time like 20:00")
    step = timedelta(minutes=1)
    regular = bool(words) and words[0] == "every"
    if regular:
        if len(words) < 2:
            raise no("`every` needs a time span like 60s")
        step = parse_span(words[1], lambda _, problem: no(problem))
        words = words[2:]
    values = _values(words, start, step, no)
    if len(values) > 1 and not regular:
        raise no("several values need `every` and a time span")
    return [Point(start + i * step, v, quality) for i, v in enumerate(values)], step


def _values(
    words: list[str], start: timedelta, step: timedelta, no: Callable[[str], Exception]
) -> list[float]:
    if words and words[0] == "from":
        return _ramp(words, no)
    count = 1
    if len(words) == 3 and words[1] == "until":
        until = parse_time(words[2], lambda _, problem: no(problem))
        if until < start:
            raise no("`until` is before the beginning")
        count, words = (until - start) // step + 1, words[:1]
    elif len(words) == 3 and words[1] == "x":
        if not words[2].isdigit() or not int(words[2]):
            raise no("`x` needs a count")
        count, words = int(words[2]), words[:1]
    if count > READINGS_MAX:
        raise no(f"a series has at most {READINGS_MAX} readings")
    if not words:
        raise no("has no value")
    return [_number(word, no) for word in words] * count


def _ramp(words: list[str], no: Callable[[str], Exception]) -> list[float]:
    if len(words) not in (4, 6) or words[2] != "to" or (len(words) == 6 and words[4] != "by"):
        raise no("must be `from A to B`, or `from A to B by STEP`")
    first, last = _number(words[1], no), _number(words[3], no)
    by = abs(_number(words[5], no)) if len(words) == 6 else 1.0
    if not by or abs(last - first) / by > READINGS_MAX:
        raise no(f"a series has at most {READINGS_MAX} readings")
    steps = int(abs(last - first) / by + 1e-9)
    sign = 1 if last >= first else -1
    return [round(first + sign * i * by, 9) for i in range(steps + 1)]


def _number(word: str, no: Callable[[str], Exception]) -> float:
    if not _NUMBER.fullmatch(word):
        raise no(f"{word!r} is not a number")
    return float(word)
