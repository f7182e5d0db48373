"""What the check of a city says, and what would change, in words of a page. The same words stand
on the page of settings, where the browser puts them together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

from city.settings import SheetChange, SheetFault
from dashboard.shell.i18n import ENGLISH, Texts, texts

FAULTS = "settings.fault_"
GAP = re.compile(r"\\\{(\w+)\\\}")
# More changes of a kind than these are told by their number.
TOLD_ONE_BY_ONE = 8
VALUE_MAX = 80


def fault_words(t: Texts) -> list[tuple[str, str]]:
    """What the check of a table may say, in English as it says it, and in words of the page."""
    english = texts(ENGLISH).entries
    return [(text, t(key)) for key, text in english.items() if key.startswith(FAULTS)]


def say_fault(t: Texts, fault: SheetFault) -> str:
    """Where it is, the value, and what is wrong with it."""
    row = t("settings.row", n=fault.row) if fault.row else ""
    fields = ", ".join(_field(t, name) for name in fault.field.split(", ") if name)
    where = " · ".join(part for part in (fault.file, row, fields) if part)
    value = f"“{fault.value[:VALUE_MAX]}” " if fault.value else ""
    return f"{where}: {value}{say_problem(t, fault.problem)}"


def say_problem(t: Texts, problem: str) -> str:
    """The sentence of the check in the language of the page; one without words stays as it is."""
    for pattern, key in _patterns():
        if found := pattern.fullmatch(problem):
            return t(key).format(**found.groupdict())
    return problem


def say_changes(t: Texts, changes: Sequence[SheetChange]) -> list[str]:
    """A line a change; where many are alike, their number."""
    alike = Counter((change.what, change.how) for change in changes)
    lines = {}
    for change in changes:
        kind = (change.what, change.how)
        what, how = t.word("settings.what", change.what), t.word("settings.how", change.how)
        count = change.count if not change.code else alike[kind]
        if not change.code or count > TOLD_ONE_BY_ONE:
            lines[f"{what}: {count} {how}"] = True
        else:
            fields = ", ".join(_field(t, name) for name in change.fields)
            lines[f"{what} {change.code}: {how}{f' ({fields})' if fields else ''}"] = True
    return list(lines)


def _field(t: Texts, name: str) -> str:
    return t.entries.get(f"settings.column_{name}", name)


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Of every sentence of the check: what it looks like, and the key of its words."""
    return [
        (re.compile(GAP.sub(r"(?P<\1>.+)", re.escape(text)), re.DOTALL), key)
        for key, text in texts(ENGLISH).entries.items()
        if key.startswith(FAULTS)
    ]
