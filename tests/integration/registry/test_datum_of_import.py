"""Device files in every datum, into a real registry; and the question about shifted ones."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import datetime

import pytest

from city.datum import Datum, from_wgs84
from city.errors import Conflict, InvalidInput
from city.place import LonLat, distance_m
from db.pool import Connection
from registry.import_file import ImportReport, import_content

METRE_LON, METRE_LAT = 1 / 104_600, 1 / 111_195
GPS_NOISE_M = 10
Place = tuple[str, float, float]


def demo_places(db: Connection, count: int, seed: int = 1) -> list[Place]:
    """Registered devices, chosen by chance."""
    rows = db.execute("SELECT code, lon, lat FROM device ORDER BY code").fetchall()
    return random.Random(seed).sample(rows, count)


def measured(places: Sequence[Place], seed: int, datum: Datum = Datum.WGS84) -> list[Place]:
    """New devices beside these, as a receiver of moderate quality measures them."""
    rng = random.Random(seed)
    found = []
    for number, (_, lon, lat) in enumerate(places):
        east, north = rng.gauss(0, GPS_NOISE_M), rng.gauss(0, GPS_NOISE_M)
        there = from_wgs84(LonLat(lon + east * METRE_LON, lat + north * METRE_LAT), datum)
        found.append((f"NEW-{number}", there.lon, there.lat))
    return found


def as_csv(places: Sequence[Place], datum: str = "") -> bytes:
    lines = [f"{code},gas,Gate,{lon},{lat},{datum}" for code, lon, lat in places]
    return "\n".join(["code,kind,name,lon,lat,datum", *lines]).encode()


def give(
    db: Connection, content: bytes, now: datetime, datum: str | None = None, name: str = "d.csv"
) -> ImportReport:
    return import_content(db, name, content, dry_run=False, now=now, datum=datum)


def imported(db: Connection) -> int:
    row = db.execute("SELECT count(*) FROM device WHERE code LIKE 'NEW-%'").fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def place(db: Connection) -> LonLat:
    row = db.execute(
        "SELECT west + (east - west) * 0.31, south + (north - south) * 0.29"
        " FROM unit_grid ORDER BY code LIMIT 1 OFFSET 40"
    ).fetchone()
    assert row is not None
    return LonLat(*row)


@pytest.mark.parametrize("by", ["option", "column"])
@pytest.mark.parametrize("datum", list(Datum))
def test_a_device_stands_where_it_is_whatever_its_file_is_in(
    db: Connection, now: datetime, place: LonLat, datum: Datum, by: str
) -> None:
    there = from_wgs84(place, datum)
    named, stated = (datum.label, None) if by == "column" else ("", datum.label)

    report = give(db, as_csv([("NEW-1", there.lon, there.lat)], named), now, stated)

    assert (report.imported, report.datums) == (1, (datum,))
    row = db.execute(
        "SELECT device.lon, device.lat, unit_grid, cell.code, attributes FROM device"
        " JOIN unit_grid AS cell ON cell.west <= %(lon)s AND cell.east > %(lon)s"
        " AND cell.south <= %(lat)s AND cell.north > %(lat)s WHERE device.code = 'NEW-1'",
        {"lon": place.lon, "lat": place.lat},
    ).fetchone()
    assert row is not None
    assert distance_m(LonLat(row[0], row[1]), place) < 0.1
    assert row[2] == row[3]
    kept = {"position_given": {"datum": datum, "lon": there.lon, "lat": there.lat}}
    assert row[4] == ({} if datum is Datum.WGS84 else kept)
    event = db.execute("SELECT payload FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    assert event is not None
    assert event[0]["datum"] == [datum]
    assert event[0]["datum_stated"] == (datum if by == "option" else None)


def test_rows_of_one_file_may_be_in_different_datums(
    db: Connection, now: datetime, place: LonLat
) -> None:
    rows = []
    for number, datum in enumerate(Datum):
        there = from_wgs84(LonLat(place.lon + number * 1e-4, place.lat), datum)
        rows.append(f"NEW-{number},gas,Gate,{there.lon},{there.lat},{datum.label}")
    content = "\n".join(["code,kind,name,lon,lat,datum", *rows]).encode()

    assert give(db, content, now).imported == len(Datum)

    stand = db.execute("SELECT lon, lat FROM device WHERE code LIKE 'NEW-%' ORDER BY code")
    for number, (lon, lat) in enumerate(stand.fetchall()):
        assert distance_m(LonLat(lon, lat), LonLat(place.lon + number * 1e-4, place.lat)) < 0.1


def test_the_crs_of_a_geojson_is_heeded(db: Connection, now: datetime, place: LonLat) -> None:
    there = from_wgs84(place, Datum.GCJ02)
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [there.lon, there.lat]},
        "properties": {"code": "NEW-1", "kind": "gas", "name": "Gate"},
    }
    crs = {"type": "name", "properties": {"name": "GCJ-02"}}
    body = {"type": "FeatureCollection", "crs": crs, "features": [feature]}

    assert give(db, json.dumps(body).encode(), now, name="d.geojson").imported == 1

    (found,) = db.execute("SELECT lon, lat FROM device WHERE code = 'NEW-1'").fetchall()
    assert distance_m(LonLat(*found), place) < 0.1


def test_an_unknown_datum_is_refused_by_name_and_value(
    db: Connection, now: datetime, place: LonLat
) -> None:
    content = as_csv([("NEW-1", place.lon, place.lat)], "xian80")
    (fault,) = give(db, content, now).faults
    assert (fault.field, fault.value) == ("datum", "xian80")
    with pytest.raises(InvalidInput, match=r"datum: .*'xian80'"):
        give(db, content, now, "xian80")


@pytest.mark.parametrize("named", ["", "WGS-84"])
@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_a_shifted_file_is_asked_about_and_nothing_is_imported(
    db: Connection, now: datetime, datum: Datum, named: str
) -> None:
    content = as_csv(measured(demo_places(db, 80), 2, datum), named)
    for dry_run in (True, False):
        with pytest.raises(Conflict) as asked:
            import_content(db, "d.csv", content, dry_run=dry_run, now=now)
        question = asked.value.current["datum_question"]
        assert question["suspected"] == datum
        assert question["offset_m"] == pytest.approx(512 if datum is Datum.GCJ02 else 1216, abs=25)
        assert {"streets"} <= {evidence["kind"] for evidence in question["evidence"]}
        assert f"--datum {datum}" in str(asked.value)
        assert "--datum wgs84" in str(asked.value)
    assert imported(db) == 0


def test_the_answer_gcj02_converts_the_file(db: Connection, now: datetime) -> None:
    true = measured(demo_places(db, 80), 2)
    shifted = measured(demo_places(db, 80), 2, Datum.GCJ02)

    report = give(db, as_csv(shifted), now, "gcj02")

    assert report.imported == 80
    assert "converted from GCJ-02" in report.as_text()
    rows = db.execute("SELECT code, lon, lat FROM device WHERE code LIKE 'NEW-%'").fetchall()
    stand = {code: LonLat(lon, lat) for code, lon, lat in rows}
    assert max(distance_m(stand[code], LonLat(lon, lat)) for code, lon, lat in true) < 0.1


def test_the_answer_wgs84_is_believed(db: Connection, now: datetime) -> None:
    shifted = measured(demo_places(db, 80), 2, Datum.GCJ02)

    report = give(db, as_csv(shifted), now, "wgs84")

    assert report.imported + report.faulty_rows == 80
    assert imported(db) == report.imported > 60
    event = db.execute("SELECT payload FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    assert event is not None
    assert (event[0]["datum"], event[0]["datum_stated"]) == (["wgs84"], "wgs84")


def test_a_few_registered_devices_given_again_are_enough_for_the_question(
    db: Connection, now: datetime
) -> None:
    again = []
    for code, lon, lat in demo_places(db, 3):
        there = from_wgs84(LonLat(lon, lat), Datum.GCJ02)
        again.append((code, there.lon, there.lat))
    with pytest.raises(Conflict) as asked:
        give(db, as_csv(again), now)
    assert asked.value.current["datum_question"]["evidence"][0]["kind"] == "same_devices"


def test_a_true_file_is_never_accused(db: Connection, now: datetime) -> None:
    for seed in range(50):
        places = demo_places(db, random.Random(seed).randint(1, 400), seed)
        new = measured(places, seed)
        again = [(known[0], *fresh[1:]) for known, fresh in zip(places, new, strict=True)]
        for given in (new, again):
            report = import_content(db, "d.csv", as_csv(given), dry_run=True, now=now)
            assert report.rows == len(places)
