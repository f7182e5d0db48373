"""Definitions of registers: those that ship, and what is wrong with one of a city's own."""

from __future__ import annotations

import pytest

from city.register import FieldType, PlaceKind
from db.seeds import read_categories
from registers.definition import read_definition
from registers.shipped import FOLDER, shipped_registers

LEAST = """
code = "kiosks"
name_zh = "报刊亭"
name_en = "Kiosks"
category = "04-06"
states = [{ code = "open", name_zh = "营业", name_en = "Open" }]
"""


def test_every_list_of_the_trade_ships_under_the_name_of_its_file() -> None:
    found = shipped_registers()
    assert found.keys() == {
        "bicycle_parking",
        "construction_sites",
        "facilities",
        "gas_enterprises",
        "gas_users",
        "muck_trucks",
        "shopfronts",
        "waste_points",
    }
    assert {path.stem for path in FOLDER.glob("*.toml")} == found.keys()


@pytest.mark.parametrize("code", sorted(shipped_registers()))
def test_a_shipped_register_is_inspected_and_its_findings_have_a_category(code: str) -> None:
    register = shipped_registers()[code]
    assert register.category in {category.code for category in read_categories()}
    assert sum(item.score for item in register.items) == 100
    assert register.every_days > 0
    assert register.due == "next_inspection"
    for one in register.fields:
        assert not one.register or one.register in shipped_registers()
        if one.type in (FieldType.PERSON, FieldType.PHONE):
            assert one.personal


def test_a_register_needs_little() -> None:
    register, problems = read_definition(LEAST)
    assert problems == []
    assert register is not None
    assert (register.place, register.inspected_states) == (PlaceKind.POINT, ("open",))


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        ('name_en = "Kiosks"', "", "name_en", ""),
        ('code = "kiosks"', 'code = "Kiosk 1"', "code", "Kiosk 1"),
        ('category = "04-06"', 'category = "04-06"\nplace = "sky"', "place", "sky"),
        ('category = "04-06"', 'category = "04-06"\ndue = "soon"', "due", "soon"),
        ('category = "04-06"', 'category = "04-06"\npass_mark = 101', "pass_mark", "101"),
        ('category = "04-06"', 'category = "04-06"\ncolour = "red"', "colour", "red"),
        (
            'category = "04-06"',
            'category = "04-06"\nfields = [{code = "a", name_zh = "甲", name_en = "A", '
            'type = "colour"}]',
            "fields[1].type",
            "colour",
        ),
        (
            'category = "04-06"',
            'category = "04-06"\nfields = [{code = "state", name_zh = "甲", name_en = "A"}]',
            "fields[1].code",
            "state",
        ),
        (
            'category = "04-06"',
            'category = "04-06"\nparty = "a"\nfields = [{code = "a", name_zh = "甲", '
            'name_en = "A"}]',
            "party",
            "a",
        ),
    ],
)
def test_a_fault_of_a_definition_names_field_and_value(
    old: str, new: str, field: str, value: str
) -> None:
    register, problems = read_definition(LEAST.replace(old, new))
    assert register is None
    assert [(p.field, p.value) for p in problems] == [(field, value)]


def test_what_is_no_toml_is_said_so() -> None:
    register, problems = read_definition("code = ")
    assert register is None
    assert problems[0].problem.startswith("is not TOML")
