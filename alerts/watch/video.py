"""Video events: judged by a person, or filed by a measured precision; over when the camera says so,
or the time limit does.

Which of them a person has to see is in `alerts/video/standing.py`; a look at a district judges what
is new, lets verdicts hold that can no longer be taken back, and ends what is overdue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any, ClassVar

from alerts.book import SYSTEM, Finding
from alerts.fields import Fields
from alerts.judge import Clear
from alerts.lifecycle import Input
from alerts.rules import Rule
from alerts.video.precision import WINDOW, Precision, measure
from alerts.video.standing import HELD, REVIEW, Standing, judge_standing
from alerts.video.types import find_type, plain, type_names
from alerts.video.verdicts import (
    CONFIRMED,
    FILED,
    SNAPSHOT_BLUR,
    SNAPSHOT_DAYS,
    SNAPSHOT_THEN,
    Verdict,
    VideoRule,
    confirmed,
    load_cameras,
    mark,
    rule_for,
    verdict_of,
)
from alerts.watch.kind import Kind, Look, one_level
from city.area import Area
from city.device import WatchedDevice
from city.event import NewEvent
from city.scope import Scope
from city.video import LookedEvent, ReviewedEvent, VideoLimit
from db import alarms, areas, places, video_queue, video_reviews
from db.pool import Connection
from db.video_snapshots import hand_over

# Fewer verdicts say nothing that a rule may act on.
VERDICTS_AT_LEAST = 20
THEN, BLURS = ("delete", "blur"), ("none", "regions", "whole")


@dataclass(frozen=True, slots=True)
class VideoState:
    """`over` are conditions of alarms that stand although their events have ended or are overdue.
    `precision` is by camera and class; `events` are those in `looked` that a rule may file."""

    over: Sequence[str]
    looked: Sequence[LookedEvent] = ()
    events: Mapping[tuple[int, str], ReviewedEvent] = field(default_factory=dict)
    verdicts: Sequence[tuple[ReviewedEvent, Verdict]] = ()
    limits: Sequence[VideoLimit] = ()
    areas: Sequence[Area] = ()
    zone: tzinfo | None = None
    precision: Mapping[tuple[str, str], Precision] = field(default_factory=dict)
    cameras: Mapping[int, WatchedDevice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filed:
    """An event that a rule files by itself, and by what."""

    event: ReviewedEvent
    rule: VideoRule
    by: Precision


class VideoKind(Kind[VideoRule, VideoState]):
    """Raised by a review, or by a rule's own measure; never by looking at a picture."""

    name = "video"
    city_wide = False
    sentences: ClassVar = {
        CONFIRMED: (
            "{reviewer} 确认了视频事件 {type}",
            "{reviewer} confirmed the video event {type}",
        ),
        FILED: (
            "视频事件 {type} 自动立案：{judged} 次人工审核中 {right} 次属实（下限 {lower_pct}%）",
            "Video event {type} filed by rule: {right} of {judged} verdicts were right (at least"
            " {lower_pct} %)",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> VideoRule:
        types = frozenset(map(plain, fields.texts("types")))
        for name in sorted(types - set(type_names())):
            raise fields.wrong("types", name, f"must be of {', '.join(type_names())}")
        precision = fields.optional_number("auto_file_min_precision", 0.5, 1)
        verdicts = fields.optional_number("auto_file_min_verdicts", VERDICTS_AT_LEAST, 1_000_000)
        if (precision is None) != (verdicts is None):
            missing = "auto_file_min_precision" if precision is None else "auto_file_min_verdicts"
            raise fields.wrong(missing, None, "is missing: one is nothing without the other")
        return VideoRule(
            levels=one_level(fields),
            types=types,
            auto_file_min_precision=precision,
            auto_file_min_verdicts=int(verdicts or 0),
            snapshot_days=int(fields.number("snapshot_days", SNAPSHOT_DAYS, 0, 36_500)),
            snapshot_then=fields.one_of("snapshot_then", THEN, SNAPSHOT_THEN),
            snapshot_blur=fields.one_of("snapshot_blur", BLURS, SNAPSHOT_BLUR),
            **common,
        )

    def due(self, conn: Connection, rules: Sequence[VideoRule], now: datetime) -> list[str]:
        found = video_reviews.list_due_districts(conn, now)
        return sorted({*found, *video_queue.list_districts_to_look(conn, now)})

    def load(self, conn: Connection, rules: Sequence[VideoRule], look: Look) -> VideoState:
        over = video_reviews.list_over(conn, look.district, look.now)
        look.book.add(alarms.list_live_alarms(conn, conditions=over))
        claims = video_queue.list_due_verdicts(conn, look.district, look.now)
        looked = video_queue.list_to_look(conn, look.district, look.now)
        verdicts = []
        for claim in claims:
            event = video_reviews.find_event(conn, claim.camera_id, claim.event_id)
            if event is not None:
                verdicts.append((event, verdict_of(claim.verdict or {}, claim.reviewer)))
        ids = [event.camera_id for event in looked]
        ids += [event.camera_id for event, _ in verdicts]
        cameras = load_cameras(conn, rules, ids)
        state = VideoState(over, looked, verdicts=verdicts, cameras=cameras)
        if not looked:
            return state
        state = replace(
            state,
            limits=areas.list_limits(conn, look.district),
            areas=areas.list_areas(conn, look.district),
            zone=places.zone_of(conn, look.district),
        )
        return replace(state, **_for_filing(conn, rules, state, look))

    def judge(
        self, rules: Sequence[VideoRule], state: VideoState, now: datetime
    ) -> Iterator[Finding]:
        for condition in state.over:
            yield Finding(Clear(now), None, condition=condition)
        for event, said in state.verdicts:
            rule = rule_for(rules, event.type, state.cameras.get(event.camera_id))
            if _holds(event, said, rule) and said.verdict == "confirmed" and rule is not None:
                yield confirmed(rule, event, said.by)
        for filed in filed_by_rule(rules, state, now):
            by = filed.by
            yield confirmed(
                filed.rule, filed.event, SYSTEM,
                right=by.right, judged=by.judged, lower_pct=round(100 * by.lower, 1),
            )  # fmt: skip

    def settle(
        self, conn: Connection, state: VideoState, findings: Sequence[Finding], look: Look
    ) -> None:
        """Verdicts are kept, standings written; events whose cameras never said that they ended
        are ended."""
        rules = [rule for rule in look.rules.values() if isinstance(rule, VideoRule)]
        keys = {found.camera_event: found.key for found in findings if found.camera_event}
        for event, said in state.verdicts:
            rule = rule_for(rules, event.type, state.cameras.get(event.camera_id))
            if not _holds(event, said, rule):
                video_queue.drop_claim(conn, event.camera_id, event.event_id)
                continue
            category = None
            if said.verdict == "confirmed":
                look.book.act(keys[event.event_id], Input.ACKNOWLEDGE, said.by)
                category = _category(event)
            look.events += mark(conn, event, said, category, look.now)
        for filed in filed_by_rule(rules, state, look.now):
            said = Verdict("confirmed", SYSTEM)
            look.events += mark(conn, filed.event, said, _category(filed.event), look.now)
        self._write_standings(conn, state, look)
        look.events += [
            NewEvent(
                at=look.now,
                district=event.district,
                kind="video.ended",
                subject=f"video:{event.camera}/{event.event_id}",
                actor=SYSTEM,
                payload={"camera": event.camera, "event_id": event.event_id, "why": "time_limit"},
            )
            for event in video_reviews.end_overdue(conn, look.district, look.now)
        ]

    def _write_standings(self, conn: Connection, state: VideoState, look: Look) -> None:
        rows = []
        for event, found in standings(state, look.now):
            rows.append((
                event.camera_id, event.event_id, found.standing, found.why, found.area,
                found.priority, found.look_at,
            ))  # fmt: skip
            if found.standing == REVIEW and event.picture_at:
                hand_over(
                    conn, event.camera_id, event.event_id, look.district, event.picture_at, None,
                    look.now,
                )  # fmt: skip
            before = (event.standing, event.held_why, event.held_area)
            is_news = before != (found.standing, found.why, found.area)
            if is_news and found.standing in (HELD, REVIEW):
                payload = {"camera": event.camera, "event_id": event.event_id, "type": event.type}
                if found.why:
                    payload["why"] = found.why
                if found.area:
                    payload["area"] = found.area
                kind = "video.held" if found.standing == HELD else "video.queued"
                subject = f"video:{event.camera}/{event.event_id}"
                look.events.append(
                    NewEvent(look.now, look.district, kind, subject, SYSTEM, payload)
                )
        video_queue.set_standings(conn, rows)


def standings(state: VideoState, now: datetime) -> Iterator[tuple[LookedEvent, Standing]]:
    """Of every event that is looked at. Pure."""
    if state.zone is not None:
        for event in state.looked:
            yield event, judge_standing(event, state.limits, state.areas, state.zone, now)


def filed_by_rule(rules: Sequence[VideoRule], state: VideoState, now: datetime) -> Iterator[Filed]:
    """Events that come before a person only now, and that a rule files instead. Pure."""
    for looked, found in standings(state, now):
        event = state.events.get((looked.camera_id, looked.event_id))
        rule = rule_for(rules, looked.type, state.cameras.get(looked.camera_id))
        if event is None or rule is None or found.standing != REVIEW:
            continue
        known = find_type(looked.type)
        measured = state.precision.get((looked.camera, known.name if known else ""))
        if measured is not None and may_file(rule, measured):
            yield Filed(event, rule, measured)


def may_file(rule: VideoRule, measured: Precision) -> bool:
    """Whether enough people have said often enough that this camera is right. Pure."""
    return (
        rule.auto_file_min_precision is not None
        and measured.judged >= rule.auto_file_min_verdicts
        and measured.lower >= rule.auto_file_min_precision
    )


def _for_filing(
    conn: Connection, rules: Sequence[VideoRule], state: VideoState, look: Look
) -> dict[str, Any]:
    """Read only where a rule files by itself: the events with all that an alarm needs, and how
    often their cameras were right."""
    candidates = []
    for event, found in standings(state, look.now):
        rule = rule_for(rules, event.type, state.cameras.get(event.camera_id))
        is_new = event.standing != REVIEW and found.standing == REVIEW
        if is_new and rule is not None and rule.auto_file_min_precision is not None:
            candidates.append(event)
    if not candidates:
        return {}
    ids = sorted({event.camera_id for event in candidates})
    counted = video_queue.count_verdicts(conn, Scope(look.district), look.now - WINDOW, ids)
    events = {}
    for event in candidates:
        row = video_reviews.find_event(conn, event.camera_id, event.event_id)
        claim = video_queue.find_claim(conn, event.camera_id, event.event_id, look.now)
        if row is not None and row.review == "pending" and claim is None:
            events[event.camera_id, event.event_id] = row
    return {"events": events, "precision": {(p.camera, p.type): p for p in measure(counted)}}


def _holds(event: ReviewedEvent, said: Verdict, rule: Rule | None) -> bool:
    """A verdict that can be kept: nobody was faster, and there is still a rule for it."""
    fits = said.verdict != "confirmed" or (rule is not None and bool(_category(event)))
    return event.review == "pending" and fits


def _category(event: ReviewedEvent) -> str | None:
    known = find_type(event.type)
    return known.category if known else None
