"""One delivery from its queue to its channel: claimed, judged, sent outside of any transaction,
and written down."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from city.delivery import TEST, Channel, ChannelKind, ChannelMode, DeliveryState, Step
from city.errors import InvalidInput
from db import contacts, deliveries, incidents, places, squads
from db import deadlines as clocks
from db.deliveries import DeliveryRow
from db.events import append_events
from db.pool import Connection
from notify.backoff import next_try
from notify.channels.outcome import Message, NotSent, Way
from notify.channels.registry import SENDERS, limit_of
from notify.judge import Matter, is_news
from notify.messages import fit
from notify.recipients import on_duty, quiet_until
from notify.steps import SESSION, as_person, outcome_told

log = logging.getLogger(__name__)

ACTOR = "system"
DRY_RUN, TOO_LATE, NO_NEWS, NOT_THERE = "dry_run", "too_late", "no_news", "not_there"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours until the lease ends."""

    row: DeliveryRow
    message: Message


def claim(
    conn: Connection,
    district: str,
    channel: Channel,
    base_url: str,
    now: datetime,
    lease: timedelta,
) -> Claimed | bool:
    """The next message of a channel, to be sent now. True: one was put off or taken back, there
    may be another one; False: nothing is due."""
    row = deliveries.claim_due(conn, district, channel.name, now, lease)
    if row is None:
        return False
    state, why = _judge(conn, row, channel, now)
    message = _message(conn, row, channel, base_url, now)
    if isinstance(why, datetime):
        deliveries.put_off(conn, row.id, why)
        return True
    if state is not None:
        deliveries.end_delivery(conn, row.id, state, why, message.text, now)
        append_events(conn, [outcome_told(row, state.value, ACTOR, now)])
        return True
    return Claimed(row, message)


def _judge(
    conn: Connection, row: DeliveryRow, channel: Channel, now: datetime
) -> tuple[DeliveryState | None, str | datetime]:
    """How it ends without being sent, and why; or until when it waits; (None, ""): it is sent."""
    if now >= row.expires_at:
        return DeliveryState.FAILED, TOO_LATE if not row.problem else row.problem
    if row.incident_id is not None and not _is_news(conn, row):
        return DeliveryState.WITHDRAWN, NO_NEWS
    if row.person and row.step != TEST:
        people = contacts.list_reachable(conn, row.district, now - SESSION)
        person = next((p for p in people if p.name == row.person), None)
        local = now.astimezone(places.zone_of(conn, row.district))
        duty = on_duty(squads.list_squads(conn, row.district, near=now), local)
        if person is None or not as_person(person, duty).is_there:
            return DeliveryState.WITHDRAWN, NOT_THERE
        quiet = quiet_until(person.quiet_from, person.quiet_to, local)
        if quiet and not row.urgent:
            return None, quiet
    if channel.mode is ChannelMode.DRY_RUN:
        return DeliveryState.WITHDRAWN, DRY_RUN
    return None, ""


def _is_news(conn: Connection, row: DeliveryRow) -> bool:
    assert row.incident_id is not None
    found = incidents.list_by_id(conn, [row.incident_id], None)
    matter = Matter(Step(row.step), row.clock, row.attempt)
    return bool(found) and is_news(matter, found[0], clocks.list_deadlines(conn, row.incident_id))


def _message(
    conn: Connection, row: DeliveryRow, channel: Channel, base_url: str, now: datetime
) -> Message:
    link = f"{base_url}/m/{row.token}" if base_url else ""
    push = channel.kind is ChannelKind.PUSH
    title, shown = ("", "") if push else (row.title, link)
    text = fit(title, row.body, shown, limit_of(channel))
    found = incidents.list_by_id(conn, [row.incident_id], None) if row.incident_id else []
    return Message(
        target=row.target,
        title=row.title,
        text=text,
        link=link,
        key=row.token,
        step=row.step,
        number=found[0].number if found else "",
        lang=row.lang,
        rings=row.rings,
        urgent=row.urgent,
        ttl_s=max(0, int((row.expires_at - now).total_seconds())),
        now=now,
        browser=contacts.find_push_target(conn, int(row.target)) if push else None,
    )


def send(way: Way, message: Message) -> DeliveryState | NotSent:
    """Outside of any transaction; whatever goes wrong is an answer."""
    try:
        return SENDERS[way.channel.kind](way, message)
    except NotSent as error:
        return error
    except InvalidInput as error:  # a secret that is not where the channel says
        return NotSent(str(error))
    except Exception as error:
        log.exception("channel %s failed", way.channel.name)
        return NotSent(f"{type(error).__name__}: {error}"[:200])


def settle(
    conn: Connection, claimed: Claimed, answer: DeliveryState | NotSent, now: datetime
) -> None:
    """Write down what became of it."""
    row, text = claimed.row, claimed.message.text
    if isinstance(answer, DeliveryState):
        deliveries.mark_sent(conn, row.id, answer, text, now)
        append_events(conn, [outcome_told(row, "sent", ACTOR, now)])
        return
    if answer.gone:
        contacts.forget_push_target(conn, int(row.target))
    due = None if answer.permanent else next_try(row.tries, now, row.expires_at, answer.wait_s)
    if due is not None:
        deliveries.mark_missed(conn, row.id, answer.problem, due)
        return
    deliveries.end_delivery(conn, row.id, DeliveryState.FAILED, answer.problem, text, now)
    append_events(conn, [outcome_told(row, "failed", ACTOR, now)])
