"""What many screens ask for, read once in a while for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

T = TypeVar("T")

# A look counts for so long at least, and for so many times as long as it took: reading for any
# number of screens costs a sixth of a core at most.
FRESH_S = 2.0
PER_COST = 5.0


@dataclass(slots=True)
class _Look:
    lock: threading.Lock = field(default_factory=threading.Lock)
    good_until: float = 0.0
    value: Any = None


class Looks:
    """The newest look at each thing; whoever comes while one is taken waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[str, _Look] = {}

    def recent(self, what: str, read: Callable[[], T]) -> T:
        """What `read` says, or said a moment ago; an error is everybody's own."""
        with self._lock:
            look = self._looks.setdefault(what, _Look())
        with look.lock:
            began = time.monotonic()
            if began >= look.good_until:
                look.value = read()
                ended = time.monotonic()
                look.good_until = ended + max(FRESH_S, PER_COST * (ended - began))
            return cast("T", look.value)
