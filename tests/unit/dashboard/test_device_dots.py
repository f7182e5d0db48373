"""The dots: their states, what replaces what, and when a frame goes out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from dashboard.screens.citymap.device_dots import (
    SILENT_INTERVALS,
    DeviceBoard,
    DeviceState,
    WallDevice,
    device_state,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MS = round(NOW.timestamp() * 1000)
MINUTE = 60_000


def device(device_id: int, **more: Any) -> WallDevice:
    columns: dict[str, Any] = {
        "kind": "gas",
        "report_interval_s": 60,
        "out_of_service": False,
        "metric": "ch4_pct_lel",
        "value": 1.0,
        "ts": MS,
        "heard": MS,
        **more,
    }
    return WallDevice(id=device_id, **columns)


def board(*devices: WallDevice) -> DeviceBoard:
    found = DeviceBoard()
    found.load(devices, MS)
    return found


def frame(*rows: list[Any], committed: int = MS) -> dict[str, Any]:
    return {"committed": committed, "d": list(rows)}


@pytest.mark.parametrize(
    ("out", "severity", "heard", "expected"),
    [
        (False, None, None, DeviceState.UNKNOWN),  # registered, never heard of
        (False, None, MS, DeviceState.OK),
        (False, None, MS - SILENT_INTERVALS * MINUTE, DeviceState.OK),  # to the millisecond
        (False, None, MS - SILENT_INTERVALS * MINUTE - 1, DeviceState.SILENT),
        (False, 4, MS, DeviceState.YELLOW),
        (False, 3, MS, DeviceState.YELLOW),
        (False, 2, MS, DeviceState.ORANGE),
        (False, 1, MS, DeviceState.RED),
        (False, 1, None, DeviceState.RED),  # an alarm hides silence
        (True, 1, MS, DeviceState.OUT_OF_SERVICE),  # out of service hides the alarm
    ],
)
def test_the_state_of_a_dot(out, severity, heard, expected) -> None:
    state = device_state(
        out_of_service=out, severity=severity, heard_ms=heard, interval_s=60, now_ms=MS
    )
    assert state is expected


def test_only_devices_with_something_to_say_are_in_the_snapshot() -> None:
    found = board(device(1), device(2, metric=None, value=None, ts=None, heard=None))
    assert found.rows() == [[1, 1, 1.0, "ch4_pct_lel", MS]]


def test_a_newer_value_replaces_and_an_older_one_does_not() -> None:
    found = board(device(1))
    newer = found.apply(frame([1, None, 2.0, "ch4_pct_lel", MS + 5, MS + 6]), MS + 10)
    assert newer == [[1, 1, 2.0, "ch4_pct_lel", MS + 5, MS + 6, MS]]
    assert found.apply(frame([1, None, 9.0, "ch4_pct_lel", MS + 4, MS + 7]), MS + 10) == []
    assert found.rows()[0][2] == 2.0


def test_a_lesser_metric_only_shows_that_the_device_lives() -> None:
    found = board(device(1, ts=MS - 60 * MINUTE, heard=MS - 60 * MINUTE))
    assert found.rows()[0][1] == DeviceState.SILENT
    assert found.apply(frame([1, None, 80.0, "battery_pct", MS, MS]), MS) == []
    assert [row[1] for row in found.sweep(MS)] == [DeviceState.OK]
    assert found.rows()[0][2:4] == [1.0, "ch4_pct_lel"]


def test_an_unknown_device_in_a_frame_is_passed_over() -> None:
    assert board(device(1)).apply(frame([99, None, 1.0, "ch4_pct_lel", MS, MS]), MS) == []


def test_a_device_goes_silent_with_time_alone_and_says_so_once() -> None:
    found = board(device(1), device(2, report_interval_s=3600))
    later = MS + 4 * MINUTE
    assert [row[:2] for row in found.sweep(later)] == [[1, DeviceState.SILENT]]
    assert found.sweep(later) == []
    assert found.reporting(later) == (1, 2)


def test_alarms_colour_and_uncolour() -> None:
    found = board(device(1), device(2))
    assert [row[:2] for row in found.set_severities({1: 2}, MS)] == [[1, DeviceState.ORANGE]]
    assert found.set_severities({1: 2}, MS) == []
    changed = found.set_severities({2: 1}, MS)
    assert sorted(row[:2] for row in changed) == [[1, DeviceState.OK], [2, DeviceState.RED]]


def test_an_alarm_survives_reading_the_database_again() -> None:
    found = board(device(1))
    found.set_severities({1: 1}, MS)
    assert found.load([device(1)], MS) == []
    assert found.rows()[0][1] == DeviceState.RED


def test_reading_the_database_again_tells_what_was_missed_and_keeps_what_is_newer() -> None:
    found = board(device(1), device(2))
    found.apply(frame([2, None, 5.0, "ch4_pct_lel", MS + 50, MS + 60]), MS + 60)
    changed = found.load([device(1, value=7.0, ts=MS + 1000), device(2), device(3)], MS + 1000)
    assert sorted(row[:3] for row in changed) == [[1, 1, 7.0], [3, 1, 1.0]]
    assert {row[0]: row[2] for row in found.rows()} == {1: 7.0, 2: 5.0, 3: 1.0}


def test_lit_lamps_are_counted_among_those_that_say_something() -> None:
    lamp = {"kind": "light", "metric": "lamp_on"}
    found = board(
        device(1, **lamp, value=1.0),
        device(2, **lamp, value=0.0),
        device(3, **{**lamp, "value": 1.0, "heard": MS - 24 * 60 * MINUTE}),
        device(4, **{**lamp, "value": 1.0, "out_of_service": True}),
        device(5),
    )
    assert found.lit(MS) == (1, 2)


def test_the_delay_is_the_median_from_sensor_to_commit() -> None:
    found = board(device(1))
    assert found.delay_ms() is None
    for delay in (100, 300, 200):
        found.apply(frame([1, None, 1.0, "ch4_pct_lel", MS, MS], committed=MS + delay), MS)
    assert found.delay_ms() == 200


def as_snapshot(found: DeviceBoard) -> dict[int, list[Any]]:
    """What a screen makes of both parts: of two rows of a device the later one counts."""
    parts = found.json_parts()
    rows = msgspec.json.decode(b"[" + b",".join(filter(None, parts)) + b"]")
    return {row[0]: row for row in rows}


def test_the_parts_of_the_snapshot_add_up_to_its_rows() -> None:
    found = board(device(1), device(2), device(3, metric=None, value=None, ts=None, heard=None))
    base, young = found.json_parts()
    assert young == b""
    found.apply(frame([2, None, 2.0, "ch4_pct_lel", MS + 5, MS + 6]), MS + 10)
    found.set_severities({3: 1}, MS)
    assert found.json_parts()[0] is base, "what has not changed is the same bytes"
    assert found.young == 2
    assert as_snapshot(found) == {row[0]: row for row in found.rows()}
    found.set_severities({}, MS)
    assert as_snapshot(found)[3][1] == DeviceState.UNKNOWN, "it has nothing to say any more"
    found.settle()
    assert found.young == 0
    assert as_snapshot(found) == {row[0]: row for row in found.rows()}
    found.load([device(2), device(4)], MS + 20)
    assert as_snapshot(found) == {row[0]: row for row in found.rows()}
