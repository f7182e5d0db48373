"""The readings of one device in the order of their time, when they did not come in it. Pure.

With several ingest workers a reading may be evaluated after a later one of the same device.
Then the stored readings around it are followed once more, in order, from the moment before it
(`follow`), and the book is made to say what it would say had they come in order (`settle`).
Two things stay as they are: an alarm that was raised ends only by a reading that ends it, and
what a person did to an alarm is never undone. A rise of the level that nobody was told of when it
came is told when it is found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from alerts.book import AlarmBook, place_of
from alerts.judge import Clear, Outcome, Raise, Sample, Standing, Timer, fall_due, judge
from alerts.levels import ACTIVE, Levels, Step, levels_of
from alerts.levels import as_json as levels_json
from alerts.limits import LimitRule
from alerts.reasons import from_json
from city.alarm import Alarm, AlarmState, Severity
from city.device import WatchedDevice

Running = tuple[LimitRule, Timer]  # a delay that runs


@dataclass(frozen=True, slots=True)
class Situation:
    """A condition of a device, and what is known of it around the readings in question."""

    device: WatchedDevice
    condition: str
    rules: Sequence[LimitRule]  # all that raise the condition by a reading
    alarms: Sequence[Alarm] = ()  # of the condition, not over before the first reading

    def timers(self, book: AlarmBook) -> dict[tuple[str, Severity | None], Timer]:
        """The delays that run, by rule and severity."""
        return {
            (rule.code, severity): timer
            for rule in self.rules
            for severity, timer in book.standing(rule, self.device).timers.items()
        }


@dataclass(frozen=True, slots=True)
class Rise:
    """The level of the condition rose, or the condition came."""

    rule: LimitRule
    raised: Raise

    @property
    def step(self) -> Step:
        return Step(self.raised.sensed_at, self.raised.severity)


@dataclass(slots=True)
class Spell:
    """The condition was present from `start` to `end` (None: it still is)."""

    start: datetime
    rule: LimitRule | None  # None: raised by something that is no rule any more
    raised: Raise
    end: datetime | None = None
    rises: list[Rise] = field(default_factory=list)

    def holds(self, moments: Iterable[datetime]) -> bool:
        """Whether any of these moments belongs to it."""
        return any(self.start <= at and (self.end is None or at <= self.end) for at in moments)


@dataclass(frozen=True, slots=True)
class Course:
    """What readings in order come to: every spell of the condition, the delays that run after,
    and the levels that its rules have come to."""

    spells: Sequence[Spell]
    timers: dict[tuple[str, Severity | None], Timer]
    levels: Levels | None = None  # None: nothing was judged


def judge_sample(
    book: AlarmBook,
    rule: LimitRule,
    device: WatchedDevice,
    sample: Sample,
    beside: Iterable[LimitRule] = (),
) -> None:
    """What fell due before the reading, then the reading. `beside` are the other rules that raise
    the same condition: a delay of theirs may have run out."""
    for _ in judge_in_steps(book, rule, device, sample, beside):
        pass


def judge_in_steps(
    book: AlarmBook,
    rule: LimitRule,
    device: WatchedDevice,
    sample: Sample,
    beside: Iterable[LimitRule] = (),
) -> Iterator[tuple[LimitRule, Outcome]]:
    """The same; every outcome is told when the book has taken it in."""
    yield from run_out(book, (*beside, rule), device, sample.ts)
    standing = book.standing(rule, device)
    for outcome in list(judge(rule, device.id, device.attributes, standing, sample)):
        book.apply(rule, device, outcome)
        yield rule, outcome


def run_out(
    book: AlarmBook,
    rules: Iterable[LimitRule],
    device: WatchedDevice,
    at: datetime,
    *,
    device_clock: bool = True,
) -> Iterator[tuple[LimitRule, Outcome]]:
    """Delays of these rules that have run out by `at`; told when the book has taken them in."""
    for rule, outcome in fallen_due(book.running(rules, device), at, device_clock=device_clock):
        book.apply(rule, device, outcome)
        yield rule, outcome


def fallen_due(
    running: Iterable[Running], at: datetime, *, device_clock: bool
) -> list[tuple[LimitRule, Outcome]]:
    """What follows from delays that have run out by `at`, in the order in which they did: one may
    end what another began."""
    by_moment = [
        (timer.ripe_at if device_clock else timer.due_at, rule, timer) for rule, timer in running
    ]
    return [
        (rule, outcome)
        for _, rule, timer in sorted(by_moment, key=lambda item: item[0])
        for outcome in fall_due(
            rule, Standing(timers={timer.severity: timer}), at, device_clock=device_clock
        )
    ]


def lead_of(rules: Iterable[LimitRule]) -> timedelta:
    """How far before the last reading a delay that still runs may have begun."""
    delays = [
        delay for rule in rules for delay in (rule.off_delay, *(lv.on_delay for lv in rule.levels))
    ]
    return max(delays, default=timedelta(0))


def follow(
    at: Situation,
    samples: Sequence[tuple[LimitRule, Sample]],
    timers: Collection[Timer],
    new: Collection[datetime],
    now: datetime,
) -> Course:
    """Judge readings that are in the order of time. `timers` are those of the book today, `new`
    the times of the readings that were not judged before."""
    settled_at = _settled_at(at.alarms, min(new))
    samples = [item for item in samples if settled_at is None or item[1].ts > settled_at]
    if not samples:
        return Course((), {(timer.rule_code, timer.severity): timer for timer in timers})
    start = samples[0][1].ts
    firsts = _firsts(samples)
    before = [a for a in at.alarms if levels_of(a).before(firsts).steps and not _is_over(a, start)]
    run = _Run(at, now, before[-1] if before else None, firsts, timers)
    later = [a for a in at.alarms if a.state in ACTIVE and a not in before]
    for rule, sample in samples:
        for alarm in [a for a in later if _since(a) < sample.ts]:
            run.admit(alarm)
            later.remove(alarm)
        run.judge(rule, sample)
    for alarm in later:
        run.admit(alarm)
    run.tick(now)
    return Course(run.spells, at.timers(run.book), run.book.levels(run.key))


def _firsts(samples: Iterable[tuple[LimitRule, Sample]]) -> dict[str, datetime]:
    """From when on each rule is judged: what metrics say may reach back differently far."""
    firsts: dict[str, datetime] = {}
    for rule, sample in samples:
        firsts.setdefault(rule.code, sample.ts)
    return firsts


def _settled_at(alarms: Iterable[Alarm], oldest_new: datetime) -> datetime | None:
    """From when on it is sure that the condition was absent: an alarm cleared before anything
    new, or a person ended it (what lies before belongs to that alarm)."""
    known = [a.cleared_at for a in alarms if a.cleared_at and a.cleared_at < oldest_new]
    known += [a.ended_at for a in alarms if a.ended_at and not a.cleared_at]
    return max(known, default=None)


class _Run:
    """A scratch book on its way through the readings; notes when the condition came and went."""

    def __init__(
        self,
        at: Situation,
        now: datetime,
        initial: Alarm | None,
        firsts: Mapping[str, datetime],
        timers: Iterable[Timer],
    ) -> None:
        self.at = at
        self.spells: list[Spell] = []
        running = [t for t in timers if t.started_at < firsts.get(t.rule_code, now)]
        self.book = AlarmBook(now, (), running)
        self.key = f"{at.condition}/{at.device.code}"
        if initial is not None:
            self.book.add([_as_it_was(initial, firsts)], _ran_then(at, initial, firsts))
            if self._present is not None:
                self._begin(self._rule(initial.rule_code), _raised(initial), _began(initial))

    def judge(self, rule: LimitRule, sample: Sample) -> None:
        beside = [other for other in self.at.rules if other is not rule]
        present = self._present
        for judged, outcome in judge_in_steps(self.book, rule, self.at.device, sample, beside):
            self._note(judged, outcome, present)
            present = self._present

    def tick(self, now: datetime) -> None:
        """What a tick brings about (or has already): delays that have run out by our clock."""
        present = self._present
        for rule, outcome in run_out(
            self.book, self.at.rules, self.at.device, now, device_clock=False
        ):
            self._note(rule, outcome, present)
            present = self._present

    def admit(self, alarm: Alarm) -> None:
        """An alarm that stands was raised, whatever the readings make of it now."""
        rule = self._rule(alarm.rule_code)
        if self._present is not None or rule is None:
            return
        # A late reading may have put its beginning before the reading that it was raised by.
        raised = replace(_raised(alarm), sensed_at=_since(alarm))
        self.book.raise_alarm(rule, place_of(self.at.device, rule), raised)
        for severity in list(self.book.standing(rule, self.at.device).timers):
            if severity is not None and severity >= alarm.severity:
                self.book.stop_timer(rule.code, self.at.device, severity)
        self._note(rule, raised, None)

    @property
    def _present(self) -> Severity | None:
        return self.book.levels(self.key).present

    def _note(self, rule: LimitRule, outcome: Outcome, before: Severity | None) -> None:
        if isinstance(outcome, Raise):
            self._begin(rule, outcome, outcome.sensed_at)
            if before is None or outcome.severity < before:
                self.spells[-1].rises.append(Rise(rule, outcome))
        elif isinstance(outcome, Clear) and self._present is None:
            self._end(outcome.at)

    def _begin(self, rule: LimitRule | None, raised: Raise, start: datetime) -> None:
        spell = self.spells[-1] if self.spells and self.spells[-1].end is None else None
        if spell is None:
            self.spells.append(Spell(start, rule, raised))
        elif raised.severity < spell.raised.severity:
            spell.rule, spell.raised = rule, raised

    def _end(self, at: datetime) -> None:
        if self.spells and self.spells[-1].end is None:
            self.spells[-1].end = at

    def _rule(self, code: str) -> LimitRule | None:
        return next((rule for rule in self.at.rules if rule.code == code), None)


def settle(book: AlarmBook, at: Situation, course: Course, new: Collection[datetime]) -> None:
    """Make the book say what the course says. `new` are the times of the readings that were not
    judged before: only a spell that holds one of them can be news."""
    key = f"{at.condition}/{at.device.code}"
    known = list(at.alarms)
    told = None
    for spell in course.spells:
        if spell.rule is not None and spell.holds(new) and not _is_covered(spell, known):
            raised = book.raise_alarm(spell.rule, place_of(at.device, spell.rule), spell.raised)
            known += [raised] if raised is not None else []
            told = spell
    last = course.spells[-1] if course.spells else None
    if last is not None and last.end is None:
        if not _is_present(book, key) and last.rule is not None and last.holds(new):
            book.raise_alarm(last.rule, place_of(at.device, last.rule), last.raised)
            told = last
        if _is_present(book, key) and course.levels is not None:
            if told is not last:
                _tell_rises(book, key, last, new)
            codes = [rule.code for rule in at.rules]
            book.put_levels(key, book.levels(key).rejoin(course.levels, codes, last.start))
    elif last is not None:
        assert last.end is not None
        _settle_end(book, at, last.start, last.end, course.levels)
    _set_timers(book, at, course)


def _settle_end(
    book: AlarmBook, at: Situation, start: datetime, end: datetime, found: Levels | None
) -> None:
    """The condition is gone; where it was known to be, it may have gone earlier or later."""
    key = f"{at.condition}/{at.device.code}"
    live = book.find(key)
    if _is_present(book, key):
        earlier = [a.cleared_at for a in at.alarms if live and a.id == live.id and a.cleared_at]
        left = sorted((_left_at(book.levels(key), found, r.code) or end, r.code) for r in at.rules)
        for left_at, code in left:
            book.clear(key, max([left_at, *earlier]), code)
    elif live is not None and live.cleared_at is not None and start <= live.cleared_at != end:
        codes = [rule.code for rule in at.rules]
        levels = book.levels(key).rejoin(found or Levels(), codes, start)
        if levels.present is None:
            book.put_levels(key, levels, cleared_at=end)


def _left_at(known: Levels, found: Levels | None, rule_code: str) -> datetime | None:
    """When a rule left that still stands by what is known; with others it may be long before the
    condition was gone."""
    left_at = found.since(rule_code) if found and found.of(rule_code) is None else None
    since = known.since(rule_code)
    return left_at if left_at is None or since is None or left_at >= since else None


def _tell_rises(book: AlarmBook, key: str, spell: Spell, new: Collection[datetime]) -> None:
    """The worst rise of an alarm that stands of which nobody was told: between two peaks that
    were taken for one a reading was missing, or it fell and came again."""
    known = book.levels(key)
    untold = [
        rise
        for rise in spell.rises
        if not known.knows(rise.rule.code, rise.step) and _is_news(rise, book.find(key), new)
    ]
    if untold:
        worst = min(untold, key=lambda rise: rise.raised.severity)
        book.announce(key, worst.rule, worst.raised)


def _is_news(rise: Rise, alarm: Alarm | None, new: Collection[datetime]) -> bool:
    """Whoever acknowledged the alarm after the reading came has seen it, if late in its turn."""
    seen_at = alarm.acknowledged_at if alarm else None
    return rise.raised.sensed_at in new or seen_at is None or rise.raised.received_at > seen_at


def _is_present(book: AlarmBook, key: str) -> bool:
    alarm = book.find(key)
    return alarm is not None and alarm.state in ACTIVE


def _set_timers(book: AlarmBook, at: Situation, course: Course) -> None:
    running = at.timers(book)
    for key, timer in running.items():
        wanted = course.timers.get(key)
        if wanted is None or wanted.started_at != timer.started_at:
            book.stop_timer(timer.rule_code, at.device, timer.severity)
    for key, timer in course.timers.items():
        if key not in running or running[key].started_at != timer.started_at:
            book.start_timer(timer, at.device.code)


def _is_covered(spell: Spell, alarms: Iterable[Alarm]) -> bool:
    """Whether an alarm at least as bad was not over when the spell began. One that was raised
    after the spell counts too: in order it would have been raised by the spell."""
    return any(
        alarm.severity <= spell.raised.severity and not _is_over(alarm, spell.start)
        for alarm in alarms
    )


def _is_over(alarm: Alarm, at: datetime) -> bool:
    over_at = alarm.cleared_at or alarm.ended_at
    return over_at is not None and over_at < at


def _as_it_was(alarm: Alarm, firsts: Mapping[str, datetime]) -> Alarm:
    """The alarm just before the readings begin: present, or gone for a while. A rule that none of
    them is about stays as it is."""
    levels = levels_of(alarm).before(firsts)
    state = AlarmState.RETURNED if levels.present is None else AlarmState.UNACKNOWLEDGED
    return replace(alarm, state=state, cleared_at=None, ended_at=None, levels=levels_json(levels))


def _ran_then(at: Situation, alarm: Alarm, firsts: Mapping[str, datetime]) -> Iterator[Timer]:
    """Off-delays that ran just before the readings begin and have run out since."""
    for rule in at.rules:
        start = firsts.get(rule.code)
        if start is None:
            continue
        for was, step in pairwise(levels_of(alarm).steps.get(rule.code, ())):
            if step.at < start or was.severity is None:
                continue
            if step.severity is not None and step.severity > was.severity:
                continue  # on its way out it came to a milder level
            began = step.at - rule.off_delay
            if step.severity is None and began <= start:
                reason = from_json(alarm.reason)
                yield Timer(rule.code, at.device.id, None, began, began, step.at, reason)
            break


def _raised(alarm: Alarm) -> Raise:
    return Raise(alarm.severity, from_json(alarm.reason), alarm.sensed_at, alarm.received_at)


def _began(alarm: Alarm) -> datetime:
    """When its condition came; late, an alarm is raised by its worst reading, not by its first."""
    return min([alarm.sensed_at, *(s[0].at for s in levels_of(alarm).steps.values() if s)])


def _since(alarm: Alarm) -> datetime:
    return from_json(alarm.reason).since or alarm.sensed_at
