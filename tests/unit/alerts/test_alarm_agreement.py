"""What is judged as it comes and what is judged of the past: the same alarms of the same stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.backtest import books_of
from alerts.book import SYSTEM, AlarmBook, Page
from alerts.history import History, build_columns
from alerts.judge import Start, Stop, Timer
from alerts.lamp_seen import see_burning
from alerts.levels import ACTIVE
from alerts.lifecycle import Input
from alerts.rule_files import parse_rule
from alerts.watch.lamp import LampKind, Street
from alerts.watch.lasting import LastingKind
from alerts.watch.window import Matter
from city.alarm import AlarmState
from city.device import LampRow, WatchedDevice
from city.moment import as_microseconds
from city.reading import METRICS
from db.rules import default_texts

MINUTE = timedelta(minutes=1)
DAWN = datetime(2026, 5, 1, 21, 30, tzinfo=UTC)  # half an hour before sunrise in Haikou
BY_DAY = 65  # minutes since DAWN
Reading = tuple[int, str, int, float]  # device id, metric, minutes since DAWN, value


def shipped(code: str) -> Any:
    return parse_rule(default_texts()[f"{code}.toml"], code)


def device(number: int, kind: str, **attributes: Any) -> WatchedDevice:
    return WatchedDevice(
        id=number,
        code=f"D-{number}",
        district="460107",
        kind=kind,
        gas=None,
        lon=110.4 + number / 1e4,
        lat=19.8,
        unit_grid=None,
        attributes=attributes,
        report_interval_s=300,
        demo=False,
        out_of_service_since=None,
        return_due_at=None,
    )


def history(devices: Sequence[WatchedDevice], readings: Sequence[Reading], until: int) -> History:
    columns = {}
    for name in {metric for _, metric, _, _ in readings}:
        mine = [r for r in readings if r[1] == name]
        ts = np.array([as_microseconds(DAWN + at * MINUTE) for _, _, at, _ in mine])
        ids, values = np.array([r[0] for r in mine]), np.array([float(r[3]) for r in mine])
        columns[METRICS[name].id] = build_columns(ids, ts, ts, values, np.zeros(len(mine), np.int8))
    return History({d.id: d for d in devices}, columns, DAWN + until * MINUTE)


def told(pages: Sequence[Page]) -> list[tuple[Any, ...]]:
    return sorted(
        (p.alarm.condition, p.alarm.severity, p.alarm.sensed_at, str(p.alarm.cleared_at))
        for p in pages
    )


def acknowledge(book: AlarmBook) -> None:
    for page in book.pages:
        if page.alarm.state not in (AlarmState.ACKNOWLEDGED, AlarmState.NORMAL):
            book.act(page.alarm.condition, Input.ACKNOWLEDGE, SYSTEM)


COVER = device(1, "manhole")
METRES = st.sampled_from([0.0, 3.0, 20.0, 30.0, 49.0, 55.0, 60.0, 160.0, 200.0])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(METRES, st.sampled_from((1, 5, 5, 20)), st.booleans()), min_size=4, max_size=40
    )
)
def test_a_value_that_lasts_is_the_same_alarm_look_by_look_and_looking_back(
    steps: list[tuple[float, int, bool]],
) -> None:
    """Each look knows what has arrived so far, and the process may be another one."""
    rule, kind, key = shipped("manhole-moved"), LastingKind(), f"cover/{COVER.code}"
    known: list[Reading] = []
    book, over, at = AlarmBook(DAWN), [], 0
    for value, minutes, restart in steps:
        at += minutes
        known.append((1, "moved_m", at, value))
        if restart:
            over += [p for p in book.pages if p.alarm.state is AlarmState.NORMAL]
            live = [p.alarm for p in book.pages if p.alarm.state is not AlarmState.NORMAL]
            book = AlarmBook(DAWN, live, list(book.standing(rule, COVER).timers.values()))
        book.now = DAWN + at * MINUTE
        ended = [p.alarm for p in (*over, *book.pages) if p.alarm.state is AlarmState.NORMAL]
        kind.look_at(
            book, Matter(COVER, [rule], book.now), history([COVER], known, at), {key: ended}
        )
        acknowledge(book)
    whole = [page for b in books_of([rule], history([COVER], known, at)) for page in b.pages]
    assert told([*over, *book.pages]) == told(whole)


LAMPS = [device(n, "light", cabinet="CAB" if n < 7 else "", rated_power_w=100) for n in range(1, 9)]
BURN = shipped("lamp-day-burn")


def newest(readings: Sequence[Reading], number: int, now: int) -> LampRow:
    """The latest values of a lamp, as they are stored with what comes."""
    last: dict[str, Reading] = {}
    for reading in readings:
        if reading[0] == number and reading[2] <= now:
            last[reading[1]] = reading
    on, power = last.get("lamp_on"), last.get("power_w")
    on_at, power_at = (DAWN + r[2] * MINUTE if r else None for r in (on, power))
    return LampRow(
        number,
        on[3] if on else None,
        on_at,
        on_at,
        power[3] if power else None,
        power_at,
        power_at,
        None,
    )


def look_around(
    book: AlarmBook, timers: dict[int, Timer], readings: Sequence[Reading], minute: int
) -> None:
    now = DAWN + minute * MINUTE
    book.now = now
    nothing = History({}, {}, now)
    lamps = [
        see_burning(BURN, d, newest(readings, d.id, minute), timers.get(d.id), now, nothing)
        for d in LAMPS
    ]
    standing: Mapping[str, datetime] = {
        a.condition: a.raised_at for a in book.live_of(BURN.code) if a.state in ACTIVE
    }
    street = Street(BURN, lamps, standing, frozenset(timers))
    for found in list(LampKind().judge([BURN], [street], now)):
        book.take(found)
        number = found.place.device_id if found.place else None
        if number is not None and isinstance(found.outcome, Start):
            timers[number] = found.outcome.timer
        elif number is not None and isinstance(found.outcome, Stop):
            timers.pop(number, None)
    acknowledge(book)


LIT, OFF = (1.0, 95.0), (0.0, 0.0)
SAYS = st.sampled_from([LIT, OFF, OFF, (1.0, 2.0), (0.0, 90.0)])


@settings(max_examples=40)
@example(
    {8, 1, 2, 3},
    [(6, 0, LIT), (5, 0, LIT), (1, 5, LIT), (6, 0, OFF), (3, 0, OFF), (1, 0, OFF), (2, 1, OFF)],
)
@given(
    st.sets(st.integers(1, 8), min_size=1),
    st.lists(st.tuples(st.integers(1, 8), st.integers(0, 5), SAYS), min_size=4, max_size=40),
)
def test_lamps_lit_by_day_are_the_same_alarms_as_they_run_and_looking_back(
    lit: set[int], said: list[tuple[int, int, tuple[float, float]]]
) -> None:
    """From when it is day, half an hour after sunrise; looks come every minute."""
    readings: list[Reading] = []
    minute = BY_DAY - 10
    again = [(n, int(n == min(lit)), LIT) for _ in range(28) for n in sorted(lit)]
    for number, later, (on, power) in [*again, *said]:
        minute += later
        readings = [r for r in readings if (r[0], r[2]) != (number, minute)]
        readings += [(number, "lamp_on", minute, on), (number, "power_w", minute, power)]
    book, timers = AlarmBook(DAWN), {}
    for at in range(BY_DAY - 10, minute + 60):
        look_around(book, timers, readings, at)
    whole = books_of([BURN], history(LAMPS, readings, minute + 60))
    assert told(book.pages) == told([page for b in whole for page in b.pages])
