"""Made histories of sensors with what a good alarm system says of them: leaks, biogas, covers,
lamps, and what only looks like a matter. Seeded; no real place or person.

Rules are tried on them (`./run bench histories`): every class with its own seed-dependent shapes,
with lost frames, late arrival and mixtures, so that a rule that fits one set alone is found out.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from city.place import LonLat
from city.sun import is_dark

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
CENTRE = (110.33, 19.98)
NOISE_LEL = 0.18
# A leak must be told before this long after the limit was measured.
GRACE = timedelta(seconds=90)
RATED_W = 150.0

Value = Callable[[float], float]  # seconds since the beginning


@dataclass(frozen=True, slots=True)
class Conditions:
    """How hard a set is."""

    lost: float = 0.03  # share of frames that never come
    late: float = 0.02  # share that comes minutes to half an hour late
    spread: float = 1.0  # of rates and heights


@dataclass(frozen=True, slots=True)
class MadeDevice:
    code: str
    kind: str
    lon: float
    lat: float
    interval_s: int
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MadeReading:
    ts: datetime
    received_at: datetime
    device: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """A matter: one of `devices` must have an alarm at least this bad in the time; `limit_at` is
    when a limit alone would have told of it."""

    condition: str
    severity: str
    devices: tuple[str, ...]
    start: datetime
    by: datetime
    limit_at: datetime | None = None
    open_at_end: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario: its class, its devices, what must be told and how many alarms may be."""

    name: str
    kind: str
    devices: tuple[str, ...]
    wanted: tuple[Wanted, ...] = ()
    at_most: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Made:
    """A whole set; readings in the order of arrival."""

    devices: list[MadeDevice] = field(default_factory=list)
    readings: list[MadeReading] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)


class Maker:
    """Adds one case after the other to a set."""

    def __init__(self, seed: int, conditions: Conditions) -> None:
        self.chance = random.Random(seed)
        self.conditions = conditions
        self.made = Made()

    def about(self, low: float, high: float) -> float:
        """A number in a range that is as wide as the set is hard."""
        middle, half = (low + high) / 2, (high - low) / 2 * self.conditions.spread
        return self.chance.uniform(max(low * 0.3, middle - half), middle + half)

    def device(
        self, prefix: str, kind: str, interval_s: int, near: MadeDevice | None = None, **more: Any
    ) -> MadeDevice:
        """A new device, far from all others or about 40 m from one of them."""
        number = len(self.made.devices) + 1
        if near is None:
            lon = CENTRE[0] + (number % 40) * 0.004
            lat = CENTRE[1] + (number // 40) * 0.004
        else:
            lon, lat = near.lon + self.chance.uniform(2e-4, 5e-4), near.lat
        made = MadeDevice(f"{prefix}-{number:05d}", kind, lon, lat, interval_s, more)
        self.made.devices.append(made)
        return made

    def hear(
        self, device: MadeDevice, metrics: Mapping[str, Value], hours: float, digits: int = 1,
        until_s: float | None = None,
    ) -> list[MadeReading]:  # fmt: skip
        """What arrives of a device; the last frame is never lost."""
        heard = []
        at = self.chance.uniform(0, device.interval_s)
        end = hours * 3600 if until_s is None else until_s
        while at < end:
            moment = at + self.chance.uniform(-0.02, 0.02) * device.interval_s
            at += device.interval_s
            if self.chance.random() < self.conditions.lost and at < end:
                continue
            delay = self.chance.uniform(0.2, 3.0)
            if self.chance.random() < self.conditions.late:
                delay = self.chance.uniform(60, 1800)
            ts = BEGIN + timedelta(seconds=max(0.0, moment))
            for metric, value in metrics.items():
                number = round(value(max(0.0, moment)), digits)
                received = ts + timedelta(seconds=delay)
                heard.append(MadeReading(ts, received, device.code, metric, number))
        self.made.readings += heard
        return heard

    def gas(self, shape: Value, drift_a_day: float = 0.0) -> Value:
        """A detector's reading of a concentration: its zero, its noise, never below -0.5."""
        zero = self.chance.uniform(0.1, 0.9)

        def value(at: float) -> float:
            noise = self.chance.gauss(0, NOISE_LEL)
            return max(-0.5, zero + drift_a_day * at / 86_400 + shape(at) + noise)

        return value

    def plume(self, begin: float, height: float, tau: float, end: float | None = None) -> Value:
        """A leak that fills a space, with gusts; after `end` it is aired within minutes."""
        gust = self.chance.uniform(0.02, 0.07)
        beat = self.chance.uniform(400, 1500)

        def value(at: float) -> float:
            if at < begin:
                return 0.0
            until = at if end is None else min(at, end)
            full = height * (1 - math.exp(-(until - begin) / tau))
            left = 1.0 if end is None or at <= end else math.exp(-(at - end) / 900)
            swing = 1 + gust * math.sin(2 * math.pi * at / beat) * (
                1 - math.exp(-(at - begin) / tau)
            )
            return full * left * swing

        return value

    def breath(self, peak: float) -> Value:
        """Biogas of a sewer: once a day, at night, steady, a little different every day."""
        width = self.chance.uniform(2.2, 3.4) * 3600
        hour = self.chance.uniform(18.0, 23.0) * 3600  # UTC: 2 to 7 o'clock there
        days = [self.chance.uniform(0.85, 1.0) for _ in range(40)]

        def value(at: float) -> float:
            day, clock = divmod(at - hour + 43_200, 86_400)
            return peak * days[int(day) % 40] * math.exp(-(((clock - 43_200) / width) ** 2) / 2)

        return value

    def case(self, kind: str, devices: Sequence[MadeDevice], *wanted: Wanted, **most: int) -> None:
        names = tuple(device.code for device in devices)
        name = f"{kind}-{len(self.made.cases)}"
        self.made.cases.append(Case(name, kind, names, wanted, most))


def first_at(
    heard: Sequence[MadeReading], limit: float, metric: str = "ch4_pct_lel"
) -> datetime | None:
    """When a value was measured first that is at or above a limit."""
    times = [r.ts for r in heard if r.metric == metric and r.value >= limit]
    return min(times, default=None)


def _seconds(at: float) -> datetime:
    return BEGIN + timedelta(seconds=at)


def make(seed: int, conditions: Conditions = Conditions(), each: int = 6) -> Made:
    """A set of `each` cases of every class."""
    maker = Maker(seed, conditions)
    for _ in range(each):
        for add in CLASSES:
            add(maker)
    maker.made.readings.sort(key=lambda r: (r.received_at, r.device))
    return maker.made


def _told_by_limit(
    maker: Maker, kind: str, device: MadeDevice, heard: Sequence[MadeReading], begin: float,
    at_most: int = 2,
) -> None:  # fmt: skip
    """A leak: orange not later than by the limit, red where it comes so far."""
    wanted = []
    for limit, severity in ((20, "orange"), (50, "red")):
        at = first_at(heard, limit)
        if at is not None:
            wanted.append(Wanted("gas", severity, (device.code,), _seconds(begin), at + GRACE, at))
    maker.case(kind, [device], *wanted, gas=at_most)


def _leak(maker: Maker, kind: str, interval_s: int, height: float, tau: float) -> None:
    device = maker.device("G", "gas", interval_s)
    begin = maker.about(6, 12) * 3600
    shape = maker.gas(maker.plume(begin, height, tau, begin + 9 * 3600))
    _told_by_limit(maker, kind, device, maker.hear(device, {"ch4_pct_lel": shape}, 28), begin)


def _leak_fast(maker: Maker) -> None:
    _leak(maker, "leak-fast", maker.chance.choice((10, 30, 60)), maker.about(65, 110),
          maker.about(150, 500))  # fmt: skip


def _leak_slow(maker: Maker) -> None:
    _leak(maker, "leak-slow", maker.chance.choice((60, 120, 300)), maker.about(30, 48),
          maker.about(3600, 9000))  # fmt: skip


def _leak_battery(maker: Maker) -> None:
    _leak(maker, "leak-battery", maker.chance.choice((900, 1800)), maker.about(55, 70),
          maker.about(1200, 3000))  # fmt: skip


def _leak_drift(maker: Maker) -> None:
    device = maker.device("G", "gas", 300)
    begin = maker.about(4, 7) * 86_400
    zero = maker.chance.choice((-1, 1)) * maker.about(0.2, 0.5)
    shape = maker.gas(maker.plume(begin, maker.about(30, 45), 5400), min(zero, 0.5))
    heard = maker.hear(device, {"ch4_pct_lel": shape}, begin / 3600 + 12)
    _told_by_limit(maker, "leak-drift", device, heard, begin)


def _leak_in_well(maker: Maker) -> None:
    device = maker.device("W", "manhole", 300)
    breath, begin = maker.breath(maker.about(8, 16)), maker.about(30, 44) * 3600
    plume = maker.plume(begin, maker.about(40, 70), maker.about(900, 2400), begin + 5 * 3600)
    shape = maker.gas(lambda at: breath(at) + plume(at))
    heard = maker.hear(device, {"ch4_pct_lel": shape}, 72)
    _told_by_limit(maker, "leak-in-well", device, heard, begin, at_most=3)


def _silent(maker: Maker) -> None:
    device = maker.device("G", "gas", 60)
    begin = 4 * 3600.0
    end = begin + maker.about(1200, 2400)
    shape = maker.gas(maker.plume(begin, 90, 200))
    heard = maker.hear(device, {"ch4_pct_lel": shape}, 0, until_s=end)
    at = first_at(heard, 50)
    assert at is not None
    wanted = Wanted("gas", "red", (device.code,), _seconds(begin), at + GRACE, at, True)
    maker.case("silent-in-alarm", [device], wanted, gas=1)


def _neighbours(maker: Maker) -> None:
    one = maker.device("G", "gas", 60)
    other = maker.device("G", "gas", maker.chance.choice((60, 120, 300)), near=one)
    begin, tau = maker.about(6, 10) * 3600, maker.about(1200, 2700)
    for device in (one, other):
        plume = maker.plume(begin + maker.about(0, 600), maker.about(10, 16), tau)
        maker.hear(device, {"ch4_pct_lel": maker.gas(plume)}, 24)
    names = (one.code, other.code)
    by = _seconds(begin + 2.5 * 3600)
    wanted = Wanted("gas", "yellow", names, _seconds(begin), by)
    maker.case("neighbours", [one, other], wanted, gas=2)


def _biogas_under(maker: Maker) -> None:
    device = maker.device("W", "manhole", maker.chance.choice((120, 300, 600)))
    shape = maker.gas(maker.breath(min(18.0, maker.about(9, 17))))
    maker.hear(device, {"ch4_pct_lel": shape}, 72)
    maker.case("biogas-under", [device], gas=0)


def _biogas_over(maker: Maker) -> None:
    device = maker.device("W", "manhole", 300)
    shape = maker.gas(maker.breath(maker.about(26, 40)))
    heard = maker.hear(device, {"ch4_pct_lel": shape}, 48)
    at = first_at(heard, 20)
    wanted = () if at is None else (Wanted("gas", "orange", (device.code,), BEGIN, at + GRACE, at),)
    maker.case("biogas-over", [device], *wanted, gas=4)


def _wobble(maker: Maker) -> None:
    device = maker.device("G", "gas", maker.chance.choice((10, 30, 60)))
    begin, beat = maker.about(3, 6) * 3600, maker.about(120, 700)
    half = maker.about(2, 4)

    def shape(at: float) -> float:
        if not begin <= at <= begin + 3 * 3600:
            return 0.0
        return 19.5 + half * math.sin(2 * math.pi * at / beat)

    heard = maker.hear(device, {"ch4_pct_lel": maker.gas(shape)}, 10)
    at = first_at(heard, 20)
    assert at is not None
    wanted = Wanted("gas", "orange", (device.code,), _seconds(begin - 60), at + GRACE, at)
    maker.case("wobble", [device], wanted, gas=1)


def _gusts(maker: Maker) -> None:
    device = maker.device("G", "gas", 30)
    begin, beat = maker.about(2, 4) * 3600, maker.about(1500, 2400)

    def shape(at: float) -> float:
        if not begin <= at <= begin + 3 * 3600:
            return 0.0
        return 4.0 if (at - begin) % beat < 220 else 29.0

    heard = maker.hear(device, {"ch4_pct_lel": maker.gas(shape)}, 9)
    at = first_at(heard, 20)
    assert at is not None
    wanted = Wanted("gas", "orange", (device.code,), _seconds(begin), at + GRACE, at)
    maker.case("gusts", [device], wanted, gas=1)


def _drift(maker: Maker) -> None:
    device = maker.device("G", "gas", maker.chance.choice((300, 600)))
    a_day = maker.chance.choice((-0.3, 1, 1)) * maker.about(0.25, 0.6)
    maker.hear(device, {"ch4_pct_lel": maker.gas(lambda at: 0.0, a_day)}, 12 * 24)
    maker.case("drift", [device], gas=0)


def _stuck(maker: Maker) -> None:
    device = maker.device("G", "gas", 300)
    value = maker.about(2.5, 7)
    maker.hear(device, {"ch4_pct_lel": lambda at: value}, 72)
    maker.case("stuck", [device], gas=0)


def _spike(maker: Maker) -> None:
    device = maker.device("G", "gas", 60)
    place = int(maker.about(300, 900))

    def shape(at: float) -> float:
        return 35.0 if int(at // 60) == place else 0.0

    maker.hear(device, {"ch4_pct_lel": maker.gas(shape)}, 24)
    maker.case("spike", [device], gas=1)


def _cooking(maker: Maker) -> None:
    """Short puffs beside a kitchen: minutes long, far below the limit, gone at once."""
    device = maker.device("G", "gas", 60)
    hours = [maker.about(3, 21) * 3600 for _ in range(6)]
    height = maker.about(3, 5)

    def shape(at: float) -> float:
        return max((height * math.exp(-(((at - h) / 240) ** 2)) for h in hours), default=0.0)

    maker.hear(device, {"ch4_pct_lel": maker.gas(shape)}, 24)
    maker.case("puffs", [device], gas=0)


def _traffic(maker: Maker) -> None:
    zero = round(maker.about(0, 6), 1)
    device = maker.device("M", "manhole", 600, tilt_baseline_deg=zero)
    maker.hear(device, {"tilt_deg": lambda at: zero + abs(maker.chance.gauss(0, 2.5))}, 48)
    maker.case("traffic", [device], cover=0)


def _opened(maker: Maker) -> None:
    zero = round(maker.about(0, 6), 1)
    device = maker.device("M", "manhole", 600, tilt_baseline_deg=zero)
    begin = maker.about(10, 30) * 3600
    angle = maker.about(95, 130)
    shapes: dict[str, Value] = {
        "tilt_deg": lambda at: zero + (angle if at >= begin else 0.0),
        "cover_open": lambda at: float(at >= begin),
    }
    heard = maker.hear(device, shapes, 48)
    at = first_at(heard, 1, "cover_open")
    assert at is not None
    wanted = Wanted("cover", "orange", (device.code,), _seconds(begin), at + GRACE, at)
    maker.case("opened", [device], wanted, cover=1)


def _water(maker: Maker) -> None:
    device = maker.device("M", "manhole", 300, water_limit_cm=140)
    begin, tau = maker.about(8, 20) * 3600, maker.about(1800, 5400)

    def shape(at: float) -> float:
        if at < begin:
            return 30.0
        up = 30 + 170 * (1 - math.exp(-(at - begin) / tau))
        return up if at < begin + 5 * 3600 else max(30.0, 200 - (at - begin - 18_000) / 60)

    heard = maker.hear(device, {"water_level_cm": lambda at: shape(at) + maker.chance.gauss(0, 1)},
                       48)  # fmt: skip
    at = first_at(heard, 140.1, "water_level_cm")
    assert at is not None
    wanted = Wanted("water", "yellow", (device.code,), _seconds(begin), at + GRACE, at)
    maker.case("water", [device], wanted, water=1)


def _lamp_values(
    maker: Maker, device: MadeDevice, is_lit: Callable[[float, bool], bool],
    level: Callable[[float], float] = lambda at: 100.0,
) -> dict[str, Value]:  # fmt: skip
    """On, level and power of a lamp; `is_lit` is told the time and whether it is night."""
    place = LonLat(device.lon, device.lat)

    def lit(at: float) -> bool:
        return is_lit(at, is_dark(_seconds(at), place))

    return {
        "lamp_on": lambda at: float(lit(at)),
        "dim_pct": lambda at: level(at) if lit(at) else 0.0,
        "power_w": lambda at: (
            RATED_W * level(at) / 100 * maker.chance.uniform(0.96, 1.03) if lit(at) else 0.0
        ),
    }


def _dusk(day: int, device: MadeDevice) -> float:
    """When it is dark on a day, in seconds since the beginning."""
    at = day * 86_400 + 9 * 3600.0
    while not is_dark(_seconds(at), LonLat(device.lon, device.lat)):
        at += 60
    return at


def _lamp_out(maker: Maker) -> None:
    device = maker.device(
        "L", "light", 900, rated_power_w=RATED_W, cabinet=f"C{len(maker.made.cases)}"
    )
    dusk = _dusk(1, device)
    fails = dusk - 3600
    maker.hear(device, _lamp_values(maker, device, lambda at, night: night and at < fails), 56)
    wanted = Wanted("lamp", "blue", (device.code,), _seconds(dusk), _seconds(dusk + 5400))
    maker.case("lamp-out", [device], wanted, lamp=1)


def _cabinet(maker: Maker) -> None:
    count, name = maker.chance.randint(8, 16), f"C{len(maker.made.cases)}"
    first = maker.device("L", "light", 900, rated_power_w=RATED_W, cabinet=name)
    lamps = [first]
    for _ in range(count - 1):
        lamps.append(
            maker.device("L", "light", 900, near=lamps[-1], rated_power_w=RATED_W, cabinet=name)
        )
    fails = _dusk(1, first) + maker.about(1, 4) * 3600
    for lamp in lamps:
        maker.hear(lamp, _lamp_values(maker, lamp, lambda at, night: night and at < fails), 56)
    names = tuple(lamp.code for lamp in lamps)
    wanted = Wanted("lamp", "yellow", names, _seconds(fails), _seconds(fails + 5400))
    maker.case("cabinet", lamps, wanted, lamp=3)


def _dimmed(maker: Maker) -> None:
    device = maker.device(
        "L", "light", 900, rated_power_w=RATED_W, cabinet=f"C{len(maker.made.cases)}"
    )
    low = round(maker.about(25, 60))

    def level(at: float) -> float:
        return float(low) if 15 * 3600 <= at % 86_400 < 21 * 3600 else 100.0

    maker.hear(device, _lamp_values(maker, device, lambda at, night: night, level), 56)
    maker.case("dimmed", [device], lamp=0, day_burn=0)


def _day_burn(maker: Maker) -> None:
    device = maker.device(
        "L", "light", 900, rated_power_w=RATED_W, cabinet=f"C{len(maker.made.cases)}"
    )
    begin = 86_400 + maker.about(0.5, 4) * 3600  # UTC: from 8 o'clock on
    end = begin + maker.about(2, 4) * 3600
    shapes = _lamp_values(maker, device, lambda at, night: night or begin <= at <= end)
    maker.hear(device, shapes, 56)
    by = _seconds(begin + 2 * 3600)
    wanted = Wanted("day_burn", "blue", (device.code,), _seconds(begin), by)
    maker.case("day-burn", [device], wanted, lamp=0, day_burn=1)


CLASSES: tuple[Callable[[Maker], None], ...] = (
    _leak_fast, _leak_slow, _leak_battery, _leak_drift, _leak_in_well, _silent, _neighbours,
    _biogas_under, _biogas_over, _wobble, _gusts, _drift, _stuck, _spike, _cooking, _traffic,
    _opened, _water, _lamp_out, _cabinet, _dimmed, _day_burn,
)  # fmt: skip
SEVERITIES = {"red": 1, "orange": 2, "yellow": 3, "blue": 4}


@dataclass(slots=True)
class Score:
    """Of one class: matters and those told in time, alarms beyond what is allowed, and how much of
    the limit's own delay was left when people were told (1: as late as by the limit alone)."""

    matters: int = 0
    in_time: int = 0
    nuisance: int = 0
    shares: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def score(cases: Sequence[Case], alarms: Sequence[Mapping[str, Any]]) -> dict[str, Score]:
    """What `rules backtest --json` says (times as datetimes) against what is wanted, by class."""
    by_device: dict[str, list[Mapping[str, Any]]] = {}
    for alarm in alarms:
        for name in {alarm["device"], *alarm["members"]}:
            by_device.setdefault(name, []).append(alarm)
    found: dict[str, Score] = {}
    for case in cases:
        mine = list({id(a): a for name in case.devices for a in by_device.get(name, ())}.values())
        kind = found.setdefault(case.kind, Score())
        for wanted in case.wanted:
            kind.matters += 1
            times = sorted(_told(wanted, mine))
            if not times:
                kind.wrong.append(f"{case.name}: {wanted.severity} {wanted.condition} was missed")
                continue
            kind.in_time += 1
            if wanted.limit_at is not None and wanted.limit_at > wanted.start:
                kind.shares.append((times[0] - wanted.start) / (wanted.limit_at - wanted.start))
        for condition, most in case.at_most.items():
            beyond = sum(alarm["condition"] == condition for alarm in mine) - most
            if beyond > 0:
                kind.nuisance += beyond
                kind.wrong.append(f"{case.name}: {beyond} {condition} too many")
    return found


def _told(wanted: Wanted, alarms: Sequence[Mapping[str, Any]]) -> Iterator[datetime]:
    for alarm in alarms:
        about = {alarm["device"], *alarm["members"]}
        if alarm["condition"] != wanted.condition or about.isdisjoint(wanted.devices):
            continue
        if wanted.open_at_end and alarm["cleared_at"]:
            continue
        reached = [
            level["at"]
            for level in alarm["levels"]
            if SEVERITIES[level["severity"]] <= SEVERITIES[wanted.severity]
        ]
        if reached and wanted.start <= min(reached) <= wanted.by:
            yield min(reached)
