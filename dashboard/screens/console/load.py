"""What the console reads besides the live picture: video events that wait for a person, and
whether the person has a second factor."""

from __future__ import annotations

from typing import Any

from city.person import Caller
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from dashboard.shell.tour import count_open_steps
from db import second_factors
from db.listings import list_video_events
from db.pool import transaction

# Video events shown for review at once; older ones wait their turn.
REVIEW_PAGE = 200


def pending_video(caller: Caller) -> list[dict[str, Any]]:
    """Video events that a person should see and nobody has judged, newest first."""
    with transaction(parts().pool) as conn:
        rows = list_video_events(
            conn,
            caller.scope,
            filters={"review": "pending", "standing": "review"},
            limit=REVIEW_PAGE,
        )
    plain: list[dict[str, Any]] = as_plain(rows)
    return plain


def open_steps(caller: Caller) -> int:
    """How much of the tour an administrator has before them."""
    with transaction(parts().pool) as conn:
        return count_open_steps(conn, caller)


def lacks_second_factor(caller: Caller) -> bool:
    """Whether the password of this person alone opens everything. A token has none to lack, and
    the accounts of a demonstration are open to everybody."""
    if any(login.name == caller.name for login in parts().demo_logins):
        return False
    with transaction(parts().pool) as conn:
        return second_factors.lacks_factor(conn, caller.name)
