"""Photos and documents handed in for an incident."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from datetime import datetime

from city.act_time import SaidTime
from city.errors import Conflict, Forbidden, InvalidInput
from city.event import NewEvent
from city.incident import VOICE_NOTE, VOICE_TYPES, Incident, Role
from city.person import Caller, system_caller
from city.place import distance_m
from db import evidence, incidents, places, video_snapshots
from db.districts import longest_phone_wait
from db.events import append_events
from db.evidence import NewEvidence
from db.pool import Connection, is_away
from db.scopes import refuse_outside
from db.video_snapshots import OwedPicture, StoredSnapshot
from dispatch.act_time import judge_time
from dispatch.guard import FILE_EVIDENCE, allowed, current_state
from dispatch.photos import FileFacts, inspect_file
from dispatch.steps.telling import evidence_told

log = logging.getLogger(__name__)

MAX_NAME = 200
# What whoever reported a matter saw; the case need not be with their squad.
PHOTO_BEFORE = "photo_before"
ONLOOKERS = frozenset({Role.VIEWER, Role.LEADER})


def add_evidence(
    conn: Connection,
    caller: Caller,
    incident_id: int,
    stage: str,
    filename: str,
    media_type: str,
    content: bytes,
    now: datetime,
    said: SaidTime | None = None,
) -> int:
    """Store a file once and give its id; the same file again changes nothing. `said` is when it
    was made by the phone's clock, where the file itself does not tell."""
    incident = incidents.find(conn, incident_id, caller.district)
    refuse_outside(conn, caller.scope, incident)
    _check(incident, caller, stage)
    zone = places.zone_of(conn, incident.district)
    facts = inspect_file(content, media_type, zone)
    _same_kind(stage, facts)
    if said is not None and facts.taken_at is None:
        longest = longest_phone_wait(conn, incident.district)
        made = judge_time(said, now, incident.opened_at, longest)
        facts = replace(facts, taken_at=None if made.doubt else made.at)
    new = _row(incident, caller, stage, filename, content, facts, now)
    evidence_id, is_new = evidence.insert_evidence(conn, new)
    if is_new:
        elsewhere = evidence.list_uses_elsewhere(conn, incident.id, new.sha256)
        metres = _metres_away(incident, facts)
        told = evidence_told(incident, caller, new, evidence_id, metres, elsewhere)
        append_events(conn, [told])
    return evidence_id


def add_pictures(conn: Connection, incident: Incident, now: datetime) -> list[NewEvent]:
    """The picture of the video event that a case was opened for becomes its first evidence, with
    the time of the event. One that comes later is added then (`take_late_picture`). Answers what
    is to be told."""
    kind, _, named = (incident.condition or "").partition("/")
    event_id = named.partition("/")[2]
    if kind != "video" or incident.device_id is None:
        return []
    video_snapshots.note_case(conn, incident.device_id, event_id, incident.id)
    owed = video_snapshots.claim_owed(conn, incident.id)
    return [] if owed is None else _add_picture(conn, incident, owed.picture, now)


def take_late_picture(conn: Connection, now: datetime) -> bool:
    """Add a picture that came when its case was open already, to the case that it went into where
    it was merged; False when none waits. One that cannot be added holds up nobody: it stays with
    its event. The caller commits."""
    owed = video_snapshots.claim_owed(conn)
    if owed is None:
        return False
    try:
        with conn.transaction():  # a savepoint: the claim survives a failure
            _take(conn, owed, now)
    except Exception as error:
        if is_away(error):
            raise
        log.exception("a picture of %s does not become evidence", owed.picture.camera)
        video_snapshots.mark_taken(conn, owed.picture)
    return True


def _take(conn: Connection, owed: OwedPicture, now: datetime) -> None:
    incident = incidents.find_for_update(conn, owed.incident_id)
    while incident.merged_into is not None:
        incident = incidents.find_for_update(conn, incident.merged_into)
    if incident.is_open:
        append_events(conn, _add_picture(conn, incident, owed.picture, now))
    else:
        video_snapshots.mark_taken(conn, owed.picture)


def _add_picture(
    conn: Connection, incident: Incident, found: StoredSnapshot, now: datetime
) -> list[NewEvent]:
    video_snapshots.mark_taken(conn, found)
    suffix = found.media_type.rpartition("/")[2]
    more = f"-{found.number + 1}" if found.number else ""
    caller = system_caller(incident.district)
    # When a later picture was taken nobody says: it came between the event and now.
    facts = FileFacts(found.media_type, None if found.number else found.start_at)
    filename = f"{found.camera}{more}.{suffix}"
    new = _row(incident, caller, PHOTO_BEFORE, filename, found.content, facts, now)
    evidence_id, is_new = evidence.insert_evidence(conn, new)
    if not is_new:
        return []
    elsewhere = evidence.list_uses_elsewhere(conn, incident.id, new.sha256)
    return [evidence_told(incident, caller, new, evidence_id, None, elsewhere)]


def _check(incident: Incident, caller: Caller, stage: str) -> None:
    if stage not in FILE_EVIDENCE:
        raise InvalidInput("stage", stage, f"must be one of {', '.join(sorted(FILE_EVIDENCE))}")
    if caller.role in ONLOOKERS:
        raise Forbidden(f"a {caller.role.value} may not hand in evidence")
    own = stage == PHOTO_BEFORE and incident.reported_by == caller.name
    if caller.role is Role.SQUAD_LEADER and incident.squad != caller.squad and not own:
        raise Forbidden(f"incident {incident.number} is not with squad {caller.squad}")
    if caller.role is Role.SQUAD_LEADER and stage == "check_photo":
        raise Forbidden("nobody checks their own work")
    if not incident.is_open:
        raise Conflict(
            f"incident {incident.number} is {incident.state.value}",
            current=current_state(incident),
            allowed=allowed(incident, caller),
        )


def _same_kind(stage: str, facts: FileFacts) -> None:
    """What is heard is a voice note, and nothing else is one."""
    if (stage == VOICE_NOTE) != (facts.media_type in VOICE_TYPES):
        problem = f"a {stage} cannot be {facts.media_type}"
        raise InvalidInput("file", facts.media_type, problem)


def _row(
    incident: Incident,
    caller: Caller,
    stage: str,
    filename: str,
    content: bytes,
    facts: FileFacts,
    now: datetime,
) -> NewEvidence:
    # Only the last part of a path, and nothing a terminal or a header could trip over.
    name = filename.replace("\\", "/").rpartition("/")[2]
    shown = "".join(c for c in name if c.isprintable())[:MAX_NAME]
    return NewEvidence(
        incident_id=incident.id,
        stage=stage,
        filename=shown or stage,
        media_type=facts.media_type,
        sha256=hashlib.sha256(content).digest(),
        content=content,
        taken_at=facts.taken_at,
        lon=facts.taken_from.lon if facts.taken_from else None,
        lat=facts.taken_from.lat if facts.taken_from else None,
        uploaded_by=caller.name,
        uploaded_at=now,
        shown=facts.shown,
    )


def _metres_away(incident: Incident, facts: FileFacts) -> int | None:
    """How far from the incident the picture says it was taken."""
    if facts.taken_from is None:
        return None
    return round(distance_m(incident.at, facts.taken_from))
