"""What the phone may do for whoever works alone; the application hands it in."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from city.person import Caller
from city.safety import CheckIn, DistressCall
from city.safety_requests import CheckInRequest, DistressSeenRequest, DuressRequest, FineRequest
from db.pool import Connection


class LoneWorkSteps(Protocol):
    """`dispatch.steps`."""

    def begin_check_in(
        self, conn: Connection, caller: Caller, request: CheckInRequest, now: datetime
    ) -> CheckIn: ...

    def say_fine(
        self,
        conn: Connection,
        caller: Caller,
        request: FineRequest,
        now: datetime,
        sent_at: datetime | None = None,
    ) -> CheckIn: ...

    def end_check_in(self, conn: Connection, caller: Caller, now: datetime) -> CheckIn: ...

    def call_for_help(
        self,
        conn: Connection,
        caller: Caller,
        request: DuressRequest,
        now: datetime,
        sent_at: datetime | None = None,
    ) -> DistressCall: ...

    def acknowledge_call(
        self,
        conn: Connection,
        caller: Caller,
        call_id: int,
        request: DistressSeenRequest,
        now: datetime,
    ) -> DistressCall: ...
