"""What comes to the command center beside alarms, and what was promised to whoever sent it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from city.incident import FINAL_STATES, IncidentState, Source
from city.place import LonLat


class Channel(StrEnum):
    """The way a matter came in."""

    HOTLINE_12345 = "hotline_12345"
    HOTLINE_12319 = "hotline_12319"
    PATROL = "patrol"
    LEADER = "leader"
    DRONE = "drone"
    SATELLITE = "satellite"
    PLATFORM = "platform"
    PUBLIC = "public"


SOURCES: Mapping[Channel, Source] = {
    Channel.HOTLINE_12345: Source.HOTLINE,
    Channel.HOTLINE_12319: Source.HOTLINE,
    Channel.PATROL: Source.PATROL,
    Channel.LEADER: Source.LEADER,
    Channel.DRONE: Source.REMOTE,
    Channel.SATELLITE: Source.REMOTE,
    Channel.PLATFORM: Source.PLATFORM,
    Channel.PUBLIC: Source.PUBLIC,
}
# Whoever sent these waits for an answer by a date, whether or not the order named one.
ANSWERED = frozenset({Channel.HOTLINE_12345, Channel.PLATFORM})
PATCHES = frozenset({Channel.DRONE, Channel.SATELLITE})
# The scores that a caller may give (domain.md 2.8).
SATISFACTIONS = (100, 80, 50, 0, -100)


@dataclass(frozen=True, slots=True)
class Intake:
    """One call or order. `polygon` has the corners [lon, lat] of a patch."""

    id: int
    district: str
    incident_id: int
    channel: str
    external_number: str
    joined: bool
    caller: str
    phone: str
    said: str
    received_by: str
    received_at: datetime
    polygon: list[list[float]] | None = None
    captured_on: date | None = None
    reply_due_at: datetime | None = None
    replied_at: datetime | None = None
    replied_by: str | None = None
    reply: str = ""
    wants_call_back: bool = False
    call_back_due_at: datetime | None = None
    call_back_tries: int = 0
    called_back_at: datetime | None = None
    called_back_by: str | None = None
    satisfaction: int | None = None
    reply_warned_at: datetime | None = None
    reply_overdue_at: datetime | None = None
    version: int = 1

    @property
    def owes_reply(self) -> bool:
        return self.reply_due_at is not None and self.replied_at is None

    @property
    def owes_call_back(self) -> bool:
        return self.wants_call_back and self.called_back_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedIntake:
    """A call in a list, with the case that it is about."""

    id: int
    incident_id: int
    number: str
    state: str
    title_zh: str
    title_en: str
    channel: str
    external_number: str
    joined: bool
    caller: str
    phone: str
    said: str
    received_by: str
    received_at: datetime
    polygon: list[list[float]] | None
    captured_on: date | None
    reply_due_at: datetime | None
    replied_at: datetime | None
    replied_by: str | None
    reply: str
    wants_call_back: bool
    call_back_due_at: datetime | None
    call_back_tries: int
    called_back_at: datetime | None
    called_back_by: str | None
    satisfaction: int | None
    version: int


# What the public page offers, in plain words, and which families of categories it may come to.


class PlainKind(StrEnum):
    GAS_SMELL = "gas_smell"
    COVER = "cover"
    LAMP = "lamp"
    WATER = "water"
    STALL = "stall"
    WASTE = "waste"
    PARKING = "parking"
    OTHER = "other"


FAMILIES: Mapping[PlainKind, str] = {
    PlainKind.GAS_SMELL: "gas",
    PlainKind.COVER: "manhole",
    PlainKind.LAMP: "light",
    PlainKind.WATER: "drainage",
    PlainKind.STALL: "street",
    PlainKind.WASTE: "waste",
    PlainKind.PARKING: "parking",
    PlainKind.OTHER: "other",
}


class ReportState(StrEnum):
    WAITING = "waiting"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SPAM = "spam"


class RejectReason(StrEnum):
    """Why a report is not taken on, as its sender is told."""

    NOT_OURS = "not_ours"
    NOT_FOUND = "not_found"
    KNOWN = "known"
    UNCLEAR = "unclear"


class PlainState(StrEnum):
    """How a report stands, for whoever sent it."""

    WAITING = "waiting"
    LOOKED_AT = "looked_at"
    AT_WORK = "at_work"
    CHECKED = "checked"
    DONE = "done"
    NOT_TAKEN = "not_taken"


_OF_CASE: Mapping[IncidentState, PlainState] = {
    IncidentState.REPORTED: PlainState.LOOKED_AT,
    IncidentState.VERIFYING: PlainState.LOOKED_AT,
    IncidentState.HANDLED: PlainState.CHECKED,
    IncidentState.CHECKING: PlainState.CHECKED,
    IncidentState.CLOSED: PlainState.DONE,
}


def plain_state(report: ReportState, case: IncidentState | None) -> PlainState:
    """What the sender of a report is told, and no more; spam is told the same as a refusal."""
    if report is ReportState.WAITING:
        return PlainState.WAITING
    if report is not ReportState.ACCEPTED or case is None:
        return PlainState.NOT_TAKEN
    found = _OF_CASE.get(case)
    if found is not None:
        return found
    return PlainState.NOT_TAKEN if case in FINAL_STATES else PlainState.AT_WORK


# Numbers of public reports. No 0 1 I L O, which people mistake; 31 symbols, a prime, so that the
# check finds every wrong symbol and every two that changed places.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
# 31^9 are about 2^44.6: nobody tries so many at the pace that the page allows.
DRAWN = 9


def draw_code() -> str:
    """A number for a public report; its last symbol is the check."""
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(DRAWN))
    return drawn + check_of(drawn)


def check_of(drawn: str) -> str:
    """The check symbol behind these."""
    total = sum((at + 1) * ALPHABET.index(symbol) for at, symbol in enumerate(drawn))
    return ALPHABET[total % len(ALPHABET)]


def read_code(text: str) -> str | None:
    """A number as somebody typed it, without spaces and hyphens; None: no report has it."""
    code = "".join(c for c in text.upper() if c not in " -–—")
    if len(code) != DRAWN + 1 or any(symbol not in ALPHABET for symbol in code):
        return None
    return code if check_of(code[:-1]) == code[-1] else None


def shown_code(code: str) -> str:
    """The number as people read it aloud."""
    return f"{code[:5]}-{code[5:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicReport:
    """What somebody sent from the public page."""

    id: int
    district: str
    code: str
    kind: str
    said: str
    place_said: str
    lon: float | None
    lat: float | None
    phone: str
    received_at: datetime
    state: str
    decided_by: str | None
    decided_at: datetime | None
    reason: str
    incident_id: int | None
    version: int

    @property
    def at(self) -> LonLat | None:
        if self.lon is None or self.lat is None:
            return None
        return LonLat(self.lon, self.lat)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPhoto:
    """A photo of a public report, without its content."""

    report_id: int
    ordinal: int
    media_type: str
    taken_at: datetime | None
    lon: float | None
    lat: float | None
    metres_away: int | None = None  # from the place that was named
