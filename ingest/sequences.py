"""Following the numbers that senders give their messages: which are missing. Pure decisions.

Several workers commit batches out of order, and messages come twice; so nothing is judged while
it is stored. The numbers are left beside the batch and followed seconds later in the order of
their senders' clocks, by one process at a time. What came later still closes its gap.

A source is a device, or whoever numbers what several devices say (an edge node).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from city.moment import EPOCH, as_microseconds
from city.sequence import FEEDS, RADIO_FEEDS, SequenceTotal, StoredGap
from columns.numbers import BEGINS, SOURCE_DTYPE, UNREAD, Numbers, Sources
from ingest.numbers import FEED_CODES
from wire import FORMATS

# Steps that are remembered, older ones fading; and how many it takes to believe in numbers.
STEPS_KEPT = 64.0
STEPS_TO_KNOW = 8.0
STEPS_TO_DOUBT = 16.0
STEPS_TO_GIVE_UP = 32.0
TRUSTED_SHARE = 7 / 8
# Half of what a sender says may be with a worker that hangs: what was believed stays so for long.
DOUBTED_SHARE = 1 / 4
# So many messages with one and the same number, and none with the next.
CONSTANT_AFTER = 64.0
# A source that lost something this often within its last steps does so usually.
USUAL_LOSSES = 3.0
# A radio may lose so many in a row and still be counting; a longer jump is more than loss.
RADIO_STEP = 16
# Beyond these a jump is no loss but a counter that was set.
JUMP_MAX = 1_000_000
RADIO_JUMP_MAX = 10_000
# Counters that are not begun anew in each session end here and go on at 0.
WRAPS = (1 << 16, 1 << 32)
WRAP_NEAR = 1000
# A sender with several threads may overtake itself by so many numbers.
OVERTAKEN = 64
# Messages and numbers whose loss share is remembered.
SHARE_OVER = 1000.0
# By which part the known lag of a clock grows towards a longer one: a queue comes and goes.
LAG_STEPS = 64
# Who was silent for so long begins anew; edge nodes that nobody registered are this many at most.
SILENT_SINCE = timedelta(days=30)
NAMED_MAX = 5_000


def _session_size(feed: str) -> int:
    numbering = FORMATS[feed].numbering
    return 0 if numbering is None else numbering.session_size


# By feed: so many numbers a session has before they begin at 0 again; 0 without sessions.
SESSION_SIZES = [_session_size(feed) for feed in FEEDS]


class Trust(IntEnum):
    """What the numbers of a source are good for."""

    LEARNING = 0
    USABLE = 1
    UNUSABLE = 2  # they do not follow each other: random, shared with others, begun anew each time
    CONSTANT = 3


@dataclass(slots=True)
class Source:
    """A source as far as it was followed: a row of `SOURCE_DTYPE`."""

    source: int
    feed: int
    trust: int = Trust.LEARNING
    unread: int = 0
    epoch: int = 0
    epoch_us: int = 0
    number: int = 0
    at_us: int = 0
    lag_us: int = 0
    heard_us: int = 0
    good: float = 0.0
    odd: float = 0.0
    same: float = 0.0
    seen: float = 0.0
    lost: float = 0.0

    @property
    def is_radio(self) -> bool:
        """What lies before its network server loses messages by nature."""
        return FEEDS[self.feed] in RADIO_FEEDS

    @property
    def session_size(self) -> int:
        """How many numbers a session has; 0 for a counter that simply goes on."""
        return SESSION_SIZES[self.feed]


@dataclass(slots=True)
class Followed:
    """What following came to."""

    sources: Sources
    gone: list[int] = field(default_factory=list)  # ids of gaps that are closed or changed
    gaps: list[StoredGap] = field(default_factory=list)
    totals: list[SequenceTotal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Split:
    """Numbers in the order to follow them, the sources they are of, and which of these do not
    simply go on by one."""

    numbers: Numbers
    sources: Sources
    place: NDArray[np.intp]  # of the number's source
    unusual: NDArray[np.bool_]  # by source

    def unusual_sources(self) -> list[int]:
        ids: list[int] = self.sources["source"][self.unusual].tolist()
        return ids


def split(known: Sources, numbers: Numbers) -> Split:
    """Sort the numbers; `known` are sources in order. Most of a city goes on by one, and is
    followed as columns."""
    new = np.setdiff1d(numbers["source"], known["source"])
    if len(new):
        fresh = np.zeros(len(new), SOURCE_DTYPE)
        fresh["source"] = new
        known = np.concatenate([known, fresh])
        known = known[np.argsort(known["source"], kind="stable")]
    sources = known.copy()
    place = np.searchsorted(sources["source"], numbers["source"])
    at_us = _order_us(numbers, sources["lag_us"][place])
    order = np.lexsort((numbers["number"], at_us, numbers["source"]))
    numbers, place, at_us = numbers[order].copy(), place[order], at_us[order]
    numbers["at_us"] = np.where(numbers["flags"] & UNREAD, at_us, numbers["at_us"])
    before = np.empty(len(numbers), np.int64)
    before[1:] = numbers["number"][:-1]
    first = np.ones(len(numbers), bool)
    first[1:] = place[1:] != place[:-1]
    before[first] = sources["number"][place[first]]
    step = numbers["number"] - before
    sizes = np.array(SESSION_SIZES)[numbers["feed"]]
    step = np.where(sizes > 0, step % np.maximum(sizes, 1), step)
    odd = (step != 1) | (numbers["flags"] != 0) | (numbers["at_us"] < sources["epoch_us"][place])
    odd |= (sources["heard_us"][place] == 0) | (numbers["at_us"] == 0)
    odd |= sources["trust"][place] != Trust.USABLE
    odd |= numbers["feed"] != sources["feed"][place]
    unusual = np.zeros(len(sources), bool)
    unusual[place[odd]] = True
    return Split(numbers, sources, place, unusual)


def _order_us(numbers: Numbers, lag_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """By the senders' clocks; what says no number is put there by its receipt."""
    unread = (numbers["flags"] & UNREAD) != 0
    return np.where(unread, numbers["received_us"] - lag_us, numbers["at_us"])


def follow(found: Split, gaps: Iterable[StoredGap]) -> Followed:
    """Follow every source; `gaps` are those of the unusual ones, newest first."""
    followed = Followed(found.sources)
    tally = _Tally()
    _follow_usual(found, tally)
    by_source: dict[int, list[StoredGap]] = {}
    for gap in gaps:
        by_source.setdefault(gap.source, []).append(gap)
    of_unusual = found.unusual[found.place]
    numbers, places = found.numbers[of_unusual], found.place[of_unusual]
    bounds = [*np.flatnonzero(np.diff(places, prepend=-1)).tolist(), len(places)]
    for begin, end in pairwise(bounds):
        row = found.sources[places[begin]]
        source = Source(*row.item())
        _Course(source, by_source.get(source.source, []), followed, tally).take(
            numbers[begin:end].tolist()
        )
        found.sources[places[begin]] = _as_row(source)
    followed.totals = tally.totals()
    return followed


def _as_row(source: Source) -> tuple[Any, ...]:
    return tuple(getattr(source, name) for name in SOURCE_DTYPE.names or ())


def _follow_usual(found: Split, tally: _Tally) -> None:
    """Sources of which one message came after the other."""
    usual = ~found.unusual[found.place]
    if not usual.any():
        return
    numbers, place = found.numbers[usual], found.place[usual]
    begins = np.flatnonzero(np.diff(place, prepend=-1))
    ends = np.append(begins[1:], len(place)) - 1
    sources = found.sources[place[begins]]
    counts = ends - begins + 1
    sources["number"] += counts
    # The newest by the sender's clock is the last one: they are sorted by it.
    sources["at_us"] = np.maximum(sources["at_us"], numbers["at_us"][ends])
    lags = np.minimum.reduceat(numbers["received_us"] - numbers["at_us"], begins)
    slowly = sources["lag_us"] + (lags - sources["lag_us"]) // LAG_STEPS
    sources["lag_us"] = np.minimum(lags, slowly)
    heard = np.maximum.reduceat(numbers["received_us"], begins)
    sources["heard_us"] = np.maximum(sources["heard_us"], heard)
    sources["good"] += counts
    sources["seen"] += counts
    sources["unread"] = 0
    sources["same"] = 0
    _fade(sources, ("good", "odd"), STEPS_KEPT)
    _fade(sources, ("seen", "lost"), SHARE_OVER)
    found.sources[place[begins]] = sources
    for feed in np.unique(sources["feed"]).tolist():
        tally.of(feed).followed += int(counts[sources["feed"] == feed].sum())


def _fade(sources: Sources, names: Sequence[str], limit: float) -> None:
    total = sum(sources[name] for name in names)
    scale = limit / np.maximum(total, limit)
    for name in names:
        sources[name] *= scale


@dataclass(slots=True)
class _Sums:
    followed: int = 0
    missing: int = 0
    late: int = 0
    restarts: int = 0


class _Tally:
    """What is counted for each feed."""

    def __init__(self) -> None:
        self._sums: dict[int, _Sums] = {}

    def of(self, feed: int) -> _Sums:
        return self._sums.setdefault(feed, _Sums())

    def totals(self) -> list[SequenceTotal]:
        return [
            SequenceTotal(FEEDS[feed], sums.followed, sums.missing, sums.late, sums.restarts)
            for feed, sums in sorted(self._sums.items())
        ]


_Entry = tuple[int, int, int, int, int, int]  # a row of NUMBER_DTYPE


class _Course:
    """One source, message by message."""

    def __init__(
        self, source: Source, gaps: Sequence[StoredGap], followed: Followed, tally: _Tally
    ) -> None:
        self._source = source
        self._gaps = list(gaps)
        self._followed = followed
        self._tally = tally

    def take(self, entries: Iterable[_Entry]) -> None:
        """Messages in the order of the sender's clock."""
        for _, feed, flags, number, at_us, received_us in entries:
            source = self._source
            if flags & UNREAD:
                source.unread = min(source.unread + 1, 100)
                continue
            self._sums = self._tally.of(feed)
            if not source.heard_us or source.feed != feed:
                self._begin(feed, number, at_us or received_us, received_us)
            elif flags & BEGINS:
                self._begin_session(number, at_us, received_us)
            else:
                self._go_on(self._unrolled(number), at_us, received_us)
            source.heard_us = max(source.heard_us, received_us)
        self._followed.gaps += [gap for gap in self._gaps if not gap.id]

    def _begin(self, feed: int, number: int, at_us: int, received_us: int) -> None:
        """Met for the first time, or under another format."""
        source = self._source
        fresh = Source(source.source, feed, epoch=source.epoch + bool(source.heard_us))
        for name in SOURCE_DTYPE.names or ():
            setattr(source, name, getattr(fresh, name))
        source.number, source.epoch_us, source.at_us = number, at_us, at_us
        source.lag_us = received_us - at_us
        self._count(1)

    def _begin_session(self, number: int, at_us: int, received_us: int) -> None:
        """A birth: numbers start anew. What was lost before it nobody can tell."""
        source = self._source
        if at_us <= source.epoch_us or not at_us:
            return  # the same once more, or an older one
        self._start_over(number, at_us)
        self._heard(at_us, received_us)
        self._count(1)

    def _start_over(self, number: int, at_us: int) -> None:
        source = self._source
        source.epoch += 1
        source.epoch_us = source.at_us = at_us
        source.number, source.unread = number, 0

    def _unrolled(self, number: int) -> int:
        """A number of a session as if its counter had no end: nearest to where the source is."""
        source = self._source
        size = source.session_size
        if not size:
            return number
        ahead = (number - source.number) % size
        return source.number + (ahead if ahead < size // 2 else ahead - size)

    def _go_on(self, number: int, at_us: int, received_us: int) -> None:
        source = self._source
        is_of_before = 0 < at_us < source.epoch_us
        is_newer = at_us > source.at_us
        if number > source.number and not is_of_before:
            self._step(number, at_us, received_us)
        elif number == source.number and not is_of_before:
            if is_newer:
                source.same += 1
                self._judge()
                self._heard(at_us, received_us)
        elif (wrap := self._wrap_before(number)) and is_newer:
            self._go_round(wrap, number, at_us, received_us)
        else:
            is_late = not is_newer or number >= source.number - OVERTAKEN
            if not (is_late and self._close(number, at_us)) and is_newer:
                self._restart(number, at_us, received_us)

    def _step(self, number: int, at_us: int, received_us: int) -> None:
        source = self._source
        if number - source.number > self._jump_max():
            self._restart(number, at_us or source.at_us, received_us)
            return
        self._miss([(source.number + 1, number - 1)], at_us or received_us, received_us)
        self._follow_step(number - source.number)
        source.number = number
        self._heard(at_us, received_us)

    def _jump_max(self) -> int:
        return RADIO_JUMP_MAX if self._source.is_radio else JUMP_MAX

    def _wrap_before(self, number: int) -> int:
        """Where the counter ended, if it went on at 0; 0 if it did not."""
        source = self._source
        if source.session_size or number >= WRAP_NEAR:
            return 0
        return next((end for end in WRAPS if source.number < end <= source.number + WRAP_NEAR), 0)

    def _go_round(self, wrap: int, number: int, at_us: int, received_us: int) -> None:
        source = self._source
        missing = [(source.number + 1, wrap - 1), (0, number - 1)]
        self._miss(missing, at_us, received_us)
        self._follow_step(number + wrap - source.number)
        self._start_over(number, at_us)
        self._heard(at_us, received_us)

    def _restart(self, number: int, at_us: int, received_us: int) -> None:
        """The sender began anew, or was set: how many it had sent meanwhile nobody can tell."""
        source = self._source
        if source.session_size:
            number %= source.session_size
        self._start_over(number, at_us)
        self._heard(at_us, received_us)
        self._sums.restarts += 1
        source.odd += 1
        self._judge()
        self._count(1)

    def _follow_step(self, step: int) -> None:
        source = self._source
        is_good = step == 1 or (source.is_radio and step <= RADIO_STEP)
        source.good += is_good
        source.odd += not is_good
        source.same = 0
        self._judge()
        self._count(1)

    def _miss(self, ranges: Sequence[tuple[int, int]], at_us: int, received_us: int) -> None:
        """Numbers that were left out, but for those of messages that came and were unreadable."""
        source = self._source
        if source.trust != Trust.USABLE:
            return
        lag_us = min(source.lag_us, received_us - at_us)
        after_us, before_us = source.at_us + source.lag_us, at_us + lag_us
        for first, last in ranges:
            came = min(source.unread, max(0, last - first + 1))
            source.unread -= came
            missing = last - first + 1 - came
            if missing <= 0:
                continue
            gap = StoredGap(
                0, source.source, FEEDS[source.feed], source.epoch, first + came, last,
                _moment(after_us), _moment(max(after_us, before_us)),
                source.is_radio or source.odd >= USUAL_LOSSES,
            )  # fmt: skip
            self._gaps.insert(0, gap)
            self._sums.missing += missing
            source.lost += missing

    def _close(self, number: int, at_us: int) -> bool:
        """Take a number that came late out of its gap; False if it was not missing."""
        source = self._source
        for place, gap in enumerate(self._gaps):
            is_of_now = gap.epoch == source.epoch
            if at_us and is_of_now == (at_us < source.epoch_us):
                continue
            found = number
            if source.session_size:
                found = gap.first + (number - gap.first) % source.session_size
            if not gap.first <= found <= gap.last:
                continue
            rest = [replace(gap, id=0, last=found - 1), replace(gap, id=0, first=found + 1)]
            left = [part for part in rest if part.first <= part.last]
            self._gaps[place : place + 1] = left
            if gap.id:
                self._followed.gone.append(gap.id)
            if not left:
                source.odd = max(0.0, source.odd - 1)
                source.good += 1
            source.lost = max(0.0, source.lost - 1)
            self._sums.late += 1
            self._count(1)
            return True
        return False

    def _heard(self, at_us: int, received_us: int) -> None:
        """The sender's clock, and how far it is from ours."""
        source = self._source
        if at_us:
            lag_us = received_us - at_us
            source.lag_us = min(lag_us, source.lag_us + (lag_us - source.lag_us) // LAG_STEPS)
            source.at_us = max(source.at_us, at_us)

    def _count(self, messages: int) -> None:
        source = self._source
        self._sums.followed += messages
        source.seen += messages
        source.good, source.odd = _faded(source.good, source.odd, STEPS_KEPT)
        source.seen, source.lost = _faded(source.seen, source.lost, SHARE_OVER)

    def _judge(self) -> None:
        """What the numbers are good for, by the last steps."""
        source = self._source
        steps = source.good + source.odd
        if steps >= STEPS_TO_KNOW and source.good >= TRUSTED_SHARE * steps:
            source.trust = Trust.USABLE
        elif source.trust == Trust.USABLE:
            if steps >= STEPS_TO_DOUBT and source.good < DOUBTED_SHARE * steps:
                source.trust = Trust.UNUSABLE
        elif steps >= STEPS_TO_GIVE_UP:
            source.trust = Trust.UNUSABLE
        elif steps == 0 and source.same >= CONSTANT_AFTER:
            source.trust = Trust.CONSTANT
        elif source.trust == Trust.CONSTANT:
            source.trust = Trust.LEARNING


def _faded(first: float, second: float, limit: float) -> tuple[float, float]:
    scale = limit / max(first + second, limit)
    return first * scale, second * scale


def _moment(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


# --- what people want to know ---------------------------------------------------------------


def summarise(sources: Sources, shown: int = 20) -> dict[str, Any]:
    """Of the sources that share a row: how many of a feed are good for what, those whose numbers
    are good for nothing, and of those that lose something usually the worst."""
    feeds: dict[str, dict[str, int]] = {}
    for feed in np.unique(sources["feed"]).tolist():
        trust = sources["trust"][sources["feed"] == feed]
        feeds[FEEDS[feed]] = {
            word.name.lower(): int((trust == word).sum()) for word in Trust if (trust == word).any()
        }
    useless = sources[sources["trust"] >= Trust.UNUSABLE]
    usual = np.isin(sources["feed"], [FEED_CODES[feed] for feed in RADIO_FEEDS]) | (
        sources["odd"] >= USUAL_LOSSES
    )
    usable = sources[(sources["trust"] == Trust.USABLE) & (sources["lost"] >= 1) & usual]
    share = usable["lost"] / (usable["lost"] + usable["seen"])
    lossy = np.argsort(-share, kind="stable")[:shown]
    return {
        "feeds": feeds,
        "useless": [[int(row["source"]), FEEDS[row["feed"]]] for row in useless[:shown]],
        "lossy": [
            [int(usable["source"][n]), FEEDS[usable["feed"][n]], round(float(share[n]), 4)]
            for n in lossy.tolist()
        ],
    }


def forget_silent(sources: Sources, now: datetime) -> Sources:
    """Without those that have not been heard for long; of what is named by messages only so many
    as there can honestly be."""
    heard = sources["heard_us"] > as_microseconds(now - SILENT_SINCE)
    kept = sources[heard]
    named = np.flatnonzero(kept["source"] < 0)
    if len(named) <= NAMED_MAX:
        return kept
    oldest = named[np.argsort(kept["heard_us"][named])[: len(named) - NAMED_MAX]]
    return np.delete(kept, oldest)
