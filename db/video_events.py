"""Video events: one row each however often a camera reports it, kept until a person judged it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from city.reading import EventPhase, occurrence_id
from city.video import ReportedEvent, inline_picture
from db.pool import Connection
from db.video_snapshots import hand_over

# An event whose camera never says `end` is over this long after its last sign of life. Cameras
# that repeat themselves do so every few seconds to a minute; a restart of one takes minutes.
END_AFTER = timedelta(minutes=15)
# A repeated report moves the time limit only by steps of this length: fewer writes, and a report
# that the broker delivers twice changes nothing.
EXTEND_BY_AT_LEAST = timedelta(minutes=1)

# The advisory lock of a camera that numbers no events is this and its id.
CAMERA_LOCK = 0x6361_6D65

# A camera that says the same under two names does so within this time.
REPEATED_WITHIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class VideoChange:
    """What a report did: nothing, changed an event that was known, or brought a new one."""

    changed: bool
    is_new: bool
    event_id: str = ""  # what the event is stored under


def upsert_video_events(conn: Connection, reports: Sequence[ReportedEvent]) -> list[VideoChange]:
    """Apply reports in the order of their identity, then of arrival; one result per report."""
    order = sorted(
        range(len(reports)), key=lambda i: (reports[i].camera_id, reports[i].event.event_id, i)
    )
    _lock_cameras(conn, {r.camera_id for r in reports if r.event.recurring})
    changes: list[VideoChange] = [VideoChange(False, False)] * len(reports)
    for number in order:
        placed = _placed(conn, reports[number])
        if placed is not None:
            changes[number] = _upsert(conn, placed)
    return changes


def _lock_cameras(conn: Connection, camera_ids: Collection[int]) -> None:
    """Until the transaction ends nobody else takes reports of these cameras: what one worker has
    begun and not committed, another could not end. Always in the same order."""
    if camera_ids:
        conn.execute(
            "SELECT pg_advisory_xact_lock(%s, id) FROM unnest(%s::int[]) AS camera (id)",
            (CAMERA_LOCK, sorted(camera_ids)),
        )


def _placed(conn: Connection, report: ReportedEvent) -> ReportedEvent | None:
    """The report under the id of the occurrence that it speaks of.

    A camera that numbers no events tells only which condition began or is over. What it says
    while an occurrence is open, or about a time within one, belongs to that one. An end of which
    no beginning is known (the state a camera sends after it connects, or an occurrence that was
    over by its time limit) is None: nothing to look at is left, and it must not look like news.
    """
    event = report.event
    if not event.recurring:
        return report
    known = _find_occurrence(conn, report)
    if known is None and event.phase is EventPhase.END:
        return None
    began = occurrence_id(event.event_id, event.start_at)
    event_id, own = known or (began, True)
    phase = event.phase
    if phase is EventPhase.NEW and event_id != began:
        phase = EventPhase.UPDATE  # said again of what is going on: it lasts
    names = {"condition": event.event_id}
    if event.repeated_as:
        names["repeated_as"] = event.repeated_as
    special = own or bool(event.repeated_as)
    placed = replace(
        event,
        event_id=event_id,
        phase=phase,
        # An end says less than the beginning did, and a general report less than the special one.
        type=event.type if special and phase is not EventPhase.END else "",
        attributes={**event.attributes, **names} if special else {},
    )
    return replace(report, event=placed)


def _find_occurrence(conn: Connection, report: ReportedEvent) -> tuple[str, bool] | None:
    """Event id of the occurrence, and whether it is one of the very condition reported."""
    event = report.event
    found: tuple[str, bool] | None = conn.execute(
        """
        SELECT event_id, attributes->>'condition' = %(condition)s AS own
        FROM video_event
        WHERE camera_id = %(camera_id)s AND start_at <= %(latest)s
          AND (end_at IS NULL OR end_at > %(at)s OR (%(over)s AND end_at = %(at)s))
          AND ((attributes ? 'condition' AND attributes->>'condition' = %(condition)s)
               OR (NOT %(over)s AND attributes ? 'repeated_as'
                   AND attributes->>'repeated_as' = %(condition)s)
               OR (NOT %(over)s AND attributes ? 'condition' AND start_at >= %(earliest)s
                   AND attributes->>'condition' = %(repeated_as)s))
        ORDER BY own DESC, start_at DESC
        LIMIT 1
        """,
        {
            "camera_id": report.camera_id, "condition": event.event_id,
            "repeated_as": event.repeated_as or None,
            "over": event.phase is EventPhase.END, "at": event.end_at or event.start_at,
            "earliest": event.start_at - REPEATED_WITHIN,
            "latest": (event.end_at or event.start_at) + REPEATED_WITHIN,
        },
    ).fetchone()  # fmt: skip
    return found


def _upsert(conn: Connection, report: ReportedEvent) -> VideoChange:
    """Reports may come late, twice and out of order: `end` is final, the review untouched."""
    row = conn.execute(
        """
        INSERT INTO video_event AS known
            (camera_id, event_id, district, type, phase, start_at, end_at, end_due_at, confidence,
             bbox, snapshot, model, model_version, attributes, received_at, look_at)
        VALUES (%(camera_id)s, %(event_id)s, %(district)s, %(type)s, %(phase)s, %(start_at)s,
                %(end_at)s, %(end_due_at)s, %(confidence)s, %(bbox)s, %(snapshot)s, %(model)s,
                %(model_version)s, %(attributes)s, %(received_at)s, %(received_at)s)
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
            attributes = known.attributes || excluded.attributes,
            look_at = CASE WHEN known.review = 'pending' THEN excluded.look_at
                           ELSE known.look_at END
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
    if report.event.snapshot:
        _hand_over_picture(conn, report)
    return VideoChange(row is not None, bool(row and row[0]), report.event.event_id)


def _hand_over_picture(conn: Connection, report: ReportedEvent) -> None:
    """To whoever takes pictures; what lies on this server is there."""
    event, content = report.event, inline_picture(report.event.snapshot)
    if content is not None or event.snapshot.startswith(("http://", "https://")):
        hand_over(
            conn, report.camera_id, event.event_id, report.district,
            "" if content else event.snapshot, content, report.received_at,
        )  # fmt: skip


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
        "snapshot": "" if event.snapshot.startswith("data:") else event.snapshot,
        "model": event.model,
        "model_version": event.model_version,
        "attributes": Jsonb(event.attributes),
        "received_at": report.received_at,
        "extend": EXTEND_BY_AT_LEAST,
    }
