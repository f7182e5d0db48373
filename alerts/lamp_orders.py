"""What lamps were told to do, for rules that look at lamps: programmes, and what people switched
off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from alerts.history import Flags, Floats, Ints, moment
from city.device import WatchedDevice
from city.lamp_due import DueLamps
from city.lighting import LIGHT, FollowingLamp
from city.moment import as_microseconds
from db import lamp_programmes, lamp_states
from db.pool import Connection

# Levels of a programme are asked for so finely: rules give more grace than that around steps.
SLOT_US = 300_000_000
# What was switched off for longer ago than a night is on again by then.
REACH = timedelta(hours=16)


@dataclass(frozen=True)
class LampOrders:
    """Lamps by device id with what their district knows of orders; lamps of districts without
    programmes and commands are left out."""

    lamps: Mapping[int, tuple[FollowingLamp, DueLamps]]
    on: Mapping[int, Sequence[tuple[datetime, datetime]]] = field(default_factory=dict)

    def held_on(self, device_id: int, ts_us: Ints) -> Flags:
        """Whether a person has it switched on at these moments, until a time that they gave."""
        held = np.zeros(len(ts_us), bool)
        for begun, until in self.on.get(device_id, ()):
            held |= (ts_us >= as_microseconds(begun)) & (ts_us < as_microseconds(until))
        return held

    def is_off(self, device_id: int, at: datetime) -> bool:
        """Whether it is dark because it should be: by its programme, or by a person."""
        found = self.lamps.get(device_id)
        return found is not None and not found[1].is_due(found[0], at)

    def levels(self, device_id: int, ts_us: Ints) -> Floats | None:
        """The level in percent that its programme has at these moments, NaN before its first
        step; None: it follows none."""
        found = self.lamps.get(device_id)
        if found is None or not len(ts_us):
            return None
        lamp, due = found
        slots, place = np.unique(ts_us // SLOT_US, return_inverse=True)
        said = [due.of(lamp, moment(int(slot) * SLOT_US)) for slot in slots]
        if not any(one.programme for one in said):
            return None
        levels = [np.nan if one.level is None else float(one.level) for one in said]
        return np.array(levels)[place]


NO_ORDERS = LampOrders({})


def load_lamp_orders(
    conn: Connection, devices: Iterable[WatchedDevice], begin: datetime, end: datetime
) -> LampOrders:
    """Orders of these devices, as far as they are lamps, for moments in [begin, end]."""
    by_district: dict[str, list[int]] = {}
    for device in devices:
        if device.kind == LIGHT:
            by_district.setdefault(device.district, []).append(device.id)
    lamps: dict[int, tuple[FollowingLamp, DueLamps]] = {}
    on: dict[int, Sequence[tuple[datetime, datetime]]] = {}
    for district, ids in by_district.items():
        followed = lamp_programmes.load_followed(conn, district)
        on |= lamp_states.list_switched_on(conn, district, begin - REACH, end)
        off = lamp_states.list_switched_off(conn, district, begin - REACH, end)
        if followed.assigned or off:
            due = DueLamps(followed, off)
            for lamp in lamp_programmes.list_following_lamps(conn, district, ids):
                lamps[lamp.id] = (lamp, due)
    return LampOrders(lamps, on)
