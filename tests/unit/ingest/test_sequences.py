"""Numbers of senders: what is missing is found, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.moment import as_microseconds
from city.sequence import StoredGap
from columns.numbers import BEGINS, NUMBER_DTYPE, SOURCE_DTYPE, UNREAD
from db.sequences import pack, unpack
from ingest.numbers import FEED_CODES, named_source
from ingest.sequences import (
    NAMED_MAX,
    Trust,
    follow,
    forget_silent,
    split,
    summarise,
)

NOW = datetime(2026, 11, 24, 6, 2, 10, tzinfo=UTC)
NOW_US = as_microseconds(NOW)
SECOND = 1_000_000
DEVICE = 7
NATIVE, SPARKPLUG = FEED_CODES["native"], FEED_CODES["sparkplug"]
CHIRPSTACK = FEED_CODES["chirpstack"]
# Enough messages for their numbers to be believed.
KNOWN = 10

Row = tuple[int, int, int, int, int, int]


def said(
    number: int,
    at_s: float | None = None,
    *,
    source: int = DEVICE,
    feed: int = NATIVE,
    flags: int = 0,
    late_s: float = 0.2,
) -> Row:
    """A message sent a second after the one with the number before, and received soon after."""
    sent_us = NOW_US + round((number if at_s is None else at_s) * SECOND)
    return source, feed, flags, number, sent_us, sent_us + round(late_s * SECOND)


class Books:
    """What the database keeps between two times of following."""

    def __init__(self) -> None:
        self.sources = np.empty(0, SOURCE_DTYPE)
        self.gaps: list[StoredGap] = []
        self.totals: dict[str, list[int]] = {}
        self._ids = 0

    def take(self, *rows: Row) -> Books:
        found = split(self.sources, np.array(list(rows), NUMBER_DTYPE))
        unusual = set(found.unusual_sources())
        followed = follow(found, [gap for gap in reversed(self.gaps) if gap.source in unusual])
        self.sources = followed.sources
        self.gaps = [gap for gap in self.gaps if gap.id not in followed.gone]
        for gap in followed.gaps:
            self._ids += 1
            self.gaps.append(replace(gap, id=self._ids))
        for total in followed.totals:
            sums = self.totals.setdefault(total.feed, [0, 0, 0, 0])
            for place, count in enumerate(
                (total.followed, total.missing, total.late, total.restarts)
            ):
                sums[place] += count
        return self

    def missing(self) -> list[int]:
        return sorted(n for gap in self.gaps for n in range(gap.first, gap.last + 1))

    def trust(self, source: int = DEVICE) -> Trust:
        return Trust(int(self.sources["trust"][self.sources["source"] == source][0]))


def known(feed: int = NATIVE, source: int = DEVICE, first: int = 0) -> Books:
    """A source that has counted without a fault from `first` on."""
    rows = [said(first + n, n, feed=feed, source=source) for n in range(KNOWN)]
    return Books().take(*rows)


def test_numbers_that_follow_each_other_leave_nothing_open() -> None:
    books = known()
    for number in range(KNOWN, 200):
        books.take(said(number))
    assert books.trust() is Trust.USABLE
    assert books.gaps == []
    assert books.totals["native"] == [200, 0, 0, 0]


def test_a_number_left_out_is_missing_between_its_neighbours() -> None:
    books = known().take(said(10), said(13))
    (gap,) = books.gaps
    assert (gap.first, gap.last, gap.usual) == (11, 12, False)
    assert gap.after_at == NOW + timedelta(seconds=10.2)
    assert gap.before_at == NOW + timedelta(seconds=13.2)


@pytest.mark.parametrize("late", [[11, 12], [12, 11], [12], [11]])
def test_a_late_message_closes_its_part_of_the_gap(late: list[int]) -> None:
    books = known().take(said(10), said(13))
    for number in late:
        books.take(said(number, late_s=90))
    assert books.missing() == sorted({11, 12} - set(late))
    assert books.totals["native"][2] == len(late)


def test_batches_that_are_committed_out_of_order_are_put_in_order() -> None:
    books = known().take(said(12), said(14), said(10), said(13), said(11))
    assert books.gaps == []


def test_a_message_that_comes_again_is_no_restart() -> None:
    books = known().take(said(10), said(11)).take(said(5, late_s=60), said(11, late_s=60))
    books.take(said(12))
    assert books.gaps == []
    assert books.totals["native"][3] == 0


def test_a_message_without_a_time_that_the_broker_sends_again_is_no_restart() -> None:
    books = known().take(said(10))
    again = (DEVICE, NATIVE, 0, 4, 0, NOW_US + 70 * SECOND)
    new = (DEVICE, NATIVE, 0, 11, 0, NOW_US + 70 * SECOND)
    books.take(again, new).take(said(12, 80))
    assert books.gaps == []
    assert books.totals["native"][3] == 0


def test_a_device_that_restarts_begins_anew_and_rings_nothing() -> None:
    books = known(first=5000)
    for number in range(20):
        books.take(said(number, 100 + number))
    assert books.gaps == []
    assert books.totals["native"][3] == 1
    books.take(said(22, 122))
    assert books.missing() == [20, 21]


def test_a_straggler_from_before_a_restart_is_not_taken_for_a_jump() -> None:
    books = known(first=5000).take(said(5012, 12)).take(said(0, 100), said(1, 101))
    books.take(said(5011, 11, late_s=200))
    assert books.missing() == [5010]
    books.take(said(2, 102))
    assert books.missing() == [5010]


@pytest.mark.parametrize("end", [1 << 16, 1 << 32])
def test_a_counter_that_ends_goes_on_at_zero(end: int) -> None:
    books = known(first=end - KNOWN)
    books.take(*(said(n, KNOWN + n) for n in range(KNOWN)))
    assert books.gaps == []
    assert books.totals["native"][3] == 0


def test_what_is_lost_around_the_end_of_a_counter_is_missing() -> None:
    books = known(CHIRPSTACK, first=65520)  # up to 65529
    books.take(said(65533, 13, feed=CHIRPSTACK), said(2, 18, feed=CHIRPSTACK))
    assert books.missing() == [0, 1, 65530, 65531, 65532, 65534, 65535]
    books.take(said(65534, 14, feed=CHIRPSTACK, late_s=60), said(1, 17, feed=CHIRPSTACK))
    assert books.missing() == [0, 65530, 65531, 65532, 65535]


def test_several_messages_may_have_one_number() -> None:
    books = Books()
    for number in range(40):
        books.take(*(said(number, number + part / 10) for part in range(4)))
    assert books.trust() is Trust.USABLE
    assert books.gaps == []
    books.take(said(41, 41))
    assert books.missing() == [40]


def test_a_number_that_never_changes_is_no_number() -> None:
    books = Books()
    for second in range(100):
        books.take(said(0, second))
    assert books.trust() is Trust.CONSTANT
    assert books.gaps == []


@pytest.mark.parametrize("limit", [256, 65536, 2**32, 2**62])
def test_random_numbers_are_found_useless_and_never_ring(limit: int) -> None:
    dice, books = random.Random(limit), Books()
    for second in range(300):
        books.take(said(dice.randrange(limit), second))
    assert books.trust() is Trust.UNUSABLE
    assert books.gaps == []


def test_numbers_that_a_device_shares_with_others_are_useless() -> None:
    dice, books, number = random.Random(1), Books(), 0
    for second in range(300):
        number += dice.randrange(1, 9)
        books.take(said(number, second))
    assert books.trust() is Trust.UNUSABLE
    assert books.gaps == []


def test_a_device_that_begins_anew_with_every_message_is_found_useless() -> None:
    books = Books()
    for second in range(100):
        books.take(said(second % 2, second))
    assert books.trust() is Trust.UNUSABLE
    assert books.gaps == []


def test_a_source_that_loses_now_and_then_does_so_usually() -> None:
    books, number = known(), KNOWN
    for _ in range(6):
        books.take(*(said(number + step) for step in range(8)))
        number += 9  # one of nine is lost
    assert [gap.usual for gap in books.gaps] == [False, False, False, True, True]


def test_after_an_outage_a_source_is_as_believable_as_before() -> None:
    books = known().take(said(500)).take(*(said(n) for n in range(501, 600)))
    assert books.trust() is Trust.USABLE
    books.take(said(601))
    assert books.missing() == [*range(10, 500), 600]
    assert not any(gap.usual for gap in books.gaps)


def test_loss_on_the_air_is_usual() -> None:
    books = known(CHIRPSTACK).take(said(12, feed=CHIRPSTACK))
    assert books.missing() == [10, 11]
    assert [gap.usual for gap in books.gaps] == [True]


def test_a_message_that_came_but_could_not_be_read_is_not_missing() -> None:
    unread = (DEVICE, NATIVE, UNREAD, 0, 0, NOW_US + round(10.2 * SECOND))
    assert known().take(said(11), unread).gaps == []
    assert known().take(unread).take(said(11)).gaps == []
    assert known().take(unread, said(12)).missing() == [11]


def test_an_unreadable_message_of_a_device_whose_clock_is_behind_is_put_in_its_place() -> None:
    books = Books().take(*(said(n, n, late_s=3) for n in range(KNOWN)))
    unread = (DEVICE, NATIVE, UNREAD, 0, 0, NOW_US + 13 * SECOND)
    books.take(said(11, late_s=3), unread)
    assert books.gaps == []


def test_a_node_of_sparkplug_counts_to_255_and_goes_on() -> None:
    node = named_source("plant/edge-1")
    books = Books()
    for number in range(700):
        books.take(said(number % 256, number, source=node, feed=SPARKPLUG))
    assert books.trust(node) is Trust.USABLE
    assert books.gaps == []
    books.take(said(703 % 256, 703, source=node, feed=SPARKPLUG))
    assert len(books.missing()) == 3
    books.take(said(701 % 256, 701, source=node, feed=SPARKPLUG, late_s=30))
    assert len(books.missing()) == 2


def test_a_birth_begins_the_numbers_anew_whatever_was_before() -> None:
    node = named_source("plant/edge-1")
    books = known(SPARKPLUG, node, first=90)
    birth = said(0, 100, source=node, feed=SPARKPLUG, flags=BEGINS)
    after = [said(n, 100 + n, source=node, feed=SPARKPLUG) for n in range(1, 5)]
    books.take(birth, *after)
    assert books.gaps == []
    books.take(birth, after[0])  # once more, from the broker
    books.take(said(6, 106, source=node, feed=SPARKPLUG))
    assert books.missing() == [5]


def test_a_device_that_changes_its_format_begins_anew() -> None:
    books = known().take(said(900, 900, feed=CHIRPSTACK))
    assert books.gaps == []
    assert books.trust() is Trust.LEARNING


def test_sources_are_followed_each_for_itself() -> None:
    books = Books().take(*(said(n, source=s) for s in (1, 2, 3) for n in range(KNOWN)))
    books.take(said(10, source=1), said(11, source=2), said(10, source=3))
    assert [(gap.source, gap.first) for gap in books.gaps] == [(2, 10)]


deliveries = st.lists(st.integers(0, 79), max_size=25, unique=True)


@given(lost=deliveries, repeated=deliveries, seed=st.integers(0, 2**32), parts=st.integers(1, 12))
def test_whatever_the_order_exactly_the_lost_ones_are_missing(
    lost: Sequence[int], repeated: Sequence[int], seed: int, parts: int
) -> None:
    """Any order of commits, any repeats, in any number of batches; a last one closes the row."""
    dice = random.Random(seed)
    numbers = range(KNOWN, KNOWN + 80)
    gone = {KNOWN + number for number in lost}
    came = [number for number in numbers if number not in gone]
    came += [KNOWN + number for number in repeated if KNOWN + number not in gone]
    dice.shuffle(came)
    books = known()
    for part in range(parts):
        books.take(*(said(number) for number in came[part::parts]))
    books.take(said(KNOWN + 80))
    assert books.missing() == sorted(gone)
    _, missing, late, restarts = books.totals["native"]
    assert missing - late == len(gone)
    assert restarts == 0


def test_numbers_survive_their_packing() -> None:
    rows = np.array([said(n, n, source=s) for s in (1, 5) for n in range(50)], NUMBER_DTYPE)
    assert unpack(pack(rows), NUMBER_DTYPE).tolist() == rows.tolist()
    assert unpack(pack(rows[:0]), NUMBER_DTYPE).tolist() == []


def test_the_summary_says_who_counts_how() -> None:
    books = known()
    books.take(*(said(0, n, source=8) for n in range(100)))
    books.take(said(20, source=DEVICE))
    books.take(*(said(n, feed=CHIRPSTACK, source=9) for n in (*range(KNOWN), 20)))
    summary = summarise(books.sources)
    assert summary["feeds"] == {
        "native": {"usable": 1, "constant": 1},
        "chirpstack": {"usable": 1},
    }
    assert summary["useless"] == [[8, "native"]]
    # One loss is no habit, but on the air.
    ((source, feed, share),) = summary["lossy"]
    assert (source, feed) == (9, "chirpstack")
    assert share == pytest.approx(10 / 21, abs=0.01)


def sources(rows: Iterable[tuple[int, datetime]]) -> np.ndarray:
    found = np.zeros(0, SOURCE_DTYPE)
    rows = sorted(rows)
    found = np.zeros(len(rows), SOURCE_DTYPE)
    found["source"] = [source for source, _ in rows]
    found["heard_us"] = [as_microseconds(at) for _, at in rows]
    return found


def test_who_is_silent_for_a_month_is_forgotten() -> None:
    old = sources([(1, NOW - timedelta(days=31)), (2, NOW - timedelta(days=29))])
    assert forget_silent(old, NOW)["source"].tolist() == [2]


def test_invented_edge_nodes_push_out_each_other_and_no_device() -> None:
    rows = [(-number, NOW - timedelta(seconds=number)) for number in range(1, NAMED_MAX + 11)]
    kept = forget_silent(sources([*rows, (5, NOW - timedelta(days=1))]), NOW)
    assert len(kept) == NAMED_MAX + 1
    assert kept["source"].min() == -NAMED_MAX
    assert 5 in kept["source"]
