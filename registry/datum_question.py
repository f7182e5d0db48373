"""Pure: whether positions lie beside everything known the way a shifted datum does.

A file in GCJ-02 that says nothing is off by half a kilometre, nearly the same for all its points,
and no single one of them looks wrong. So the points are shifted back, and both readings are held
against what is known: devices of the same code, the outline, streets and other devices. One witness
that the points stand right where they are ends the suspicion.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from city.datum import Datum, in_mainland, to_wgs84
from city.place import EARTH_RADIUS_M, LonLat

SUSPECTS = (Datum.GCJ02, Datum.BD09)
# Points looked at, spread over the file: more would say the same.
POINTS_MAX = 2_000
# Points this near to each other say the same thing and count once.
SPOT_M = 200.0
# A device of the same code stands on its place: receivers in streets are this good.
SAME_PLACE_M = 60.0
# Places of the same code are so many times farther off as they stand as when shifted back.
CLEARLY_OFF = 3.0
# Fewer spots than this have no say about outline or streets.
OUTLINE_SPOTS = 3
# Outlines are drawn to about this.
OUTLINE_TOLERANCE_M = 100.0
STREET_SPOTS = 10
# So many of all spots lie outside as they stand, and so few of these remain when shifted back.
OUTSIDE_SHARE = 0.2
STILL_OUTSIDE_SHARE = 0.1
# What stands along streets is so near to them; whoever is as near as he stands is not accused.
BESIDE_M = 40.0
NEAR_ENOUGH_M = 20.0
# Shifted back, the distance is at most this part of what it was.
NEARER = 0.5
# The chance that as many spots come nearer to streets for no reason.
CHANCE = 0.001

Metres = npt.NDArray[np.float64]  # (n, 2), east and north


@dataclass(frozen=True, slots=True)
class Given:
    """A position that a file gives, degrees."""

    code: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Known:
    """What stands fast: outlines, places of devices by code, streets; degrees, WGS-84."""

    outlines: Sequence[BaseGeometry]
    places: Mapping[str, tuple[float, float]]
    streets: Sequence[BaseGeometry] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One comparison: `same_devices` and `streets` in metres, `outline` in spots outside."""

    kind: str
    count: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class DatumQuestion:
    """The datum that the positions seem to be in, how far aside that is, and why it seems so."""

    suspected: Datum
    offset_m: int
    points: int
    evidence: tuple[Evidence, ...]

    def as_text(self) -> str:
        """For people who can answer on the command line or over the API."""
        label = self.suspected.label
        lines = [
            f"these positions look like {label}: shifted back by its {self.offset_m} m they fit,"
            " as they stand they do not",
            *(_WORDS[e.kind].format(**asdict(e)) for e in self.evidence),
            f"nothing was imported; answer with --datum {self.suspected} (they are {label},"
            " convert them) or --datum wgs84 (they are right as they stand)",
        ]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """For screens and programs."""
        return asdict(self) | {"evidence": [asdict(e) for e in self.evidence]}


_WORDS = {
    "same_devices": "  {count} registered devices: {before} m beside their places, {after} m if"
    " shifted back (median)",
    "outline": "  {before} of {count} places outside the district, {after} if shifted back",
    "streets": "  {count} places: {before} m from streets and devices, {after} m if shifted back"
    " (median)",
}


def find_question(given: Sequence[Given], known: Known) -> DatumQuestion | None:
    """What to ask about positions that were taken as WGS-84; None where there is no reason to."""
    step = -(-len(given) // POINTS_MAX) or 1
    # Elsewhere nothing is shifted, so it has nothing to say.
    points = [point for point in given[::step] if in_mainland(LonLat(point.lon, point.lat))]
    if not points:
        return None
    view = _View(points, known)
    asked = [question for suspect in SUSPECTS if (question := view.judge(suspect)) is not None]
    return min(asked, key=_misfit, default=None)


def _misfit(question: DatumQuestion) -> tuple[int, ...]:
    """Smaller is the better explanation; the witness nearest to a proof decides."""
    after = {e.kind: e.after for e in question.evidence}
    return tuple(after.get(kind, 10**6) for kind in ("same_devices", "streets", "outline"))


class _View:
    """The points of a file and what is known around them, on a plane in metres."""

    def __init__(self, points: Sequence[Given], known: Known) -> None:
        self._points = points
        self._degrees = np.array([(point.lon, point.lat) for point in points])
        self._origin = np.median(self._degrees, axis=0)
        north = math.radians(1) * EARTH_RADIUS_M
        self._scale = np.array([north * math.cos(math.radians(self._origin[1])), north])
        self._stand = self._metres(self._degrees)
        self._spots = _spots(self._stand)
        whole = unary_union(list(known.outlines))
        self._outline = self._plane([whole])[0].buffer(OUTLINE_TOLERANCE_M)
        shapely.prepare(self._outline)
        places = [known.places[p.code] for p in points if p.code in known.places]
        self._same = np.array([p.code in known.places for p in points])
        self._registered = self._metres(np.array(places).reshape(-1, 2))
        every = self._metres(np.array([*known.places.values()]).reshape(-1, 2))
        others = [shapely.Point(at) for at in every]
        self._tree = shapely.STRtree([*self._plane(known.streets), *others])

    def _metres(self, degrees: Metres) -> Metres:
        flat: Metres = (degrees - self._origin) * self._scale
        return flat

    def _plane(self, shapes: Iterable[BaseGeometry]) -> list[BaseGeometry]:
        return [shapely.transform(one, self._metres) for one in shapes]

    def judge(self, suspect: Datum) -> DatumQuestion | None:
        """The question about one datum, if the evidence for it is strong and none is against it."""
        back = [to_wgs84(LonLat(p.lon, p.lat), suspect) for p in self._points]
        moved = self._metres(np.array([(place.lon, place.lat) for place in back]))
        seen = (self._same_devices(moved), self._inside(moved), self._streets(moved))
        if any(weight < 0 for weight, _ in seen) or not any(weight > 0 for weight, _ in seen):
            return None
        offset = np.median(np.hypot(*(moved - self._stand).T))
        evidence = tuple(one for _, one in seen if one is not None)
        return DatumQuestion(suspect, round(float(offset)), len(self._points), evidence)

    def _same_devices(self, moved: Metres) -> tuple[int, Evidence | None]:
        """Points whose code is registered, beside the place that is registered for it."""
        if not self._same.any():
            return 0, None
        before = _median(np.hypot(*(self._stand[self._same] - self._registered).T))
        after = _median(np.hypot(*(moved[self._same] - self._registered).T))
        evidence = Evidence("same_devices", int(self._same.sum()), round(before), round(after))
        if before <= SAME_PLACE_M:
            return -1, evidence
        fits = after <= SAME_PLACE_M and before >= CLEARLY_OFF * after
        return int(fits), evidence

    def _inside(self, moved: Metres) -> tuple[int, Evidence | None]:
        """Spots outside the outline."""
        before = self._outside(self._stand)
        after = self._outside(moved)
        count = len(self._spots)
        if count < OUTLINE_SPOTS or before == after == 0:
            return 0, None
        evidence = Evidence("outline", count, before, after)
        if before < max(OUTLINE_SPOTS, OUTSIDE_SHARE * count):
            return 0, evidence
        return int(after <= STILL_OUTSIDE_SHARE * before), evidence

    def _outside(self, at: Metres) -> int:
        spots = at[self._spots]
        return int((~shapely.intersects_xy(self._outline, spots[:, 0], spots[:, 1])).sum())

    def _streets(self, moved: Metres) -> tuple[int, Evidence | None]:
        """Spots beside streets and other devices: true ones stand along them, shifted anywhere."""
        count = len(self._spots)
        if count < STREET_SPOTS or not len(self._tree):
            return 0, None
        before, after = self._nearest(self._stand), self._nearest(moved)
        was, would_be = _median(before), _median(after)
        evidence = Evidence("streets", count, round(was), round(would_be))
        if _chance(int((before < after).sum()), count) < CHANCE and was <= BESIDE_M:
            return -1, evidence
        nearer = _chance(int((after < before).sum()), count) < CHANCE
        fits = was > NEAR_ENOUGH_M and would_be <= min(BESIDE_M, NEARER * was)
        return int(nearer and fits), evidence

    def _nearest(self, at: Metres) -> npt.NDArray[np.float64]:
        points = shapely.points(at[self._spots])
        _, distances = self._tree.query_nearest(points, return_distance=True, all_matches=False)
        found: npt.NDArray[np.float64] = distances
        return found


def _spots(at: Metres) -> npt.NDArray[np.intp]:
    """Numbers of the first point in every square of `SPOT_M`."""
    _, first = np.unique(np.floor(at / SPOT_M), axis=0, return_index=True)
    return np.asarray(first, dtype=np.intp)


def _median(values: npt.NDArray[np.float64]) -> float:
    return float(np.median(values))


def _chance(hits: int, of: int) -> float:
    """How probable at least so many hits are where each is as likely as not."""
    return sum(math.comb(of, k) for k in range(hits, of + 1)) / 2**of
