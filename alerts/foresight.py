"""What a change of the rules would have meant lately: alarms gained and lost on stored readings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from alerts.backtest import books_of, has_history
from alerts.book import Page
from alerts.history_rows import load_history
from alerts.known import load_rules
from alerts.levels import levels_of
from alerts.rules import Rule
from db.pool import Connection

# Each is tried if those before took so little that it will be done in time.
PERIODS = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=7))
# As long as a person waits for the answer, seconds.
BUDGET_S = 20.0
# So many alarms of a sort are named; the rest is counted.
NAMED_MAX = 50
FAR = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Episode:
    """An alarm as it would have been; `severity` is the worst it came to."""

    condition: str
    rule: str
    severity: int
    began: datetime
    ended: datetime | None

    def meets(self, other: Episode) -> bool:
        """Whether both stood at one time."""
        return self.began <= (other.ended or other.began + FAR) and other.began <= (
            self.ended or self.began + FAR
        )


@dataclass(frozen=True, slots=True)
class Foresight:
    """What differs in [from_, to): alarms that only the new rules raise, those that only the old
    ones raise, and those whose worst level differs (old, new). `blind` are rules that have no
    history to be tried on."""

    from_: datetime
    to: datetime
    gained: Sequence[Episode] = ()
    lost: Sequence[Episode] = ()
    levels: Sequence[tuple[Episode, Episode]] = ()
    blind: Sequence[str] = ()


def foresee(
    conn: Connection,
    put: Sequence[Rule],
    retired: Collection[str],
    now: datetime,
    seconds: Callable[[], float],
) -> Foresight:
    """Judge the stored readings by the rules in force and by those that would be, as far back as
    the time allows. `seconds` is any clock that only runs forward."""
    before = load_rules(conn, now)
    after = {code: rule for code, rule in before.items() if code not in retired}
    after |= {rule.code: rule for rule in put}
    changed = {*(rule.code for rule in put), *retired}
    both = [rule for rules in (before, after) for rule in rules.values() if rule.code in changed]
    about = {(rule.condition, rule.watch) for rule in both}
    started, taken = seconds(), [(timedelta(0), 0.0)]
    for period, longer in pairwise([*PERIODS, None]):
        assert period is not None
        began, from_ = seconds(), now - period
        old, blind = episodes(conn, before, about, from_, now)
        new, also_blind = episodes(conn, after, about, from_, now)
        found = compare(old, new, from_, now, sorted({*blind, *also_blind} & changed))
        ended = seconds()
        taken.append((period, ended - began))
        shorter, newest = taken[-2:]
        if longer is None or ended - started + will_take(shorter, newest, longer) > BUDGET_S:
            break
    return found


def will_take(
    one: tuple[timedelta, float], other: tuple[timedelta, float], longer: timedelta
) -> float:
    """Seconds for a longer period, along the line through what two took; the first measured one
    stands beside nothing at all. Pure."""
    (short, before), (period, took) = one, other
    return took + max(0.0, took - before) * ((longer - period) / (period - short))


def compare(
    old: Sequence[Episode],
    new: Sequence[Episode],
    from_: datetime,
    to: datetime,
    blind: Sequence[str] = (),
) -> Foresight:
    """Alarms of one condition that stood at one time are the same alarm. Pure."""
    levels = []
    for one in old:
        for other in _same(one, new):
            if one.severity != other.severity:
                levels.append((one, other))
            break
    return Foresight(
        from_=from_,
        to=to,
        gained=[one for one in new if not any(_same(one, old))],
        lost=[one for one in old if not any(_same(one, new))],
        levels=levels,
        blind=blind,
    )


def _same(one: Episode, among: Iterable[Episode]) -> Iterator[Episode]:
    return (o for o in among if o.condition == one.condition and o.meets(one))


def episodes(
    conn: Connection,
    rules: Mapping[str, Rule],
    about: Collection[tuple[str, str]],
    from_: datetime,
    to: datetime,
) -> tuple[list[Episode], list[str]]:
    """What these rules make of the past, and those of them that have none."""
    conditions = {condition for condition, _ in about}
    together = [rule for rule in rules.values() if rule.condition in conditions]
    blind = [rule.code for rule in together if not has_history(rule)]
    seen = [rule for rule in together if has_history(rule)]
    history = load_history(conn, seen, from_, to)
    found = [_episode(page) for book in books_of(seen, history) for page in book.pages]
    return sorted(found, key=lambda e: (e.began, e.condition)), blind


def _episode(page: Page) -> Episode:
    alarm = page.alarm
    told = [levels_of(change.alarm).present for change in page.changes]
    worst = min([alarm.severity, *(level for level in told if level is not None)])
    return Episode(
        alarm.condition, alarm.rule_code, worst.value, alarm.sensed_at, alarm.cleared_at
    )  # fmt: skip


def as_json(found: Foresight) -> dict[str, Any]:
    """As plans and approvals have it: the first of each sort, and how many there are."""
    return {
        "from": found.from_.isoformat(),
        "to": found.to.isoformat(),
        "gained": [_told(one) for one in found.gained[:NAMED_MAX]],
        "gained_count": len(found.gained),
        "lost": [_told(one) for one in found.lost[:NAMED_MAX]],
        "lost_count": len(found.lost),
        "levels": [
            {**_told(new), "severity_before": old.severity} for old, new in found.levels[:NAMED_MAX]
        ],
        "levels_count": len(found.levels),
        "not_judged": list(found.blind),
    }


def _told(one: Episode) -> dict[str, Any]:
    return {
        "condition": one.condition,
        "rule": one.rule,
        "severity": one.severity,
        "began": one.began.isoformat(),
        "ended": one.ended.isoformat() if one.ended else None,
    }


def as_lines(found: Foresight) -> list[str]:
    """The same as people read it."""
    zone = found.to.astimezone().tzinfo
    span = " to ".join(f"{t.astimezone(zone):%Y-%m-%d %H:%M}" for t in (found.from_, found.to))
    lines = [
        f"alarms on the readings of {span}: {len(found.gained)} gained, {len(found.lost)} lost, "
        f"{len(found.levels)} at another level"
    ]
    for sign, episodes in (("+", found.gained), ("-", found.lost)):
        lines += [f"  {sign} {_line(one, zone)}" for one in episodes[:NAMED_MAX]]
    for old, new in found.levels[:NAMED_MAX]:
        lines.append(f"  ~ {_line(new, zone)}, was severity {old.severity}")
    if found.blind:
        lines.append(f"  no history to try them on: {', '.join(found.blind)}")
    return lines


def _line(one: Episode, zone: Any) -> str:
    until = f"{one.ended.astimezone(zone):%m-%d %H:%M}" if one.ended else "now"
    began = one.began.astimezone(zone)
    return f"{one.condition}, severity {one.severity}, {began:%m-%d %H:%M} to {until} ({one.rule})"
