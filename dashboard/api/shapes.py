"""What the API answers with, where no row of the database says it already; read by OpenAPI."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from city.approval import Approval, ApprovalState, CaseRequest
from city.clock import CountedDay
from city.incident import Action, DoubtCode, IncidentState, SimilarIncident, Source
from dashboard.api.duty_shapes import CardItem, CaseDevice
from db.ledger import Imbalance, LedgerLine
from db.listings import ListedAlarm, ListedDevice, ListedVideoEvent


class Problem(msgspec.Struct, kw_only=True):
    """RFC 9457. `field` and `value` with 422, `current` and `allowed` with 409.

    `code` and `facts` say what `problem` says, where a screen has words of its own for it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    field: str | msgspec.UnsetType = msgspec.UNSET
    value: str | float | bool | msgspec.UnsetType | None = msgspec.UNSET
    problem: str | msgspec.UnsetType = msgspec.UNSET
    code: str | msgspec.UnsetType = msgspec.UNSET
    facts: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    current: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    allowed: list[str] | msgspec.UnsetType = msgspec.UNSET


class StepItem(msgspec.Struct, kw_only=True):
    """An action of the caller's role, where it leads, what it must say, what it waits for."""

    action: Action
    to: IncidentState
    needs: list[str]
    duty_chief: bool  # asked for, and another person lets it happen
    waiting_for: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class ClockItem(msgspec.Struct, kw_only=True):
    """One attempt of a clock: its limit, when it is due, how it stands, how it was counted."""

    clock: str
    attempt: int
    limit: str
    limit_amount: float
    limit_unit: str
    started_at: datetime
    due_at: datetime
    warn_at: datetime
    standing: str
    remaining_minutes: float | None
    overdue_at: datetime | None
    met_at: datetime | None
    paused_at: datetime | None
    stopped_at: datetime | None
    card: str | None
    calendar: str
    calendar_version: int
    beyond_calendar: bool
    counted: list[CountedDay]


class EvidenceItem(msgspec.Struct, kw_only=True):
    """A file without its content; that is at `/incidents/{id}/evidence/{evidence_id}`."""

    id: int
    incident_id: int
    stage: str
    filename: str
    media_type: str
    size_bytes: int
    sha256: str
    taken_at: datetime | None
    lon: float | None
    lat: float | None
    uploaded_by: str
    uploaded_at: datetime
    has_shown: bool
    doubts: list[DoubtItem]


class DoubtItem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Why a file may not show this case as it is now, with its measure: minutes before the case
    or the dispatch, or after the receipt; metres away; numbers of the cases that hold it, too."""

    code: DoubtCode
    minutes: int | None = None
    metres: int | None = None
    cases: list[str] = []


class TimelineItem(msgspec.Struct, kw_only=True):
    """One entry of the incident's part of the event log."""

    seq: int
    at: datetime
    kind: str
    actor: str
    payload: dict[str, Any]


class WaitingAnswer(msgspec.Struct, kw_only=True):
    """What was asked for and waits for a second person; nothing of it is done."""

    waiting: bool
    approval: int
    what: str
    digest: str
    asked_by: str
    expires_at: datetime

    @classmethod
    def of(cls, asked: Approval) -> WaitingAnswer:
        return cls(
            waiting=True, approval=asked.id, what=asked.what, digest=asked.digest,
            asked_by=asked.asked_by, expires_at=asked.expires_at,
        )  # fmt: skip


class AttemptItem(msgspec.Struct, kw_only=True):
    """What a squad that was sent made of its time, in counted minutes: used + remaining = limit.
    `end`: `running`, `handled` or the action that took the squad off it; `missed`: not finished by
    the due time, whoever finished later."""

    squad: str
    attempt: int
    sent_at: datetime
    ended_at: datetime | None
    end: str
    due_at: datetime
    limit_minutes: float
    used_minutes: float
    remaining_minutes: float
    missed: bool


class MergedItem(msgspec.Struct, kw_only=True):
    """An incident that was merged into this one."""

    id: int
    number: str


class IncidentAnswer(msgspec.Struct, kw_only=True):
    """One incident with everything around it."""

    id: int
    number: str
    version: int
    state: IncidentState
    resume_state: IncidentState | None
    severity: int
    source: Source
    condition: str | None
    family: str
    category: str
    category_version: int
    category_zh: str
    category_en: str
    category_facts: dict[str, Any]
    title_zh: str
    title_en: str
    description: str
    lon: float
    lat: float
    unit_grid: str | None
    street: str | None
    street_name: str | None
    community: str | None
    community_name: str | None
    district: str
    device_id: int | None
    device: str | None
    squad: str | None
    squad_zh: str | None
    squad_en: str | None
    opened_at: datetime
    filed_at: datetime | None
    dispatched_at: datetime | None
    acknowledged_at: datetime | None
    arrived_at: datetime | None
    handled_at: datetime | None
    checking_at: datetime | None
    closed_at: datetime | None
    outcome: str | None
    rework_count: int
    return_count: int
    postpone_count: int
    reported_by: str
    reporter: str | None  # who called; only for whoever works the case
    handled_by: str | None
    checked_by: str | None
    released_by: str | None
    released_at: datetime | None
    merged_into: int | None
    split_from: int | None
    demo: bool
    clock: str | None
    due_at: datetime | None
    actions: list[Action]
    offered: list[Action]
    steps: list[StepItem]
    waiting: list[StepItem]
    clocks: list[ClockItem]
    pauses: list[dict[str, Any]]
    gas: dict[str, Any] | None
    alarms: list[ListedAlarm]
    devices: list[CaseDevice]
    evidence: list[EvidenceItem]
    card: CardItem | None
    similar: list[SimilarIncident]
    requests: list[CaseRequest]
    attempts: list[AttemptItem]
    merged: list[MergedItem]
    events: list[TimelineItem]
    now: datetime


class Why(msgspec.Struct, kw_only=True):
    """One fact behind a ranking."""

    code: str
    zh: str
    en: str


class ForecastItem(msgspec.Struct, kw_only=True):
    """`probability` (0 to 1) that the squad that has the incident is late, by `count` cases of the
    same category, squad and hour (`basis` hour), category and squad, or category alone."""

    id: int
    probability: float
    count: int
    basis: str


class RecommendationItem(msgspec.Struct, kw_only=True):
    """A squad with its score (0 to 100) and the parts it is made of. `called` is who of it is on
    duty by its roster, `phone` their number or else the squad's; empty for who sends nobody."""

    squad: str
    name_zh: str
    name_en: str
    kind: str
    eligible: bool
    score: float
    parts: dict[str, float]
    on_duty: bool
    has_skill: bool
    owns_grid: bool
    distance_m: float | None
    travel_minutes: float | None
    open_incidents: int
    reasons: list[Why]
    why_not: list[Why]
    called: str
    phone: str


class ProposalItem(msgspec.Struct, kw_only=True):
    """A change of a rule that was tried: `kind` is deadband, off_delay, on_delay or limit;
    `fields` has the values of now and those proposed, `told` counts announcements."""

    kind: str
    fields: dict[str, dict[str, Any]]
    alarms_before: int
    alarms_after: int
    told_before: int
    told_after: int
    gained: list[dict[str, Any]]
    lost: list[dict[str, Any]]


class ApprovalItem(msgspec.Struct, kw_only=True):
    """What one person asked for. `digest` names `change` (what would be done) and `before` (what
    it was made on); `shown` has rules before and after and the alarms gained and lost."""

    id: int
    district: str
    kind: str
    what: str
    change: dict[str, Any]
    before: dict[str, Any]
    shown: dict[str, Any]
    digest: str
    asked_by: str
    asked_at: datetime
    why: str
    expires_at: datetime
    state: ApprovalState
    decided_by: str | None
    decided_at: datetime | None
    decided_why: str
    may_approve: bool
    may_refuse: bool


class LampOrderAnswer(msgspec.Struct, kw_only=True):
    """The number of the order, or of the approval that waits for a second person instead."""

    order: int | None
    approval: int | None
    lamps: int
    cancelled: int


class EventItem(msgspec.Struct, kw_only=True):
    """One entry of the event log with its place in the hash chain; `rows` are the rows that it
    changed, as they are after it ({"table", "key", "row"}), where an administrator asks."""

    seq: int
    at: datetime
    district: str
    kind: str
    subject: str
    actor: str
    payload: dict[str, Any]
    prev_hash: str
    hash: str
    rows: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class GasSeenAnswer(msgspec.Struct, kw_only=True):
    """How many refused messages were waiting for that."""

    seen: int


class RejectItem(msgspec.Struct, kw_only=True):
    """A quarantined message; `raw` is Base64 and may have been cut."""

    id: int
    received_at: datetime
    format: str
    topic: str
    device: str
    reason: str
    detail: str
    raw: str
    raw_size: int
    raw_is_complete: bool
    whole_message: bool
    replayed_at: datetime | None


class DeviceAnswer(msgspec.Struct, kw_only=True):
    """A device as it is now, and how many of its quarantined messages may be replayed."""

    device: ListedDevice
    rejects_waiting: int


class ReplayAnswer(msgspec.Struct, kw_only=True):
    """What became of quarantined messages; `last` is where to go on if any are `remaining`."""

    device: str
    replayed: int
    refused: int
    last: int
    remaining: int


class IdentityItem(msgspec.Struct, kw_only=True):
    """By what a device was known from when to when; the present identity has no end."""

    format: str
    identity: str
    model: str
    from_: datetime = msgspec.field(name="from")
    to: datetime | None
    reason: str
    replaced_by: str | None


class FaultItem(msgspec.Struct, kw_only=True):
    """What is wrong with one row of a device file; `code` and `facts` say what `problem` says."""

    row: int
    field: str
    value: str
    problem: str
    code: str
    facts: dict[str, Any]


class ImportAnswer(msgspec.Struct, kw_only=True):
    """What a device file held and what of it was registered, or would be in a dry run."""

    file: str
    rows: int
    imported: int
    changed: int
    unchanged: int
    faulty_rows: int
    dry_run: bool
    encoding: str
    datums: list[str]
    faults: list[FaultItem]
    faults_left_out: int


class CategoryItem(msgspec.Struct, kw_only=True):
    """A category a person may choose."""

    code: str
    version: int
    code_system: str
    class_: str = msgspec.field(name="class")
    family: str
    name_zh: str
    name_en: str
    filing_condition_zh: str
    filing_condition_en: str
    handle_limit: float
    handle_unit: str
    severity: int
    skill: str
    closing_evidence: list[str]
    gas_free_minutes: int
    source: str
    valid_from: str
    valid_to: str | None


class LedgerTotal(msgspec.Struct, kw_only=True):
    """Sums of one feed over the period."""

    feed: str
    received: int
    stored: int
    duplicate: int
    rejected: int
    without_values: int
    readings_stored: int
    readings_duplicate: int


class LedgerAnswer(msgspec.Struct, kw_only=True):
    """A page of accounts, with the sums and what does not balance over the whole period."""

    from_: datetime = msgspec.field(name="from")
    to: datetime
    items: list[LedgerLine]
    totals: list[LedgerTotal]
    imbalances: list[Imbalance]
    next: str | None


class PrecisionItem(msgspec.Struct, kw_only=True):
    """How often a camera was right about a class in people's verdicts of 90 days. `lower` is the
    lower end of Wilson's interval of 95 %; `neither` are verdicts that say nothing of it."""

    camera: str
    camera_name: str
    type: str
    right: int
    wrong: int
    neither: int
    judged: int
    ratio: float | None
    lower: float
    reasons: dict[str, int]


class AreaItem(msgspec.Struct, kw_only=True):
    """An area of the city; `geometry` is a GeoJSON Point or Polygon in WGS-84."""

    code: str
    kind: str
    name_zh: str
    name_en: str
    geometry: dict[str, Any]
    radius_m: float | None
    classes: list[str]
    hours: str
    valid_from: date | None
    valid_until: date | None
    note: str


class SimilarItem(msgspec.Struct, kw_only=True):
    """What may be the same thing; `subject` is what a merge names in `into`."""

    subject: str
    number: str
    camera: str
    start_at: datetime
    distance_m: int
    open: bool


class AreaAround(msgspec.Struct, kw_only=True):
    """An area that an event lies in; `permits`: its class, at that time."""

    code: str
    kind: str
    name_zh: str
    name_en: str
    permits: bool
    note: str


class ReviewItem(msgspec.Struct, kw_only=True):
    """An event with all that a verdict needs."""

    event: ListedVideoEvent
    title_zh: str
    title_en: str
    severity: int | None
    min_confidence: float | None
    min_stay_s: int | None
    similar: list[SimilarItem]
    areas: list[AreaAround]


class ReviewCounts(msgspec.Struct, kw_only=True):
    """Events that nobody has judged; `held` by reason, of the last seven days."""

    review: int
    stay: int
    others: int
    held: dict[str, int]
    oldest: datetime | None


class NextEventsAnswer(msgspec.Struct, kw_only=True):
    """The caller's own until `until`."""

    items: list[ReviewItem]
    until: datetime
    counts: ReviewCounts
