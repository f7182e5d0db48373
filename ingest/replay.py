"""Give quarantined messages another chance, one or many, and say why some are refused again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from city.errors import Conflict, InvalidInput, NotFound
from city.reading import Decoded
from db.devices import find_registered
from db.pool import Connection
from db.rejects import StoredReject, find_reject
from ingest.batch import DECODER_FAULTS
from ingest.decode import decode_by_hand
from ingest.feeds_reader import follow_models, read_feeds
from ingest.message import Message
from ingest.peculiar import recall_by_hand
from ingest.store_batch import read_again, refused_again, replay_reject
from wire.models import model_names

Begin = Callable[[], AbstractContextManager[Connection]]


@dataclass(slots=True)
class Replayed:
    """What became of messages that were tried again. `refused` counts them by their reason of
    today; `missed` were replayed or dropped by somebody else meanwhile, or are not whole."""

    stored: int = 0
    missed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)  # one of each reason, in words

    @property
    def example(self) -> str:
        """Why one of them was refused again, in words."""
        return next(iter(self.examples.values()), "")


def refusals(conn: Connection, kept: StoredReject, now: datetime) -> list[tuple[str, str]]:
    """(reason, detail) of what would be refused if it came now; empty if it can be stored."""
    again = refused_again(kept, read_again(conn, kept, now))
    return [(reject.reason, reject.detail) for reject in again]


def decode_again(conn: Connection, kept: StoredReject) -> dict[str, Any]:
    """The message as `gridwarden decode` prints it, with the model of its device if that is
    registered, and what earlier messages told; what even a decoder fails on is said as an error."""

    def resolve(message: Message, decoded: Decoded) -> Decoded:
        return recall_by_hand(conn, message, decoded)

    follow_models(conn)
    known = find_registered(conn, [kept.device]) if kept.device else []
    models = {device.model for device in known if device.format == kept.format}
    model = next(iter(models & model_names()), None)
    try:
        return decode_by_hand(
            kept.topic, bytes(kept.raw), model=model, received_at=kept.received_at, resolve=resolve,
            feeds=read_feeds(conn),
        )  # fmt: skip
    except (InvalidInput, *DECODER_FAULTS) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def replay_group(begin: Begin, reject_ids: Sequence[int], now: datetime) -> Replayed:
    """Replay each message in a transaction of its own, which `begin` opens."""
    found = Replayed()
    for reject_id in reject_ids:
        try:
            with begin() as conn:
                if replay_reject(conn, reject_id, now):
                    found.stored += 1
                    continue
            with begin() as conn:
                _say_why(conn, reject_id, now, found)
        except (Conflict, NotFound):
            found.missed += 1
    return found


def _say_why(conn: Connection, reject_id: int, now: datetime, found: Replayed) -> None:
    kept = find_reject(conn, reject_id)
    why = refusals(conn, kept, now) if kept else []
    if not why:  # the registry changed between the two looks: the next replay will take it
        found.missed += 1
        return
    reason, detail = why[0]
    found.refused[reason] += 1
    found.examples.setdefault(reason, detail)
