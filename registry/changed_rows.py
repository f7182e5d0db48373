"""Rows of a device file whose devices are registered: what they change.

An empty cell leaves what is there. Code, kind, district and identity are not changed by a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from city.event import NewEvent
from db.device_changes import ClaimedDevice, DeviceFacts, claim_known
from db.devices import DistrictOutline, NewDevice
from db.pool import Connection
from registry.corrections import write_facts
from registry.device_files import Row
from registry.device_rows import GIVEN_ATTRIBUTE, TEXT_LENGTH_MAX, Fault, Judged

# What a file does not change, with what is said of it.
FIXED = {
    "kind": "fixed", "district": "fixed", "format": "fixed_hardware",
    "external_id": "fixed_hardware",
}  # fmt: skip


class Changes:
    """The registered devices that a file names, and what it wants of them; without a reason for
    changes it wants none."""

    def __init__(
        self,
        conn: Connection,
        rows: Sequence[Row],
        districts: Sequence[DistrictOutline],
        reason: str | None,
    ) -> None:
        self._reason = reason
        self._rows = {text_of(row, "code"): row for row in reversed(rows)}  # the first one counts
        here = {district.code for district in districts}
        known = claim_known(conn, sorted(self._rows)) if reason else {}
        self._there = {
            code: device
            for code, device in known.items()
            if device.district in here and device.retired_at is None
        }
        self.wanted: list[tuple[ClaimedDevice, DeviceFacts]] = []
        self.unchanged = 0

    @property
    def codes(self) -> list[str]:
        return sorted(self._there)

    def take_from(self, judged: Judged) -> None:
        """Take the rows of registered devices out of those to be registered."""
        new = []
        for device in judged.devices:
            there = self._there.get(device.code)
            if there is None:
                new.append(device)
            else:
                judged.faults += self._judge(there, device)
        judged.devices[:] = new

    def _judge(self, there: ClaimedDevice, wanted: NewDevice) -> list[Fault]:
        row = self._rows[there.code]
        faults = [
            Fault(row.number, name, text_of(row, name), code, {"present": getattr(there, name)})
            for name, code in FIXED.items()
            if text_of(row, name) and getattr(wanted, name) != getattr(there, name)
        ]
        if faults:
            return faults
        after = facts_after(there, wanted, row)
        if after == there.facts:
            self.unchanged += 1
        else:
            self.wanted.append((there, after))
        return []

    def write(self, conn: Connection, file: str, actor: str, now: datetime) -> list[NewEvent]:
        """Store them; the events are to be appended last."""
        said = {"reason": self._reason, "file": file[:TEXT_LENGTH_MAX]}
        events = [
            write_facts(conn, actor, device, after, said, now) for device, after in self.wanted
        ]
        return [event for event in events if event is not None]


def text_of(row: Row, name: str) -> str:
    """A cell as text, "" for an empty one."""
    value = row.values.get(name)
    return "" if value is None else str(value).strip()


def facts_after(there: ClaimedDevice, wanted: NewDevice, row: Row) -> DeviceFacts:
    """What the device is to be: the filled cells of the row, and else what it is. Attributes are
    put beside those that are there."""
    given = [name for name in ("name", "model", "gas", "report_interval_s") if text_of(row, name)]
    kept = there.attributes
    if (wanted.lon, wanted.lat) != (there.lon, there.lat):
        kept = {name: value for name, value in kept.items() if name != GIVEN_ATTRIBUTE}
    before = {name: getattr(there, name) for name in ("name", "model", "gas", "report_interval_s")}
    return DeviceFacts(
        **{**before, **{name: getattr(wanted, name) for name in given}},
        lon=wanted.lon, lat=wanted.lat, attributes={**kept, **wanted.attributes},
    )  # fmt: skip
