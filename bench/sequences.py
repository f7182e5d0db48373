"""What following the senders' numbers costs a message: `python -m bench sequences`.

The hot way of native telemetry with and without `seq`, what is stored of it, and ten seconds of
30,000 messages a second of 20,000 devices followed at once. One process, processor time, best of
several rounds. Nothing is stored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np

from city.device import RegisteredDevice
from columns.numbers import NUMBER_DTYPE, SOURCE_DTYPE, Numbers
from db.sequences import pack
from ingest.formats.native import PlainLane
from ingest.message import Message
from ingest.reporters import Reporters
from ingest.sequences import follow, split

DEVICES, BATCH = 20_000, 2_000
EACH = 15  # numbers of each device that are followed at once
ROUNDS = 7
DISTRICT = "460107"
NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def _messages(first: int, with_number: bool) -> list[Message]:
    body = {"ts": NOW_MS, "readings": {"ch4_pct_lel": 1.5, "temperature_c": 20.5}}
    payload = json.dumps(body | {"seq": 1733} if with_number else body).encode()
    return [
        Message(f"city/v1/{DISTRICT}/gas/gas-{number}/telemetry", payload, False, NOW)
        for number in range(first, first + BATCH)
    ]


def _best(run: Callable[[], object]) -> float:
    """Seconds of processor time."""
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        run()
        took.append(time.process_time() - began)
    return min(took)


def _numbers(first: int, leave_out: int = 0) -> Numbers:
    """`EACH` numbers of every device, in the order of time; every so manieth never came."""
    numbers = np.zeros(DEVICES * EACH, NUMBER_DTYPE)
    numbers["source"] = np.tile(np.arange(1, DEVICES + 1), EACH)
    numbers["number"] = np.repeat(np.arange(first, first + EACH), DEVICES)
    dice = np.random.default_rng(first)
    sent_ms = NOW_MS + numbers["number"] * 1000 + dice.integers(0, 900, len(numbers))
    numbers["at_us"] = sent_ms * 1000
    numbers["received_us"] = numbers["at_us"] + dice.integers(1_000, 50_000, len(numbers))
    return numbers[np.arange(len(numbers)) % leave_out != 0] if leave_out else numbers


def _take_us(lane: PlainLane, registry: Reporters, batches: Sequence[list[Message]]) -> float:
    took = _best(lambda: [lane.take(messages, registry) for messages in batches])
    return took / (len(batches) * BATCH) * 1e6


def run() -> dict[str, float | int]:
    """Microseconds and bytes a message."""
    registry = Reporters(
        [
            RegisteredDevice(
                id=number,
                code=f"gas-{number}",
                kind="gas",
                district=DISTRICT,
                model="",
                gas="methane",
                format="native",
                external_id=None,
                attributes={},
                timezone="Asia/Shanghai",
            )
            for number in range(1, DEVICES + 1)
        ]
    )
    lane = PlainLane()
    without, numbered = (
        [_messages(first, with_number) for first in range(1, DEVICES, BATCH)]
        for with_number in (False, True)
    )
    sources = np.empty(0, SOURCE_DTYPE)
    for turn in range(3):
        sources = follow(split(sources, _numbers(turn * EACH)), []).sources
    batch = np.sort(_numbers(0)[:BATCH], order="source")
    steady, lossy = _numbers(3 * EACH), _numbers(3 * EACH, leave_out=97)
    return {
        "take_without_us": _take_us(lane, registry, without),
        "take_with_us": _take_us(lane, registry, numbered),
        "pack_us": _best(lambda: pack(batch)) / BATCH * 1e6,
        "stored_bytes": len(pack(batch)) / BATCH,
        "follow_us": _best(lambda: follow(split(sources, steady), [])) / len(steady) * 1e6,
        "follow_1_percent_lost_us": _best(lambda: follow(split(sources, lossy), []))
        / len(lossy) * 1e6,
        "state_bytes": len(pack(sources)),
    }  # fmt: skip
