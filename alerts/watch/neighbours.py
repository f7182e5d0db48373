"""Several detectors near each other that have risen below their limit: one matter of them all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, ClassVar

import numpy as np

from alerts import signals
from alerts.fields import Fields
from alerts.history import (
    NOTHING,
    Flags,
    Floats,
    History,
    Ints,
    Series,
    as_us,
    lonlat,
    merged,
)  # fmt: skip
from alerts.limits import WindowRule, applies_to
from alerts.rules import DAY_S
from alerts.surroundings import devices_near
from alerts.watch.window import WindowKind, checked, latest_receipt, window_fields
from city.device import WatchedDevice
from city.moment import as_microseconds
from city.place import distance_m
from db.pool import Connection

TOGETHER = "neighbours_rose"
# A value older than so many reporting intervals takes no part in a vote; it ends none either.
FRESH_INTERVALS = 4
# A degree of latitude is never shorter.
METRES_A_DEGREE = 110_500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighboursRule(WindowRule):
    """Limits are numbers of devices. A device counts while its value has been `risen` above its
    own lowest of `baseline` all through the window, and until it falls below `hold_above`; out of
    service it counts for nothing, and an alarm that it helped to begin it neither ends nor renews.
    """

    radius_m: float
    same_pipe: bool
    risen: float
    baseline: timedelta

    @property
    def unit(self) -> str:
        return ""

    @property
    def said(self) -> tuple[str, Mapping[str, Any]]:
        minutes = round(self.window / timedelta(minutes=1))
        return TOGETHER, {"minutes": minutes, "risen": self.risen, "of": self.metric.unit}


@dataclass(frozen=True, slots=True)
class Vote:
    """What one device says at its own moments: whether it counts, whether its value is still
    high, and since when it counts."""

    ts_us: Ints
    counts: Floats
    still: Floats
    since_us: Floats
    fresh_us: int


class NeighboursKind(WindowKind[NeighboursRule]):
    """Fields of its own: `radius_m`, `same_pipe`, `risen`, `baseline_s` and those of `WindowRule`.

    The alarm is at the device that counted first; the others are its members.
    """

    name = "neighbours"
    sentences: ClassVar = {
        TOGETHER: (
            "{value} 台相邻探测器({members_text})持续 {minutes} 分钟升高 {risen}{of} 以上",
            "{value} detectors near each other ({members_text}) have been {risen} {of} above their "
            "zero for {minutes} min",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> NeighboursRule:
        radius_m = fields.number("radius_m", low=0, high=5000)
        same_pipe = fields.flag("same_pipe", default=False)
        risen = fields.number("risen", low=0)
        baseline = fields.seconds("baseline_s", default=DAY_S, high=7 * DAY_S)
        known = {**window_fields(fields, common, clear_limit=0.0), "wake": risen}
        known["clear_limit"] = (known["levels"][0].limit or 0.0) - 0.5
        rule = NeighboursRule(
            radius_m=radius_m, same_pipe=same_pipe, risen=risen, baseline=baseline, **known
        )
        if rule.hold_above is None:
            raise fields.wrong("hold_above", None, "is missing")
        return checked(rule, fields)

    def lead(self, rule: NeighboursRule) -> timedelta:
        return rule.window + rule.baseline

    def derive(self, rule: NeighboursRule, device: WatchedDevice, history: History) -> Series:
        group = [device, *self.around(rule, [device], history)]
        members = [one for one in group if _vote(rule, one, history).counts.any()]
        if len(members) < (rule.levels[0].limit or 0.0) or device not in members:
            return NOTHING
        votes = [_vote(rule, one, history) for one in members]
        ts_us = merged([replace(NOTHING, ts_us=vote.ts_us) for vote in votes])
        return _count(rule, device, members, history, ts_us)

    def _list_devices(
        self,
        conn: Connection,
        rules: Iterable[NeighboursRule],
        marked: Iterable[int],
        district: str,
    ) -> dict[int, WatchedDevice]:
        mine = list(rules)
        # The neighbours of neighbours as well: whether those count depends on theirs.
        reach_m = 2 * max(rule.radius_m for rule in mine)
        along_pipes = any(rule.same_pipe for rule in mine)
        found = devices_near(conn, marked, reach_m, along_pipes=along_pipes)
        return {
            i: device
            for i, device in found.items()
            if device.district == district and any(applies_to(rule, device) for rule in mine)
        }

    def around(
        self, rule: NeighboursRule, devices: Iterable[WatchedDevice], history: History
    ) -> list[WatchedDevice]:
        """Devices near one of these or on the same pipe, without them."""
        asked = list(devices)
        known = {one.id for one in asked}
        near: dict[int, WatchedDevice] = {}
        for one in asked:
            for other in _neighbours(rule, one, history):
                if other.id not in known:
                    near[other.id] = other
        return list(near.values())


def _neighbours(
    rule: NeighboursRule, device: WatchedDevice, history: History
) -> Sequence[WatchedDevice]:
    key = ("near", rule.code, device.id)
    if key not in history.made:
        history.made[key] = list(_near(rule, device, history))
    found: Sequence[WatchedDevice] = history.made[key]
    return found


def _near(rule: NeighboursRule, device: WatchedDevice, history: History) -> list[WatchedDevice]:
    ids, lon, lat = _positions(rule, history)
    reach = rule.radius_m / METRES_A_DEGREE
    wide = reach / max(0.05, float(np.cos(np.radians(device.lat))))
    close = (np.abs(lat - device.lat) <= reach) & (np.abs(lon - device.lon) <= wide)
    found = {int(i) for i in ids[close]}
    if rule.same_pipe and (own := history.pipes.get(device.id)):
        found |= {i for i, pipes in history.pipes.items() if not own.isdisjoint(pipes)}
    return [
        other
        for other in (history.devices[i] for i in sorted(found) if i in history.devices)
        if other.id != device.id
        and other.district == device.district
        and applies_to(rule, other)
        and (
            distance_m(lonlat(device), lonlat(other)) <= rule.radius_m
            or not history.pipes.get(device.id, frozenset()).isdisjoint(
                history.pipes.get(other.id, frozenset())
            )
        )
    ]


def _positions(rule: NeighboursRule, history: History) -> tuple[Ints, Floats, Floats]:
    key = ("positions", rule.code)
    if key not in history.made:
        mine = [d for d in history.devices.values() if applies_to(rule, d)]
        history.made[key] = (
            np.array([d.id for d in mine], np.int64),
            np.array([d.lon for d in mine]),
            np.array([d.lat for d in mine]),
        )
    found: tuple[Ints, Floats, Floats] = history.made[key]
    return found


def _vote(rule: NeighboursRule, device: WatchedDevice, history: History) -> Vote:
    key = ("vote", rule.code, device.id)
    if key not in history.made:
        series = history.of(device.id, rule.metric.id)
        if (away := _is_away(device, series.ts_us)).any():
            series = series.keep(~away)
        history.made[key] = _cast(rule, device, series)
    found: Vote = history.made[key]
    return found


def _is_away(device: WatchedDevice, ts_us: Ints) -> Flags:
    """At which of these moments the device is out of service: test gas and open housings are no
    readings of the place."""
    if device.out_of_service_since is None:
        return np.zeros(len(ts_us), bool)
    away = ts_us >= as_microseconds(device.out_of_service_since)
    if device.return_due_at is not None:
        away &= ts_us < as_microseconds(device.return_due_at)
    return away


def _cast(rule: NeighboursRule, device: WatchedDevice, series: Series) -> Vote:
    assert rule.hold_above is not None
    before = signals.highest_of(series.value, signals.AGREE)
    base = signals.lowest_within(series.ts_us, before, as_us(rule.baseline))
    over = signals.lasting(series.ts_us, series.value - base, as_us(rule.window))
    still = series.value >= rule.hold_above
    counts = signals.with_deadband(over >= rule.risen, ~still)
    came = counts.copy()
    came[1:] &= ~counts[:-1]
    since = np.maximum.accumulate(np.where(came, series.ts_us, 0)).astype(np.float64)
    fresh_us = FRESH_INTERVALS * device.report_interval_s * 1_000_000
    return Vote(series.ts_us, counts.astype(float), still.astype(float), since, fresh_us)


def _count(
    rule: NeighboursRule,
    device: WatchedDevice,
    group: Sequence[WatchedDevice],
    history: History,
    ts_us: Ints,
) -> Series:
    """How many count at every moment at which one of them was measured. Where the device is not
    the first of them, or some only hold what they began, it is less than the limit and not clear.
    """
    least = rule.levels[0].limit or 0.0
    votes = {one.code: (one, _vote(rule, one, history)) for one in group}
    now: dict[str, Floats] = {}
    held = np.zeros(len(ts_us))
    first = np.full(len(ts_us), np.inf)
    first_of_all = np.full(len(ts_us), np.inf)
    leads = np.zeros(len(ts_us), bool)
    for code in sorted(votes):
        one, vote = votes[code]
        counting = signals.last_known(vote.ts_us, vote.counts, ts_us, vote.fresh_us)
        now[code] = np.where(_is_away(one, ts_us), 0.0, np.nan_to_num(counting))
        known = signals.last_known(vote.ts_us, vote.still, ts_us, 2**62)
        held += np.nan_to_num(known)
        since = signals.last_known(vote.ts_us, vote.since_us, ts_us, 2**62)
        since = np.where(now[code] > 0, since, np.inf)
        if code == device.code:
            first = since
            leads = since < first_of_all
        else:
            leads &= ~(since < first)
        first_of_all = np.minimum(first_of_all, since)
    count = np.sum(list(now.values()), axis=0)
    trips = (count >= least) & leads
    value = np.where(
        trips, count, np.where(held >= least, least - 0.5, np.minimum(count, least - 1))
    )
    facts = {}
    turned = np.flatnonzero(trips & np.append(True, value[1:] != value[:-1]))
    for place in turned.tolist():
        members = [code for code in sorted(now) if now[code][place] > 0]
        facts[place] = {"members": members, "members_text": ", ".join(members)}
    quality = np.zeros(len(ts_us), np.int8)
    received = latest_receipt(ts_us, (history.of(one.id, rule.metric.id) for one in group))
    return Series(ts_us, received, value, quality, facts)
