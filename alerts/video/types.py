"""What a video event of a type becomes, from `alerts/video_types.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alerts.fields import Fields
from alerts.rules import SEVERITIES
from city.alarm import Severity

FILE = Path(__file__).parents[1] / "video_types.toml"
# Of a type that says nothing: the usual threshold of the platforms' models.
MIN_CONFIDENCE = 0.3


@dataclass(frozen=True, slots=True)
class VideoType:
    """What a confirmed event of this type becomes, and what it needs before a person sees it."""

    name: str
    category: str
    severity: Severity
    title_zh: str
    title_en: str
    source: str
    min_confidence: float = MIN_CONFIDENCE
    min_stay_s: int = 0


@cache
def video_types() -> Mapping[str, VideoType]:
    """Types by name and by every other name that cameras use for them."""
    return parse_types(FILE.read_text(encoding="utf-8"), FILE.name)


def type_names() -> list[str]:
    """The names alone, in the order of the file."""
    return list(dict.fromkeys(known.name for known in video_types().values()))


def parse_types(text: str, file: str) -> dict[str, VideoType]:
    """Read the table of types; a name that is given twice is an error."""
    found: dict[str, VideoType] = {}
    table = Fields(tomllib.loads(text), file)
    for part in table.tables("type"):
        name = part.code("name")
        known = VideoType(
            name=name,
            category=part.text("category"),
            severity=SEVERITIES[part.one_of("severity", list(SEVERITIES))],
            title_zh=part.text("title_zh"),
            title_en=part.text("title_en"),
            source=part.text("source"),
            min_confidence=part.number("min_confidence", MIN_CONFIDENCE, 0, 1),
            min_stay_s=int(part.number("min_stay_s", 0, 0, 86_400)),
        )
        for alias in [name, *(plain(a) for a in part.texts("also"))]:
            if alias in found:
                raise part.wrong("also", alias, "is given twice")
            found[alias] = known
        part.nothing_left()
    table.nothing_left()
    return found


def find_type(name: str) -> VideoType | None:
    """The type of a camera's word for it."""
    return video_types().get(plain(name))


def names_for(name: str) -> list[str]:
    """Every spelling under which events of the same type may be stored, plain."""
    known = find_type(name)
    if known is None:
        return [plain(name)]
    return [alias for alias, other in video_types().items() if other is known]


def plain(name: str) -> str:
    """`Illegal-Parking` and `illegal_parking` are one type."""
    return name.strip().lower().replace("-", "_").replace(" ", "_")
