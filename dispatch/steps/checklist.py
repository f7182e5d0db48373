"""The run card of a case and the answers to its checklist."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from city.act_time import ActTime, Doubt, SaidTime
from city.area import areas_at
from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.incident import Incident, IncidentState, Role
from city.person import Caller
from city.requests import ChecklistRequest
from city.run_card import Answer, Checklist, RunCard, choose, judge_answer, parse_card
from db import areas, incidents, places, run_cards
from db.districts import longest_phone_wait
from db.events import append_events
from db.pool import Connection
from db.scopes import refuse_outside
from dispatch.act_time import judge_time
from dispatch.guard import check_version, current_state
from dispatch.machine import SQUAD
from dispatch.steps.telling import event, time_told

# Who answers: the squad itself, the centre for it, the gas engineer beside it.
ANSWERERS = SQUAD | {Role.GAS_ENGINEER}
# From when somebody is sent until the work is checked.
ANSWERED_IN = frozenset(
    {
        IncidentState.DISPATCHED,
        IncidentState.ACKNOWLEDGED,
        IncidentState.ON_SITE,
        IncidentState.HANDLED,
        IncidentState.CHECKING,
    }
)
NOTE_MAX = 2_000


def load_checklist(conn: Connection, incident: Incident) -> Checklist | None:
    """The card that was in force when the case opened, for its category, place and hour, and what
    was answered since somebody was sent last: what was measured before a rework is not now."""
    zone = places.zone_of(conn, incident.district)
    card = find_card(conn, incident, zone)
    if card is None:
        return None
    return Checklist(card, run_cards.list_answers(conn, incident.id, incident.dispatched_at))


def find_card(conn: Connection, incident: Incident, zone: ZoneInfo) -> RunCard | None:
    rows = run_cards.list_in_force(conn, incident.district, incident.opened_at)
    if not rows:
        return None
    cards = [parse_card(row.text, row.code, row.version) for row in rows]
    around = areas_at(
        areas.list_areas(conn, incident.district),
        incident.lon,
        incident.lat,
        incident.opened_at,
        zone,
    )
    names = {name for area in around for name in (area.code, area.kind.value)}
    return choose(cards, incident.category, names, incident.opened_at.astimezone(zone))


def answer_step(
    conn: Connection,
    caller: Caller,
    incident_id: int,
    request: ChecklistRequest,
    now: datetime,
    sent_at: datetime | None = None,
) -> None:
    """Keep what was found at one step; a value outside of its limits is kept and does not pass.
    `sent_at` is the phone's time of sending, where the request has its time of the act."""
    locked = incidents.lock(conn, [incident_id], caller.district)
    if not locked:
        raise NotFound("incident", incident_id)
    incident = locked[0]
    refuse_outside(conn, caller.scope, incident)
    check_version(incident, caller, request.version)
    if caller.role not in ANSWERERS:
        raise Forbidden(f"a {caller.role.value} may not answer a checklist")
    if caller.role is Role.SQUAD_LEADER and incident.squad != caller.squad:
        raise Forbidden(f"incident {incident.number} is not with squad {caller.squad}")
    if incident.state not in ANSWERED_IN:
        raise Conflict(
            f"nobody is at work on it: the incident is {incident.state.value}",
            current=current_state(incident),
        )
    if len(request.note) > NOTE_MAX:
        raise InvalidInput("note", len(request.note), f"is longer than {NOTE_MAX} characters")
    checklist = load_checklist(conn, incident)
    steps = {step.code: step for step in checklist.card.steps} if checklist else {}
    if checklist is None or request.step not in steps:
        raise InvalidInput("step", request.step, "is no step of this incident's run card")
    passed = judge_answer(steps[request.step], request.measured)
    acted = _time_of(conn, caller, incident, request, now, sent_at)
    at, note = acted.at if acted else now, request.note.strip()
    answer = Answer(request.step, request.measured, passed, note, caller.name, at)
    run_cards.insert_answer(conn, incident.id, checklist.card.code, checklist.card.version, answer)
    told = event(
        incident, "incident.step_answered", caller, now,
        card=checklist.card.code, card_version=checklist.card.version, step=request.step,
        step_zh=steps[request.step].text_zh, step_en=steps[request.step].text_en,
        measured=dict(request.measured), passed=passed, note=answer.note,
        **time_told(acted, request.acted_at),
    )  # fmt: skip
    append_events(conn, [told])


def _time_of(
    conn: Connection,
    caller: Caller,
    incident: Incident,
    request: ChecklistRequest,
    now: datetime,
    sent_at: datetime | None,
) -> ActTime | None:
    """When it was found, where a phone says so. What was found before the squad was sent last
    says nothing of the air now, so it is refused and not dated to its receipt."""
    if request.acted_at is None:
        return None
    if caller.role is not Role.SQUAD_LEADER:
        problem = "is taken from a squad leader about what the squad found on site"
        raise InvalidInput("acted_at", request.acted_at.isoformat(), problem)
    ahead = request.clock_offset_ms
    offset = None if ahead is None else timedelta(milliseconds=ahead)
    since = incident.dispatched_at or incident.opened_at
    said = SaidTime(request.acted_at, sent_at, offset)
    acted = judge_time(said, now, since, longest_phone_wait(conn, incident.district))
    if acted.doubt is Doubt.BEFORE_LAST_STEP:
        raise Conflict(
            "it was found before the squad was sent last: look again",
            current={**current_state(incident), "refused": "found_before"},
        )
    return acted
