"""How long one message takes to parse and to normalise, by format: `python -m bench formats`.

One process, one core, best of several rounds, because a shared machine only ever makes a round
slower. Nothing is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from city.reading import Decoded
from wire import FORMATS
from wire.lorawan.codec import CodecCall, close_sandbox, run_codecs, run_one
from wire.models import load_model
from wire.normalize import normalize

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures" / "formats"
ROUNDS = 5
NATIVE = (
    b'{"ts":"2026-03-04T05:06:07.123Z","seq":1733,"readings":{"ch4_pct_lel":1.5,'
    b'"temperature_c":21.4,"humidity_pct":55.0,"battery_pct":88}}'
)
RECEIVED_AT = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)


@dataclass(frozen=True)
class BenchDevice:
    """As much of a registry row as normalisation looks at."""

    code: str
    kind: str
    district: str = "460107"
    model: str = ""
    gas: str | None = "methane"
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    name: str
    format: str
    topic: str
    payload: bytes
    device: BenchDevice


@dataclass(frozen=True)
class Figure:
    """Microseconds a message, and messages a second of parse and normalise together."""

    name: str
    payload_bytes: int
    readings: int
    parse_us: float
    normalize_us: float
    messages_per_second: int


def cases() -> list[Case]:
    """One typical message of each format."""
    eui = "application/1/device/24e1000000000001/event/up"
    return [
        Case(
            "native, 4 readings",
            "native",
            "city/v1/460107/gas/GD-000123/telemetry",
            NATIVE,
            BenchDevice("GD-000123", "gas"),
        ),
        Case(
            "ChirpStack, decoded",
            "chirpstack",
            eui,
            _fixture("chirpstack/up-decoded.json"),
            BenchDevice("GD-1", "manhole", model="milesight-em400"),
        ),
        Case(
            "ChirpStack, bytes and codec",
            "chirpstack",
            eui,
            _fixture("chirpstack/up-bytes.json"),
            BenchDevice("GD-2", "gas", model="milesight-gs101"),
        ),
        Case(
            "The Things Stack, decoded",
            "ttn",
            "v3/app@tenant/devices/d/up",
            _fixture("ttn/up-decoded.json"),
            BenchDevice("GD-3", "manhole", model="dingtek-dc413"),
        ),
        Case(
            "Frigate event",
            "frigate",
            "frigate/events",
            _fixture("frigate/event-new.json"),
            BenchDevice("CAM-1", "camera"),
        ),
    ]


def _fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def measure(case: Case, seconds: float) -> Figure:
    """Time one case."""
    wire_format = FORMATS[case.format]
    decoded = wire_format.parse(case.topic, case.payload, RECEIVED_AT)
    content = normalize(decoded, case.device, RECEIVED_AT)
    if content.rejects or not (content.readings or content.events):
        raise SystemExit(f"{case.name}: is not accepted: {content.rejects}")

    def parse() -> Decoded:
        return wire_format.parse(case.topic, case.payload, RECEIVED_AT)

    parse_us = _best(parse, seconds)
    normalize_us = _best(lambda: normalize(decoded, case.device, RECEIVED_AT), seconds)
    return Figure(
        case.name,
        len(case.payload),
        len(content.readings) + len(content.events),
        round(parse_us, 2),
        round(normalize_us, 2),
        round(1e6 / (parse_us + normalize_us)),
    )


def _best(run: Callable[[], object], seconds: float) -> float:
    """Microseconds a call in the fastest round."""
    calls = 1
    while _time(run, calls) < seconds / 4:
        calls *= 2
    return min(_time(run, calls) for _ in range(ROUNDS)) / calls * 1e6


def _time(run: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return time.perf_counter() - start


# Frames in one message to the sandbox, as a full batch of ingest sends them.
TOGETHER = 64


def codec_figures(seconds: float) -> dict[str, float]:
    """Microseconds a frame of device bytes costs in the sandbox: one at a time, many together,
    and with an engine made anew for it."""
    gas, lamp = load_model("milesight-gs101"), load_model("milesight-ws558")
    assert gas is not None
    assert lamp is not None
    short = CodecCall(gas.codec, bytes.fromhex("058e00060101070100"), 85, RECEIVED_AT)
    long = CodecCall(
        lamp.codec,
        bytes.fromhex("0831000105816407c902000374b208068301000000048001000000"),
        85,
        RECEIVED_AT,
    )
    anew = CodecCall(f"{gas.codec}\nvar p = Object.prototype;", short.frame, 85, RECEIVED_AT)
    return {
        "codec, 9 bytes, alone µs": round(_best(lambda: run_one(short), seconds), 1),
        "codec, 9 bytes, 64 together µs": round(
            _best(lambda: run_codecs([short] * TOGETHER), seconds) / TOGETHER, 1
        ),
        "codec, 27 bytes, alone µs": round(_best(lambda: run_one(long), seconds), 1),
        "codec, 27 bytes, 64 together µs": round(
            _best(lambda: run_codecs([long] * TOGETHER), seconds) / TOGETHER, 1
        ),
        "codec, 9 bytes, new engine µs": round(_best(lambda: run_one(anew), seconds), 1),
    }


def run(seconds: float = 0.5) -> dict[str, float | int]:
    """Measure every case, print the table, return the figures by name."""
    figures = [measure(case, seconds) for case in cases()]
    codecs = codec_figures(seconds)
    close_sandbox()
    columns = ("bytes", "values", "parse µs", "norm. µs", "msg/s")
    print(f"{'message':<30}" + "".join(f"{column:>10}" for column in columns))
    for f in figures:
        print(
            f"{f.name:<30}{f.payload_bytes:>10}{f.readings:>10}{f.parse_us:>10.1f}"
            f"{f.normalize_us:>10.1f}{f.messages_per_second:>10,}"
        )
    for name, figure in codecs.items():
        print(f"{name:<60}{figure:>20.1f}")
    result: dict[str, float | int] = dict(codecs)
    for f in figures:
        result[f"{f.name}: parse µs"] = f.parse_us
        result[f"{f.name}: normalise µs"] = f.normalize_us
        result[f"{f.name}: messages/s"] = f.messages_per_second
    return result


if __name__ == "__main__":
    run()
