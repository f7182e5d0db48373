"""Devices: under which identity they report."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_EUI_LENGTH = 16
_HEX = frozenset("0123456789abcdefABCDEF")


def normal_identity(text: str) -> str:
    """An EUI in lower case, as every format gives it; any other identity as it is."""
    is_eui = len(text) == _EUI_LENGTH and _HEX.issuperset(text)
    return text.lower() if is_eui else text


@dataclass(frozen=True, slots=True)
class WatchedDevice:
    """What rules need to know of a device."""

    id: int
    code: str
    district: str
    kind: str
    gas: str | None
    lon: float
    lat: float
    unit_grid: str | None
    attributes: dict[str, Any]
    report_interval_s: int
    demo: bool
    out_of_service_since: datetime | None
    return_due_at: datetime | None
    model: str = ""
    areas: Mapping[str, str] = field(default_factory=dict)  # that it stands in, code to kind

    def is_watched(self, now: datetime) -> bool:
        """Out of service is always until a time; after it the device counts again."""
        since = self.out_of_service_since
        if since is None or since > now:
            return True
        return self.return_due_at is not None and self.return_due_at <= now


@dataclass(frozen=True, slots=True)
class LampRow:
    """A lamp's newest values with their times; None: never reported."""

    device_id: int
    lamp_on: float | None
    lamp_on_at: datetime | None
    lamp_on_received_at: datetime | None
    power_w: float | None
    power_at: datetime | None
    power_received_at: datetime | None
    dim_pct: float | None


@dataclass(frozen=True, slots=True)
class DeviceLink:
    """What a device, its gateway or its Last Will said about its being there."""

    device_id: int
    online: bool | None
    reported_at: datetime
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RegisteredDevice:
    """What ingest needs to know of a device to understand its messages."""

    id: int
    code: str
    kind: str
    district: str
    model: str
    gas: str | None
    format: str
    external_id: str | None
    attributes: dict[str, Any]
    timezone: str
    lon: float | None = None
    lat: float | None = None

    def __post_init__(self) -> None:
        """The same few words stand in every row of a city: they are kept once."""
        for name in (
            "code",
            "kind",
            "district",
            "model",
            "gas",
            "format",
            "external_id",
            "timezone",
        ):
            if (text := getattr(self, name)) is not None:
                object.__setattr__(self, name, sys.intern(text))


@dataclass(frozen=True, slots=True)
class Stranger:
    """What one unknown identity sent in one batch."""

    format: str
    identity: str
    kind: str  # a guess, "" for none
    first_seen: datetime
    last_seen: datetime
    messages: int
    last_topic: str
    last_payload: bytes


# Newcomers of one batch that are listed; the others are in quarantine and may come again.
STRANGERS_PER_BATCH = 500
