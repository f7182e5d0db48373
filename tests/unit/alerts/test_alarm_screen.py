"""Screening whole batches: only readings that matter come out, and none of those is missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from alerts.judge import Raise, Sample, Standing, Start, judge
from alerts.limits import About, ReadingRule, applies_to
from alerts.rule_files import parse_rule
from alerts.rules import Rule
from alerts.screen import Columns, Fleet, build_fleet, heed, screen, shown_rows, split
from city.device import WatchedDevice
from city.moment import as_microseconds
from city.reading import METRICS, Quality
from columns.readings import BATCH_DTYPE
from db.rules import default_texts

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
RULES = [parse_rule(text, name) for name, text in default_texts().items()]


def device(number: int, kind: str, **changes: object) -> WatchedDevice:
    base = WatchedDevice(
        id=number, code=f"D-{number}", district="460107", kind=kind, gas=None, lon=110.4,
        lat=19.8, unit_grid=None, attributes={}, report_interval_s=300, demo=False,
        out_of_service_since=None, return_due_at=None,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def batch(*rows: tuple[int, str, float] | tuple[int, str, float, int, float]) -> Columns:
    """Rows of (device, metric, value[, quality, age in seconds])."""
    packed = np.zeros(len(rows), BATCH_DTYPE)
    for i, row in enumerate(rows):
        quality, age = (row[3], row[4]) if len(row) == 5 else (0, 0.0)
        received = as_microseconds(NOW)
        packed[i] = (
            row[0],
            METRICS[row[1]].id,
            quality,
            received - int(age * 1e6),
            received,
            row[2],
        )
    return split(packed)


def found(
    columns: Columns, fleet: Fleet, *attention: tuple[str, int, datetime | None]
) -> set[tuple[str, int]]:
    """`attention` are conditions and devices, and until when their readings matter."""
    heeded = {
        condition: heed(
            fleet, [number], [None if until is None else as_microseconds(until)], [None], [None]
        )
        for condition, number, until in attention
    }
    hits = screen(columns, fleet, heeded, NOW)
    return {(hit.rule.code, row) for hit in hits for row in hit.rows.tolist()}


FLEET = build_fleet(
    [
        device(1, "gas", gas="methane"),
        device(2, "gas"),
        device(3, "manhole", attributes={"tilt_baseline_deg": 170, "water_limit_cm": 80}),
        device(4, "manhole"),
        device(5, "light"),
    ],
    RULES,
)


def test_only_readings_past_a_limit_come_out() -> None:
    columns = batch((1, "ch4_pct_lel", 19), (2, "ch4_pct_lel", 20))
    assert found(columns, FLEET) == {("gas-lel", 1)}


def test_of_a_condition_that_trips_every_reading_of_the_device_comes_out() -> None:
    columns = batch(
        (2, "ch4_pct_lel", 55), (2, "ch4_pct_lel", 1), (2, "gas_alarm", 0), (2, "o2_pct_vol", 20.9)
    )
    assert found(columns, FLEET) == {("gas-lel", 0), ("gas-lel", 1), ("gas-detector", 2)}


def test_a_rule_looks_only_at_its_kind_of_device_and_its_gas() -> None:
    columns = batch((5, "ch4_pct_lel", 90), (2, "ch4_pct_vol", 4), (1, "ch4_pct_vol", 4))
    assert found(columns, FLEET) == {("gas-methane-vol", 2)}


def test_limits_and_baselines_are_those_of_the_device() -> None:
    columns = batch(
        (3, "water_level_cm", 81),
        (4, "water_level_cm", 500),  # no site limit: never judged
        (4, "tilt_deg", 16),
    )
    assert found(columns, FLEET) == {("manhole-water", 0), ("manhole-tilt", 2)}
    assert found(batch((3, "tilt_deg", -178)), FLEET) == set()  # 12 degrees, the short way round
    assert found(batch((3, "tilt_deg", -170)), FLEET) == {("manhole-tilt", 0)}


def test_late_simulated_and_old_readings_do_not_come_out() -> None:
    columns = batch(
        (2, "o2_pct_vol", 10, Quality.LATE, 0),
        (2, "o2_pct_vol", 10, Quality.SIMULATED, 0),
        (2, "o2_pct_vol", 10, 0, 7200),
        (1, "o2_pct_vol", 10, Quality.CLOCK_REPLACED, 0),
    )
    assert found(columns, FLEET) == {("gas-oxygen-low", 3)}


def test_every_reading_of_a_condition_with_an_alarm_comes_out() -> None:
    columns = batch((1, "ch4_pct_lel", 1), (2, "ch4_pct_lel", 1), (2, "o2_pct_vol", 20.9))
    assert found(columns, FLEET, ("gas", 2, None)) == {("gas-lel", 1)}
    assert found(columns, FLEET, ("oxygen", 2, None)) == {("gas-oxygen-low", 2)}
    assert found(columns, FLEET, ("gas", 999, None)) == set()


def test_after_an_alarm_has_cleared_a_harmless_reading_matters_only_if_it_is_older() -> None:
    minute = timedelta(minutes=1)
    newer = batch((2, "ch4_pct_lel", 1, 0, 30.0))
    assert found(newer, FLEET, ("gas", 2, NOW - minute)) == set()
    assert found(newer, FLEET, ("gas", 2, NOW)) == {("gas-lel", 0)}
    both = batch((2, "ch4_pct_lel", 1, 0, 30.0), (2, "ch4_pct_lel", 1, 0, 90.0))
    assert found(both, FLEET, ("gas", 2, NOW - minute)) == {("gas-lel", 0), ("gas-lel", 1)}


@pytest.mark.parametrize(
    ("value", "age_s", "matters"),
    [
        (9.9, 30.0, False),  # clear, and the delay runs
        (10.0, 30.0, True),  # in the deadband: breaks the delay off
        (9.9, 60.0, True),  # as old as the reading that began the delay
        (9.9, 10.0, True),  # the delay is over
        (25.0, 30.0, True),  # trips
    ],
)
def test_while_an_alarm_is_on_its_way_out_a_clear_reading_changes_nothing(
    value: float, age_s: float, matters: bool
) -> None:
    began, ripe = as_microseconds(NOW) - 60_000_000, as_microseconds(NOW) - 10_000_000
    heeded = {"gas": heed(FLEET, [2], [None], [began], [ripe])}
    hits = screen(batch((2, "ch4_pct_lel", value, 0, age_s)), FLEET, heeded, NOW)
    assert bool(hits) is matters


def test_of_two_values_at_one_time_a_dot_shows_the_first() -> None:
    columns = batch((1, "ch4_pct_lel", 5, 0, 5), (1, "ch4_pct_lel", 6, 0, 5))
    assert shown_rows(columns).tolist() == [0]
    assert shown_rows(batch()).tolist() == []


@pytest.mark.parametrize(
    ("since", "back", "watched"),
    [
        (NOW - timedelta(hours=1), None, False),
        (NOW + timedelta(hours=1), None, True),
        (NOW - timedelta(hours=2), NOW - timedelta(hours=1), True),
        (NOW - timedelta(hours=1), NOW + timedelta(hours=1), False),
    ],
)
def test_a_device_out_of_service_is_not_judged_until_it_is_due_back(
    since: datetime, back: datetime | None, watched: bool
) -> None:
    away = device(1, "gas", out_of_service_since=since, return_due_at=back)
    columns = batch((1, "ch4_pct_lel", 90))
    assert bool(found(columns, build_fleet([away], RULES), ("gas", 1, None))) is watched
    assert away.is_watched(NOW) is watched


def test_readings_of_unknown_devices_are_told_apart() -> None:
    columns = batch((1, "ch4_pct_lel", 1), (9, "ch4_pct_lel", 90), (100_000, "ch4_pct_lel", 90))
    assert FLEET.has(columns.device_id).tolist() == [True, False, False]


def test_a_dot_shows_the_newest_value_of_its_first_metric() -> None:
    columns = batch(
        (1, "ch4_pct_lel", 5, 0, 10),
        (1, "ch4_pct_lel", 6, 0, 5),
        (1, "battery_pct", 90),
        (3, "tilt_deg", 2),
        (3, "cover_open", 0, 0, 60),
        (5, "rssi_dbm", -90),
        (2, "ch4_pct_lel", 9, Quality.LATE, 0),
    )
    assert sorted(shown_rows(columns).tolist()) == [1, 4]


@pytest.mark.parametrize("seed", range(40))
def test_screening_finds_exactly_the_devices_that_judging_one_by_one_would(seed: int) -> None:
    rng = np.random.default_rng(seed)
    devices = [
        device(
            i,
            str(rng.choice(["gas", "manhole", "light"])),
            gas=[None, "methane", "lpg"][int(rng.integers(3))],
            attributes={"tilt_baseline_deg": float(rng.uniform(-180, 180)), "water_limit_cm": 90},
        )
        for i in range(1, 40)
    ]
    ranges = {
        "ch4_pct_lel": (0, 60), "ch4_pct_vol": (0, 3), "gas_alarm": (0, 1), "o2_pct_vol": (15, 22),
        "tilt_deg": (-180, 180), "cover_open": (0, 1), "flooded": (0, 1),
        "water_level_cm": (0, 200),
    }  # fmt: skip
    rows = []
    for _ in range(60):
        metric = str(rng.choice(list(ranges)))
        low, high = ranges[metric]
        value = float(rng.integers(low, high + 1)) if high == 1 else float(rng.uniform(low, high))
        quality, age = int(rng.choice([0, 0, 0, 1, 2, 3, 4])), float(rng.choice([0, 60, 7200, 1e6]))
        rows.append((int(rng.integers(1, 40)), metric, value, quality, age))
    by_id = {d.id: d for d in devices}
    tripping = {
        (r[0], rule.condition) for r in rows for rule in RULES if trips_alone(rule, by_id[r[0]], r)
    }
    expected = {
        (rule.code, i)
        for i, row in enumerate(rows)
        for rule in RULES
        if (row[0], rule.condition) in tripping
        and isinstance(rule, ReadingRule)
        and rule.metric.name == row[1]
        and applies_to(rule, by_id[row[0]])
    }
    assert found(batch(*rows), build_fleet(devices, RULES)) == expected
    assert 0 < len({number for number, _ in tripping}) < 39


def trips_alone(
    rule: Rule, watched: WatchedDevice, row: tuple[int, str, float, int, float]
) -> bool:
    if (
        not isinstance(rule, ReadingRule)
        or rule.metric.name != row[1]
        or not applies_to(rule, watched)
    ):
        return False
    sample = Sample(NOW - timedelta(seconds=row[4]), NOW, row[2], row[3])
    outcomes = judge(rule, watched.id, watched.attributes, Standing(), sample)
    return any(isinstance(outcome, Raise | Start) for outcome in outcomes)


@pytest.mark.parametrize(
    "bounds",
    [
        'device = ["D-3", "D-9", "D-40"]',
        'model = ["m-1", "m-2"]',
        "attributes = { zone = 3 }",
        'attributes = { zone = [3, 4, true], mount = "well" }',
        'model = "m-1"\nattributes = { zone = [1, 2] }',
        'area = "HZ-1"',
    ],
)
def test_a_rule_with_bounds_is_about_the_same_devices_however_they_are_looked_up(
    bounds: str,
) -> None:
    devices = [
        device(
            number,
            ("gas", "manhole", "light")[number % 3],
            gas="methane" if number % 3 < 2 else None,
            model=f"m-{number % 4}",
            attributes={
                "zone": [number] if number % 7 == 0 else number % 5,
                "mount": ("well", "wall")[number % 2],
            },
            areas={"HZ-1": "hazard"} if number % 6 == 0 else {},
        )
        for number in range(1, 61)
    ]
    rule = parse_rule(default_texts()["gas-lel.toml"] + f"\n[scope]\n{bounds}\n")
    found = About(devices).of(rule)
    expected = [one.id for one in devices if applies_to(rule, one)]
    assert expected
    assert sorted(one.id for one in found) == expected
