"""The quarantine for API and screen: groups, messages, what they would come to now, replays."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import msgspec

from city.errors import Conflict, NotFound
from dashboard.shell.parts import parts
from db import reject_counts, rejects
from db.pool import Connection, transaction
from db.reject_counts import RejectCount
from db.rejects import StoredReject, Which

# Messages of one request: each is a transaction of some milliseconds, and a browser waits 20 s.
REPLAY_STEP = 200


class RejectReplayAnswer(msgspec.Struct, kw_only=True):
    """What became of the messages that were tried again: stored, refused again by today's
    reason with an example in words, missed because somebody else was faster. `next` is where
    the following request goes on; null at the end."""

    stored: int
    refused: dict[str, int]
    missed: int
    example: str
    next: int | None


class Today(msgspec.Struct, kw_only=True):
    """What a quarantined message comes to with today's decoders and registry."""

    refusals: list[tuple[str, str]]
    decoded: dict[str, Any]


def list_groups(now: datetime, which: Which, *, by_device: bool, limit: int) -> list[RejectCount]:
    """Who is refused why, most first."""
    with transaction(parts().pool) as conn:
        return reject_counts.count_rejects(conn, now, which, by_device=by_device, limit=limit)


def find(conn: Connection, reject_id: int) -> StoredReject:
    """One message; raises `NotFound`."""
    found = rejects.find_reject(conn, reject_id)
    if found is None:
        raise NotFound("reject", reject_id)
    return found


def today(conn: Connection, kept: StoredReject, now: datetime) -> Today:
    """Decode it once more; nothing is stored."""
    steps = parts().ports.quarantine
    return Today(refusals=steps.refusals(conn, kept, now), decoded=steps.decode_again(conn, kept))


def replay_one(reject_id: int, now: datetime) -> RejectReplayAnswer:
    """Try one message again; raises `NotFound`, or `Conflict` when that makes no sense."""
    with transaction(parts().pool) as conn:
        kept = find(conn, reject_id)
    if kept.replayed_at is not None:
        raise Conflict("this message was replayed already", current={"at": kept.replayed_at})
    if not kept.is_complete:
        problem = f"only {len(kept.raw)} of its {kept.raw_size} bytes were kept"
        raise Conflict(problem, current={"raw_size": kept.raw_size})
    return _replay([reject_id], None, now)


def replay_group(which: Which, after: int, now: datetime) -> RejectReplayAnswer:
    """Try the next messages of a group again, oldest first."""
    with transaction(parts().pool) as conn:
        ids = rejects.list_replayable(conn, which, after=after, limit=REPLAY_STEP)
    return _replay(ids, ids[-1] if len(ids) == REPLAY_STEP else None, now)


def _replay(ids: list[int], following: int | None, now: datetime) -> RejectReplayAnswer:
    def begin() -> AbstractContextManager[Connection]:
        return transaction(pool)

    pool = parts().pool
    found = parts().ports.quarantine.replay_group(begin, ids, now)
    return RejectReplayAnswer(
        stored=found.stored,
        refused=dict(found.refused),
        missed=found.missed,
        example=found.example,
        next=following,
    )
