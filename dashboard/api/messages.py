"""`/deliveries`, `/channels`, `/contact`: who was told what, on which way, and how a person is
reached. The address of a person is shown to nobody but them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from flask import Blueprint, Response, g

from city.contact import read_contact
from city.delivery import ChannelKind, ChannelMode, Contact, DeliveryState, PushTarget
from city.errors import Forbidden, InvalidInput, NotFound
from city.event import NewEvent
from city.incident import Role
from city.person import Caller
from city.push import is_host_allowed
from city.requests import BrowserRemoveRequest, BrowserRequest, ContactRequest
from dashboard.api.answers import json_answer, known_id, read_body, read_once, stored_answer
from dashboard.api.params import check_choice, cursor_key, page, read_list_query
from dashboard.shell.auth import current_caller
from dashboard.shell.changes import CREATED, change
from dashboard.shell.gate import SessionKey
from dashboard.shell.parts import parts
from db import contacts, deliveries, incidents, message_settings
from db.deliveries import DeliveryRow
from db.events import append_events
from db.pool import Connection, transaction
from db.scopes import refuse_outside

# Who sees what everybody was told; others see what they were told themselves.
CENTRE = (Role.ADMIN, Role.DISPATCHER, Role.LEADER)
FILTERS: dict[str, type] = {"incident": int, "person": str, "state": str, "channel": str}
STATES = tuple(DeliveryState)
BROWSER_MAX = 200

messages = Blueprint("messages", __name__)


class DeliveryItem(msgspec.Struct, kw_only=True):
    """A message to one recipient on one channel. `person` is empty for a group; `to` is the
    address with most of it left out. Times are those at which each was known."""

    id: int
    incident: int | None
    step: str
    clock: str
    person: str
    channel: str
    kind: str
    to: str
    rings: bool
    urgent: bool
    state: str
    title: str
    text: str
    tries: int
    problem: str
    queued_at: datetime
    due_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    seen_at: datetime | None
    seen_by: str
    acknowledged_at: datetime | None
    acknowledged_by: str
    ended_at: datetime | None


class ChannelItem(msgspec.Struct, kw_only=True):
    """A channel and how it does; `problem` is that of its newest try, empty where that went out.
    `reaches_me`: a message on it would reach the caller."""

    name: str
    kind: str
    mode: str
    personal: bool
    reaches_me: bool
    waiting: int
    oldest_at: datetime | None
    sent_24h: int
    failed_24h: int
    problem: str


class ContactAnswer(msgspec.Struct, kw_only=True):
    """`push_key` is what a browser subscribes with; empty where no channel of that kind is on."""

    email: str
    phone: str
    lang: str
    quiet_from: str
    quiet_to: str
    push_key: str
    browsers: list[dict[str, Any]]


class TestAnswer(msgspec.Struct):
    """The deliveries that were queued."""

    deliveries: list[int]


class KnownAnswer(msgspec.Struct):
    """How many messages count as acknowledged now."""

    acknowledged: int


@messages.get("/deliveries")
def list_deliveries() -> Response:
    query, caller = read_list_query(FILTERS), current_caller()
    check_choice(query.filters, "state", STATES)
    key, incident = cursor_key(query, int), query.filters.get("incident")
    state = query.filters.get("state")
    with transaction(parts().pool) as conn:
        rows = deliveries.list_deliveries(
            conn,
            caller.district,
            incident_id=incident,
            person=_whose(conn, caller, query.filters.get("person"), incident),
            states=None if state is None else [state],
            channel=query.filters.get("channel"),
            since=query.since,
            below=key[0] if key else None,
            limit=query.limit + 1,
        )
    answer = page(rows, query.limit, lambda row: [row.id])
    answer["items"] = [item_of(row) for row in rows[: query.limit]]
    return json_answer(answer)


def _whose(
    conn: Connection, caller: Caller, person: str | None, incident: int | None
) -> str | None:
    """Of a case that they see everybody who works cases sees who was told; of all cases, whoever is
    of the centre and of the whole district."""
    if incident is not None and caller.role is not Role.VIEWER:
        for found in incidents.list_by_id(conn, [incident], caller.district):
            refuse_outside(conn, caller.scope, found)
        return person
    if caller.role in CENTRE and caller.within is None:
        return person
    if person not in (None, caller.name):
        raise Forbidden("what others were told is seen by the centre")
    return caller.name


@messages.post("/incidents/<int:incident_id>/known")
def acknowledge(incident_id: int) -> Response:
    caller, known = current_caller(), known_id("incident", incident_id)

    def work(conn: Connection, now: datetime) -> Any:
        return {"acknowledged": parts().ports.messages.acknowledge(conn, caller, known, now)}

    return stored_answer(change(caller, work, once=read_once()))


@messages.get("/channels")
def list_channels() -> Response:
    caller, now = current_caller(), datetime.now(UTC)
    with transaction(parts().pool) as conn:
        channels = message_settings.list_channels(conn, caller.district)
        # How much there is to tell in the whole district is for people of all of it.
        states = deliveries.list_lane_states(conn, caller.district, now)
        lanes = {s.channel: s for s in states if caller.within is None}
        contact = contacts.find_contact(conn, caller.name)
        browsers = contacts.list_push_targets(conn, caller.district, caller.name)
    reached = {
        ChannelKind.EMAIL: bool(contact.email),
        ChannelKind.SMS: bool(contact.phone),
        ChannelKind.PUSH: bool(browsers),
    }
    items = []
    for channel in channels:
        lane = lanes.get(channel.name)
        items.append(
            {
                "name": channel.name,
                "kind": channel.kind,
                "mode": channel.mode,
                "personal": channel.is_personal,
                "reaches_me": reached.get(channel.kind, False),
                "waiting": lane.waiting if lane else 0,
                "oldest_at": lane.oldest_at if lane else None,
                "sent_24h": lane.sent_24h if lane else 0,
                "failed_24h": lane.failed_24h if lane else 0,
                "problem": lane.problem if lane and caller.role in CENTRE else "",
            }
        )
    return json_answer({"items": items, "next": None})


@messages.post("/channels/<name>/test")
def send_test(name: str) -> Response:
    caller = current_caller()

    def work(conn: Connection, now: datetime) -> Any:
        channels = {c.name: c for c in message_settings.list_channels(conn, caller.district)}
        channel = channels.get(name)
        if channel is not None and not channel.is_personal and caller.role is not Role.ADMIN:
            raise Forbidden("a message to a group is sent by an administrator")
        return {"deliveries": parts().ports.messages.send_test(conn, caller, name, now)}

    return stored_answer(change(caller, work, once=read_once(), status=CREATED))


# One's own


@messages.get("/contact")
def get_contact() -> Response:
    caller = _person()
    with transaction(parts().pool) as conn:
        return json_answer(_contact(conn, caller))


@messages.post("/contact")
def set_contact() -> Response:
    caller = _person()
    contact = read_contact(caller.name, read_body(ContactRequest))

    def work(conn: Connection, now: datetime) -> Any:
        contacts.save_contact(conn, contact)
        _tell(conn, caller, "user.contact_changed", now)
        return _contact(conn, caller)

    return stored_answer(change(caller, work, once=read_once()))


@messages.post("/contact/browsers")
def add_browser() -> Response:
    caller, asked = _person(), read_body(BrowserRequest)
    sid = g.key.sid if isinstance(g.key, SessionKey) else ""
    parts().ports.messages.check_keys(asked.p256dh, asked.auth)

    def work(conn: Connection, now: datetime) -> Any:
        channels = [
            c
            for c in message_settings.list_channels(conn, caller.district)
            if c.kind is ChannelKind.PUSH and c.mode is not ChannelMode.OFF
        ]
        if not channels:
            raise InvalidInput("endpoint", asked.endpoint, "no channel to browsers is on")
        if not any(is_host_allowed(asked.endpoint, c.hosts) for c in channels):
            problem = "is at no host that an administrator has allowed for messages to browsers"
            raise InvalidInput("endpoint", asked.endpoint[:200], problem, code="push_host")
        target = PushTarget(
            0, caller.name, asked.endpoint, asked.p256dh, asked.auth,
            asked.browser[:BROWSER_MAX], now, sid,
        )  # fmt: skip
        contacts.add_push_target(conn, target)
        _tell(conn, caller, "user.browser_added", now)
        return _contact(conn, caller)

    return stored_answer(change(caller, work, once=read_once(), status=CREATED))


@messages.post("/contact/browsers/remove")
def remove_browser() -> Response:
    caller, asked = _person(), read_body(BrowserRemoveRequest)

    def work(conn: Connection, now: datetime) -> Any:
        if not contacts.remove_push_target(conn, caller.name, asked.endpoint):
            raise NotFound("browser", asked.endpoint[:200])
        _tell(conn, caller, "user.browser_removed", now)
        return _contact(conn, caller)

    return stored_answer(change(caller, work, once=read_once()))


def _person() -> Caller:
    caller = current_caller()
    if caller.name.startswith("token:"):
        raise Forbidden("a token is no person who could be reached")
    return caller


def _tell(conn: Connection, caller: Caller, kind: str, now: datetime) -> None:
    """That something changed; what it is now stays with the person."""
    subject = f"user:{caller.name}"
    append_events(conn, [NewEvent(now, caller.district, kind, subject, caller.name, {})])


def _contact(conn: Connection, caller: Caller) -> dict[str, Any]:
    contact: Contact = contacts.find_contact(conn, caller.name)
    channels = message_settings.list_channels(conn, caller.district)
    push = any(c.kind is ChannelKind.PUSH and c.mode is not ChannelMode.OFF for c in channels)
    browsers = contacts.list_push_targets(conn, caller.district, caller.name)
    return {
        "email": contact.email,
        "phone": contact.phone,
        "lang": contact.lang,
        "quiet_from": f"{contact.quiet_from:%H:%M}" if contact.quiet_from else "",
        "quiet_to": f"{contact.quiet_to:%H:%M}" if contact.quiet_to else "",
        "push_key": parts().ports.messages.public_key(parts().gate.secret_key) if push else "",
        "browsers": [
            {"endpoint": b.endpoint, "browser": b.browser, "created_at": b.created_at}
            for b in browsers
        ],
    }


def item_of(row: DeliveryRow) -> dict[str, Any]:
    """A delivery without its link, which is its reader's, and without the whole address."""
    return {
        "id": row.id,
        "incident": row.incident_id,
        "step": row.step,
        "clock": row.clock,
        "person": row.person,
        "channel": row.channel,
        "kind": row.kind,
        "to": masked(row.kind, row.target),
        "rings": row.rings,
        "urgent": row.urgent,
        "state": row.state,
        "title": row.title,
        "text": row.body,
        "tries": row.tries,
        "problem": row.problem,
        "queued_at": row.queued_at,
        "due_at": row.due_at,
        "sent_at": row.sent_at,
        "delivered_at": row.delivered_at,
        "seen_at": row.seen_at,
        "seen_by": row.seen_by,
        "acknowledged_at": row.acknowledged_at,
        "acknowledged_by": row.acknowledged_by,
        "ended_at": row.ended_at,
    }


def masked(kind: str, target: str) -> str:
    """Enough to know one's own address by."""
    if kind == ChannelKind.EMAIL:
        name, _, host = target.partition("@")
        return f"{name[:1]}…@{host}"
    if kind == ChannelKind.SMS:
        return f"…{target[-4:]}"
    return ""
