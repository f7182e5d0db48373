"""Dark lamps: by night only, after a delay, and one alarm for a cabinet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from alerts.backtest import judge_history
from alerts.book import Finding, place_of
from alerts.history import History, build_columns
from alerts.judge import Clear, Raise, Start, Stop, Timer
from alerts.lamp_seen import LampState, Seen, see_burning, see_lamp
from alerts.rule_files import parse_rule
from alerts.watch.lamp import judge_cabinet, judge_lamps, lamp_reason
from city.alarm import Severity
from city.device import LampRow, WatchedDevice
from city.moment import as_microseconds
from city.reading import METRICS
from db.rules import default_texts

RULE = parse_rule(default_texts()["lamp-dark.toml"])
NIGHT = datetime(2026, 5, 1, 14, tzinfo=UTC)  # 22:00 in Haikou
NOON = datetime(2026, 5, 1, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def lamp(number: int, cabinet: str = "CAB-1") -> WatchedDevice:
    return WatchedDevice(
        id=number, code=f"LT-{number}", district="460107", kind="light", gas=None,
        lon=110.4 + number / 1e4, lat=19.8, unit_grid=f"46010700100100{number % 10}",
        attributes={"cabinet": cabinet, "rated_power_w": 100}, report_interval_s=300, demo=True,
        out_of_service_since=None, return_due_at=None,
    )  # fmt: skip


def row(
    on: float | None, power: float | None = None, dim: float | None = None,
    at: datetime = NIGHT, received_at: datetime | None = None,
) -> LampRow:  # fmt: skip
    heard = received_at or at
    return LampRow(
        device_id=1,
        lamp_on=on,
        lamp_on_at=None if on is None else at,
        lamp_on_received_at=None if on is None else heard,
        power_w=power,
        power_at=None if power is None else at,
        power_received_at=None if power is None else heard,
        dim_pct=dim,
    )


def state(lamp_row: LampRow, now: datetime = NIGHT) -> LampState:
    return see_lamp(RULE, lamp(1), lamp_row, None, now).state


def test_a_lamp_is_dark_by_its_state_or_by_its_power_at_the_dimming_level() -> None:
    assert state(row(0)) is LampState.FAULTY
    assert state(row(1, 79.0)) is LampState.FAULTY  # below 80 % of 100 W
    assert state(row(1, 81.0)) is LampState.FINE
    assert state(row(1, 41.0, dim=50)) is LampState.FINE
    assert state(row(1, 39.0, dim=50)) is LampState.FAULTY
    assert state(row(None, 10.0)) is LampState.FAULTY
    assert state(row(1)) is LampState.FINE


def test_a_lamp_without_rated_power_is_judged_by_its_state_alone() -> None:
    plain = replace(lamp(1), attributes={})
    assert see_lamp(RULE, plain, row(1, 5.0), None, NIGHT).state is LampState.FINE


def test_by_day_a_dark_lamp_is_as_it_should_be() -> None:
    assert state(row(0, at=NOON), NOON) is LampState.OFF


def test_within_the_grace_after_sunset_nobody_asks() -> None:
    sunset_about = datetime(2026, 5, 1, 11, 5, tzinfo=UTC)
    assert state(row(0, at=sunset_about), sunset_about) is LampState.OFF


def test_a_lamp_that_has_not_reported_lately_is_unknown_not_dark() -> None:
    assert state(row(0, at=NIGHT - 16 * MINUTE)) is LampState.OFF
    assert state(row(0, at=NIGHT - 14 * MINUTE)) is LampState.FAULTY


def test_a_late_report_from_before_dusk_does_not_make_a_lamp_dark() -> None:
    assert state(row(0, at=NOON, received_at=NIGHT)) is LampState.OFF


def dark(number: int, since_min: float | None, cabinet: str = "CAB-1") -> Seen:
    device = lamp(number, cabinet)
    seen = Seen(device, LampState.FAULTY, "灯具关闭", "the lamp is off", 0.0, None, NIGHT, NIGHT)
    if since_min is None:
        return seen
    began = NIGHT - since_min * MINUTE
    timer = Timer(
        RULE.code, number, Severity.BLUE, began, began, began + 5 * MINUTE, lamp_reason(RULE, seen)
    )
    return replace(seen, dark_since=timer)


def stopped(seen: Seen) -> Finding:
    return Finding(Stop(Severity.BLUE), RULE, place_of(seen.device, RULE))


def alarms(lamps: list[Seen], live: tuple[str, ...] = ()) -> list[str]:
    outcomes = judge_lamps(RULE, lamps, dict.fromkeys(live, NIGHT), NIGHT)
    return [o.key for o in outcomes if isinstance(o.outcome, Raise)]


def test_a_dark_lamp_waits_five_minutes() -> None:
    outcomes = list(judge_lamps(RULE, [dark(1, None)], {}, NIGHT))
    (start,) = outcomes
    assert isinstance(start.outcome, Start)
    assert start.outcome.timer.due_at == NIGHT + 5 * MINUTE
    assert start.place.name == "LT-1"
    assert alarms([dark(1, 4.9)]) == []
    assert alarms([dark(1, 5)]) == ["lamp/LT-1"]


def test_five_dark_lamps_of_a_cabinet_are_one_alarm_with_the_lamps_as_children() -> None:
    lamps = [dark(1, 5), *[dark(i, 1) for i in range(2, 6)]]
    (found,) = [o for o in judge_lamps(RULE, lamps, {}, NIGHT) if isinstance(o.outcome, Raise)]
    assert found.key == "lamp-cabinet/CAB-1"
    assert found.outcome.severity is Severity.YELLOW
    assert found.outcome.reason.facts["children"] == ["LT-1", "LT-2", "LT-3", "LT-4", "LT-5"]
    assert found.place.category == "0137-area"
    assert found.place.device_id is None
    assert abs(found.place.lon - lamp(3).lon) < 1e-9


def test_two_hundred_dark_lamps_of_one_cabinet_are_still_one_alarm() -> None:
    assert alarms([dark(i, 6) for i in range(1, 201)]) == ["lamp-cabinet/CAB-1"]


def test_four_dark_lamps_are_four_alarms_and_other_cabinets_do_not_count() -> None:
    lamps = [dark(i, 6) for i in range(1, 5)] + [dark(9, 6, cabinet="CAB-2")]
    assert sorted(alarms(lamps)) == [
        "lamp/LT-1",
        "lamp/LT-2",
        "lamp/LT-3",
        "lamp/LT-4",
        "lamp/LT-9",
    ]


def test_while_the_cabinet_has_its_alarm_no_lamp_of_it_gets_one() -> None:
    assert alarms([dark(i, 6) for i in range(1, 4)], live=("lamp-cabinet/CAB-1",)) == []


def test_a_lamp_that_lights_up_ends_its_delay_and_its_alarm() -> None:
    lit = replace(dark(1, 20), state=LampState.FINE)
    outcomes = list(judge_lamps(RULE, [lit], {"lamp/LT-1": NIGHT}, NIGHT))
    assert [o.key for o in outcomes if isinstance(o.outcome, Clear)] == ["lamp/LT-1"]
    assert stopped(lit) in outcomes


def test_at_dawn_a_lamp_without_an_alarm_is_forgotten_and_one_with_an_alarm_is_not() -> None:
    off = replace(dark(1, 2), state=LampState.OFF)
    assert list(judge_lamps(RULE, [off], {}, NIGHT)) == [stopped(off)]
    assert list(judge_lamps(RULE, [off], {"lamp/LT-1": NIGHT}, NIGHT)) == []
    assert list(judge_lamps(RULE, [off], {"lamp-cabinet/CAB-1": NIGHT}, NIGHT)) == []


def test_a_cabinet_clears_when_fewer_than_half_of_the_lamps_that_make_one_are_dark() -> None:
    assert list(judge_cabinet(RULE, "lamp-cabinet/CAB-1", 3, NIGHT)) == []
    over = Finding(Clear(NIGHT), RULE, condition="lamp-cabinet/CAB-1")
    assert list(judge_cabinet(RULE, "lamp-cabinet/CAB-1", 2, NIGHT)) == [over]


BURN = parse_rule(default_texts()["lamp-day-burn.toml"])


def by_day(lamp_row: LampRow, at: datetime = NOON, held_on: bool = False) -> LampState:
    known = History({}, {}, at, lamp_held_on=lambda _, ts: np.full(len(ts), held_on))
    return see_burning(BURN, lamp(1), lamp_row, None, at, known).state


def test_a_lamp_burns_by_day_by_its_state_or_by_its_power_unless_a_person_has_it_on() -> None:
    assert by_day(row(1, at=NOON)) is LampState.FAULTY
    assert by_day(row(0, 20.0, at=NOON)) is LampState.FAULTY  # of 100 W
    assert by_day(row(None, 90.0, at=NOON)) is LampState.FAULTY
    assert by_day(row(0, 19.0, at=NOON)) is LampState.FINE
    assert by_day(row(None, None, at=NOON)) is LampState.OFF
    assert by_day(row(1, at=NOON - 16 * MINUTE)) is LampState.OFF  # said too long ago
    assert by_day(row(1, at=NOON), held_on=True) is LampState.OFF
    assert by_day(row(1), NIGHT) is LampState.OFF  # nothing is wrong with that


def test_enough_lamps_of_a_cabinet_that_burn_by_day_are_one_alarm_that_names_them() -> None:
    devices = {n: lamp(n, "CAB-1" if n <= 6 else "CAB-2") for n in range(1, 8)}
    steps = [(n, NOON + step * 5 * MINUTE) for n in devices for step in range(12)]
    lit_until = NOON + 40 * MINUTE
    columns = build_columns(
        np.array([n for n, _ in steps]),
        np.array([as_microseconds(at) for _, at in steps]),
        np.array([as_microseconds(at) for _, at in steps]),
        np.array([float(at <= lit_until) for _, at in steps]),
        np.zeros(len(steps), np.int8),
    )
    history = History(devices, {METRICS["lamp_on"].id: columns}, NOON + timedelta(hours=2))
    cabinet, single = judge_history([BURN], history)
    assert (cabinet.device, cabinet.severity, cabinet.condition) == ("CAB-1", "yellow", "day_burn")
    assert cabinet.members == tuple(f"LT-{n}" for n in range(1, 7))
    assert (single.device, single.severity) == ("LT-7", "blue")
    assert cabinet.cleared_at is not None
    assert single.cleared_at is not None
    held = replace(history, lamp_held_on=lambda _, ts: np.ones(len(ts), bool))
    assert judge_history([BURN], held) == []
