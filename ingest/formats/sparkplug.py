"""Sparkplug messages of a batch against the stored sessions of their edge nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from city.reading import Decoded
from city.sparkplug import NodeKey, NodeRow, SourceKey
from db import outbox, sparkplug
from db.pool import Connection
from ingest.formats.sparkplug_sessions import (
    Sessions,
    apart,
    called_off,
    is_strange,
    names_of,
    new_request,
    node_key,
    source_key,
    source_without_future,
)
from ingest.message import Message
from wire.format import PAYLOAD_LIMIT, Refused
from wire.industry.sparkplug import (
    BIRTHS,
    COMMANDS,
    DEATHS,
    NAME,
    Kind,
    Telegram,
    decode,
    read,
    rebirth_topic,
)
from wire.industry.sparkplug_metrics import MetricName, references


def resolve_sessions(
    conn: Connection, messages: Sequence[Message], decoded: Sequence[Decoded], now: datetime
) -> list[Decoded]:
    """The same messages with aliases resolved and births and deaths applied.

    Takes its own transaction, or a part of the caller's. Repeating it with the same messages is
    harmless. Without a Sparkplug message among them nothing is asked of the database."""
    telegrams = _telegrams(messages, decoded)
    resolved = list(decoded)
    if not telegrams:
        return resolved
    with conn.transaction():
        sessions = _load(conn, telegrams.values(), now)
        before = dict(sessions.nodes)
        for number, telegram in telegrams.items():
            message = messages[number]
            resolved[number] = sessions.take(telegram, message.received_at, retained=message.retain)
        _save(conn, sessions, before)
    return resolved


def resolve_replayed(
    conn: Connection, messages: Sequence[Message], decoded: Sequence[Decoded]
) -> list[Decoded]:
    """Messages from quarantine with the names that are known by now; no session changes."""
    telegrams = _telegrams(messages, decoded)
    resolved = list(decoded)
    if not telegrams:
        return resolved
    names = _find_names(conn, telegrams.values())
    for number, telegram in telegrams.items():
        known = names.get(source_key(telegram.address), {})
        again = decode(telegram, messages[number].received_at, known)
        resolved[number] = apart(again) if telegram.address.kind is Kind.NBIRTH else again
    return resolved


def _telegrams(messages: Sequence[Message], decoded: Sequence[Decoded]) -> dict[int, Telegram]:
    """What speaks of edge nodes and devices and could be read, by its place in the batch."""
    telegrams: dict[int, Telegram] = {}
    for number, content in enumerate(decoded):
        message = messages[number]
        if content.format != NAME or len(message.payload) > PAYLOAD_LIMIT:
            continue
        try:
            telegram = read(message.topic, message.payload)
        except Refused:
            continue  # refused before, and in the batch as such
        if telegram.address.kind not in COMMANDS:
            telegrams[number] = telegram
    return telegrams


def _load(conn: Connection, telegrams: Iterable[Telegram], now: datetime) -> Sessions:
    telegrams = list(telegrams)
    addresses = [telegram.address for telegram in telegrams]
    nodes = sparkplug.lock_nodes(conn, {node_key(address) for address in addresses}, now)
    strange = {node.key for node in nodes if is_strange(node, now)}
    strange -= sparkplug.find_registered_nodes(conn, strange)
    whole = {node_key(a) for a in addresses if a.kind in (Kind.NBIRTH, Kind.NDEATH)}
    whole |= {node.key for node in nodes if not node.online and node.next_seq is not None}
    sources = sparkplug.find_sources(conn, {source_key(a) for a in addresses}, whole)
    return Sessions(
        now,
        {node.key: node for node in nodes},
        {source.key: source_without_future(source, now) for source in sources},
        _find_names(conn, telegrams),
        strange,
        may_ask=sparkplug.rebirth_setting(conn) != sparkplug.NEVER,
    )


def _find_names(
    conn: Connection, telegrams: Iterable[Telegram]
) -> dict[SourceKey, dict[int | str, MetricName]]:
    """The names that data refers to, by alias or by name."""
    aliases: set[tuple[str, str, str, int]] = set()
    names: set[tuple[str, str, str, str]] = set()
    for telegram in telegrams:
        if telegram.address.kind in BIRTHS | DEATHS:
            continue
        source = source_key(telegram.address)
        for reference in references(telegram.payload):
            if isinstance(reference, int):
                aliases.add((*source, reference))
            else:
                names.add((*source, reference))
    if not aliases and not names:
        return {}
    return names_of(sparkplug.find_metrics(conn, aliases, names))


def _save(conn: Connection, sessions: Sessions, before: Mapping[NodeKey, NodeRow]) -> None:
    changed = [node for key, node in sessions.nodes.items() if node != before[key]]
    sparkplug.update_nodes(conn, changed)
    sparkplug.upsert_sources(conn, [sessions.sources[key] for key in sorted(sessions.touched)])
    sparkplug.replace_metrics(conn, sorted(sessions.born), sessions.metric_rows())
    now = sessions.now
    void = [node for node in changed if called_off(before[node.key], node, now)]
    outbox.withdraw(conn, [rebirth_topic(*node.key) for node in void])
    requests = [new_request(before[node.key], node, now) for node in changed]
    outbox.insert_messages(conn, [request for request in requests if request is not None])


def trim(conn: Connection) -> None:
    """Forget edge nodes that nobody registered, where there are too many."""
    sparkplug.trim(conn)
