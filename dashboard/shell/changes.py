"""A change that a person makes: one transaction, once for one key, told after its commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from city.person import Caller
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db.events import last_seq
from db.idempotency import StoredAnswer, claim_key, store_answer
from db.live import publish_event_seq, wake
from db.pool import Connection, transaction

CREATED, OK, ACCEPTED = 201, 200, 202


@dataclass(frozen=True, slots=True)
class Once:
    """An Idempotency-Key and the fingerprint of the request it came with."""

    key: str
    request_sha256: bytes


# What is done with an open connection at a time; its result is the answer, or what of it is told
# where only the work knows with which status.
Work = Callable[[Connection, datetime], Any]


def change(
    caller: Caller, work: Work, *, once: Once | None = None, status: int = OK
) -> StoredAnswer:
    """Do `work` in one transaction and tell the screens; a repeated key gives the first answer."""
    found = parts()
    now = datetime.now(UTC)
    with transaction(found.pool) as conn:
        if once and (known := claim_key(conn, caller.name, once.key, once.request_sha256, now)):
            return known
        result = work(conn, now)
        answer = (
            result if isinstance(result, StoredAnswer) else StoredAnswer(status, as_plain(result))
        )
        if once:
            store_answer(conn, caller.name, once.key, answer)
        seq = last_seq(conn)
    publish_event_seq(found.redis, seq)
    wake(found.redis, "dispatch")
    return answer
