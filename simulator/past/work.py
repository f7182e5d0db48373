"""How people deal with a case: when each does what, and how often it goes wrong. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from city.category import Category
from city.clock import ClockKind, Limit, LimitUnit, as_minutes
from city.incident import Action, IncidentState, Role
from city.past import Deed
from city.person import Caller
from city.requests import ActionRequest
from city.squad import Squad
from simulator.noise import share
from simulator.past import words
from simulator.past.rhythm import Day
from simulator.past.town import Town

# Share of the work that is late at the start of the past: from the best squad to the worst.
LATE_FROM, LATE_TO = 0.10, 0.34
# How much of that a squad gets rid of by its end; every seventh one gets worse instead.
BETTER_FROM, BETTER_TO = 0.35, 0.8
WORSE = -0.35
WORSE_EVERY = 7
LATEST = 0.75
# Gas is what nobody lets wait; of late work a part is forgotten for many times its limit.
GAS_LATE = 0.35
FORGOTTEN, FORGOTTEN_FROM, FORGOTTEN_TO = 0.09, 5.0, 60.0
RUSH_HOURS = frozenset({7, 8, 17, 18})
RUSH, STORM = 1.3, 2.5
# Of the centre's own clocks, those that run out.
STAGE_LATE = 0.05
# What does not go straight.
VERIFIED_FIRST, REJECTED, CANCELLED = 0.25, 0.06, 0.01
RETURNED, POSTPONED, SUSPENDED = 0.04, 0.025, 0.012
REWORK_FROM, REWORK_TO = 0.085, 0.035
# Limits of at least so many counted minutes are postponed or suspended, and seen by appointment.
LONG_MINUTES = 240.0
# What a duty chief has to let happen; the machine has the last word.
APPROVED = frozenset({Action.RETURN_BACK, Action.POSTPONE, Action.SUSPEND})
MINUTE = timedelta(minutes=1)
PHOTO_AFTER, CHECK_PHOTO = "photo_after", "check_photo"


@dataclass
class Course:
    """The deeds of one case in the making; `at` is when the last of them was done."""

    town: Town
    rng: Random
    category: Category
    day: Day
    progress: float  # 0 at the start of the past, 1 at its end
    duty_grid: str
    at: datetime
    red: bool = False  # its alarm is one that nobody may suspend
    deeds: list[Deed] = field(default_factory=list)

    def do(self, role: Role | Caller, action: Action, **request: object) -> None:
        """The next deed, now; photos are named after the stage they show."""
        caller = role if isinstance(role, Caller) else self.town.people[role]
        evidence = request.pop("evidence", ())
        asked = ActionRequest(action, 0, **request)  # type: ignore[arg-type]
        chief = self.town.people[Role.LEADER].name if action in APPROVED else ""
        self.deeds.append(
            Deed(self.at, caller, asked, tuple(evidence), chief)  # type: ignore[arg-type]
        )

    def wait(self, low: float, high: float) -> None:
        """Some minutes go by."""
        self.at += MINUTE * self.rng.uniform(low, high)

    def wait_stage(self, clock: ClockKind) -> None:
        """The centre takes its time, of its own clock."""
        minutes = as_minutes(self.town.stages[clock])
        late = self.rng.random() < min(LATEST, STAGE_LATE * (1 + 2 * self.day.storm))
        part = self.rng.uniform(1.05, 2.2) if late else self.rng.uniform(0.08, 0.72)
        self.at += MINUTE * max(1.0, minutes * part)


def deal_with(course: Course, state: IncidentState) -> datetime | None:
    """All deeds from opening to closing; answers when the work was done, None if it never was."""
    rng = course.rng
    if state is IncidentState.REPORTED and not _accept(course):
        return None
    if rng.random() < CANCELLED and not course.category.needs_release and not course.red:
        course.wait_stage(ClockKind.DISPATCH)
        course.do(Role.DISPATCHER, Action.CANCEL, reason=rng.choice(words.CANCELLED))
        return None
    squad = _dispatch(course, None)
    if rng.random() < RETURNED:
        course.wait(4, 25)
        course.do(_caller(course, squad), Action.RETURN_BACK, reason=rng.choice(words.RETURNED))
        squad = _dispatch(course, squad)
    done_at = _handle(course, squad, may_wait=not course.red)
    if rng.random() < _rework_chance(course):
        course.wait(3, 24)
        course.do(Role.CHECKER, Action.CHECK)
        course.wait(2, 6)
        course.do(Role.CHECKER, Action.REWORK, reason=rng.choice(words.REWORKED))
        done_at = _handle(course, squad, may_wait=False)
    _check(course)
    return done_at


def _accept(course: Course) -> bool:
    """A report is filed, or turned down."""
    rng = course.rng
    course.wait_stage(ClockKind.FILE)
    if rng.random() < VERIFIED_FIRST:
        course.do(Role.CHECKER, Action.VERIFY)
        course.wait_stage(ClockKind.VERIFY)
    if rng.random() < REJECTED:
        course.do(Role.DISPATCHER, Action.REJECT, reason=rng.choice(words.REJECTED))
        return False
    course.do(Role.DISPATCHER, Action.FILE)
    return True


def _dispatch(course: Course, but: Squad | None) -> Squad:
    course.wait_stage(ClockKind.DISPATCH)
    squad, on_duty = _choose(course, but)
    note = "" if on_duty else words.CALLED_IN
    course.do(Role.DISPATCHER, Action.DISPATCH, squad=squad.code, note=note)
    return squad


def _choose(course: Course, but: Squad | None) -> tuple[Squad, bool]:
    """A squad that can and is on duty, of the place's own grid if there is one."""
    local = course.at.astimezone(course.town.zone)
    able = [
        s for s in course.town.squads if course.category.skill in s.skills and s is not but
    ] or [s for s in course.town.squads if s is not but and s.kind != "inspection"]
    ready = [s for s in able if s.is_on_duty(local)]
    own = [s for s in ready if course.duty_grid in s.duty_grids]
    # A special squad answers for the whole district, a territorial one for its streets.
    fewest = min((len(s.duty_grids) for s in own), default=0)
    near = [s for s in own if len(s.duty_grids) == fewest]
    chosen = near if near and course.rng.random() < 0.7 else (own or ready or able)
    return course.rng.choice(chosen), bool(ready)


def _caller(course: Course, squad: Squad) -> Caller:
    """The leader of the squad, or the centre that enters what the squad says by radio."""
    leader = course.town.people[Role.SQUAD_LEADER]
    return leader if leader.squad == squad.code else course.town.people[Role.DISPATCHER]


def _handle(course: Course, squad: Squad, *, may_wait: bool) -> datetime:
    """From the order to the work being done."""
    rng, category, town = course.rng, course.category, course.town
    ordered_at, caller = course.at, _caller(course, squad)
    course.wait_stage(ClockKind.ACKNOWLEDGE)
    course.do(caller, Action.ACKNOWLEDGE)
    acknowledged_at = course.at
    limit = category.limit
    part = _part_of_limit(course, squad)
    begun_at = ordered_at
    if may_wait and as_minutes(limit) >= LONG_MINUTES:
        if rng.random() < POSTPONED:
            course.at = max(course.at + MINUTE, town.after(ordered_at, _times(limit, 0.6)))
            course.do(Role.DISPATCHER, Action.POSTPONE, reason=rng.choice(words.POSTPONED))
            part += 0.9
        elif rng.random() < SUSPENDED:
            course.at = max(course.at + MINUTE, town.after(ordered_at, _times(limit, 0.4)))
            until = course.at + timedelta(days=rng.randint(2, 9), minutes=rng.randint(0, 300))
            reason = rng.choice(words.SUSPENDED)
            course.do(Role.DISPATCHER, Action.SUSPEND, reason=reason, until=until)
            course.at = begun_at = until + 2 * MINUTE
            part *= 0.6
    wanted = town.after(begun_at, _times(limit, part))
    done_at = max(wanted, course.at + rng.uniform(7, 16) * MINUTE)
    _arrive(course, caller, max(acknowledged_at, course.at), done_at)
    course.at = done_at
    photo = (PHOTO_AFTER,) if PHOTO_AFTER in category.closing_evidence else ()
    note = words.work_of(rng, category.family)
    course.do(caller, Action.HANDLE, note=note, evidence=photo)
    return done_at


def _arrive(course: Course, caller: Caller, from_: datetime, done_at: datetime) -> None:
    """Urgent work is driven to at once, other work by appointment."""
    left = (done_at - from_) / MINUTE
    if course.rng.random() < 0.75 or left < 180:
        minutes = min(left * course.rng.uniform(0.2, 0.6), course.rng.uniform(5, 32))
    else:
        minutes = left - min(left * 0.5, course.rng.uniform(20, 120))
    course.at = from_ + MINUTE * max(1.5, minutes)
    course.do(caller, Action.ARRIVE)


def _check(course: Course) -> None:
    """Somebody else looks at the work and closes the case."""
    rng, category = course.rng, course.category
    late = rng.random() < STAGE_LATE * (1.5 + 2 * course.day.storm)
    if category.needs_release:
        course.wait(4, 12)
        course.do(Role.GAS_ENGINEER, Action.RELEASE, note=words.RELEASED)
        course.wait(8, 10)
    else:
        course.wait(2, 14)
    course.do(Role.CHECKER, Action.CHECK)
    course.wait(25, 80) if late else course.wait(2, 9)
    photo = (CHECK_PHOTO,) if CHECK_PHOTO in category.closing_evidence else ()
    course.do(Role.CHECKER, Action.CLOSE, evidence=photo)


def _part_of_limit(course: Course, squad: Squad) -> float:
    """How much of its limit the work takes; above 1 it is late."""
    rng = course.rng
    late = late_chance(squad.code, course.progress, course.day.storm, _hour(course))
    if course.category.family == "gas":
        late *= GAS_LATE
    if rng.random() < late:
        if not course.red and rng.random() < FORGOTTEN:
            return rng.uniform(FORGOTTEN_FROM, FORGOTTEN_TO)
        return 1.03 + min(2.4, rng.expovariate(2.2))
    return 0.1 + 0.84 * rng.betavariate(2.2, 2.4 + course.progress)


def late_chance(squad: str, progress: float, storm: float, hour: int) -> float:
    """How likely a squad's work is late: its own habit, what it has learned, the hour, a storm."""
    habit = LATE_FROM + (LATE_TO - LATE_FROM) * share(0, squad, "habit")
    worse = share(0, squad, "will") < 1 / WORSE_EVERY
    learns = WORSE if worse else BETTER_FROM + (BETTER_TO - BETTER_FROM) * share(0, squad, "learns")
    rush = RUSH if hour in RUSH_HOURS else 1.0
    return min(LATEST, habit * (1 - learns * progress) * rush * (1 + (STORM - 1) * storm))


def _rework_chance(course: Course) -> float:
    return REWORK_FROM + (REWORK_TO - REWORK_FROM) * course.progress


def _hour(course: Course) -> int:
    return course.at.astimezone(course.town.zone).hour


def _times(limit: Limit, part: float) -> Limit:
    amount = max(limit.amount * part, 1 / 60 if limit.unit is not LimitUnit.WORK_DAY else 1 / 480)
    return Limit(amount, limit.unit)
