"""Pictures of video events are taken, kept and forgotten: units of work."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.known import load_rules
from alerts.video.credentials import NO_CREDENTIALS, Credentials
from alerts.video.fetch import TIMEOUT_S, Host, NotFetched, fetch, host_of_camera
from alerts.video.pictures import Picture, blur, inspect_picture, regions_of
from alerts.video.review import REVIEWERS
from alerts.video.verdicts import (
    SNAPSHOT_BLUR,
    SNAPSHOT_DAYS,
    SNAPSHOT_THEN,
    VideoRule,
    load_cameras,
    rule_for,
)
from city.errors import InvalidInput
from city.event import NewEvent
from city.person import Caller
from db import video_snapshots
from db.events import append_events
from db.pool import Connection
from db.video_snapshots import StoredSnapshot, WaitingSnapshot

SYSTEM = "system"
# A camera that restarts needs minutes.
AGAIN_AFTER = (timedelta(seconds=15), timedelta(minutes=2), timedelta(minutes=15))
FORGOTTEN_AT_ONCE = 50


def take(
    waiting: WaitingSnapshot,
    hosts: Sequence[Host],
    timeout_s: float = TIMEOUT_S,
    credentials: Credentials = NO_CREDENTIALS,
) -> tuple[bytes, Picture]:
    """The picture of an event, from its message or from its host. Raises `NotFetched`."""
    content = waiting.content
    if content is None:
        allowed = (*hosts, *host_of_camera(waiting.address))
        content = fetch(
            waiting.url,
            allowed,
            timeout_s,
            lambda host, port, is_own: credentials.login_for(
                waiting.camera, host, port, is_own=is_own
            ),
        )
    try:
        return content, inspect_picture(content)
    except InvalidInput as error:
        raise NotFetched(f"{waiting.host or waiting.camera}: {error}", refused=True) from error


def keep(
    conn: Connection, waiting: WaitingSnapshot, content: bytes, picture: Picture, now: datetime
) -> None:
    """Store a picture with its hash and the day on which it is forgotten."""
    rule = _rule_of(conn, waiting.camera_id, waiting.type, now)
    days = rule.snapshot_days if rule is not None else SNAPSHOT_DAYS
    digest = hashlib.sha256(content).digest()
    video_snapshots.store(
        conn, waiting.camera_id, waiting.event_id, media_type=picture.media_type,
        width=picture.width, height=picture.height, sha256=digest, content=content, now=now,
        forget_at=now + timedelta(days=days) if days else None, number=waiting.number,
    )  # fmt: skip
    facts = {"sha256": digest.hex(), "bytes": len(content), "host": waiting.host}
    _tell(conn, waiting, "video.snapshot_stored", facts, now)


def miss(conn: Connection, waiting: WaitingSnapshot, error: NotFetched, now: datetime) -> None:
    """A picture did not come: asked again later, or never where that would not help."""
    over = error.refused or waiting.attempts > len(AGAIN_AFTER)
    again_at = None if over else now + AGAIN_AFTER[waiting.attempts - 1]
    state = "refused" if error.refused else "failed" if over else "waiting"
    video_snapshots.give_up(
        conn,
        waiting.camera_id,
        waiting.event_id,
        state,
        error.problem[:500],
        again_at,
        waiting.number,
    )
    if over:
        _tell(conn, waiting, f"video.snapshot_{state}", {"problem": error.problem[:500]}, now)


def forget_old(conn: Connection, now: datetime) -> int:
    """Pictures that have been kept as long as their rule says are blurred or deleted; those of
    confirmed events belong to a case and are blurred."""
    found = video_snapshots.list_to_forget(conn, now, FORGOTTEN_AT_ONCE)
    rules = list(load_rules(conn, now).values()) if found else []
    cameras = load_cameras(conn, rules, [one.camera_id for one in found])
    for one in found:
        rule = rule_for(rules, one.type, cameras.get(one.camera_id))
        then = rule.snapshot_then if rule is not None else SNAPSHOT_THEN
        blurs = then == "blur" or one.review == "confirmed"
        content = blur(one.content, regions_of(one.attributes)) if blurs else None
        video_snapshots.forget(
            conn, one.camera_id, one.event_id, content, "image/jpeg" if blurs else "", one.number
        )
        facts: dict[str, object] = {"sha256": one.sha256.hex()}
        if content is not None:
            facts["blurred_sha256"] = hashlib.sha256(content).hexdigest()
        _tell(conn, one, f"video.snapshot_{'blurred' if blurs else 'deleted'}", facts, now)
    return len(found)


def picture_for(
    conn: Connection, caller: Caller, camera_id: int, event_id: str, now: datetime
) -> tuple[bytes, str] | None:
    """Content and type of a stored picture, as this caller may see it."""
    found = video_snapshots.find_stored(conn, caller.district, camera_id, event_id)
    if found is None:
        return None
    rule = _rule_of(conn, camera_id, found.type, now)
    how = rule.snapshot_blur if rule is not None else SNAPSHOT_BLUR
    if how == "none" or found.blurred or caller.role in REVIEWERS:
        return found.content, found.media_type
    regions = regions_of(found.attributes) if how == "regions" else None
    return blur(found.content, regions), "image/jpeg"


def _rule_of(conn: Connection, camera_id: int, type_: str, now: datetime) -> VideoRule | None:
    rules = list(load_rules(conn, now).values())
    return rule_for(rules, type_, load_cameras(conn, rules, [camera_id]).get(camera_id))


def _tell(
    conn: Connection,
    one: WaitingSnapshot | StoredSnapshot,
    kind: str,
    facts: dict[str, object],
    now: datetime,
) -> None:
    payload = {"camera": one.camera, "event_id": one.event_id, **facts}
    subject = f"video:{one.camera}/{one.event_id}"
    append_events(conn, [NewEvent(now, one.district, kind, subject, SYSTEM, payload)])
