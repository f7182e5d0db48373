"""Video events as a camera reports them and as a person judges them."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from city.reading import VideoEvent

# A picture that comes with the message itself.
_INLINE = re.compile(r"data:image/[a-z+.-]{1,20};base64,")
# In the address of a recorder's pictures.
EVENT_ID = "{event_id}"
INLINE_MAX = 2_000_000  # characters; a picture of 1.5 MB


def inline_picture(snapshot: str) -> bytes | None:
    """The bytes of `data:image/jpeg;base64,…`; None where it is something else, or damaged."""
    head = _INLINE.match(snapshot[:64])
    if head is None or len(snapshot) > INLINE_MAX:
        return None
    try:
        return base64.b64decode(snapshot[head.end() :], validate=True) or None
    except binascii.Error:
        return None


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """A video event of a registered camera."""

    camera_id: int
    camera_code: str
    district: str
    event: VideoEvent
    received_at: datetime


@dataclass(frozen=True, slots=True)
class ReviewedEvent:
    """What a review needs to know of a video event and its camera."""

    camera_id: int
    camera: str
    event_id: str
    district: str
    type: str
    category: str | None
    phase: str
    start_at: datetime
    received_at: datetime
    confidence: float | None
    snapshot: str
    review: str
    reviewed_by: str | None
    lon: float
    lat: float
    unit_grid: str | None
    demo: bool


@dataclass(frozen=True, slots=True)
class LookedEvent:
    """A video event that nobody has judged, and what decides whether a person has to.
    `seen_until` is the camera's last sign of it, `snapshot_url` where its pictures are, with
    `{event_id}` for the event."""

    camera_id: int
    camera: str
    event_id: str
    type: str
    phase: str
    start_at: datetime
    end_at: datetime | None
    seen_until: datetime
    confidence: float | None
    lon: float
    lat: float
    standing: str
    held_why: str
    held_area: str
    snapshot_url: str = ""

    @property
    def picture_at(self) -> str:
        """The address of this event's picture; empty where the camera's row says none."""
        if EVENT_ID not in self.snapshot_url:
            return ""
        return self.snapshot_url.replace(EVENT_ID, quote(self.event_id, safe=""))


@dataclass(frozen=True, slots=True)
class Near:
    """An event or a case that may be the same thing; `subject` as in the log."""

    subject: str
    number: str
    camera: str
    start_at: datetime
    lon: float
    lat: float
    open: bool


@dataclass(frozen=True, slots=True)
class VideoLimit:
    """From which confidence (0 to 1) and stay an event is shown; None: as the next general row
    has it. An empty `type` or `camera` is every one."""

    type: str
    camera: str
    min_confidence: float | None
    min_stay_s: int | None
    note: str = ""

    @property
    def entry(self) -> str:
        """What names the row: `hawker@CAM-1`, `hawker`, `*@CAM-1`, `*`."""
        return f"{self.type or '*'}{f'@{self.camera}' if self.camera else ''}"
