"""Rows are written as the database prints them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from city.incident import IncidentState
from city.past import RowChange
from db.past_rows import RowTexts, jsonb

AT = datetime(2026, 11, 29, 4, 5, 6, 120_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (2.0, "2"),  # to_jsonb of a double has no fraction
        (2.5, "2.5"),
        (True, "true"),
        (AT, '"2026-11-29T04:05:06.12+00:00"'),
        (AT.replace(microsecond=0), '"2026-11-29T04:05:06+00:00"'),
        (AT.astimezone(timezone(timedelta(hours=8))), '"2026-11-29T04:05:06.12+00:00"'),
        (IncidentState.FILED, '"filed"'),
        ('a "路"\n', '"a \\"路\\"\\n"'),
        ([{"minutes": 60.0, "date": "x"}], '[{"date": "x", "minutes": 60.0}]'),
    ],
)
def test_a_value_is_printed_as_a_column(value: object, text: str) -> None:
    made = RowTexts().as_text([RowChange("t", ("id",), {"id": 1, "value": value})])
    assert made == f'[{{"key": {{"id": 1}}, "row": {{"id": 1, "value": {text}}}, "table": "t"}}]'


def test_keys_are_in_the_order_of_jsonb() -> None:
    assert jsonb({"bb": 1, "a": 2, "ab": 3}) == '{"a": 2, "ab": 3, "bb": 1}'


def test_a_row_is_told_once_as_it_is_in_the_end() -> None:
    first = RowChange("t", ("id",), {"id": 1, "n": 1})
    other = RowChange("t", ("id",), {"id": 2, "n": 5})
    last = RowChange("t", ("id",), {"id": 1, "n": 2})
    made = RowTexts().as_text([first, other, last])
    assert made is not None
    assert made.index('"n": 2') < made.index('"n": 5')
    assert '"n": 1' not in made


def test_what_has_not_changed_is_the_same_text_the_next_time() -> None:
    texts, name = RowTexts(), "路"
    texts.as_text([RowChange("t", ("id",), {"id": 1, "name": name, "n": 1})])
    made = texts.as_text([RowChange("t", ("id",), {"id": 1, "name": name, "n": 7})])
    assert made == '[{"key": {"id": 1}, "row": {"n": 7, "id": 1, "name": "路"}, "table": "t"}]'


def test_no_change_is_no_text() -> None:
    assert RowTexts().as_text([]) is None
