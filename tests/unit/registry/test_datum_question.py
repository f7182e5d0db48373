"""Positions that lie aside the way GCJ-02 does are asked about, true ones are not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate

import pytest
from shapely.geometry import LineString, Polygon

from city.datum import Datum, from_wgs84
from city.place import LonLat
from registry.datum_question import DatumQuestion, Given, Known, find_question

LON, LAT = 110.35, 20.02
METRE_LON, METRE_LAT = 1 / 104_600, 1 / 111_195


def at(east_m: float, north_m: float) -> tuple[float, float]:
    return LON + east_m * METRE_LON, LAT + north_m * METRE_LAT


def box(half_m: float) -> Polygon:
    return Polygon([at(x * half_m, y * half_m) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])


# Blocks of every size: in an even raster a shift by whole blocks would fit as well.
BLOCKS = random.Random(3)
EASTS = list(accumulate(BLOCKS.uniform(110, 290) for _ in range(30)))
NORTHS = list(accumulate(BLOCKS.uniform(110, 290) for _ in range(30)))
EASTS, NORTHS = [x - 3_000 for x in EASTS], [y - 3_000 for y in NORTHS]
STREETS = [
    *(LineString([at(x, -3000), at(x, 3000)]) for x in EASTS),
    *(LineString([at(-3000, y), at(3000, y)]) for y in NORTHS),
]
CITY = Known([box(3_500)], {}, STREETS)


def beside_streets(count: int, seed: int = 1) -> list[Given]:
    """Places along streets, with the error of a receiver."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        along = rng.uniform(-2_900, 2_900)
        east, north = (rng.choice(EASTS), along) if number % 2 else (along, rng.choice(NORTHS))
        lon, lat = at(east + rng.gauss(0, 8), north + rng.gauss(0, 8))
        found.append(Given(f"N-{number}", lon, lat))
    return found


def given_in(datum: Datum, places: Sequence[Given]) -> list[Given]:
    moved = [from_wgs84(LonLat(place.lon, place.lat), datum) for place in places]
    return [Given(p.code, m.lon, m.lat) for p, m in zip(places, moved, strict=True)]


def asked(given: Sequence[Given], known: Known) -> DatumQuestion:
    question = find_question(given, known)
    assert question is not None
    return question


@pytest.mark.parametrize(("datum", "offset_m"), [(Datum.GCJ02, 512), (Datum.BD09, 1216)])
def test_places_aside_of_the_streets_are_asked_about(datum: Datum, offset_m: int) -> None:
    question = asked(given_in(datum, beside_streets(120)), CITY)
    assert question.suspected is datum
    assert question.offset_m == pytest.approx(offset_m, abs=6)
    (streets,) = [e for e in question.evidence if e.kind == "streets"]
    assert streets.after < 12 < streets.before


@pytest.mark.parametrize("seed", range(50))
def test_true_places_are_not_accused(seed: int) -> None:
    count = random.Random(seed).randint(1, 300)
    assert find_question(beside_streets(count, seed), CITY) is None


def test_devices_that_are_registered_tell_even_when_they_are_few() -> None:
    places = beside_streets(2)
    known = Known([box(3_500)], {p.code: (p.lon, p.lat) for p in places})
    assert find_question(places, known) is None
    question = asked(given_in(Datum.GCJ02, places), known)
    assert (question.suspected, question.points) == (Datum.GCJ02, 2)
    assert question.evidence[0].kind == "same_devices"
    assert question.evidence[0].after == 0


def test_a_witness_for_the_file_ends_the_suspicion() -> None:
    """Registered devices that stand where they did outweigh streets that lie elsewhere."""
    places = given_in(Datum.GCJ02, beside_streets(120))
    known = Known([box(3_500)], {p.code: (p.lon, p.lat) for p in places[:3]}, STREETS)
    assert find_question(places, known) is None


def test_places_outside_the_outline_that_fit_inside_are_asked_about() -> None:
    edge = [Given(f"E-{n}", *at(2_700, n * 400.0 - 1_600)) for n in range(9)]
    known = Known([box(2_750)], {})
    assert find_question(edge, known) is None
    question = asked(given_in(Datum.GCJ02, edge), known)
    assert question.suspected is Datum.GCJ02
    assert [(e.kind, e.before, e.after) for e in question.evidence] == [("outline", 9, 0)]


def test_a_device_that_was_moved_is_no_reason() -> None:
    (place,) = beside_streets(1)
    lon, lat = place.lon + 500 * METRE_LON, place.lat + 300 * METRE_LAT
    known = Known([box(3_500)], {place.code: (place.lon, place.lat)})
    assert find_question([Given(place.code, lon, lat)], known) is None


def test_places_without_any_relation_to_what_is_known_are_not_accused() -> None:
    rng = random.Random(5)
    for _ in range(20):
        anywhere = [
            Given(f"A-{n}", *at(rng.uniform(-2_500, 2_500), rng.uniform(-2_500, 2_500)))
            for n in range(150)
        ]
        assert find_question(anywhere, CITY) is None


def test_nothing_known_nothing_given_and_places_abroad_are_no_question() -> None:
    assert find_question([], CITY) is None
    assert find_question(given_in(Datum.GCJ02, beside_streets(50)), Known([], {})) is None
    abroad = [Given(f"H-{n}", 114.158 + n * 1e-3, 22.281) for n in range(20)]
    assert find_question(abroad, CITY) is None


def test_the_question_names_offset_evidence_and_both_answers() -> None:
    text = asked(given_in(Datum.GCJ02, beside_streets(120)), CITY).as_text()
    assert "look like GCJ-02" in text
    assert "--datum gcj02" in text
    assert "--datum wgs84" in text
    assert "m from streets and devices" in text
