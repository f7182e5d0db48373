"""What is said beside a value, in both languages."""

from __future__ import annotations

import pytest

from city.reading import Quality
from city.trust import FaultKind, trust_words
from dashboard.screens.devices.trust import age_text, quality_text, value_note
from dashboard.shell.i18n import LANGUAGES, read_catalogue, texts

ZH, EN = texts("zh"), texts("en")


def test_a_fresh_good_value_has_its_age_and_nothing_else() -> None:
    assert value_note(EN, Quality.GOOD, 20, 300) == "20 s ago"
    assert value_note(ZH, Quality.GOOD, 20, 300) == "20 秒前"


def test_older_than_three_report_intervals_is_stale() -> None:
    assert trust_words(Quality.GOOD, 900, 300) == ["good"]
    assert trust_words(Quality.GOOD, 900.1, 300) == ["stale"]


def test_a_value_from_the_future_is_never_good() -> None:
    assert trust_words(Quality.GOOD, -529, 300) == ["clock"]
    assert trust_words(Quality.GOOD, -0.001, 300) == ["clock"]
    assert trust_words(Quality.GOOD, 0, 300) == ["good"]
    assert trust_words(Quality.GOOD, -529, 300, ["clock"]) == ["clock"]
    assert value_note(EN, Quality.GOOD, -540, 300) == "9 min ahead · clock is wrong"


def test_the_gravest_word_comes_first() -> None:
    words = trust_words(Quality.SUSPECT, 10_000, 300, ["clock", "stuck"])
    assert words == ["stuck", "clock", "stale", "suspect"]


def test_a_stuck_value_is_called_suspect() -> None:
    assert quality_text(EN, Quality.GOOD, 20, 300, ["stuck"]) == "stuck, suspect"
    assert quality_text(ZH, Quality.LATE, 20, 300, ["stuck"]) == "数值不变，疑似卡死 · 迟到"


def test_a_value_from_the_future_is_not_called_some_seconds_ago() -> None:
    assert age_text(EN, -90) == "1 min 30 s ahead"
    assert age_text(EN, -1) == "0 s ago"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_word_is_in_the_catalogue(lang: str) -> None:
    words = [*(q.name.lower() for q in Quality), *FaultKind, "stale"]
    assert all(read_catalogue()[f"quality.{word}"][lang] for word in words)
