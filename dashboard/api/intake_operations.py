"""Calls, tasks of collectors, public reports and handing over, as the description of the API has
them."""

from __future__ import annotations

from city.intake import Channel, ListedIntake, ReportState
from city.intake_requests import (
    CallBackRequest,
    HandoverNoteRequest,
    HandoverRequest,
    IntakeRequest,
    ReplyRequest,
    ReportAcceptRequest,
    ReportRejectRequest,
)
from city.looking import Around, FoundCategory, FoundPlace
from city.requests import VersionRequest
from dashboard.api.handovers import SheetNow
from dashboard.api.intake import ReceivedAnswer, TasksAnswer
from dashboard.api.operation import PAGING, Operation, as_text
from dashboard.api.reports import AcceptedAnswer, ReportItem
from db.handovers import Handover

QUERY = {"q": as_text("words, pinyin or initials")}
BOOLEAN = {"type": "boolean", "default": False}
DEGREES = {"type": "number"}

INTAKE_OPERATIONS = (
    Operation("get", "/intake", "Calls and orders, newest first; what is owed soonest due first",
              ListedIntake, listed=True,
              query={**PAGING,
                     "owed": {"description": "only those that wait for a reply or a call back",
                              "schema": BOOLEAN},
                     "channel": as_text("only from there", enum=[c.value for c in Channel]),
                     "incident_id": {"description": "only about this case",
                                     "schema": {"type": "integer"}}}),
    Operation("post", "/intake",
              "Keep a call, order or patch and open its case, or join it to one; a number that came"
              " before answers 200 with what it became", ReceivedAnswer, body=IntakeRequest,
              status="201"),
    Operation("get", "/intake/{id}", "One call", ListedIntake),
    Operation("post", "/intake/{id}/reply", "Whoever waits for a reply has got it", ListedIntake,
              body=ReplyRequest),
    Operation("post", "/intake/{id}/call-back",
              "Somebody called; until the caller answers it is owed on", ListedIntake,
              body=CallBackRequest),
    Operation("get", "/intake/categories", "Categories by name, pinyin, initials or code",
              FoundCategory, listed=True, query=QUERY),
    Operation("get", "/intake/places",
              "Streets, communities, cells, devices and entries of registers", FoundPlace,
              listed=True, query=QUERY),
    Operation("get", "/intake/around",
              "Open cases of the same class within 50 m and 24 h, and devices within 150 m", Around,
              query={"lon": {"description": "WGS 84", "required": True, "schema": DEGREES},
                     "lat": {"description": "WGS 84", "required": True, "schema": DEGREES},
                     "category": as_text("without it no cases")}),
    Operation("get", "/tasks", "Verifications and checks that wait, soonest due first",
              TasksAnswer,
              query={"mine": {"description": "only one's own and those nobody has",
                              "schema": BOOLEAN}}),
    Operation("get", "/reports", "Reports from the public page, newest first", ReportItem,
              listed=True,
              query={**PAGING, "state": as_text("only these",
                                             enum=[s.value for s in ReportState])}),
    Operation("post", "/reports/{id}/accept", "A public report becomes a case, or joins one",
              AcceptedAnswer, body=ReportAcceptRequest),
    Operation("post", "/reports/{id}/reject", "A public report is not taken on",
              body=ReportRejectRequest),
    Operation("post", "/reports/{id}/spam", "A public report is spam; its pictures go",
              body=VersionRequest),
    Operation("get", "/reports/{id}/photos/{ordinal}", "A picture of a public report",
              answer_types=("image/jpeg", "image/png", "image/webp")),
    Operation("get", "/handovers", "Handover sheets, newest first", Handover, listed=True,
              query=PAGING),
    Operation("get", "/handovers/now", "What the sheet would say now", SheetNow),
    Operation("get", "/handovers/{id}", "One sheet", Handover),
    Operation("post", "/handovers", "The outgoing shift signs", Handover, body=HandoverRequest,
              status="201"),
    Operation("post", "/handovers/{id}/notes", "Say more on a sheet", Handover,
              body=HandoverNoteRequest, status="201"),
    Operation("post", "/handovers/{id}/take", "The incoming shift signs", Handover,
              body=VersionRequest),
)  # fmt: skip
