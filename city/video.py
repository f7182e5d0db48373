"""Video events as a camera reports them and as a person judges them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from city.reading import VideoEvent


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
