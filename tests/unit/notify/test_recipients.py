"""Who is told, when quiet hours end, and when a message is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from city.roster import Duty
from city.squad import Shift, Squad
from notify.backoff import next_try
from notify.recipients import Asked, Person, choose, on_duty, quiet_until

NOON = datetime(2026, 7, 15, 12, 0, tzinfo=UTC)  # a Wednesday
ALWAYS = (Shift(frozenset(range(1, 8)), time(0), time(0)),)


def person(name: str, role: str = "dispatcher", squad: str | None = None, **more: object) -> Person:
    return Person(name, role, squad, **{"signed_in": True, **more})  # type: ignore[arg-type]


def squad(code: str, *duties: Duty) -> Squad:
    return Squad(
        code,
        "460107",
        "",
        "",
        "gas",
        frozenset(),
        frozenset(),
        ALWAYS,
        None,
        None,
        0,
        duties or None,
    )


GAS = Asked("handle", "S1", True, True)
PEOPLE = [
    person("d1"),
    person("d2", signed_in=False),
    person("d3", on_duty=False),
    person("s1", "squad_leader", "S1"),
    person("s2", "squad_leader", "S2"),
    person("worker", "viewer", "S1", on_duty=True),
    person("c1", "checker"),
    person("g1", "gas_engineer"),
]


@pytest.mark.parametrize(
    ("words", "asked", "names"),
    [
        (("dispatcher",), GAS, ["d1"]),
        (("squad",), GAS, ["s1", "worker"]),
        (("squad",), Asked("handle", "S1", False, True), ["d1"]),  # off duty: the centre
        (("squad",), Asked("handle", None, False, True), ["d1"]),
        (("responsible",), Asked("check", "S1", True, False), ["c1"]),
        (("responsible",), Asked("dispatch", "S1", True, False), ["d1"]),
        (("responsible", "dispatcher"), Asked("acknowledge", "S2", True, False), ["s2", "d1"]),
        (("gas_engineer",), GAS, ["g1"]),
        (("gas_engineer", "checker"), Asked("", None, False, False), ["c1"]),
        ((), GAS, ["d1"]),
    ],
)
def test_words_name_people_who_are_there(
    words: tuple[str, ...], asked: Asked, names: list[str]
) -> None:
    assert choose(words, asked, PEOPLE) == names


def test_nobody_is_there_at_all() -> None:
    assert choose(("leader",), GAS, [person("d", signed_in=False)]) == []


def test_whoever_a_roster_names_is_on_duty_by_it() -> None:
    one = squad("S1", Duty("3", time(8), time(16), "early"), Duty("3", time(16), time(8), "late"))
    assert on_duty([one, squad("S2")], NOON) == {"early": True, "late": False}


@pytest.mark.parametrize(
    ("begin", "end", "at", "until"),
    [
        ((22, 0), (6, 0), (23, 0), "2026-07-16T06:00"),
        ((22, 0), (6, 0), (5, 59), "2026-07-15T06:00"),
        ((22, 0), (6, 0), (6, 0), None),
        ((12, 0), (14, 0), (12, 0), "2026-07-15T14:00"),
        ((12, 0), (14, 0), (14, 0), None),
        ((8, 0), (8, 0), (8, 0), None),
    ],
)
def test_quiet_hours_may_run_past_midnight(
    begin: tuple[int, int], end: tuple[int, int], at: tuple[int, int], until: str | None
) -> None:
    local = NOON.replace(hour=at[0], minute=at[1])
    found = quiet_until(time(*begin), time(*end), local)
    assert found == (datetime.fromisoformat(until + "Z") if until else None)


def test_nobody_has_quiet_hours_who_names_none() -> None:
    assert quiet_until(None, None, NOON) is None


def test_tries_come_further_and_further_apart_and_end() -> None:
    now = datetime(2026, 7, 15, tzinfo=UTC)
    ends = now + timedelta(minutes=4)
    waits = [next_try(n, now, ends) for n in range(1, 8)]
    assert [w and (w - now).total_seconds() for w in waits] == [2, 5, 15, 45, 120, None, None]
    asked = next_try(1, now, ends, 60.0)
    assert asked == now + timedelta(seconds=60)
