"""A message that was refused, on its way into quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class NewReject:
    """A message, or a part of one, that was refused."""

    received_at: datetime
    format: str
    topic: str
    device: str
    reason: str
    detail: str
    raw: bytes
    whole_message: bool
    gas: str = ""  # what it says of gas over a limit, which nobody judges
