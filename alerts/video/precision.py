"""How often a camera's algorithm is right, from people's verdicts: pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from alerts.video.types import find_type, plain

# Verdicts older than this say nothing of today's camera and model; it also means that whoever
# files by themselves is looked at again.
WINDOW = timedelta(days=90)
# 95 %, two-sided.
Z = 1.959964
# The camera was right and there is all the same no case, or nobody can tell: counts for neither.
NEITHER = frozenset({"permitted", "unclear"})
REASONS = ("nothing_there", "wrong_class", "no_offence", "permitted", "unclear", "other")


@dataclass(frozen=True, slots=True)
class Precision:
    """`right` of `judged`; `neither` are verdicts that say nothing of the algorithm. `lower` is the
    lower end of Wilson's interval of 95 %, 0 without any verdict."""

    camera: str
    camera_name: str
    type: str
    right: int
    wrong: int
    neither: int
    reasons: Mapping[str, int]

    @property
    def judged(self) -> int:
        return self.right + self.wrong

    @property
    def ratio(self) -> float | None:
        return self.right / self.judged if self.judged else None

    @property
    def lower(self) -> float:
        return wilson_lower(self.right, self.judged)


def wilson_lower(right: int, judged: int, z: float = Z) -> float:
    """Lower end of Wilson's score interval."""
    if judged == 0:
        return 0.0
    share, z2 = right / judged, z * z
    middle = share + z2 / (2 * judged)
    spread = z * math.sqrt(share * (1 - share) / judged + z2 / (4 * judged * judged))
    return max(0.0, (middle - spread) / (1 + z2 / judged))


# (camera, its name, type as the camera says it, verdict, reason, how many)
Counted = tuple[str, str, str, str, str, int]


def measure(counts: Iterable[Counted]) -> list[Precision]:
    """Of each camera and type, the most judged first."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    names: dict[str, str] = {}
    for camera, camera_name, type_, verdict, reason, count in counts:
        known = find_type(type_)
        key = (camera, known.name if known else plain(type_))
        names[camera] = camera_name
        word = reason if verdict == "dismissed" else "right"
        parts = found.setdefault(key, {})
        parts[word] = parts.get(word, 0) + count
    measured = []
    for (camera, type_), parts in found.items():
        right = parts.pop("right", 0)
        neither = sum(n for reason, n in parts.items() if reason in NEITHER)
        wrong = sum(parts.values()) - neither
        measured.append(Precision(camera, names[camera], type_, right, wrong, neither, parts))
    return sorted(measured, key=lambda p: (-p.judged, p.camera, p.type))
