"""Nothing arrives from anybody: one alarm instead of one for every device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from alerts.book import Finding, Place
from alerts.fields import Fields
from alerts.judge import Clear, Raise
from alerts.rules import Rule
from alerts.watch.kind import Kind, Look, one_level, refuse_areas
from city.alarm import Alarm, Reason
from db import alarms, evaluation
from db.evaluation import ListeningSince
from db.pool import Connection

FEED = "ingest"  # the one feed that can fall silent as a whole
FEED_SILENT = "feed_silent"


@dataclass(frozen=True, slots=True)
class FeedState:
    """What is known of the feed. `centre` is the district with the most devices and their middle,
    where the alarm is shown; looked up for a silent feed only."""

    last_at: datetime | None
    listening_since: datetime
    live: Sequence[tuple[Rule, Alarm]]
    is_silent: bool = False
    centre: tuple[str, float, float] | None = None


class FeedKind(Kind[Rule, FeedState]):
    """Fields of its own: none; the level's on-delay is how long nothing may come."""

    name = "feed"
    sentences: ClassVar = {
        FEED_SILENT: (
            "{value} 秒没有收到任何设备的数据",
            "nothing at all was received for {value} s",
        ),
    }

    def parse(self, fields: Fields, common: dict[str, Any]) -> Rule:
        rule = Rule(levels=one_level(fields), **common)
        refuse_areas(fields, rule)
        return rule

    def load(self, conn: Connection, rules: Sequence[Rule], look: Look) -> FeedState:
        look.book.add(alarms.list_live_alarms(conn, rule_codes=[rule.code for rule in rules]))
        live = [(rule, alarm) for rule in rules for alarm in look.book.live_of(rule.code)]
        last_at, since = evaluation.find_last_receipt(conn), look.listening.feed
        if not any(judge_feed(rule, last_at, since, look.now) for rule in rules):
            return FeedState(last_at, since, live)
        return FeedState(last_at, since, live, True, evaluation.find_centre(conn))

    def judge(self, rules: Sequence[Rule], state: FeedState, now: datetime) -> Iterator[Finding]:
        for rule in rules:
            found = judge_feed(rule, state.last_at, state.listening_since, now)
            if found is None:
                for holder, alarm in state.live:
                    if holder is rule:
                        yield Finding(Clear(now), rule, condition=alarm.condition)
            elif state.centre is not None:
                yield Finding(found, rule, feed_place(state.centre))

    def settle(
        self, conn: Connection, state: FeedState, findings: Sequence[Finding], look: Look
    ) -> None:
        """Nobody can be blamed before everybody had the time to report again."""
        if state.is_silent:
            look.nothing_arrives = True
            evaluation.save_listening(conn, ListeningSince(look.listening.feed, look.now), look.now)


def judge_feed(
    rule: Rule, last_at: datetime | None, listening_since: datetime, now: datetime
) -> Raise | None:
    """The one alarm for everybody when nothing at all arrives; None: the feed is alive. Pure.

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
