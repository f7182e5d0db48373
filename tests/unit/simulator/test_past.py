"""The past of the city: the same from one seed, with seasons, weekends and a storm in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from city.category import Category
from city.clock import ClockKind, Limit, LimitUnit
from city.device import WatchedDevice
from city.incident import Action, Role, Source
from city.past import Matter
from city.person import Caller
from city.place import LonLat, distance_m
from city.squad import Shift, Squad
from simulator.past import plan, rhythm
from simulator.past.plan import FAULTS, KINDS, Planner
from simulator.past.town import Sensor, Spot, Town
from simulator.past.work import late_chance

ZONE = ZoneInfo("Asia/Shanghai")
END = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)
ALWAYS = (Shift(frozenset(range(1, 8)), time(0), time(0)),)
COVER_CODES = ("0102", "0103")


def category(code: str) -> Category:
    gas = code == "05-02"
    return Category(
        code,
        1,
        "x",
        "event",
        "gas" if gas else "street",
        code,
        code,
        "",
        "",
        4.0,
        "urgent_hour",
        3,
        "all",
        ["photo_after", "gas_release"] if gas else ["photo_after", "check_photo"],
        10 if gas else 0,
        "x",
        date(2025, 1, 1),
    )


def squad(code: str) -> Squad:
    grids = frozenset({"DG1"})
    return Squad(
        code, "460107", code, code, "mobile", frozenset({"all"}), grids, ALWAYS, None, None, 0
    )


def sensor(number: int, kind: str) -> Sensor:
    attributes = {
        "cover_code": COVER_CODES[number % 2],
        "water_limit_cm": 80,
        "rated_power_w": 150,
        "leakage_limit_ma": 30,
    }
    device = WatchedDevice(
        number,
        f"D-{number}",
        "460107",
        kind,
        None,
        110.3 + number / 500,
        20.0,
        None,
        attributes,
        300,
        True,
        None,
        None,
    )
    return Sensor(device, f"d {number}", "DG1")


def town() -> Town:
    codes = {kind.category for kind in KINDS} | {"05-02", "05-06", "0137", "0137-leak"}
    spots = [
        Spot(f"{n:015d}", "DG1", 110.3 + n / 900, 20.0, 110.301 + n / 900, 20.001)
        for n in range(200)
    ]
    limit = Limit(0.25, LimitUnit.URGENT_HOUR)
    return Town(
        district="460107",
        zone=ZONE,
        categories={code: category(code) for code in codes | set(COVER_CODES)},
        stages=dict.fromkeys(ClockKind, limit),
        squads=[squad(f"SQ-{n:02d}") for n in range(6)],
        spots=spots,
        sensors={
            fault.rule: [sensor(100 * m + n, fault.kind) for n in range(80)]
            for m, fault in enumerate(FAULTS)
        },
        people={role: Caller(role.value, role, "460107") for role in Role},
        after=lambda start, limit: start + timedelta(hours=limit.amount),
        works=lambda day: day.weekday() < 5,
    )


@pytest.fixture(scope="module")
def matters() -> list[Matter]:
    return list(Planner(town(), END - timedelta(days=400), END).matters())


def local_day(matter: Matter) -> date:
    return matter.opened_at.astimezone(ZONE).date()


def test_the_same_seed_gives_the_same_days() -> None:
    start = END - timedelta(days=6)
    once, again = (list(Planner(town(), start, END).matters()) for _ in range(2))
    assert once == again
    other = list(Planner(town(), start, END, seed=2).matters())
    assert [m.opened_at for m in other] != [m.opened_at for m in once]


def test_it_fills_every_day_and_runs_forward(matters: list[Matter]) -> None:
    assert 8_000 < len(matters) < 13_000
    opened = [matter.opened_at for matter in matters]
    assert opened == sorted(opened)
    assert END - timedelta(days=400) < opened[0]
    assert opened[-1] < END
    assert len({local_day(matter) for matter in matters}) >= 400
    for matter in matters:
        deeds = [deed.at for deed in matter.deeds]
        assert deeds == sorted(deeds)
        assert matter.opened_at < deeds[0]


def test_weekends_are_quieter(matters: list[Matter]) -> None:
    by_weekday = Counter(local_day(matter).weekday() for matter in matters)
    workdays = sum(by_weekday[n] for n in range(5)) / 5
    weekend = sum(by_weekday[n] for n in (5, 6)) / 2
    assert 0.6 < weekend / workdays < 0.9


def test_rush_hours_are_busier_than_the_night(matters: list[Matter]) -> None:
    by_hour = Counter(matter.opened_at.astimezone(ZONE).hour for matter in matters)
    assert by_hour[8] > 3 * by_hour[3]
    assert by_hour[18] > 1.2 * by_hour[14]


def test_the_week_of_the_typhoon_stands_out(matters: list[Matter]) -> None:
    week = rhythm.typhoon_of(2026)
    assert (week.weekday(), week.month) == (0, 9)
    by_week = Counter(local_day(m) - timedelta(days=local_day(m).weekday()) for m in matters)
    usual = sorted(by_week.values())[len(by_week) // 2]
    assert by_week[week] > 1.5 * usual
    assert max(by_week, key=lambda day: by_week[day]) == week


def test_two_cases_of_one_category_are_never_one_matter(matters: list[Matter]) -> None:
    recent: dict[str, list[Matter]] = {}
    for matter in matters:
        since = matter.opened_at - timedelta(hours=24)
        near = [m for m in recent.get(matter.category, []) if m.opened_at > since]
        assert all(distance_m(m.at, matter.at) > 50 for m in near)
        recent[matter.category] = [*near, matter]


def test_alarms_are_over_before_their_case_is(matters: list[Matter]) -> None:
    trips = [(matter, matter.trip) for matter in matters if matter.trip]
    assert len(trips) > 500
    for matter, trip in trips:
        assert matter.source is Source.SENSOR
        assert trip.sensed_at < trip.raised_at < trip.seen_at < END
        assert trip.raised_at < trip.cleared_at < matter.deeds[-1].at
        assert LonLat(trip.device.lon, trip.device.lat) == matter.at


def test_gas_is_released_before_it_is_closed(matters: list[Matter]) -> None:
    gas = [matter for matter in matters if matter.category == "05-02"]
    assert len(gas) > 50
    for matter in gas:
        actions = [deed.request.action for deed in matter.deeds]
        assert actions.index(Action.RELEASE) < actions.index(Action.CLOSE)


def test_squads_learn_but_not_all_of_them() -> None:
    changes = [
        late_chance(f"SQ-{n:02d}", 1.0, 0.0, 12) - late_chance(f"SQ-{n:02d}", 0.0, 0.0, 12)
        for n in range(1, 25)
    ]
    better = [change for change in changes if change < 0]
    assert 18 <= len(better) < 24
    assert late_chance("SQ-01", 0.5, 1.0, 12) > 1.5 * late_chance("SQ-01", 0.5, 0.0, 12)


def test_a_place_without_room_is_left_alone() -> None:
    small = replace(town(), spots=town().spots[:1])
    planner = Planner(small, END - timedelta(days=2), END)
    reported = [m for m in planner.matters() if m.trip is None]
    by_category = Counter(m.category for m in reported)
    assert reported
    assert max(by_category.values()) <= plan.TRIES
