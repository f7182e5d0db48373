"""The units of work of messages: who is told of what the log says, and what people do with it.

Each is one transaction of the caller's. The place in the log moves in the same transaction as the
deliveries are queued, so that whatever dies, each thing is queued once.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from city.clock import ClockKind, Deadline
from city.delivery import (
    TEST,
    Channel,
    ChannelKind,
    Contact,
    DeliveryState,
    EscalationStep,
    NewDelivery,
    Step,
)
from city.errors import InvalidInput, NotFound
from city.event import Event, NewEvent
from city.incident import Incident
from city.person import Caller, system_caller
from city.scope import Scope
from db import (
    categories,
    contacts,
    deliveries,
    incidents,
    intake,
    message_settings,
    places,
    squads,
)
from db import deadlines as clocks
from db.contacts import Reachable
from db.deliveries import DeliveryRow
from db.events import append_events, last_seq
from db.pool import Connection, is_away
from db.scopes import is_inside, read_within, refuse_outside
from notify import push_cipher
from notify.judge import Matter, clock_of, expiry, is_news, is_page
from notify.messages import Facts, word_step, word_test
from notify.recipients import Asked, Person, choose, on_duty, quiet_until

log = logging.getLogger(__name__)

# What of the log is told, as which step.
STEPS: Mapping[str, Step] = {
    "incident.opened": Step.OPENED,
    "incident.escalated": Step.OPENED,
    "incident.dispatched": Step.DISPATCHED,
    "incident.reworked": Step.DISPATCHED,
    "incident.due_soon": Step.REMINDER,
    "incident.overdue": Step.OVERDUE,
    "incident.reply_due_soon": Step.REMINDER,
    "incident.reply_overdue": Step.OVERDUE,
    "incident.yellow_card": Step.YELLOW,
    "incident.red_card": Step.RED,
}
ACKNOWLEDGED = "incident.acknowledged"
KINDS = frozenset(STEPS) | {ACKNOWLEDGED}
TOLD = "incident.told"
# Events looked at in one transaction.
BATCH = 100
# What happened longer ago is told by its next step.
OLD = timedelta(days=1)
# As long as a session may last (`dashboard.shell.gate`).
SESSION = timedelta(days=30)
KEEP = timedelta(days=400)
TOKEN_BYTES = 18
NOBODY, NOT_TOLD, NO_CHANNEL = "nobody", "error", "no_channel"
SYSTEM_LANG = "zh"

public_key = push_cipher.public_key
check_keys = push_cipher.check_keys


def follow(conn: Connection, now: datetime) -> bool:
    """Queue what the newest events ask to be told; False where nothing was new."""
    after = deliveries.lock_cursor(conn)
    if after is None:
        return False
    head = last_seq(conn)
    news = deliveries.list_news(conn, after, KINDS, now - OLD, BATCH)
    told: list[NewEvent] = []
    for event in news:
        told += _take(conn, event, now)
    seen = news[-1].seq if len(news) == BATCH else max([head, *(e.seq for e in news)])
    if seen > after:
        deliveries.move_cursor(conn, seen)
    append_events(conn, told)
    return bool(news)


def _take(conn: Connection, event: Event, now: datetime) -> list[NewEvent]:
    """One event behind a savepoint: one that cannot be told says so, and holds up no other."""
    try:
        with conn.transaction():
            found = incidents.list_by_id(conn, [int(event.subject.partition(":")[2])], None)
            if not found:
                return []
            if event.kind == ACKNOWLEDGED:
                return _acknowledged(conn, found[0], event.actor, now, groups=True)
            return _tell(conn, event, found[0], now)
    except Exception as error:
        if is_away(error):
            raise
        log.exception("event %s cannot be told", event.seq)
        deliveries.insert_delivery(conn, _untold(event, now))
        return []


def _untold(event: Event, now: datetime) -> NewDelivery:
    """The row that says that something of ours stood in the way."""
    return NewDelivery(
        event.district, int(event.subject.partition(":")[2]), event.seq,
        STEPS.get(event.kind, Step.OPENED), "", 0, "", "", "", "", SYSTEM_LANG, "", "",
        secrets.token_urlsafe(TOKEN_BYTES), False, False, now, None, now,
        DeliveryState.FAILED, NOT_TOLD,
    )  # fmt: skip


def _tell(conn: Connection, event: Event, incident: Incident, now: datetime) -> list[NewEvent]:
    channels = [
        channel
        for channel in message_settings.list_channels(conn, incident.district)
        if channel.mode != "off"
    ]
    if not channels:
        return []
    matter = Matter(
        STEPS[event.kind],
        str(event.payload.get("clock", "")),
        int(event.payload.get("attempt", 0)),
    )
    step = message_settings.list_steps(conn, incident.district)[matter.step]
    if incident.severity > step.severity:
        return []
    running = _clocks(conn, incident, matter)
    if not is_news(matter, incident, running):
        return []
    telling = Telling(conn, event, incident, matter, channels, now)
    return telling.queue(step)


def _clocks(conn: Connection, incident: Incident, matter: Matter) -> list[Deadline]:
    """Those of the case, or what its callers wait for, where the matter is of that."""
    if matter.clock == ClockKind.REPLY:
        return intake.list_reply_clocks(conn, incident.id)
    return clocks.list_deadlines(conn, incident.id)


class Telling:
    """One step of one case on its way to everybody concerned."""

    def __init__(
        self,
        conn: Connection,
        event: Event,
        incident: Incident,
        matter: Matter,
        channels: Sequence[Channel],
        now: datetime,
    ) -> None:
        self._conn, self._event, self._incident = conn, event, incident
        self._matter, self._channels, self._now = matter, channels, now
        self._zone = places.zone_of(conn, incident.district)
        self._clock = clock_of(matter, _clocks(conn, incident, matter))
        category = categories.find(conn, incident.category, incident.category_version)
        self._gas = category.needs_release
        self._page = is_page(incident)
        self._urgent = self._gas and incident.severity == 1 and self._page
        self._place = places.place_at(conn, incident.district, incident.at)
        self._squads = squads.list_squads(conn, incident.district, near=now)
        self._words: dict[str, tuple[str, str]] = {}

    def queue(self, step: EscalationStep) -> list[NewEvent]:
        """A delivery for each way to each person, and each group's channel; where there is none,
        a row that says so."""
        people = self._concerned()
        chosen = self._choose(step, people)
        since = self._clock.started_at if self._clock else self._incident.opened_at
        know = deliveries.list_acknowledgers(self._conn, self._incident.id, since)
        reached: list[str] = []
        ways: list[str] = []
        for person in (p for name in chosen for p in people if p.name == name):
            for channel, target in self._ways(person, rings=self._page and person.name not in know):
                if self._insert(channel, person, target, rings=person.name not in know):
                    reached.append(person.name)
                    ways.append(channel.name)
        for channel in self._channels:
            meant = channel.name in step.channels and not channel.is_personal
            if meant and self._insert(channel, None, "", rings=True):
                ways.append(channel.name)
        if not ways:
            self._insert(None, None, "", rings=False)
        return [self._told(list(dict.fromkeys(reached)), list(dict.fromkeys(ways)))]

    def _concerned(self) -> list[Reachable]:
        """Everybody but those who are bounded to divisions that the case does not lie in."""
        district = self._incident.district
        people = contacts.list_reachable(self._conn, district, self._now - SESSION)
        inside = {
            divisions: is_inside(
                self._conn, Scope(district, read_within(self._conn, divisions)), self._incident
            )
            for divisions in {tuple(person.divisions) for person in people}
        }
        return [person for person in people if inside[tuple(person.divisions)]]

    def _choose(self, step: EscalationStep, people: Sequence[Reachable]) -> list[str]:
        local = self._now.astimezone(self._zone)
        duty = on_duty(self._squads, local)
        squad = next((s for s in self._squads if s.code == self._incident.squad), None)
        asked = Asked(
            self._matter.clock,
            self._incident.squad,
            squad is not None and squad.is_on_duty(local),
            self._gas,
        )
        return choose(step.recipients, asked, [as_person(p, duty) for p in people])

    def _ways(self, person: Reachable, *, rings: bool) -> list[tuple[Channel, str]]:
        """A text message always rings."""
        found: list[tuple[Channel, str]] = []
        for channel in self._channels:
            if channel.kind is ChannelKind.EMAIL and person.email:
                found.append((channel, person.email))
            elif channel.kind is ChannelKind.SMS and person.phone and rings:
                found.append((channel, person.phone))
            elif channel.kind is ChannelKind.PUSH:
                targets = contacts.list_push_targets(
                    self._conn, self._incident.district, person.name
                )
                found += [(channel, str(target.id)) for target in targets]
        return found

    def _insert(
        self, channel: Channel | None, person: Reachable | None, target: str, *, rings: bool
    ) -> bool:
        lang = person.lang if person else SYSTEM_LANG
        title, body = self._text(lang)
        ends = expiry(self._matter, self._clock, self._now)
        if person and not self._urgent:
            local = self._now.astimezone(self._zone)
            quiet = quiet_until(person.quiet_from, person.quiet_to, local)
            ends = max(ends, quiet + timedelta(hours=1)) if quiet else ends
        new = NewDelivery(
            district=self._incident.district,
            incident_id=self._incident.id,
            event_seq=self._event.seq,
            step=self._matter.step,
            clock=self._matter.clock,
            attempt=self._matter.attempt,
            person=person.name if person else "",
            channel=channel.name if channel else "",
            kind=channel.kind if channel else "",
            target=target,
            lang=lang,
            title=title,
            body=body,
            token=secrets.token_urlsafe(TOKEN_BYTES),
            rings=rings and self._page,
            urgent=self._urgent,
            queued_at=self._now,
            due_at=self._now if channel else None,
            expires_at=ends,
            state=DeliveryState.QUEUED if channel else DeliveryState.FAILED,
            problem="" if channel else NOBODY,
        )
        return deliveries.insert_delivery(self._conn, new) is not None

    def _text(self, lang: str) -> tuple[str, str]:
        if lang not in self._words:
            self._words[lang] = word_step(self._matter.step, self._facts(lang), lang)
        return self._words[lang]

    def _facts(self, lang: str) -> Facts:
        incident = self._incident
        zh = lang == "zh"
        squad = next((s for s in self._squads if s.code == incident.squad), None)
        clock = self._clock
        return Facts(
            number=incident.number,
            title=incident.title_zh if zh else incident.title_en,
            where=self._place.community_name or self._place.street_name or "",
            severity=incident.severity,
            clock=clock.clock if clock else "",
            due_at=clock.due_at.astimezone(self._zone) if clock else None,
            squad=(squad.name_zh if zh else squad.name_en) if squad else "",
        )

    def _told(self, people: list[str], channels: list[str]) -> NewEvent:
        payload = {
            "number": self._incident.number,
            "step": self._matter.step.value,
            "clock": self._matter.clock,
            "people": people,
            "channels": channels,
        }
        caller = system_caller(self._incident.district)
        return NewEvent(
            self._now,
            self._incident.district,
            TOLD,
            self._incident.subject,
            caller.name,
            {name: value for name, value in payload.items() if value},
        )


def as_person(row: Reachable, duty: Mapping[str, bool]) -> Person:
    """With what the rosters say of them now."""
    return Person(row.name, row.role, row.squad, row.signed_in, duty.get(row.name))


def outcome_told(row: DeliveryRow, kind: str, actor: str, now: datetime) -> NewEvent:
    """The event of what became of a delivery; addresses stay out of the log."""
    payload = {
        "incident": row.incident_id,
        "step": row.step,
        "person": row.person,
        "channel": row.channel,
        "tries": row.tries,
    }
    return NewEvent(
        now,
        row.district,
        f"message.{kind}",
        f"delivery:{row.id}",
        actor,
        {name: value for name, value in payload.items() if value},
    )


# What people do


def _acknowledged(
    conn: Connection, incident: Incident, person: str, now: datetime, *, groups: bool
) -> list[NewEvent]:
    deliveries.withdraw(conn, incident.id, person, "acknowledged", now)
    ids = deliveries.mark_acknowledged(conn, incident.id, person, now, groups=groups)
    if not ids:
        return []
    rows = {r.id: r for r in deliveries.list_deliveries(
        conn, incident.district, incident_id=incident.id, limit=1_000)}  # fmt: skip
    return [outcome_told(rows[i], "acknowledged", person, now) for i in ids if i in rows]


def acknowledge(conn: Connection, caller: Caller, incident_id: int, now: datetime) -> int:
    """Somebody has read what they were told of a case: nothing wakes them for it any more. Gives
    the number of messages."""
    found = incidents.list_by_id(conn, [incident_id], caller.district)
    if not found:
        raise NotFound("incident", incident_id)
    refuse_outside(conn, caller.scope, found[0])
    told = _acknowledged(conn, found[0], caller.name, now, groups=False)
    append_events(conn, told)
    return len(told)


def open_link(conn: Connection, caller: Caller, token: str, now: datetime) -> int | None:
    """Somebody who is signed in has opened the link of a message: it is seen, where it was theirs
    or a group's. Gives the case; raises `NotFound` for no link of this district."""
    row = deliveries.find_by_token(conn, token)
    if row is None or row.district != caller.district:
        raise NotFound("message", token)
    if row.person in ("", caller.name) and deliveries.mark_seen(conn, row.id, caller.name, now):
        append_events(conn, [outcome_told(row, "seen", caller.name, now)])
    return row.incident_id


def confirm(conn: Connection, token: str, now: datetime) -> bool:
    """A browser says that a push message has arrived."""
    row = deliveries.find_by_token(conn, token)
    if row is None or deliveries.mark_delivered(conn, token, now) is None:
        return False
    append_events(conn, [outcome_told(row, "delivered", row.person, now)])
    return True


def send_test(conn: Connection, caller: Caller, name: str, now: datetime) -> list[int]:
    """A message to try a channel with: to the caller, or to the group."""
    channels = {c.name: c for c in message_settings.list_channels(conn, caller.district)}
    channel = channels.get(name)
    if channel is None:
        raise NotFound("channel", name)
    if channel.mode == "off":
        raise InvalidInput("channel", name, "is switched off", code="channel_off")
    contact = contacts.find_contact(conn, caller.name)
    targets = _targets_of(conn, channel, contact, caller.district)
    if not targets:
        raise InvalidInput(
            "channel", name, "reaches you in no way: enter your address first", code="no_address"
        )
    title, body = word_test(name, contact.lang)
    ids = []
    for target in targets:
        new = NewDelivery(
            caller.district, None, None, TEST, "", 0,
            caller.name if channel.is_personal else "", name, channel.kind, target, contact.lang,
            title, body, secrets.token_urlsafe(TOKEN_BYTES), True, True, now, now,
            now + timedelta(minutes=10),
        )  # fmt: skip
        ids.append(deliveries.insert_delivery(conn, new))
    return [i for i in ids if i is not None]


def _targets_of(conn: Connection, channel: Channel, contact: Contact, district: str) -> list[str]:
    if channel.kind is ChannelKind.EMAIL:
        return [contact.email] if contact.email else []
    if channel.kind is ChannelKind.SMS:
        return [contact.phone] if contact.phone else []
    if channel.kind is ChannelKind.PUSH:
        found = contacts.list_push_targets(conn, district, contact.person)
        return [str(target.id) for target in found]
    return [""]


def tidy(conn: Connection, now: datetime) -> None:
    """A channel that is no more keeps nobody waiting."""
    deliveries.withdraw_stranded(conn, NO_CHANNEL, now)


def forget(conn: Connection, now: datetime) -> None:
    deliveries.forget_old(conn, now - KEEP)
    contacts.forget_sessions(conn, now - SESSION)
