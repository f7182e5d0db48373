"""A draw is random by its seed and repeatable from it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.errors import InvalidInput
from registers.draw import draw

PEOPLE = ["an", "bo", "chen", "du"]
KNOWN = [
    ("S-41", ("an", "bo")),
    ("S-43", ("du", "chen")),
    ("S-53", ("an", "bo")),
    ("S-7", ("du", "chen")),
]
SHOPS = [(f"S-{n}", 1 + n % 3) for n in range(60)]


def test_a_known_seed_draws_what_it_always_drew() -> None:
    found = draw("2026-12-01", SHOPS, PEOPLE, 4, 2)
    assert [(one.entry, one.inspectors) for one in found] == KNOWN


def test_the_order_of_the_lists_changes_nothing() -> None:
    again = draw("seed", SHOPS[::-1], PEOPLE[::-1], 10, 2)
    assert again == draw("seed", SHOPS, PEOPLE, 10, 2)
    assert again != draw("seed 2", SHOPS, PEOPLE, 10, 2)


@given(st.text(min_size=1, max_size=20), st.integers(1, 60), st.integers(1, 4))
def test_nobody_is_drawn_twice_and_the_work_is_even(seed: str, wanted: int, each: int) -> None:
    found = draw(seed, SHOPS, PEOPLE, wanted, each)
    assert len({one.entry for one in found}) == wanted
    assert all(len(set(one.inspectors)) == each for one in found)
    loads = Counter(name for one in found for name in one.inspectors)
    counts = [loads[name] for name in PEOPLE]
    assert max(counts) - min(counts) <= 1


def test_a_worse_credit_class_is_drawn_more_often() -> None:
    """Of two, weights 1 and 4, the second comes first in four of five draws."""
    first = Counter(draw(str(n), [("a", 1), ("b", 4)], PEOPLE, 1, 1)[0].entry for n in range(2_000))
    assert 0.77 < first["b"] / 2_000 < 0.83


def test_weight_zero_is_never_drawn() -> None:
    found = draw("x", [("a", 0), ("b", 1)], PEOPLE, 1, 1)
    assert found[0].entry == "b"
    with pytest.raises(InvalidInput, match="objects"):
        draw("x", [("a", 0), ("b", 1)], PEOPLE, 2, 1)


@pytest.mark.parametrize(
    ("seed", "wanted", "each", "field"),
    [("", 1, 1, "seed"), ("s", 0, 1, "objects"), ("s", 61, 1, "objects"), ("s", 1, 5, "each")],
)
def test_a_draw_that_cannot_be_is_refused(seed: str, wanted: int, each: int, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        draw(seed, SHOPS, PEOPLE, wanted, each)
    assert refused.value.field == field
