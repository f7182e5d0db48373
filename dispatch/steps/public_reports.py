"""Reports from the public page: kept until somebody has looked at them, then cases or refused."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from shapely.geometry import Point, shape

from city.errors import Conflict, Forbidden, InvalidInput
from city.event import NewEvent
from city.incident import Role
from city.intake import Channel, PlainKind, PublicReport, ReportState
from city.intake_requests import IntakeRequest, ReportAcceptRequest, ReportRejectRequest
from city.person import Caller
from city.place import LonLat
from city.stale_version import is_stale_version
from db import districts, evidence, incidents, places, public_reports
from db.events import append_events
from db.evidence import NewEvidence
from db.pool import Connection
from db.public_reports import NewPhoto, NewReport, Sent
from dispatch.photos import IMAGES, inspect_file
from dispatch.steps.evidence import PHOTO_BEFORE
from dispatch.steps.intake import take_in
from dispatch.steps.telling import evidence_told

MODERATORS = frozenset({Role.ADMIN, Role.DISPATCHER, Role.CHECKER})
MOST_PHOTOS = 3
MOST_TEXT = 1000
MOST_PLACE = 200
MOST_PHONE = 30
PHONE_SIGNS = frozenset("0123456789 +-()")
PUBLIC = "public"  # the actor of what nobody signed in for


def send_report(
    conn: Connection,
    once: str,
    kind: str,
    said: str,
    place_said: str,
    at: LonLat | None,
    phone: str,
    photos: Sequence[tuple[str, bytes]],
    now: datetime,
) -> Sent:
    """Keep what somebody sent: photos are (media type, content). Raises `InvalidInput`."""
    _check_words(kind, said, place_said, phone)
    district = _district_of(conn, at)
    if at is None and not place_said:
        raise InvalidInput("place", "", "is required")
    if len(photos) > MOST_PHOTOS:
        raise InvalidInput("photo", len(photos), f"are more than {MOST_PHOTOS}")
    zone = places.zone_of(conn, district)
    kept = []
    for media_type, content in photos:
        facts = inspect_file(content, media_type, zone)
        if facts.media_type not in IMAGES.values():
            raise InvalidInput("photo", facts.media_type, "is no picture")
        kept.append(
            NewPhoto(
                media_type=facts.media_type,
                sha256=hashlib.sha256(content).digest(),
                content=content,
                taken_at=facts.taken_at,
                lon=facts.taken_from.lon if facts.taken_from else None,
                lat=facts.taken_from.lat if facts.taken_from else None,
                shown=facts.shown,
            )
        )
    place = places.place_at(conn, district, at) if at else places.Place()
    new = NewReport(
        district=district,
        once=once,
        kind=kind,
        said=said,
        place_said=place_said,
        lon=at.lon if at else None,
        lat=at.lat if at else None,
        unit_grid=place.unit_grid,
        street=place.street,
        community=place.community,
        phone=phone,
        received_at=now,
    )
    sent = public_reports.insert_report(conn, new, kept)
    if sent.is_new:
        told = {"kind": kind, "photos": len(kept)}
        subject = f"report:{sent.report_id}"
        append_events(
            conn, [NewEvent(now, district, "report.received", subject, PUBLIC, dict(told))]
        )
    return sent


def _check_words(kind: str, said: str, place_said: str, phone: str) -> None:
    if kind not in set(PlainKind):
        raise InvalidInput("kind", kind, "must be one of " + ", ".join(PlainKind))
    if not said:
        raise InvalidInput("said", said, "is required")
    for name, text, most in (
        ("said", said, MOST_TEXT), ("place", place_said, MOST_PLACE), ("phone", phone, MOST_PHONE),
    ):  # fmt: skip
        if len(text) > most:
            raise InvalidInput(name, len(text), f"is longer than {most} characters")
    if phone and (not set(phone) <= PHONE_SIGNS or not any(c.isdigit() for c in phone)):
        raise InvalidInput("phone", phone, "is no telephone number")


def _district_of(conn: Connection, at: LonLat | None) -> str:
    """The district in which the place lies; without a place the only one there is."""
    known = districts.list_codes(conn)
    for code in known:
        if at is None or shape(places.outline_of(conn, code)).covers(Point(at.lon, at.lat)):
            return code
    where = None if at is None else (at.lon, at.lat)
    raise InvalidInput("place", where, "lies outside the city", code="outside")


def accept_report(
    conn: Connection, caller: Caller, report_id: int, request: ReportAcceptRequest, now: datetime
) -> int:
    """A report becomes a case, or one more caller of one; gives the id of the case."""
    found = _lock_waiting(conn, caller, report_id, request.version)
    lon = found.lon if request.lon is None else request.lon
    lat = found.lat if request.lat is None else request.lat
    if request.joins is None and not request.category:
        raise InvalidInput("category", request.category, "is required")
    wanted = IntakeRequest(
        channel=Channel.PUBLIC,
        description=found.said if not found.place_said else f"{found.said}\n{found.place_said}",
        category=request.category,
        lon=lon,
        lat=lat,
        phone=found.phone,
        external_number=found.code,
        call_back=bool(found.phone),
        joins=request.joins,
        verify=request.verify,
    )
    received = take_in(conn, caller, wanted, now)
    _hand_photos_on(conn, caller, found, received.incident_id, now)
    public_reports.decide_report(
        conn, report_id, ReportState.ACCEPTED.value, caller.name, now,
        incident_id=received.incident_id,
    )  # fmt: skip
    _tell(conn, caller, found, "report.accepted", now, incident=received.incident_id)
    return received.incident_id


def _hand_photos_on(
    conn: Connection, caller: Caller, report: PublicReport, incident_id: int, now: datetime
) -> None:
    """The photos become evidence of the case, with the time at which they came."""
    incident = incidents.find(conn, incident_id)
    for ordinal, photo in enumerate(public_reports.list_contents(conn, report.id), start=1):
        suffix = photo.media_type.rpartition("/")[2]
        new = NewEvidence(
            incident_id=incident_id,
            stage=PHOTO_BEFORE,
            filename=f"report-{report.id}-{ordinal}.{suffix}",
            uploaded_by=PUBLIC,
            uploaded_at=now,
            **vars(photo),
        )
        evidence_id, is_new = evidence.insert_evidence(conn, new)
        if is_new:
            elsewhere = evidence.list_uses_elsewhere(conn, incident_id, photo.sha256)
            append_events(
                conn, [evidence_told(incident, caller, new, evidence_id, None, elsewhere)]
            )


def reject_report(
    conn: Connection,
    caller: Caller,
    report_id: int,
    request: ReportRejectRequest,
    now: datetime,
    *,
    spam: bool = False,
) -> None:
    """A report is not taken on; of spam the pictures go at once."""
    found = _lock_waiting(conn, caller, report_id, request.version)
    state = ReportState.SPAM if spam else ReportState.REJECTED
    public_reports.decide_report(
        conn, report_id, state.value, caller.name, now, reason=request.reason.value
    )
    if spam:
        public_reports.drop_photos(conn, report_id)
    _tell(conn, caller, found, f"report.{state.value}", now, reason=request.reason.value)


def _lock_waiting(conn: Connection, caller: Caller, report_id: int, version: int) -> PublicReport:
    if caller.role not in MODERATORS:
        raise Forbidden(f"a {caller.role.value} may not decide what the public reports")
    found = public_reports.lock_report(conn, caller.scope, report_id)
    if found.state != ReportState.WAITING or is_stale_version(version, found.version):
        raise Conflict(
            f"report {report_id} is {found.state} already",
            current={"id": found.id, "state": found.state, "version": found.version},
        )
    return found


def _tell(
    conn: Connection,
    caller: Caller,
    report: PublicReport,
    kind: str,
    now: datetime,
    **payload: object,
) -> None:
    subject = f"report:{report.id}"
    told = NewEvent(now, report.district, kind, subject, caller.name, dict(payload))
    append_events(conn, [told])
