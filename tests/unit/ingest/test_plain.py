"""Plain native telemetry gives the same batch by the short way as by the long one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from city.device import RegisteredDevice
from city.reading import METRICS
from ingest.batch import account, build_batch, decode_messages
from ingest.formats.native import PlainLane
from ingest.message import Message
from ingest.reporters import Reporters

DISTRICT = "460107"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
REGISTRY = Reporters(
    [
        RegisteredDevice(
            number,
            f"{kind}-{number}",
            kind,
            DISTRICT,
            "",
            "methane",
            "native",
            None,
            {},
            "Asia/Shanghai",
        )
        for number, kind in enumerate(["gas", "manhole", "light", "gas"], 1)
    ]
)


def telemetry(body: Any, code: str = "gas-1", kind: str = "gas", **changes: Any) -> Message:
    topic = f"city/v1/{DISTRICT}/{kind}/{code}/telemetry"
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(topic, payload, False, NOW)._replace(**changes)


def both_ways(messages: Sequence[Message]) -> int:
    """Compare them; how many messages went the short way."""
    plain = PlainLane().take(messages, REGISTRY)
    short = build_batch(
        messages, decode_messages([messages[number] for number in plain.rest]), REGISTRY, plain
    )
    long = build_batch(messages, decode_messages(messages), REGISTRY)
    assert short.rows.tolist() == long.rows.tolist()
    assert short.row_messages.tolist() == long.row_messages.tolist()
    assert sorted(short.repeat_messages.tolist()) == sorted(long.repeat_messages.tolist())
    assert (short.feeds, short.contents) == (long.feeds, long.contents)
    assert (short.raws, short.rejects, short.links) == (long.raws, long.rejects, long.links)
    new = np.ones(len(long.rows), dtype=bool)
    assert account(short, new, set()) == account(long, new, set())
    return len(messages) - len(plain.rest)


GOOD: dict[str, Any] = {"ts": NOW_MS, "readings": {"ch4_pct_lel": 1.5, "temperature_c": 20}}


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        GOOD | {"seq": 7},
        GOOD | {"ts": "2026-03-04T05:06:07.25+00:00"},
        GOOD | {"ts": "2026-03-04t05:06:07z"},
        {"ts": NOW_MS - 1, "readings": {"gas_alarm": 1}},
    ],
    ids=str,
)
def test_a_plain_message_takes_the_short_way(body: Any) -> None:
    assert both_ways([telemetry(body)]) == 1


@pytest.mark.parametrize(
    "message",
    [
        telemetry(GOOD | {"fault": "E1"}),
        telemetry(GOOD | {"ts": "2026-03-04T05:06:07"}),
        telemetry(GOOD | {"ts": NOW_MS + 601_000}),
        telemetry(GOOD | {"ts": NOW_MS - 8 * 86_400_000}),
        telemetry(GOOD | {"ts": 10**300}),
        telemetry(GOOD | {"ts": None}),
        telemetry({"readings": GOOD["readings"]}),
        telemetry(GOOD | {"seq": -1}),
        telemetry(GOOD | {"readings": {}}),
        telemetry(GOOD | {"readings": {"ch4_pct_lel": 1, "ch4_pct_vol": 1}}),
        telemetry(GOOD | {"readings": {"ch4_pct_lel": True}}),
        telemetry(GOOD | {"readings": {"gas_alarm": 0.5, "temperature_c": 20}}),
        telemetry(GOOD | {"readings": {"temperature_c": 201, "ch4_pct_lel": 5}}),
        telemetry(GOOD | {"readings": {"lamp_on": 1, "ch4_pct_lel": 5}}),
        telemetry(GOOD, retain=True),
        telemetry(GOOD, code="stranger"),
        telemetry(GOOD, code="manhole-2"),
        telemetry(GOOD, topic="city/v1/460108/gas/gas-1/telemetry"),
        telemetry(GOOD, topic=f"city/v1/{DISTRICT}/gas/gas-1/telemetry/more"),
        telemetry(GOOD, topic="v3/a@t/devices/d/telemetry"),
        telemetry(b'{"ts":1772600767000,"readings":{"ch4_pct_lel":NaN}}'),
        telemetry(b'{"ts":1772600767000,"readings":{"ch4_pct_lel":1e999}}'),
        telemetry(b"\xef\xbb\xbf" + json.dumps(GOOD).encode()),
        telemetry(b"\xff{}"),
    ],
    ids=str,
)
def test_an_unusual_message_takes_the_long_way(message: Message) -> None:
    assert both_ways([telemetry(GOOD), message, telemetry(GOOD, code="gas-4")]) == 2


kinds = st.sampled_from([("gas-1", "gas"), ("manhole-2", "manhole"), ("light-3", "light")])
values = st.integers(-5, 300) | st.floats(-10, 300) | st.booleans() | st.none()
bodies = st.fixed_dictionaries(
    {
        "ts": st.integers(NOW_MS - 3, NOW_MS) | st.integers(0, 2 * NOW_MS),
        "readings": st.dictionaries(st.sampled_from([*METRICS, "other"]), values, max_size=4),
    },
    optional={"seq": st.integers(-1, 9), "fault": st.just("E"), "x": st.none()},
)


@given(st.lists(st.tuples(kinds, bodies), max_size=6))
def test_both_ways_give_the_same_for_any_messages(drawn: list[Any]) -> None:
    both_ways([telemetry(body, code, kind) for (code, kind), body in drawn])


def test_a_device_that_moved_is_not_remembered_at_its_old_place() -> None:
    lane = PlainLane()
    assert lane.take([telemetry(GOOD)], REGISTRY).rest == []
    assert lane.take([telemetry(GOOD)], Reporters([])).rest == [0]


def test_a_device_registered_a_moment_ago_is_found() -> None:
    lane, registry = PlainLane(), Reporters([])
    assert lane.take([telemetry(GOOD)], registry).rest == [0]
    found = REGISTRY.find("native", "gas-1")
    assert found is not None
    registry.add([found])
    assert lane.take([telemetry(GOOD, received_at=NOW + timedelta(seconds=1))], registry).rest == []
