"""Messages that did not arrive: when, of whom, and whether that is more than a radio loses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# Losses this close to each other have one cause.
APART = timedelta(seconds=60)
# How sure it must be that more is lost than usual, as the logarithm of the odds against chance:
# 20 is one false alarm in some hundred million minutes.
BEYOND_CHANCE = 20.0
# A network is taken to lose at least this share, whatever it lost in the last day.
SHARE_MIN = 0.02
# Fewer devices than this are trouble of these devices.
DEVICES_MIN = 5
# Missing numbers of one gap that are placed in time one by one.
PLACED_MAX = 1000


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of one source that are missing between two that came, by our clock."""

    source: int
    feed: str
    missing: int
    after_at: datetime
    before_at: datetime

    def moments(self) -> list[datetime]:
        """When they were probably sent: evenly between the two."""
        count = min(self.missing, PLACED_MAX)
        step = (self.before_at - self.after_at) / (count + 1)
        return [self.after_at + step * number for number in range(1, count + 1)]


@dataclass(frozen=True, slots=True)
class Episode:
    """Messages lost at about the same time. `received` came of the same feed meanwhile, where
    the way loses now and then; else None."""

    from_at: datetime
    to_at: datetime
    missing: int
    sources: tuple[int, ...]
    feeds: tuple[str, ...]
    received: int | None = None


def find_episodes(gaps: Iterable[Gap]) -> list[Episode]:
    """Gaps of senders whose messages should all arrive, by time, oldest first."""
    spans = sorted(((gap.moments()[0], gap.moments()[-1], gap) for gap in gaps), key=_begin)
    groups: list[list[tuple[datetime, datetime, Gap]]] = []
    until: datetime | None = None
    for span in spans:
        if until is None or span[0] > until + APART:
            groups.append([])
            until = span[1]
        groups[-1].append(span)
        until = max(until, span[1])
    return [_episode(group) for group in groups]


def _begin(span: tuple[datetime, datetime, Gap]) -> datetime:
    return span[0]


def _episode(group: Sequence[tuple[datetime, datetime, Gap]]) -> Episode:
    gaps = [gap for _, _, gap in group]
    return Episode(
        min(begin for begin, _, _ in group),
        max(end for _, end, _ in group),
        sum(gap.missing for gap in gaps),
        tuple(sorted({gap.source for gap in gaps})),
        tuple(sorted({gap.feed for gap in gaps})),
    )


def find_outages(
    feed: str, gaps: Iterable[Gap], received: Mapping[datetime, int], share: float
) -> list[Episode]:
    """Minutes in which a network that loses `share` of its messages on the air lost far more.

    `received` are the feed's messages by minute. Radio loses here and there; when most of what
    many devices sent at one time is missing, it was lost behind the radio."""
    missing: dict[datetime, list[int]] = {}
    for gap in gaps:
        for moment in gap.moments():
            minute = moment.replace(second=0, microsecond=0)
            missing.setdefault(minute, []).append(gap.source)
    episodes = []
    for run in _runs(missing, received):
        sources = [source for minute in run for source in missing[minute]]
        came = sum(received.get(minute, 0) for minute in run)
        if len(set(sources)) >= DEVICES_MIN and is_beyond_chance(len(sources), came, share):
            end = run[-1] + timedelta(minutes=1)
            everybody = tuple(sorted(set(sources)))
            episodes.append(Episode(run[0], end, len(sources), everybody, (feed,), came))
    return episodes


def _runs(
    missing: Mapping[datetime, Sequence[int]], received: Mapping[datetime, int]
) -> list[list[datetime]]:
    """Minutes in which more is missing than came; where nothing came in between, as one."""
    runs: list[list[datetime]] = []
    for minute in sorted(missing):
        if len(missing[minute]) <= received.get(minute, 0):
            continue
        if runs and _nothing_came(runs[-1][-1], minute, received):
            runs[-1].append(minute)
        else:
            runs.append([minute])
    return runs


def _nothing_came(after: datetime, before: datetime, received: Mapping[datetime, int]) -> bool:
    return not any(after < minute < before and count for minute, count in received.items())


def is_beyond_chance(missing: int, received: int, share: float) -> bool:
    """Whether so many missing ones are out of the question for a network that loses `share`
    (Chernoff's bound of the binomial distribution)."""
    usual = min(max(share, SHARE_MIN), 0.99)
    total = missing + received
    lost = missing / total if total else 0.0
    if lost <= usual:
        return False
    unlikely = lost * math.log(lost / usual)
    if lost < 1:
        unlikely += (1 - lost) * math.log((1 - lost) / (1 - usual))
    return total * unlikely > BEYOND_CHANCE
