"""Readings against rules: limits, hysteresis, delays, doubtful readings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.backtest import WouldRaise, would_raise
from alerts.fold import fold, track_of
from alerts.history import series_of
from alerts.judge import Raise, Sample, Standing, Start, Timer, fall_due, judge
from alerts.rule_files import parse_rule
from alerts.rules import Rule
from city.alarm import Severity
from city.device import WatchedDevice
from city.reading import Quality
from db.rules import default_texts

T0 = datetime(2026, 5, 1, 8, tzinfo=UTC)
DEVICE = WatchedDevice(
    id=7, code="MH-7", district="460107", kind="manhole", gas=None, lon=110.4, lat=19.8,
    unit_grid=None, attributes={"tilt_baseline_deg": 2.0, "water_limit_cm": 100},
    report_interval_s=600, demo=False, out_of_service_since=None, return_due_at=None,
)  # fmt: skip


def shipped(code: str) -> Rule:
    return parse_rule(default_texts()[f"{code}.toml"], code)


def at(seconds: float, value: float, quality: int = Quality.GOOD, late_s: float = 0) -> Sample:
    ts = T0 + timedelta(seconds=seconds)
    return Sample(ts, ts + timedelta(seconds=late_s), value, quality)


def replay(
    rule: Rule, device: WatchedDevice, samples: Iterable[Sample], to: datetime
) -> list[WouldRaise]:
    """Alarms of one rule and device over samples in the order of their time."""
    track = track_of(rule, device, series_of(samples))
    return [would_raise(page) for page in fold([track] if track else [], device, to).pages]


def run(rule: Rule, samples: Iterable[Sample], until_s: float = 1e6) -> list[WouldRaise]:
    return replay(rule, DEVICE, samples, T0 + timedelta(seconds=until_s))


def raised(rule: Rule, sample: Sample, standing: Standing | None = None) -> list[Any]:
    return list(judge(rule, 7, DEVICE.attributes, standing or Standing(), sample))


def test_gas_at_the_limit_raises_at_the_first_reading() -> None:
    (outcome,) = raised(shipped("gas-lel"), at(0, 20.0))
    assert isinstance(outcome, Raise)
    assert outcome.severity is Severity.ORANGE
    assert outcome.reason.code == "value_at_or_above_limit"
    assert (outcome.reason.value, outcome.reason.limit, outcome.reason.unit) == (20, 20, "%LEL")


def test_gas_just_below_the_limit_raises_nothing() -> None:
    assert raised(shipped("gas-lel"), at(0, 19.999)) == []


def test_gas_over_the_high_limit_is_red_at_once() -> None:
    (outcome,) = raised(shipped("gas-lel"), at(0, 55.0))
    assert outcome.severity is Severity.RED
    assert outcome.reason.limit == 50


def test_from_low_to_high_is_one_alarm_that_became_worse() -> None:
    (alarm,) = run(shipped("gas-lel"), [at(0, 25), at(10, 60), at(20, 30)])
    assert alarm.severity == "red"
    assert alarm.sensed_at == T0
    assert alarm.cleared_at is None


def test_gas_clears_after_five_minutes_below_half_of_the_limit() -> None:
    readings = [at(0, 25), at(60, 9), at(180, 8), at(359, 5), at(361, 5)]
    (alarm,) = run(shipped("gas-lel"), readings)
    assert alarm.cleared_at == T0 + timedelta(seconds=361)


def test_a_reading_between_clear_limit_and_limit_starts_the_five_minutes_anew() -> None:
    readings = [at(0, 25), at(60, 9), at(200, 15), at(370, 5), at(600, 5)]
    (alarm,) = run(shipped("gas-lel"), readings)
    assert alarm.cleared_at is None


def test_a_gas_detector_that_falls_silent_never_clears_its_alarm() -> None:
    (alarm,) = run(shipped("gas-lel"), [at(0, 25), at(60, 3)], until_s=86_400)
    assert alarm.cleared_at is None


def test_a_cover_clears_by_time_alone_because_it_reports_only_changes() -> None:
    (alarm,) = run(shipped("manhole-open"), [at(0, 1), at(60, 0)], until_s=600)
    assert alarm.cleared_at == T0 + timedelta(seconds=120)


def test_a_value_wobbling_around_the_limit_for_an_hour_is_one_alarm() -> None:
    wobble = [at(i, 20.5 if i % 2 else 19.5) for i in range(3600)]
    assert len(run(shipped("gas-lel"), wobble)) == 1


def test_a_value_wobbling_widely_for_an_hour_is_one_alarm() -> None:
    wobble = [at(10 * i, 25 if i % 2 else 2) for i in range(360)]
    assert len(run(shipped("gas-lel"), wobble, until_s=3600)) == 1


def test_a_tilt_wobbling_around_its_limit_never_lasts_long_enough() -> None:
    wobble = [at(20 * i, 18 if i % 2 else 16) for i in range(180)]
    assert run(shipped("manhole-tilt"), wobble, until_s=3600) == []


def test_a_tilt_must_last_thirty_seconds_and_a_right_angle_counts_at_once() -> None:
    tilt = shipped("manhole-tilt")
    assert run(tilt, [at(0, 25), at(29, 2)]) == []
    (slow,) = run(tilt, [at(0, 25), at(31, 25)])
    assert (slow.severity, slow.sensed_at) == ("yellow", T0)
    (outcome,) = raised(tilt, at(0, 95))
    assert isinstance(outcome, Raise)
    assert outcome.severity is Severity.ORANGE


def test_a_tilt_that_is_reported_once_counts_when_its_time_is_up() -> None:
    (alarm,) = run(shipped("manhole-tilt"), [at(0, 25)], until_s=30)
    assert alarm.severity == "yellow"
    assert run(shipped("manhole-tilt"), [at(0, 25)], until_s=29) == []


def test_tilt_is_measured_from_the_baseline_and_the_short_way_round() -> None:
    tilt = shipped("manhole-tilt")
    assert raised(tilt, at(0, 17.0)) == []  # 15.0 from the baseline of 2: not above
    assert isinstance(raised(tilt, at(0, -14.0))[0], Start)
    turned = WatchedDevice(
        **{f: getattr(DEVICE, f) for f in DEVICE.__slots__ if f != "attributes"},
        attributes={"tilt_baseline_deg": 178},
    )
    assert replay(tilt, turned, [at(0, -178)], T0 + timedelta(hours=1)) == []


def test_a_site_limit_comes_from_the_device_and_without_one_nothing_is_judged() -> None:
    water = shipped("manhole-water")
    (outcome,) = raised(water, at(0, 100.5))
    assert outcome.reason.limit == 100
    assert raised(water, at(0, 100.0)) == []
    assert list(judge(water, 7, {}, Standing(), at(0, 500))) == []
    assert list(judge(water, 7, {"water_limit_cm": "100"}, Standing(), at(0, 500))) == []


def test_late_and_simulated_readings_raise_nothing_and_clear_nothing() -> None:
    gas = shipped("gas-lel")
    for quality in (Quality.LATE, Quality.SIMULATED):
        assert raised(gas, at(0, 90, quality)) == []
        standing = Standing(level=Severity.RED, since=T0)
        assert raised(gas, at(60, 0, quality), standing) == []


def test_a_replaced_clock_still_raises() -> None:
    assert len(raised(shipped("gas-lel"), at(0, 30, Quality.CLOCK_REPLACED))) == 1


def test_a_suspect_reading_raises_but_never_clears() -> None:
    gas = shipped("gas-lel")
    assert len(raised(gas, at(0, 30, Quality.SUSPECT))) == 1
    standing = Standing(level=Severity.ORANGE, since=T0)
    assert raised(gas, at(60, 0, Quality.SUSPECT), standing) == []
    assert isinstance(raised(gas, at(60, 0), standing)[0], Start)


def test_a_reading_older_than_the_rule_allows_raises_nothing() -> None:
    oxygen = shipped("gas-oxygen-low")
    age = oxygen.max_age.total_seconds()
    assert raised(oxygen, at(0, 15, late_s=age + 1)) == []
    assert len(raised(oxygen, at(0, 15, late_s=age))) == 1


def test_an_older_good_reading_does_not_clear_a_newer_alarm() -> None:
    standing = Standing(level=Severity.ORANGE, since=T0)
    assert raised(shipped("manhole-open"), at(-5, 0), standing) == []


def test_an_older_good_reading_does_not_break_off_a_newer_delay() -> None:
    tilt = shipped("manhole-tilt")
    (start,) = raised(tilt, at(0, 25))
    assert isinstance(start, Start)
    standing = Standing(timers={Severity.YELLOW: start.timer})
    assert raised(tilt, at(-5, 2), standing) == []
    assert len(raised(tilt, at(5, 2), standing)) == 1


def test_a_rule_does_not_clear_what_another_rule_of_the_hazard_raised() -> None:
    standing = Standing()
    assert raised(shipped("gas-detector"), at(60, 0), standing) == []


def test_a_low_limit_trips_below_and_clears_above() -> None:
    oxygen = shipped("gas-oxygen-low")
    assert raised(oxygen, at(0, 19.5)) == []
    low = [at(0, 19.0), at(61, 19.0), at(120, 19.8), at(500, 20.5), at(700, 20.9), at(801, 20.9)]
    (alarm,) = run(oxygen, low)
    assert alarm.cleared_at == T0 + timedelta(seconds=801)


def test_the_same_value_again_lets_a_delay_run_out() -> None:
    (alarm,) = run(shipped("manhole-tilt"), [at(0, 25), at(15, 25), at(30, 25)], until_s=30)
    assert alarm.severity == "yellow"


def test_two_readings_two_milliseconds_apart_are_both_judged() -> None:
    (alarm,) = run(shipped("gas-lel"), [at(0.000, 5), at(0.002, 25)])
    assert alarm.sensed_at == T0 + timedelta(milliseconds=2)


def test_a_leftover_off_delay_is_dropped_when_its_alarm_is_over() -> None:
    gas = shipped("gas-lel")
    begun = raised(gas, at(60, 3), Standing(level=Severity.ORANGE, since=T0))[0]
    assert isinstance(begun, Start)
    timers: dict[Severity | None, Timer] = {None: begun.timer}
    assert len(raised(gas, at(120, 3), Standing(timers=timers))) == 1


def test_a_clock_that_is_ahead_neither_shortens_nor_lengthens_a_delay() -> None:
    tilt = shipped("manhole-tilt")
    ahead_s = -540.0  # received nine minutes "before" it was measured
    (start,) = raised(tilt, at(0, 25, late_s=ahead_s))
    assert isinstance(start, Start)
    received_at = T0 + timedelta(seconds=ahead_s)
    assert start.timer.due_at == received_at + timedelta(seconds=30)
    standing = Standing(timers={Severity.YELLOW: start.timer})
    assert not list(fall_due(tilt, standing, T0 + timedelta(seconds=29)))
    assert len(list(fall_due(tilt, standing, T0 + timedelta(seconds=30)))) == 2
    due = start.timer.due_at
    assert len(list(fall_due(tilt, standing, due, device_clock=False))) == 2
