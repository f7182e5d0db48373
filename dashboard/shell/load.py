"""What pages and API read and do: each call is one transaction, announced after its commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from city.errors import NotFound
from city.person import Caller
from city.requests import ActionRequest, ReportRequest
from dashboard.api import key_figures
from dashboard.api.bodies import ActionBody, ReportBody, convert_body, required_version
from dashboard.api.incident_json import incident_answer
from dashboard.shell import privacy
from dashboard.shell.auth import current_caller
from dashboard.shell.parts import parts
from dashboard.shell.snapshot import incident_json
from db import categories as category_rows
from db import kpi as kpi_rows
from db import listings
from db import squads as squad_rows
from db import walls as wall_rows
from db.events import last_seq
from db.idempotency import StoredAnswer, claim_key, store_answer
from db.live import publish_event_seq, wake
from db.pool import Connection, transaction

# Video events shown for review at once; older ones wait their turn.
REVIEW_PAGE = 200
# Alarms shown with their incident, newest first.
ALARMS_SHOWN = 100
# The key figures look at most this far back in one question.
KPI_SPAN = timedelta(days=3 * 366)

CREATED, OK = 201, 200


@dataclass(frozen=True, slots=True)
class Once:
    """An Idempotency-Key and the fingerprint of the request it came with."""

    key: str
    request_sha256: bytes


Work = Callable[[Connection, datetime], Any]


def change(
    caller: Caller, work: Work, *, once: Once | None = None, status: int = OK
) -> StoredAnswer:
    """Do `work` in one transaction and tell the screens; a repeated key gives the first answer."""
    found = parts()
    now = datetime.now(UTC)
    with transaction(found.pool) as conn:
        if once and (known := claim_key(conn, caller.name, once.key, once.request_sha256, now)):
            return known
        answer = StoredAnswer(status, as_plain(work(conn, now)))
        if once:
            store_answer(conn, caller.name, once.key, answer)
        seq = last_seq(conn)
    publish_event_seq(found.redis, seq)
    wake(found.redis, "dispatch")
    return answer


def as_plain(value: Any) -> Any:
    """Dataclasses, structs, enums and times as plain JSON values."""
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_encode)


def _encode(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


# Walls


def snapshot(caller: Caller | None = None) -> dict[str, Any]:
    """What a screen starts from; see `dashboard.shell.snapshot`."""
    return parts().walls.of((caller or current_caller()).district).snapshot_json()


def map_static(caller: Caller | None = None) -> dict[str, Any]:
    """What does not change during a shift: outline, cells, streets and where devices stand."""
    body: dict[str, Any] = msgspec.json.decode(
        parts().walls.of((caller or current_caller()).district).map.document().packed.plain
    )
    return body


def queue(caller: Caller) -> list[dict[str, Any]]:
    """Open incidents, worst and oldest first, as of the newest event."""
    now = datetime.now(UTC)
    rows = parts().walls.of(caller.district).open_incidents()
    return [incident_json(row, now) for row in rows]


def my_tasks(caller: Caller) -> list[dict[str, Any]]:
    """The open incidents of the caller's squad, each as `incident` shows it."""
    now = datetime.now(UTC)
    if caller.squad is None:
        return []
    rows = parts().walls.of(caller.district).open_incidents(caller.squad)
    with transaction(parts().pool) as conn:
        found = [_view(conn, caller, row.id, now) for row in rows]
    return [{**row, "actions": row["offered"]} for row in found]


# Incidents


def incident(caller: Caller, incident_id: int) -> dict[str, Any]:
    """One incident for a page: its `actions` are those to offer, whose dialog asks for files."""
    found = incident_facts(caller, incident_id)
    return {**found, "actions": found["offered"]}


def incident_facts(caller: Caller, incident_id: int) -> dict[str, Any]:
    """One incident with its clocks, events, evidence and the actions possible now."""
    with transaction(parts().pool) as conn:
        return _view(conn, caller, incident_id, datetime.now(UTC))


def recommendations(caller: Caller, incident_id: int) -> list[dict[str, Any]]:
    """Ranked squads with the parts of each score."""
    now = datetime.now(UTC)
    with transaction(parts().pool) as conn:
        parts().ports.incidents.view(conn, caller, incident_id, now)  # refuses other districts
        ranked: list[dict[str, Any]] = as_plain(
            parts().ports.incidents.rank_squads(conn, incident_id, now)
        )
        return ranked


def perform(caller: Caller, incident_id: int, action: dict[str, Any]) -> dict[str, Any]:
    """Act on an incident; answers with its new state. Raises `city.errors`."""
    body: dict[str, Any] = act(caller, incident_id, convert_body(action, ActionBody)).body
    return body


def act(
    caller: Caller, incident_id: int, body: ActionBody, once: Once | None = None
) -> StoredAnswer:
    """The same for the API, with the answer's status."""
    incidents = parts().ports.incidents
    fields = {name: getattr(body, name) for name in body.__struct_fields__}
    fields["version"] = required_version(body.version)
    request = ActionRequest(**fields)

    def work(conn: Connection, now: datetime) -> Any:
        incidents.act(conn, caller, incident_id, request, now)
        return _view(conn, caller, incident_id, now)

    return change(caller, work, once=once)


def report(caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Report a matter; answers with the incident it became."""
    answer: dict[str, Any] = open_incident(caller, convert_body(body, ReportBody)).body
    return answer


def open_incident(caller: Caller, body: ReportBody, once: Once | None = None) -> StoredAnswer:
    """The same for the API."""
    incidents = parts().ports.incidents
    request = ReportRequest(**{name: getattr(body, name) for name in body.__struct_fields__})

    def work(conn: Connection, now: datetime) -> Any:
        return _view(conn, caller, incidents.report(conn, caller, request, now), now)

    return change(caller, work, once=once, status=CREATED)


def add_evidence(
    caller: Caller,
    incident_id: int,
    stage: str,
    filename: str,
    media_type: str,
    content: bytes,
) -> dict[str, Any]:
    """Keep a photo or document; answers with the incident."""
    body: dict[str, Any] = attach(caller, incident_id, (stage, filename, media_type, content)).body
    return body


def attach(
    caller: Caller,
    incident_id: int,
    file: tuple[str, str, str, bytes],
    once: Once | None = None,
) -> StoredAnswer:
    """The same for the API; `file` is stage, name, media type and content."""
    incidents = parts().ports.incidents

    def work(conn: Connection, now: datetime) -> Any:
        evidence_id = incidents.add_evidence(conn, caller, incident_id, *file, now)
        return {"evidence_id": evidence_id, **_view(conn, caller, incident_id, now)}

    return change(caller, work, once=once, status=CREATED)


def _view(conn: Connection, caller: Caller, incident_id: int, now: datetime) -> dict[str, Any]:
    view = parts().ports.incidents.view(conn, caller, incident_id, now)
    alarms = listings.list_alarms(
        conn,
        caller.district,
        filters={"incident_id": incident_id},
        since=None,
        before=None,
        limit=ALARMS_SHOWN,
    )
    answer = incident_answer(as_plain(view.as_dict()), as_plain(alarms))
    return privacy.for_caller(answer, caller)


# Alarms and video events


def acknowledge_alarm(caller: Caller, alarm_id: int, version: int) -> dict[str, Any]:
    """Acknowledge; answers with the alarm."""
    body: dict[str, Any] = change_alarm(
        caller, alarm_id, parts().ports.alarms.acknowledge, (version,)
    ).body
    return body


def change_alarm(
    caller: Caller,
    alarm_id: int,
    step: Callable[..., Any],
    arguments: Sequence[Any],
    once: Once | None = None,
) -> StoredAnswer:
    """One of the ports' alarm steps on an alarm of the caller's district."""

    def work(conn: Connection, now: datetime) -> Any:
        listings.find_alarm(conn, caller.district, alarm_id)
        step(conn, caller, alarm_id, *arguments, now)
        return listings.find_alarm(conn, caller.district, alarm_id)

    return change(caller, work, once=once)


def pending_video(caller: Caller) -> list[dict[str, Any]]:
    """Video events nobody has judged yet, newest first."""
    with transaction(parts().pool) as conn:
        found: list[dict[str, Any]] = as_plain(
            listings.list_video_events(
                conn, caller.district, filters={"review": "pending"}, limit=REVIEW_PAGE
            )
        )
        return found


def review_video(
    caller: Caller, camera_id: int, event_id: str, verdict: str, note: str
) -> dict[str, Any]:
    """Confirm or dismiss a video event; answers with the event."""
    body: dict[str, Any] = judge_video(caller, camera_id, event_id, verdict, note).body
    return body


def judge_video(
    caller: Caller,
    camera_id: int,
    event_id: str,
    verdict: str,
    note: str,
    once: Once | None = None,
) -> StoredAnswer:
    """The same for the API."""
    wanted = {"camera_id": camera_id, "event_id": event_id}

    def work(conn: Connection, now: datetime) -> Any:
        if not listings.list_video_events(conn, caller.district, filters=wanted, limit=1):
            raise NotFound("video event", event_id)
        parts().ports.alarms.review_video_event(
            conn, caller, camera_id, event_id, verdict, note, now
        )
        return listings.list_video_events(conn, caller.district, filters=wanted, limit=1)[0]

    return change(caller, work, once=once)


# Figures and words


def kpi(caller: Caller, from_: datetime, to: datetime, by: str) -> dict[str, Any]:
    """Key figures of [from_, to): one entry a group and one for all of them together."""
    key_figures.check_span(from_, to, KPI_SPAN)
    with transaction(parts().pool) as conn:
        groups = kpi_rows.list_kpi(conn, caller.district, from_, to, by)
        total = (
            groups
            if by == "district"
            else kpi_rows.list_kpi(conn, caller.district, from_, to, "district")
        )
    body: dict[str, Any] = as_plain(key_figures.build_figures(groups, total, from_, to, by))
    return body


def categories() -> list[dict[str, Any]]:
    """Every category a person may choose."""
    with transaction(parts().pool) as conn:
        rows = category_rows.list_in_force(conn)
    plain = [as_plain(asdict(row)) for row in rows]
    return [{"class": row.pop("class_"), **row} for row in plain]


def squads(caller: Caller | None = None) -> list[dict[str, Any]]:
    """Active squads with position, duty and load."""
    district = (caller or current_caller()).district
    now = datetime.now(UTC)
    with transaction(parts().pool) as conn:
        zone = key_figures.zone_of(wall_rows.find_district(conn, district))
        rows = squad_rows.list_squads(conn, district)
    return [key_figures.squad_item(row, now.astimezone(zone)) for row in rows]
