"""What the API answers with of duties, run cards and the life of devices; read by OpenAPI."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from city.incident import Action
from city.trust import ShownClock
from db.device_history import DeviceThen, SentSince
from db.listings import LatestReading


class CaseDevice(msgspec.Struct, kw_only=True):
    """A device of a case as it is now, what has to be known before its values are believed
    (`states`: retired, out_of_service, clock, stuck, suspect, stale), and what it was when the
    case opened."""

    code: str
    kind: str
    name: str
    model: str
    lon: float
    lat: float
    then: DeviceThen
    states: list[str]
    out_of_service_since: datetime | None
    return_due_at: datetime | None
    out_of_service_reason: str
    retired_at: datetime | None
    retired_reason: str
    clock: ShownClock | None
    latest: list[LatestReading]


class CheckAnswer(msgspec.Struct, kw_only=True):
    """The newest answer to a step of a checklist; `measured` by metric."""

    measured: dict[str, float]
    passed: bool
    note: str
    answered_by: str
    answered_at: datetime


class CardMeasure(msgspec.Struct, kw_only=True):
    """A value that a step asks for, and within which limits it passes."""

    metric: str
    low: float | None
    high: float | None
    unit: str


class CardStep(msgspec.Struct, kw_only=True):
    """A step of a checklist; a blocking one has to be passed before the action `before`."""

    code: str
    text_zh: str
    text_en: str
    before: Action
    blocking: bool
    measures: list[CardMeasure]
    passed: bool
    answer: CheckAnswer | None


class CardItem(msgspec.Struct, kw_only=True):
    """The run card that was in force when the case opened."""

    code: str
    version: int
    title_zh: str
    title_en: str
    plan_zh: str
    plan_en: str
    hours: str
    send: list[dict[str, Any]]
    steps: list[CardStep]


class OnDutyItem(msgspec.Struct, kw_only=True):
    """A squad at a moment; who of it was on duty by its roster, from when to when."""

    squad: str
    name_zh: str
    name_en: str
    kind: str
    on_duty: bool
    person: str
    called: str
    phone: str
    from_: datetime | None = msgspec.field(name="from")
    to: datetime | None


class RosterDuty(msgspec.Struct, kw_only=True):
    """A duty of a day; `rest_hours` where the person rested too little before it, `expired` the
    skills of which their certificate is over. By weekly shifts nobody is named."""

    from_: str = msgspec.field(name="from")
    to: str
    person: str
    called: str
    phone: str
    rest_hours: float | None
    expired: list[str]


class RosterDay(msgspec.Struct, kw_only=True):
    """A day of a squad."""

    date: date
    duties: list[RosterDuty]


class RosterItem(msgspec.Struct, kw_only=True):
    """A squad and its week; squads of one brigade stand together."""

    squad: str
    name_zh: str
    name_en: str
    kind: str
    brigade_zh: str
    brigade_en: str
    skills: list[str]
    kit: list[str]
    by_roster: bool
    days: list[RosterDay]


class RosterAnswer(msgspec.Struct, kw_only=True):
    """A week from its Monday on."""

    from_: date = msgspec.field(name="from")
    today: date
    items: list[RosterItem]
    next: str | None


class DutyAnswer(msgspec.Struct, kw_only=True):
    """The squads at a moment, by the log up to the event `seq`; 0: the log is younger."""

    at: datetime
    seq: int
    items: list[OnDutyItem]
    next: str | None


class DeviceChange(msgspec.Struct, kw_only=True):
    """One thing that people did to a device: what was before and after of what was changed, and
    what else the log says of it."""

    at: datetime
    what: str
    actor: str
    reason: str
    before: dict[str, Any]
    after: dict[str, Any]
    facts: dict[str, Any]


class DeviceHistory(msgspec.Struct, kw_only=True):
    """What became of a device; `sent_since_retired` counts what it sent all the same."""

    device: str
    created_at: datetime
    retired_at: datetime | None
    sent_since_retired: SentSince
    items: list[DeviceChange]
