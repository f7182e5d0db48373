"""The play: every message of the city in the order of time, without end."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from types import MappingProxyType

from city.place import LonLat
from db.seeds.simulated import SimulatedDevice
from simulator import messages, weather
from simulator.cast import Cast
from simulator.episodes import Episode, Observation
from simulator.lamps import LampOrders
from simulator.messages import Message, Sighting
from simulator.model import measure
from simulator.noise import drift, share
from simulator.pictures import draw_street
from simulator.scenarios import Happening, Scenario
from simulator.walk import REPORT_EVERY_S, Patrol, plan_patrol, step_towards

# Every device reports once in this time after the start, so that the map fills.
FILL_S = 18.0
# So many of a camera's sightings are there: 3 of 10 are rejected by a reviewer (domain.md 6.2).
TRUE_SHARE = 0.7

# Does one thing at its time: yields messages and says when it is due again (None: never).
Turn = Callable[[datetime], tuple[list[Message], datetime | None]]


def play(
    cast: Cast,
    scenario: Scenario,
    seed: int,
    start: datetime,
    destinations: Mapping[str, LonLat] = MappingProxyType({}),
    orders: LampOrders | None = None,
) -> Iterator[Message]:
    """All messages from `start` on; the same arguments give the same messages.

    `destinations` is where squads are called to, `orders` what lamps are told; both may change
    while the play goes on.
    """
    stage = _Stage(cast, seed, destinations, orders or LampOrders(cast, seed))
    stage.fill(start)
    stage.follow(scenario(cast, start, random.Random(seed)))
    stage.patrol(start)
    return stage.run()


class _Stage:
    """The agenda of turns, and the episodes that are under way."""

    def __init__(
        self, cast: Cast, seed: int, destinations: Mapping[str, LonLat], orders: LampOrders
    ) -> None:
        self._cast = cast
        self._seed = seed
        self._destinations = destinations
        self._squads_at: dict[str, LonLat] = {}
        self._agenda: list[tuple[datetime, int, Turn]] = []
        self._order = count()
        self._under_way: dict[str, list[Episode]] = {}
        self._orders = orders
        orders.watch(self._under_way)

    def run(self) -> Iterator[Message]:
        while self._agenda:
            at, _, turn = heapq.heappop(self._agenda)
            sent, again_at = turn(at)
            if again_at is not None:
                self._put(again_at, turn)
            yield from sent

    def fill(self, start: datetime) -> None:
        """Every device's first report within the fill time, then each at its own beat."""
        devices = list(self._cast.devices)
        random.Random(self._seed).shuffle(devices)
        for number, device in enumerate(devices):
            first = start + timedelta(seconds=FILL_S * number / len(devices))
            self._put(first, self._reporting(device, start + timedelta(seconds=FILL_S)))

    def follow(self, happenings: Iterator[Happening]) -> None:
        """Let the scenario's next happening begin at its time, and so on."""
        happening = next(happenings, None)
        if happening is None:
            return

        def begin(at: datetime) -> tuple[list[Message], datetime | None]:
            self.follow(happenings)
            if isinstance(happening, Observation):
                self._put(at, self._observing(happening))
            else:
                self._begin(happening)
            return [], None

        self._put(happening.starts_at, begin)

    def patrol(self, start: datetime) -> None:
        for squad in self._cast.squads:
            first = start + timedelta(seconds=REPORT_EVERY_S * share(self._seed, squad.code))
            self._put(first, self._patrolling(plan_patrol(squad, self._cast)))

    def _put(self, at: datetime, turn: Turn) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), turn))

    def _reporting(self, device: SimulatedDevice, filled_at: datetime) -> Turn:
        # Whole milliseconds: a beat that is rounded to just before itself would never end.
        interval = device.report_interval_s * 1000
        phase = int(interval * share(self._seed, device.code, "beat"))

        def report(at: datetime) -> tuple[list[Message], datetime]:
            after = round(max(at, filled_at).timestamp() * 1000)
            beat = (after - phase) // interval + 1
            again_at = datetime.fromtimestamp((beat * interval + phase) / 1000, at.tzinfo)
            return [self._report(device, at)], again_at

        return report

    def _report(self, device: SimulatedDevice, at: datetime) -> Message:
        if device.kind == "camera":
            return messages.camera_status(device, at)
        values = measure(self._seed, device, at, self._cast.centre)
        if device.kind == "light":
            values = self._orders.change(device, values, at)
        for episode in self._under_way.get(device.code, ()):
            values = episode.change(device, values, at)
        return messages.telemetry(device, values, at)

    def _begin(self, episode: Episode) -> None:
        for number, code in enumerate(episode.devices):
            self._under_way.setdefault(code, []).append(episode)
            # Devices of one episode notice it one after the other, a fifth of a second apart.
            noticed_at = episode.starts_at + timedelta(seconds=0.2 * number)
            self._put(noticed_at, self._in_trouble(self._cast.by_code[code], episode))

    def _in_trouble(self, device: SimulatedDevice, episode: Episode) -> Turn:
        def report(at: datetime) -> tuple[list[Message], datetime | None]:
            if at < episode.ends_at:
                return [self._report(device, at)], at + episode.report_every
            self._under_way[device.code].remove(episode)
            return [self._report(device, at)], None  # recovery is reported at once

        return report

    def _observing(self, seen: Observation) -> Turn:
        camera = self._cast.by_code[seen.camera]
        began = round(seen.starts_at.timestamp(), 3)
        event_id = f"{began}-{camera.code.lower()}"

        def observe(at: datetime) -> tuple[list[Message], datetime | None]:
            over = at >= seen.ends_at
            phase = "end" if over else "update" if at > seen.starts_at else "new"
            ended = seen.ends_at if over else None
            # The analytics grow surer or less sure from picture to picture.
            confidence = seen.confidence + 0.06 * drift(self._seed, at, 60, event_id)
            picture = b""
            if phase == "new" and messages.takes_picture(camera):
                picture = draw_street(
                    camera.code, seen.type, seen.bbox,
                    night=weather.lamps_due(at.replace(second=0, microsecond=0), self._cast.centre),
                    there=share(self._seed, event_id, "there") < TRUE_SHARE,
                )  # fmt: skip
            sighting = Sighting(
                event_id, seen.type, phase, seen.starts_at - seen.seen_before, ended,
                round(confidence, 3), seen.bbox, picture,
            )  # fmt: skip
            again_at = None if over else min(at + seen.update_every, seen.ends_at)
            return [messages.video(camera, sighting, at)], again_at

        return observe

    def _patrolling(self, patrol: Patrol) -> Turn:
        squad = patrol.squad

        def report(at: datetime) -> tuple[list[Message], datetime]:
            again_at = at + timedelta(seconds=REPORT_EVERY_S)
            there = self._destinations.get(squad.code) or patrol.place_at(self._seed, at)
            if there is None:
                return [], again_at
            place = step_towards(self._squads_at.get(squad.code), there, REPORT_EVERY_S)
            self._squads_at[squad.code] = place
            message = messages.position(squad.district, squad.code, place.lon, place.lat, at)
            return [message], again_at

        return report
