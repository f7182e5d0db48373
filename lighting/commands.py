"""Orders to lamps and what becomes of their commands; each step is one unit of work.

A command is given to a lamp by a row of the outbox, which whoever holds the broker's session
publishes. What comes back is handed over by ingest: an answer, or the state that a lamp reports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.event import NewEvent
from city.lighting import (
    COMMANDERS,
    CommandState,
    LampCommand,
    Target,
    TargetKind,
    check_level,
    check_why,
)
from city.message import NewMessage
from city.person import Caller
from city.scope import Scope
from db import feeds, lamp_commands, outbox
from db.events import append_events
from db.lamp_commands import Ended, NewOrder, TargetLamp
from db.pool import Connection
from db.scopes import refuse_devices_outside
from lighting.address import addressed, bases_of
from lighting.judge import (
    End,
    Ignored,
    Send,
    encode,
    judge_answer,
    judge_state,
    next_sending,
)
from wire.command import CannotCommand

SYSTEM = "system"
# Commands and answers of one tick, a second each: more wait for the next one.
SENT_AT_ONCE = 2_000
JUDGED_AT_ONCE = 5_000
# Codes that an event names; the number of all of them stands beside.
NAMED_MAX = 200
UNTIL_MAX = timedelta(days=7)
# What a later command takes the place of.
SUPERSEDED = End(CommandState.CANCELLED, "a later command", "later")


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order that was given; `cancelled` are commands of earlier ones that it ended."""

    order_id: int
    lamps: int
    cancelled: int


def find_lamps(conn: Connection, scope: Scope, target: Target) -> list[TargetLamp]:
    """The lamps that a target means; refuses one that means none, and codes that are no lamps."""
    found = lamp_commands.list_target(conn, scope.district, target)
    if target.kind is TargetKind.LAMPS:
        missing = sorted(set(target.lamps) - {lamp.code for lamp in found})
        if missing:
            named = ", ".join(missing[:5])
            raise InvalidInput("lamps", named, "are no lamps in service here")
    if not found:
        raise NotFound(f"lamp in service in {target.kind.value}", target.code)
    refuse_devices_outside(conn, scope, [lamp.id for lamp in found])
    return found


def check_order(caller: Caller, level: int, why: str, until: datetime | None, now: datetime) -> str:
    """The reason, if this person may give such an order."""
    if caller.role not in COMMANDERS:
        takes = ", ".join(sorted(role.value for role in COMMANDERS))
        raise Forbidden(f"{caller.role.value} may not do this; it takes one of: {takes}")
    check_level(level)
    if until is not None and not now < until <= now + UNTIL_MAX:
        raise InvalidInput("until", until, "must be in the future, at most seven days ahead")
    return check_why(why)


def order(
    conn: Connection,
    caller: Caller,
    target: Target,
    level: int,
    why: str,
    now: datetime,
    *,
    until: datetime | None = None,
) -> tuple[Ordered, list[NewEvent]]:
    """Queue a command for every lamp of the target. The events are the caller's to append."""
    why = check_order(caller, level, why, until, now)
    lamps = find_lamps(conn, caller.scope, target)
    new = NewOrder(caller.district, target, level, until, caller.name, why, len(lamps), now)
    found = put_order(conn, new, lamps, now)
    assert found is not None, "only steps of programmes are asked for once"
    ordered, events = found
    if target.kind is TargetKind.LAMP:
        given = lamp_commands.list_open_of_order(conn, caller.district, ordered.order_id)
        _check_can(_with_topics(conn, given))
    return ordered, events


def put_order(
    conn: Connection, new: NewOrder, lamps: Sequence[TargetLamp], now: datetime
) -> tuple[Ordered, list[NewEvent]] | None:
    """Store an order and its commands; None if this step of a programme was asked for before."""
    lamp_commands.lock_orders(conn, new.district)
    number = lamp_commands.insert_order(conn, new)
    if number is None:
        return None
    ids = sorted(lamp.id for lamp in lamps)
    before = lamp_commands.list_open_of_lamps(conn, ids)
    ended = [(command, SUPERSEDED) for command in before]
    _write(conn, ended, now)
    _call_off(conn, before)
    lamp_commands.insert_commands(conn, number, new.district, ids, new.level, now)
    told = {
        "target": new.target.kind.value, "code": new.target.code, "level": new.level,
        "why": new.why, "lamps": len(lamps), "named": [lamp.code for lamp in lamps][:NAMED_MAX],
        "until": new.until.isoformat() if new.until else None,
    }  # fmt: skip
    if new.programme:
        told["programme"] = new.programme
    events = [
        NewEvent(now, new.district, "lamps.ordered", f"lamp_order:{number}", new.actor, told),
        *_events(ended, new.actor, now),
    ]
    return Ordered(number, len(lamps), len(before)), events


def _check_can(commands: Sequence[LampCommand]) -> None:
    """One lamp that cannot be commanded is refused at once, by name."""
    try:
        for command in commands:
            encode(command)
    except CannotCommand as error:
        current = {"refused": "cannot_command", "code": error.code, "fact": error.fact}
        raise Conflict(str(error), current=current) from error


def cancel(
    conn: Connection, caller: Caller, order_id: int, why: str, now: datetime
) -> tuple[int, list[NewEvent]]:
    """End what is open of an order; how many commands that were. What a lamp has done stays."""
    if caller.role not in COMMANDERS:
        raise Forbidden(f"{caller.role.value} may not do this")
    why = check_why(why)
    found = lamp_commands.list_open_of_order(conn, caller.district, order_id)
    if not found:
        if not lamp_commands.list_orders(
            conn, caller.scope, below=None, limit=1, order_id=order_id
        ):
            raise NotFound("lamp order", order_id)
        raise Conflict("nothing of this order is open any more", current={"order": order_id})
    refuse_devices_outside(conn, caller.scope, [command.device_id for command in found])
    over = [(command, End(CommandState.CANCELLED, why)) for command in found]
    _write(conn, over, now)
    _call_off(conn, found)
    return len(found), _events(over, caller.name, now, why=why)


def tick(conn: Connection, now: datetime) -> int:
    """Judge what came back, then send what is due; how much was done. Two at once share it."""
    answered = _judge_answers(conn, now)
    said = _judge_states(conn, now)
    sent = _send_due(conn, now)
    append_events(conn, [*answered, *said, *sent])
    return len(answered) + len(said) + len(sent)


def _judge_answers(conn: Connection, now: datetime) -> list[NewEvent]:
    answers = lamp_commands.take_answers(conn, JUDGED_AT_ONCE)
    if not answers:
        return []
    known = lamp_commands.find_tokens(conn, {each.answer.token for each in answers})
    found = lamp_commands.lock_commands(conn, [number for number, _, _ in known.values()])
    open_now = {command.token: command for command in found}
    over: list[tuple[LampCommand, End]] = []
    ignored: dict[tuple[str, Ignored], list[str]] = defaultdict(list)
    for each in answers:
        verdict = judge_answer(each.answer, each.device_id, open_now, known)
        if isinstance(verdict, End):
            over.append((open_now.pop(each.answer.token), verdict))
        else:
            ignored[each.district, verdict].append(each.device)
    _write(conn, over, now)
    notes = [
        NewEvent(
            now, district, "lamps.answer_ignored", "lamps:answers", SYSTEM,
            {"reason": reason.value, "lamps": len(devices),
             "named": sorted(set(devices))[:NAMED_MAX]},
        )
        for (district, reason), devices in ignored.items()
    ]  # fmt: skip
    return [*_events(over, SYSTEM, now), *notes]


def _judge_states(conn: Connection, now: datetime) -> list[NewEvent]:
    said = {each.command_id: each for each in lamp_commands.list_said_states(conn, JUDGED_AT_ONCE)}
    if not said:
        return []
    over = [
        (command, verdict)
        for command in lamp_commands.lock_commands(conn, sorted(said))
        if (verdict := judge_state(command, said[command.id].lamp_on, said[command.id].dim_pct))
    ]
    _write(conn, over, now)
    return _events(over, SYSTEM, now)


def _send_due(conn: Connection, now: datetime) -> list[NewEvent]:
    over: list[tuple[LampCommand, End]] = []
    sending: list[tuple[LampCommand, Send]] = []
    for command in _with_topics(conn, lamp_commands.claim_due(conn, now, SENT_AT_ONCE)):
        verdict = next_sending(command, now)
        if isinstance(verdict, End):
            over.append((command, verdict))
        else:
            sending.append((command, verdict))
    _write(conn, over, now)
    _call_off(conn, [command for command, _ in over])
    # What the broker has not taken yet is asked for once, however long it is away.
    outbox.withdraw(conn, [send.downlink.topic for _, send in sending if send.again])
    outbox.insert_messages(
        conn,
        [
            NewMessage(send.downlink.topic, send.downlink.payload, now, send.downlink.qos)
            for _, send in sending
        ],
    )
    lamp_commands.end_commands(
        conn,
        [
            Ended(command.id, CommandState.SENT, due_at=send.due_at, sent=True)
            for command, send in sending
        ],
        now,
    )
    return [*_events(over, SYSTEM, now), *_sent_events(sending, now)]


def _write(conn: Connection, over: Iterable[tuple[LampCommand, End]], now: datetime) -> None:
    lamp_commands.end_commands(
        conn, [Ended(c.id, end.state, end.detail, end.code, end.fact) for c, end in over], now
    )


def _call_off(conn: Connection, commands: Sequence[LampCommand]) -> None:
    """Take back what of these is not published yet."""
    topics = []
    for command in _with_topics(conn, commands):
        try:
            topics.append(encode(command).topic)
        except CannotCommand:  # nothing of it was ever sent
            continue
    outbox.withdraw(conn, topics)


def _with_topics(conn: Connection, commands: Sequence[LampCommand]) -> list[LampCommand]:
    """The same with the levels that their lamps' topics begin with."""
    bases = bases_of(feeds.list_feeds(conn)) if commands else {}
    return [replace(command, lamp=addressed(command.lamp, bases)) for command in commands]


def _events(
    over: Iterable[tuple[LampCommand, End]], actor: str, now: datetime, *, why: str = ""
) -> list[NewEvent]:
    """One event for all commands of an order that ended in the same way."""
    groups: dict[tuple[str, int, End], list[str]] = defaultdict(list)
    for command, end in over:
        groups[command.lamp.district, command.order_id, end].append(command.lamp.code)
    return [
        NewEvent(
            now, district, f"lamps.{end.state.value}", f"lamp_order:{order_id}", actor,
            {"why": why or end.detail, "lamps": len(codes), "named": sorted(codes)[:NAMED_MAX]},
        )
        for (district, order_id, end), codes in groups.items()
    ]  # fmt: skip


def _sent_events(sending: Iterable[tuple[LampCommand, Send]], now: datetime) -> list[NewEvent]:
    groups: dict[tuple[str, int, int], list[str]] = defaultdict(list)
    for command, _ in sending:
        key = command.lamp.district, command.order_id, command.attempts + 1
        groups[key].append(command.lamp.code)
    return [
        NewEvent(
            now, district, "lamps.sent", f"lamp_order:{order_id}", SYSTEM,
            {"attempt": attempt, "lamps": len(codes), "named": sorted(codes)[:NAMED_MAX]},
        )
        for (district, order_id, attempt), codes in groups.items()
    ]  # fmt: skip
