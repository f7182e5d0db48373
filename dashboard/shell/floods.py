"""Whether a district's alarms are a flood, for its screens: looked at beside the log, and the
causes that the alarms of the picture come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from city.scope import Scope
from db import alarm_measures
from db.alarm_measures import Kinship
from db.pool import Connection
from replay.floods import WINDOW, FloodAlarm, TopCauses, flood_since, top_causes
from replay.picture import Picture, Row, key_of, moment

# Far enough back that there was a moment without a flood; one that is older is told as so old.
LOOK_BACK = timedelta(hours=6)
REPEATED = timedelta(hours=1)
# Who is signed in is written down this often.
NOTE_EVERY = timedelta(seconds=60)
# Of a cause so many alarms are named, and so many causes are sent; the rest is counted.
ALARMS_SENT = 40
CAUSES_SENT = 60
GAS = "gas"
NO_KIN = Kinship(0, "", "", "", "")


class FloodWatch:
    """What is known beside the log: announcements, people, and what devices have in common."""

    def __init__(self, scope: Scope) -> None:
        self._scope, self._district = scope, scope.district
        self._since: datetime | None = None
        self._operators = 1
        self._announced = 0
        self._times: Mapping[int, int] = {}
        self._kin: Mapping[int, Kinship] = {}
        self._noted_at: datetime | None = None

    def look(
        self, conn: Connection, picture: Picture, present: Collection[str], now: datetime
    ) -> None:
        """Read what is new; `present` are the operators with a screen open in this process."""
        if present and (self._noted_at is None or now - self._noted_at >= NOTE_EVERY):
            alarm_measures.note_operators(conn, self._district, present, now)
            self._noted_at = now
        found = alarm_measures.list_announced(conn, self._scope, now - LOOK_BACK, now)
        self._operators = max(1, alarm_measures.count_operators(conn, self._district, now))
        self._since = flood_since((at for at, _ in found), self._operators, now)
        self._announced = sum(at > now - WINDOW for at, _ in found)
        self._times = Counter(alarm for at, alarm in found if at > now - REPEATED)
        if self._since is not None:
            ids = {row["device_id"] for row in picture.alarms.values() if row["device_id"]}
            self._kin = alarm_measures.list_kin(conn, sorted(ids))

    def as_json(self, picture: Picture, now: datetime) -> dict[str, Any] | None:
        """What screens show of a flood; None: there is none."""
        if self._since is None:
            return None
        found = top_causes(list(self._alarms(picture, now)))
        return {
            "since": _ms(self._since),
            "announced": self._announced,
            "operators": self._operators,
            **causes_json(found),
            "times": {str(i): n for i, n in self._times.items() if n > 1 and i in picture.alarms},
        }

    def _alarms(self, picture: Picture, now: datetime) -> Iterable[FloodAlarm]:
        for row in picture.alarms.values():
            if row["shelved_until"] and moment(row["shelved_until"]) > now:
                continue
            yield flood_alarm(
                picture, row, self._kin.get(row["device_id"], NO_KIN), self._times.get(row["id"], 1)
            )


def flood_alarm(picture: Picture, row: Row, kin: Kinship, times: int) -> FloodAlarm:
    """A live alarm of the picture; a gateway's own alarm belongs to its gateway."""
    condition, _, name = str(row.get("condition", "")).partition("/")
    return FloodAlarm(
        id=row["id"],
        severity=row["severity"],
        gas=is_gas(picture, row),
        announced_at=moment(row["announced_at"] or row["raised_at"]),
        condition=condition,
        place=kin.place,
        gateway=kin.gateway or (name if condition == "gateway" else ""),
        cabinet=kin.cabinet,
        pipe=kin.pipe,
        times=times,
    )


def is_gas(picture: Picture, row: Row) -> bool:
    """By what is wrong, by the device, or by the case that it opens."""
    device = picture.devices.get(row["device_id"] or 0)
    if str(row.get("condition", "")).startswith(GAS + "/") or (device and device.kind == GAS):
        return True
    found = picture.table("incident_category")
    return any(
        found[key]["family"] == GAS
        for key in found
        if key.startswith(key_of((row["category"], "")))
    )


def causes_json(found: TopCauses) -> dict[str, Any]:
    """As it is sent: gas by itself, then the causes, the worst first."""
    return {
        "alone": list(found.alone),
        "causes": [
            {
                "kind": cause.kind,
                "name": cause.name,
                "severity": cause.severity,
                "count": len(cause.alarms),
                "times": cause.times,
                "newest": _ms(cause.newest_at),
                "condition": cause.condition,
                "alarms": list(cause.alarms[:ALARMS_SENT]),
            }
            for cause in found.causes[:CAUSES_SENT]
        ],
        "causes_count": len(found.causes),
    }


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
