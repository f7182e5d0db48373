"""Every text a person reads, in Chinese and English, from one catalogue in many files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CHINESE = "zh"
ENGLISH = "en"
LANGUAGES = (CHINESE, ENGLISH)
SHARED = Path(__file__).parent / "catalogue"
SCREENS = Path(__file__).resolve().parents[2] / "screens"


@dataclass(frozen=True, slots=True)
class Texts:
    """The catalogue in one language; calling it looks a key up and fills the gaps."""

    lang: str
    entries: Mapping[str, str]

    def __call__(self, key: str, **gaps: Any) -> str:
        text = self.entries[key]
        return text.format(**gaps) if gaps else text

    def word(self, area: str, code: str | None) -> str:
        """A coded word (a state, an action, a metric); an unknown code is shown as it is."""
        if not code:
            return ""
        return self.entries.get(f"{area}.{code}", code)

    def pick(self, row: Mapping[str, Any], name: str) -> str:
        """The value of `name_zh` or `name_en` in a row, or the other one where it is empty."""
        other = ENGLISH if self.lang == CHINESE else CHINESE
        return str(row.get(f"{name}_{self.lang}") or row.get(f"{name}_{other}") or "")


def catalogue_files() -> list[Path]:
    """What all screens say, and the texts beside each screen."""
    return [*sorted(SHARED.glob("*.toml")), *sorted(SCREENS.glob("*/texts.toml"))]


@cache
def read_catalogue() -> dict[str, dict[str, str]]:
    """Every entry of every file: key to {"zh", "en"}. A key that stands twice is an error."""
    entries: dict[str, dict[str, str]] = {}
    for path in catalogue_files():
        for key, versions in tomllib.loads(path.read_text("utf-8")).items():
            if key in entries:
                raise ValueError(f"{path}: {key} is in the catalogue already")
            entries[key] = versions
    return entries


@cache
def texts(lang: str) -> Texts:
    """The texts of a language; Chinese where the language is not known."""
    known = lang if lang in LANGUAGES else CHINESE
    return Texts(known, {key: versions[known] for key, versions in read_catalogue().items()})
