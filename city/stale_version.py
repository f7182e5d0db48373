"""A change is meant for what the person was looking at: on a stale version it is refused."""

from __future__ import annotations


def is_stale_version(seen: int | None, now: int) -> bool:
    """Whether somebody else has changed it since; None: whatever it is, as the command line says.

    The step that asks raises `city.errors.Conflict` with the present state.
    """
    return seen is not None and seen != now
