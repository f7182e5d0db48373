"""What the screens of rules and work permits may do; the application hands it in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from city.permit import NewPermit
from city.person import Caller
from city.rule_pages import AppliedTrial, FormAnswer, RuleAnswer, RuleItem, TrialAnswer
from db.permits import PermitRow
from db.pool import Connection


class RuleSteps(Protocol):
    """`app.rule_desk`: rules looked at, tried on the past and put in force."""

    def list_rules(self, conn: Connection, caller: Caller, now: datetime) -> list[RuleItem]: ...

    def show_rule(
        self, conn: Connection, caller: Caller, code: str, now: datetime
    ) -> RuleAnswer: ...

    def read_text(
        self, conn: Connection, caller: Caller, text: str, put: Mapping[str, Any], now: datetime
    ) -> FormAnswer: ...

    def start_trial(
        self,
        conn: Connection,
        caller: Caller,
        put: str,
        retire: str,
        version: int | None,
        now: datetime,
    ) -> TrialAnswer: ...

    def find_trial(
        self, conn: Connection, caller: Caller, trial_id: int, now: datetime
    ) -> TrialAnswer: ...

    def cancel_trial(
        self, conn: Connection, caller: Caller, trial_id: int, now: datetime
    ) -> TrialAnswer: ...

    def apply_trial(
        self,
        conn: Connection,
        caller: Caller,
        trial_id: int,
        why: str,
        accept: bool,
        now: datetime,
    ) -> AppliedTrial: ...


class PermitSteps(Protocol):
    """`alerts.steps`."""

    def add_permit(
        self, conn: Connection, caller: Caller, new: NewPermit, now: datetime
    ) -> PermitRow: ...

    def end_permit(
        self,
        conn: Connection,
        caller: Caller,
        code: str,
        version: int | None,
        why: str,
        now: datetime,
    ) -> PermitRow: ...
