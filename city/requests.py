"""What people ask the incident core to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from city.incident import Action, Source


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """One action on one incident, on the version the person was looking at.

    `until` is the resume date of a suspension, `into` the incident id of a merge, `outcome`
    a word for how a closed, rejected or cancelled incident ended.
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


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A matter reported by a person; coordinates are WGS 84 degrees."""

    category: str
    lon: float
    lat: float
    description: str
    source: Source = Source.HOTLINE
    title: str = ""
    severity: int | None = None  # the category's own when not given
    reporter: str = ""  # who called, as far as known
    device: str | None = None  # code of the device concerned
