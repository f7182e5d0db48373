"""One kind of trouble, at once and again: for trying out a rule or a screen."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from simulator import episodes, weather
from simulator.cast import Cast
from simulator.scenarios.happening import Happening

# A scenario played alone begins after this time, when most devices have reported once.
LEAD = timedelta(seconds=20)
# A leak's peak: over the high limit of 50 %LEL, now and then over the 80 that call for all.
PEAKS_PCT_LEL = (62.0, 34.0, 68.0, 58.0, 88.0)
# What a camera without a list of its own reports.
UNKNOWN_SIGHT = "hawker"

Maker = Callable[[Cast, datetime, random.Random], Happening | None]


def gas_leaks(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    """A gas leak every fifteen minutes."""
    return _again(leak, cast, start, rng, timedelta(minutes=15))


def covers_after_rain(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    """A surge in a sewer that lifts its cover, every fifteen minutes."""
    return _again(surge, cast, start, rng, timedelta(minutes=15))


def covers_carried_off(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    """A cover with a receiver that is carried off, every half an hour."""
    return _again(carried_off, cast, start, rng, timedelta(minutes=30))


def cabinet_outages(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    """A lighting cabinet without supply, every thirty minutes; shows only by night."""
    return _again(outage, cast, start, rng, timedelta(minutes=30))


def lamp_faults(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    """A lamp that is dark by night or leaks current by day, every ten minutes."""
    return _again(lamp_fault, cast, start, rng, timedelta(minutes=10))


def street_vending(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    """A camera sees something on the street every two minutes."""
    return _again(sighting, cast, start, rng, timedelta(minutes=2))


def calm(cast: Cast, start: datetime, rng: random.Random) -> Iterator[Happening]:
    """Nothing happens; the devices report as always."""
    return iter(())


def leak(cast: Cast, at: datetime, rng: random.Random) -> Happening | None:
    """A leak at a detector that measures concentration."""
    device, peak = cast.pick(rng, "gas", "native"), rng.choice(PEAKS_PCT_LEL)
    return None if device is None else episodes.gas_leak(device.code, at, peak)


def clear_leak(cast: Cast, at: datetime, rng: random.Random) -> Happening | None:
    """A leak that certainly passes the low and the high limit."""
    device = cast.pick(rng, "gas", "native")
    return None if device is None else episodes.gas_leak(device.code, at, PEAKS_PCT_LEL[0])


def switch_leak(cast: Cast, at: datetime, rng: random.Random) -> Happening | None:
    """A leak at a detector that only says alarm or not."""
    device = cast.pick(rng, "gas", "chirpstack")
    return None if device is None else episodes.gas_leak(device.code, at, PEAKS_PCT_LEL[0])


def opened(cast: Cast, at: datetime, rng: random.Random) -> Happening | None:
    device = cast.pick(rng, "manhole")
    return None if device is None else episodes.cover_opened(device.code, at)


def carried_off(cast: Cast, at: datetime, rng: random.Random) -> Happening | None:
    device = cast.pick(rng, "manhole")
    return None if device is None else episodes.cover_carried_off(device.code, at)


def surge(cast: Cast, at: datetime, rng: random.Random) -> Happening | None:
    device = cast.pick(rng, "manhole")
    return None if device is None else episodes.sewer_surge(device.code, at)


def outage(cast: Cast, at: datetime, rng: random.Random) -> Happening | None:
    if not cast.cabinets:
        return None
    lamps = cast.cabinets[rng.choice(list(cast.cabinets))]
    return episodes.cabinet_outage(tuple(lamp.code for lamp in lamps), at)


def lamp_fault(cast: Cast, at: datetime, rng: random.Random) -> Happening | None:
    """Dark by night; by day, when a dark lamp is as it should be, current leaks."""
    device = cast.pick(rng, "light")
    if device is None:
        return None
    by_night = weather.lamps_due(at.replace(second=0, microsecond=0), cast.centre)
    return (episodes.lamp_out if by_night else episodes.lamp_leak)(device.code, at)


def sighting(cast: Cast, at: datetime, rng: random.Random) -> Happening | None:
    """One of the things that this camera looks for."""
    camera = cast.pick(rng, "camera")
    if camera is None:
        return None
    detects = camera.attributes.get("detects") or (UNKNOWN_SIGHT,)
    return episodes.Observation(
        camera=camera.code,
        type=rng.choice(list(detects)),
        starts_at=at,
        lasts=timedelta(seconds=rng.randint(150, 420)),
        confidence=round(rng.uniform(0.55, 0.93), 2),
        bbox=(
            round(rng.uniform(0.1, 0.6), 3),
            round(rng.uniform(0.42, 0.6), 3),
            round(rng.uniform(0.08, 0.3), 3),
            round(rng.uniform(0.1, 0.35), 3),
        ),
    )


def _again(
    make: Maker, cast: Cast, start: datetime, rng: random.Random, every: timedelta
) -> Iterator[Happening]:
    at = start + LEAD
    while (happening := make(cast, at, rng)) is not None:
        yield happening
        at += every
