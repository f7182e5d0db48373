"""A picture that is cut down to some cells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from replay.part import part_of
from replay.picture import Case, Device, Picture


def device(number: int, cell: str | None) -> Device:
    return Device(number, f"D-{number}", "460107", "gas", "", 0.0, 0.0, cell, 60, None, None, False)


def alarm(cell: str | None, device_id: int | None) -> dict[str, Any]:
    return {"unit_grid": cell, "device_id": device_id}


WHOLE = Picture(
    "460107",
    seq=7,
    cases={1: Case({"unit_grid": "a"}), 2: Case({"unit_grid": "b"}), 3: Case({"unit_grid": None})},
    past={4: {"unit_grid": "a"}, 5: {"unit_grid": "b"}},
    alarms={
        10: alarm("a", 1), 11: alarm("b", 2), 12: alarm(None, 1), 13: alarm(None, 2),
        14: alarm(None, None),
    },
    links={10: 1, 11: 2, 12: 1},
    devices={1: device(1, "a"), 2: device(2, "b"), 3: device(3, None)},
    tables={"squad": {"S": {"code": "S"}}},
)  # fmt: skip


def test_what_lies_elsewhere_or_nowhere_is_not_in_it() -> None:
    part = part_of(WHOLE, {"a"})
    assert list(part.cases) == [1]
    assert list(part.past) == [4]
    assert list(part.alarms) == [10, 12]
    assert part.links == {10: 1, 12: 1}
    assert list(part.devices) == [1]
    assert (part.seq, part.tables) == (WHOLE.seq, WHOLE.tables)


def test_without_cells_there_is_nothing() -> None:
    part = part_of(WHOLE, frozenset())
    assert part == replace(WHOLE, cases={}, past={}, alarms={}, links={}, devices={})
