"""Births, data and deaths of Sparkplug edge nodes: what they mean for each other."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.reading import Decoded, MessageClass
from city.sparkplug import NodeRow, SourceRow
from ingest.formats.sparkplug_sessions import (
    AHEAD_LIMIT,
    BEHIND_LIMIT,
    GAP,
    LOST,
    REBIRTH_INTERVAL,
    REORDER_TIMEOUT,
    UNBORN,
    UNKNOWN_ALIAS,
    Sessions,
    begin_session,
    called_off,
    names_of,
    new_request,
    pass_time,
    place,
    source_without_future,
    without_future,
)
from tests.unit.ingest.sparkplug_messages import (
    EDGE,
    GROUP,
    metric,
    node_birth,
    node_death,
    payload,
    topic,
)
from wire.industry.sparkplug import read
from wire.industry.sparkplug_payload import REBIRTH
from wire.industry.sparkplug_schema import Payload

NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
KEY = (GROUP, EDGE)
SECOND = timedelta(seconds=1)
FRESH = NodeRow(GROUP, EDGE)
ALIVE = NodeRow(GROUP, EDGE, online=True, bd_seq=3, born_at=NOW - timedelta(hours=1), next_seq=10)


class Field:
    """One edge node; messages are taken at seconds after `NOW`."""

    def __init__(self, node: NodeRow = FRESH) -> None:
        self.sessions = Sessions(NOW, {KEY: node}, {}, {})

    @property
    def node(self) -> NodeRow:
        return self.sessions.nodes[KEY]

    def take(
        self, kind: str, body: bytes, at_s: float = 0, device: str = "", now_s: float | None = None
    ) -> Decoded:
        at = NOW + at_s * SECOND
        self.sessions.now = at if now_s is None else NOW + now_s * SECOND
        return self.sessions.take(read(topic(kind, device), body), at)

    def data(self, seq: int, at_s: float = 0, alias: int = 1) -> Decoded:
        return self.take("DDATA", lamp_data(seq, alias), at_s, "lamp-1")


def lamp_birth(seq: int = 1) -> bytes:
    return payload(metric("voltage_v", 229.0, alias=1, properties={"engUnit": "V"}), seq=seq)


def lamp_data(seq: int, alias: int = 1) -> bytes:
    return payload(metric(alias=alias, float_value=231.0), seq=seq)


def born() -> Field:
    field = Field()
    field.take("NBIRTH", node_birth(metric("temperature_c", 40.0, alias=0)))
    field.take("DBIRTH", lamp_birth(), 0.1, "lamp-1")
    return field


def names(decoded: Decoded) -> list[str]:
    return [value.name for part in decoded.parts or (decoded,) for value in part.values]


def statuses(decoded: Decoded) -> list[tuple[str, bool | None]]:
    parts = decoded.parts or (decoded,)
    return [(status.device, status.online) for part in parts for status in part.statuses]


# --- sequence numbers -----------------------------------------------------------------------


def placed(node: NodeRow, *numbers: int, at_s: float = 0, apart_s: float = 0.01) -> NodeRow:
    for index, seq in enumerate(numbers):
        node = place(node, seq, NOW + (at_s + index * apart_s) * SECOND)
    return node


def test_numbers_in_order_leave_nothing_behind() -> None:
    node = placed(ALIVE, 10, 11, 12)
    assert (node.next_seq, node.gap_since, node.rebirth_due_at) == (13, None, None)


def test_numbers_begin_again_after_255() -> None:
    assert placed(replace(ALIVE, next_seq=254), 254, 255, 0, 1).next_seq == 2


def test_without_a_birth_there_is_no_order_to_judge() -> None:
    node = placed(FRESH, 77, 80, 3)
    assert (node.next_seq, node.gap_since, node.rebirth_due_at) == (None, None, None)


def test_a_session_whose_birth_does_not_say_where_numbers_begin_begins_with_the_first() -> None:
    assert placed(replace(ALIVE, next_seq=None), 77).next_seq == 78


@pytest.mark.parametrize("next_seq", [None, 1, 2, 77, 250])
def test_numbers_stored_before_the_birth_that_begins_them_are_counted(next_seq: int | None) -> None:
    before = FRESH if next_seq is None else replace(ALIVE, next_seq=next_seq)
    node = placed(before, 1, 2, 4, at_s=0.001)
    node = begin_session(node, read(topic("NBIRTH"), node_birth(bd_seq=4)), NOW, retained=False)
    assert (node.next_seq, node.gap_since is None) == (3, False)
    node = placed(node, 3, at_s=0.2)
    assert (node.next_seq, node.gap_since, node.rebirth_due_at) == (5, None, None)


def test_a_gap_that_closes_in_time_was_none() -> None:
    node = placed(ALIVE, 12, 11)
    assert node.gap_since == NOW
    assert (node.rebirth_due_at, node.rebirth_reason) == (NOW + REORDER_TIMEOUT, GAP)
    node = placed(node, 10, at_s=3)
    assert (node.next_seq, node.gap_since, node.rebirth_due_at) == (13, None, None)


def test_a_second_gap_has_its_own_time() -> None:
    node = placed(ALIVE, 11, 13)
    node = placed(node, 10, at_s=2)
    assert node.next_seq == 12
    assert node.gap_since == NOW + 2 * SECOND


def test_a_number_that_does_not_come_in_time_is_given_up_and_the_request_stands() -> None:
    node = placed(ALIVE, 11)
    node = placed(node, 12, at_s=6)
    assert (node.next_seq, node.gap_since) == (13, None)
    assert (node.rebirth_due_at, node.rebirth_reason) == (NOW + REORDER_TIMEOUT, LOST)
    assert placed(node, 13, at_s=7).rebirth_reason == LOST


def test_repeats_change_nothing() -> None:
    node = placed(ALIVE, 10, 11)
    again = placed(node, 10, 11)
    assert (again.next_seq, again.gap_since, again.rebirth_due_at) == (12, None, None)
    later = placed(again, 12, at_s=6)
    assert [seq for seq, _ in later.recent] == [12]  # what is long past is forgotten


def test_numbers_that_are_remembered_have_a_limit() -> None:
    node = placed(ALIVE, *(seq % 256 for seq in range(10, 1000)), apart_s=0)
    assert len(node.recent) == BEHIND_LIMIT
    node = placed(FRESH, *range(200), apart_s=0)
    assert len(node.recent) == BEHIND_LIMIT


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 255), st.integers(1, 300), st.integers(0, 2**32))
def test_messages_of_several_workers_interleaved_leave_no_gap(
    first: int, count: int, seed: int
) -> None:
    """Within a window of some messages any order will do."""
    numbers = [(first + index) % 256 for index in range(count)]
    late = random.Random(seed)
    order = sorted(range(count), key=lambda index: index + late.random() * 60)
    node = placed(replace(ALIVE, next_seq=first), *(numbers[index] for index in order))
    assert node.next_seq == (first + count) % 256
    assert (node.gap_since, node.rebirth_due_at) == (None, None)


# --- births ---------------------------------------------------------------------------------


def test_births_name_the_aliases_of_data() -> None:
    field = born()
    decoded = field.data(2, 0.2)
    assert names(decoded) == ["voltage_v"]
    assert decoded.values[0].unit == "V"
    assert names(field.take("NDATA", payload(metric(alias=0, float_value=41.0), seq=3), 0.3)) == [
        "temperature_c"
    ]
    assert (field.node.next_seq, field.node.gap_since) == (4, None)
    assert field.node.rebirth_due_at is None


def test_a_birth_of_an_edge_node_speaks_for_it_and_for_its_values_apart() -> None:
    decoded = born().take("NBIRTH", node_birth(metric("temperature_c", 40.0, alias=0)), 9)
    status, measured = decoded.parts
    assert (status.message_class, status.link["bridge"]) == (MessageClass.STATUS, "North/cabinet-7")
    assert statuses(status) == [("North/cabinet-7", True)]
    assert status.statuses[0].ts == NOW + 9 * SECOND  # one clock for births and deaths: ours
    assert (names(measured), measured.statuses) == (["temperature_c"], ())
    assert "bridge" not in measured.link


def test_the_same_alias_may_mean_something_else_for_another_source() -> None:
    field = born()
    assert field.take("NDATA", lamp_data(2), 0.2).rejects[0].reason == "alias_unknown"


def test_a_new_birth_replaces_what_an_alias_means() -> None:
    field = born()
    body = payload(metric("current_a", 0.5, alias=1), seq=2)
    field.take("DBIRTH", body, 1, "lamp-1")
    assert names(field.data(3, 1.1)) == ["current_a"]


def test_a_birth_that_another_worker_stores_late_does_not_undo_a_later_one() -> None:
    field = born()
    field.take("NBIRTH", node_birth(bd_seq=4), 20)
    field.take("NBIRTH", node_birth(bd_seq=3, seq=0), 10)
    assert (field.node.bd_seq, field.node.born_at) == (4, NOW + 20 * SECOND)
    field.take("DBIRTH", payload(metric("current_a", 0.5, alias=1), seq=1), 20.1, "lamp-1")
    field.take("DBIRTH", lamp_birth(), 10.1, "lamp-1")
    assert names(field.data(2, 20.2)) == ["current_a"]


def test_after_a_new_birth_of_the_edge_node_its_devices_must_be_born_again() -> None:
    field = born()
    field.take("NBIRTH", node_birth(bd_seq=4), 60)
    assert field.data(2, 60.2).rejects[0].reason == "alias_unknown"
    field.take("DBIRTH", lamp_birth(3), 60.3, "lamp-1")
    assert names(field.data(4, 60.4)) == ["voltage_v"]


def test_data_received_before_the_new_birth_still_has_its_names() -> None:
    field = born()
    field.take("NBIRTH", node_birth(bd_seq=4), 60)
    assert names(field.data(200, 59.9)) == ["voltage_v"]
    assert (field.node.next_seq, field.node.gap_since) == (1, None)


def test_a_device_birth_stored_before_that_of_its_edge_node_counts() -> None:
    field = Field(ALIVE)
    field.take("DBIRTH", lamp_birth(), 0.002, "lamp-1")
    field.data(2, 0.003)
    field.take("NBIRTH", node_birth(bd_seq=4), 0.001)
    assert names(field.data(3, 0.2)) == ["voltage_v"]
    assert (field.node.next_seq, field.node.gap_since) == (4, None)
    assert field.node.rebirth_due_at is None


def test_a_birth_stored_again_changes_nothing() -> None:
    field = born()
    field.data(2, 0.2)
    before = field.node
    field.take("NBIRTH", node_birth(metric("temperature_c", 40.0, alias=0)))
    assert field.node == before


def test_a_retained_birth_says_nothing_about_what_number_is_next() -> None:
    telegram = read(topic("NBIRTH"), node_birth())
    node = begin_session(FRESH, telegram, NOW, retained=True)
    assert (node.online, node.next_seq) == (True, None)


# --- deaths ---------------------------------------------------------------------------------


def test_a_last_will_takes_the_edge_node_and_all_its_devices_offline() -> None:
    field = born()
    field.take("DBIRTH", payload(metric("power_w", 3.0, alias=2), seq=2), 0.2, "lamp-2")
    decoded = field.take("NDEATH", node_death(3), 9)
    assert sorted(statuses(decoded)) == [
        ("North/cabinet-7", False),
        ("North/cabinet-7/lamp-1", False),
        ("North/cabinet-7/lamp-2", False),
    ]
    for part in decoded.parts:
        assert part.statuses[0].attributes["values_stale"] is True
        assert part.statuses[0].ts == NOW + 9 * SECOND
        assert part.link["bridge"] == part.device  # nobody need be registered
    assert not field.node.online
    assert sorted(statuses(field.take("NDEATH", node_death(3), 9))) == sorted(statuses(decoded))


def test_the_last_will_of_a_session_that_is_over_is_ignored() -> None:
    field = born()
    field.take("NBIRTH", node_birth(bd_seq=4), 10)
    decoded = field.take("NDEATH", node_death(3), 11)
    assert (decoded.message_class, decoded.statuses) == (MessageClass.OTHER, ())
    assert field.node.online


def test_a_last_will_older_than_a_birth_of_the_same_number_is_ignored() -> None:
    field = born()
    field.take("NBIRTH", node_birth(bd_seq=3), 10)
    assert field.take("NDEATH", node_death(3), 9).message_class is MessageClass.OTHER
    assert field.node.online


def test_a_last_will_stored_before_the_birth_of_its_session_holds_when_that_comes() -> None:
    field = born()
    field.take("NDEATH", node_death(4), 12)
    assert not field.node.online
    decoded = field.take("NBIRTH", node_birth(bd_seq=4), 11)
    assert statuses(decoded) == [("North/cabinet-7", False)]
    assert not field.node.online
    decoded = field.take("DBIRTH", lamp_birth(), 11.1, "lamp-1")
    assert statuses(decoded) == [("North/cabinet-7/lamp-1", False)]


# What libraries of today send (bdSeq of the birth, then of the death), recorded from a broker.
@pytest.mark.parametrize(
    ("birth", "death"),
    [
        (0, 0),  # pysparkplug 0.6.1 killed
        (0, 1),  # pysparkplug 0.6.1 says good-bye
        (255, 0),  # the same at the wrap-around
        (1, 0),  # mqtt-spb-wrapper 2.1.2 killed
        (1, 1),  # mqtt-spb-wrapper 2.1.2 says good-bye
        (1, 3),  # the same with a device in the same process, which counts along
        (0, 255),
    ],
)
def test_a_death_is_heeded_whatever_number_the_library_gives_it(birth: int, death: int) -> None:
    field = Field()
    field.take("NBIRTH", node_birth(bd_seq=birth), 0)
    field.take("DBIRTH", lamp_birth(), 0.1, "lamp-1")
    decoded = field.take("NDEATH", node_death(death), 9)
    assert sorted(statuses(decoded)) == [
        ("North/cabinet-7", False),
        ("North/cabinet-7/lamp-1", False),
    ]
    assert not field.node.online


@pytest.mark.parametrize(("before", "now"), [(3, 4), (255, 0), (0, 255), (7, 200)])
def test_the_will_of_a_session_that_a_birth_overtook_is_ignored(before: int, now: int) -> None:
    field = Field()
    field.take("NBIRTH", node_birth(bd_seq=before), 0)
    field.take("NBIRTH", node_birth(bd_seq=now), 60)
    for at_s in (150, 151):  # delivered twice
        assert field.take("NDEATH", node_death(before), at_s).statuses == ()
        assert field.node.online
    field.take("NDEATH", node_death(now), 200)
    assert not field.node.online


def test_a_number_that_ended_a_session_once_may_end_a_later_one() -> None:
    """The will of mqtt-spb-wrapper 2.1.2 has the number of the birth before, after a reconnect."""
    field = Field()
    field.take("NBIRTH", node_birth(bd_seq=1), 0)
    field.take("NDEATH", node_death(0), 10)
    field.take("NBIRTH", node_birth(bd_seq=2), 20)
    field.take("NDEATH", node_death(1), 30)
    assert not field.node.online


def test_a_will_that_came_before_the_birth_is_not_owed_after_it() -> None:
    field = Field()
    field.take("NBIRTH", node_birth(bd_seq=1), 0)
    field.take("NBIRTH", node_birth(bd_seq=2), 20)
    field.take("NDEATH", node_death(0), 19)  # stored late by another worker
    assert field.node.online
    field.take("NDEATH", node_death(1), 30)
    assert not field.node.online


def test_a_retained_death_of_another_number_says_nothing() -> None:
    field = born()
    telegram = read(topic("NDEATH"), node_death(2))
    assert field.sessions.take(telegram, NOW + 9 * SECOND, retained=True).statuses == ()
    assert field.node.online
    field.sessions.take(read(topic("NDEATH"), node_death(3)), NOW + 9 * SECOND, retained=True)
    assert not field.node.online


def test_a_will_is_owed_for_half_an_hour() -> None:
    field = Field()
    field.take("NBIRTH", node_birth(bd_seq=1), 0)
    field.take("NBIRTH", node_birth(bd_seq=2), 20)
    field.take("NDEATH", node_death(1), 21 + 1800)
    assert not field.node.online


def test_numbers_that_go_on_undo_a_death() -> None:
    """A will of an earlier session whose number says nothing: the device was cut off, was started
    anew with the same number, and the broker gives the first connection up a minute later."""
    field = born()
    field.take("NDEATH", node_death(2), 60)
    assert not field.node.online
    straggler = field.data(2, 61)  # it might have been sent before
    assert (names(straggler), statuses(straggler)) == (["voltage_v"], [])
    assert not field.node.online
    decoded = field.data(3, 70)
    assert names(decoded) == ["voltage_v"]
    assert sorted(statuses(decoded)) == [
        ("North/cabinet-7", True),
        ("North/cabinet-7/lamp-1", True),
    ]
    assert (field.node.online, field.node.next_seq) == (True, 4)
    assert field.node.rebirth_due_at is None
    assert names(field.data(4, 71)) == ["voltage_v"]


def test_numbers_of_another_session_undo_no_death() -> None:
    field = born()
    for seq in range(2, 30):
        field.data(seq, 1 + seq / 10)
    field.take("NDEATH", node_death(3), 60)
    # Started anew, but its births were lost: the same numbers from the beginning.
    for seq in range(1, 40):
        decoded = field.data(seq, 70 + seq)
        assert decoded.rejects[0].reason == "alias_unknown"
    assert not field.node.online


def test_a_device_that_died_by_itself_stays_dead_when_its_edge_node_is_back() -> None:
    field = born()
    field.take("DBIRTH", payload(metric("power_w", 3.0, alias=2), seq=2), 0.2, "lamp-2")
    field.take("DDEATH", payload(seq=3), 5, "lamp-2")
    field.take("NDEATH", node_death(9), 60)
    decoded = field.data(4, 70)
    assert sorted(statuses(decoded)) == [
        ("North/cabinet-7", True),
        ("North/cabinet-7/lamp-1", True),
    ]


def test_a_will_without_a_number_is_believed() -> None:
    field = born()
    field.take("NDEATH", payload(), 5)
    assert not field.node.online


def test_a_dead_device_is_offline_and_its_aliases_mean_nothing() -> None:
    field = born()
    decoded = field.take("DDEATH", payload(seq=2), 5, "lamp-1")
    assert statuses(decoded) == [("North/cabinet-7/lamp-1", False)]
    assert field.node.next_seq == 3
    assert field.data(3, 6).rejects[0].reason == "alias_unknown"
    assert names(field.data(4, 4.9)) == ["voltage_v"]  # received before it died
    assert field.node.online


def test_data_of_a_dead_edge_node_asks_for_its_births() -> None:
    field = born()
    field.take("NDEATH", node_death(3), 5)
    assert field.node.rebirth_due_at is None
    assert field.data(40, 6).rejects[0].reason == "alias_unknown"
    assert field.node.rebirth_reason == UNBORN


def test_the_birth_after_a_clock_that_was_ahead_is_taken() -> None:
    hour = timedelta(hours=1)
    ahead = replace(ALIVE, born_at=NOW + hour, rebirth_due_at=NOW + hour, rebirth_reason=GAP)
    field = Field(ahead)
    field.take("NBIRTH", node_birth())
    assert (field.node.born_at, field.node.next_seq, field.node.online) == (NOW, 1, True)
    assert field.node.rebirth_due_at is None
    assert called_off(ahead, field.node, NOW)
    for dead in (replace(ALIVE, death_at=NOW + hour), replace(ALIVE, rebirth_asked_at=NOW + hour)):
        field = Field(dead)
        field.take("NBIRTH", node_birth())
        assert (field.node.born_at, field.node.online) == (NOW, True)
        field.data(9, 1)
        assert field.node.rebirth_due_at is not None
        assert field.node.rebirth_due_at <= NOW + SECOND + REORDER_TIMEOUT


def test_a_clock_a_little_ahead_changes_nothing() -> None:
    node = replace(ALIVE, born_at=NOW + AHEAD_LIMIT)
    assert without_future(node, NOW) == node
    source = SourceRow(GROUP, EDGE, "lamp-1", NOW + AHEAD_LIMIT)
    assert source_without_future(source, NOW) == source


def test_a_device_born_or_dead_by_a_clock_ahead_is_born_again() -> None:
    late = NOW + timedelta(hours=1)
    for died_at in (None, late):
        known = source_without_future(SourceRow(GROUP, EDGE, "lamp-1", late, died_at), NOW)
        field = Field()
        field.take("NBIRTH", node_birth())
        field.sessions.sources[known.key] = known
        field.take("DBIRTH", lamp_birth(), 1, "lamp-1")
        assert names(field.data(2, 2)) == ["voltage_v"]
        assert field.sessions.sources[known.key].born_at == NOW + SECOND


# --- requests for births --------------------------------------------------------------------


def test_data_before_any_birth_asks_for_one_after_a_moment() -> None:
    field = Field()
    assert field.data(40).rejects[0].reason == "alias_unknown"
    assert (field.node.rebirth_due_at, field.node.rebirth_reason) == (NOW + REORDER_TIMEOUT, UNBORN)


def test_named_data_before_any_birth_is_taken_and_asks_for_one() -> None:
    field = Field()
    decoded = field.take("NDATA", payload(metric("co_ppm", 1.0), seq=4))
    assert names(decoded) == ["co_ppm"]
    assert field.node.rebirth_reason == UNBORN


def test_an_edge_node_that_answers_is_asked_at_most_once_in_thirty_seconds() -> None:
    field = born()
    asked: set[datetime | None] = {None}
    seq = 1
    for second in range(1, 100):
        seq += 1
        field.data(seq, second, alias=9)
        if field.node.rebirth_asked_at not in asked:  # it went out, and is answered
            asked.add(field.node.rebirth_asked_at)
            field.take("NBIRTH", node_birth(), second + 0.1)
            field.take("DBIRTH", lamp_birth(), second + 0.2, "lamp-1")
            seq = 1
    due = sorted(moment for moment in asked if moment is not None)
    assert due[0] == NOW + SECOND + REORDER_TIMEOUT
    assert all(later - earlier >= REBIRTH_INTERVAL for earlier, later in pairwise(due))
    assert len(due) == 4


def test_an_edge_node_that_left_one_request_unanswered_is_not_asked_again() -> None:
    field = born()
    for second in range(1, 600):
        field.data((second + 1) % 256, second, alias=9)
    assert field.node.rebirth_asked_at == NOW + SECOND + REORDER_TIMEOUT
    assert (field.node.rebirth_unanswered, field.node.rebirth_due_at) == (True, None)


def test_a_birth_after_a_death_is_no_answer() -> None:
    """A library in use ends its network thread at the request: a watchdog starts it anew, and a
    second request would end it again."""
    field = born()
    field.data(2, 1, alias=9)
    field.data(3, 7, alias=9)  # by now the request has gone out
    field.take("NDEATH", node_death(2), 100)
    field.take("NBIRTH", node_birth(), 110)
    field.take("DBIRTH", lamp_birth(), 110.1, "lamp-1")
    field.data(2, 111, alias=9)
    assert (field.node.rebirth_unanswered, field.node.rebirth_due_at) == (True, None)


def test_nobody_is_asked_where_that_is_switched_off() -> None:
    field = Field()
    field.sessions.may_ask = False
    field.data(40)
    field.data(50, 1)
    assert (field.node.rebirth_due_at, field.node.rebirth_reason) == (None, "")


def test_the_birth_that_was_with_another_worker_calls_the_request_off() -> None:
    field = born()
    field.take("DDATA", payload(metric(alias=5, float_value=1.0), seq=3), 1, "lamp-2")
    assert field.node.rebirth_reason == GAP  # number 2 is that birth
    field.take("DBIRTH", payload(metric("power_w", 3.0, alias=5), seq=2), 0.9, "lamp-2")
    assert field.node.rebirth_due_at is None
    field.data(4, 2, alias=9)
    assert field.node.rebirth_reason == UNKNOWN_ALIAS
    field.take("NBIRTH", node_birth(), 3)
    assert field.node.rebirth_due_at is None


def test_a_request_whose_time_has_come_is_not_made_again_for_a_while() -> None:
    node = replace(ALIVE, rebirth_due_at=NOW, rebirth_reason=GAP)
    assert pass_time(node, NOW - SECOND) == node
    gone = pass_time(node, NOW)
    assert (gone.rebirth_asked_at, gone.rebirth_due_at, gone.rebirth_reason) == (NOW, None, "")
    assert placed(gone, 12, at_s=1).rebirth_due_at is None  # not before it was answered
    answered = replace(gone, rebirth_unanswered=False)
    assert placed(answered, 12, at_s=1).rebirth_due_at == NOW + REBIRTH_INTERVAL


def test_the_request_is_a_command_to_the_edge_node() -> None:
    asked = placed(ALIVE, 12)
    request = new_request(ALIVE, asked, NOW)
    assert request is not None
    assert (request.topic, request.due_at) == (
        "spBv1.0/North/NCMD/cabinet-7",
        NOW + REORDER_TIMEOUT,
    )
    (command,) = Payload.FromString(request.payload).metrics
    assert (command.name.decode(), command.boolean_value, command.datatype) == (REBIRTH, True, 11)
    assert new_request(asked, asked, NOW) is None


@pytest.mark.parametrize(
    ("before_s", "after_s", "expected"),
    [
        (None, 5, False),
        (5, 5, False),
        (5, None, True),  # called off
        (5, 9, True),  # another time
        (-1, None, False),  # it has gone out: whoever publishes may be at it now
    ],
)
def test_only_a_request_that_still_waits_is_taken_back(
    before_s: Any, after_s: Any, expected: bool
) -> None:
    def due(seconds: float | None) -> NodeRow:
        at = None if seconds is None else NOW + seconds * SECOND
        return replace(ALIVE, rebirth_due_at=at)

    assert called_off(due(before_s), due(after_s), NOW) is expected
    reborn = replace(due(after_s), born_at=NOW)
    assert called_off(due(before_s), reborn, NOW)


def test_rows_of_births_are_names_again_when_they_are_read() -> None:
    field = born()
    rows = field.sessions.metric_rows()
    assert names_of(rows) == field.sessions.names
    assert set(field.sessions.sources) == field.sessions.touched
    assert field.sessions.sources[GROUP, EDGE, ""] == SourceRow(GROUP, EDGE, "", NOW)
