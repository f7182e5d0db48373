"""Coordinates from the datum they come in to WGS-84 and back, and where nothing is shifted."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from city.datum import SPELLINGS, Datum, from_wgs84, in_mainland, parse_datum, to_wgs84
from city.errors import InvalidInput
from city.place import LonLat, distance_m
from tests.tables import cases

# How near the formulas are inverted, everywhere.
NEAR_M = 0.1


@pytest.mark.parametrize(
    ("datum", "lon", "lat", "x", "y"),
    cases("published_points_are_met.csv", datum=str, lon=float, lat=float, x=float, y=float),
)
def test_published_points_are_met(datum: str, lon: float, lat: float, x: float, y: float) -> None:
    """As prcoords 1.0.2 and geocoordinates-rs 0.14.2 have them."""
    shifted = from_wgs84(LonLat(lon, lat), Datum(datum))
    assert distance_m(shifted, LonLat(x, y)) < 0.001
    assert distance_m(to_wgs84(LonLat(x, y), Datum(datum)), LonLat(lon, lat)) < 0.001


def test_the_shift_at_haikou_is_512_metres() -> None:
    place = LonLat(110.35, 20.03)
    assert round(distance_m(place, from_wgs84(place, Datum.GCJ02))) == 512


@given(lon=st.floats(73, 136), lat=st.floats(17, 54), datum=st.sampled_from(Datum))
def test_the_way_there_and_back_ends_where_it_began(lon: float, lat: float, datum: Datum) -> None:
    place = LonLat(lon, lat)
    assume(in_mainland(place))
    assert distance_m(to_wgs84(from_wgs84(place, datum), datum), place) < NEAR_M


@pytest.mark.parametrize(
    ("lon", "lat", "shifted"),
    cases("nothing_is_shifted_outside_the_mainland.csv", lon=float, lat=float, shifted=bool),
)
def test_nothing_is_shifted_outside_the_mainland(lon: float, lat: float, shifted: bool) -> None:
    here = LonLat(lon, lat)
    assert in_mainland(here) is shifted
    for datum in (Datum.GCJ02, Datum.BD09):
        if shifted:
            assert distance_m(from_wgs84(here, datum), here) > 20
        else:
            assert from_wgs84(here, datum) == here
            assert to_wgs84(here, datum) == here


@given(lon=st.floats(-180, 180), lat=st.floats(-90, 90), datum=st.sampled_from(Datum))
def test_any_point_of_the_earth_has_an_answer(lon: float, lat: float, datum: Datum) -> None:
    assert distance_m(to_wgs84(LonLat(lon, lat), datum), LonLat(lon, lat)) < 1_600


def test_cgcs2000_is_taken_as_it_stands() -> None:
    place = LonLat(110.35, 20.03)
    assert to_wgs84(place, Datum.CGCS2000) == from_wgs84(place, Datum.CGCS2000) == place


@pytest.mark.parametrize(
    ("text", "datum"),
    [
        ("WGS-84", Datum.WGS84),
        ("WGS 84", Datum.WGS84),
        ("EPSG:4326", Datum.WGS84),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", Datum.WGS84),
        ("urn:ogc:def:crs:EPSG::4490", Datum.CGCS2000),
        ("CGCS 2000", Datum.CGCS2000),
        ("2000国家大地坐标系", Datum.CGCS2000),
        ("GCJ02", Datum.GCJ02),
        ("国测局坐标", Datum.GCJ02),
        ("火星坐标系", Datum.GCJ02),
        ("百度", Datum.BD09),
        ("bd-09", Datum.BD09),
    ],
)
def test_a_datum_is_known_by_the_names_people_use(text: str, datum: Datum) -> None:
    assert parse_datum("datum", text) is datum


def test_every_spelling_means_one_datum_and_is_found() -> None:
    words = [word for spelled in SPELLINGS.values() for word in spelled]
    assert len(words) == len(set(words))
    assert {parse_datum("datum", datum.label) for datum in Datum} == set(Datum)
    for datum, spelled in SPELLINGS.items():
        assert {parse_datum("datum", word) for word in spelled} == {datum}


@pytest.mark.parametrize("text", ["", "beijing54", "EPSG:3857", "bd09mc", "西安80"])
def test_an_unknown_datum_names_field_and_value(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_datum("datum", text)
    assert (refused.value.field, refused.value.value) == ("datum", text)
    assert refused.value.code == "one_of"
