"""`/openapi.json`: the API described from the very types that it answers with."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from flask import Blueprint, Response

from city.incident import ListedIncident
from city.lighting import NightOfStreet
from city.register import Offence, Recusal
from city.requests import (
    AcknowledgeRequest,
    ActionRequest,
    ApprovalApproveRequest,
    ApprovalRefuseRequest,
    ApproveRequest,
    AssignRequest,
    ChecklistRequest,
    CorrectRequest,
    DrawRequest,
    DutyChangeRequest,
    EntryChangeRequest,
    EntryRequest,
    InspectionRequest,
    LampCancelRequest,
    LampOrderRequest,
    MoveRequest,
    NextEventsRequest,
    NightRequest,
    OffenceRequest,
    OutOfServiceRequest,
    PasswordRequest,
    PermitEndRequest,
    PermitRequest,
    ProgrammeRequest,
    ProgrammeRetireRequest,
    ReasonRequest,
    RecusalRequest,
    RenameRequest,
    ReplaceRequest,
    ReplayRequest,
    ReportRequest,
    RetireEntryRequest,
    ReviewRequest,
    RoleRequest,
    RuleApplyRequest,
    RuleTextRequest,
    RuleTrialRequest,
    SettingsApplyRequest,
    SettingsPlanRequest,
    ShelveRequest,
    TokenRequest,
    UserRequest,
    VersionRequest,
)
from city.rule_pages import AppliedTrial, FormAnswer, RuleAnswer, RuleItem, TrialAnswer
from city.safety import CheckIn, DistressCall
from city.safety_requests import CheckInRequest, DistressSeenRequest, DuressRequest, FineRequest
from city.settings import AppliedSheet, HistoryItem, PartItem, Sheet, SheetPlan
from dashboard.api import (
    incidents,
    lone_work,
    people,
    permits,
    registry,
    settings,
    squads,
)
from dashboard.api.answers import json_answer
from dashboard.api.bodies import VERSION_FIELD, body_of
from dashboard.api.duty_shapes import DeviceHistory, DutyAnswer, RosterAnswer
from dashboard.api.ingest_operations import INGEST_OPERATIONS
from dashboard.api.intake_operations import INTAKE_OPERATIONS
from dashboard.api.kpi_operations import KPI_OPERATIONS
from dashboard.api.message_operations import MESSAGE_OPERATIONS
from dashboard.api.operation import (
    CURSOR,
    LIMIT,
    PAGING,
    PERIOD,
    Operation,
    as_filters,
    as_moment,
    as_text,
)
from dashboard.api.shapes import (
    ApprovalItem,
    AreaItem,
    CategoryItem,
    DeviceAnswer,
    EventItem,
    EvidenceItem,
    ForecastItem,
    IdentityItem,
    ImportAnswer,
    IncidentAnswer,
    LampOrderAnswer,
    NextEventsAnswer,
    PrecisionItem,
    Problem,
    ProposalItem,
    RecommendationItem,
    ReplayAnswer,
    WaitingAnswer,
)
from dashboard.api.squads import SquadItem
from dashboard.screens.alarms.load import MeasuresAnswer
from dashboard.screens.lighting import load as lighting
from dashboard.screens.registers import load as registers
from db import discovery, gateways, inhibitions, listings, users
from db.readings import HistoryPoint
from registers.steps import Verified

openapi = Blueprint("openapi", __name__)

TITLE = "Gridwarden"
VERSION = "1"
ANSWERS = {
    "401": "Nobody is signed in, or the token is worth nothing",
    "403": "The caller's role may not do this",
    "404": "There is no such thing in the caller's district",
    "409": "The current state does not allow it; shows the state and what it allows",
    "422": "A field or parameter is not acceptable; names it",
    "503": "A server we need is away; nothing was done",
}
# What besides can go wrong with a body.
BODY_ANSWERS = {
    "400": "The body cannot be read",
    "413": "The body is larger than the server takes",
    "415": "The body is of another media type than the one described",
}


OPERATIONS = (
    *INGEST_OPERATIONS,
    *INTAKE_OPERATIONS,
    *MESSAGE_OPERATIONS,
    Operation("get", "/devices", "Registered devices with their newest values",
              listings.ListedDevice, listed=True,
              query={**PAGING, **as_filters(listings.DEVICE_FILTERS)}),
    Operation("get", "/devices/{code}", "One device, with the gateways through which it is heard",
              listings.DetailedDevice),
    Operation("get", "/devices/{code}/readings",
              "History of one metric; min and max of a bucket keep every peak", HistoryPoint,
              listed=True,
              query={"metric": as_text("canonical metric", required=True), **PERIOD,
                     "bucket": as_text("raw, or a length like 1m, 15m, 1h, 1d"),
                     **LIMIT, **CURSOR}),
    Operation("get", "/devices/{code}/identities", "The hardware under a code, past and present",
              IdentityItem, listed=True),
    Operation("post", "/devices/{code}/out-of-service",
              "No alarms from a device until it is due back; again: another date",
              listings.ListedDevice, body=OutOfServiceRequest),
    Operation("post", "/devices/{code}/return", "A device counts again", listings.ListedDevice,
              body=VersionRequest),
    Operation("post", "/devices/{code}/replace",
              "Other hardware at the same place; code and history stay", DeviceAnswer,
              body=ReplaceRequest),
    Operation("get", "/devices/{code}/history",
              "Who changed a device, when and why, and what was before; newest first",
              DeviceHistory),
    *(Operation("post", f"/devices/{{code}}/{verb}", text, listings.ListedDevice, body=body)
      for verb, text, body in (
          ("rename", "Another name; the code stays", RenameRequest),
          ("move", "Another place; cases and alarms stay where they arose", MoveRequest),
          ("correct", "Model, gas, reporting interval or attributes put right", CorrectRequest),
          ("retire", "It is no more: what it sends is counted and raises nothing", ReasonRequest),
          ("revive", "A retired device is there again", ReasonRequest))),
    Operation("post", "/devices/{code}/replay",
              "Try again what a device sent before it was registered", ReplayAnswer,
              body=ReplayRequest),
    Operation("post", "/devices/import", "Register devices from a CSV or GeoJSON file",
              ImportAnswer, upload=("file",),
              query={"dry_run": {"description": "only report what is wrong",
                                 "schema": {"type": "boolean", "default": False}},
                     "datum": {"description": "what all positions are in, believed as said; without"
                                              " it positions that look shifted answer 409 with"
                                              " `current.datum_question`",
                               "schema": {"type": "string", "example": "gcj02"}},
                     "why": as_text("the reason for which rows with a registered code change that"
                                  " device; without it they are faults")}),
    Operation("get", "/gateways", "Gateways and network servers, and how many are behind",
              gateways.ListedGateway, listed=True,
              query={**PAGING, **as_filters(gateways.GATEWAY_FILTERS)}),
    Operation("get", "/inhibitions", "Conditions that the alarm of a gateway explains",
              inhibitions.ListedInhibition, listed=True,
              query={**PAGING, **as_filters(inhibitions.INHIBITION_FILTERS)}),
    Operation("get", "/discovered", "Identities that report and that nobody registered",
              discovery.DiscoveredDevice, listed=True,
              query={**PAGING, **as_filters(registry.DISCOVERED_FILTERS)}),
    Operation("post", "/discovered/{id}/approve", "Register a stranger", DeviceAnswer,
              body=ApproveRequest, status="201"),
    Operation("post", "/discovered/{id}/ignore", "Do not show a stranger again",
              discovery.DiscoveredDevice),
    Operation("get", "/alarms", "Alarms with rule, reason and IEC 62682 state",
              listings.ListedAlarm, listed=True,
              query={**PAGING, **as_filters(listings.ALARM_FILTERS)}),
    Operation("get", "/alarms/measures",
              "Measures of alarm management over a period: rate, floods, bad actors",
              MeasuresAnswer, query=PERIOD),
    Operation("get", "/alarms/proposals",
              "What would make a rule quieter, with the alarms it would have gained and lost",
              ProposalItem, listed=True,
              query={"rule": as_text("code of the rule", required=True),
                     "device": as_text("only alarms of this device"), **PERIOD}),
    Operation("post", "/alarms/acknowledge",
              "Acknowledge several alarms, all or none; red gas is never among them",
              listings.ListedAlarm, listed=True, body=AcknowledgeRequest),
    Operation("get", "/alarms/{id}", "One alarm", listings.ListedAlarm),
    *(Operation("post", f"/alarms/{{id}}/{verb}", f"{verb.capitalize()} an alarm",
                listings.ListedAlarm, body=VersionRequest)
      for verb in ("acknowledge", "unshelve", "reset")),
    Operation("post", "/alarms/{id}/shelve", "Mute an alarm until a time, with a reason; "
              "of red gas this is asked for and answered 202 with the request (`approval`)",
              listings.ListedAlarm, body=ShelveRequest, also={"202": WaitingAnswer}),
    Operation("get", "/incidents", "Incidents, newest first", ListedIncident, listed=True,
              query={**PAGING, **as_filters(incidents.FILTERS)}),
    Operation("post", "/incidents", "Report a matter", IncidentAnswer, body=ReportRequest,
              status="201"),
    Operation("get", "/incidents/{id}", "One incident with clocks and possible actions",
              IncidentAnswer),
    Operation("post", "/incidents/{id}/actions", "Act on an incident; a return, postponement or "
              "suspension is asked for and answered 202 with the request (`approval`)",
              IncidentAnswer, body=ActionRequest, also={"202": WaitingAnswer}),
    Operation("post", "/incidents/{id}/checklist",
              "What was found at a step of the run card's checklist", IncidentAnswer,
              body=ChecklistRequest),
    Operation("get", "/incidents/forecasts", "How likely the running attempts are late, by what "
              "their category, squad and hour took so far", ForecastItem, listed=True),
    Operation("get", "/incidents/{id}/recommendations", "Squads to send, best first",
              RecommendationItem, listed=True),
    Operation("get", "/incidents/{id}/evidence", "Files of an incident", EvidenceItem,
              listed=True),
    Operation("post", "/incidents/{id}/evidence", "Hand in a photo or document", IncidentAnswer,
              status="201", upload=("stage", "file")),
    Operation("get", "/incidents/{id}/evidence/{evidence_id}", "The file itself",
              query={"shown": {"description": "a picture that any browser shows, if one is kept",
                               "schema": {"type": "boolean", "default": False}}},
              answer_types=("image/jpeg", "image/png", "video/mp4", "application/octet-stream")),
    Operation("get", "/squads", "Squads with position, duty and load", SquadItem, listed=True,
              query={**PAGING, **as_filters(squads.SQUAD_FILTERS)}),
    Operation("get", "/duty", "Who was on duty at a moment, as it was entered then", DutyAnswer,
              query={"at": as_moment("the moment; now without it")}),
    Operation("get", "/roster", "A week of all squads, from its Monday on", RosterAnswer,
              query={"from": as_text("a day of the week; today's without it", format="date")}),
    Operation("post", "/roster/changes", "Leave or a swap of duties; a second person agrees",
              WaitingAnswer, body=DutyChangeRequest, status="202"),
    Operation("get", "/categories", "Categories a person may choose", CategoryItem, listed=True),
    *KPI_OPERATIONS,
    Operation("get", "/events", "The event log from a cursor; as an event stream it follows it",
              EventItem, listed=True,
              query={"after": {"description": "last sequence number already seen",
                               "schema": {"type": "integer", "minimum": 0}},
                     "subject": as_text("only of this subject, e.g. incident:17"),
                     "kind": as_text("only of this kind, e.g. incident.filed"),
                     "rows": {"description": "with the rows that each changed; administrators only",
                              "schema": {"type": "boolean", "default": False}}, **PAGING},
              answer_types=("application/json", "text/event-stream")),
    Operation("get", "/video-events", "What cameras reported", listings.ListedVideoEvent,
              listed=True, query={**PAGING, **as_filters(listings.VIDEO_FILTERS)}),
    Operation("post", "/video-events/{camera}/{event_id}/review",
              "Confirm, dismiss or merge what a camera reported", listings.ListedVideoEvent,
              body=ReviewRequest),
    Operation("post", "/video-events/{camera}/{event_id}/take-back",
              "Take one's verdict back that does not hold yet", listings.ListedVideoEvent),
    Operation("post", "/video-events/{camera}/{event_id}/queue",
              "Have a person judge what was held back", listings.ListedVideoEvent),
    Operation("get", "/video-events/{camera}/{event_id}/snapshot", "The picture that is kept",
              answer_types=("image/jpeg", "image/png", "image/webp")),
    Operation("post", "/video-review/next", "The next events to judge, the caller's for a while",
              NextEventsAnswer, body=NextEventsRequest),
    Operation("post", "/video-review/leave", "Give back what one only looked at"),
    Operation("get", "/video-review/precision",
              "How often cameras were right, by class", PrecisionItem, listed=True),
    Operation("get", "/areas", "Areas of the city, or those around a place", AreaItem,
              listed=True,
              query={"lon": as_text("longitude, WGS-84"), "lat": as_text("latitude, WGS-84"),
                     "at": as_moment("when; now if nothing is said")}),
    Operation("get", "/users", "Everybody who may sign in or once might", users.Account,
              listed=True),
    Operation("post", "/users", "Somebody new; the key of a repeated request is not kept",
              users.Account, body=UserRequest, status="201"),
    *(Operation("post", f"/users/{{name}}/{verb}", text, users.Account, body=body)
      for verb, text, body in (
          ("disable", "Shut a user out; pages and streams end within a second", VersionRequest),
          ("enable", "Let a user in again, with the password they had", VersionRequest),
          ("role", "Another role or squad; effective within a second", RoleRequest),
          ("password", "Another password; ends every session of its owner",
           PasswordRequest),
          ("second-factor/reset", "Take a lost second factor away; ends every session of its owner",
           VersionRequest))),
    Operation("get", "/tokens", "API tokens, without their text", users.Token, listed=True),
    Operation("post", "/tokens", "A new token; its text is shown this once", people.NewToken,
              body=TokenRequest, status="201"),
    Operation("post", "/tokens/{name}/revoke", "Make a token worthless, at once", users.Token),
    Operation("get", "/approvals", "Changes of gas safety that wait for a second person",
              ApprovalItem, listed=True, query=PAGING),
    Operation("get", "/approvals/{id}", "One of them, with exactly what would change",
              ApprovalItem),
    Operation("post", "/approvals/{id}/approve", "Let it happen; whoever asked cannot",
              ApprovalItem, body=ApprovalApproveRequest),
    Operation("post", "/approvals/{id}/refuse", "Say no, or take back what one asked for",
              ApprovalItem, body=ApprovalRefuseRequest),
    Operation("get", "/rules", "Alarm rules with what they hold and raised", RuleItem, listed=True),
    Operation("get", "/rules/{code}", "One rule with all its versions", RuleAnswer),
    Operation("post", "/rules/form", "A rule's text as a form; nothing is written", FormAnswer,
              body=RuleTextRequest),
    Operation("post", "/rule-trials", "Have a change of a rule tried on the last 30 days",
              TrialAnswer, body=RuleTrialRequest, status="201"),
    Operation("get", "/rule-trials/{id}", "How far a trial is, and what it found", TrialAnswer),
    Operation("post", "/rule-trials/{id}/cancel", "Nobody waits for it", TrialAnswer),
    Operation("post", "/rule-trials/{id}/apply",
              "Put in force what was tried; gas safety may wait for a second person", AppliedTrial,
              body=RuleApplyRequest),
    Operation("get", "/permits", "Work permits, newest first", permits.PermitItem, listed=True,
              query={**PAGING, "state": as_text("those not over", enum=list(permits.STATES)),
                     "device": as_text("only about this device")}),
    Operation("get", "/permits/{code}", "One work permit", permits.PermitItem),
    Operation("post", "/permits", "Covers of a place may be open for a time", permits.PermitItem,
              body=PermitRequest, status="201"),
    Operation("post", "/permits/{code}/end",
              "End it early; covers open in a minute are alarms", permits.PermitItem,
              body=PermitEndRequest),
    Operation("get", "/check-in", "The caller's running check-in", CheckIn, listed=True),
    Operation("post", "/check-in", "Begin to check in", CheckIn, body=CheckInRequest, status="201"),
    Operation("post", "/check-in/fine", "I am fine", CheckIn, body=FineRequest),
    Operation("post", "/check-in/end", "The work alone is over", CheckIn),
    Operation("get", "/distress-calls", "Calls for help and missed check-ins, newest first",
              DistressCall, listed=True, query={**PAGING, **as_filters(lone_work.FILTERS)}),
    Operation("post", "/distress-calls", "Call for help", DistressCall, body=DuressRequest,
              status="201"),
    Operation("post", "/distress-calls/{id}/acknowledge", "Take a call for help on",
              DistressCall, body=DistressSeenRequest),
    Operation("get", "/settings", "The parts of the city folder that are tables", PartItem,
              listed=True),
    Operation("get", "/settings/{part}", "A table as it is now", Sheet),
    Operation("get", "/settings/{part}/file", "A table as a file",
              query={"format": as_text("kind of file; geojson of what lies on the map",
                                     enum=list(settings.FORMATS), default="csv")},
              answer_types=tuple(settings.FORMATS.values())),
    Operation("get", "/settings/{part}/history", "Who changed a table when, why and from what",
              HistoryItem, listed=True, query={"code": as_text("only this row")}),
    Operation("post", "/settings/{part}/plan", "What another row would change; nothing is written",
              SheetPlan, body=SettingsPlanRequest),
    Operation("post", "/settings/{part}/upload",
              "What a CSV file or Excel workbook would change; nothing is written", SheetPlan,
              upload=("file",)),
    Operation("post", "/settings/{part}/apply", "Put the content of a plan in force, or nothing",
              AppliedSheet, body=SettingsApplyRequest),
    Operation("get", "/lighting", "Lamps now, by street and cabinet", lighting.LightingAnswer),
    Operation("get", "/lighting/lamps", "The lamps of a cabinet or street", lighting.LampItem,
              listed=True, query={"cabinet": as_text("code of a cabinet"),
                                  "street": as_text("code of a street (a division)")}),
    Operation("get", "/lighting/commands", "Orders to lamps, newest first",
              lighting.LampOrderItem, listed=True,
              query={**LIMIT, **CURSOR,
                     "state": as_text("only orders with a command that stands so",
                                    enum=["open", "lost", "queued", "sent", "acknowledged",
                                          "failed", "timed_out", "cancelled"])}),
    Operation("post", "/lighting/commands",
              "Set lamps to a level; many of them by day wait for a second person",
              LampOrderAnswer, body=LampOrderRequest, status="201"),
    Operation("get", "/lighting/commands/{id}", "One order with the command to each lamp",
              lighting.LampOrderDetail),
    Operation("post", "/lighting/commands/{id}/cancel", "Call off what is not answered yet",
              lighting.LampOrderDetail, body=LampCancelRequest),
    Operation("get", "/lighting/programmes", "Programmes in force, with who follows them",
              lighting.ProgrammeItem, listed=True),
    Operation("post", "/lighting/programmes", "Put a programme in force as its next version",
              lighting.ProgrammeItem, body=ProgrammeRequest, status="201"),
    Operation("post", "/lighting/programmes/{code}/retire",
              "Take a programme that nothing follows out of force", lighting.ProgrammeItem,
              body=ProgrammeRetireRequest),
    Operation("post", "/lighting/assignments", "Let lamps follow a programme, or none",
              lighting.AssignedItem, body=AssignRequest),
    Operation("get", "/lighting/nights", "Lit checks and lamp-hours lost, night and street",
              NightOfStreet, listed=True,
              query={"from": as_text("first night", format="date"),
                     "to": as_text("last night", format="date")}),
    Operation("post", "/lighting/nights/{night}/computation",
              "Compute a night anew from the readings that there are", NightOfStreet, listed=True,
              body=NightRequest),
    Operation("get", "/registers", "The lists the city keeps, with their coverage",
              registers.RegisterItem, listed=True),
    Operation("get", "/registers/{code}", "One register: its definition and counts",
              registers.RegisterAnswer),
    Operation("get", "/registers/{code}/entries", "Entries, what is due longest first",
              registers.EntryItem, listed=True,
              query={**LIMIT, **CURSOR, "q": as_text("only with all these words"),
                     "state": as_text("only in this state"),
                     "due": as_text("only what is due", enum=["due", "overdue"])}),
    Operation("post", "/registers/{code}/entries", "A new entry", registers.EntryItem,
              body=EntryRequest, status="201"),
    Operation("get", "/registers/{code}/labels", "QR labels on sheets of A4, to be printed",
              query={"after": as_text("code of the last label that was printed")},
              answer_types=("text/html",)),
    Operation("get", "/registers/{code}/draws", "Random draws, newest first", registers.DrawItem,
              listed=True),
    Operation("post", "/registers/{code}/draws", "Draw entries and who inspects them",
              registers.DrawItem, body=DrawRequest, status="201"),
    Operation("get", "/register-draws/{id}/verification",
              "A draw made again from its seed: is it the same", Verified),
    Operation("get", "/register-entries/{short}", "One entry with inspections and history",
              registers.EntryAnswer),
    Operation("get", "/register-entries/{short}/label", "The QR label of an entry",
              answer_types=("image/svg+xml",)),
    Operation("post", "/register-entries/{short}/change", "Other values of an entry",
              registers.EntryItem, body=EntryChangeRequest),
    Operation("post", "/register-entries/{short}/retire", "Take an entry out of its register",
              registers.EntryItem, body=RetireEntryRequest),
    Operation("post", "/register-entries/{short}/recusals",
              "Somebody is related to an entry and is not drawn for it, or not any more",
              Recusal, listed=True, body=RecusalRequest),
    Operation("post", "/register-entries/{short}/inspections",
              "Inspect an entry; a failed inspection becomes an incident",
              registers.InspectionAnswer, body=InspectionRequest, status="201"),
    Operation("post", "/offences", "Earlier failed inspections of a party; nothing is written",
              Offence, listed=True, body=OffenceRequest),
)  # fmt: skip


@openapi.get("/openapi.json")
def get_openapi() -> Response:
    """OpenAPI 3.1; open to everybody, it tells nothing about the city."""
    return json_answer(build_document())


@cache
def build_document() -> dict[str, Any]:
    """The whole description."""
    types = {op.answer for op in OPERATIONS}
    types |= {kind for op in OPERATIONS for kind in op.also.values()}
    types |= {body_of(op.body) for op in OPERATIONS if op.body is not None}
    known = sorted(
        (kind for kind in types | {Problem} if kind is not None),
        key=lambda kind: kind.__name__,
    )
    _, components = msgspec.json.schema_components(
        known, ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for op in OPERATIONS:
        paths.setdefault(op.path, {})[op.method] = _operation(op)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": VERSION, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "session"},
            },
        },
    }


def _operation(op: Operation) -> dict[str, Any]:
    answers = ANSWERS | BODY_ANSWERS if op.method == "post" else ANSWERS
    described: dict[str, Any] = {
        "summary": op.summary,
        "operationId": _operation_id(op),
        "parameters": [*_path_parameters(op.path), *_query_parameters(op.query), *_headers(op)],
        "responses": {
            op.status: {
                "description": "Done",
                "content": {kind: _content(op, kind) for kind in op.answer_types},
            },
            **{
                status: {
                    "description": "Waits for a second person",
                    "content": {"application/json": {"schema": _ref(kind)}},
                }
                for status, kind in op.also.items()
            },
            **{
                status: {
                    "description": text,
                    "content": {"application/problem+json": {"schema": _ref(Problem)}},
                }
                for status, text in sorted(answers.items())
            },
        },
    }
    if op.body is not None:
        schema = {"schema": _ref(body_of(op.body))}
        described["requestBody"] = {"required": True, "content": {"application/json": schema}}
    if op.upload:
        form = {"multipart/form-data": {"schema": _upload_schema(op.upload)}}
        described["requestBody"] = {"required": True, "content": form}
    return described


def _upload_schema(fields: tuple[str, ...]) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {name: {"type": "string"} for name in fields}
    kinds["file"] = {"type": "string", "contentMediaType": "application/octet-stream"}
    return {"type": "object", "required": list(fields), "properties": kinds}


def _content(op: Operation, kind: str) -> dict[str, Any]:
    if kind != "application/json" or op.answer is None:
        return {}
    if not op.listed:
        return {"schema": _ref(op.answer)}
    return {
        "schema": {
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": {"type": "array", "items": _ref(op.answer)},
                "next": {"type": ["string", "null"]},
            },
        }
    }


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _operation_id(op: Operation) -> str:
    words = [part.strip("{}").replace("-", "_") for part in op.path.split("/") if part]
    return "_".join([op.method, *words])


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if name in ("id", "evidence_id", "ordinal") else "string"},
        }
        for name in names
    ]


def _query_parameters(query: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", **rest} for name, rest in query.items()]


def _headers(op: Operation) -> list[dict[str, Any]]:
    if op.method == "get":
        return []
    repeat = as_text("makes a repeated request one change")
    found = [{"name": "Idempotency-Key", "in": "header", **repeat}]
    if op.body is not None and VERSION_FIELD in body_of(op.body).__struct_fields__:
        match = as_text("the version the change is meant for, instead of `version`")
        found.append({"name": "If-Match", "in": "header", **match})
    if op.body is not None and "acted_at" in body_of(op.body).__struct_fields__:
        sent = as_moment("what the clock of `acted_at` says at the sending")
        found.append({"name": "Sent-At", "in": "header", **sent})
    return found
