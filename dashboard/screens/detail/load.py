"""One incident for the pages and the API: what is shown of it, and what people do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from city.act_time import SaidTime
from city.device import is_away
from city.incident import ListedIncident
from city.person import Caller
from city.requests import ActionRequest, ChecklistRequest, ReportRequest
from city.scope import Scope
from city.trust import state_words
from dashboard.api.incident_json import incident_answer
from dashboard.api.messages import item_of
from dashboard.api.shapes import WaitingAnswer
from dashboard.shell import who_sees_what
from dashboard.shell.changes import ACCEPTED, CREATED, Once, change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db import deliveries, incidents, listings
from db.device_history import DeviceThen, list_then
from db.idempotency import StoredAnswer
from db.pool import Connection, transaction

# Alarms shown with their incident, newest first.
ALARMS_SHOWN = 100
# Devices whose state is shown with their incident: those of its newest alarms.
DEVICES_SHOWN = 20
DEVICE_FIELDS = (
    "code", "kind", "name", "model", "lon", "lat", "out_of_service_since", "return_due_at",
    "out_of_service_reason", "retired_at", "retired_reason", "clock", "latest",
)  # fmt: skip
# A recommendation for whoever sends nobody.
WITHOUT_CALL = {"called": "", "phone": ""}


def incident(caller: Caller, incident_id: int) -> dict[str, Any]:
    """One incident for a page: its `actions` are those to offer, whose dialog asks for files."""
    found = incident_facts(caller, incident_id)
    with transaction(parts().pool) as conn:
        rows = deliveries.list_deliveries(conn, caller.district, incident_id=incident_id)
    told: list[Any] = as_plain([item_of(row) for row in rows])
    return {**found, "actions": found["offered"], "told": told}


def incident_facts(caller: Caller, incident_id: int) -> dict[str, Any]:
    """One incident with its clocks, events, evidence and the actions possible now."""
    with transaction(parts().pool) as conn:
        return facts_of(conn, caller, incident_id, datetime.now(UTC))


def facts_of(conn: Connection, caller: Caller, incident_id: int, now: datetime) -> dict[str, Any]:
    """The same on an open connection."""
    view = parts().ports.incidents.view(conn, caller, incident_id, now)
    alarms = listings.list_alarms(
        conn,
        caller.scope,
        filters={"incident_id": incident_id},
        since=None,
        before=None,
        limit=ALARMS_SHOWN,
    )
    answer = incident_answer(as_plain(view.as_dict()), as_plain(alarms))
    answer["devices"] = devices_of(conn, caller.scope, answer, now)
    return who_sees_what.incident_for(answer, caller)


def devices_of(
    conn: Connection, scope: Scope, incident: Mapping[str, Any], now: datetime
) -> list[dict[str, Any]]:
    """The devices of a case and its alarms, with their state now and what they were then."""
    named = [incident["device"], *(alarm["device"] for alarm in incident["alarms"])]
    codes = list(dict.fromkeys(code for code in named if code))[:DEVICES_SHOWN]
    if not codes:
        return []
    found = listings.list_devices(
        conn, scope, now, filters={}, since=None, after=None, limit=len(codes), codes=codes
    )
    opened_at = datetime.fromisoformat(incident["opened_at"])
    then = list_then(conn, codes, opened_at)
    shown = {device.code: case_device(device, then[device.code], now) for device in found}
    return [shown[code] for code in codes if code in shown]


def case_device(device: listings.ListedDevice, then: DeviceThen, now: datetime) -> dict[str, Any]:
    """One device of a case."""
    states = state_words(
        retired=device.retired_at is not None,
        out_of_service=is_away(device.out_of_service_since, device.return_due_at, now),
        trust=[value.trust for value in device.latest],
    )
    plain = as_plain(device)
    return {name: plain[name] for name in DEVICE_FIELDS} | {
        "states": states, "then": as_plain(then),
    }  # fmt: skip


def search(
    caller: Caller, query: str, states: Sequence[str] | None, before_id: int | None, limit: int
) -> list[ListedIncident]:
    """Cases that a search finds, newest first."""
    with transaction(parts().pool) as conn:
        ids = parts().ports.incidents.find_cases(
            conn, caller.scope, query, states=states, before_id=before_id, limit=limit
        )
        return incidents.list_incidents(conn, caller.scope, ids=ids, limit=limit) if ids else []


def forecasts(caller: Caller, now: datetime) -> list[dict[str, Any]]:
    """How likely the running attempts of what the caller sees are late."""
    with transaction(parts().pool) as conn:
        found = parts().ports.incidents.list_forecasts(conn, caller.scope, now)
    return [
        {
            "id": case,
            "probability": round(expected.probability, 4),
            "count": expected.count,
            "basis": expected.basis,
        }
        for case, expected in found.items()
    ]


def recommendations(caller: Caller, incident_id: int) -> list[dict[str, Any]]:
    """Ranked squads with the parts of each score."""
    now = datetime.now(UTC)
    with transaction(parts().pool) as conn:
        parts().ports.incidents.view(conn, caller, incident_id, now)  # refuses other districts
        ranked = parts().ports.incidents.rank_squads(conn, incident_id, now)
    plain: list[dict[str, Any]] = as_plain(ranked)
    return plain if who_sees_what.may_call(caller) else [r | WITHOUT_CALL for r in plain]


def act(
    caller: Caller,
    incident_id: int,
    request: ActionRequest,
    once: Once | None,
    sent_at: datetime | None = None,
) -> StoredAnswer:
    """Act on an incident; answers with its new state, or 202 with the request where a duty chief
    has to let it happen. `sent_at`: by the clock of the phone. Raises `city.errors`."""

    def work(conn: Connection, now: datetime) -> Any:
        asked = parts().ports.cases.act(conn, caller, incident_id, request, now, sent_at)
        if asked is not None:
            return StoredAnswer(ACCEPTED, as_plain(WaitingAnswer.of(asked)))
        return facts_of(conn, caller, incident_id, now)

    return change(caller, work, once=once)


def answer_step(
    caller: Caller, incident_id: int, request: ChecklistRequest, once: Once | None
) -> StoredAnswer:
    """Answer a step of the checklist; answers with the incident."""

    def work(conn: Connection, now: datetime) -> Any:
        parts().ports.incidents.answer_step(conn, caller, incident_id, request, now)
        return facts_of(conn, caller, incident_id, now)

    return change(caller, work, once=once)


def report(caller: Caller, request: ReportRequest, once: Once | None) -> StoredAnswer:
    """Report a matter; answers with the incident it became."""

    def work(conn: Connection, now: datetime) -> Any:
        incident_id = parts().ports.incidents.report(conn, caller, request, now)
        return facts_of(conn, caller, incident_id, now)

    return change(caller, work, once=once, status=CREATED)


def add_evidence(
    caller: Caller,
    incident_id: int,
    file: tuple[str, str, str, bytes],
    once: Once | None,
    said: SaidTime | None = None,
) -> StoredAnswer:
    """Keep a photo or document (stage, name, media type, content); answers with the incident.
    `said`: when it was taken by the phone's clock, where the file does not say so."""

    def work(conn: Connection, now: datetime) -> Any:
        add = parts().ports.incidents.add_evidence
        evidence_id = add(conn, caller, incident_id, *file, now, said)
        return {"evidence_id": evidence_id, **facts_of(conn, caller, incident_id, now)}

    return change(caller, work, once=once, status=CREATED)
