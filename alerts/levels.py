"""At which level each rule holds an alarm, step by step. Pure.

An alarm stands while any of its rules does, at the worst level of them. What happened before is
kept, so that a late reading can be judged by what stood at its time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from city.alarm import Alarm, AlarmState, Severity

# Steps kept of each rule: far more than lie in the time that a late reading is looked back for.
STEPS_KEPT = 20
ACTIVE = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class Step:
    """From `at` on, by the clock of the device, a rule stands at this level; None: not any more."""

    at: datetime
    severity: Severity | None


@dataclass(frozen=True, slots=True)
class Levels:
    """The steps of each rule of an alarm, oldest first."""

    steps: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)

    def of(self, rule_code: str) -> Severity | None:
        """The level that a rule stands at now."""
        steps = self.steps.get(rule_code)
        return steps[-1].severity if steps else None

    def since(self, rule_code: str) -> datetime | None:
        """Since when a rule has been where it is."""
        steps = self.steps.get(rule_code)
        return steps[-1].at if steps else None

    @property
    def standing(self) -> list[str]:
        """The rules that stand, the worst first."""
        codes = [code for code in self.steps if self.of(code) is not None]
        return sorted(codes, key=lambda code: (self.of(code), code))

    @property
    def present(self) -> Severity | None:
        """The level of the alarm: the worst of its rules; None: no rule stands."""
        return min((s for code in self.steps if (s := self.of(code)) is not None), default=None)

    def is_again(self, rule_code: str) -> bool:
        """Whether the rule has been at least as bad before, since it began to stand."""
        steps = self.steps.get(rule_code, ())
        level = self.of(rule_code)
        for step in reversed(steps[:-1]):
            if step.severity is None or level is None:
                return False
            if step.severity <= level:
                return True
        return False

    def with_step(self, rule_code: str, at: datetime, severity: Severity | None) -> Levels:
        """One step further."""
        steps = (*self.steps.get(rule_code, ()), Step(at, severity))
        return Levels({**self.steps, rule_code: steps[-STEPS_KEPT:]})

    def before(self, moments: Mapping[str, datetime]) -> Levels:
        """What was known of each rule just before its moment; of one without, what is known."""
        found = {
            code: tuple(s for s in steps if code not in moments or s.at < moments[code])
            for code, steps in self.steps.items()
        }
        return Levels({code: steps for code, steps in found.items() if steps})

    def rejoin(self, later: Levels, rule_codes: Collection[str], since: datetime) -> Levels:
        """With the steps of these rules from `since` on replaced by those of `later`, and where
        a rule stood just before that put right by it."""
        joined = dict(self.steps)
        for code in rule_codes:
            found = later.steps.get(code, ())
            early = tuple(s for s in self.steps.get(code, ()) if s.at < since)
            prior = [s for s in found if s.at < since]
            if early and prior and prior[-1].severity != early[-1].severity:
                early = (*early, prior[-1])
            late = tuple(s for s in found if s.at >= since)
            joined[code] = (early + late)[-STEPS_KEPT:]
        return Levels({code: steps for code, steps in joined.items() if steps})

    def knows(self, rule_code: str, step: Step) -> bool:
        """Whether a step is one of these, or older than what is kept."""
        steps = self.steps.get(rule_code, ())
        return step in steps or (len(steps) == STEPS_KEPT and step.at < steps[0].at)


def levels_of(alarm: Alarm) -> Levels:
    """The levels of a stored alarm; of one without any, what its rule and state say."""
    if alarm.levels:
        return from_json(alarm.levels)
    since = alarm.reason.get("since")
    began = datetime.fromisoformat(since) if since else alarm.sensed_at
    levels = Levels().with_step(alarm.rule_code, began, alarm.severity)
    if alarm.state in ACTIVE:
        return levels
    return levels.with_step(alarm.rule_code, alarm.cleared_at or alarm.ended_at or began, None)


def as_json(levels: Levels) -> dict[str, Any]:
    """{rule code: [[time, severity or null], …]}, as it is stored."""
    return {
        code: [[s.at.isoformat(), None if s.severity is None else int(s.severity)] for s in steps]
        for code, steps in levels.steps.items()
    }


def from_json(stored: Mapping[str, Sequence[Sequence[Any]]]) -> Levels:
    """The reverse of `as_json`."""
    return Levels(
        {
            code: tuple(
                Step(datetime.fromisoformat(at), None if s is None else Severity(s))
                for at, s in steps
            )
            for code, steps in stored.items()
        }
    )
