"""What ingest listens to: no message is delivered twice because two filters let it through.

A shared subscription delivers a message once for each filter that it matches. A message delivered
twice is stored once, but it costs twice and is counted as a duplicate.
"""

from __future__ import annotations

import itertools
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.seeds import topics
from tests.tables import cases
from wire import FORMATS
from wire.feeds import listening, shipped_feeds
from wire.filters import covers, matches, overlap


def subscriptions() -> tuple[str, ...]:
    """What an installation listens to that nobody changed."""
    return tuple(f for feed in shipped_feeds() for f in listening(feed).filters)


# Filters that let any first level, or any key of an agent, through, because their formats fix
# none. They overlap with others only where something is called as they call one of their levels.
ANY_PREFIX = {
    "+/onvif-ej/#": "the prefix is the camera's setting; nobody is called onvif-ej",
    "+/events/rpc": "the prefix is the Shelly; nobody is called events",
    "+/status/+": "the prefix is the Shelly; nobody is called status",
    "+/online": "the prefix is the Shelly; nobody is called online",
    "+/tele/#": "a house may put its name before Tasmota's; nobody is called tele",
    "+/stat/#": "a house may put its name before Tasmota's; nobody is called stat",
    "+/gateway/+/state/conn": "the prefix is ChirpStack's region",
    "+/gateway/+/event/stats": "the prefix is ChirpStack's region",
    "/json/+/+/attrs/#": "no product of JetLinks has devices called attrs",
    "/ul/+/+/attrs/#": "no product of JetLinks has devices called attrs",
}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    cases("two_filters_overlap_if_a_topic_matches_both.csv", one=str, other=str, expected=bool),
)
def test_two_filters_overlap_if_a_topic_matches_both(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is expected


LEVELS = ["", "a", "b", "$a"]
TOPICS = ["/".join(levels) for n in (1, 2, 3, 4) for levels in itertools.product(LEVELS, repeat=n)]
filters = st.builds(
    lambda levels, rest: "/".join([*levels, *rest]),
    st.lists(st.sampled_from(["", "a", "b", "$a", "+"]), min_size=1, max_size=3),
    st.sampled_from([[], ["#"]]),
)


@given(filters, filters)
def test_the_predicate_agrees_with_trying_every_topic(one: str, other: str) -> None:
    found = any(matches(one, topic) and matches(other, topic) for topic in TOPICS)
    assert overlap(one, other) is found


@given(filters, filters)
def test_a_filter_that_covers_another_matches_all_its_topics(one: str, other: str) -> None:
    missed = [t for t in TOPICS if matches(other, t) and not matches(one, t)]
    assert not (covers(one, other) and missed)
    assert covers(one, one)


def test_no_subscription_covers_another() -> None:
    """Every message of the narrower one would come twice."""
    pairs = itertools.permutations(subscriptions(), 2)
    assert [pair for pair in pairs if covers(*pair)] == []


def test_subscriptions_overlap_only_where_a_name_is_a_word_of_another_format() -> None:
    assert ANY_PREFIX.keys() <= set(subscriptions())
    pairs = itertools.combinations(subscriptions(), 2)
    found = [pair for pair in pairs if overlap(*pair) and ANY_PREFIX.keys().isdisjoint(pair)]
    assert found == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_usual_topic_matches_one_subscription(name: str) -> None:
    for topic in topics(name):
        assert len([pattern for pattern in subscriptions() if matches(pattern, topic)]) == 1, topic


def test_every_filter_is_valid_and_belongs_to_one_format() -> None:
    owners = defaultdict(list)
    for name, wire_format in FORMATS.items():
        for pattern in wire_format.subscriptions:
            owners[pattern].append(name)
            levels = pattern.split("/")
            assert "#" not in "/".join(levels[:-1])
            assert all(level in ("+", "#") or not {"+", "#"} & set(level) for level in levels)
    assert all(len(names) == 1 for names in owners.values())
