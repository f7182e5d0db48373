"""When a delivery that did not go out is tried again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

# A gateway that restarts is back within these; afterwards once in five minutes.
PAUSES_S = (2, 5, 15, 45, 120, 300)


def next_try(
    tries: int, now: datetime, expires_at: datetime, wait_s: float | None = None
) -> datetime | None:
    """After so many tries; None: nobody would want it any more. `wait_s` is what the channel asks
    for itself."""
    pause = PAUSES_S[min(tries, len(PAUSES_S)) - 1] if wait_s is None else wait_s
    due = now + timedelta(seconds=max(pause, 1))
    return due if due < expires_at else None
