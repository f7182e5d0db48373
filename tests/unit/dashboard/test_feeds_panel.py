"""The feeds on the page of operations: what is late, what is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from city.feed import Feed
from dashboard.screens.operations.feeds_load import build_listening
from dashboard.screens.operations.feeds_page import render_listening
from dashboard.shell.i18n import texts
from db.feeds import FeedHeard
from tests.unit.dashboard.test_operations import words

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("interval_s", "age_s", "enabled", "late"),
    [
        (60, 179, True, False),
        (60, 181, True, True),
        (60, 181, False, False),
        (60, None, True, True),
        (None, None, True, False),
    ],
)
def test_a_feed_is_late_after_three_of_its_intervals(
    interval_s: int | None, age_s: int | None, enabled: bool, late: bool
) -> None:
    feed = Feed("north", "zigbee2mqtt", "north", interval_s=interval_s, enabled=enabled)
    at = None if age_s is None else NOW - timedelta(seconds=age_s)
    heard = {} if at is None else {"north": FeedHeard("north", at, 5)}
    (item,) = build_listening([feed], heard, NOW)
    assert (item.late, item.heard_at) == (late, at)


def test_added_feeds_come_first_and_the_unheard_shipped_ones_are_counted() -> None:
    rows = [
        Feed("shelly", "shelly", enabled=False, shipped=True),
        Feed("tasmota", "tasmota", shipped=True),
        Feed("north", "zigbee2mqtt", "zigbee2mqtt_north"),
    ]
    items = build_listening(rows, {}, NOW)
    assert [item.name for item in items] == ["north", "shelly", "tasmota"]
    for language, rest in (("en", "1 more feeds"), ("zh", "另有 1 个")):
        said = words(render_listening(texts(language), items, NOW))
        assert "zigbee2mqtt_north" in said
        assert rest in said
        assert "tasmota" not in said
