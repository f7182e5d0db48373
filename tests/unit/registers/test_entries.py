"""Rows of data files to entries and back, numbers of parties, QR codes, masks."""

from __future__ import annotations

import pytest

from city.incident import Role
from city.register import FieldType, Register, RegisterEntry
from registers.entries import entry_cells, normal_party, party_of, read_entry, short_code
from registers.masking import mask, may_see_personal
from registers.shipped import shipped_registers

SHOP = {
    "code": "S-1",
    "name": "王记面馆",
    "licence": "91460107ma5t0000xx",
    "owner": "王小明",
    "phone": "13800138000",
    "credit": "黑榜",
    "next_inspection": "2026-12-01",
    "lon": "110.35",
    "lat": "20.01",
}


def read(register: Register, cells: dict[str, str]) -> tuple[RegisterEntry, list[tuple[str, str]]]:
    faults: list[tuple[str, str]] = []
    entry = read_entry(register, cells, lambda name, problem, _: faults.append((name, problem)))
    return entry, faults


def test_a_row_is_an_entry_with_its_personal_data_apart() -> None:
    shop, faults = read(shipped_registers()["shopfronts"], SHOP)
    assert faults == []
    assert shop.state == "open"
    assert shop.fields["credit"] == "C"
    assert shop.personal == {"owner": "王小明", "phone": "13800138000"}
    assert (shop.lon, shop.lat) == (110.35, 20.01)


@pytest.mark.parametrize(
    ("code", "cells"),
    [
        ("shopfronts", SHOP),
        (
            "muck_trucks",
            {
                "code": "T-1",
                "plate": "琼A00001",
                "hours": "22:00-05:00",
                "geometry": "LINESTRING (110.3 20.0, 110.31 20.000000000000004)",
            },
        ),
        (
            "construction_sites",
            {
                "code": "B-1",
                "name": "甲工地",
                "state": "stopped",
                "geometry": '{"type": "Polygon", "coordinates": [[[110, 20], [110.1, 20], '
                "[110.1, 20.1], [110, 20]]]}",
            },
        ),
    ],
)
def test_an_entry_written_out_is_read_back_the_same(code: str, cells: dict[str, str]) -> None:
    register = shipped_registers()[code]
    entry, faults = read(register, cells)
    assert faults == []
    assert read(register, entry_cells(register, entry)) == (entry, [])


@pytest.mark.parametrize(
    ("code", "cells", "field"),
    [
        ("shopfronts", {"code": ""}, "code"),
        ("shopfronts", {"state": "sold"}, "state"),
        ("shopfronts", {"name": ""}, "name"),
        ("shopfronts", {"credit": "D"}, "credit"),
        ("shopfronts", {"phone": "call me"}, "phone"),
        ("shopfronts", {"next_inspection": "1.12.2026"}, "next_inspection"),
        ("shopfronts", {"licence": "?"}, "licence"),
        ("shopfronts", {"lon": "20.01", "lat": "110.35"}, "lon, lat"),
        ("shopfronts", {"lon": "nan"}, "lon, lat"),
        ("facilities", {"length_m": "long", "kind": "bridge"}, "length_m"),
        ("muck_trucks", {"plate": "A", "hours": "22-5"}, "hours"),
        ("muck_trucks", {"plate": "A", "geometry": "POINT (1 2)"}, "geometry"),
        ("muck_trucks", {"plate": "A", "geometry": "LINESTRING (1"}, "geometry"),
        ("muck_trucks", {"plate": "A", "geometry": '{"type": "LineString"}'}, "geometry"),
        ("muck_trucks", {"plate": "A", "geometry": "LINESTRING (110 20, 200 20)"}, "geometry"),
        (
            "construction_sites",
            {"geometry": "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"},
            "geometry",
        ),
    ],
)
def test_a_fault_of_a_row_names_its_field(code: str, cells: dict[str, str], field: str) -> None:
    _, faults = read(shipped_registers()[code], {**SHOP, **cells})
    assert [name for name, _ in faults] == [field]


@pytest.mark.parametrize(
    "written",
    [
        "91460107MA5T0000XX",
        "91460107ma5t0000xx",
        " 9146 0107-MA5T-0000-XX ",
        "９１460107MA5T0000XX",
    ],
)
def test_a_party_is_the_same_however_its_number_is_written(written: str) -> None:
    assert normal_party(written) == "91460107MA5T0000XX"


def test_what_is_no_number_is_no_party() -> None:
    assert [normal_party(text) for text in ("", "-", "12", "a?b?c?d")] == [""] * 4
    users = shipped_registers()["gas_users"]
    user, _ = read(users, {"code": "U", "address": "1", "kind": "household", "identity": "46-0107"})
    assert party_of(users, user) == "460107"


def test_the_code_of_a_label_is_short_and_says_nothing() -> None:
    short = short_code("460107", "shopfronts", "S-1")
    assert len(short) == 12
    assert short == short_code("460107", "shopfronts", "S-1")
    assert short != short_code("460107", "shopfronts", "S-2")
    assert "s-1" not in short


def test_who_does_not_need_personal_data_sees_a_mask() -> None:
    assert mask(FieldType.PERSON, "王小明") == "王**"
    assert mask(FieldType.PHONE, "13800138000") == "138******00"
    assert mask(FieldType.PHONE, "110") == "***"
    assert mask(FieldType.TEXT, "secret") == "***"
    assert may_see_personal(Role.CHECKER)
    assert not may_see_personal(Role.LEADER)
