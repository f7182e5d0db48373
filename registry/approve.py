"""A stranger that reports is registered by a person, or ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from city.errors import Conflict
from city.requests import ApproveRequest
from db import discovery
from db.devices import NewDevice, list_taken
from db.discovery import DiscoveredDevice
from db.events import append_events
from db.pool import Connection
from registry.changes import device_event
from registry.device_files import Row
from registry.device_rows import GASES, KINDS, districts_of, follow_models, judge_rows, register
from wire import FORMATS
from wire.models import model_names


@dataclass(frozen=True, slots=True)
class RegistryWords:
    """What may be chosen in a form."""

    kinds: tuple[str, ...]
    models: tuple[str, ...]
    formats: tuple[str, ...]
    gases: tuple[str, ...]


def registry_words(conn: Connection) -> RegistryWords:
    """Kinds, models, wire formats and gases that the registry takes."""
    follow_models(conn)
    return RegistryWords(tuple(sorted(KINDS)), tuple(sorted(model_names())), tuple(FORMATS), GASES)


def approve(
    conn: Connection,
    actor: str,
    district: str,
    discovered_id: int,
    request: ApproveRequest,
    now: datetime,
) -> str:
    """Register a stranger under the code, kind, place and name that a person gives."""
    found = discovery.claim_discovered(conn, discovered_id)
    device = _judge(conn, district, asdict(request) | _identity_columns(found, request.code))
    register(conn, [device], now)
    discovery.mark_decided(conn, discovered_id, "approved", actor, now, device.code)
    payload = {
        "kind": device.kind, "model": device.model, "format": device.format,
        "identity": device.external_id or device.code, "lon": device.lon, "lat": device.lat,
    }  # fmt: skip
    append_events(conn, [device_event(now, district, "registered", device.code, actor, payload)])
    return device.code


def ignore(conn: Connection, actor: str, district: str, discovered_id: int, now: datetime) -> None:
    """Do not show it again; what it sends is still counted."""
    found = discovery.claim_discovered(conn, discovered_id)
    if found.state == "ignored":
        raise Conflict("it is ignored already", current={"state": found.state})
    discovery.mark_decided(conn, discovered_id, "ignored", actor, now, None)
    payload = {"format": found.format, "identity": found.identity, "messages": found.messages}
    append_events(conn, [device_event(now, district, "ignored", found.identity, actor, payload)])


def _identity_columns(found: DiscoveredDevice, code: str) -> dict[str, str]:
    """Where devices are known by their code, that is no external identity."""
    known = FORMATS.get(found.format)
    by_code = known is not None and known.by_code
    is_code = by_code and found.identity == code
    return {"format": found.format, "external_id": "" if is_code else found.identity}


def _judge(conn: Connection, district: str, values: Mapping[str, Any]) -> NewDevice:
    follow_models(conn)
    judged = judge_rows([Row(0, values)], districts_of(conn, district), list_taken(conn))
    if judged.faults:
        raise judged.faults[0].as_error()
    return judged.devices[0]
