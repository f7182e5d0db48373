"""Which format a message is of: by its topic, else by its body alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wire as formats
from tests.fuzz.seeds import FIXTURES, bodies, topics
from wire import FORMATS, find_format, recognise

# A topic that is nobody's.
NOWHERE = "neither/this/nor/that"
# Protobuf says of itself neither what it is nor whose.
ONLY_BY_TOPIC = frozenset({"sparkplug", "chirpstack-gateway"})
FILES = sorted((FIXTURES / "formats").rglob("*.*"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_body_alone_tells_its_format(path: Path) -> None:
    assert recognise(NOWHERE, path.read_bytes()) is find_format(path.parent.name)


@pytest.mark.parametrize("name", sorted(ONLY_BY_TOPIC))
def test_what_only_a_topic_tells_is_taken_for_nothing_else(name: str) -> None:
    for body in bodies(name):
        assert recognise(NOWHERE, body) is None
        assert recognise(topics(name)[0], body) is FORMATS[name]


@pytest.mark.parametrize(
    "body", [b"", b"\xff\x00\x81", b"hello", b"3", b"[]", b"{}", b'{"a":1}', b"[[1,2]]", b'"ON"',
             b'{"temperature":21.5}', b"<a/>", b'{"id":7,"type":null}', b'{"ts":1}',
             b"[" * 100_000],
)  # fmt: skip
def test_what_anybody_could_have_written_is_of_no_format(body: bytes) -> None:
    assert recognise(NOWHERE, body) is None


@pytest.mark.parametrize("name", FORMATS)
def test_a_feed_is_of_the_format_it_names_whatever_the_body(name: str) -> None:
    for body in (b"", b"{}", bodies("frigate")[0]):
        assert recognise(f"feed/{name}/x", body) is FORMATS[name]
        assert recognise(f"feed/{name}/zigbee2mqtt/tele/city", body) is FORMATS[name]
    assert recognise("feed/nobody/x", bodies(name)[0]) is None


@given(
    st.lists(st.sampled_from(["feed", "city", "tele", "a", "", "event", "+", "$oc"]), max_size=70)
)
def test_a_topic_that_is_remembered_is_judged_as_one_that_is_not(levels: list[str]) -> None:
    topic = "/".join(levels)
    assert recognise(topic, b"") is recognise(topic, b"")
    assert (recognise(topic, b"") or recognise(NOWHERE, b"")) is formats._of_topic(topic)


def test_remembered_topics_are_bounded_in_number_and_length() -> None:
    recognise("tele/" + "a" * 60_000 + "/SENSOR", b"")
    before = formats._remembered.cache_info()
    assert before.maxsize == formats.TOPICS_REMEMBERED
    recognise("tele/" + "b" * 60_000 + "/SENSOR", b"")
    assert formats._remembered.cache_info() == before
