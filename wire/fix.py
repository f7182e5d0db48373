"""How far a device is from where it is registered, by the fix of a satellite receiver. Pure.

A fix is a latitude and a longitude under names that belong together (`latitude`, `longitude`;
`gps_lat`, `gps_lng`; `gnss.lat`, `gnss.lon`), with its accuracy beside it where the device says
one. It is in WGS-84, as receivers have it, unless the device's row or the message says otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from city.datum import Datum, parse_datum, to_wgs84
from city.errors import InvalidInput
from city.place import LonLat, distance_m
from city.reading import METRICS, Quality, RawValue, Reading, TimeSource
from wire.body import as_number

MOVED = METRICS["moved_m"]
# A fix that may be off by more than this says nothing of a cover that has moved by 50 m.
ACCURACY_MAX_M = 30.0
# Metres of error that one unit of HDOP stands for, with an ordinary receiver.
M_PER_HDOP = 5.0
# Of a message's link: where a format sets a position apart.
PLACE = "place"
# The attribute of a device whose messages have their positions in another datum.
DATUM_ATTRIBUTE = "fix_datum"

_AXIS = re.compile(r"(.*?)(latitude|lat|longitude|long|lng|lon)", re.IGNORECASE)
_METRES = (
    "accuracy", "accuracy_m", "horizontal_accuracy", "horizontalaccuracy", "hacc", "h_acc",
    "uncertainty", "eph",
)  # fmt: skip
_VALID = ("fix", "valid", "fixed", "has_fix", "fix_valid")


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a device says that it is; `accuracy_m` None: it does not say how sure that is."""

    lon: float
    lat: float
    accuracy_m: float | None
    ts: datetime
    ts_from: TimeSource
    quality: Quality = Quality.GOOD
    datum: Datum | None = None  # None: the message does not say

    @property
    def is_sure(self) -> bool:
        """Not so far off that it could be a cover that has not moved."""
        return self.accuracy_m is None or self.accuracy_m <= ACCURACY_MAX_M


def find_fixes(values: Sequence[RawValue]) -> list[Fix]:
    """The fixes among the values of a message, each once: one for each prefix and time. A
    receiver without a fix (0/0, a flag that says so, no place on earth) gives none."""
    said: dict[tuple[str, datetime], dict[str, RawValue]] = {}
    for value in values:
        match = _AXIS.fullmatch(value.name)
        if match is not None and as_number(value.value) is not None:
            axis = "lat" if match[2].lower().startswith("lat") else "lon"
            said.setdefault((match[1].lower(), value.ts), {}).setdefault(axis, value)
    pairs = {key: pair for key, pair in said.items() if len(pair) == 2}
    if not pairs:
        return []
    beside = {(value.name.lower(), value.ts): value.value for value in values}
    fixes = []
    for (prefix, ts), pair in pairs.items():
        lat, lon = (float(pair[axis].value) for axis in ("lat", "lon"))
        if _is_place(lon, lat) and _is_valid(beside, prefix, ts):
            one = pair["lat"]
            accuracy_m = _accuracy(beside, prefix, ts)
            fixes.append(Fix(lon, lat, accuracy_m, one.ts, one.ts_from, one.quality))
    return fixes


def fix_of_link(link: Mapping[str, Any]) -> Fix | None:
    """A position that a format set apart, `place` of a message's link: `lon` and `lat`, with
    `accuracy_m` and `datum` where the message has them; its time stands beside it."""
    place = link.get(PLACE, {})
    lon, lat = place.get("lon"), place.get("lat")
    if lon is None or lat is None or not _is_place(float(lon), float(lat)):
        return None
    datum = parse_datum("datum", place["datum"]) if "datum" in place else None
    return Fix(
        float(lon), float(lat), place.get("accuracy_m"), datetime.fromisoformat(link["place_time"]),
        TimeSource(link["place_time_from"]), Quality(place.get("quality", Quality.GOOD)), datum,
    )  # fmt: skip


def moved(device: str, fixes: Iterable[Fix], registered: LonLat, datum: Datum) -> list[Reading]:
    """How far from its registered place each fix is, in metres, rounded to one; a fix that is not
    sure says nothing. `datum` is what the fixes are in that do not say it."""
    found: dict[datetime, Reading] = {}
    for fix in fixes:
        if fix.is_sure and fix.ts not in found:
            there = to_wgs84(LonLat(fix.lon, fix.lat), fix.datum or datum)
            found[fix.ts] = Reading(
                device, MOVED.name, float(round(distance_m(registered, there))), MOVED.unit,
                fix.ts, fix.ts_from, "position", [fix.lon, fix.lat], "", fix.quality,
            )  # fmt: skip
    return list(found.values())


def datum_of(attributes: Mapping[str, Any]) -> Datum:
    """What the positions of a device are in, if nothing in its messages says it."""
    said = attributes.get(DATUM_ATTRIBUTE)
    try:
        return parse_datum(DATUM_ATTRIBUTE, said) if isinstance(said, str) else Datum.WGS84
    except InvalidInput:
        return Datum.WGS84


def _is_place(lon: float, lat: float) -> bool:
    return (lon, lat) != (0, 0) and abs(lon) <= 180 and abs(lat) <= 90


def _is_valid(beside: Mapping[tuple[str, datetime], Any], prefix: str, ts: datetime) -> bool:
    said = [beside.get((prefix + name, ts)) for name in _VALID]
    return not any(value is False or value == 0 for value in said if value is not None)


def _accuracy(
    beside: Mapping[tuple[str, datetime], Any], prefix: str, ts: datetime
) -> float | None:
    for name in _METRES:
        metres = as_number(beside.get((prefix + name, ts)))
        if metres is not None and metres >= 0:
            return metres
    hdop = as_number(beside.get((prefix + "hdop", ts)))
    return None if hdop is None or not 0 <= hdop < math.inf else hdop * M_PER_HDOP
