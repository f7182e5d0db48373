"""Scores of several rates, by hand."""

from __future__ import annotations

import pytest

from city.errors import InvalidInput
from city.score import ScoreFormula, Term, band, parse_formula, score, sure_of

JINNIU = ScoreFormula(
    1,
    "金牛",
    "Jinniu",
    (
        Term("handling", 30),
        Term("handling_in_time", 20),
        Term("rework", 20, inverse=True),
        Term("overdue", 20, inverse=True),
        Term("postponing", 10, inverse=True),
    ),
    (("A", 90), ("B", 80), ("C", 70), ("D", 0)),
    "test",
    None,
)
RATES = {
    "handling": 0.9,
    "handling_in_time": 0.8,
    "rework": 0.05,
    "overdue": 0.1,
    "postponing": 0.0,
}


def test_a_score_is_the_sum_of_its_terms() -> None:
    value = score(JINNIU, RATES)
    assert value == pytest.approx(27 + 16 + 19 + 18 + 10)
    assert band(JINNIU, value) == "A"


def test_nothing_to_count_gives_no_score() -> None:
    assert score(JINNIU, {**RATES, "rework": None}) is None
    assert band(JINNIU, None) == ""


def test_a_target_gives_all_points_and_takes_some_for_each_percent_below_it() -> None:
    jinhua = ScoreFormula(1, "", "", (Term("in_time", 50, target=0.7),), (), "", None)
    assert score(jinhua, {"in_time": 0.84}) == 50
    assert score(jinhua, {"in_time": 0.66}) == pytest.approx(46)
    assert score(jinhua, {"in_time": 0.0}) == 0


def test_more_rework_than_cases_takes_no_more_than_all_points() -> None:
    only = ScoreFormula(1, "", "", (Term("rework", 20, inverse=True),), (), "", None)
    assert score(only, {"rework": 1.6}) == 0


def test_two_of_two_rank_below_ninety_five_of_a_hundred() -> None:
    assert sure_of(0, 0) is None
    few, many = sure_of(2, 2), sure_of(95, 100)
    assert few is not None
    assert many is not None
    assert few < many < 0.95


WRITTEN = {
    "name_zh": "评分",
    "name_en": "Score",
    "source": "town",
    "term": [{"rate": "in_time", "points": 50, "target": 0.7}],
    "bands": [["A", 90], ["B", 0]],
}


def test_a_written_formula_is_read() -> None:
    formula = parse_formula(WRITTEN)
    assert formula.terms == (Term("in_time", 50.0, target=0.7),)
    assert formula.bands == (("A", 90.0), ("B", 0.0))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name_zh": ""}, "name_zh"),
        ({"term": []}, "term"),
        ({"term": [{"rate": "luck", "points": 1}]}, "term.rate"),
        ({"term": [{"rate": "in_time"}]}, "term.points"),
        ({"term": [{"rate": "in_time", "points": True}]}, "term.points"),
        ({"term": [{"rate": "in_time", "points": 1, "target": 70}]}, "term.target"),
        ({"term": [{"rate": "in_time", "points": 1, "weight": 2}]}, "term.weight"),
        ({"bands": [["B", 0], ["A", 90]]}, "bands"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_formula_names_the_field(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_formula({**WRITTEN, **wrong})
    assert refused.value.field == field
