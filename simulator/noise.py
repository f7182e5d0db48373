"""Repeatable noise: a number from a seed and words, without any state."""

from __future__ import annotations

import math
import zlib
from datetime import datetime

_SPAN = 2**32


def share(seed: int, *words: object) -> float:
    """A number from 0 up to 1 that always belongs to these words."""
    return zlib.crc32("/".join(map(str, (seed, *words))).encode()) / _SPAN


def drift(seed: int, at: datetime, period_s: float, *words: object) -> float:
    """A number from -1 to 1 that wanders smoothly and turns about once a period."""
    position = at.timestamp() / period_s
    slot = math.floor(position)
    part = position - slot
    smooth = part * part * (3 - 2 * part)
    before, after = share(seed, slot, *words), share(seed, slot + 1, *words)
    return 2 * (before + (after - before) * smooth) - 1
