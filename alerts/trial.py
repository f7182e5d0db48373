"""A change of the rules tried on the past: the last day first, then the week, then thirty days.

The shorter ones tell at once what is wrong, and how long the longer ones will take.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from alerts import foresight
from alerts.foresight import Episode, Foresight, compare, will_take
from alerts.known import load_rules
from alerts.openings import is_opening
from alerts.rules import Rule
from alerts.sanity import NOISY_ALARMS, NOISY_DAYS, Remark, look_at_count
from city.permit import Span, covered
from db import permits
from db.pool import Connection

PERIODS = (timedelta(days=1), timedelta(days=7), timedelta(days=NOISY_DAYS))
# Where somebody waits at a prompt, to know how long a day would take.
FIRST_LOOK = timedelta(hours=1)
# Devices that are named with their counts; the rest is a number.
DEVICES_MAX = 200


@dataclass(frozen=True, slots=True)
class Trial:
    """What a change does to the alarms of a time: what differs, and how many there are at all of
    the conditions concerned, before and after it. `own` are those after it by the rule that raised
    them."""

    found: Foresight
    before: int
    after: int
    own: Counter[str]
    by_device: dict[str, dict[str, int]]

    @property
    def days(self) -> float:
        return (self.found.to - self.found.from_) / timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a trial is: done of all seconds, as far as these are known, and what is known."""

    share: float
    so_far: Trial | None


def try_out(
    conn: Connection,
    put: Sequence[Rule],
    retired: Collection[str],
    now: datetime,
    seconds: Callable[[], float],
    *,
    tell: Callable[[Progress], None] = lambda progress: None,
    budget_s: float | None = None,
) -> Trial:
    """Judge the stored readings by the rules in force and by those that would be. `seconds` is any
    clock that only runs forward. With a budget it ends early where the next time would take too
    long, or where there are too many alarms already."""
    before = load_rules(conn, now)
    after = {code: rule for code, rule in before.items() if code not in retired}
    after |= {rule.code: rule for rule in put}
    changed = {*(rule.code for rule in put), *retired}
    about = concerned(changed, before.values(), after.values())
    began, taken = seconds(), [(timedelta(0), 0.0)]
    first = () if budget_s is None else (FIRST_LOOK,)
    for period, longer in pairwise([*first, *PERIODS, None]):
        assert period is not None
        start, from_ = seconds(), now - period
        old, blind = _judged(conn, before, about, from_, now)
        tell(Progress(_share(seconds() - began, taken, period, half=True), None))
        new, also_blind = _judged(conn, after, about, from_, now)
        differs = compare(old, new, from_, now, sorted({*blind, *also_blind} & changed))
        found = _summed(differs, old, new)
        taken.append((period, seconds() - start))
        if longer is None:
            break
        spent = seconds() - began
        tell(Progress(_share(spent, taken, longer, half=False), found))
        if budget_s is not None and (
            len(new) > NOISY_ALARMS or spent + will_take(taken[-2], taken[-1], longer) > budget_s
        ):
            break
    return found


def _judged(
    conn: Connection,
    rules: Mapping[str, Rule],
    about: Collection[tuple[str, str]],
    from_: datetime,
    to: datetime,
) -> tuple[list[Episode], list[str]]:
    """The alarms of the past, less what work permits made notes of."""
    found, blind = foresight.episodes(conn, rules, about, from_, to)
    opening = {code for code, rule in rules.items() if is_opening(rule)}
    if any(one.rule in opening for one in found):
        spans = permits.list_spans_by_code(conn, from_, to)
        found = [one for each in found for one in less_permitted(each, opening, spans)]
    return found, blind


def less_permitted(
    one: Episode, opening: Collection[str], spans: Mapping[str, Sequence[Span]]
) -> Iterator[Episode]:
    """Nothing of an alarm that a permit covered to its end; what lasted longer began with its
    end. Pure."""
    span = None
    if one.rule in opening:
        span = covered(spans.get(one.condition.partition("/")[2], ()), one.began)
    if span is None:
        yield one
    elif one.ended is None or one.ended > span.over_at:
        yield replace(one, began=span.over_at)


def concerned(
    changed: Collection[str], before: Iterable[Rule], after: Iterable[Rule]
) -> set[tuple[str, str]]:
    """Conditions and kinds of the rules that change, as they are and as they would be."""
    both = [rule for rules in (before, after) for rule in rules if rule.code in changed]
    return {(rule.condition, rule.watch) for rule in both}


def remarks(trial: Trial, put: Iterable[Rule]) -> list[Remark]:
    """Rules that would have raised too many alarms."""
    return [
        remark
        for rule in put
        for remark in look_at_count(rule.code, trial.own[rule.code], trial.days)
    ]


def as_json(trial: Trial) -> dict[str, Any]:
    """As pages and approvals have it."""
    devices = sorted(trial.by_device.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    return {
        **foresight.as_json(trial.found),
        "days": trial.days,
        "before_count": trial.before,
        "after_count": trial.after,
        "devices": [{"device": code, **counts} for code, counts in devices[:DEVICES_MAX]],
        "devices_count": len(devices),
    }


def _summed(found: Foresight, old: Sequence[Episode], new: Sequence[Episode]) -> Trial:
    by_device: dict[str, dict[str, int]] = {}
    changed = [(one, "gained") for one in found.gained] + [(one, "lost") for one in found.lost]
    changed += [(one, "levels") for _, one in found.levels]
    for episode, how in changed:
        device = episode.condition.partition("/")[2]
        counts = by_device.setdefault(device, {"gained": 0, "lost": 0, "levels": 0})
        counts[how] += 1
    return Trial(found, len(old), len(new), Counter(one.rule for one in new), by_device)


def _share(
    spent: float, taken: Sequence[tuple[timedelta, float]], period: timedelta, *, half: bool
) -> float:
    """What part of the time is over, if the periods to come take what those before say."""
    if len(taken) < 2:
        return 0.02 if half else 0.0
    before, last = taken[-2], taken[-1]
    left = sum([will_take(before, last, later) for later in PERIODS if later >= period])
    if half:
        left -= will_take(before, last, period) / 2
    return min(0.99, spent / max(spent + left, 1e-6))
