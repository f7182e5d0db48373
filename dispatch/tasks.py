"""Looking at the place: verification before filing, check after handling. Pure.

A task is an attempt of the clock `verify` or `check`: the clock says until when, and a row of
`field_task` says whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from city.clock import ClockKind, Deadline

FIELD_CLOCKS = frozenset({ClockKind.VERIFY, ClockKind.CHECK})


def task_clock(deadlines: Iterable[Deadline]) -> Deadline | None:
    """The clock of the task that waits for a collector, if one does."""
    return next((d for d in deadlines if d.kind in FIELD_CLOCKS and d.runs), None)
