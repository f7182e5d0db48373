"""A device that used to report and no longer does, unless the way of its messages explains it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from alerts.book import Finding, Inhibit, condition_of, place_of
from alerts.fields import Fields
from alerts.inhibit import save_inhibitions
from alerts.judge import Clear, Raise
from alerts.levels import ACTIVE
from alerts.limits import is_about
from alerts.paths import Explained
from alerts.reasons import as_json
from alerts.rules import Rule
from alerts.watch.kind import Kind, Look, one_level
from city.alarm import Inhibition, Reason
from city.device import WatchedDevice
from city.moment import EPOCH
from db import alarms, evaluation, gateways
from db.pool import Connection

DEVICE_SILENT = "device_silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceRule(Rule):
    """A rule on devices that say nothing."""

    intervals: float  # reporting intervals without a reading


@dataclass(frozen=True, slots=True)
class Quiet:
    """What is known of the devices of one rule, by their ids."""

    rule: SilenceRule
    devices: Sequence[WatchedDevice]  # that are silent or have an alarm that stands
    silent: Mapping[int, datetime]  # since when
    live: Collection[int]  # with an alarm that stands
    last_at: Mapping[int, datetime]  # of those with an alarm
    opened: Mapping[int, datetime]  # since when their way is open again


@dataclass(frozen=True, slots=True)
class SilenceState:
    """Devices rule by rule, and what the ways of their messages explain."""

    quiet: Sequence[Quiet]
    explained: Explained


class SilenceKind(Kind[SilenceRule, SilenceState]):
    """Fields of its own: `intervals`."""

    name = "silence"
    sentences: ClassVar = {
        DEVICE_SILENT: (
            "{value} 秒没有读数,超过 {intervals} 个上报周期({limit} 秒)",
            "no reading for {value} s, more than {intervals} reporting intervals ({limit} s)",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> SilenceRule:
        intervals = fields.number("intervals", low=1, high=1000)
        return SilenceRule(intervals=intervals, levels=one_level(fields), **common)

    def read_ahead(
        self, conn: Connection, rules: Sequence[SilenceRule], now: datetime
    ) -> dict[tuple[str, int], list[int]]:
        """Devices that have not been heard for long enough, however long we have been listening."""
        return {
            (rule.code, rule.version): [
                device.id
                for device in evaluation.list_silent_devices(
                    conn, sorted(rule.kinds), rule.intervals, since=EPOCH, now=now
                )
            ]
            for rule in rules
        }

    def load(
        self, conn: Connection, rules: Sequence[SilenceRule], look: Look
    ) -> SilenceState | None:
        if look.nothing_arrives:
            return None
        ahead = look.ahead.get(self.name) or self.read_ahead(conn, rules, look.now)
        quiet = [
            _load_quiet(conn, rule, ahead[rule.code, rule.version], look)
            for rule in rules
            if (rule.code, rule.version) in ahead  # a newer one waits for the next look
        ]
        return SilenceState([known for known in quiet if known is not None], look.explained)

    def judge(
        self, rules: Sequence[SilenceRule], state: SilenceState, now: datetime
    ) -> Iterator[Finding]:
        for known in state.quiet:
            for device in known.devices:
                yield from _judge_device(known, device, state.explained, now)

    def settle(
        self, conn: Connection, state: SilenceState, findings: Sequence[Finding], look: Look
    ) -> None:
        """Store what is not announced any more, or again."""
        wanted = [f.outcome.inhibition for f in findings if isinstance(f.outcome, Inhibit)]
        look.events += save_inhibitions(conn, wanted, state.explained, look.now)


def judge_silence(
    rule: SilenceRule, device: WatchedDevice, last_at: datetime, now: datetime
) -> Raise:
    """The alarm of a device that has not reported for too long. Pure."""
    reason = Reason(
        code=DEVICE_SILENT,
        rule=rule.code,
        rule_version=rule.version,
        value=float(round((now - last_at).total_seconds())),
        limit=rule.intervals * device.report_interval_s,
        unit="s",
        since=last_at,
        facts={"intervals": rule.intervals, "report_interval_s": device.report_interval_s},
    )
    return Raise(rule.levels[0].severity, reason, last_at, last_at)


def inhibit(
    rule: SilenceRule, device: WatchedDevice, last_at: datetime, now: datetime, by_condition: str
) -> Inhibition:
    """The alarm that a silent device would have, if its gateway's did not explain it. Pure."""
    would_be = judge_silence(rule, device, last_at, now)
    return Inhibition(
        condition_of(rule, device.code), by_condition, device.district, device.id,
        int(would_be.severity), as_json(would_be.reason), last_at,
    )  # fmt: skip


def _load_quiet(
    conn: Connection, rule: SilenceRule, suspects: Sequence[int], look: Look
) -> Quiet | None:
    found = evaluation.list_silent_devices(
        conn, sorted(rule.kinds), rule.intervals,
        since=look.listening.devices, now=look.now, ids=suspects,
    )  # fmt: skip
    silent = {device.id: device.last_at for device in found}
    look.book.add(alarms.list_live_alarms(conn, rule_codes=[rule.code]))
    live = [
        alarm.device_id
        for alarm in look.book.live_of(rule.code)
        if alarm.state in ACTIVE and alarm.device_id is not None
    ]
    concerned = sorted({*silent, *live})
    if not concerned:
        return None
    alone = [i for i in silent.keys() - set(live) if look.explained.blame(i) is None]
    devices = evaluation.list_watched_devices(conn, concerned)
    return Quiet(
        rule=rule,
        devices=[device for device in devices if device.id in live or is_about(rule, device)],
        silent=silent,
        live=frozenset(live),
        last_at=evaluation.list_last_receipts(conn, live),
        opened=_list_opened(conn, look.explained, alone, look.now),
    )


def _list_opened(
    conn: Connection, explained: Explained, device_ids: Collection[int], now: datetime
) -> dict[int, datetime]:
    """Since when devices have a way again that was silent: their time counts from then."""
    if not device_ids:
        return {}
    paths = gateways.list_paths(conn, now, device_ids=sorted(device_ids))
    found = {path.device_id: explained.paths.back_at(path) for path in paths}
    return {device_id: back_at for device_id, back_at in found.items() if back_at is not None}


def _judge_device(
    known: Quiet, device: WatchedDevice, explained: Explained, now: datetime
) -> Iterator[Finding]:
    """Raise for one that fell silent, clear for one that speaks again or is put away."""
    rule, place = known.rule, place_of(device, known.rule)
    watched = device.is_watched(now)
    limit = timedelta(seconds=rule.intervals * device.report_interval_s)
    cause = explained.blame(device.id)
    since = known.silent.get(device.id)
    if since is not None and watched and cause is not None:
        inhibition = inhibit(rule, device, since, now, cause.condition)
        yield Finding(Inhibit(inhibition), rule, place)
    elif device.id in known.live:
        # Right after a standstill nobody counts as silent, but this one has not spoken either.
        spoke = device.id not in known.last_at or now - known.last_at[device.id] <= limit
        if spoke or not watched:
            yield Finding(Clear(now), rule, place)
    elif since is not None and watched and now - known.opened.get(device.id, since) > limit:
        yield Finding(judge_silence(rule, device, since, now), rule, place)
