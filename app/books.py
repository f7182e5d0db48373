"""What `gridwarden ledger verify` says of messages that were never received."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from dashboard.screens.operations.books_load import BooksItem, BrokerItem, LossItem, read_books
from db.pool import Connection
from ingest.sequence_steps import follow_numbers


def read(conn: Connection, start: datetime, end: datetime, now: datetime) -> BooksItem:
    """The books up to now, whether or not a scheduler runs."""
    follow_numbers(conn, now)
    return read_books(conn, start, end, now)


def as_json(books: BooksItem) -> dict[str, Any]:
    """`sequences` and `broker`, each with its own `balanced`."""
    plain = msgspec.to_builtins(books)
    broker = plain.pop("broker") or {"tells": False}
    drops = plain.pop("drops")
    return {
        "sequences": {"balanced": not (books.missing or books.outages), **plain},
        "broker": {"balanced": not drops, "drops": drops, **broker},
    }


def lines(books: BooksItem) -> Iterator[str]:
    """What is missing, then what the figures rest on."""
    for loss in books.missing:
        yield f"missing: {_when(loss.from_, loss.to)}: {_what(loss)} did not arrive"
    for loss in books.outages:
        yield (
            f"missing: {_when(loss.from_, loss.to)}: {_what(loss)} of {loss.feeds[0]} did not"
            f" arrive, while {loss.received} came: more than radio loses"
        )
    for drop in books.drops:
        deliveries = "1 delivery" if drop.deliveries == 1 else f"{drop.deliveries} deliveries"
        yield f"dropped: {_when(drop.from_, drop.to)}: the broker gave up {deliveries}"
    yield _broker(books.broker)
    for item in books.numbers:
        yield (
            f"numbers of {item.feed}: {item.usable} senders counted, {item.learning} too new,"
            f" {item.unusable + item.constant} without usable numbers"
        )


def _what(loss: LossItem) -> str:
    names = ", ".join(loss.names) + (", ..." if loss.sources > len(loss.names) else "")
    messages = "1 message" if loss.messages == 1 else f"{loss.messages} messages"
    senders = "1 sender" if loss.sources == 1 else f"{loss.sources} senders"
    return f"{messages} of {senders} ({names})"


def _when(start: datetime, end: datetime) -> str:
    same_day = start.date() == end.date()
    until = f"{end:%H:%M:%SZ}" if same_day else f"{end:%Y-%m-%dT%H:%M:%SZ}"
    return f"{start:%Y-%m-%dT%H:%M:%SZ} to {until}"


def _broker(broker: BrokerItem | None) -> str:
    if broker is None:
        return "broker: its counters were not looked at yet"
    if not broker.tells:
        return "broker: this broker tells no counters"
    restarts = "".join(f"; started again at {at:%Y-%m-%dT%H:%M:%SZ}" for at in broker.restarts)
    return (
        f"broker: {broker.received} publishes of all clients received since"
        f" {broker.from_:%Y-%m-%dT%H:%M:%SZ}, {broker.received_here} messages here{restarts}"
    )
