"""What a feed listens to, how its format sees the topics, and which two feeds cannot be."""

from __future__ import annotations

import pytest

from city.errors import InvalidInput
from city.feed import Feed
from tests.tables import cases
from wire import FORMATS
from wire.feeds import check_feed, clashes, listening, shipped_feeds, taker_of, with_shipped
from wire.filters import matches, problem_of


def feed(format_name: str, topic: str, name: str = "one", **more: bool) -> Feed:
    return Feed(name, format_name, topic, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("format_name", "topic", "heard", "handed"),
    cases("a_feed_takes_a_topic.csv", format=str, topic=str, heard=str, handed=str),
)
def test_a_feed_takes_a_topic_and_hands_it_over_as_its_formats_own(
    format_name: str, topic: str, heard: str, handed: str
) -> None:
    found = listening(feed(format_name, topic))
    assert found.takes(heard) is bool(handed)
    if handed:
        assert found.handed(heard) == handed


@pytest.mark.parametrize(
    ("format_name", "topic", "problem"),
    [
        ("zigbee2mqtt", "", "is empty"),
        ("zigbee2mqtt", "#", "must begin with a level of its own"),
        ("zigbee2mqtt", "+/lamps", "must begin with a level of its own"),
        ("zigbee2mqtt", "/lamps", "must begin with a level of its own"),
        ("zigbee2mqtt", "a/#/b", "has # before its last level"),
        ("zigbee2mqtt", "north#", "has a wildcard beside other characters"),
        ("zigbee2mqtt", "north/", "ends with a slash"),
        ("zigbee2mqtt", "$share/x/north/#", "is a shared subscription"),
        ("zigbee2mqtt", "gridwarden/mark", "which ingest needs for itself"),
        ("zigbee2mqtt", "a" * 600, "is longer than 512 bytes"),
        ("frigate", "site/+/events", "takes no topic of frigate"),
        ("morse", "north", "must be one of"),
    ],
)
def test_a_broken_filter_is_named(format_name: str, topic: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_feed(feed(format_name, topic))
    assert problem in str(raised.value)


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 65, "zigbee2mqtt", "feed"])
def test_a_name_must_be_one_and_not_that_of_a_shipped_feed(name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        check_feed(feed("zigbee2mqtt", "north", name))


def test_the_shipped_feeds_are_sound_and_none_disturbs_another() -> None:
    heard = [listening(each) for each in shipped_feeds()]
    assert all(each.filters and not problem_of(f) for each in heard for f in each.filters)
    assert list(clashes(heard)) == []
    assert {each.feed.format for each in heard} == {
        "",
        *(n for n, f in FORMATS.items() if f.subscriptions),
    }


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (feed("zigbee2mqtt", "n"), feed("shelly", "n/s", "two"), ("two", "one")),
        (feed("zigbee2mqtt", "n"), feed("zigbee2mqtt", "n", "two"), ("two", "one")),
        (feed("zigbee2mqtt", "n"), feed("shelly", "s", "two"), None),
        (feed("zigbee2mqtt", "n", enabled=False), feed("shelly", "n/s", "two"), None),
        (feed("frigate", "f/events"), feed("shelly", "f/+/status/+", "two"), None),
        (feed("zigbee2mqtt", "zigbee2mqtt/north"), None, ("one", "zigbee2mqtt")),
        (feed("senml", "feed/senml"), None, ("one", "feed")),
        (feed("shelly", "lamps/status"), None, None),  # before +/status/+, which fixes no level
    ],
)
def test_two_feeds_that_would_both_take_a_topic_are_named(
    one: Feed, other: Feed | None, found: tuple[str, str] | None
) -> None:
    rows = [row for row in (one, other) if row is not None]
    told = [
        (c.one.feed.name, c.other.feed.name)
        for c in clashes([listening(row) for row in with_shipped(rows)])
    ]
    assert told == ([found] if found else [])


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("zigbee2mqtt/lamp", "zigbee2mqtt"),
        ("zigbee2mqtt_north/lamp", "one"),
        ("frigate/events", "frigate"),
        ("lamp7/status/switch:0", "shelly"),
        ("feed/senml/x", "feed"),
        ("street/lamp7/events/rpc", None),
        ("off/lamp", None),
    ],
)
def test_a_topic_has_one_taker_or_none(topic: str, name: str | None) -> None:
    rows = [
        feed("zigbee2mqtt", "zigbee2mqtt_north"),
        feed("zigbee2mqtt", "off", "two", enabled=False),
    ]
    found = taker_of(topic, [listening(row) for row in with_shipped(rows)])
    assert (found.feed.name if found else None) == name


def test_a_shipped_feed_that_was_disabled_takes_nothing() -> None:
    rows = [Feed("zigbee2mqtt", "zigbee2mqtt", enabled=False, shipped=True)]
    assert taker_of("zigbee2mqtt/lamp", [listening(row) for row in with_shipped(rows)]) is None


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_be_heard_behind_a_prefix(name: str) -> None:
    found = listening(feed(name, "site/3"))
    assert found.base == "site/3"
    assert all(f.startswith("site/3/") for f in found.filters)
    for pattern in FORMATS[name].subscriptions:
        topic = pattern.replace("+", "x").replace("#", "y/z")
        behind = topic.removeprefix(f"{FORMATS[name].base}/") if FORMATS[name].base else topic
        behind = f"site/3/{behind}"
        if FORMATS[name].any_prefix:
            assert found.takes(behind)
            continue
        assert any(matches(f, behind) for f in found.filters), behind
        assert found.handed(behind) == topic
