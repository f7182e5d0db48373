"""Muck trucks that leave their route or hours."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from city.errors import InvalidInput
from city.place import LonLat
from city.register import RegisterEntry
from registers.hours import is_within, parse_hours
from registers.routes import Position, distance_to_route_m, judge_positions
from registers.shipped import shipped_registers

TRUCKS = shipped_registers()["muck_trucks"]
CHINA = ZoneInfo("Asia/Shanghai")
ROUTE = {"type": "LineString", "coordinates": [[110.30, 20.0], [110.40, 20.0]]}
TRUCK = RegisterEntry(
    "T-1", "permitted", {"plate": "琼A1", "hours": "22:00-05:00"}, {}, ROUTE, 110.35, 20.0
)
# Eleven at night in China.
NIGHT = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)


def at(minutes: int, lat: float, start: datetime = NIGHT) -> Position:
    return Position("T-1", start + timedelta(minutes=minutes), LonLat(110.32, lat))


def test_on_the_route_by_night_nothing_is_found() -> None:
    assert judge_positions(TRUCKS, TRUCK, [at(0, 20.0), at(1, 20.0008)], CHINA) == []


def test_a_stretch_off_the_route_is_one_finding() -> None:
    path = [at(0, 20.0), at(3, 20.01), at(1, 20.002), at(2, 20.004), at(4, 20.0), at(5, 20.003)]
    first, second = judge_positions(TRUCKS, TRUCK, path, CHINA)
    assert (first.why, first.positions) == ("off_route", 3)
    assert first.first.at == NIGHT + timedelta(minutes=1)
    assert first.farthest_m == pytest.approx(1112, rel=0.01)
    assert (second.positions, second.first) == (1, at(5, 20.003))


def test_by_day_a_truck_on_its_route_is_found_all_the_same() -> None:
    noon = datetime(2026, 12, 1, 4, 0, tzinfo=UTC)
    (found,) = judge_positions(TRUCKS, TRUCK, [at(0, 20.0, noon), at(9, 20.0, noon)], CHINA)
    assert (found.why, found.positions) == ("out_of_hours", 2)


def test_without_route_and_hours_everything_is_allowed() -> None:
    free = RegisterEntry("T-2", "permitted", {"plate": "琼A2"}, {}, None, None, None)
    assert judge_positions(TRUCKS, free, [at(0, 25.0)], CHINA) == []
    with pytest.raises(InvalidInput, match="register"):
        judge_positions(shipped_registers()["shopfronts"], free, [], CHINA)


def test_distances_are_metres_on_the_ground() -> None:
    assert distance_to_route_m(TRUCK, LonLat(110.35, 20.001)) == pytest.approx(111.2, rel=0.01)
    assert distance_to_route_m(TRUCK, LonLat(110.41, 20.0)) == pytest.approx(1045, rel=0.01)


def test_hours_may_go_over_midnight() -> None:
    spans = parse_hours("22:00-05:00; 12:00-13:00")
    inside = [time(22), time(4, 59), time(12, 30)]
    outside = [time(5), time(13), time(21, 59)]
    assert [is_within(t, spans) for t in inside + outside] == [True] * 3 + [False] * 3
    for wrong in ("22-5", "25:00-26:00", "05:00-05:00"):
        with pytest.raises(InvalidInput):
            parse_hours(wrong)
