"""What people do to the registry: approve a stranger, take out of service, exchange hardware.

Each function is one unit of work on an open connection; the caller commits. Whatever a person
enters is judged as a row of a device file is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from city.errors import Conflict, InvalidInput
from city.event import NewEvent
from db import discovery, returns
from db.device_changes import (
    ClaimedDevice,
    claim_device,
    insert_old_identity,
    update_hardware,
    update_out_of_service,
    update_returned,
)
from db.devices import NewDevice, list_taken
from db.discovery import DiscoveredDevice
from db.events import append_events
from db.pool import Connection
from ingest.device_files import Row
from ingest.device_import import (
    GASES,
    KINDS,
    NATIVE,
    TEXT_LENGTH_MAX,
    Cells,
    Fault,
    districts_of,
    identity_of,
    judge_rows,
    model_of,
    register,
)
from ingest.formats import FORMATS
from ingest.models import model_names

# Out of service is always until a time; a longer one is another decision.
OUT_OF_SERVICE_MAX = timedelta(days=366)

PROBLEMS = {
    "return_past": "must be in the future",
    "return_far": "must be within {days} days",
    "same_hardware": "is the identity the device has already",
    "missing": "is missing",
    "too_long": "is longer than {max} characters",
}


@dataclass(frozen=True, slots=True)
class RegistryWords:
    """What may be chosen in a form."""

    kinds: tuple[str, ...]
    models: tuple[str, ...]
    formats: tuple[str, ...]
    gases: tuple[str, ...]


def registry_words() -> RegistryWords:
    """Kinds, models, wire formats and gases that the registry takes."""
    return RegistryWords(tuple(sorted(KINDS)), tuple(sorted(model_names())), tuple(FORMATS), GASES)


def approve(
    conn: Connection,
    actor: str,
    district: str,
    discovered_id: int,
    wanted: Mapping[str, Any],
    now: datetime,
) -> str:
    """Register a stranger under the code, kind, place and name that a person gives."""
    found = discovery.claim_discovered(conn, discovered_id)
    device = _judge(conn, district, {**wanted, **_identity_columns(found, wanted)})
    register(conn, [device], now)
    discovery.mark_decided(conn, discovered_id, "approved", actor, now, device.code)
    payload = {
        "kind": device.kind, "model": device.model, "format": device.format,
        "identity": device.external_id or device.code, "lon": device.lon, "lat": device.lat,
    }  # fmt: skip
    append_events(conn, [_event(now, district, "registered", device.code, actor, payload)])
    return device.code


def _identity_columns(found: DiscoveredDevice, wanted: Mapping[str, Any]) -> dict[str, str]:
    """A native device is known by its code; any other identity is an external one."""
    is_code = found.format == NATIVE and found.identity == wanted.get("code")
    return {"format": found.format, "external_id": "" if is_code else found.identity}


def _judge(conn: Connection, district: str, values: Mapping[str, Any]) -> NewDevice:
    judged = judge_rows([Row(0, values)], districts_of(conn, district), list_taken(conn))
    if judged.faults:
        raise judged.faults[0].as_error()
    return judged.devices[0]


def ignore(conn: Connection, actor: str, district: str, discovered_id: int, now: datetime) -> None:
    """Do not show it again; what it sends is still counted."""
    found = discovery.claim_discovered(conn, discovered_id)
    if found.state == "ignored":
        raise Conflict("it is ignored already", current={"state": found.state})
    discovery.mark_decided(conn, discovered_id, "ignored", actor, now, None)
    payload = {"format": found.format, "identity": found.identity, "messages": found.messages}
    append_events(conn, [_event(now, district, "ignored", found.identity, actor, payload)])


def take_out_of_service(
    conn: Connection,
    actor: str,
    district: str,
    code: str,
    *,
    reason: str,
    return_due_at: datetime,
    version: int | None,
    now: datetime,
) -> None:
    """Until the day it is due back its readings raise no alarm; done again it moves that day."""
    reason = _reason(reason)
    if return_due_at <= now:
        raise _refused("return_due_at", return_due_at, "return_past")
    if return_due_at > now + OUT_OF_SERVICE_MAX:
        raise _refused("return_due_at", return_due_at, "return_far", days=OUT_OF_SERVICE_MAX.days)
    device = _claim(conn, district, code, version)
    since = device.out_of_service_since or now
    update_out_of_service(conn, device.id, since, return_due_at, reason, actor)
    returns.judge_at(conn, [device.id], return_due_at)
    payload = {
        "since": since.isoformat(), "return_due_at": return_due_at.isoformat(), "reason": reason,
    }  # fmt: skip
    append_events(conn, [_event(now, district, "out_of_service", code, actor, payload)])


def return_to_service(
    conn: Connection, actor: str, district: str, code: str, *, version: int | None, now: datetime
) -> None:
    """It counts again from now on, and is judged at once by what it said last."""
    device = _claim(conn, district, code, version)
    if device.out_of_service_since is None:
        raise Conflict("the device is in service", current={"version": device.version})
    update_returned(conn, device.id)
    returns.judge_at(conn, [device.id], now)
    due = device.return_due_at
    payload = {
        "since": device.out_of_service_since.isoformat(),
        "return_due_at": due.isoformat() if due else None,
        "overdue": bool(due and due < now),
    }
    append_events(conn, [_event(now, district, "returned_to_service", code, actor, payload)])


def replace(
    conn: Connection,
    actor: str,
    district: str,
    code: str,
    wanted: Mapping[str, Any],
    *,
    reason: str,
    version: int | None,
    now: datetime,
) -> None:
    """Other hardware at the same place: code, place and history stay, the old identity ends.

    `wanted` holds `external_id` and, where they differ from the old ones, `format` and `model`.
    """
    reason = _reason(reason)
    device = _claim(conn, district, code, version)
    faults: list[Fault] = []
    kept = {"format": device.format, "model": device.model}
    cells = Cells(Row(0, kept | {k: v for k, v in wanted.items() if v is not None}), faults)
    cells.check_storable()
    format_name, external_id = identity_of(cells)
    model = model_of(cells, device.kind)
    _check_free(conn, device, cells, format_name, external_id)
    if faults:
        raise faults[0].as_error()
    insert_old_identity(conn, device, now, reason, actor)
    update_hardware(conn, device.id, format_name, external_id, model)
    payload = {
        "reason": reason,
        "old": {"format": device.format, "identity": device.identity, "model": device.model},
        "new": {"format": format_name, "identity": external_id or code, "model": model},
    }
    append_events(conn, [_event(now, district, "replaced", code, actor, payload)])


def _check_free(
    conn: Connection,
    device: ClaimedDevice,
    cells: Cells,
    format_name: str,
    external_id: str | None,
) -> None:
    if external_id is None:
        return  # a native device is known by its code, whatever hardware sends it
    if (format_name, external_id) == (device.format, device.external_id):
        raise _refused("external_id", external_id, "same_hardware")
    if (format_name, external_id) in list_taken(conn).external_ids:
        cells.fault("external_id", "identity_taken")


def _claim(conn: Connection, district: str, code: str, version: int | None) -> ClaimedDevice:
    device = claim_device(conn, district, code)
    if version is not None and version != device.version:
        current = {
            "version": device.version, "out_of_service_since": device.out_of_service_since,
            "return_due_at": device.return_due_at, "format": device.format,
            "external_id": device.external_id, "model": device.model,
        }  # fmt: skip
        raise Conflict("somebody else changed this device first", current=current)
    return device


def _reason(text: str) -> str:
    reason = text.strip()
    if not reason:
        raise _refused("reason", text, "missing")
    if len(reason) > TEXT_LENGTH_MAX:
        raise _refused("reason", reason[:40], "too_long", max=TEXT_LENGTH_MAX)
    return reason


def _refused(field: str, value: object, code: str, **facts: Any) -> InvalidInput:
    return InvalidInput(field, value, PROBLEMS[code].format(**facts), code=code, facts=facts)


def _event(
    now: datetime, district: str, what: str, key: str, actor: str, payload: dict[str, Any]
) -> NewEvent:
    return NewEvent(now, district, f"device.{what}", f"device:{key}", actor, payload)
