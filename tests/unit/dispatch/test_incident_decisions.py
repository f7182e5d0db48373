"""Grouping, ranking, gas-free period and the ladder: values in, values out."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from city.clock import ClockKind, Deadline, Limit, LimitUnit, Pause
from city.delivery import DEFAULT_LADDER
from city.incident import Neighbour
from city.place import LonLat
from city.roster import Duty
from city.run_card import Send
from city.squad import Shift, Squad
from db.calendars import build_china_calendar
from dispatch.clocks import Terms, left_after_return, postpone, start_clock
from dispatch.escalate import DUE_SOON, OVERDUE, RED_CARD, YELLOW_CARD, notice
from dispatch.gas import GasStanding, Watched, judge_gas
from dispatch.grouping import Candidate, find_similar
from dispatch.recommend import rank

NOW = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)
LOCAL = NOW + timedelta(hours=8)
HERE = LonLat(110.36, 20.0)
HUNDREDTH_DEGREE_NORTH_M = 1112


def neighbour(**change: object) -> Neighbour:
    opened_at = NOW - timedelta(hours=1)
    base = Neighbour(7, "N7", "filed", "05-02", "gas", 1, HERE.lon, HERE.lat, opened_at, True)
    return replace(base, **change)  # type: ignore[arg-type]


def candidate(**change: object) -> Candidate:
    return replace(Candidate("05-02", "gas", 2, HERE, NOW), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "because"),
    [
        (neighbour(), "near_same_category"),
        (neighbour(lat=HERE.lat + 0.0004), "near_same_category"),  # 44 m
        (neighbour(lat=HERE.lat + 0.0005), None),  # 56 m
        (neighbour(category="05-05"), None),  # near, but another matter
        (neighbour(device_id=2, category="0149", lat=20.1), "same_device"),
        (neighbour(device_id=2, family="manhole", category="0111", lat=20.1), None),
        (neighbour(opened_at=NOW - timedelta(hours=24)), "near_same_category"),
        (neighbour(opened_at=NOW - timedelta(hours=24, seconds=1)), None),
    ],
)
def test_a_similar_incident_is_near_in_place_and_time(
    other: Neighbour, because: str | None
) -> None:
    found = find_similar(candidate(), [other])
    assert (found.because if found else None) == because


def test_the_same_device_comes_first_then_the_nearest() -> None:
    near = neighbour(id=1, lat=HERE.lat + 0.0001)
    nearer = neighbour(id=2)
    same = neighbour(id=3, device_id=2, lat=20.1)
    found = find_similar(candidate(), [near, nearer])
    assert found is not None
    assert found.incident_id == 2
    found = find_similar(candidate(), [near, nearer, same])
    assert found is not None
    assert found.incident_id == 3


@pytest.mark.parametrize(
    ("category", "family", "other", "joins"),
    [
        ("05-02", "gas", {}, True),  # one leak trips several detectors
        ("05-06", "drainage", {}, True),  # one flood, several manholes
        ("0123", "manhole", {}, False),  # two open covers are two holes
        ("0137", "light", {}, False),
        ("0137-leak", "light", {}, False),
        ("0123", "manhole", {"device_id": 2}, True),  # one device is one place
        ("0137-leak", "light", {"device_id": 2, "category": "0137"}, False),
        ("05-02", "gas", {"state": "reported"}, False),  # nobody has accepted it yet
        ("05-02", "gas", {"state": "verifying"}, False),
        ("05-02", "gas", {"state": "suspended"}, True),
    ],
)
def test_only_what_has_one_source_is_joined_without_asking(
    category: str, family: str, other: dict[str, object], joins: bool
) -> None:
    near = neighbour(**{"category": category, "family": family, **other})
    found = find_similar(candidate(category=category, family=family), [near])
    assert found is not None
    assert found.joins is joins


def test_what_can_be_joined_comes_before_what_is_only_nearer() -> None:
    unverified = neighbour(id=1, state="reported")
    at_work = neighbour(id=2, lat=HERE.lat + 0.0002)
    found = find_similar(candidate(), [unverified, at_work])
    assert found is not None
    assert found.incident_id == 2


def test_a_gas_leak_never_joins_an_incident_that_closes_without_a_release() -> None:
    broken_box = neighbour(device_id=2, category="0149", needs_release=False)
    assert find_similar(candidate(needs_release=True), [broken_box]) is None
    assert find_similar(candidate(category="0149"), [broken_box]) is not None


def test_a_report_without_a_device_does_not_match_others_without_one() -> None:
    assert find_similar(candidate(device_id=None), [neighbour(device_id=None, lat=21.0)]) is None


def squad(code: str, **change: object) -> Squad:
    day = Shift(frozenset(range(1, 8)), time(8), time(20))
    base = Squad(
        code, "460107", code, code, "gas", frozenset({"gas"}), frozenset(), (day,), HERE, NOW, 0
    )
    return replace(base, **change)  # type: ignore[arg-type]


def order(*squads: Squad, grid: str | None = "D1") -> list[str]:
    return [r.squad for r in rank(Send("gas"), HERE, grid, squads, NOW, LOCAL)]


def test_squads_on_duty_with_the_skill_come_before_all_others() -> None:
    night = (Shift(frozenset(range(1, 8)), time(20), time(8)),)
    assert order(
        squad("off", shifts=night), squad("unskilled", skills=frozenset({"light"})), squad("fit")
    ) == ["fit", "off", "unskilled"]


def test_nearer_own_grid_and_less_work_each_count() -> None:
    far = LonLat(HERE.lon, HERE.lat + 0.03)
    assert order(squad("far", position=far), squad("near")) == ["near", "far"]
    assert order(squad("else"), squad("own", duty_grids=frozenset({"D1"}))) == ["own", "else"]
    assert order(squad("busy", open_incidents=3), squad("idle")) == ["idle", "busy"]
    assert order(squad("lost", position=None), squad("seen")) == ["seen", "lost"]


def test_the_parts_make_the_score_and_the_reasons_say_why() -> None:
    best = rank(Send("gas"), HERE, "D1", [squad("a", duty_grids=frozenset({"D1"}))], NOW, LOCAL)[0]
    assert best.score == sum(best.parts.values()) == 100
    assert [why.code for why in best.reasons] == ["on_duty", "owns_grid", "travel", "workload"]
    assert asdict(best)["reasons"][1] == {
        "code": "owns_grid",
        "zh": "责任网格内",
        "en": "its own duty grid",
    }


GAS = Send("gas")


def why_not(*squads: Squad, wanted: Send = GAS, **more: Any) -> dict[str, list[str]]:
    ranked = rank(wanted, HERE, "D1", squads, NOW, LOCAL, **more)
    return {one.squad: [why.code for why in one.why_not] for one in ranked}


def test_each_squad_after_the_first_says_what_speaks_against_it() -> None:
    night = (Shift(frozenset(range(1, 8)), time(20), time(8)),)
    first = squad("first", duty_grids=frozenset({"D1"}))
    far = squad("far", position=LonLat(HERE.lon, HERE.lat + 0.03), open_incidents=2)
    assert why_not(first, far, squad("off", shifts=night), squad("lamps", skills=frozenset())) == {
        "first": [],
        "far": ["farther", "other_grid", "more_load"],
        "off": ["off_duty", "other_grid"],
        "lamps": ["lacks_skill", "other_grid"],
    }


def test_whose_certificate_is_over_is_not_recommended_and_the_run_card_names_a_kind() -> None:
    roster = (Duty("1,2,3,4,5,6,7", time(8), time(20), "wu"),)
    lapsed = {"wu": date(2026, 7, 1)}
    assert why_not(squad("a", roster=roster), squad("b", open_incidents=5), lapsed=lapsed) == {
        "b": [],
        "a": ["certificate_expired"],
    }
    kinds = why_not(squad("a"), squad("m", kind="mobile"), wanted=Send("gas", 1, "mobile"))
    assert kinds == {"m": [], "a": ["other_kind"]}


def test_who_rested_too_little_is_warned_of_and_may_be_sent() -> None:
    short = (
        Duty("2026-07-14", time(20), time(4), "wu"),  # until 04:00 of the day
        Duty("2026-07-15", time(8), time(20), "wu"),
    )
    (one,) = rank(Send("gas"), HERE, None, [squad("a", roster=short)], NOW, LOCAL)
    assert one.eligible
    assert [why.en for why in one.why_not] == ["rested 4 h only"]
    other = (replace(short[0], person="li"), short[1])
    assert why_not(squad("a", roster=other)) == {"a": []}


def test_an_old_position_is_pointed_out_and_inspectors_are_not_sent() -> None:
    old = rank(
        Send("gas"), HERE, None, [squad("a", position_at=NOW - timedelta(hours=1))], NOW, LOCAL
    )
    assert "position_old" in [why.code for why in old[0].reasons]
    assert order(squad("inspectors", kind="inspection")) == []


@pytest.mark.parametrize(
    ("local", "on_duty"),
    [
        ("2026-07-15 21:00", True),  # Wednesday evening
        ("2026-07-16 05:59", True),  # the same shift after midnight
        ("2026-07-16 06:00", False),
        ("2026-07-16 21:00", False),  # Thursday has no shift
        ("2026-07-15 05:00", False),  # Tuesday had none either
    ],
)
def test_a_shift_runs_past_midnight(local: str, on_duty: bool) -> None:
    wednesday_night = Shift(frozenset({3}), time(20), time(6))
    moment = datetime.fromisoformat(local)
    assert squad("a", shifts=(wednesday_night,)).is_on_duty(moment) is on_duty


WATCHED = Watched(
    device="GD-1",
    stands=False,
    cleared_at=NOW - timedelta(minutes=40),
    ended_at=NOW - timedelta(minutes=40),
    limit=20,
    clear_limit=10,
    comparison="at_or_above",
    readings=5,
    lowest=0,
    highest=4,
    newest_at=NOW - timedelta(minutes=1),
    report_interval=timedelta(minutes=5),
)
PERIOD = timedelta(minutes=30)


def verdict(released: bool = True, **change: object) -> GasStanding:
    watched = replace(WATCHED, **change)  # type: ignore[arg-type]
    released_at = NOW - timedelta(minutes=35) if released else None
    return judge_gas(True, PERIOD, [watched], released_at, NOW)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "gas_free"),
        ({"released": False}, "release_missing"),
        ({"stands": True}, "alarm_stands"),
        ({"cleared_at": NOW - timedelta(minutes=29)}, "gas_free_period_runs"),
        ({"newest_at": NOW - timedelta(minutes=16)}, "sensor_silent"),
        ({"newest_at": None, "highest": None, "lowest": None}, "sensor_silent"),
        ({"highest": 11.0}, "reading_not_clear"),
        ({"highest": 10.0}, "gas_free"),
        ({"clear_limit": None, "highest": 11.0}, "reading_not_clear"),  # half of the limit
        ({"comparison": "below", "clear_limit": 19.5, "lowest": 19.0}, "reading_not_clear"),
        ({"comparison": "below", "clear_limit": 19.5, "lowest": 20.0}, "gas_free"),
        # reset by a person because the sensor is dead: the engineer's release starts the period
        ({"cleared_at": None}, "gas_free"),
        ({"cleared_at": None, "released": False}, "release_missing"),
        ({"cleared_at": None, "ended_at": NOW - timedelta(minutes=5)}, "gas_free_period_runs"),
    ],
)
def test_a_place_is_gas_free_only_when_everything_says_so(
    change: dict[str, object], reason: str
) -> None:
    found = verdict(**change)  # type: ignore[arg-type]
    assert found.reason == reason
    assert found.free is (reason == "gas_free")


def test_the_end_of_the_gas_free_period_is_known_in_advance() -> None:
    cleared = NOW - timedelta(minutes=10)
    assert verdict(cleared_at=cleared).free_at == cleared + PERIOD


def test_a_reported_leak_without_a_sensor_needs_the_release_alone() -> None:
    assert judge_gas(True, PERIOD, [], None, NOW).reason == "release_missing"
    assert judge_gas(True, PERIOD, [], NOW, NOW).free


CHINA = build_china_calendar()
TERMS = Terms("460107", 1, CHINA, {})
FOUR_HOURS = Limit(4, LimitUnit.URGENT_HOUR)


def handling(started_at: datetime = NOW, limit: Limit = FOUR_HOURS) -> Deadline:
    return start_clock(ClockKind.HANDLE, 1, limit, started_at, TERMS)


def said(deadline: Deadline, hours: float) -> tuple[tuple[str, ...], Deadline]:
    noticed = notice(deadline, NOW + timedelta(hours=hours), CHINA, (), DEFAULT_LADDER)
    return noticed.kinds, noticed.deadline


def test_the_ladder_is_climbed_once_and_in_order() -> None:
    clock = handling()
    heard = []
    for tenth_hours in range(200):
        kinds, clock = said(clock, tenth_hours / 10)
        heard += [(kind, tenth_hours / 10) for kind in kinds]
    assert heard == [(DUE_SOON, 3.2), (OVERDUE, 4.1), (YELLOW_CARD, 8.0), (RED_CARD, 12.0)]


def test_after_a_long_outage_only_the_highest_level_is_said() -> None:
    kinds, clock = said(handling(), 100)
    assert kinds == (OVERDUE, RED_CARD)
    assert said(clock, 101)[0] == ()


def test_a_paused_met_or_stopped_clock_says_nothing() -> None:
    for stood in ("paused_at", "met_at", "stopped_at"):
        assert said(replace(handling(), **{stood: NOW}), 100)[0] == ()


def test_cards_are_for_the_handling_clock_only() -> None:
    check = start_clock(ClockKind.CHECK, 1, FOUR_HOURS, NOW, TERMS)
    assert said(check, 100)[0] == (OVERDUE,)


def test_a_warning_is_given_again_after_a_postponement() -> None:
    _, warned = said(handling(), 3.5)
    assert warned.warned_at is not None
    later = postpone(warned, FOUR_HOURS, NOW + timedelta(hours=3.5), TERMS).changed[0]
    assert later.due_at == NOW + timedelta(hours=8)
    assert later.warned_at is None
    assert said(later, 6.4)[0] == (DUE_SOON,)


def test_what_a_returned_squad_has_left_is_its_limit_less_the_time_used() -> None:
    stopped = replace(handling(), stopped_at=NOW + timedelta(hours=3))
    pause = Pause(NOW + timedelta(hours=1), NOW + timedelta(hours=2))
    assert left_after_return(stopped, CHINA, [pause]) == Limit(2, LimitUnit.URGENT_HOUR)
    late = replace(handling(), stopped_at=NOW + timedelta(hours=30))
    left = left_after_return(late, CHINA, [])
    assert left.amount == pytest.approx(1 / 60)  # a minute: a limit cannot be zero
