"""What the screens may do to alarms, incidents, devices and people; the application hands it in.

The sibling packages are not imported here: each is known by the steps that a screen or the API
calls. Every step takes an open connection, is one unit of work and never commits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from city.act_time import SaidTime
from city.approval import Approval
from city.first_run import FirstRun, Outlook
from city.forecast import Calibration, Forecast
from city.lighting import LampPicture, NightOfStreet
from city.person import Caller
from city.requests import (
    ActionRequest,
    ApproveRequest,
    AssignRequest,
    ChecklistRequest,
    CorrectRequest,
    DutyChangeRequest,
    LampCancelRequest,
    LampOrderRequest,
    MoveRequest,
    NightRequest,
    OutOfServiceRequest,
    PasswordRequest,
    ProgrammeRequest,
    ProgrammeRetireRequest,
    ReasonRequest,
    RenameRequest,
    ReplaceRequest,
    ReportRequest,
    RoleRequest,
    TokenRequest,
    UserRequest,
)
from city.scope import Scope
from city.settings import AppliedSheet, HistoryItem, PartItem, Sheet, SheetPlan
from city.squad import Recommendation
from dashboard.shell.alarm_ports import AlarmSteps, ProposalSteps, ShelvingSteps
from dashboard.shell.field_ports import LoneWorkSteps
from dashboard.shell.intake_ports import HandoverSteps, IntakeSteps, ReportSteps
from dashboard.shell.message_ports import MessageSteps
from dashboard.shell.rule_ports import PermitSteps, RuleSteps
from db.kpi_publications import Edition
from db.lamp_programmes import ProgrammeRow
from db.pool import Connection
from db.rejects import StoredReject
from db.users import Account, Token


class IncidentView(Protocol):
    """What a caller is shown of an incident."""

    def as_dict(self) -> dict[str, Any]: ...


class IncidentSteps(Protocol):
    """`dispatch.steps`."""

    def field_steps(self) -> Sequence[Mapping[str, Any]]: ...

    def report(
        self, conn: Connection, caller: Caller, request: ReportRequest, now: datetime
    ) -> int: ...

    def view(
        self, conn: Connection, caller: Caller, incident_id: int, now: datetime
    ) -> IncidentView: ...

    def publish(self, conn: Connection, caller: Caller, name: str, now: datetime) -> Edition: ...
    def list_forecasts(
        self, conn: Connection, scope: Scope, now: datetime
    ) -> Mapping[int, Forecast]: ...
    def read_calibration(
        self, conn: Connection, district: str, now: datetime
    ) -> Sequence[Calibration]: ...

    def restate(
        self, conn: Connection, caller: Caller, name: str, why: str, now: datetime
    ) -> Edition: ...

    def rank_squads(
        self, conn: Connection, incident_id: int, now: datetime
    ) -> Sequence[Recommendation]: ...

    def answer_step(
        self, conn: Connection, caller: Caller, incident_id: int, request: ChecklistRequest,
        now: datetime,
    ) -> None: ...  # fmt: skip

    def add_evidence(
        self,
        conn: Connection,
        caller: Caller,
        incident_id: int,
        stage: str,
        filename: str,
        media_type: str,
        content: bytes,
        now: datetime,
        said: SaidTime | None = None,
    ) -> int: ...

    def find_cases(
        self,
        conn: Connection,
        scope: Scope,
        query: str,
        *,
        states: Sequence[str] | None,
        before_id: int | None,
        limit: int,
    ) -> list[int]: ...


class CaseSteps(Protocol):
    """`app.case_requests`: what is done at once, and what a duty chief has to let happen."""

    def act(
        self,
        conn: Connection,
        caller: Caller,
        incident_id: int,
        request: ActionRequest,
        now: datetime,
        sent_at: datetime | None = None,
    ) -> Approval | None: ...


class RowFault(Protocol):
    """What is wrong with one row of a device file."""

    @property
    def row(self) -> int: ...
    @property
    def field(self) -> str: ...
    @property
    def value(self) -> object: ...
    @property
    def problem(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...


class ImportReport(Protocol):
    """What a device file held and what became of it."""

    @property
    def rows(self) -> int: ...
    @property
    def imported(self) -> int: ...
    @property
    def faults(self) -> Sequence[RowFault]: ...
    @property
    def faulty_rows(self) -> int: ...
    @property
    def dry_run(self) -> bool: ...
    @property
    def encoding(self) -> str: ...
    @property
    def datums(self) -> Sequence[str]: ...
    @property
    def changed(self) -> int: ...
    @property
    def unchanged(self) -> int: ...


class RegistryWords(Protocol):
    """What may be chosen in a form."""

    @property
    def kinds(self) -> Sequence[str]: ...
    @property
    def models(self) -> Sequence[str]: ...
    @property
    def formats(self) -> Sequence[str]: ...
    @property
    def gases(self) -> Sequence[str]: ...


class RegistrySteps(Protocol):
    """`registry.steps`."""

    def import_content(
        self,
        conn: Connection,
        name: str,
        content: bytes,
        *,
        dry_run: bool,
        now: datetime,
        strict: bool = False,
        district: str | None = None,
        actor: str = "cli",
        datum: str | None = None,
        why: str | None = None,
    ) -> ImportReport: ...

    def registry_words(self, conn: Connection) -> RegistryWords: ...

    def approve(
        self,
        conn: Connection,
        actor: str,
        district: str,
        discovered_id: int,
        request: ApproveRequest,
        now: datetime,
    ) -> str: ...

    def ignore(
        self, conn: Connection, actor: str, district: str, discovered_id: int, now: datetime
    ) -> None: ...

    def take_out_of_service(
        self,
        conn: Connection,
        actor: str,
        district: str,
        code: str,
        request: OutOfServiceRequest,
        now: datetime,
    ) -> None: ...

    def return_to_service(
        self,
        conn: Connection,
        actor: str,
        district: str,
        code: str,
        *,
        version: int | None,
        now: datetime,
    ) -> None: ...

    def replace(
        self,
        conn: Connection,
        actor: str,
        district: str,
        code: str,
        request: ReplaceRequest,
        now: datetime,
    ) -> None: ...

    def rename(
        self, conn: Connection, actor: str, district: str, code: str, request: RenameRequest,
        now: datetime,
    ) -> None: ...  # fmt: skip

    def move(
        self, conn: Connection, actor: str, district: str, code: str, request: MoveRequest,
        now: datetime,
    ) -> None: ...  # fmt: skip

    def correct(
        self, conn: Connection, actor: str, district: str, code: str, request: CorrectRequest,
        now: datetime,
    ) -> None: ...  # fmt: skip

    def retire(
        self, conn: Connection, actor: str, district: str, code: str, request: ReasonRequest,
        now: datetime,
    ) -> None: ...  # fmt: skip

    def revive(
        self, conn: Connection, actor: str, district: str, code: str, request: ReasonRequest,
        now: datetime,
    ) -> None: ...  # fmt: skip


class Replayed(Protocol):
    """What became of messages that were tried again."""

    @property
    def stored(self) -> int: ...
    @property
    def missed(self) -> int: ...
    @property
    def refused(self) -> Mapping[str, int]: ...
    @property
    def example(self) -> str: ...


class QuarantineSteps(Protocol):
    """`ingest.replay`. A group is tried in one transaction each, opened by `begin`."""

    def decode_again(self, conn: Connection, kept: StoredReject) -> dict[str, Any]: ...

    def refusals(
        self, conn: Connection, kept: StoredReject, now: datetime
    ) -> list[tuple[str, str]]: ...

    def replay_group(
        self,
        begin: Callable[[], AbstractContextManager[Connection]],
        reject_ids: Sequence[int],
        now: datetime,
    ) -> Replayed: ...


class PeopleSteps(Protocol):
    """`people.steps`."""

    def add_user(
        self, conn: Connection, caller: Caller, request: UserRequest, now: datetime
    ) -> Account: ...

    def disable_user(
        self, conn: Connection, caller: Caller, name: str, version: int | None, now: datetime
    ) -> Account: ...

    def enable_user(
        self, conn: Connection, caller: Caller, name: str, version: int | None, now: datetime
    ) -> Account: ...

    def set_password(
        self, conn: Connection, caller: Caller, name: str, request: PasswordRequest, now: datetime
    ) -> Account: ...

    def set_role(
        self, conn: Connection, caller: Caller, name: str, request: RoleRequest, now: datetime
    ) -> Account: ...

    def offer_second_factor(self, name: str, issuer: str, secret: str = "") -> tuple[str, str]: ...

    def set_second_factor(
        self, conn: Connection, caller: Caller, secret: str, code: str, key: str, now: datetime
    ) -> list[str]: ...

    def check_second_factor(
        self, conn: Connection, name: str, district: str, code: str, key: str, now: datetime
    ) -> bool: ...

    def renew_recovery_codes(
        self, conn: Connection, caller: Caller, code: str, key: str, now: datetime
    ) -> list[str]: ...

    def remove_second_factor(
        self, conn: Connection, caller: Caller, code: str, key: str, now: datetime
    ) -> None: ...

    def reset_second_factor(
        self, conn: Connection, caller: Caller, name: str, version: int | None, now: datetime
    ) -> Account: ...

    def create_token(
        self, conn: Connection, caller: Caller, request: TokenRequest, now: datetime
    ) -> str: ...

    def revoke_token(self, conn: Connection, caller: Caller, name: str, now: datetime) -> Token: ...

    def sign_in(self, conn: Connection, name: str, sid: str, now: datetime) -> None: ...

    def sign_out(self, conn: Connection, caller: Caller, sid: str, now: datetime) -> None: ...

    def note_lock_out(self, conn: Connection, name: str, address: str, now: datetime) -> None: ...


class SettingsSteps(Protocol):
    """`app.city_settings`: the tables of the city folder. All but `apply` write nothing."""

    def list_parts(self, conn: Connection, caller: Caller, now: datetime) -> Sequence[PartItem]: ...

    def show(self, conn: Connection, caller: Caller, part: str) -> Sheet: ...

    def write_file(self, conn: Connection, caller: Caller, part: str, kind: str) -> bytes: ...

    def plan_file(
        self, conn: Connection, caller: Caller, part: str, content: bytes
    ) -> SheetPlan: ...

    def plan_row(
        self,
        conn: Connection,
        caller: Caller,
        part: str,
        *,
        put: Mapping[str, str] | None,
        key: str,
        remove: str,
        digest: str,
        seq: int,
    ) -> SheetPlan: ...

    def apply(
        self,
        conn: Connection,
        caller: Caller,
        part: str,
        *,
        content: str,
        digest: str,
        seq: int,
        why: str,
        now: datetime,
    ) -> AppliedSheet: ...

    def history(
        self, conn: Connection, caller: Caller, part: str, code: str
    ) -> Sequence[HistoryItem]: ...


class ApprovalSteps(Protocol):
    """`app.four_eyes`: what one person asked for and another one decides."""

    def list_approvals(
        self, conn: Connection, caller: Caller, *, below: int | None = None, limit: int = 100
    ) -> Sequence[Approval]: ...

    def may_approve(self, approval: Approval, caller: Caller) -> bool: ...

    def approve(
        self,
        conn: Connection,
        caller: Caller,
        number: int,
        digest: str,
        why: str,
        now: datetime,
    ) -> Approval: ...

    def refuse(
        self, conn: Connection, caller: Caller, number: int, why: str, now: datetime
    ) -> Approval: ...


class DutySteps(Protocol):
    """`app.duty`: leave and swaps are asked for."""

    def ask_change(
        self, conn: Connection, caller: Caller, request: DutyChangeRequest, now: datetime
    ) -> Approval: ...


class FirstRunSteps(Protocol):
    """`app.first_run`: founding the first city in the browser. Only `found` and `dismiss_tour`
    write."""

    def is_open(self, conn: Connection) -> bool: ...

    def fits(self, conn: Connection, code: str) -> bool: ...

    def look(self, conn: Connection, answers: FirstRun) -> Outlook: ...

    def found(
        self, conn: Connection, code: str, answers: FirstRun, password: str, now: datetime
    ) -> None: ...

    def dismiss_tour(self, conn: Connection, caller: Caller, now: datetime) -> None: ...


class LampOrder(Protocol):
    """What became of an order: given, or waiting for the second person."""

    @property
    def order(self) -> int | None: ...
    @property
    def approval(self) -> int | None: ...
    @property
    def lamps(self) -> int: ...
    @property
    def cancelled(self) -> int: ...


class LightingSteps(Protocol):
    """`app.lamps`."""

    def order(
        self, conn: Connection, caller: Caller, request: LampOrderRequest, now: datetime
    ) -> LampOrder: ...

    def cancel(
        self, conn: Connection, caller: Caller, order_id: int, request: LampCancelRequest,
        now: datetime,
    ) -> int: ...  # fmt: skip

    def save_programme(
        self, conn: Connection, caller: Caller, request: ProgrammeRequest, now: datetime
    ) -> ProgrammeRow: ...

    def retire_programme(
        self, conn: Connection, caller: Caller, code: str, request: ProgrammeRetireRequest,
        now: datetime,
    ) -> ProgrammeRow: ...  # fmt: skip

    def assign(
        self, conn: Connection, caller: Caller, request: AssignRequest, now: datetime
    ) -> None: ...

    def recompute(
        self, conn: Connection, caller: Caller, night: date, request: NightRequest, now: datetime
    ) -> list[NightOfStreet]: ...

    def build_picture(self, conn: Connection, scope: Scope, now: datetime) -> LampPicture: ...

    def last_night(self, conn: Connection, district: str, now: datetime) -> date: ...


@dataclass(frozen=True)
class Ports:
    """The steps of the sibling packages."""

    incidents: IncidentSteps
    cases: CaseSteps
    alarms: AlarmSteps
    shelving: ShelvingSteps
    duty: DutySteps
    proposals: ProposalSteps
    registry: RegistrySteps
    quarantine: QuarantineSteps
    people: PeopleSteps
    settings: SettingsSteps
    approvals: ApprovalSteps
    rules: RuleSteps
    permits: PermitSteps
    first_run: FirstRunSteps
    lighting: LightingSteps
    intake: IntakeSteps
    reports: ReportSteps
    handovers: HandoverSteps
    lone_work: LoneWorkSteps
    messages: MessageSteps
