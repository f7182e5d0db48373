"""Signals of windows, daylight, scope, programmes, combinations and likely causes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import daylight, signals
from alerts.backtest import books_of, judge_history
from alerts.book import SYSTEM, AlarmBook, Page
from alerts.cause import likely_cause
from alerts.history import History, build_columns
from alerts.lifecycle import Input
from alerts.rule_files import parse_rule
from alerts.scope import Scope
from alerts.watch.rise import RiseKind
from alerts.watch.window import Matter
from city.alarm import AlarmState, Severity
from city.device import WatchedDevice
from city.errors import InvalidInput
from city.moment import as_microseconds
from city.place import LonLat
from city.reading import METRICS
from city.sun import is_dark
from db.rules import default_texts

T0 = datetime(2026, 5, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
GAS = WatchedDevice(
    id=1,
    code="G-1",
    district="460107",
    kind="gas",
    gas="methane",
    lon=110.4,
    lat=19.8,
    unit_grid=None,
    attributes={},
    report_interval_s=300,
    demo=False,
    out_of_service_since=None,
    return_due_at=None,
    model="m-1",
)
LAMP = replace(GAS, id=2, code="L-1", kind="light", gas=None, attributes={"rated_power_w": 100})


def history(
    devices: Sequence[WatchedDevice], readings: Sequence[tuple[int, str, timedelta, float]]
) -> History:
    """Readings as (device id, metric, since T0, value)."""
    columns = {}
    for name in {metric for _, metric, _, _ in readings}:
        mine = [r for r in readings if r[1] == name]
        ts = np.array([as_microseconds(T0 + at) for _, _, at, _ in mine])
        ids, values = np.array([r[0] for r in mine]), np.array([float(r[3]) for r in mine])
        quality = np.zeros(len(mine), np.int8)
        columns[METRICS[name].id] = build_columns(ids, ts, ts, values, quality)
    last = max(at for _, _, at, _ in readings)
    return History({d.id: d for d in devices}, columns, T0 + last + HOUR)


def shipped(code: str, **changes: str) -> Any:
    text = default_texts()[f"{code}.toml"]
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    return parse_rule(text, code)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 900), st.floats(-2, 60)), min_size=1, max_size=60))
def test_a_signal_at_a_moment_does_not_depend_on_what_came_later(
    steps: list[tuple[int, float]],
) -> None:
    ts = np.cumsum([gap for gap, _ in steps]) * 1_000_000
    value = np.array([v for _, v in steps])
    window = 1800 * 1_000_000
    for made in (signals.rise, signals.mean_within, signals.lasting):
        whole = made(ts, value, window)
        for end in {1, len(ts) // 2, len(ts)}:
            np.testing.assert_allclose(whole[:end], made(ts[:end], value[:end], window), atol=1e-9)
    low = signals.lowest_within(ts, value, window)
    plain = [value[(ts >= t - window) & (ts <= t)].min() for t in ts]
    np.testing.assert_array_equal(low, plain)


def test_one_odd_value_is_no_rise_and_three_are() -> None:
    ts = np.arange(30) * 60_000_000
    value = np.full(30, 0.5)
    value[20] = 40.0
    assert np.nanmax(signals.rise(ts, value, 3_600_000_000)) < 1
    value[20:23] = 12.0
    assert np.nanmax(signals.rise(ts, value, 3_600_000_000)) == pytest.approx(11.5)
    value[:] = 12.0
    value[10] = 0.0  # a zero that is missing is no low to rise from
    assert np.nanmax(signals.rise(ts, value, 3_600_000_000)) < 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 365 * 24 * 60), st.floats(75, 133), st.floats(4, 53))
def test_day_and_night_are_those_of_the_sun(minute: int, lon: float, lat: float) -> None:
    place = LonLat(round(lon * 20) / 20, round(lat * 20) / 20)
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    near = any(
        is_dark(at + timedelta(seconds=s), place) != is_dark(at, place) for s in (-5, 5)
    )  # the edges are found to a second
    if not near:
        ts = np.array([as_microseconds(at)])
        assert bool(daylight.is_night(ts, place)[0]) is is_dark(at, place)
        assert bool(daylight.is_day(ts, place)[0]) is not is_dark(at, place)


def test_a_scope_is_a_model_a_device_an_attribute_and_an_hour() -> None:
    text = default_texts()["gas-lel.toml"] + (
        '\n[scope]\nmodel = ["m-1", "m-2"]\nhours = "22:00-06:00"\n'
        '[scope.attributes]\nmount = ["cellar", "well"]\n'
    )
    rule = parse_rule(text)
    inside = replace(GAS, attributes={"mount": "cellar"})
    assert rule.scope.covers(inside)
    assert not rule.scope.covers(GAS)
    assert not rule.scope.covers(replace(inside, model="m-3"))
    night = datetime(2026, 5, 1, 15, tzinfo=UTC)  # 23:00 there
    assert (rule.scope.is_hour(night), rule.scope.is_hour(night + 8 * HOUR)) == (True, False)
    readings = [(1, "ch4_pct_lel", timedelta(hours=h), 30.0 if h >= 3 else 0.0) for h in range(18)]
    (found,) = judge_history([rule], history([inside], readings))
    assert found.raised_at == T0 + 14 * HOUR  # 22:00, not when it came
    bounds = 'area = ["HZ-1", "HZ-2"]\narea_kind = "hazard"'
    near = parse_rule(default_texts()["gas-lel.toml"] + f"\n[scope]\n{bounds}\n").scope
    assert near.covers(replace(GAS, areas={"HZ-2": "hazard", "IP-1": "important"}))
    assert not near.covers(replace(GAS, areas={"HZ-2": "important"}))
    assert not near.covers(replace(GAS, areas={"HZ-3": "hazard"}))
    assert not near.covers(GAS)
    for wrong in ('hours = "22"', "model = [1]", "hurs = 1", 'area_kind = "park"'):
        with pytest.raises(InvalidInput, match=r"scope\."):
            parse_rule(default_texts()["gas-lel.toml"] + f"\n[scope]\n{wrong}\n")
    assert Scope().covers(GAS)


def test_so_many_parts_hold_at_the_same_time() -> None:
    text = """
code = "hot-and-gassy"
title_zh = "热"
title_en = "Hot and gas"
watch = "combination"
condition = "both"
category = "device"
opens_incident = false
source = "a test"
valid_from = 2020-01-01T00:00:00+08:00
[[part]]
metric = "ch4_pct_lel"
comparison = "at_or_above"
limit = 5
within_s = 900
[[part]]
metric = "temperature_c"
comparison = "above"
limit = 60
within_s = 900
[[level]]
severity = "orange"
limit = 2
"""
    minute = timedelta(minutes=1)
    readings = [(1, "ch4_pct_lel", 5 * n * minute, 8.0 if n > 2 else 0) for n in range(12)]
    readings += [
        (1, "temperature_c", (5 * n + 1) * minute, 80.0 if n in (6, 7) else 20) for n in range(12)
    ]
    (found,) = judge_history([parse_rule(text)], history([GAS], readings))
    assert (found.raised_at, found.cleared_at) == (T0 + 31 * minute, T0 + 41 * minute)
    assert judge_history([parse_rule(text)], history([GAS], readings[:12])) == []
    with pytest.raises(InvalidInput, match="only 2 parts"):
        parse_rule(text.replace("limit = 2\n", "limit = 3\n"))


def test_dates_of_the_registry_raise_alarms_of_the_device() -> None:
    rule = shipped("gas-calibration")
    due = replace(GAS, attributes={"calibration_due": "2026-04-30"})
    later = replace(GAS, id=3, code="G-3", attributes={"calibration_due": "2027-01-01"})
    known = history([due, later], [(1, "ch4_pct_lel", HOUR, 0.0)])
    (found,) = judge_history([rule], known)
    assert (found.device, found.condition, found.severity) == ("G-1", "device", "blue")
    assert "2026-04-30" in found.text_en
    broken = replace(due, attributes={"calibration_due": "soon"})
    assert judge_history([rule], replace(known, devices={1: broken})) == []


def lamp(values: Sequence[tuple[float, float, float]], device: WatchedDevice = LAMP) -> History:
    """(on, power, level) every quarter of an hour from 10:00 there."""
    readings = []
    for number, row in enumerate(values):
        for metric, value in zip(("lamp_on", "power_w", "dim_pct"), row, strict=True):
            readings.append((2, metric, 2 * HOUR + timedelta(minutes=15 * number), value))
    return history([device], readings)


def test_a_lamp_is_judged_by_its_programme_and_its_dim_curve() -> None:
    burn = shipped("lamp-day-burn")
    (found,) = judge_history([burn], lamp([(0, 0, 0)] * 2 + [(1, 99, 100)] * 6))
    assert (found.condition, found.severity) == ("day_burn", "blue")
    on_by_plan = replace(LAMP, attributes={**LAMP.attributes, "programme": [["00:00", 100]]})
    assert judge_history([burn], lamp([(1, 99, 100)] * 8, on_by_plan)) == []
    weak = shipped("lamp-under-power")
    assert [a.condition for a in judge_history([weak], lamp([(1, 60, 100)] * 9))] == ["under_power"]
    assert judge_history([weak], lamp([(1, 60, 50)] * 9)) == []
    curve = {**LAMP.attributes, "dim_curve": [[0, 0], [50, 20], [100, 100]]}
    assert judge_history([weak], lamp([(1, 19, 50)] * 9, replace(LAMP, attributes=curve))) == []
    dim = shipped("lamp-dim-mismatch")
    plan = replace(LAMP, attributes={**LAMP.attributes, "programme": [["06:00", 40]]})
    assert [a.condition for a in judge_history([dim], lamp([(1, 99, 100)] * 9, plan))] == [
        "dimming"
    ]
    assert judge_history([dim], lamp([(1, 40, 40)] * 9, plan)) == []
    # A programme of the city counts more than what the registry says of the lamp.
    ordered = replace(lamp([(1, 99, 100)] * 9, plan), lamp_levels=lambda _, ts: ts * 0.0 + 100)
    assert judge_history([dim, burn], ordered) == []
    told_off = replace(lamp([(1, 99, 100)] * 9), lamp_levels=lambda _, ts: ts * 0.0)
    assert {a.condition for a in judge_history([dim, burn], told_off)} == {"dimming", "day_burn"}


def test_evidence_names_a_leak_or_the_sewer_and_ethane_settles_it() -> None:
    steep = [
        (1, "ch4_pct_lel", n * timedelta(minutes=5), 0.5 if n < 20 else 30.0) for n in range(30)
    ]
    at = T0 + timedelta(minutes=145)
    assert likely_cause(GAS, history([GAS], steep), at).tag == "pipeline"
    well = replace(GAS, kind="manhole")
    wave = [
        (
            1,
            "ch4_pct_lel",
            n * timedelta(minutes=15),
            25 * max(0.0, float(np.cos(2 * np.pi * (n / 4 - 20) / 24))),
        )
        for n in range(4 * 68)
    ]
    breathing = likely_cause(well, history([well], wave), T0 + 68 * HOUR)
    assert breathing.tag == "biogas"
    assert {e.code for e in breathing.evidence} >= {"in_a_well", "as_on_other_days"}
    ethane = [*wave, *((1, "c2h6_ppm", n * HOUR, 80.0) for n in range(60, 68))]
    known = likely_cause(well, history([well], ethane), T0 + 68 * HOUR)
    assert ("ethane", 3.0) in [(e.code, e.weight) for e in known.evidence]
    assert known.weight > breathing.weight


def two_risen(**away: Any) -> History:
    """Two detectors 30 m apart: both rise after two hours, the first falls after six."""
    pair = [GAS, replace(GAS, id=3, code="G-3", lon=GAS.lon + 0.0003, **away)]
    rows = [
        (device.id, "ch4_pct_lel", n * HOUR / 12, 7.0 if 24 <= n < end else 0.0)
        for device, end in zip(pair, (72, 96), strict=True)
        for n in range(100)
    ]
    return history(pair, rows)


def test_a_neighbour_out_of_service_counts_for_nothing() -> None:
    """Test gas is held to it."""
    rule = shipped("gas-neighbours")
    assert [a.members for a in judge_history([rule], two_risen())] == [("G-1", "G-3")]
    assert judge_history([rule], two_risen(out_of_service_since=T0)) == []
    back = two_risen(out_of_service_since=T0 + HOUR, return_due_at=T0 + 4 * HOUR)
    (later,) = judge_history([rule], back)
    assert later.sensed_at > T0 + 4 * HOUR


def test_a_neighbour_taken_out_of_service_ends_no_alarm_that_it_helped_to_begin() -> None:
    rule = shipped("gas-neighbours")
    (found,) = judge_history([rule], two_risen(out_of_service_since=T0 + 4 * HOUR))
    assert found.sensed_at < T0 + 3 * HOUR
    assert found.cleared_at == T0 + 6 * HOUR + timedelta(minutes=5)


LEVELS = st.sampled_from([0.4, 0.4, 0.5, 3.0, 7.0, 9.0, 12.0, 12.0, 14.0, 25.0])


def look_by_look(
    batches: Sequence[Sequence[tuple[timedelta, float]]], restarts: Sequence[bool]
) -> AlarmBook:
    """What looks come to that each know what arrived so far; the process may be another each time,
    and whoever is told acknowledges."""
    kind, rule = RiseKind(), shipped("gas-rise")
    known: list[tuple[int, str, timedelta, float]] = []
    book = AlarmBook(T0)
    over: list[Page] = []
    for batch, restart in zip(batches, restarts, strict=True):
        known += [(1, "ch4_pct_lel", at, value) for at, value in batch]
        if restart:
            over += [p for p in book.pages if p.alarm.state is AlarmState.NORMAL]
            live = [p.alarm for p in book.pages if p.alarm.state is not AlarmState.NORMAL]
            timers = list(book.standing(rule, GAS).timers.values())
            book = AlarmBook(T0, live, timers)
        book.now = T0 + max(at for _, _, at, _ in known)
        ended = [p.alarm for p in (*over, *book.pages) if p.alarm.state is AlarmState.NORMAL]
        since = T0 + min(at for at, _ in batch)
        matter = Matter(GAS, [rule], since)
        kind.look_at(book, matter, history([GAS], known), {f"gas/{GAS.code}": ended})
        alarm = book.find(f"gas/{GAS.code}")
        if alarm is not None and alarm.state is not AlarmState.ACKNOWLEDGED:
            book.act(alarm.condition, Input.ACKNOWLEDGE, SYSTEM)
    book.pages[:0] = over
    return book


def told(pages: Sequence[Page]) -> list[tuple[Severity, datetime | None]]:
    return [(p.alarm.severity, p.alarm.cleared_at) for p in pages]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(LEVELS, st.booleans()), min_size=6, max_size=50))
def test_looks_with_restarts_come_to_what_the_whole_history_does(
    steps: list[tuple[float, bool]],
) -> None:
    rows = [(timedelta(minutes=5 * n), value) for n, (value, _) in enumerate(steps)]
    rules = [shipped("gas-rise")]
    whole = history([GAS], [(1, "ch4_pct_lel", at, value) for at, value in rows])
    expected = [page for book in books_of(rules, whole) for page in book.pages]
    live = look_by_look([[row] for row in rows], [restart for _, restart in steps])
    assert told(live.pages) == told(expected)


@settings(max_examples=40, deadline=None)
@given(st.lists(LEVELS, min_size=6, max_size=40), st.integers(0, 10**6))
def test_no_order_of_arrival_and_no_restart_loses_a_gas_alarm(
    values: list[float], seed: int
) -> None:
    chance = random.Random(seed)
    rows = [(timedelta(minutes=5 * n), value) for n, value in enumerate(values)]
    whole = history([GAS], [(1, "ch4_pct_lel", at, v) for at, v in rows])
    pages = [p for book in books_of([shipped("gas-rise")], whole) for p in book.pages]
    late = sorted(rows, key=lambda row: row[0] + timedelta(minutes=chance.choice((0, 0, 0, 25))))
    batches = [late[n : n + 3] for n in range(0, len(late), 3)]
    live = look_by_look(batches, [chance.random() < 0.3 for _ in batches])
    worst = min((p.alarm.severity for p in pages), default=None)
    if worst is not None:
        assert min(p.alarm.severity for p in live.pages) <= worst
    assert bool(live.live_of("gas-rise")) or not any(p.alarm.cleared_at is None for p in pages)
