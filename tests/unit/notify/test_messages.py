"""What a message says, in both languages, and how it is cut to what a channel takes."""

from __future__ import annotations

from datetime import UTC, datetime
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.clock import ClockKind
from city.delivery import ChannelKind, Step
from notify.channels.registry import LIMITS, SENDERS
from notify.messages import LANGUAGES, MORE, Facts, TextLimit, fit, texts, word_step, word_test

FACTS = Facts(
    number="460107-20260715-00012",
    title="Gas leak · Changdi Road",
    where="Changdi",
    severity=1,
    clock="dispatch",
    due_at=datetime(2026, 7, 15, 9, 30, tzinfo=UTC),
    squad="Gas squad",
)
LINK = "https://city.example/m/abcdefghijklmnopqrstuvwx"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("step", Step)
def test_every_step_has_its_words(step: Step, lang: str) -> None:
    title, body = word_step(step, FACTS, lang)
    assert title
    assert body
    assert "{" not in title + body
    assert FACTS.number in title


def test_both_languages_say_the_same_things() -> None:
    def names(lang: str, step: str, part: str) -> set[str]:
        text = texts()[lang][step][part]
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    for step in (*Step, "test"):
        both = [names(lang, step, "title") | names(lang, step, "body") for lang in LANGUAGES]
        assert both[0] == both[1], step
    for area in ("clock", "severity"):
        assert texts()["zh"][area].keys() == texts()["en"][area].keys()
    assert set(texts()["zh"]["clock"]) == set(ClockKind)


def test_what_is_not_known_is_left_open() -> None:
    unknown = Facts("1", "t", "", 4, "", None, "")
    assert word_step("opened", unknown, "en")[1] == "At …. To  by …."
    assert "mail" in word_test("mail", "zh")[1]


def test_every_kind_of_channel_has_a_sender_and_a_limit() -> None:
    assert set(SENDERS) == set(LIMITS) == set(ChannelKind)


def test_a_text_that_fits_is_left_alone() -> None:
    assert fit("Title", "Body.", LINK, TextLimit(500, "bytes")) == f"Title\nBody.\n{LINK}"


def test_a_longer_one_ends_at_a_word_with_the_link() -> None:
    body = "a squad has been waiting here since yesterday"
    said = fit("Case 12", body, LINK, TextLimit(90, "bytes"))
    assert said == f"Case 12\na squad has been waiting here{MORE}\n{LINK}"


def test_chinese_is_counted_in_bytes_and_cut_between_characters() -> None:
    said = fit("督办", "燃气" * 600, LINK, TextLimit(2048, "bytes"))
    assert 2040 < len(said.encode()) <= 2048
    assert said.endswith(f"…\n{LINK}")


def test_a_text_message_is_counted_as_telephones_do() -> None:
    said = fit("红色案件", "🔥" * 100, LINK, TextLimit(134, "units"))
    assert len(said.encode("utf-16-le")) // 2 <= 134
    assert said.endswith(LINK)


def test_where_the_link_has_no_room_the_text_goes_without() -> None:
    said = fit("Title", "Body of some length", LINK, TextLimit(20, "bytes"))
    assert said == f"Title\nBody of{MORE}"


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400),
    st.integers(60, 400),
    st.sampled_from(["bytes", "units"]),
)
def test_whatever_is_said_keeps_to_the_limit(body: str, most: int, unit: str) -> None:
    limit = TextLimit(most, unit)
    said = fit("标题 title", body, LINK, limit)
    assert limit.size(said) <= most
    assert said.endswith(LINK)
