"""What the steps of the registry share: the device to change, its reason, refusals, the log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from city.errors import Conflict, InvalidInput
from city.event import NewEvent
from city.stale_version import is_stale_version
from db.device_changes import ClaimedDevice, claim_device
from db.pool import Connection
from registry.device_rows import TEXT_LENGTH_MAX

PROBLEMS = {
    "return_past": "must be in the future",
    "return_far": "must be within {days} days",
    "same_hardware": "is the identity the device has already",
    "missing": "is missing",
    "nothing_changed": "is that already: nothing would change",
    "too_long": "is longer than {max} characters",
}


def claim(conn: Connection, district: str, code: str, version: int | None) -> ClaimedDevice:
    device = claim_device(conn, district, code)
    if is_stale_version(version, device.version):
        current = {
            "version": device.version, "out_of_service_since": device.out_of_service_since,
            "return_due_at": device.return_due_at, "format": device.format,
            "external_id": device.external_id, "model": device.model,
        }  # fmt: skip
        raise Conflict("somebody else changed this device first", current=current)
    return device


def claim_present(
    conn: Connection, district: str, code: str, version: int | None, *, retired: bool = False
) -> ClaimedDevice:
    """The same for one that is there, or for one that was retired."""
    device = claim(conn, district, code, version)
    if (device.retired_at is not None) is retired:
        return device
    if retired:
        raise Conflict("the device was not retired", current={"version": device.version})
    raise Conflict(
        "the device was retired; bring it back to life first",
        current={"version": device.version, "retired_at": device.retired_at},
    )


def check_reason(text: str) -> str:
    reason = text.strip()
    if not reason:
        raise refused("reason", text, "missing")
    if len(reason) > TEXT_LENGTH_MAX:
        raise refused("reason", reason[:40], "too_long", max=TEXT_LENGTH_MAX)
    return reason


def refused(field: str, value: object, code: str, **facts: Any) -> InvalidInput:
    return InvalidInput(field, value, PROBLEMS[code].format(**facts), code=code, facts=facts)


def device_event(
    now: datetime, district: str, what: str, key: str, actor: str, payload: dict[str, Any]
) -> NewEvent:
    return NewEvent(now, district, f"device.{what}", f"device:{key}", actor, payload)
