"""The demo's devices and the made-up streets they stand on."""

from __future__ import annotations

import json
from collections import Counter

import shapely

from db.seeds import grid, streets
from db.seeds.fleet import build_fleet
from db.seeds.grid import demo_grid
from db.seeds.reference import read_categories
from db.seeds.street_network import build_streets, length_m


def test_the_kept_street_network_is_what_its_script_makes() -> None:
    assert streets() == json.loads(json.dumps(build_streets()))


def test_every_street_is_marked_as_made_up_and_has_a_length() -> None:
    features = streets()["features"]
    assert len(features) > 200
    assert len({f["properties"]["code"] for f in features}) == len(features)
    for feature in features:
        properties = feature["properties"]
        assert properties["demo"] is True
        assert properties["name_zh"].endswith("（演示）")
        assert properties["name_en"].endswith("(demo)")
        assert length_m(feature["geometry"]["coordinates"]) >= 100


def test_the_fleet_has_about_five_thousand_devices_of_four_kinds() -> None:
    kinds = Counter(device.kind for device in build_fleet())
    assert kinds == {"gas": 1_600, "manhole": 1_400, "light": 1_900, "camera": 100}


def test_codes_and_identities_are_unique_and_no_two_devices_share_a_spot() -> None:
    fleet = build_fleet()
    identities = [(d.format, d.external_id) for d in fleet if d.external_id]
    assert len({d.code for d in fleet}) == len(fleet)
    assert len(set(identities)) == len(identities)
    assert len({(d.lon, d.lat) for d in fleet}) == len(fleet)


def test_every_device_stands_inside_the_district_and_in_exactly_one_cell() -> None:
    fleet = build_fleet()
    inside = shapely.contains_xy(grid.outline(), [d.lon for d in fleet], [d.lat for d in fleet])
    assert inside.all()
    cells = [cell.grid for cell in demo_grid()]
    tree = shapely.STRtree([shapely.box(c.west, c.south, c.east, c.north) for c in cells])
    for device in fleet:
        holding = [
            cells[i].code
            for i in tree.query(shapely.Point(device.lon, device.lat))
            if cells[i].west <= device.lon < cells[i].east
            and cells[i].south <= device.lat < cells[i].north
        ]
        assert holding == [device.cell.code]


def test_the_same_fleet_is_planned_every_time() -> None:
    first = build_fleet()
    build_fleet.cache_clear()
    assert build_fleet() == first


def test_a_device_of_another_format_is_bound_by_its_identity_there() -> None:
    formats = Counter(device.format for device in build_fleet())
    assert formats["native"] > 4_500
    for device in build_fleet():
        if device.format == "chirpstack":
            assert device.model == "milesight-gs101"
        if device.format in ("chirpstack", "ttn"):
            assert device.external_id is not None
            assert len(bytes.fromhex(device.external_id)) == 8
            assert device.external_id == device.external_id.lower()
        assert (device.external_id is None) == (device.format == "native")


def test_lamps_stand_in_cabinets_and_covers_carry_a_code_of_the_categories() -> None:
    fleet = build_fleet()
    cabinets = Counter(d.attributes["cabinet"] for d in fleet if d.kind == "light")
    assert set(cabinets.values()) == {25}
    codes = {category.code for category in read_categories()}
    assert {d.attributes["cover_code"] for d in fleet if d.kind == "manhole"} <= codes
