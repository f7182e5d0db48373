"""A registered device renamed, moved, put right, retired, brought back: who, why, what was before.

Its code, kind and identity stay. What hangs on it keeps what was true then: `device_past` has the
device as it was until each change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from city.event import NewEvent
from city.requests import CorrectRequest, MoveRequest, ReasonRequest, RenameRequest
from db import returns
from db.device_changes import (
    ClaimedDevice,
    DeviceFacts,
    update_facts,
    update_retired,
    update_revived,
)
from db.devices import find_cells, list_taken
from db.events import append_events
from db.pool import Connection
from registry.changes import check_reason, claim_present, device_event, refused
from registry.device_files import Row
from registry.device_rows import (
    GASES,
    GIVEN_ATTRIBUTE,
    Cells,
    Fault,
    districts_of,
    follow_models,
    judge_rows,
    model_of,
)

PLACE = frozenset({"lon", "lat"})


def rename(
    conn: Connection, actor: str, district: str, code: str, request: RenameRequest, now: datetime
) -> None:
    """Another name from now on."""
    reason = check_reason(request.reason)
    device = claim_present(conn, district, code, request.version)
    faults: list[Fault] = []
    cells = Cells(Row(0, {"name": request.name}), faults)
    cells.check_storable()
    name = " ".join(cells.short_text("name").split())
    if not name:
        cells.fault("name", "missing")
    _refuse_first(faults)
    put_right(conn, actor, device, replace(device.facts, name=name), reason, now)


def move(
    conn: Connection, actor: str, district: str, code: str, request: MoveRequest, now: datetime
) -> None:
    """It stands elsewhere from now on; cases and alarms stay where they arose."""
    reason = check_reason(request.reason)
    device = claim_present(conn, district, code, request.version)
    row = Row(
        0,
        {"code": code, "kind": device.kind, "name": code, "district": district,
         "lon": request.lon, "lat": request.lat, "datum": request.datum},
    )  # fmt: skip
    judged = judge_rows([row], districts_of(conn, district), list_taken(conn, without=[code]))
    _refuse_first(judged.faults)
    placed = judged.devices[0]
    kept = {k: v for k, v in device.attributes.items() if k != GIVEN_ATTRIBUTE}
    after = replace(
        device.facts, lon=placed.lon, lat=placed.lat, attributes=kept | placed.attributes
    )
    put_right(conn, actor, device, after, reason, now)


def correct(
    conn: Connection, actor: str, district: str, code: str, request: CorrectRequest, now: datetime
) -> None:
    """Model, gas, reporting interval and attributes as they should have been."""
    reason = check_reason(request.reason)
    device = claim_present(conn, district, code, request.version)
    follow_models(conn)
    before, faults = device.facts, list[Fault]()
    given = {
        "model": before.model if request.model is None else request.model,
        "gas": before.gas if request.gas is None else request.gas,
        "report_interval_s": before.report_interval_s
        if request.report_interval_s is None
        else request.report_interval_s,
        "attributes": request.attributes,
    }
    cells = Cells(Row(0, given), faults)
    cells.check_storable()
    after = replace(
        before,
        model=model_of(cells, device.kind),
        gas=cells.one_of("gas", GASES) if cells.text("gas") else None,
        report_interval_s=cells.interval(""),
        attributes=_put_beside(before.attributes, cells.attributes()),
    )
    _refuse_first(faults)
    put_right(conn, actor, device, after, reason, now)


def retire(
    conn: Connection, actor: str, district: str, code: str, request: ReasonRequest, now: datetime
) -> None:
    """It is no more: what it still sends is counted and raises nothing, its alarms end with the
    reason at the next look around, its history stays."""
    reason = check_reason(request.reason)
    device = claim_present(conn, district, code, request.version)
    update_retired(conn, device.id, now, actor, reason)
    append_events(conn, [device_event(now, district, "retired", code, actor, {"reason": reason})])


def revive(
    conn: Connection, actor: str, district: str, code: str, request: ReasonRequest, now: datetime
) -> None:
    """The code counts again; the device is judged at once by what it says next."""
    reason = check_reason(request.reason)
    device = claim_present(conn, district, code, request.version, retired=True)
    update_revived(conn, device.id)
    returns.judge_at(conn, [device.id], now)
    assert device.retired_at is not None, "claimed as one that was retired"
    payload = {"reason": reason, "retired_at": device.retired_at.isoformat()}
    append_events(conn, [device_event(now, district, "revived", code, actor, payload)])


def put_right(
    conn: Connection,
    actor: str,
    device: ClaimedDevice,
    after: DeviceFacts,
    reason: str,
    now: datetime,
) -> None:
    """Store what is different and say so; refused where nothing is."""
    changed = write_facts(conn, actor, device, after, {"reason": reason}, now)
    if changed is None:
        raise refused("device", device.code, "nothing_changed")
    append_events(conn, [changed])


def write_facts(
    conn: Connection,
    actor: str,
    device: ClaimedDevice,
    after: DeviceFacts,
    said: Mapping[str, Any],
    now: datetime,
) -> NewEvent | None:
    """The same for whoever changes many: the event is theirs to append, last; None: the device is
    as it was."""
    old, new = asdict(device.facts), asdict(after)
    names = [name for name in old if old[name] != new[name]]
    if not names:
        return None
    (cell,) = find_cells(conn, [(after.lon, after.lat)])
    update_facts(conn, device.id, after, cell, now)
    payload = {
        **said,
        "before": {name: old[name] for name in names},
        "after": {name: new[name] for name in names},
    }
    return device_event(now, device.district, _kind_of(names), device.code, actor, payload)


def _kind_of(names: list[str]) -> str:
    if names == ["name"]:
        return "renamed"
    return "moved" if PLACE & set(names) and set(names) <= PLACE | {"attributes"} else "corrected"


def _put_beside(there: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """JSON null takes an attribute out."""
    return {name: value for name, value in {**there, **given}.items() if value is not None}


def _refuse_first(faults: list[Fault]) -> None:
    if faults:
        raise faults[0].as_error()
