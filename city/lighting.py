"""Lamps under command: what is asked of them, what they answer, and how a night went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from city.errors import InvalidInput
from city.incident import Role

LIGHT = "light"
LEVEL_MAX = 100
WHY_MAX = 500
# Codes that one command may list; whole streets go by their name.
LISTED_MAX = 1_000
# By day the people of a street see what happens to more lamps than these, and so does the bill.
ALONE_BY_DAY = 50
# Who may switch lamps and change programmes; the same decide for each other.
COMMANDERS = (Role.ADMIN, Role.DISPATCHER)
# Who sees the screen and its figures.
WATCHERS = (
    *COMMANDERS, Role.LEADER, Role.SQUAD_LEADER, Role.CHECKER, Role.GAS_ENGINEER, Role.VIEWER,
)  # fmt: skip


class CommandState(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"  # the lamp refused, or it cannot be commanded
    TIMED_OUT = "timed_out"  # asked again and again, and no answer
    CANCELLED = "cancelled"  # by a person, or by a later command


OPEN_STATES = (CommandState.QUEUED, CommandState.SENT)
LOST_STATES = (CommandState.FAILED, CommandState.TIMED_OUT)


class TargetKind(StrEnum):
    LAMP = "lamp"
    LAMPS = "lamps"  # a list of codes
    CABINET = "cabinet"
    STREET = "street"
    DISTRICT = "district"  # of programmes alone: what every lamp follows that has none of its own


@dataclass(frozen=True, slots=True)
class Target:
    """Which lamps are meant: `code` of a lamp, cabinet or street (a division), or `lamps`."""

    kind: TargetKind
    code: str = ""
    lamps: tuple[str, ...] = ()


def target_of(kind: str, code: str, lamps: Sequence[str] = ()) -> Target:
    """Refuses a target that names nothing."""
    known = [each.value for each in TargetKind if each is not TargetKind.DISTRICT]
    if kind not in known:
        raise InvalidInput("target", kind, "must be one of " + ", ".join(known))
    if kind != TargetKind.LAMPS:
        if lamps:
            raise InvalidInput("lamps", list(lamps)[:3], "is for the target lamps only")
        if not code.strip():
            raise InvalidInput("code", code, f"must name a {kind}")
        return Target(TargetKind(kind), code.strip())
    codes = tuple(dict.fromkeys(each.strip() for each in lamps if each.strip()))
    if code:
        raise InvalidInput("code", code, "is for a lamp, cabinet or street; lamps are listed")
    if not 1 <= len(codes) <= LISTED_MAX:
        raise InvalidInput("lamps", len(codes), f"must list 1 to {LISTED_MAX} codes")
    return Target(TargetKind.LAMPS, "", codes)


def check_level(level: int) -> int:
    if not 0 <= level <= LEVEL_MAX:
        raise InvalidInput("level", level, "must be 0 (off) to 100 per cent")
    return level


def check_why(why: str) -> str:
    why = why.strip()
    if not why or len(why) > WHY_MAX:
        raise InvalidInput("why", why[:80], f"must have 1 to {WHY_MAX} characters")
    return why


@dataclass(frozen=True, slots=True)
class Lamp:
    """A lamp as its wire format has to address it. `base` are the first levels of the topics of
    the added feed that it speaks on, "" where its format's own are."""

    code: str
    district: str
    format: str
    model: str
    external_id: str
    attributes: Mapping[str, Any]
    base: str = ""


@dataclass(frozen=True, slots=True)
class LampAnswer:
    """What a device or its network server says of a command: by its id, done or not, and the
    level it went to, if that is said."""

    token: str
    ok: bool
    level: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HeardAnswer:
    """An answer as ingest hands it over."""

    device_id: int
    answer: LampAnswer
    received_at: datetime


@dataclass(frozen=True, slots=True)
class LampCommand:
    """A command to one lamp that is not over, with what is needed to send and to judge it."""

    id: int
    order_id: int
    device_id: int
    token: str
    level: int
    until: datetime | None
    state: CommandState
    attempts: int
    sent_at: datetime | None
    report_interval_s: int
    lamp: Lamp


@dataclass(frozen=True, slots=True)
class NightOfStreet:
    """How the lamps of a street burned in the night that began on `night`. A check is one lamp
    at one of the moments at which it is looked at; `due` checks are those at which it should have
    been lit, and each is lit, dark or unknown. Hours are lamp-hours."""

    night: date
    street: str
    name: str
    lamps: int
    due: int
    lit: int
    dark: int
    unknown: int
    hours_due: float
    hours_lost: float
    hours_unknown: float


@dataclass(frozen=True, slots=True)
class LampGroup:
    """Lamps of a street or cabinet. `due` should be lit now; of them `lit`, `dark` and `unknown`
    (nothing heard for three intervals). `burning` are lit and should not be. `commanded` have a
    command that is not answered yet. `level` is what their programme says, None where they follow
    different ones or none."""

    kind: str
    code: str
    name: str
    street: str
    lamps: int
    due: int
    lit: int
    dark: int
    unknown: int
    burning: int
    silent: int
    commanded: int
    programme: str
    level: int | None
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class LampPicture:
    """`sun_up` at the middle of the lamps; `sunset` and `sunrise` of the night that it is, or that
    comes."""

    now: datetime
    sun_up: bool
    sunset: datetime | None
    sunrise: datetime | None
    total: LampGroup
    streets: list[LampGroup]
    cabinets: list[LampGroup]


@dataclass(frozen=True, slots=True)
class FollowingLamp:
    """A lamp in service with all by which it may be assigned to a programme."""

    id: int
    code: str
    cabinet: str
    street: str
    lon: float
    lat: float
