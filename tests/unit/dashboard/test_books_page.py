"""What is told of messages that were never received."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from city.sequence import SequenceTotal
from dashboard.api.health import book_metrics
from dashboard.screens.operations.books_load import (
    BooksItem,
    BrokerItem,
    DropItem,
    LossItem,
    LossyItem,
    NumbersItem,
    count_numbers,
    find_drops,
    find_losses,
    loss_share,
    received_between,
)
from dashboard.screens.operations.books_page import render_books
from dashboard.shell.i18n import texts
from db.broker_counts import BrokerCount, CountRow, next_row
from db.sequences import GatewayShare
from tests.unit.dashboard.test_operations import words

NOW = datetime(2026, 11, 24, 6, 2, 30, tzinfo=UTC)
BROKER = BrokerItem(
    tells=True,
    version="mosquitto version 2.0.21",
    looked_at=NOW,
    started_at=NOW,
    from_=NOW,
    received=12_345,
    received_here=12_300,
    restarts=[],
)


def rows(*looks: tuple[int, int, int, int]) -> list[CountRow]:
    """(seconds, uptime, received, dropped), each look behind the one before"""
    found: list[CountRow] = []
    before: CountRow | None = None
    for at_s, uptime_s, received, dropped in looks:
        look = BrokerCount(NOW + timedelta(seconds=at_s), "m", uptime_s, received, dropped)
        before = next_row(before, look)
        found.append(before)
    return found


def loss(minutes_ago: int) -> LossItem:
    at = NOW - timedelta(minutes=minutes_ago)
    return LossItem(from_=at, to=at, messages=1, sources=1, names=["g"], feeds=["native"])


def test_drops_of_neighbouring_minutes_are_one() -> None:
    told = rows(
        (0, 100, 1, 0), (60, 160, 2, 5), (120, 220, 3, 9), (180, 280, 4, 9), (240, 340, 5, 10)
    )
    first, second = find_drops(told)
    assert (first.deliveries, first.from_, first.to) == (9, NOW, NOW + timedelta(seconds=120))
    assert (second.deliveries, second.from_) == (1, NOW + timedelta(seconds=180))


def test_what_the_broker_received_is_added_up_over_its_lives() -> None:
    assert received_between(rows((0, 100, 10, 0), (60, 160, 25, 0), (120, 20, 4, 0))) == 19
    assert received_between([]) == 0


def test_of_many_losses_the_newest_are_listed_and_the_others_counted() -> None:
    found = list(find_losses(BooksItem(missing=[loss(n) for n in (9, 8, 7, 6, 5)])))
    assert [code for code, _ in found] == ["messages_missing"] * 3 + ["messages_missing_more"]
    assert found[0][1]["from_at"] == NOW - timedelta(minutes=5)
    assert found[-1][1] == {"count": 2}


@pytest.mark.parametrize(
    ("books", "balanced"),
    [
        (BooksItem(), True),
        (BooksItem(broker=BROKER, useless=["g"], numbers=[NumbersItem(feed="ttn")]), True),
        (BooksItem(missing=[loss(1)]), False),
        (BooksItem(outages=[loss(1)]), False),
        (BooksItem(drops=[DropItem(from_=NOW, to=NOW, deliveries=1)]), False),
    ],
)
def test_only_what_is_known_to_be_lost_is_wrong(books: BooksItem, balanced: bool) -> None:
    assert books.balanced is balanced


def test_late_messages_are_no_loss() -> None:
    assert loss_share(SequenceTotal("ttn", 90, 20, 10, 0)) == pytest.approx(0.1)
    assert loss_share(SequenceTotal("ttn", 90, 20, 20, 0)) == 0


def test_senders_are_counted_over_all_chunks() -> None:
    summaries: list[dict[str, Any]] = [
        {"feeds": {"native": {"usable": 3, "constant": 1}}},
        {"feeds": {"native": {"usable": 2}, "chirpstack": {"learning": 4}}},
    ]
    assert count_numbers(summaries) == [
        NumbersItem(feed="chirpstack", learning=4),
        NumbersItem(feed="native", usable=5, constant=1),
    ]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_page_says_what_it_knows_and_what_it_does_not(lang: str) -> None:
    t = texts(lang)
    assert t("books.not_looked") in words(render_books(t, BooksItem()))
    assert t("books.no_numbers") in words(render_books(t, BooksItem()))
    silent = msgspec.structs.replace(BROKER, tells=False)
    assert t("books.tells_nothing") in words(render_books(t, BooksItem(broker=silent)))
    full = BooksItem(
        broker=msgspec.structs.replace(BROKER, restarts=[NOW]),
        numbers=[NumbersItem(feed="native", usable=40, unusable=1, constant=1)],
        useless=["gas-7"],
        lossy=[LossyItem(name="probe-3", feed="chirpstack", share=0.123)],
        gateways=[GatewayShare("0a0000b1", "chirpstack", 12, 0.045)],
    )
    said = words(render_books(t, full))
    for part in (
        "12,345",
        "12,300",
        "gas-7",
        "probe-3",
        "12.3%",
        "0a0000b1",
        "4.5%",
        "11-24 14:02:30",
    ):
        assert part in said
    assert t("books.numbers_of", usable="40", learning="0", useless="2") in said


def test_metrics_say_what_did_not_come_and_what_was_dropped() -> None:
    (row,) = rows((0, 100, 50, 7))
    families = list(book_metrics([SequenceTotal("ttn", 90, 20, 10, 1)], row))
    samples = {s.name: (s.labels.get("feed"), s.value) for f in families for s in f.samples}
    assert samples["gridwarden_sequence_missing_total"] == ("ttn", 20)
    assert samples["gridwarden_sequence_late_total"] == ("ttn", 10)
    assert samples["gridwarden_broker_messages_dropped_total"] == (None, 7)
    assert len(list(book_metrics([], None))) == 4
