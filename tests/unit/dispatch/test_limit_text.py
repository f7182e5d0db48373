"""Limits as people write them, and a deadline counted by hand."""

from __future__ import annotations

import pytest

from city.clock import Limit, LimitUnit
from city.errors import InvalidInput
from city.limits import parse_limit
from db.calendars import build_china_calendar
from dispatch.by_hand import due_by_hand

CHINA = build_china_calendar()


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("4 work_hour", Limit(4, LimitUnit.WORK_HOUR)),
        ("0.5 work_day", Limit(0.5, LimitUnit.WORK_DAY)),
        ("2 natural_days", Limit(2, LimitUnit.NATURAL_DAY)),
        ("4工作时", Limit(4, LimitUnit.WORK_HOUR)),
        ("2紧急工作时", Limit(2, LimitUnit.URGENT_HOUR)),
        ("2 个工作日", Limit(2, LimitUnit.WORK_DAY)),
        ("15天", Limit(15, LimitUnit.WORK_DAY)),
        ("4小时", Limit(4, LimitUnit.WORK_HOUR)),
        ("２紧急工作日", Limit(2, LimitUnit.NATURAL_DAY)),
        ("3 自然日", Limit(3, LimitUnit.NATURAL_DAY)),
    ],
)
def test_a_written_limit_is_understood(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    "text",
    ["", "soon", "4", "4 hours", "-1 work_hour", "0 work_hour", "work_hour", "1 周", "nan 天"],
)
def test_an_unknown_limit_is_refused_and_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        parse_limit(text)


def test_by_hand_gives_the_json_of_the_contract() -> None:
    assert due_by_hand("2026-07-17T17:30:00+08:00", "4 work_hour", [], CHINA) == {
        "due": "2026-07-20T11:30:00+08:00",
        "calendar_version": 2026,
        "counted": [
            {"date": "2026-07-17", "minutes": 30},
            {"date": "2026-07-20", "minutes": 210},
        ],
    }


def test_by_hand_reads_bare_times_as_local_and_takes_pauses() -> None:
    answer = due_by_hand(
        "2026-07-17 17:30", "4工作时", ["2026-07-20 08:00/2026-07-20T02:00Z"], CHINA
    )
    assert answer["due"] == "2026-07-20T15:30:00+08:00"


def test_by_hand_warns_beyond_the_known_calendar() -> None:
    answer = due_by_hand("2026-12-31 17:00", "1 work_day", [], CHINA)
    assert "2026-12-31" in answer["warning"]


@pytest.mark.parametrize(
    ("start", "pauses", "field"),
    [
        ("yesterday", [], "start"),
        ("2026-07-17 17:30", ["2026-07-17 17:30"], "pause"),
        ("2026-07-17 17:30", ["2026-07-17 18:30/2026-07-17 18:00"], "pause"),
    ],
)
def test_by_hand_names_the_bad_field(start: str, pauses: list[str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        due_by_hand(start, "1 work_day", pauses, CHINA)
    assert refused.value.field == field
