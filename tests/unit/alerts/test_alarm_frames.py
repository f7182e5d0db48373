"""Frames for the screens: at most five a second, with the newest value of each device."""

from __future__ import annotations

from typing import Any

import numpy as np

from alerts.screen import Columns, split
from alerts.worker import FRAME_EVERY_S, Screens
from city.reading import METRICS
from columns.readings import BATCH_DTYPE


def shown(*rows: tuple[int, str, float, int]) -> Columns:
    """(device, metric, value, milliseconds); received a millisecond later."""
    packed = np.zeros(len(rows), BATCH_DTYPE)
    for i, (device, metric, value, ms) in enumerate(rows):
        packed[i] = (device, METRICS[metric].id, 0, 1000 * ms, 1000 * (ms + 1), value)
    return split(packed)


def test_values_are_collected_and_sent_once_per_interval() -> None:
    sent: list[dict[str, Any]] = []
    screens = Screens(sent.append)
    screens.add([shown((1, "ch4_pct_lel", 5.0, 10))])
    assert screens.flush(100.0, 1) is None
    assert [frame["d"] for frame in sent] == [[[1, None, 5.0, "ch4_pct_lel", 10, 11]]]
    screens.add([shown((1, "ch4_pct_lel", 6.0, 20))])
    screens.add([shown((1, "ch4_pct_lel", 7.0, 30), (2, "tilt_deg", 1.0, 30))])
    rest = screens.flush(100.05, 2)
    assert rest is not None
    assert abs(rest - (FRAME_EVERY_S - 0.05)) < 1e-9
    assert len(sent) == 1
    assert screens.flush(100.0 + FRAME_EVERY_S, 3) is None
    assert sent[1] == {
        "committed": 3,
        "d": [[1, None, 7.0, "ch4_pct_lel", 30, 31], [2, None, 1.0, "tilt_deg", 30, 31]],
    }


def test_with_nothing_to_show_nothing_is_sent() -> None:
    sent: list[dict[str, Any]] = []
    assert Screens(sent.append).flush(1.0, 1) is None
    assert sent == []
