"""Whether the time that a phone gives with an act is believed. Pure.

A clock that is off by the same at the act and at the sending does not matter: what counts is how
long ago the act was, by that clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from city.act_time import ActTime, Doubt, SaidTime
from city.incident import Action, Incident

# What is below is no disagreement: a message is under way, clocks are set by hand.
TOLERANCE = timedelta(minutes=2)
# What a squad does where there may be no signal.
FIELD_ACTIONS = frozenset(
    {Action.ACKNOWLEDGE, Action.ARRIVE, Action.HANDLE, Action.RETURN_BACK, Action.COMMENT}
)


def judge_time(said: SaidTime, now: datetime, since: datetime, longest: timedelta) -> ActTime:
    """When an act received `now` was done: not after that, not before `since`, when the step
    before it was taken, and not longer ago than `longest`."""
    sent_at = said.sent_at or now
    off = now - sent_at
    clock_off = off if abs(off) > TOLERANCE else timedelta(0)
    at = now - (sent_at - said.acted_at)
    doubt = _doubt(said, at, now, since, longest)
    if doubt is not None:
        return ActTime(now, doubt, clock_off)
    return ActTime(min(max(at, since), now), None, clock_off)


def _doubt(
    said: SaidTime, at: datetime, now: datetime, since: datetime, longest: timedelta
) -> Doubt | None:
    if said.offset is not None and abs(said.acted_at + said.offset - at) > TOLERANCE:
        return Doubt.CLOCK_CHANGED
    if at > now + TOLERANCE:
        return Doubt.FUTURE
    if at < since - TOLERANCE:
        return Doubt.BEFORE_LAST_STEP
    return Doubt.TOO_OLD if now - at > longest else None


def last_step_at(incident: Incident) -> datetime:
    """When the squad was sent, or took the last step since."""
    steps = (incident.dispatched_at, incident.acknowledged_at, incident.arrived_at)
    return max((step for step in steps if step is not None), default=incident.opened_at)
