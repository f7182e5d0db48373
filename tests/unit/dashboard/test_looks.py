"""What many screens ask for is read once."""

from __future__ import annotations

import threading
import time

import pytest

from dashboard.shell import looks
from dashboard.shell.looks import Looks


def test_many_at_once_are_answered_by_one_look() -> None:
    reads: list[float] = []

    def read() -> int:
        time.sleep(0.05)
        reads.append(time.monotonic())
        return len(reads)

    seen, found = Looks(), []
    threads = [
        threading.Thread(target=lambda: found.append(seen.recent("lamps", read))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, len(reads)) == ([1] * 8, 1)
    assert seen.recent("others", read) == 2


def test_a_look_grows_old_and_a_failed_one_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "FRESH_S", 0.0)
    monkeypatch.setattr(looks, "PER_COST", 0.0)
    seen = Looks()
    assert [seen.recent("x", lambda n=n: n) for n in (1, 2)] == [1, 2]  # type: ignore[misc]

    def fail() -> int:
        raise OSError("away")

    with pytest.raises(OSError, match="away"):
        seen.recent("x", fail)
    assert seen.recent("x", lambda: 3) == 3
