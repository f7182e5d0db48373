"""The fields of a value are the columns of its query."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pytest
from psycopg.types.json import Jsonb

from db.row_columns import assignments, insert_list, names_of, placeholders, select_list, values_of


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Lamp:
    id: int
    by: str
    colour: Colour
    facts: dict[str, int]


def test_a_column_is_named_after_its_field_unless_it_is_spelled() -> None:
    assert select_list(Lamp, "l", without={"facts"}, by="coalesce(p.name, '')") == (
        """"l"."id", coalesce(p.name, '') AS "by", "l"."colour\""""
    )
    with pytest.raises(AssertionError):
        select_list(Lamp, "l", color="l.colour")


def test_what_is_written_has_the_same_names() -> None:
    names = names_of(Lamp, without=frozenset({"id", "facts"}))
    assert insert_list(names) == '"by", "colour"'
    assert placeholders(names) == "%(by)s, %(colour)s"
    assert assignments(names) == '"by" = %(by)s, "colour" = %(colour)s'


def test_values_are_those_that_columns_take() -> None:
    values = values_of(Lamp(7, "fu", Colour.RED, {"n": 1}))
    assert (values["id"], values["by"], values["colour"]) == (7, "fu", "red")
    assert type(values["colour"]) is str
    assert isinstance(values["facts"], Jsonb)
