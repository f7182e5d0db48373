"""What births, data and deaths of Sparkplug edge nodes mean for each other. Pure decisions.

Any worker may get any message, so nothing is remembered here: rows come in, rows go out. Messages
of one edge node reach several workers out of their order by moments; their times of receipt and
the session's sequence numbers put them back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from city.message import NewMessage
from city.moment import EPOCH
from city.reading import REASON_ALIAS, Decoded, MessageClass, StatusReport, TimeSource
from city.sparkplug import (
    HEARD_EVERY,
    MetricRow,
    NodeKey,
    NodeRow,
    SourceKey,
    SourceRow,
)
from wire.industry.sparkplug import NAME, SEQUENCE, Address, Kind, Telegram, decode, rebirth_topic
from wire.industry.sparkplug_metrics import BD_SEQ, MetricName, by_name_and_alias, metric_names
from wire.industry.sparkplug_payload import rebirth_command

# The specification's Reorder Timeout: a number that has not come after this is lost. Workers are
# some batches (tenths of a second) apart, a slow link a second or two.
REORDER_TIMEOUT = timedelta(seconds=5)
# An edge node with thousands of metrics needs seconds to send all births again; asking more often
# would keep it from its work.
REBIRTH_INTERVAL = timedelta(seconds=30)
# An edge node that nobody registered is asked for a rebirth once it was heard over this time: each
# name that somebody invents would cost a message else.
STRANGE_FOR = timedelta(minutes=1)
# Clocks of workers agree to a second. One that was further ahead has left times that the others
# would wait for.
AHEAD_LIMIT = timedelta(minutes=1)
# Numbers remembered that were counted: fewer than half of all, or they would look like new ones.
BEHIND_LIMIT = 96
# A broker publishes the Last Will of a connection that vanished after 1.5 keep-alives; brokers of
# clouds allow 20 minutes of keep-alive, hardly anybody asks for more.
WILL_OWED_FOR = timedelta(minutes=30)
# Sessions overtaken within that time that are remembered: a link that flaps every few minutes.
OVERTAKEN_LIMIT = 16

# Why a rebirth is asked for.
GAP = "sequence gap"  # called off when the missing message comes
LOST = "messages lost"
UNKNOWN_ALIAS = "unknown alias"  # called off by a birth of the device
UNBORN = "no birth"


def node_key(address: Address) -> NodeKey:
    """The edge node that a message is of."""
    return address.group, address.edge


def source_key(address: Address) -> SourceKey:
    """The edge node or device that a message is about."""
    return address.group, address.edge, address.device


# --- sequence numbers -----------------------------------------------------------------------


def place(node: NodeRow, seq: int, at: datetime) -> NodeRow:
    """The session after one more sequence number, received `at`."""
    next_seq = node.next_seq
    if node.born_at is not None and at < node.born_at and seq != next_seq:
        return node  # of the session before
    if next_seq is not None and not node.online:
        return _place_after_death(node, next_seq, seq, at)
    if next_seq is None and node.online:
        node = replace(node, next_seq=seq)  # its birth did not say where numbers begin
    elif next_seq is not None and node.gap_since and at - node.gap_since > REORDER_TIMEOUT:
        node = _give_up(node, next_seq)
    node = _settle(replace(node, recent=(*node.recent, (seq, at))), at)
    if node.gap_since is None:
        return call_off(node, GAP)
    return ask_rebirth(node, GAP, node.gap_since + REORDER_TIMEOUT)


def _place_after_death(node: NodeRow, next_seq: int, seq: int, at: datetime) -> NodeRow:
    """Numbers of a session that is said to be over count while they follow on without a gap. The
    first that does not, once stragglers are in, is of another session."""
    recent = tuple(came for came in (*node.recent, (seq, at)) if at - came[1] <= REORDER_TIMEOUT)
    node = replace(node, recent=recent[-BEHIND_LIMIT:])
    if seq == next_seq:
        return replace(node, next_seq=_after(seq))
    return replace(node, next_seq=None) if _is_long_dead(node, at) else node


def follows_death(node: NodeRow, seq: int | None, at: datetime) -> bool:
    """Whether a message goes on where a session ended that is said to be over."""
    is_dead = not node.online and node.death_at is not None and node.death_at < at
    return is_dead and seq is not None and seq == node.next_seq


def _is_long_dead(node: NodeRow, at: datetime) -> bool:
    """Too long for messages sent before the death to come behind it."""
    return node.death_at is not None and at - node.death_at > REORDER_TIMEOUT


def _after(seq: int) -> int:
    return (seq + 1) % SEQUENCE


def _distance(seq: int, next_seq: int) -> int:
    """How far ahead of the awaited number; negative for one that has gone by."""
    ahead = (seq - next_seq) % SEQUENCE
    return ahead if ahead < SEQUENCE // 2 else ahead - SEQUENCE


def _settle(node: NodeRow, at: datetime) -> NodeRow:
    """Count on over the numbers that are there; a gap is before the nearest one beyond."""
    if node.next_seq is None:
        recent = tuple(came for came in node.recent if at - came[1] <= REORDER_TIMEOUT)
        return replace(node, recent=recent[-BEHIND_LIMIT:])
    came = dict(node.recent)
    counted = 0
    while (node.next_seq + counted) % SEQUENCE in came and counted < SEQUENCE:
        counted += 1
    ahead = {seq: _distance(seq, node.next_seq) - counted for seq in came}
    # What was counted is kept for a while, too: it may be of a session whose birth is still with
    # another worker.
    recent = tuple(
        (seq, when)
        for seq, when in came.items()
        if ahead[seq] > 0 or (ahead[seq] >= -BEHIND_LIMIT and at - when <= REORDER_TIMEOUT)
    )
    gap_since = None
    if any(distance > 0 for distance in ahead.values()):
        gap_since = at if counted or node.gap_since is None else node.gap_since
    next_seq = (node.next_seq + counted) % SEQUENCE
    return replace(node, next_seq=next_seq, recent=recent, gap_since=gap_since)


def _give_up(node: NodeRow, next_seq: int) -> NodeRow:
    """Go on behind the numbers that did not come in time."""
    ahead = [seq for seq, _ in node.recent if _distance(seq, next_seq) > 0]
    nearest = min(ahead, key=lambda seq: _distance(seq, next_seq), default=next_seq)
    reason = LOST if node.rebirth_reason == GAP else node.rebirth_reason
    return replace(node, next_seq=nearest, gap_since=None, rebirth_reason=reason)


# --- requests for births --------------------------------------------------------------------


def ask_rebirth(node: NodeRow, reason: str, due_at: datetime) -> NodeRow:
    """Have all births sent again, not before `due_at` and not too soon after the last request.

    Who left a request unanswered is not asked again: it cannot answer, or worse (the command ends
    the network thread of a library in use)."""
    if node.rebirth_due_at is not None or node.rebirth_unanswered:
        return node
    if node.rebirth_asked_at is not None:
        due_at = max(due_at, node.rebirth_asked_at + REBIRTH_INTERVAL)
    return replace(node, rebirth_due_at=due_at, rebirth_reason=reason)


def call_off(node: NodeRow, *reasons: str) -> NodeRow:
    """No rebirth is needed any more for these reasons."""
    if node.rebirth_due_at is None or node.rebirth_reason not in reasons:
        return node
    return replace(node, rebirth_due_at=None, rebirth_reason="")


def pass_time(node: NodeRow, now: datetime) -> NodeRow:
    """A request whose time has come has gone out."""
    if node.rebirth_due_at is None or node.rebirth_due_at > now:
        return node
    return replace(
        node, rebirth_asked_at=node.rebirth_due_at, rebirth_due_at=None, rebirth_reason="",
        rebirth_unanswered=True,
    )  # fmt: skip


def _hear_answer(node: NodeRow, at: datetime) -> NodeRow:
    """A birth after a request answers it, unless the edge node died in between: then it did not
    answer, it was started anew."""
    asked_at, died_at = node.rebirth_asked_at, node.death_at
    if asked_at is None or at < asked_at or (died_at is not None and died_at > asked_at):
        return node
    return replace(node, rebirth_unanswered=False)


def without_future(node: NodeRow, now: datetime) -> NodeRow:
    """A session whose times a worker with a clock ahead of ours has written is not known."""
    times = (
        *(node.born_at, node.death_at, node.gap_since, node.rebirth_asked_at),
        *(node.rebirth_due_at, node.first_seen, node.heard_at),
        *(at for _, at in (*node.recent, *node.overtaken)),
    )
    if all(at is None or at <= now + AHEAD_LIMIT for at in times):
        return node
    return NodeRow(
        *node.key, online=node.online, first_seen=now, heard_at=now,
        rebirth_unanswered=node.rebirth_unanswered,
    )  # fmt: skip


def source_without_future(source: SourceRow, now: datetime) -> SourceRow:
    """The same for who was born or died: it was, but long ago for all we know."""
    born_at, died_at = source.born_at, source.died_at
    if born_at > now + AHEAD_LIMIT:
        born_at = EPOCH
    if died_at is not None and died_at > now + AHEAD_LIMIT:
        died_at = EPOCH
    return replace(source, born_at=born_at, died_at=died_at)


def hear(node: NodeRow, at: datetime) -> NodeRow:
    """When it was heard, without a change for every message."""
    return replace(node, heard_at=at) if at > node.heard_at + HEARD_EVERY else node


def is_strange(node: NodeRow, now: datetime) -> bool:
    """Heard for the first time only a moment ago."""
    return now - node.first_seen < STRANGE_FOR


def called_off(before: NodeRow, after: NodeRow, now: datetime) -> bool:
    """A request that waits in the outbox must not go out, or not then. One whose time has come
    may be with whoever publishes; only a birth makes it void."""
    waits = before.rebirth_due_at is not None and before.rebirth_due_at > now
    is_moved = waits and after.rebirth_due_at != before.rebirth_due_at
    return is_moved or after.born_at != before.born_at


def new_request(before: NodeRow, after: NodeRow, now: datetime) -> NewMessage | None:
    """The command to put into the outbox."""
    due_at = after.rebirth_due_at
    is_there = due_at == before.rebirth_due_at and not called_off(before, after, now)
    if due_at is None or is_there:
        return None
    return NewMessage(rebirth_topic(*after.key), rebirth_command(now), due_at)


# --- sessions -------------------------------------------------------------------------------


def begin_session(node: NodeRow, telegram: Telegram, at: datetime, *, retained: bool) -> NodeRow:
    """An edge node was born, or born again: sequence numbers start anew."""
    if node.born_at is not None and at <= node.born_at:
        return node  # stored already, or another worker has stored a later birth
    overtaken = _overtaken_by(node, telegram.bd_seq, at)
    node = _hear_answer(replace(node, overtaken=overtaken), at)
    is_dead = (
        node.death_at is not None
        and node.death_at > at
        and not _is_owed(node, node.death_bd_seq, node.death_at, telegram.bd_seq)
    )
    next_seq = None if telegram.seq is None or retained or is_dead else _after(telegram.seq)
    near = tuple(came for came in node.recent if at - came[1] <= REORDER_TIMEOUT)
    node = replace(
        node, online=not is_dead, bd_seq=telegram.bd_seq, born_at=at,
        next_seq=next_seq, recent=near, gap_since=None,
    )  # fmt: skip
    node = _settle(node, at)
    # What came before the birth and does not follow it belongs to the session before.
    later = tuple(came for came in node.recent if came[1] >= at)
    node = _settle(replace(node, recent=later, gap_since=None), at)
    node = call_off(node, GAP, LOST, UNKNOWN_ALIAS, UNBORN)
    if node.gap_since is None:
        return node
    return ask_rebirth(node, GAP, node.gap_since + REORDER_TIMEOUT)


def end_session(node: NodeRow, bd_seq: int | None, at: datetime) -> tuple[NodeRow, bool]:
    """An edge node's last word, and whether it is heeded: always, but for that of a session which
    the present one is known to have overtaken.

    The number alone does not tell: libraries in use say good-bye with one above that of their
    birth, or die with one below it. So a number is old only if an earlier birth had it and that
    session has not ended yet; the end of the wrong one is undone by what follows (`revive`)."""
    if node.born_at is not None and at < node.born_at:
        ended_later = tuple(session for session in node.overtaken if session[1] < at)
        return replace(node, overtaken=ended_later), False
    if _is_owed(node, bd_seq, at, node.bd_seq):
        return node, False
    node = replace(node, online=False, death_bd_seq=bd_seq, death_at=at, recent=(), gap_since=None)
    return call_off(node, GAP, LOST, UNKNOWN_ALIAS, UNBORN), True


def revive(node: NodeRow) -> NodeRow:
    """Its numbers go on: the death was of an earlier session, whichever number it carried."""
    return replace(node, online=True, death_bd_seq=None, death_at=None, overtaken=())


def _overtaken_by(
    node: NodeRow, bd_seq: int | None, at: datetime
) -> tuple[tuple[int, datetime], ...]:
    """Sessions whose Last Will may still come after the birth of `bd_seq`. A birth of the same
    number is of the same session, one after a death overtakes nobody."""
    overtaken = node.overtaken
    is_alive = node.online or (node.death_at is not None and node.death_at > at)
    if is_alive and node.bd_seq is not None:
        overtaken = (*overtaken, (node.bd_seq, at))
    owed = [s for s in overtaken if s[0] != bd_seq and at - s[1] <= WILL_OWED_FOR]
    return tuple(owed[-OVERTAKEN_LIMIT:])


def _is_owed(node: NodeRow, named: int | None, at: datetime, session: int | None) -> bool:
    """Whether a death that names this number is of a session before `session`."""
    if named is None or named == session:
        return False
    return any(number == named and at - since <= WILL_OWED_FOR for number, since in node.overtaken)


def _died_at(node: NodeRow) -> datetime | None:
    """When the edge node died, unless it is alive or was never seen."""
    return None if node.online else node.death_at


@dataclass(slots=True)
class Sessions:
    """The rows that the messages of one batch touch, as these messages change them."""

    now: datetime
    nodes: dict[NodeKey, NodeRow]
    sources: dict[SourceKey, SourceRow]
    names: dict[SourceKey, dict[int | str, MetricName]]
    strangers: Collection[NodeKey] = ()  # not asked for anything
    may_ask: bool = True  # whether anybody is
    touched: set[SourceKey] = field(default_factory=set)
    born: dict[SourceKey, list[MetricName]] = field(default_factory=dict)

    def take(self, telegram: Telegram, at: datetime, *, retained: bool = False) -> Decoded:
        """One message, received `at`, in the light of those before it."""
        key = node_key(telegram.address)
        decoded = self._take(key, telegram, at, retained=retained)
        if key in self.strangers or not self.may_ask:
            self.nodes[key] = replace(self.nodes[key], rebirth_due_at=None, rebirth_reason="")
        return decoded

    def _take(self, key: NodeKey, telegram: Telegram, at: datetime, *, retained: bool) -> Decoded:
        node = hear(pass_time(without_future(self.nodes[key], self.now), self.now), at)
        kind = telegram.address.kind
        if kind is Kind.NBIRTH:
            self.nodes[key] = begin_session(node, telegram, at, retained=retained)
            return self._node_birth(telegram, at, self.nodes[key])
        if kind is Kind.NDEATH:
            if retained and telegram.bd_seq not in (None, node.bd_seq):
                return _ignored(telegram, node)  # when that was said nobody knows
            self.nodes[key], heeded = end_session(node, telegram.bd_seq, at)
            return self._node_death(telegram, at) if heeded else _ignored(telegram, node)
        follows = not retained and follows_death(node, telegram.seq, at)
        back: list[Decoded] = []
        if follows and _is_long_dead(node, at):
            node, back = self._revive(node, telegram, at)
        if telegram.seq is not None and not retained:
            node = place(node, telegram.seq, at)
        if kind is Kind.DBIRTH:
            self.nodes[key], decoded = self._device_birth(node, telegram, at)
        elif kind is Kind.DDEATH:
            self.nodes[key], decoded = node, decode(telegram, at)
            self._die(source_key(telegram.address), at)
            decoded = _at_receipt(decoded, at, online=False)
        else:
            decoded = decode(telegram, at, self._names_at(telegram.address, at, node, follows))
            self.nodes[key] = node if follows else self._after_data(node, decoded, at)
        if back:
            return Decoded(NAME, decoded.message_class, parts=(*back, decoded))
        return decoded

    def metric_rows(self) -> list[MetricRow]:
        """The metrics of everybody who was born."""
        return [
            MetricRow(*key, name.name, name.alias, name.datatype, name.unit)
            for key, names in self.born.items()
            for name in names
        ]

    def _node_birth(self, telegram: Telegram, at: datetime, node: NodeRow) -> Decoded:
        if node.born_at == at:
            for source in self._devices(node.key):
                # Device births that came a moment before are of this session already.
                if source.born_at < at - REORDER_TIMEOUT:
                    self._die(source.key, at)
            self._be_born(telegram, at, _died_at(node))
        return apart(_at_receipt(decode(telegram, at), at, online=node.online))

    def _device_birth(
        self, node: NodeRow, telegram: Telegram, at: datetime
    ) -> tuple[NodeRow, Decoded]:
        known = self.sources.get(source_key(telegram.address))
        died_at = _died_at(node)
        is_dead = died_at is not None and died_at > at
        if known is None or at >= known.born_at:
            self._be_born(telegram, at, died_at if is_dead else None)
            node = call_off(node, UNKNOWN_ALIAS)
        if node.born_at is None:
            node = ask_rebirth(node, UNBORN, self.now + REORDER_TIMEOUT)
        return node, _at_receipt(decode(telegram, at), at, online=not is_dead)

    def _node_death(self, telegram: Telegram, at: datetime) -> Decoded:
        """The edge node and all devices behind it are gone, and what they said is stale."""
        own = _at_receipt(decode(telegram, at), at, online=False)
        gone = [
            source
            for source in self._devices(node_key(telegram.address))
            if source.died_at is None or source.died_at == at  # the same message, stored again
        ]
        self._die(source_key(telegram.address), at)
        for source in gone:
            self._die(source.key, at)
        if not gone:
            return own
        parts = (own, *(_dead_with(own, source) for source in gone))
        return Decoded(NAME, own.message_class, parts=parts)

    def _revive(
        self, node: NodeRow, telegram: Telegram, at: datetime
    ) -> tuple[NodeRow, list[Decoded]]:
        """The edge node is there after all, and so are the devices that died with it."""
        back = [_back_again(telegram, telegram.address.node, at)]
        for source in list(self.sources.values()):
            if (source.group_id, source.edge_id) == node.key and source.died_at == node.death_at:
                self.sources[source.key] = replace(source, died_at=None)
                self.touched.add(source.key)
                if source.device_id:
                    back.append(_back_again(telegram, "/".join(source.key), at))
        return revive(node), back

    def _after_data(self, node: NodeRow, decoded: Decoded, at: datetime) -> NodeRow:
        """Ask for births where data cannot be understood or its sender is not alive. A birth
        that is still with another worker calls this off in time."""
        died_at = _died_at(node)
        if node.born_at is None or (died_at is not None and died_at < at):
            return ask_rebirth(node, UNBORN, self.now + REORDER_TIMEOUT)
        if any(reject.reason == REASON_ALIAS for reject in decoded.rejects):
            return ask_rebirth(node, UNKNOWN_ALIAS, self.now + REORDER_TIMEOUT)
        return node

    def _names_at(
        self, address: Address, at: datetime, node: NodeRow, follows: bool
    ) -> dict[int | str, MetricName]:
        """Names hold until the death of their source: later they may mean something else, unless
        the numbers of the session that ended for it go on."""
        source = self.sources.get(source_key(address))
        if source is None:
            return {}
        is_dead = source.died_at is not None and source.died_at < at
        if is_dead and not (follows and source.died_at == node.death_at):
            return {}
        return self.names.get(source.key, {})

    def _be_born(self, telegram: Telegram, at: datetime, died_at: datetime | None) -> None:
        key = source_key(telegram.address)
        names = metric_names(telegram.payload)
        self.sources[key] = SourceRow(*key, born_at=at, died_at=died_at)
        self.touched.add(key)
        self.born[key] = names
        self.names[key] = by_name_and_alias(names)

    def _devices(self, key: NodeKey) -> list[SourceRow]:
        sources = self.sources.values()
        return [s for s in sources if (s.group_id, s.edge_id) == key and s.device_id]

    def _die(self, key: SourceKey, at: datetime) -> None:
        source = self.sources.get(key)
        if source is not None and source.died_at is None and source.born_at <= at:
            self.sources[key] = replace(source, died_at=at)
            self.touched.add(key)


def names_of(metrics: Iterable[MetricRow]) -> dict[SourceKey, dict[int | str, MetricName]]:
    """Stored names, by source and then by alias and by name."""
    known: dict[SourceKey, dict[int | str, MetricName]] = {}
    for row in metrics:
        name = MetricName(row.name, row.alias, row.datatype, row.unit)
        known.setdefault(row.source, {}).update(by_name_and_alias([name]))
    return known


def apart(born: Decoded) -> Decoded:
    """An edge node's birth in two: that it is there, which nobody need be registered for, and
    what it measures."""
    link = {**born.link, "bridge": born.device}
    status = replace(
        born, message_class=MessageClass.STATUS, values=(), rejects=(), cached=False, link=link
    )
    if not born.values and not born.rejects:
        return status
    values = replace(born, message_class=MessageClass.TELEMETRY, statuses=())
    return Decoded(NAME, MessageClass.TELEMETRY, parts=(status, values))


def _at_receipt(decoded: Decoded, at: datetime, *, online: bool) -> Decoded:
    """Reports by one clock, ours: a Last Will has no time of its own to compare with."""
    statuses = tuple(
        replace(status, online=online, ts=at, ts_from=TimeSource.RECEIVED)
        for status in decoded.statuses
    )
    return replace(decoded, statuses=statuses)


def _dead_with(node: Decoded, source: SourceRow) -> Decoded:
    """A device that went with its edge node."""
    identity = "/".join(source.key)
    reports: list[StatusReport] = [replace(r, device=identity) for r in node.statuses]
    link = {"event": Kind.NDEATH.value, "bridge": identity}
    return Decoded(NAME, node.message_class, identity, statuses=tuple(reports), link=link)


def _back_again(telegram: Telegram, identity: str, at: datetime) -> Decoded:
    """Somebody who was said to be gone, and is not."""
    facts = {"event": telegram.address.kind.value, "values_stale": False}
    report = StatusReport(identity, True, at, TimeSource.RECEIVED, facts)
    link = {"event": telegram.address.kind.value, "bridge": identity}
    return Decoded(NAME, MessageClass.STATUS, identity, statuses=(report,), link=link)


def _ignored(telegram: Telegram, node: NodeRow) -> Decoded:
    """The Last Will of a session that is over."""
    link = {"event": Kind.NDEATH.value, BD_SEQ: telegram.bd_seq, "session": node.bd_seq}
    return Decoded(NAME, MessageClass.OTHER, telegram.address.identity, link=link)
