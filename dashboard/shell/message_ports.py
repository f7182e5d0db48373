"""What the screens may do with messages to people; handed in as the other ports are."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from city.person import Caller
from db.pool import Connection


class MessageSteps(Protocol):
    """`notify.steps`."""

    def acknowledge(
        self, conn: Connection, caller: Caller, incident_id: int, now: datetime
    ) -> int: ...

    def open_link(
        self, conn: Connection, caller: Caller, token: str, now: datetime
    ) -> int | None: ...

    def confirm(self, conn: Connection, token: str, now: datetime) -> bool: ...

    def send_test(
        self, conn: Connection, caller: Caller, name: str, now: datetime
    ) -> list[int]: ...

    def public_key(self, secret: str) -> str: ...

    def check_keys(self, p256dh: str, auth: str) -> None: ...
