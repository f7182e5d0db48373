"""One incident for the pages and the API: what is shown of it, and what people do to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from city.act_time import SaidTime
from city.incident import ListedIncident
from city.person import Caller
from city.requests import ActionRequest, ReportRequest
from dashboard.api.incident_json import incident_answer
from dashboard.api.messages import item_of
from dashboard.api.shapes import WaitingAnswer
from dashboard.shell import who_sees_what
from dashboard.shell.changes import ACCEPTED, CREATED, Once, change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db import deliveries, incidents, listings
from db.idempotency import StoredAnswer
from db.pool import Connection, transaction

# Alarms shown with their incident, newest first.
ALARMS_SHOWN = 100
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
    return who_sees_what.incident_for(answer, caller)


def search(
    caller: Caller, query: str, states: Sequence[str] | None, before_id: int | None, limit: int
) -> list[ListedIncident]:
    """Cases that a search finds, newest first."""
    with transaction(parts().pool) as conn:
        ids = parts().ports.incidents.find_cases(
            conn, caller.scope, query, states=states, before_id=before_id, limit=limit
        )
        return incidents.list_incidents(conn, caller.scope, ids=ids, limit=limit) if ids else []


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
