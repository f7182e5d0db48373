"""Video events: one row each however often a camera reports it, kept until a person judged it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from city.reading import VideoEvent
from db.pool import Connection

# An event whose camera never says `end` is over this long after its last sign of life. Cameras
# that repeat themselves do so every few seconds to a minute; a restart of one takes minutes.
END_AFTER = timedelta(minutes=15)
# A repeated report moves the time limit only by steps of this length: fewer writes, and a report
# that the broker delivers twice changes nothing.
EXTEND_BY_AT_LEAST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """A video event of a registered camera."""

    camera_id: int
    camera_code: str
    district: str
    event: VideoEvent
    received_at: datetime


@dataclass(frozen=True, slots=True)
class VideoChange:
    """What a report did: nothing, changed an event that was known, or brought a new one."""

    changed: bool
    is_new: bool


def upsert_video_events(conn: Connection, reports: Sequence[ReportedEvent]) -> list[VideoChange]:
    """Apply reports in the order of their identity, then of arrival; one result per report."""
    order = sorted(
        range(len(reports)), key=lambda i: (reports[i].camera_id, reports[i].event.event_id, i)
    )
    changes: list[VideoChange] = [VideoChange(False, False)] * len(reports)
    for number in order:
        changes[number] = _upsert(conn, reports[number])
    return changes


def _upsert(conn: Connection, report: ReportedEvent) -> VideoChange:
    """Reports may come late, twice and out of order: `end` is final, the review untouched."""
    row = conn.execute(
        """
        INSERT INTO video_event AS known
            (camera_id, event_id, district, type, phase, start_at, end_at, end_due_at, confidence,
             bbox, snapshot, model, model_version, attributes, received_at)
        VALUES (%(camera_id)s, %(event_id)s, %(district)s, %(type)s, %(phase)s, %(start_at)s,
                %(end_at)s, %(end_due_at)s, %(confidence)s, %(bbox)s, %(snapshot)s, %(model)s,
                %(model_version)s, %(attributes)s, %(received_at)s)
        ON CONFLICT (camera_id, event_id) DO UPDATE
        SET type = CASE WHEN excluded.phase = 'new' OR excluded.type = ''
                        THEN coalesce(nullif(known.type, ''), excluded.type)
                        ELSE excluded.type END,
            phase = CASE WHEN known.end_at IS NOT NULL OR excluded.phase = 'new'
                         THEN known.phase ELSE excluded.phase END,
            start_at = least(known.start_at, excluded.start_at),
            end_at = coalesce(known.end_at, excluded.end_at),
            end_due_at = CASE WHEN known.end_at IS NOT NULL THEN known.end_due_at
                              ELSE greatest(known.end_due_at, excluded.end_due_at) END,
            confidence = greatest(known.confidence, excluded.confidence),
            bbox = coalesce(known.bbox, excluded.bbox),
            snapshot = coalesce(nullif(known.snapshot, ''), excluded.snapshot),
            model = coalesce(nullif(known.model, ''), excluded.model),
            model_version = coalesce(nullif(known.model_version, ''), excluded.model_version),
            attributes = known.attributes || excluded.attributes
        WHERE excluded.phase <> 'new' AND known.end_at IS NULL
              AND (excluded.phase = 'end'
                   OR excluded.end_due_at >= known.end_due_at + %(extend)s
                   OR (known.phase = 'new' AND excluded.phase = 'update')
                   OR excluded.confidence > coalesce(known.confidence, 0))
           OR excluded.start_at < known.start_at
           OR (known.type = '' AND excluded.type <> '')
        RETURNING xmax = 0
        """,
        _row(report),
    ).fetchone()
    return VideoChange(changed=row is not None, is_new=bool(row and row[0]))


def _row(report: ReportedEvent) -> dict[str, Any]:
    event = report.event
    seen_at = event.start_at if event.phase == "new" else max(event.start_at, report.received_at)
    return {
        "camera_id": report.camera_id,
        "event_id": event.event_id,
        "district": report.district,
        "type": event.type,
        "phase": event.phase.value,
        "start_at": event.start_at,
        "end_at": event.end_at if event.phase == "end" else None,
        "end_due_at": seen_at + END_AFTER,
        "confidence": event.confidence,
        "bbox": Jsonb(event.bbox) if event.bbox is not None else None,
        "snapshot": event.snapshot,
        "model": event.model,
        "model_version": event.model_version,
        "attributes": Jsonb(event.attributes),
        "received_at": report.received_at,
        "extend": EXTEND_BY_AT_LEAST,
    }
