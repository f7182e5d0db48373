"""What can be a work permit, and where it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from city.errors import InvalidInput
from city.permit import (
    Candidate,
    NewPermit,
    PermitPlace,
    Span,
    check_permit,
    covered,
    devices_in,
    read_place,
)

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD = NewPermit("WP-1", "crew 4", "cleaning", PermitPlace(devices=("M-1",)), NOW, NOW + HOUR)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"code": "a b"}, "code"),
        ({"who": " "}, "who"),
        ({"why": ""}, "why"),
        ({"until_at": NOW}, "until"),
        ({"from_at": NOW - 3 * HOUR, "until_at": NOW - HOUR}, "until"),
        ({"from_at": NOW - 25 * HOUR}, "from"),
        ({"until_at": NOW + timedelta(days=32)}, "until"),
    ],
)
def test_what_cannot_be_a_permit_is_refused_by_name(changed: dict[str, Any], field: str) -> None:
    check_permit(GOOD, NOW)
    with pytest.raises(InvalidInput) as error:
        check_permit(replace(GOOD, **changed), NOW)
    assert error.value.field == field


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "place"),
        ({"devices": ["M-1"], "street": "460107001"}, "place"),
        ({"devices": [1]}, "devices"),
        ({"lon": 110.3, "lat": 20.0}, "radius_m"),
        ({"lon": 110.3, "lat": 200.0, "radius_m": 5}, "lat"),
        ({"lon": 110.3, "lat": 20.0, "radius_m": 9000}, "radius_m"),
        ({"polygon": "110 20; 111 20"}, "polygon"),
        ({"polygon": [[110, 20], [111, 20], "x"]}, "polygon"),
    ],
)
def test_a_place_that_is_none_is_refused_by_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_place(fields)
    assert error.value.field == field


def test_a_place_holds_the_covers_that_lie_in_it() -> None:
    near = Candidate(1, "M-1", 110.35, 20.0, "S-1", True)
    lamp = replace(near, id=2, code="L-1", has_cover=False)
    far = Candidate(3, "M-3", 110.36, 20.0, "S-2", True)
    everything = [near, lamp, far]
    square = [[110.349, 19.999], [110.351, 19.999], [110.351, 20.001], [110.349, 20.001]]
    for fields in (
        {"polygon": square},
        {"polygon": [*square, square[0]]},
        {"lon": 110.35, "lat": 20.0, "radius_m": 500},
        {"street": "S-1"},
    ):
        place = read_place(fields)
        assert devices_in(place, everything) == [near]
        assert read_place(place.as_json()) == place
    assert devices_in(read_place({"devices": "L-1 M-3"}), everything) == [lamp, far]
    with pytest.raises(InvalidInput, match="no device"):
        devices_in(read_place({"devices": "X-1"}), everything)


def test_of_several_permits_the_longest_covers() -> None:
    one = Span(1, "WP-1", NOW, NOW + HOUR)
    other = Span(2, "WP-2", NOW, NOW + 2 * HOUR)
    assert covered([one, other], NOW) == other
    assert covered([one], NOW + HOUR) is None
    assert covered([one], NOW + HOUR, timedelta(minutes=5)) == one  # a window that still sees it
    assert covered([one], NOW - timedelta(seconds=1)) is None
