"""What a case is found by: folding, pinyin, initials, and that a gram never hides a hit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.errors import InvalidInput
from dispatch.case_text import CaseText, Term, case_text, fold, read_query

CASE = case_text(
    [
        "4601072026112900231",
        "燃气管道破裂 · 仁园大道12号",
        "Gas pipe burst",
        "重庆路口 CAM-017 旅社",
    ]
)


def is_found(document: CaseText, term: Term) -> bool:
    sounds = term.sounds_like is not None and re.search(term.sounds_like, document.sound)
    return term.word in document.text or bool(
        sounds or (term.sounds_like and term.word in document.initials)
    )


WORDS = "231 00231 燃气 气 大道12号 ranqi ranq RENYUAN rqgd rydd chongqing cqlk lvshe cam-017 gas"


@pytest.mark.parametrize("query", [*WORDS.split(), "ＣＡＭ－０１７", "仁园 大道", "pipe BURST"])
def test_a_case_is_found_by_any_part_of_it(query: str) -> None:
    for term in read_query(query):
        assert is_found(CASE, term), term
        assert set(term.grams) <= set(CASE.grams)


@pytest.mark.parametrize("query", ["anqi", "水管", "zhongqing", "gdrq", "00232"])
def test_what_is_not_in_it_is_not_found(query: str) -> None:
    """`anqi` begins inside a syllable, `zhongqing` is another reading of 重庆."""
    assert not all(is_found(CASE, term) for term in read_query(query))


@given(st.lists(st.text(max_size=30), max_size=4), st.data())
def test_whatever_stands_in_a_case_is_found_and_its_grams_are_there(
    parts: list[str], data: st.DataObject
) -> None:
    document = case_text(parts)
    words = [word for word in document.text.split() if len(word) <= 60]
    if not words:
        return
    word = data.draw(st.sampled_from(words))
    start = data.draw(st.integers(0, len(word) - 1))
    piece = word[start : data.draw(st.integers(start + 1, len(word)))]
    if fold(piece) != piece or (re.fullmatch("[a-z0-9]", piece)):
        return
    for term in read_query(piece):
        assert is_found(document, term)
        assert set(term.grams) <= set(document.grams)


@pytest.mark.parametrize(
    ("query", "problem"),
    [("  ", "is empty"), ("a b", "two letters"), ("字 " * 9, "9 words"), ("长" * 61, "longer")],
)
def test_a_search_that_says_nothing_is_refused_by_name(query: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem) as caught:
        read_query(query)
    assert caught.value.field == "q"
