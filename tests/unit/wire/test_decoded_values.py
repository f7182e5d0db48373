"""Decoded vendor objects flattened: the forms that codecs write, whatever server ran them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from city.reading import Quality, TimeSource
from wire.values import Stamp, flatten

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
STAMP = Stamp(NOW, TimeSource.SERVER)


def named(decoded: dict[str, Any]) -> dict[str, Any]:
    return {value.name: value.value for value in flatten(decoded, STAMP).values}


def test_what_stands_beside_a_list_of_records_is_kept() -> None:
    sent = {
        "battery": 95,
        "err": 0,
        "valid": True,
        "payload": "01A2",
        "messages": [{"type": "Air Temperature", "measurementValue": 22.5}],
    }
    assert named(sent) == {"battery": 95, "Air Temperature": 22.5}


def test_every_list_of_records_is_read() -> None:
    sent = {"a": [{"name": "ch1", "value": 12}], "b": [{"name": "ch2", "value": 13}]}
    assert named(sent) == {"ch1": 12, "ch2": 13}


def test_records_in_a_list_of_lists_are_named_as_in_a_list() -> None:
    sent = {
        "err": 0,
        "messages": [
            [{"measurementId": "4097", "measurementValue": 18, "type": "Air Temperature"}],
            [{"measurementId": "4104", "measurementValue": 106, "type": "Wind Direction"}],
        ],
    }
    assert named(sent) == {"Air Temperature": 18, "Wind Direction": 106}


def test_records_of_one_type_are_told_apart_by_their_number() -> None:
    sent = {
        "messages": [
            {"type": "report_telemetry", "measurementId": 4097, "measurementValue": 22.5},
            {"type": "report_telemetry", "measurementId": 4098, "measurementValue": 66},
        ]
    }
    assert named(sent) == {"4097": 22.5, "4098": 66}


def test_a_record_has_the_time_and_the_unit_that_it_says() -> None:
    record = {"variable": "level", "value": 1.25, "unit": "m", "time": "2026-03-04T05:00:00Z"}
    value = flatten({"items": [record]}, STAMP).values[0]
    assert (value.name, value.value, value.unit) == ("level", 1.25, "m")
    assert (value.ts.minute, value.ts_from) == (0, TimeSource.DEVICE)


def test_a_record_without_a_value_says_nothing() -> None:
    sent = {
        "messages": [
            {"type": "Probe", "measurementValue": None},
            {"type": "Level", "measurementValue": 3},
        ]
    }
    assert named(sent) == {"Level": 3}


def test_a_value_takes_the_unit_that_stands_beside_it() -> None:
    sent = {"level": {"value": 81.5, "unit": "cm"}, "mode": {"value": "auto", "unit": "none"}}
    values = {value.name: (value.value, value.unit) for value in flatten(sent, STAMP).values}
    assert values == {
        "level.value": (81.5, "cm"),
        "mode.value": ("auto", ""),
        "mode.unit": ("none", ""),
    }


@pytest.mark.parametrize("name", ["bytes", "rawPayload", "frame", "data", "hex"])
def test_the_frame_as_a_list_of_bytes_is_no_reading(name: str) -> None:
    assert named({name: [1, 2, 3, 4, 5], "level": 3}) == {"level": 3}


def test_a_list_of_small_numbers_under_a_name_of_its_own_is_read() -> None:
    assert named({"levels": [1, 0, 0, 2, 5]}) == {
        "levels[0]": 1,
        "levels[1]": 0,
        "levels[2]": 0,
        "levels[3]": 2,
        "levels[4]": 5,
    }


def test_a_text_of_digits_with_zeros_before_them_stays_a_text() -> None:
    assert named({"serial": "000417", "temp": "022.50", "count": "0"}) == {
        "serial": "000417",
        "temp": 22.5,
        "count": 0,
    }


def test_a_stored_point_without_a_time_is_refused_by_its_number() -> None:
    sent = {
        "history": [
            {"timestamp": 1_772_600_000, "level": 1},
            {"timestamp": "2026-03-04 05:00:00", "level": 2},
        ],
        "level": 3,
    }
    flat = flatten(sent, STAMP)
    assert [(v.value, v.quality) for v in flat.values] == [(1, Quality.LATE), (3, Quality.GOOD)]
    assert [reject.detail for reject in flat.rejects] == [
        "history: point 2 has no time that can be read (got '2026-03-04 05:00:00')"
    ]


def test_an_object_with_numbers_for_its_type_is_no_record() -> None:
    sent = {"channels": [{"type": 1, "value": 12}, {"type": True, "value": 13}]}
    assert named(sent) == {
        "channels[0].type": 1,
        "channels[0].value": 12,
        "channels[1].type": True,
        "channels[1].value": 13,
    }
