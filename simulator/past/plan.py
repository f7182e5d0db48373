"""What happened in the demonstration city, day by day; the same seed gives the same days. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

from city.alarm import Severity
from city.incident import Action, IncidentState, Role, Source
from city.past import Matter, Trip
from city.person import system_caller
from city.place import LonLat, distance_m
from simulator.noise import share
from simulator.past import words
from simulator.past.rhythm import Day, day_of, number_of, second_of_day
from simulator.past.town import Sensor, Spot, Town
from simulator.past.work import Course, deal_with

SEED = 460107
# Cases on an ordinary day, reported by people or by sensors.
CASES_A_DAY = 25.0
# Two cases of one category so near in so short a time would be one matter.
APART_M, APART_FOR = 60.0, timedelta(hours=25)
TRIES = 12
# Markets, stations and old streets: these cells have many times as much as the others.
HOT_SHARE, HOT_WEIGHT, WARM_SHARE, WARM_WEIGHT = 0.012, 26.0, 0.08, 5.0
ENGINE_S, DISPATCH_S = 0.7, 0.4


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of matter that people report: how often, at what time of day, and what moves it."""

    category: str
    weight: float
    hours: str
    rainy: bool = False
    trade: bool = False
    weekend: float = 1.0
    storm: float = 1.4


@dataclass(frozen=True, slots=True)
class Fault:
    """What sensors find; `weight` counts among those of the reported kinds."""

    rule: str
    kind: str
    weight: float
    hours: str
    rainy: bool = False
    storm: float = 1.3


KINDS = (
    Kind("04-01", 110, "street", trade=True, weekend=1.5),
    Kind("04-05", 75, "street", trade=True, weekend=1.3),
    Kind("04-06", 55, "street", trade=True, weekend=1.3),
    Kind("04-02", 30, "street", trade=True, weekend=1.6),
    Kind("04-09", 95, "rush", trade=True, weekend=0.8),
    Kind("04-10", 40, "rush", trade=True, weekend=0.7),
    Kind("04-93", 60, "rush", trade=True, weekend=0.7),
    Kind("04-96", 18, "any", weekend=1.1),
    Kind("01-10", 60, "work"),
    Kind("01-92", 50, "street", weekend=1.3),
    Kind("01-12", 35, "work"),
    Kind("01-14", 16, "rush"),
    Kind("01-11", 20, "work", weekend=0.8),
    Kind("0305", 8, "work", weekend=0.6),
    Kind("01-28", 22, "night", trade=True, weekend=1.6),
    Kind("01-29", 16, "night", trade=True, weekend=1.7),
    Kind("01-36", 26, "work", weekend=0.7),
    Kind("02-01", 26, "work", weekend=0.6),
    Kind("03-02", 16, "work", weekend=0.4),
    Kind("03-04", 9, "work", weekend=0.4),
    Kind("01-13", 20, "work", rainy=True, weekend=0.7),
    Kind("06-06", 22, "work", weekend=0.7),
    Kind("05-08", 6, "any", storm=14),
    Kind("05-96", 3, "any", storm=14),
    Kind("05-06", 20, "any", rainy=True),
    Kind("05-03", 22, "any", rainy=True),
    Kind("0104-blocked", 16, "work", rainy=True),
    Kind("05-01", 4, "any"),
    Kind("0102-noise", 9, "night"),
    Kind("0103-broken", 9, "work"),
    Kind("0137-down", 4, "any", storm=14),
    Kind("0137-wire", 4, "any", storm=14),
    Kind("05-05", 1, "any", rainy=True),
)  # fmt: skip
FAULTS = (
    Fault("gas-lel", "gas", 22, "any"),
    Fault("manhole-open", "manhole", 34, "any"),
    Fault("manhole-water", "manhole", 14, "any", rainy=True),
    Fault("lamp-dark", "light", 62, "night", storm=4),
    Fault("lamp-leakage", "light", 3, "any", rainy=True),
)
SOURCES = (Source.HOTLINE, Source.PATROL, Source.VIDEO, Source.LEADER)
SOURCE_WEIGHTS = (46, 36, 15, 3)
REPORTED_BY = {Source.HOTLINE: Role.DISPATCHER, Source.PATROL: Role.CHECKER,
               Source.VIDEO: Role.DISPATCHER, Source.LEADER: Role.LEADER}  # fmt: skip
ALL = sum(kind.weight for kind in KINDS) + sum(fault.weight for fault in FAULTS)


class Planner:
    """Goes through the days in order and remembers what has just happened where."""

    def __init__(self, town: Town, start: datetime, end: datetime, seed: int = SEED) -> None:
        self._town, self._start, self._end, self._seed = town, start, end, seed
        self._weights = [self._heat(spot) for spot in town.spots]
        self._recent: dict[str, list[tuple[datetime, LonLat]]] = {}
        self._busy_until: dict[int, datetime] = {}

    def matters(self) -> Iterator[Matter]:
        """Everything that happened from start to end, in the order in which it began."""
        day = self._start.astimezone(self._town.zone).date()
        last = self._end.astimezone(self._town.zone).date()
        while day <= last:
            found = sorted(self._matters_of(day), key=lambda matter: matter.opened_at)
            yield from (m for m in found if self._start < m.opened_at < self._end)
            day += timedelta(days=1)

    def _matters_of(self, date_: date) -> Iterator[Matter]:
        rng = Random(f"{self._seed}/{date_}")
        day = day_of(self._seed, date_, works=self._town.works(date_))
        moments: list[tuple[datetime, Kind | Fault]] = []
        for kind in KINDS:
            usual = CASES_A_DAY * kind.weight / ALL
            factor = day.factor(
                rainy=kind.rainy, trade=kind.trade, weekend=kind.weekend, storm=kind.storm
            )
            moments += self._moments(rng, day, kind, usual * factor)
        for fault in FAULTS:
            usual = CASES_A_DAY * fault.weight / ALL
            # Sensors know no days off.
            factor = day.wet if fault.rainy else 1 + (fault.storm - 1) * day.storm
            moments += self._moments(rng, day, fault, usual * factor)
        for at, what in sorted(moments, key=lambda moment: moment[0]):
            matter = (
                self._reported(rng, day, at, what)
                if isinstance(what, Kind)
                else self._sensed(rng, day, at, what)
            )
            if matter is not None:
                yield matter

    def _moments(
        self, rng: Random, day: Day, what: Kind | Fault, mean: float
    ) -> list[tuple[datetime, Kind | Fault]]:
        local = datetime(day.date.year, day.date.month, day.date.day, tzinfo=self._town.zone)
        midnight = local.astimezone(UTC)
        return [
            (midnight + timedelta(milliseconds=round(1000 * second_of_day(rng, what.hours))), what)
            for _ in range(number_of(rng, mean))
        ]

    def _course(self, rng: Random, day: Day, at: datetime, category: str, grid: str) -> Course:
        whole = (self._end - self._start) / timedelta(days=1)
        progress = (at - self._start) / timedelta(days=1) / max(whole, 1.0)
        # Half a minute at the least goes by before anybody does anything.
        begins = at + timedelta(seconds=30)
        found = self._town.categories[category]
        return Course(self._town, rng, found, day, min(1.0, max(0.0, progress)), grid, begins)

    def _reported(self, rng: Random, day: Day, at: datetime, kind: Kind) -> Matter | None:
        place = self._place(rng, kind.category, at)
        if place is None:
            return None
        spot, point = place
        (source,) = rng.choices(SOURCES, SOURCE_WEIGHTS)
        course = self._course(rng, day, at, kind.category, spot.duty_grid)
        deal_with(course, IncidentState.REPORTED)
        return Matter(
            opened_at=at,
            category=kind.category,
            source=source,
            state=IncidentState.REPORTED,
            at=point,
            caller=self._town.people[REPORTED_BY[source]],
            deeds=tuple(course.deeds),
            description=words.report_of(rng, course.category.family),
            reporter=rng.choice(words.REPORTERS) if source is Source.HOTLINE else "",
        )

    def _sensed(self, rng: Random, day: Day, at: datetime, fault: Fault) -> Matter | None:
        sensors = self._town.sensors[fault.rule]
        sensor = rng.choice(sensors)
        device = sensor.device
        point = LonLat(device.lon, device.lat)
        category = category_of(fault, sensor)
        if self._busy_until.get(device.id, at) > at or not self._is_free(category, point, at):
            return None
        severity, value, limit = level_of(rng, fault, sensor)
        raised_at = at + timedelta(seconds=ENGINE_S)
        opened_at = raised_at + timedelta(seconds=DISPATCH_S)
        course = self._course(rng, day, opened_at, category, sensor.duty_grid)
        course.red = True  # alarms wait for nobody
        done_at = deal_with(course, IncidentState.FILED)
        assert done_at is not None, "a matter with an alarm is always seen to"
        trip = Trip(
            rule=fault.rule,
            severity=severity,
            device=device,
            name=sensor.name,
            value=value,
            limit=limit,
            sensed_at=at,
            raised_at=raised_at,
            seen_at=raised_at + timedelta(seconds=round(rng.uniform(15, 240), 1)),
            seen_by=self._town.people[Role.DISPATCHER].name,
            cleared_at=first_handling(course) - timedelta(seconds=round(rng.uniform(100, 240), 1)),
        )
        over = course.deeds[-1].at
        self._busy_until[device.id] = max(over, at) + APART_FOR
        if trip.cleared_at >= self._end or trip.seen_at >= self._end:
            return None  # its sensor would have to say so today
        self._note(category, point, at)
        return Matter(
            opened_at=opened_at,
            category=category,
            source=Source.SENSOR,
            state=IncidentState.FILED,
            at=point,
            caller=system_caller(self._town.district),
            deeds=tuple(course.deeds),
            trip=trip,
        )

    def _place(self, rng: Random, category: str, at: datetime) -> tuple[Spot, LonLat] | None:
        for _ in range(TRIES):
            (spot,) = rng.choices(self._town.spots, self._weights)
            point = spot.at(rng.uniform(0.05, 0.95), rng.uniform(0.05, 0.95))
            if self._is_free(category, point, at):
                self._note(category, point, at)
                return spot, point
        return None

    def _is_free(self, category: str, point: LonLat, at: datetime) -> bool:
        since = at - APART_FOR
        recent = [one for one in self._recent.get(category, ()) if one[0] > since]
        self._recent[category] = recent
        return all(distance_m(point, other) > APART_M for _, other in recent)

    def _note(self, category: str, point: LonLat, at: datetime) -> None:
        self._recent.setdefault(category, []).append((at, point))

    def _heat(self, spot: Spot) -> float:
        chance = share(self._seed, spot.code, "heat")
        if chance < HOT_SHARE:
            return HOT_WEIGHT
        return WARM_WEIGHT if chance < HOT_SHARE + WARM_SHARE else 1.0


def first_handling(course: Course) -> datetime:
    """When the work was done for the first time."""
    return next(deed.at for deed in course.deeds if deed.request.action is Action.HANDLE)


def category_of(fault: Fault, sensor: Sensor) -> str:
    """The category that the rule, or the device, gives the alarm."""
    if fault.rule == "manhole-open":
        return str(sensor.device.attributes["cover_code"])
    return {"gas-lel": "05-02", "manhole-water": "05-06", "lamp-dark": "0137",
            "lamp-leakage": "0137-leak"}[fault.rule]  # fmt: skip


def level_of(rng: Random, fault: Fault, sensor: Sensor) -> tuple[Severity, float, float]:
    """How bad it was, the value that tripped and the limit that it passed."""
    attributes = sensor.device.attributes
    match fault.rule:
        case "gas-lel":
            if rng.random() < 0.22:
                return Severity.RED, round(rng.uniform(50, 88), 2), 50.0
            return Severity.ORANGE, round(rng.uniform(20, 49), 2), 20.0
        case "manhole-open":
            return Severity.ORANGE, 1.0, 1.0
        case "manhole-water":
            limit = float(attributes["water_limit_cm"])
            return Severity.YELLOW, round(limit + rng.uniform(1, 40), 2), limit
        case "lamp-dark":
            rated = float(attributes["rated_power_w"])
            return Severity.BLUE, round(rng.uniform(0, 0.1) * rated, 2), round(0.8 * rated, 2)
        case _:
            limit = float(attributes["leakage_limit_ma"])
            return Severity.RED, round(limit * rng.uniform(1.1, 2.2), 2), limit
