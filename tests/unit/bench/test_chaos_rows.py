"""What a row of the fault matrix counts, and when it says that a promise is broken."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import httpx
import pytest

from bench.chaos.books import Losses, losses
from bench.chaos.drill import Row
from bench.chaos.faults import ABSENT, FROZEN, KILL, STOP, TERM, Fault, Happened, matrix
from bench.chaos.parts import PARTS, WORKER, part_of
from bench.chaos.table import render
from bench.chaos.witness import listed, readyz_text
from bench.remembering import NEVER, Sent

CODES = ("A", "B")
KEPT = Row(Fault("engine", KILL), 1.0, 10, 0, 0, 0, 0, 1, 1, 2.0, "live", "ready")
# Killed at 8.5 after a save at 8; back at 9.
KILLED = Happened(began_at=7.0, over_at=9.0, saved_at=8.0, back_at=9.0)


def sent(key: int, acked_at: float, source: int = 0) -> Sent:
    return Sent(source, key, 1.0, acked_at)


def test_what_is_acknowledged_and_stored_once_is_neither_lost_nor_doubled() -> None:
    messages = [sent(1, 2.0), sent(1, 2.0, source=1)]
    found = losses(messages, CODES, Counter({("A", 1): 1, ("B", 1): 1}), Happened(1.0, 2.0))
    assert found == Losses(2, 0, 0, 0)


def test_of_what_is_lost_messages_without_a_time_are_counted_apart() -> None:
    messages = [sent(1, 2.0), sent(1, 2.0, source=1)]
    found = losses(messages, CODES, Counter(), Happened(1.0, 2.0), untimed=["B"])
    assert (found.lost, found.lost_untimed) == (2, 1)


def test_what_was_never_acknowledged_cannot_be_lost() -> None:
    assert losses([sent(1, NEVER)], CODES, Counter(), Happened(1.0, 2.0)) == Losses(0, 0, 0, 0)


def test_what_stands_twice_is_doubled_whether_acknowledged_or_not() -> None:
    messages = [sent(1, 2.0), sent(2, NEVER)]
    stored = Counter({("A", 1): 2, ("A", 2): 3})
    assert losses(messages, CODES, stored, Happened(1.0, 2.0)).doubled == 3


@pytest.mark.parametrize(
    ("acked_at", "lost", "after_save"),
    [
        (7.9, 1, 0),  # in the save
        (8.0, 1, 0),  # the save ended at this moment, and nothing is acknowledged while it saves
        (8.3, 0, 1),  # only in the memory of the broker that was killed
        (9.0, 1, 0),  # accepted by its successor
    ],
)
def test_only_what_a_killed_broker_took_after_its_last_save_is_excused(
    acked_at: float, lost: int, after_save: int
) -> None:
    found = losses([sent(1, acked_at)], CODES, Counter(), KILLED)
    assert (found.lost, found.lost_after_save) == (lost, after_save)


def test_nothing_is_excused_where_the_broker_was_not_ended() -> None:
    assert losses([sent(1, 8.3)], CODES, Counter(), Happened(7.0, 9.0)).lost == 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"lost": 1}, "1 lost"),
        ({"doubled": 2}, "2 doubled"),
        ({"incidents": 0}, "1 alarms, 0 incidents"),
        ({"alarms": 2, "incidents": 2}, "2 alarms, 2 incidents"),
        ({"normal_s": None}, "not normal"),
    ],
)
def test_a_row_says_which_promise_it_breaks(change: dict[str, int | None], word: str) -> None:
    row = replace(KEPT, **change)  # type: ignore[arg-type]
    assert len(row.broken) == 1
    assert word in row.broken[0]
    assert "BROKEN" in render([row])


def test_a_row_that_keeps_its_promise_may_be_late() -> None:
    assert KEPT.broken == []
    assert not KEPT.is_late
    assert replace(KEPT, normal_s=5.1).is_late
    assert replace(KEPT, lost_after_save=9).broken == []
    assert "(late)" in render([replace(KEPT, normal_s=5.1)])


def test_a_cell_cannot_break_the_table() -> None:
    lines = render([replace(KEPT, wall="a | b")]).splitlines()
    assert len({line.count("|") for line in lines}) == 1


def test_the_matrix_has_every_part_in_every_way_it_heeds_and_the_brokers_end_thirty_times() -> None:
    faults = matrix(5)
    assert {(f.part, f.way) for f in faults} == {
        (part, way) for part in PARTS for way in (KILL, TERM, STOP)
    } - {(WORKER, TERM)}
    ends = [f for f in faults if f.part == "broker" and f.way != STOP]
    assert len(ends) == 30
    assert {f.ingest for f in ends} == {"healthy", FROZEN, ABSENT}
    assert len({f.name for f in faults}) == len(set(faults))


@pytest.mark.parametrize(
    ("command", "part"),
    [
        (["/v/python", "-m", "app.cli", "ingest"], "ingest"),
        (["/v/python", "-m", "app.cli", "serve"], "serve"),
        (["/v/python", "-m", "app.cli", "simulate"], ""),
        (["/s/usr/sbin/mosquitto", "-c", "/d/mosquitto.conf"], "broker"),
        (["/s/bin/redis-server 127.0.0.1:6379", "", ""], "redis"),
        (["/s/bin/postgres", "-D", "/d"], "database"),
        (["/usr/bin/ingest"], ""),
        ([], ""),
        ([""], ""),
    ],
)
def test_a_part_is_known_by_its_command_line(command: list[str], part: str) -> None:
    assert part_of(command) == part


def test_what_changes_only_in_its_figures_is_listed_once() -> None:
    assert listed(["live", "lost 3 s", "lost 4 s", "live"]) == "live → lost 3 s"


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (200, {"ready": True, "reasons": [], "notes": []}, "ready"),
        (200, {"ready": True, "notes": ["redis"]}, "ready (redis)"),
        (503, {"ready": False, "reasons": ["a", "b"], "notes": []}, "not ready (a; b)"),
    ],
)
def test_readyz_is_told_in_a_line(status: int, body: dict[str, object], text: str) -> None:
    assert readyz_text(httpx.Response(status, json=body)) == text


def test_a_page_of_a_proxy_is_no_answer_of_readyz() -> None:
    assert readyz_text(httpx.Response(502, text="<html>")) == "HTTP 502"
