"""What a message says, and how it is cut to what a channel takes. Pure."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("zh", "en")
MORE = "…"
# Of a text without a space nearby that much may be lost to end at a word.
WORD_MAX = 24


@dataclass(frozen=True, slots=True)
class Facts:
    """What the texts of a case name, in the one language; `due_at` is local."""

    number: str
    title: str
    where: str
    severity: int
    clock: str
    due_at: datetime | None
    squad: str


@dataclass(frozen=True, slots=True)
class TextLimit:
    """The most that a channel takes: bytes of UTF-8, or UTF-16 units as telephones count them."""

    most: int
    unit: str  # bytes, units

    def size(self, text: str) -> int:
        if self.unit == "bytes":
            return len(text.encode())
        return len(text.encode("utf-16-le")) // 2


@cache
def texts() -> Mapping[str, Any]:
    return tomllib.loads((files("notify") / "texts.toml").read_text(encoding="utf-8"))


def word_step(step: str, facts: Facts, lang: str) -> tuple[str, str]:
    """Title and body of a step of a case."""
    known = texts()[lang]
    values = {
        "number": facts.number,
        "title": facts.title,
        "where": facts.where or MORE,
        "severity": known["severity"][str(facts.severity)],
        "clock": known["clock"].get(facts.clock, facts.clock),
        "due": f"{facts.due_at:%m-%d %H:%M}" if facts.due_at else MORE,
        "squad": facts.squad or MORE,
    }
    text = known[step]
    return text["title"].format(**values), text["body"].format(**values)


def word_test(channel: str, lang: str) -> tuple[str, str]:
    """Title and body of a message that somebody sends to try a channel."""
    text = texts()[lang]["test"]
    return text["title"], text["body"].format(channel=channel)


def fit(title: str, body: str, link: str, limit: TextLimit) -> str:
    """Title, body and link, a line each, in what the limit allows. What is too long ends at a word
    and is followed by the link, which says the rest; only where there is no room for the link
    itself it is left out."""
    said = "\n".join(part for part in (title, body) if part)
    whole = f"{said}\n{link}" if link else said
    if limit.size(whole) <= limit.most:
        return whole
    tail = f"{MORE}\n{link}" if link else MORE
    if limit.size(tail) + limit.size(MORE) > limit.most:
        tail = MORE
    return cut(said, lambda text: limit.size(text + tail) <= limit.most) + tail


def cut(text: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning that fits and ends between words and characters."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    end = low
    while 0 < end < len(text) and _joins(text[end]):
        end -= 1
    back = end
    while 0 < back < len(text) and _in_word(text[back - 1]) and _in_word(text[back]):
        back -= 1
    if back and end - back <= WORD_MAX:
        end = back
    return text[:end].rstrip()


def _joins(char: str) -> bool:
    """Whether a character belongs to the one before it."""
    return unicodedata.combining(char) != 0 or char in "\u200d\ufe0f"


def _in_word(char: str) -> bool:
    """Whether a line may not end beside it: words with spaces between them, and numbers."""
    return char.isascii() and (char.isalnum() or char in "-_.:/")
