"""The help text of a rule: what a person reads who gets its alarm, in both languages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alerts.fields import Fields

TABLE = "help"
MINUTES = "minutes"
PARTS = ("cause", "consequence", "action")
LANGUAGES = ("zh", "en")
# A text that nobody reads in the time there is helps nobody.
TEXT_MAX = 600
MINUTES_MAX = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class Help:
    """Why an alarm of the rule comes up, what follows if nobody does anything, what to do, and
    how many minutes there are for it."""

    cause_zh: str
    cause_en: str
    consequence_zh: str
    consequence_en: str
    action_zh: str
    action_en: str
    minutes: int


FIELDS = (*(f"{part}_{lang}" for part in PARTS for lang in LANGUAGES), MINUTES)


def parse_help(fields: Fields) -> Help | None:
    """The table `[help]`: all of it or, in a file of before, none."""
    found = fields.table(TABLE)
    if found is None:
        return None
    texts = {name: found.text(name).strip() for name in FIELDS if name != MINUTES}
    for name, text in texts.items():
        if len(text) > TEXT_MAX:
            raise found.wrong(name, text[:40] + "…", f"at most {TEXT_MAX} characters are read")
    minutes = found.number(MINUTES, low=1, high=MINUTES_MAX)
    found.nothing_left()
    return Help(**texts, minutes=round(minutes))


def missing_help(given: Help | None) -> Sequence[str]:
    """Names of the fields that a rule file lacks, as they are written in it."""
    return () if given is not None else tuple(f"{TABLE}.{name}" for name in FIELDS)


def help_warning(code: str, file: str) -> str:
    """What is said of a file without help."""
    names = ", ".join(missing_help(None))
    return f"{file}: rule {code} has no help text; its alarms say so. Missing: {names}"


def as_json(given: Help | None) -> dict[str, Any] | None:
    """As alarms show it."""
    return None if given is None else {name: getattr(given, name) for name in FIELDS}
