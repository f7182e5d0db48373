"""What people ask for: each request once, with its fields, for the API, commands and steps.

The API takes and describes them as JSON objects of the same fields (`dashboard.api.bodies`).
`version` is the one the person was looking at; None, which only the command line says, is
whatever it is now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from city import alarm
from city.incident import Action, Source


@dataclass(frozen=True, slots=True)
class VersionRequest:
    """A change that needs nothing but the version it is meant for."""

    version: int


# Key figures


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """Freeze the figures of a `period` that is over: 2026-07, 2026-Q3 or 2026."""

    period: str


@dataclass(frozen=True, slots=True)
class RestateRequest:
    """Why the figures of a published period are published anew."""

    why: str


# Incidents


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """One action on an incident.

    `until` is the resume date of a suspension, `into` the incident id of a merge, `outcome`
    a word for how a closed, rejected or cancelled incident ended, `collector`
    the name of whoever is to look at the place. `acted_at` is when a squad did
    it by the clock of its phone, `clock_offset_ms` how far the server was ahead of that clock when
    it was last heard before; the header `Sent-At` says that clock's time of sending.
    """

    action: Action
    version: int
    note: str = ""
    squad: str | None = None
    category: str | None = None
    reason: str = ""
    until: datetime | None = None
    into: int | None = None
    outcome: str | None = None
    collector: str | None = None
    acted_at: datetime | None = None
    clock_offset_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ChecklistRequest:
    """What was found at a step of the checklist; `measured` has a value for each metric that the
    step asks for."""

    step: str
    version: int
    measured: dict[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A matter reported by a person; coordinates are WGS 84 degrees.

    Without `severity` it has that of its category; `reporter` is who called, as far as known,
    `device` the code of the device concerned.
    """

    category: str
    lon: float
    lat: float
    description: str = ""
    source: Source = Source.HOTLINE
    title: str = ""
    severity: int | None = None
    reporter: str = ""
    device: str | None = None


# Alarms and video events


@dataclass(frozen=True, slots=True)
class ShelveRequest:
    """Mute an alarm until a time, with a reason."""

    until: datetime
    reason: str
    version: int


@dataclass(frozen=True, slots=True)
class AcknowledgeRequest:
    """Acknowledge several alarms at once; red gas is never among them."""

    alarms: list[alarm.SeenAlarm]


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """A person's verdict on a video event.

    `reason` says why it is dismissed, `into` what it is merged into: `incident:ID` or
    `video:CAMERA/EVENT`. With `take_back_s` the verdict holds that many seconds later, and can be
    taken back until then.
    """

    # The words are described; the review itself refuses others and says which ones it takes.
    verdict: str = field(metadata={"words": ("confirmed", "dismissed", "merged")})
    note: str = ""
    reason: str = ""
    into: str = ""
    take_back_s: int = 0


@dataclass(frozen=True, slots=True)
class NextEventsRequest:
    """The next `count` events to judge (1 to 10); those in `skip` (CAMERA/EVENT) come last."""

    count: int = 2
    skip: list[str] = field(default_factory=list)


# Duty


@dataclass(frozen=True, slots=True)
class DutyChangeRequest:
    """`stand_in` takes the duty of `squad` that begins on `day` at `start` (HH:MM); with
    `other_day` and `other_start` whoever had it takes that duty of the stand-in's."""

    squad: str
    day: str
    start: str
    stand_in: str
    why: str
    other_day: str = ""
    other_start: str = ""


# The registry


@dataclass(frozen=True, slots=True)
class ApproveRequest:
    """A stranger becomes a device: the columns of a device file that it does not bring itself."""

    code: str
    kind: str
    name: str
    lon: float
    lat: float
    model: str = ""
    gas: str = ""
    report_interval_s: int | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutOfServiceRequest:
    """Until when, and why."""

    reason: str
    return_due_at: datetime
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ReplaceRequest:
    """Other hardware at the same place; what is not given stays as it is."""

    reason: str
    external_id: str = ""
    format: str | None = None
    model: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class RenameRequest:
    """Another name; the code stays."""

    name: str
    reason: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """Another place, in degrees; `datum` is what they are measured in, WGS-84 unless said."""

    lon: float
    lat: float
    reason: str
    datum: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class CorrectRequest:
    """What was entered wrongly; what is not given stays as it is. `attributes` are put beside
    those that are there, and one that is null is taken out; an empty `gas` or `model` is none."""

    reason: str
    model: str | None = None
    gas: str | None = None
    report_interval_s: int | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ReasonRequest:
    """Why a device is retired, or brought back to life."""

    reason: str
    version: int | None = None


# Rules and work permits


@dataclass(frozen=True, slots=True)
class RuleTextRequest:
    """A rule as text, and values to be put into it by the names of the form's fields."""

    text: str
    put: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleTrialRequest:
    """A text to be tried on the past, or the code of a rule to be taken out of force. `seen` is the
    newest version that the person looked at, None of a new rule."""

    text: str = ""
    retire: str = ""
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class RuleApplyRequest:
    """Why, and whether what is odd about the rule is agreed to."""

    why: str
    accept: bool = False


@dataclass(frozen=True, slots=True)
class PermitRequest:
    """Who works where from when to when. The place is exactly one of `devices`, a circle, a
    `polygon` of corners [lon, lat] and the code of a `street`; without `code` it gets a number."""

    who: str
    why: str
    until: datetime
    code: str = ""
    begin: datetime | None = None  # None: now
    devices: list[str] = field(default_factory=list)
    lon: float | None = None
    lat: float | None = None
    radius_m: float | None = None
    polygon: list[list[float]] = field(default_factory=list)
    street: str = ""


@dataclass(frozen=True, slots=True)
class PermitEndRequest:
    """Why a permit ends before its time."""

    why: str
    version: int


# Messages


@dataclass(frozen=True, slots=True)
class ContactRequest:
    """How the caller is reached; quiet hours are local times like 22:00, both or neither."""

    email: str = ""
    phone: str = ""
    lang: str = "zh"
    quiet_from: str = ""
    quiet_to: str = ""


@dataclass(frozen=True, slots=True)
class BrowserRequest:
    """A browser that takes the caller's messages, as its `PushSubscription` says."""

    endpoint: str
    p256dh: str
    auth: str
    browser: str = ""


@dataclass(frozen=True, slots=True)
class BrowserRemoveRequest:
    """A browser of the caller that takes no more messages."""

    endpoint: str


# Quarantined messages


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """Go on after this message, the `last` of the answer before."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class ReplayGroupRequest:
    """Which quarantined messages to try again, and after which to go on (`next` of the answer
    before). At least one of format, device and reason."""

    format: str | None = None
    device: str | None = None
    reason: str | None = None
    after: int = 0


@dataclass(frozen=True, slots=True)
class GasSeenRequest:
    """Refused messages with gas in them were looked into, up to this one."""

    up_to: int
    note: str


# People and tokens


@dataclass(frozen=True, slots=True)
class UserRequest:
    """Somebody new. A repeated request is refused: the name is taken."""

    name: str
    password: str = field(repr=False)
    role: str
    squad: str | None = None
    display_name: str = ""
    divisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """Another role, the squad of a squad leader, and the divisions that somebody is bounded to;
    without `divisions` these stay, none at all mean the whole district."""

    role: str
    squad: str | None = None
    version: int | None = None
    divisions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PasswordRequest:
    """Another password; it ends every session of its owner."""

    password: str = field(repr=False)
    version: int | None = None


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A token for a script. A repeated request is refused: the name is taken."""

    name: str
    role: str
    squad: str | None = None
    divisions: tuple[str, ...] = ()


# Settings


@dataclass(frozen=True, slots=True)
class SettingsPlanRequest:
    """A row `put` in the place of the one whose key column has `key` (a new row without it), or
    the row `remove` taken out. `digest` and `seq` are those of the table that was looked at."""

    digest: str
    seq: int
    put: dict[str, str] | None = None
    key: str = ""
    remove: str = ""


@dataclass(frozen=True, slots=True)
class SettingsApplyRequest:
    """The `content`, `digest` and `seq` of a plan, and why it is put in force."""

    content: str
    digest: str
    seq: int
    why: str


# Registers that are kept on a page


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """A new entry of a register: the `cells` of a row of its data file by their column."""

    cells: dict[str, str]
    why: str


@dataclass(frozen=True, slots=True)
class EntryChangeRequest:
    """Other `cells` of the entry of this `version`."""

    version: int
    cells: dict[str, str]
    why: str


@dataclass(frozen=True, slots=True)
class RetireEntryRequest:
    """The entry of this `version` is to be taken out of its register."""

    version: int
    why: str


@dataclass(frozen=True, slots=True)
class RecusalRequest:
    """`person` is related to an entry and does not inspect it; `related` false: not any more."""

    person: str
    why: str
    related: bool = True


# Four eyes


@dataclass(frozen=True, slots=True)
class ApprovalApproveRequest:
    """The `digest` of what was looked at, and why it may happen."""

    digest: str
    why: str


@dataclass(frozen=True, slots=True)
class ApprovalRefuseRequest:
    """Why it may not; whoever asked takes it back."""

    why: str


# Registers


@dataclass(frozen=True, slots=True)
class InspectionRequest:
    """Answers (`ok`, `fail`, `na`) to every item of the checklist. `lon` and `lat` are where the
    inspector stands, for an entry that has no place of its own."""

    answers: dict[str, str]
    note: str = ""
    lon: float | None = None
    lat: float | None = None


@dataclass(frozen=True, slots=True)
class DrawRequest:
    """Draw so many `objects`, `each` with so many inspectors: those who are named, else every
    checker and squad leader. The same seed draws the same."""

    objects: int
    seed: str
    why: str
    each: int = 2
    inspectors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OffenceRequest:
    """Whose earlier offences are asked for: the number of a licence or of a person, however it is
    written. Sent as a body, for addresses are written down by many."""

    party: str


# Lighting


@dataclass(frozen=True, slots=True)
class LampOrderRequest:
    """Set lamps to a `level` in per cent, 0 is off. `target` is lamp, cabinet or street with its
    `code`, or lamps with a list of codes. From `until` on each lamp follows its own programme, if
    it can keep a time."""

    target: str = field(metadata={"words": ("lamp", "lamps", "cabinet", "street")})
    level: int
    why: str
    code: str = ""
    lamps: list[str] = field(default_factory=list)
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LampCancelRequest:
    """Why what is not answered yet is called off."""

    why: str


@dataclass(frozen=True, slots=True)
class ProgrammeRequest:
    """A lighting programme as its next version; `version` is the one it is made from, 0 of a new
    one. `steps` are {"at": "sunset-10" or "23:30", "level": 0 to 100, "days": every, workday or
    rest}."""

    code: str
    name_zh: str
    name_en: str
    steps: list[dict[str, Any]]
    why: str
    version: int


@dataclass(frozen=True, slots=True)
class ProgrammeRetireRequest:
    """Why a programme is taken out of force, and which version of it."""

    why: str
    version: int


@dataclass(frozen=True, slots=True)
class AssignRequest:
    """Let the lamps of a `target` (lamp, cabinet, street, district) follow a `programme`; an empty
    one ends that."""

    target: str = field(metadata={"words": ("lamp", "cabinet", "street", "district")})
    programme: str
    why: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class NightRequest:
    """Why the lit rate of a night is computed anew."""

    why: str
