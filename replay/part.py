"""Pure: of a picture what lies in some cells of the unit grid."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from replay.picture import Picture, Row


def part_of(picture: Picture, cells: Set[str]) -> Picture:
    """The same picture with the cases, alarms and devices of these cells alone; an alarm without a
    cell lies where its device does. What is about no place stays: squads, categories, rules."""
    devices = {i: device for i, device in picture.devices.items() if device.unit_grid in cells}

    def is_here(row: Row) -> bool:
        cell: str | None = row["unit_grid"]
        return cell in cells if cell else row["device_id"] in devices

    alarms = {i: row for i, row in picture.alarms.items() if is_here(row)}
    return replace(
        picture,
        cases={i: case for i, case in picture.cases.items() if case.row["unit_grid"] in cells},
        past={i: row for i, row in picture.past.items() if row["unit_grid"] in cells},
        alarms=alarms,
        links={alarm: case for alarm, case in picture.links.items() if alarm in alarms},
        devices=devices,
    )
