"""Other hardware under the code of a device: its place and its history stay."""

from __future__ import annotations

from datetime import datetime

from city.requests import ReplaceRequest
from db.device_changes import ClaimedDevice, insert_old_identity, insert_past, update_hardware
from db.devices import list_taken
from db.events import append_events
from db.pool import Connection
from registry.changes import check_reason, claim_present, device_event, refused
from registry.device_files import Row
from registry.device_rows import Cells, Fault, identity_of, model_of


def replace(
    conn: Connection,
    actor: str,
    district: str,
    code: str,
    request: ReplaceRequest,
    now: datetime,
) -> None:
    """Other hardware at the same place: code, place and history stay, the old identity ends."""
    reason = check_reason(request.reason)
    device = claim_present(conn, district, code, request.version)
    faults: list[Fault] = []
    columns = {
        "external_id": request.external_id,
        "format": device.format if request.format is None else request.format,
        "model": device.model if request.model is None else request.model,
    }
    cells = Cells(Row(0, columns), faults)
    cells.check_storable()
    format_name, external_id = identity_of(cells)
    model = model_of(cells, device.kind)
    _check_free(conn, device, cells, format_name, external_id)
    if faults:
        raise faults[0].as_error()
    insert_old_identity(conn, device, now, reason, actor)
    if model != device.model:
        insert_past(conn, device.id, now)
    update_hardware(conn, device.id, format_name, external_id, model)
    payload = {
        "reason": reason,
        "old": {"format": device.format, "identity": device.identity, "model": device.model},
        "new": {"format": format_name, "identity": external_id or code, "model": model},
    }
    append_events(conn, [device_event(now, district, "replaced", code, actor, payload)])


def _check_free(
    conn: Connection,
    device: ClaimedDevice,
    cells: Cells,
    format_name: str,
    external_id: str | None,
) -> None:
    if external_id is None:
        return  # it is known by its code, whatever hardware sends it
    if (format_name, external_id) == (device.format, device.external_id):
        raise refused("external_id", external_id, "same_hardware")
    if (format_name, external_id) in list_taken(conn).external_ids:
        cells.fault("external_id", "identity_taken")
