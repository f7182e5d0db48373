"""The ingest accounts: what became of the messages of a feed and minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Booked:
    """Messages of one feed received in one minute, and the readings in them."""

    feed: str
    minute: datetime
    received: int
    stored: int
    duplicate: int
    rejected: int
    without_values: int
    readings_stored: int
    readings_duplicate: int


@dataclass(frozen=True, slots=True)
class LedgerEntry(Booked):
    """What one batch accounted for.

    `received_s_sum` adds up, over its messages, the seconds from `minute` to their receipt.
    The `sense_` fields are over its readings that said themselves when they were measured:
    seconds from then to the receipt. None where nobody measured.
    """

    oldest_at: datetime | None = None
    newest_at: datetime | None = None
    received_s_sum: float | None = None
    sense_n: int | None = None
    sense_s_sum: float | None = None
    sense_s_max: float | None = None
