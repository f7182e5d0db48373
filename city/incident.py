"""Incidents (案件): one matter that people must finish, and what they may do to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from city.place import LonLat


class IncidentState(StrEnum):
    REPORTED = "reported"
    VERIFYING = "verifying"
    FILED = "filed"
    DISPATCHED = "dispatched"
    ACKNOWLEDGED = "acknowledged"
    ON_SITE = "on_site"
    HANDLED = "handled"
    CHECKING = "checking"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    REJECTED = "rejected"  # not ours or not true, before filing
    CANCELLED = "cancelled"
    MERGED = "merged"


# States in which nothing more happens unless a person reopens the incident.
FINAL_STATES = frozenset(
    {IncidentState.CLOSED, IncidentState.REJECTED, IncidentState.CANCELLED, IncidentState.MERGED}
)


class Action(StrEnum):
    VERIFY = "verify"  # ask for verification
    FILE = "file"
    REJECT = "reject"
    DISPATCH = "dispatch"
    ACKNOWLEDGE = "acknowledge"
    RETURN_BACK = "return_back"
    ARRIVE = "arrive"
    HANDLE = "handle"
    CHECK = "check"  # take it for checking
    ASSIGN = "assign"  # give its verification or check to a collector
    REWORK = "rework"
    RELEASE = "release"  # gas engineer: the site is gas-free
    CLOSE = "close"
    POSTPONE = "postpone"
    SUSPEND = "suspend"
    RESUME = "resume"
    MERGE = "merge"
    UNMERGE = "unmerge"  # take a merge back
    SPLIT = "split"
    REOPEN = "reopen"
    CANCEL = "cancel"
    COMMENT = "comment"


# What a person says instead of writing: its stage, and what phones record it as.
VOICE_NOTE = "voice_note"
VOICE_TYPES = frozenset({"audio/webm", "audio/ogg", "audio/mp4"})


class Role(StrEnum):
    ADMIN = "admin"
    DISPATCHER = "dispatcher"
    SQUAD_LEADER = "squad_leader"
    CHECKER = "checker"
    GAS_ENGINEER = "gas_engineer"
    LEADER = "leader"
    VIEWER = "viewer"
    SYSTEM = "system"  # the engine itself; no person can hold it


class Source(StrEnum):
    """Where an incident came from; the comment is the eGova source code (domain.md 2.8)."""

    SENSOR = "sensor"
    VIDEO = "video"  # 34, 41
    PATROL = "patrol"  # 1
    HOTLINE = "hotline"  # 11
    LEADER = "leader"  # 36
    REMOTE = "remote"  # patches of drones and satellites
    PLATFORM = "platform"  # orders of the platform above
    PUBLIC = "public"  # 33
    SPLIT = "split"


@dataclass(frozen=True)
class Incident:
    """A row of `incident`; `id` is 0 until it is stored."""

    id: int
    number: str
    district: str
    condition: str | None
    category: str
    category_version: int
    source: Source
    state: IncidentState
    severity: int
    title_zh: str
    title_en: str
    description: str
    lon: float
    lat: float
    unit_grid: str | None
    street: str | None
    community: str | None
    device_id: int | None
    opened_at: datetime
    reported_by: str
    demo: bool = False
    resume_state: str | None = None
    squad: str | None = None
    handled_by: str | None = None
    checked_by: str | None = None
    released_by: str | None = None
    released_at: datetime | None = None
    filed_at: datetime | None = None
    dispatched_at: datetime | None = None
    acknowledged_at: datetime | None = None
    arrived_at: datetime | None = None
    handled_at: datetime | None = None
    checking_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: str | None = None
    rework_count: int = 0
    return_count: int = 0
    postpone_count: int = 0
    merged_into: int | None = None
    split_from: int | None = None
    version: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", IncidentState(self.state))
        object.__setattr__(self, "source", Source(self.source))

    @property
    def is_open(self) -> bool:
        return self.state not in FINAL_STATES

    @property
    def at(self) -> LonLat:
        return LonLat(self.lon, self.lat)

    @property
    def subject(self) -> str:
        """Name of this incident in the event log."""
        return f"incident:{self.id}"


@dataclass(frozen=True, slots=True)
class SeenIncident:
    """An incident as somebody saw it who does something about it."""

    id: int
    version: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """A squad was sent; `attempt` is the one of the handling clock that is its own."""

    id: int
    incident_id: int
    squad: str
    assigned_by: str
    assigned_at: datetime
    acknowledged_at: datetime | None
    arrived_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    attempt: int | None


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge that stands: which clocks of the merged incident it stopped, which alarms it moved,
    and what clocks and severity of the other one were before (`kept` as `dispatch.merging` puts
    it)."""

    id: int
    incident_id: int
    into_id: int
    merged_at: datetime
    stopped: list[int]
    alarms: list[int]
    kept: list[dict[str, Any]]
    severity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedIncident:
    """An incident with the names of what it refers to and its most urgent running clock."""

    id: int
    number: str
    state: str
    severity: int
    family: str
    category: str
    category_zh: str
    category_en: str
    title_zh: str
    title_en: str
    lon: float
    lat: float
    unit_grid: str | None
    street_name: str | None
    community_name: str | None
    source: str
    squad: str | None
    squad_zh: str | None
    squad_en: str | None
    opened_at: datetime
    clock: str | None
    due_at: datetime | None
    warn_at: datetime | None
    paused_at: datetime | None
    version: int
    demo: bool
    device: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedIncident(NamedIncident):
    """One in a list, open or not."""

    dispatched_at: datetime | None
    handled_at: datetime | None
    closed_at: datetime | None
    outcome: str | None
    overdue: bool


@dataclass(frozen=True)
class Neighbour:
    """An open incident that might be the same matter."""

    id: int
    number: str
    state: str
    category: str
    family: str
    device_id: int | None
    lon: float
    lat: float
    opened_at: datetime
    needs_release: bool  # closes only with a gas engineer's release


@dataclass(frozen=True)
class SimilarIncident:
    """Another incident that may be the same matter, as it stands now."""

    id: int
    number: str
    state: str
    severity: int
    title_zh: str
    title_en: str
    because: str
    distance_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTask:
    """A task that waits: `clock` is verify or check, `collector` None while nobody has it."""

    incident_id: int
    number: str
    state: str
    severity: int
    title_zh: str
    title_en: str
    category: str
    description: str
    lon: float
    lat: float
    street_name: str | None
    community_name: str | None
    reported_by: str
    handled_by: str | None
    clock: str
    attempt: int
    started_at: datetime
    due_at: datetime
    collector: str | None
    given_by: str | None
    given_at: datetime | None
    version: int


class DoubtCode(StrEnum):
    """Why a file may not show this case as it is now."""

    SAME_FILE = "same_file"  # another case has the very same file
    TAKEN_BEFORE = "taken_before"  # long before the case, or before somebody was sent
    TAKEN_LATER = "taken_later"  # after it was handed in: the camera's clock is wrong
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A doubt about a file, and its measure."""

    code: DoubtCode
    minutes: int | None = None  # before the case or the dispatch; after the receipt
    metres: int | None = None  # away from the case
    cases: list[str] = field(default_factory=list)  # numbers of those that hold it, too


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stored file without its content."""

    id: int
    incident_id: int
    stage: str
    filename: str
    media_type: str
    size_bytes: int
    sha256: bytes
    taken_at: datetime | None
    lon: float | None
    lat: float | None
    uploaded_by: str
    uploaded_at: datetime
    has_shown: bool = False  # a picture that any browser shows is kept beside it
    doubts: tuple[Doubt, ...] = ()
