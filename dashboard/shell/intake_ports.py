"""What the screens of calls, public reports and handing over may do; the application hands it
in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from city.intake_requests import (
    CallBackRequest,
    HandoverNoteRequest,
    HandoverRequest,
    IntakeRequest,
    ReplyRequest,
    ReportAcceptRequest,
    ReportRejectRequest,
)
from city.looking import Around, FoundCategory, FoundPlace
from city.person import Caller
from city.place import LonLat
from city.scope import Scope
from db.pool import Connection
from db.public_reports import Sent


class Received(Protocol):
    """What became of a call."""

    @property
    def intake_id(self) -> int: ...
    @property
    def incident_id(self) -> int: ...
    @property
    def is_new(self) -> bool: ...


class IntakeSteps(Protocol):
    """`dispatch.steps`."""

    def receive(
        self, conn: Connection, caller: Caller, request: IntakeRequest, now: datetime
    ) -> Received: ...

    def reply(
        self,
        conn: Connection,
        caller: Caller,
        intake_id: int,
        request: ReplyRequest,
        now: datetime,
    ) -> None: ...

    def call_back(
        self,
        conn: Connection,
        caller: Caller,
        intake_id: int,
        request: CallBackRequest,
        now: datetime,
    ) -> None: ...

    def find_categories(
        self, conn: Connection, district: str, query: str
    ) -> list[FoundCategory]: ...

    def find_places(self, conn: Connection, scope: Scope, query: str) -> list[FoundPlace]: ...

    def list_around(
        self, conn: Connection, scope: Scope, at: LonLat, category: str, now: datetime
    ) -> Around: ...


class ReportSteps(Protocol):
    """`dispatch.steps`."""

    def send_report(
        self,
        conn: Connection,
        once: str,
        kind: str,
        said: str,
        place_said: str,
        at: LonLat | None,
        phone: str,
        photos: Sequence[tuple[str, bytes]],
        now: datetime,
    ) -> Sent: ...

    def accept_report(
        self,
        conn: Connection,
        caller: Caller,
        report_id: int,
        request: ReportAcceptRequest,
        now: datetime,
    ) -> int: ...

    def reject_report(
        self,
        conn: Connection,
        caller: Caller,
        report_id: int,
        request: ReportRejectRequest,
        now: datetime,
        *,
        spam: bool = False,
    ) -> None: ...


class HandoverSteps(Protocol):
    """`dispatch.steps`."""

    def draw_up(self, conn: Connection, caller: Caller, now: datetime) -> dict[str, Any]: ...

    def give_over(
        self, conn: Connection, caller: Caller, request: HandoverRequest, now: datetime
    ) -> int: ...

    def add_note(
        self,
        conn: Connection,
        caller: Caller,
        handover_id: int,
        request: HandoverNoteRequest,
        now: datetime,
    ) -> None: ...

    def take_over(
        self, conn: Connection, caller: Caller, handover_id: int, version: int, now: datetime
    ) -> None: ...
