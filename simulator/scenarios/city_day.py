"""The demo's day: life within a minute, then about six alarms an hour and calm between them."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from simulator import episodes, weather
from simulator.cast import Cast
from simulator.messages import takes_picture
from simulator.scenarios import single
from simulator.scenarios.happening import Happening

# What a visitor sees first, seconds after the start.
FIRST_LEAK_S, FIRST_SIGHTING_S, FIRST_COVER_S = 45, 60, 90
# About six alarms an hour is what one operator handles well (domain.md 7.1).
ALARM_EVERY = timedelta(minutes=10)
SIGHTING_EVERY = timedelta(minutes=6)
# What cameras have seen already when the visitor comes, so that there is something to review.
STANDING_SIGHTINGS, STANDING_FOR = 10, timedelta(minutes=9)
STANDING_EVERY_S = 2.5
# Of these some are too unsure for anybody to be asked.
UNSURE, UNSURE_EVERY = 0.21, 5
# Happenings keep no beat: each comes up to this much later than its turn.
LATENESS_S = 150
# One round of troubles; the fifth and sixth depend on the hour and the weather.
ROUND = (
    single.lamp_fault, single.opened, single.leak, single.surge, single.outage, single.switch_leak,
)  # fmt: skip


def city_day(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    """The opening, then troubles in turn and sightings beside them."""
    # Each strand has its own dice, so that one does not change the other.
    strands = (
        _opening(cast, start, _dice(rng)),
        _troubles(cast, start, _dice(rng)),
        _sightings(cast, start, _dice(rng)),
        _standing(cast, start, _dice(rng)),
    )
    return heapq.merge(*strands, key=lambda happening: happening.starts_at)


def _dice(rng: random.Random) -> random.Random:
    return random.Random(rng.getrandbits(64))


def _opening(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    for seconds, make in (
        (FIRST_LEAK_S, single.clear_leak),
        (FIRST_SIGHTING_S, single.sighting),
        (FIRST_COVER_S, single.opened),
    ):
        happening = make(cast, start + timedelta(seconds=seconds), rng)
        if happening is not None:
            yield happening


def _troubles(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    if not any(cast.of_kind(kind) for kind in ("gas", "manhole", "light")):
        return
    turn = 0
    while True:
        turn += 1
        at = start + turn * ALARM_EVERY + timedelta(seconds=rng.uniform(0, LATENESS_S))
        make = ROUND[(turn - 1) % len(ROUND)]
        if make is single.outage and not _lamps_due(cast, at):
            make = single.opened
        happening = make(cast, at, rng)
        if happening is not None:
            yield happening


def _sightings(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    turn = 0
    while cast.of_kind("camera"):
        turn += 1
        at = start + turn * SIGHTING_EVERY + timedelta(seconds=rng.uniform(0, LATENESS_S))
        happening = single.sighting(cast, at, rng)
        if happening is not None:
            yield happening


def _standing(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    """Sightings that began before the start, one after the other."""
    number = 0
    for _ in range(10 * STANDING_SIGHTINGS):
        at = start + timedelta(seconds=FIRST_COVER_S + 1 + number * STANDING_EVERY_S)
        seen = single.sighting(cast, at, rng)
        if number == STANDING_SIGHTINGS or not isinstance(seen, episodes.Observation):
            return
        if takes_picture(cast.by_code[seen.camera]):
            number += 1
            confidence = UNSURE if number % UNSURE_EVERY == 0 else seen.confidence
            yield replace(seen, seen_before=STANDING_FOR, confidence=confidence)


def _lamps_due(cast: Cast, at: datetime) -> bool:
    return weather.lamps_due(at.replace(second=0, microsecond=0), cast.centre)
