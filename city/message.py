"""A message to publish."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to publish from `due_at` on."""

    topic: str
    payload: bytes
    due_at: datetime
    qos: int = 0
