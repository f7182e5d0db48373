"""What people ask for about calls, orders, public reports and handing over, as `city.requests`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from city.intake import Channel, RejectReason


@dataclass(frozen=True, slots=True)
class IntakeRequest:
    """A call, order, finding or patch; coordinates are WGS 84 degrees.

    It becomes a case, or with `joins` (an incident id) one more caller of that case, which needs
    neither category nor place. An `external_number` that the channel has brought before is
    answered with what became of it. `verify` sends a collector before it is filed. A patch has a
    `polygon` of corners [lon, lat], whose middle is the place if none is given.
    """

    channel: Channel
    description: str
    category: str = ""
    lon: float | None = None
    lat: float | None = None
    title: str = ""
    severity: int | None = None
    caller: str = ""
    phone: str = ""
    external_number: str = ""
    reply_due_at: datetime | None = None
    call_back: bool = False
    device: str | None = None
    joins: int | None = None
    verify: bool = False
    polygon: list[list[float]] = field(default_factory=list)
    captured_on: date | None = None


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """What a hotline or platform is answered."""

    text: str
    version: int


@dataclass(frozen=True, slots=True)
class CallBackRequest:
    """A call back: whether somebody answered, and the score that they gave."""

    reached: bool
    version: int
    satisfaction: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReportAcceptRequest:
    """A public report becomes a case of this category at this place, or joins one."""

    version: int
    category: str = ""
    lon: float | None = None
    lat: float | None = None
    verify: bool = True
    joins: int | None = None


@dataclass(frozen=True, slots=True)
class ReportRejectRequest:
    """A public report is not taken on; its sender is told the `reason`."""

    reason: RejectReason
    version: int


@dataclass(frozen=True, slots=True)
class HandoverRequest:
    """The outgoing shift signs the sheet as it stands now."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class HandoverNoteRequest:
    """Something that the sheet does not know by itself."""

    text: str
