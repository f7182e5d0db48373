"""Areas: in which a place lies, when they count, and how their hours are written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from city.area import (
    Area,
    AreaKind,
    areas_at,
    geometry_of,
    hours_text,
    parse_hours,
    shape_of,
)
from city.errors import InvalidInput

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY_8 = datetime(2026, 11, 30, 0, 0, tzinfo=UTC)  # 08:00 in the city
SQUARE = ((110.0, 20.0), (110.01, 20.0), (110.01, 20.01), (110.0, 20.01))
HOLE = ((110.004, 20.004), (110.006, 20.004), (110.006, 20.006), (110.004, 20.006))


def stalls(hours: str = "", **more: object) -> Area:
    given = {"rings": (SQUARE,), "classes": ("hawker",), "hours": parse_hours(hours), **more}
    return Area("A", AreaKind.STALLS, "甲", "A", **given)  # type: ignore[arg-type]


def holds(area: Area, at: datetime = MONDAY_8, place: tuple[float, float] = (110.002, 20.002)):
    return bool(areas_at([area], *place, at, ZONE))


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        ("", MONDAY_8, True),
        ("06:00-09:00", MONDAY_8, True),
        ("06:00-08:00", MONDAY_8, False),  # the end does not count
        ("1 06:00-09:00", MONDAY_8, True),
        ("2-7 06:00-09:00", MONDAY_8, False),
        ("6,7 06:00-09:00; 1-5 07:30-08:30", MONDAY_8, True),
        # Over midnight: the hours of Sunday reach into Monday.
        ("7 22:00-09:00", MONDAY_8, True),
        ("1 22:00-09:00", MONDAY_8, False),
        ("1 22:00-09:00", datetime(2026, 11, 30, 15, 0, tzinfo=UTC), True),
        ("00:00-24:00", datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC), True),
    ],
)
def test_hours_are_those_of_the_city(hours: str, at: datetime, expected: bool) -> None:
    assert holds(stalls(hours), at) is expected


def test_an_area_counts_from_its_first_day_to_the_end_of_its_last() -> None:
    area = stalls(valid_from=date(2026, 11, 30), valid_until=date(2026, 11, 30))
    assert holds(area)
    assert not holds(area, datetime(2026, 11, 29, 15, 59, tzinfo=UTC))
    assert holds(area, datetime(2026, 11, 30, 15, 59, tzinfo=UTC))
    assert not holds(area, datetime(2026, 11, 30, 16, 0, tzinfo=UTC))


def test_a_place_in_a_hole_lies_outside() -> None:
    area = stalls(rings=(SQUARE, HOLE))
    assert holds(area)
    assert not holds(area, place=(110.005, 20.005))
    assert not holds(area, place=(110.02, 20.005))


def test_a_point_reaches_as_far_as_its_radius() -> None:
    area = stalls(rings=(), centre=(110.0, 20.0), radius_m=100.0)
    assert holds(area, place=(110.0, 20.0008))
    assert not holds(area, place=(110.0, 20.001))


def test_only_stalls_permit_and_only_the_classes_they_name() -> None:
    assert stalls().permits("hawker")
    assert not stalls().permits("illegal_parking")
    hazard = Area("H", AreaKind.HAZARD, "乙", "B", rings=(SQUARE,), classes=("hawker",))
    assert not hazard.permits("hawker")


def test_hours_are_written_as_they_are_read() -> None:
    text = "1-5 06:00-09:00; 6,7 06:00-12:00; 22:00-02:00"
    assert hours_text(parse_hours(text)) == text
    for wrong in ("6-9", "1-5 6:00-9:00", "8 06:00-09:00", "1-5 06:00-25:00", "5-1 06:00-09:00"):
        with pytest.raises(InvalidInput, match="hours"):
            parse_hours(wrong)


def test_a_geometry_comes_back_as_it_was() -> None:
    for area in (stalls(rings=(SQUARE, HOLE)), stalls(rings=(), centre=(110.0, 20.0), radius_m=5)):
        assert shape_of(geometry_of(area)) == (area.rings, area.centre)
    assert geometry_of(stalls())["coordinates"][0][0] == [110.0, 20.0]
    assert geometry_of(stalls())["coordinates"][0][-1] == [110.0, 20.0]
