"""Categories, stage limits and squads that ship with the product."""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.video.types import video_types
from city.clock import ClockKind, Limit, LimitUnit
from city.errors import InvalidInput
from db.seeds import grid
from db.seeds.reference import parse_limit, read_categories, read_stage_limits
from db.seeds.squads import read_squads

FAMILIES = {"gas", "manhole", "light", "street", "waste", "parking", "drainage", "other"}
EVIDENCE = {"photo_after", "check_photo", "note", "gas_release"}
RULES = Path(grid.GEO).parent / "rules"
# After midnight one lighting squad goes wherever it is sent.
ONE_SQUAD_AT_NIGHT = {"light"}
# A Monday; every quarter of an hour of the week that follows is looked at.
MONDAY = datetime(2026, 3, 2, tzinfo=ZoneInfo("Asia/Shanghai"))


def test_every_category_is_complete_and_in_the_vocabulary() -> None:
    categories = read_categories()
    assert len({c.code for c in categories}) == len(categories)
    for category in categories:
        assert category.family in FAMILIES, category.code
        assert category.class_ in ("component", "event")
        assert set(category.closing_evidence) <= EVIDENCE
        assert 1 <= category.severity <= 4
        assert category.limit.amount > 0
        assert category.code_system
        assert category.name_zh
        assert category.name_en
        assert category.filing_condition_zh
        assert category.filing_condition_en
        assert len(category.source) > 10


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("05-02", Limit(1, LimitUnit.URGENT_HOUR)),
        ("0103", Limit(2, LimitUnit.URGENT_HOUR)),
        ("0103-broken", Limit(4, LimitUnit.WORK_HOUR)),
        ("0137", Limit(2, LimitUnit.WORK_DAY)),
        ("0137-time", Limit(2, LimitUnit.WORK_HOUR)),
        ("01-01", Limit(2, LimitUnit.NATURAL_DAY)),
        ("01-92", Limit(4, LimitUnit.WORK_HOUR)),  # hours without "urgent" are office hours
        ("04-01", Limit(2, LimitUnit.URGENT_HOUR)),
        ("05-06", Limit(2, LimitUnit.URGENT_HOUR)),
    ],
)
def test_a_category_has_the_limit_of_its_source(code: str, limit: Limit) -> None:
    assert {c.code: c.limit for c in read_categories()}[code] == limit


def test_a_gas_incident_closes_only_after_gas_free_time_and_release() -> None:
    leak = {c.code: c for c in read_categories()}["05-02"]
    assert leak.gas_free_minutes == 10
    assert "gas_release" in leak.closing_evidence


def test_every_rule_and_every_video_type_names_a_category_that_exists() -> None:
    codes = {c.code for c in read_categories()}
    rules = [tomllib.loads(file.read_text(encoding="utf-8")) for file in RULES.glob("*.toml")]
    assert len(rules) > 5
    named = {rule["category"] for rule in rules}
    named |= {rule["group_category"] for rule in rules if "group_category" in rule}
    named |= {known.category for known in video_types().values()}
    assert named <= codes


def test_stage_limits_run_day_and_night() -> None:
    limits = {clock: limit for clock, limit, _ in read_stage_limits()}
    assert set(limits) == set(ClockKind) - {ClockKind.HANDLE}
    assert {limit.unit for limit in limits.values()} == {LimitUnit.URGENT_HOUR}
    assert limits[ClockKind.DISPATCH].amount == 0.25
    assert limits[ClockKind.ACKNOWLEDGE].amount * 60 == pytest.approx(10)


def test_a_limit_with_an_unknown_unit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="limit"):
        parse_limit("4 hours")


def test_there_are_24_squads_with_both_names_marked_as_demo() -> None:
    squads = read_squads()
    assert len(squads) == 24
    assert len({squad.code for squad in squads}) == 24
    for squad in squads:
        assert squad.name_zh.endswith("（演示）")
        assert squad.name_en.endswith("(demo)")
        assert squad.duty_grids


def test_every_family_has_a_squad_on_duty_in_every_duty_grid_all_week() -> None:
    squads = read_squads()
    grids = frozenset().union(*(squad.duty_grids for squad in squads))
    families: dict[str, set[str]] = {category.family: set() for category in read_categories()}
    for category in read_categories():
        families[category.family].add(category.skill)
    for quarter in range(7 * 24 * 4):
        local = MONDAY + timedelta(minutes=15 * quarter)
        present = [squad for squad in squads if squad.is_on_duty(local)]
        for family, skills in families.items():
            able = [squad for squad in present if squad.skills & skills]
            covered = frozenset().union(*(squad.duty_grids for squad in able))
            assert able, (family, local)
            assert covered == grids or family in ONE_SQUAD_AT_NIGHT, (family, local)


def test_every_skill_that_a_category_asks_for_is_on_duty_at_every_hour() -> None:
    squads = read_squads()
    skills = {category.skill for category in read_categories()}
    for hour, skill in product(range(7 * 24), sorted(skills)):
        local = MONDAY + timedelta(hours=hour)
        assert any(s.is_on_duty(local) for s in squads if skill in s.skills), (skill, local)
