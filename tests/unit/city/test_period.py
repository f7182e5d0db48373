"""Months, quarters and years by their names."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from city.errors import InvalidInput
from city.period import last_ended, parse_period

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("2026-07", "2026-07-01", "2026-08-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026-Q4", "2026-10-01", "2027-01-01"),
        ("2026", "2026-01-01", "2027-01-01"),
    ],
)
def test_a_period_is_from_local_midnight_to_local_midnight(name: str, start: str, end: str) -> None:
    period = parse_period(name, ZONE)
    assert period.start == datetime.fromisoformat(f"{start}T00:00:00+08:00")
    assert period.end == datetime.fromisoformat(f"{end}T00:00:00+08:00")


@pytest.mark.parametrize("name", ["", "2026-00", "2026-13", "2026-7", "2026-Q5", "2026-q1", "0000"])
def test_what_is_no_period_is_named(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_period(name, ZONE)
    assert (refused.value.field, refused.value.value) == ("period", name)


@pytest.mark.parametrize(
    ("now", "names"),
    [
        # In Shanghai the new year begins eight hours before midnight UTC.
        ("2025-12-31T16:00:00", ["2025-12", "2025-Q4", "2025"]),
        ("2025-12-31T15:59:59", ["2025-11", "2025-Q3", "2024"]),
        ("2026-03-31T12:00:00", ["2026-02", "2025-Q4", "2025"]),
        ("2026-07-01T00:00:00", ["2026-06", "2026-Q2", "2025"]),
    ],
)
def test_the_last_ones_that_ended(now: str, names: list[str]) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    ended = last_ended(moment, ZONE)
    assert [period.name for period in ended] == names
    assert all(period.end <= moment for period in ended)
