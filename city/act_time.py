"""When something was done, as the phone of whoever did it says. Words only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# How long ago a phone may say that it was: three days, a weekend without signal.
DEFAULT_PHONE_HOURS = 72


@dataclass(frozen=True, slots=True)
class SaidTime:
    """What a phone says of an act: its clock at the act and at the sending, and how far the
    server was ahead of that clock when it last heard from it before the act (None: never)."""

    acted_at: datetime
    sent_at: datetime | None = None
    offset: timedelta | None = None


class Doubt(StrEnum):
    """Why the time of the receipt counts instead."""

    FUTURE = "future"
    BEFORE_LAST_STEP = "before_last_step"
    TOO_OLD = "too_old"
    CLOCK_CHANGED = "clock_changed"  # set between the act and the sending


@dataclass(frozen=True, slots=True)
class ActTime:
    """When it was done: as the phone says, or at the receipt because of a doubt. `clock_off` is
    how far the phone's clock was behind the server's (before it: negative), zero where it fits."""

    at: datetime
    doubt: Doubt | None = None
    clock_off: timedelta = timedelta(0)
