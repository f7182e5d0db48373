"""What the screens may do to alarms; the application hands it in (`dashboard.shell.ports`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from city.alarm import Alarm
from city.approval import Approval
from city.person import Caller
from city.scope import Scope
from db.pool import Connection


class MeasuredPrecision(Protocol):
    """How often a camera's algorithm was right."""

    @property
    def camera(self) -> str: ...
    @property
    def camera_name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def right(self) -> int: ...
    @property
    def wrong(self) -> int: ...
    @property
    def neither(self) -> int: ...
    @property
    def reasons(self) -> Mapping[str, int]: ...
    @property
    def judged(self) -> int: ...
    @property
    def ratio(self) -> float | None: ...
    @property
    def lower(self) -> float: ...


class AlarmSteps(Protocol):
    """`alerts.steps`."""

    def acknowledge(
        self, conn: Connection, caller: Caller, alarm_id: int, version: int, now: datetime
    ) -> Alarm: ...

    def unshelve(
        self, conn: Connection, caller: Caller, alarm_id: int, version: int, now: datetime
    ) -> Alarm: ...

    def reset(
        self, conn: Connection, caller: Caller, alarm_id: int, version: int, now: datetime
    ) -> Alarm: ...

    def acknowledge_together(
        self, conn: Connection, caller: Caller, wanted: Mapping[int, int], now: datetime
    ) -> Sequence[Alarm]: ...

    def review_video_event(
        self,
        conn: Connection,
        caller: Caller,
        camera_id: int,
        event_id: str,
        verdict: str,
        note: str,
        now: datetime,
        *,
        reason: str = "",
        into: str = "",
        take_back_s: int = 0,
    ) -> Alarm | None: ...

    def next_events(
        self,
        conn: Connection,
        caller: Caller,
        count: int,
        not_these: Sequence[tuple[str, str]],
        now: datetime,
    ) -> dict[str, Any]: ...

    def take_back(
        self, conn: Connection, caller: Caller, camera_id: int, event_id: str, now: datetime
    ) -> None: ...

    def show_held(
        self, conn: Connection, caller: Caller, camera_id: int, event_id: str, now: datetime
    ) -> None: ...

    def leave(self, conn: Connection, caller: Caller) -> None: ...

    def precision(
        self, conn: Connection, scope: Scope, now: datetime
    ) -> Sequence[MeasuredPrecision]: ...

    def picture_for(
        self, conn: Connection, caller: Caller, camera_id: int, event_id: str, now: datetime
    ) -> tuple[bytes, str] | None: ...

    def type_names(self) -> Sequence[str]: ...


class ShelvingSteps(Protocol):
    """`app.shelving`: a red gas alarm is only asked for."""

    def shelve(
        self,
        conn: Connection,
        caller: Caller,
        alarm_id: int,
        version: int,
        until: datetime,
        reason: str,
        now: datetime,
    ) -> Alarm | Approval: ...


class ProposalSteps(Protocol):
    """`app.proposals`: what would make a rule that alarms too often quieter. Writes nothing."""

    def propose(
        self,
        conn: Connection,
        caller: Caller,
        rule: str,
        device: str,
        from_: datetime,
        to: datetime,
    ) -> Sequence[Any]: ...
