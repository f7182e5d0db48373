"""Load what the decisions about one incident need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from city.alarm import IncidentAlarm
from city.category import Category
from city.clock import ClockKind, Pause
from city.incident import Action, Evidence, Incident
from city.requests import ActionRequest
from db import (
    alarm_changes,
    assignments,
    calendars,
    categories,
    deadlines,
    evidence,
    field_tasks,
    incidents,
    merges,
    message_settings,
    openings,
    places,
    squads,
)
from db.events import list_actors
from db.pool import Connection
from dispatch.clocks import Terms
from dispatch.gas import GasStanding, Watched, judge_gas
from dispatch.guard import Facts
from dispatch.steps.checklist import load_checklist
from dispatch.steps.ranking import rank_for
from dispatch.tasks import task_clock

# Photos that count only for the round of handling in which they were handed in.
ROUND_STAGES = frozenset({"photo_after", "check_photo"})
# What whoever verifies shows of the place.
SITE_STAGE = "photo_before"
# What is done for a squad, by it or by whoever it tells.
WORK_EVENTS = ("incident.acknowledged", "incident.arrived", "incident.handled")
SYSTEM = "system"
# Fallback where a device has no reporting interval (cameras).
DEFAULT_INTERVAL = timedelta(minutes=5)


@dataclass(frozen=True)
class Loaded:
    """The facts about an incident and the terms of its clocks."""

    facts: Facts
    terms: Terms
    alarms: Sequence[IncidentAlarm]


def load(
    conn: Connection, incident: Incident, now: datetime, request: ActionRequest | None = None
) -> Loaded:
    """Everything that judging an action, or showing the incident, needs."""
    category = categories.find(conn, incident.category, incident.category_version)
    alarms = alarm_changes.list_alarms_of(conn, incident.id)
    pauses = deadlines.list_pauses(conn, incident.id)
    zone = places.zone_of(conn, incident.district)
    files = evidence.list_evidence(conn, incident.id)
    facts = Facts(
        category=category,
        deadlines=deadlines.list_deadlines(conn, incident.id),
        pauses=pauses,
        evidence=_stages_of_this_round(files, incident),
        gas=load_gas(conn, incident, category, alarms, now),
        standing=[alarm for alarm in alarms if alarm.condition_stands],
        loud=[alarm for alarm in alarms if alarm.is_loud(now)],
        latched=[alarm for alarm in alarms if alarm.is_latched],
        local_now=now.astimezone(zone),
        twin=_twin(conn, incident),
        assignments=assignments.list_assignments(conn, incident.id),
        hands=_hands(conn, files, incident),
        checklist=load_checklist(conn, incident),
    )
    clock = task_clock(facts.deadlines)
    if clock is not None:
        facts = replace(
            facts,
            collector=field_tasks.find_collector(conn, clock),
            showed_site=frozenset(
                file.uploaded_by
                for file in files
                if file.stage == SITE_STAGE and file.uploaded_at >= clock.started_at
            ),
        )
    if incident.merged_into is not None:
        facts = _with_merge(conn, incident, facts)
    if request is not None:
        facts = _with_named(conn, incident, request, facts, now)
    closed = tuple(pause.as_pause() for pause in pauses if pause.ended_at is not None)
    terms = load_terms(conn, incident.district, incident.id, category, closed)
    return Loaded(facts, terms, alarms)


def load_terms(
    conn: Connection,
    district: str,
    incident_id: int,
    category: Category,
    pauses: tuple[Pause, ...] = (),
) -> Terms:
    """Calendar and limits in force for an incident's clocks."""
    return Terms(
        district=district,
        incident_id=incident_id,
        calendar=calendars.calendar_of(conn, district),
        limits={**categories.stage_limits(conn, district), ClockKind.HANDLE: category.limit},
        pauses=pauses,
        ladder=message_settings.find_ladder(conn, district),
    )


def load_ladder(conn: Connection, district: str) -> Terms:
    """What it takes to say what has become true of running clocks: no limits, of no incident."""
    return Terms(
        district=district,
        incident_id=0,
        calendar=calendars.calendar_of(conn, district),
        limits={},
        pauses=(),
        ladder=message_settings.find_ladder(conn, district),
    )


def _with_named(
    conn: Connection, incident: Incident, request: ActionRequest, facts: Facts, now: datetime
) -> Facts:
    """The squad, category or incident that the request names, as far as its action takes one."""
    if request.action is Action.DISPATCH and request.squad:
        squad = squads.find_squad(conn, incident.district, request.squad)
        ranked = rank_for(conn, incident, facts.category, facts.checklist, now)
        first = ranked[0].squad if ranked and ranked[0].eligible else None
        return replace(facts, squad=squad, recommended=first)
    if request.action is Action.SPLIT and request.category:
        return replace(
            facts, new_category=categories.find_in_force(conn, request.category, incident.district)
        )
    if request.action is Action.ASSIGN and request.collector:
        names = [name for name, _, _ in field_tasks.list_collectors(conn, incident.district)]
        return replace(facts, collectors=frozenset(names))
    if request.action is Action.MERGE and request.into is not None:
        found = incidents.list_by_id(conn, [request.into], incident.district)
        if found:
            target = found[0]
            under = categories.find(conn, target.category, target.category_version)
            return replace(facts, target=target, target_needs_release=under.needs_release)
    return facts


def _with_merge(conn: Connection, incident: Incident, facts: Facts) -> Facts:
    assert incident.merged_into is not None
    into = incidents.find(conn, incident.merged_into)
    return replace(facts, merge=merges.find_standing(conn, incident.id), merge_target=into)


def _stages_of_this_round(files: Sequence[Evidence], incident: Incident) -> frozenset[str]:
    """Stages with a file; a photo of the work before a rework does not show the rework."""
    since = incident.dispatched_at
    return frozenset(
        stored.stage
        for stored in files
        if stored.stage not in ROUND_STAGES or since is None or stored.uploaded_at >= since
    )


def _hands(conn: Connection, files: Sequence[Evidence], incident: Incident) -> frozenset[str]:
    """Who had a hand in this round of handling; whoever sent the squad had none."""
    if incident.handled_at is None or incident.dispatched_at is None:
        return frozenset()
    acted = list_actors(conn, incident.subject, WORK_EVENTS, incident.dispatched_at)
    showed = {
        stored.uploaded_by
        for stored in files
        if stored.stage == "photo_after" and stored.uploaded_at >= incident.dispatched_at
    }
    return frozenset(acted | showed) - {SYSTEM}


def _twin(conn: Connection, incident: Incident) -> int | None:
    if incident.condition is None or incident.is_open:
        return None
    return openings.find_open_by_condition(conn, incident.condition)


def load_gas(
    conn: Connection,
    incident: Incident,
    category: Category,
    alarms: Sequence[IncidentAlarm],
    now: datetime,
) -> GasStanding:
    """How the gas condition of an incident stands; cheap where the category asks for none."""
    needed = category.needs_release
    period = timedelta(minutes=category.gas_free_minutes)
    watched = [_watch(conn, alarm, period, now) for alarm in alarms] if needed else []
    return judge_gas(needed, period, watched, incident.released_at, now)


def _watch(conn: Connection, alarm: IncidentAlarm, period: timedelta, now: datetime) -> Watched:
    interval = timedelta(seconds=alarm.report_interval_s) if alarm.report_interval_s else None
    seen = None
    if alarm.device_id is not None and alarm.metric_id is not None:
        seen = alarm_changes.extremes(conn, alarm.device_id, alarm.metric_id, now - period, now)
    return Watched(
        device=alarm.device_code or alarm.condition,
        stands=alarm.condition_stands,
        cleared_at=alarm.cleared_at,
        ended_at=alarm.ended_at,
        limit=alarm.reason.get("limit"),
        clear_limit=alarm.clear_limit,
        comparison=alarm.comparison or "",
        readings=seen.count if seen else 0,
        lowest=seen.lowest if seen else None,
        highest=seen.highest if seen else None,
        newest_at=seen.newest_at if seen else None,
        report_interval=interval or DEFAULT_INTERVAL,
    )
