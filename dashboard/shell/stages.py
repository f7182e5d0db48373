"""What does not go on any more, told from the beats of the stages. Pure.

A reading goes from stage to stage, so one that stands still explains everything behind it: only
the first is said. Judging, dispatching and the clock are judged each for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from city.stage import DEADLINES, TIMERS, Beat, Stage, Usual, Waiting

# A stage stands still after four missed beats: a restart takes three to five seconds and is no
# news, and within ten seconds every screen has said so.
STILL_S = 8.0
# Received and not stored, stored and not judged, raised and not taken by dispatch: each takes well
# under a second; a burst of 200,000 readings takes a few.
LATE_S = 15.0
# A connection that brings nothing is suspicious after three times the longest pause of the last
# hour or two intervals of the second fastest device that is heard, whichever is sooner (an outage
# within the hour is no measure), and never before this: networks pause.
QUIET_MIN_S = 20.0
QUIET_PAUSES = 3
QUIET_INTERVALS = 2

# Differences between two measurements of the same moment.
STEADY = timedelta(seconds=1.5)

# What of a screen is old when something stands still.
READINGS, ALARMS, INCIDENTS, ALL = "readings", "alarms", "incidents", "all"
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not go on; `since` is None where it never began."""

    code: str
    since: datetime | None

    @property
    def old(self) -> str:
        """What of a screen is from before `since`."""
        return OLD[self.code]

    @property
    def part(self) -> str:
        """Which of our programs or servers it is."""
        return PARTS[self.code]


DATABASE_AWAY = "database_away"
PICTURE_STANDS = "picture_stands"
INGEST_ABSENT = "ingest_absent"
BROKER_AWAY = "broker_away"
NOTHING_COMES = "nothing_comes"
NOT_STORED = "not_stored"
NOT_JUDGED = "not_judged"
JUDGED_LATE = "judged_late"
NOT_DISPATCHED = "not_dispatched"
DISPATCHED_LATE = "dispatched_late"
NOT_TICKED = "not_ticked"
# Everything goes on, and yet a danger is judged by nobody.
GAS_REFUSED = "gas_refused"

OLD = {
    DATABASE_AWAY: ALL,
    PICTURE_STANDS: ALL,
    INGEST_ABSENT: READINGS,
    BROKER_AWAY: READINGS,
    NOTHING_COMES: READINGS,
    NOT_STORED: READINGS,
    NOT_JUDGED: ALARMS,
    JUDGED_LATE: ALARMS,
    NOT_DISPATCHED: INCIDENTS,
    DISPATCHED_LATE: INCIDENTS,
    NOT_TICKED: INCIDENTS,
    GAS_REFUSED: NOTHING,
}
PARTS = {
    DATABASE_AWAY: "database",
    PICTURE_STANDS: "web",
    INGEST_ABSENT: "ingest",
    BROKER_AWAY: "broker",
    NOTHING_COMES: "devices",
    NOT_STORED: "ingest",
    NOT_JUDGED: "engine",
    JUDGED_LATE: "engine",
    NOT_DISPATCHED: "engine",
    DISPATCHED_LATE: "engine",
    NOT_TICKED: "scheduler",
    GAS_REFUSED: "devices",
}


NOTHING_WAITS = Waiting(None, None)
NOTHING_KNOWN = Usual(None, None)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the database; all ages are those of that moment."""

    beats: Sequence[Beat] = field(default=())
    waiting: Waiting = NOTHING_WAITS
    usual: Usual = NOTHING_KNOWN
    refused_gas_s: float | None = None  # since a message with gas in it was refused, and not seen


def judge(look: Look | None, age_s: float, now: datetime) -> list[Fault]:
    """What stands still at `now`, worst first, `age_s` after the look; without any look, that of
    the database is all there is to say."""
    if look is None or age_s > STILL_S:
        return [_fault(DATABASE_AWAY, None if look is None else age_s, now)]
    return [
        *_judge_refused(look, age_s, now),
        *_judge_arrival(look, age_s, now),
        *_judge_engine(look, age_s, now),
        *_judge_clock(look, age_s, now),
    ]


def judge_picture(followed_s: float, now: datetime) -> list[Fault]:
    """Whether the server's own follower still looks at the event log."""
    return [_fault(PICTURE_STANDS, followed_s, now)] if followed_s > STILL_S else []


def keep_times(before: Sequence[Fault], found: Sequence[Fault]) -> list[Fault]:
    """The faults found, each since the moment that was told before: it is measured anew at every
    look, and a time that flickers is not believed."""
    told = {fault.code: fault for fault in before}
    return [_same(told.get(fault.code), fault) for fault in found]


def _same(before: Fault | None, found: Fault) -> Fault:
    if before is None or before.since is None or found.since is None:
        return found
    return before if abs(before.since - found.since) < STEADY else found


def _judge_arrival(look: Look, age_s: float, now: datetime) -> Iterator[Fault]:
    received = _of(look, Stage.RECEIVED)
    beat_s = _least(beat.age_s for beat in received)
    connected_s = _least(beat.connected_age_s for beat in received)
    newest_s = _least(beat.newest_age_s for beat in received)
    if beat_s is None or beat_s + age_s > STILL_S:
        yield _fault(INGEST_ABSENT, _later(beat_s, age_s), now)
    elif connected_s is None or connected_s + age_s > STILL_S:
        yield _fault(BROKER_AWAY, _later(connected_s, age_s), now)
    elif (stored := _judge_storing(look, age_s, now)) is not None:
        yield stored
    elif newest_s is not None and newest_s + age_s > quiet_limit_s(look.usual):
        yield _fault(NOTHING_COMES, newest_s + age_s, now)


def _judge_refused(look: Look, age_s: float, now: datetime) -> Iterator[Fault]:
    if look.refused_gas_s is not None:
        yield _fault(GAS_REFUSED, look.refused_gas_s + age_s, now)


def _judge_storing(look: Look, age_s: float, now: datetime) -> Fault | None:
    """Storing stands still, or one message waits for it for too long."""
    beat_s = _least(beat.age_s for beat in _of(look, Stage.COMMITTED))
    if beat_s is None or beat_s + age_s > STILL_S:
        return _fault(NOT_STORED, _later(beat_s, age_s), now)
    held = [beat.waiting_s for beat in _of(look, Stage.RECEIVED) if beat.age_s + age_s <= STILL_S]
    waiting_s = max((s for s in held if s is not None), default=0.0)
    return _fault(NOT_STORED, waiting_s + age_s, now) if waiting_s + age_s > LATE_S else None


def quiet_limit_s(usual: Usual) -> float:
    """How long nothing may come; for ever where we do not know how often something does."""
    limits = [float("inf")]
    if usual.interval_s is not None:
        limits.append(QUIET_INTERVALS * usual.interval_s)
    if usual.longest_pause_s is not None:
        limits.append(QUIET_PAUSES * usual.longest_pause_s)
    return max(QUIET_MIN_S, min(limits))


def _judge_engine(look: Look, age_s: float, now: datetime) -> Iterator[Fault]:
    judged_s = _least(beat.age_s for beat in _of(look, Stage.JUDGED))
    dispatched_s = _least(beat.age_s for beat in _of(look, Stage.DISPATCHED))
    if judged_s is None or judged_s + age_s > STILL_S:
        yield _fault(NOT_JUDGED, _later(judged_s, age_s), now)
        return  # who judges nothing has nothing to dispatch
    if (late_s := look.waiting.judging_s) is not None and late_s > LATE_S:
        yield _fault(JUDGED_LATE, late_s + age_s, now)
    if dispatched_s is None or dispatched_s + age_s > STILL_S:
        yield _fault(NOT_DISPATCHED, _later(dispatched_s, age_s), now)
    elif (late_s := look.waiting.dispatching_s) is not None and late_s > LATE_S:
        yield _fault(DISPATCHED_LATE, late_s + age_s, now)


def _judge_clock(look: Look, age_s: float, now: datetime) -> Iterator[Fault]:
    ages = {beat.name: beat.age_s for beat in _of(look, Stage.TICKED)}
    if not (TIMERS in ages and DEADLINES in ages):
        yield Fault(NOT_TICKED, None)
    elif (oldest_s := max(ages[TIMERS], ages[DEADLINES]) + age_s) > STILL_S:
        yield _fault(NOT_TICKED, oldest_s, now)


def _of(look: Look, stage: Stage) -> list[Beat]:
    return [beat for beat in look.beats if beat.stage is stage]


def _least(ages: Iterable[float | None]) -> float | None:
    """Of several processes the best one counts."""
    return min((age for age in ages if age is not None), default=None)


def _later(age_s: float | None, later_s: float) -> float | None:
    return None if age_s is None else age_s + later_s


def _fault(code: str, age_s: float | None, now: datetime) -> Fault:
    return Fault(code, None if age_s is None else now - timedelta(seconds=age_s))
