"""Floods of alarms: when there is one, how it is counted, and the few causes that are shown of it.

Pure. The numbers are of ISA-18.2 / EEMUA 191: more alarms than a
person can take are shown by what they have in common, so that nothing is hidden in a long list.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# A flood begins with more, and ends with fewer, alarms than this in the window, for each operator.
STARTS_ABOVE = 10
ENDS_BELOW = 5
WINDOW = timedelta(minutes=10)
HOUR = timedelta(hours=1)
TICK = timedelta.resolution
# Gas that stands alone on top of a flood, whatever else there is: red and orange.
ALONE_UP_TO = 2
# So many alarms have something in common; a single one is its own cause.
GROUP_FROM = 2
# The nearest to the cause first, and what a member more of it counts: that alarms are of one kind
# says less than that they are at one place, and that less than that they share a gateway.
KINDS = {"gateway": 1.5, "cabinet": 1.5, "pipe": 1.5, "place": 1.0, "condition": 0.5}

Operators = Callable[[datetime], float]


@dataclass(frozen=True, slots=True)
class FloodAlarm:
    """A live alarm that nobody has muted, with what it may have in common with others; '' where
    that is not known. `times` is how often it was announced in the last hour."""

    id: int
    severity: int
    gas: bool
    announced_at: datetime
    condition: str
    place: str = ""
    gateway: str = ""
    cabinet: str = ""
    pipe: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Cause:
    """What a group of alarms has in common: `kind` is one of `KINDS`, or "alarm" of a single one.
    `alarms` are ids, the worst and newest first; `times` is how often they were announced."""

    kind: str
    name: str
    severity: int
    alarms: tuple[int, ...]
    times: int
    newest_at: datetime
    condition: str  # that all of them have; '' if they differ


@dataclass(frozen=True, slots=True)
class TopCauses:
    """Every alarm is in exactly one of the two: by itself on top, or in one cause."""

    alone: tuple[int, ...]
    causes: tuple[Cause, ...]


def flood_spans(
    times: Iterable[datetime], operators: Operators, to: datetime
) -> list[tuple[datetime, datetime | None]]:
    """When there was a flood, up to `to`; the end None: it goes on. `times` are announcements in
    order; before the first of them there is none."""
    spans: list[tuple[datetime, datetime | None]] = []
    window: deque[datetime] = deque()
    since: datetime | None = None

    def leave(before: datetime) -> None:
        nonlocal since
        while window and window[0] + WINDOW < before:
            gone_at = window.popleft() + WINDOW
            if since is not None and len(window) < ENDS_BELOW * max(1, operators(gone_at)):
                spans.append((since, gone_at))
                since = None

    for at in times:
        if at > to:
            break
        leave(at)  # what comes at the very moment at which another one leaves is counted with it
        window.append(at)
        leave(at + TICK)
        if since is None and len(window) > STARTS_ABOVE:
            since = at if len(window) > STARTS_ABOVE * max(1, operators(at)) else None
    leave(to + TICK)
    return [*spans, (since, None)] if since is not None else spans


def flood_since(times: Iterable[datetime], operators: int, now: datetime) -> datetime | None:
    """Since when there is a flood; None: there is none."""
    spans = flood_spans(times, lambda at: operators, now)
    return spans[-1][0] if spans and spans[-1][1] is None else None


def top_causes(alarms: Sequence[FloodAlarm]) -> TopCauses:
    """Red and orange gas by itself, the rest by the causes that explain the most of it."""
    alone = [a for a in alarms if a.gas and a.severity <= ALONE_UP_TO]
    left = {a.id: a for a in alarms if not (a.gas and a.severity <= ALONE_UP_TO)}
    members: dict[tuple[str, str], set[int]] = {}
    for alarm in left.values():
        for kind in KINDS:
            if name := getattr(alarm, kind):
                members.setdefault((kind, name), set()).add(alarm.id)
    causes: list[Cause] = []
    while members := {key: ids for key, ids in members.items() if len(ids) >= GROUP_FROM}:
        (kind, name), ids = min(members.items(), key=_explains)
        causes.append(_cause(kind, name, [left[i] for i in ids]))
        for one in ids:
            del left[one]
        members = {key: found - ids for key, found in members.items()}
    causes += [_cause("alarm", a.condition, [a]) for a in left.values()]
    causes.sort(key=lambda c: (c.severity, -len(c.alarms), -c.newest_at.timestamp(), c.name))
    return TopCauses(tuple(a.id for a in sorted(alone, key=_order)), tuple(causes))


def _explains(group: tuple[tuple[str, str], set[int]]) -> tuple[float, int, str]:
    """What explains the most comes first; of equal groups the kind nearest to a cause."""
    (kind, name), ids = group
    return -len(ids) * KINDS[kind], list(KINDS).index(kind), name


def _order(alarm: FloodAlarm) -> tuple[int, float, int]:
    return alarm.severity, -alarm.announced_at.timestamp(), alarm.id


def _cause(kind: str, name: str, alarms: Sequence[FloodAlarm]) -> Cause:
    ordered = sorted(alarms, key=_order)
    return Cause(
        kind=kind,
        name=name,
        severity=ordered[0].severity,
        alarms=tuple(a.id for a in ordered),
        times=sum(a.times for a in ordered),
        newest_at=max(a.announced_at for a in ordered),
        condition=ordered[0].condition if len({a.condition for a in ordered}) == 1 else "",
    )


@dataclass(frozen=True, slots=True)
class AlarmLoad:
    """What the alarms of a period were for those who had to look at them.

    `operator_hours` counts an hour in which less than one operator was signed in as one. `windows`
    are stretches of ten minutes, `full_windows` those with more than ten alarms an operator.
    """

    announced: int
    operator_hours: float
    per_operator_hour: float
    per_operator_10min: float
    worst_10min: int
    windows: int
    full_windows: int
    flood_s: float
    floods: int
    period_s: float


def alarm_load(
    times: Sequence[datetime], operators: Mapping[datetime, float], from_: datetime, to: datetime
) -> AlarmLoad:
    """Of [from_, to); `times` are announcements in order, `operators` the people signed in on
    average by the beginning of the hour."""

    def people(at: datetime) -> float:
        hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return max(1, operators.get(hour, 1))

    hours = (to - from_) / HOUR
    for start, count in operators.items():
        overlap = (min(to, start + HOUR) - max(from_, start)) / HOUR
        hours += max(0, count - 1) * max(0.0, overlap)
    by_window = Counter((at - from_) // WINDOW for at in times)
    full = [
        number
        for number, count in by_window.items()
        if count > STARTS_ABOVE * people(from_ + number * WINDOW)
    ]
    spans = flood_spans(times, people, to)
    lasted = sum(((end or to) - start).total_seconds() for start, end in spans)
    return AlarmLoad(
        announced=len(times),
        operator_hours=hours,
        per_operator_hour=len(times) / hours if hours else 0.0,
        per_operator_10min=len(times) / hours / 6 if hours else 0.0,
        worst_10min=max(by_window.values(), default=0),
        windows=max(1, -((from_ - to) // WINDOW)),
        full_windows=len(full),
        flood_s=lasted,
        floods=len(spans),
        period_s=(to - from_).total_seconds(),
    )
