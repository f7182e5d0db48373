"""Who may see what of a matter: its photos, and whom it came from.

Photos and documents: everybody of the district where the matter is.

The caller's name and telephone number: whoever works the case. The centre always; while it is
open also the squad it is with, the checkers who verify it with the caller and check it, and the
gas engineers who must release it. Leaders and viewers never.

Who of a squad is on duty, and under which number: the centre and the gas engineers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from city.category import GAS_RELEASE
from city.event import Event
from city.incident import FINAL_STATES, IncidentState, Role
from city.person import Caller
from db.incident_cases import Case, find_cases
from db.pool import Connection

# What of an event says who called.
REPORTER = "reporter"
# What a reader finds in its place; the hash of the event is over the whole of it.
WITHHELD = "withheld"
CENTRE = frozenset({Role.ADMIN, Role.DISPATCHER, Role.SYSTEM})


def may_see_photo(caller: Caller, district: str) -> bool:
    """Whether this caller may open the evidence of an incident of a district."""
    return caller.district == district


def may_see_reporter(caller: Caller, case: Case) -> bool:
    """Whether this caller works the case."""
    if caller.role in CENTRE:
        return True
    if case.state in FINAL_STATES:
        return False
    if caller.role is Role.SQUAD_LEADER:
        return caller.squad is not None and caller.squad == case.squad
    if caller.role is Role.GAS_ENGINEER:
        return case.needs_release
    return caller.role is Role.CHECKER


def may_call(caller: Caller) -> bool:
    """Whether this caller calls squads."""
    return caller.role in CENTRE or caller.role is Role.GAS_ENGINEER


def without_reporter(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload of an event as anybody may see it."""
    if REPORTER not in payload:
        return dict(payload)
    shown = {name: value for name, value in payload.items() if name != REPORTER}
    return {**shown, WITHHELD: [REPORTER]}


def events_for(conn: Connection, events: Sequence[Event], caller: Caller) -> list[Event]:
    """Events of the log as this caller may see them."""
    if caller.role in CENTRE:
        return list(events)
    telling = {e.seq: _incident_of(e) for e in events if REPORTER in e.payload}
    cases = find_cases(conn, set(telling.values())) if telling else {}

    def shown(event: Event) -> Event:
        if event.seq not in telling:
            return event
        case = cases.get(telling[event.seq])
        if case is not None and may_see_reporter(caller, case):
            return event
        return replace(event, payload=without_reporter(event.payload))

    return [shown(event) for event in events]


def _incident_of(event: Event) -> int:
    """Number of the incident that an event is about, 0 if it is about something else."""
    what, _, number = event.subject.partition(":")
    return int(number) if what == "incident" and number.isdigit() else 0


def incident_for(answer: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """An incident's answer with who called, for whom that is meant; for others without it."""
    payloads = [event["payload"] for event in answer["events"]]
    if may_see_reporter(caller, case_of(answer)):
        said = next((str(p[REPORTER]) for p in payloads if p.get(REPORTER)), None)
        return {**answer, REPORTER: said}
    events = [{**e, "payload": without_reporter(e["payload"])} for e in answer["events"]]
    return {**answer, REPORTER: None, "events": events}


def case_of(answer: Mapping[str, Any]) -> Case:
    """Who the incident of an answer is with."""
    return Case(
        state=IncidentState(answer["state"]),
        squad=answer["squad"],
        needs_release=GAS_RELEASE in answer["category_facts"]["closing_evidence"],
    )
