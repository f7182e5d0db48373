"""Alarms for what is not there: silent devices, and a feed that brings nothing. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from alerts.book import Place, condition_of
from alerts.judge import Raise
from alerts.reasons import DEVICE_SILENT, FEED_SILENT, as_json
from alerts.rules import Rule
from city.alarm import Inhibition, Reason
from city.device import WatchedDevice

FEED = "ingest"  # the one feed that can fall silent as a whole


def judge_silence(rule: Rule, device: WatchedDevice, last_at: datetime, now: datetime) -> Raise:
    """The alarm of a device that has not reported for too long."""
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
    rule: Rule, device: WatchedDevice, last_at: datetime, now: datetime, by_condition: str
) -> Inhibition:
    """The alarm that a silent device would have, if its gateway's did not explain it."""
    would_be = judge_silence(rule, device, last_at, now)
    return Inhibition(
        condition_of(rule, device.code), by_condition, device.district, device.id,
        int(would_be.severity), as_json(would_be.reason), last_at,
    )  # fmt: skip


def judge_feed(
    rule: Rule, last_at: datetime | None, listening_since: datetime, now: datetime
) -> Raise | None:
    """The one alarm for everybody when nothing at all arrives; None: the feed is alive.

    A feed that never brought anything, or that we have only begun to listen to, is not silent.
    """
    if last_at is None:
        return None
    allowed = rule.levels[0].on_delay
    if now - max(last_at, listening_since) <= allowed:
        return None
    reason = Reason(
        code=FEED_SILENT,
        rule=rule.code,
        rule_version=rule.version,
        value=float(round((now - last_at).total_seconds())),
        limit=allowed / timedelta(seconds=1),
        unit="s",
        since=last_at,
    )
    return Raise(rule.levels[0].severity, reason, last_at, last_at)


def feed_place(centre: tuple[str, float, float]) -> Place:
    """Shown in the middle of the district with the most devices."""
    district, lon, lat = centre
    return Place(name=FEED, district=district, lon=lon, lat=lat)
