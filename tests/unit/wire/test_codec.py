"""The codec sandbox: what codecs may do, and what happens to those that do something else."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from city.reading import REASON_CODEC
from tests.tables import cases
from wire.lorawan import codec
from wire.lorawan.codec import (
    CodecCall,
    CodecFailed,
    CodecOutput,
    close_sandbox,
    run_codec,
    run_codecs,
)
from wire.models import load_model

NOW = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="module")
def _sandbox_is_ended() -> Iterator[None]:
    yield
    close_sandbox()


def run(body: str, frame: bytes = b"\x01\x02", port: int | None = 85) -> dict[str, Any]:
    return run_codec(f"function decodeUplink(input) {{ {body} }}", frame, port, NOW).data


def failure(code: str) -> str:
    with pytest.raises(CodecFailed) as caught:
        run_codec(code, b"\x01", 1, NOW)
    assert caught.value.reject.reason == REASON_CODEC
    assert caught.value.reject.detail == str(caught.value)
    return str(caught.value)


def failing(body: str) -> str:
    return failure(f"function decodeUplink(input) {{ {body} }}")


def test_a_codec_gets_bytes_port_and_time_as_the_standard_says() -> None:
    found = run("return {data: {b: input.bytes, p: input.fPort, t: input.recvTime.toISOString()}}")
    assert found == {"b": [1, 2], "p": 85, "t": "2026-03-04T05:06:08.000Z"}


def test_warnings_are_kept_and_are_no_errors() -> None:
    code = (
        "function decodeUplink() { return {data: {a: 1}, warnings: ['old firmware'], errors: []} }"
    )
    found = run_codec(code, b"", 1, NOW)
    assert (found.data, found.warnings) == ({"a": 1}, ("old firmware",))
    told = run_codec(code.replace("['old firmware']", "'one text'"), b"", 1, NOW)
    assert told.warnings == ("one text",)


@pytest.mark.parametrize(
    "code",
    [
        "const decodeUplink = (i) => ({data: {n: i.bytes.length}});module.exports = {decodeUplink}",
        "exports.decodeUplink = function (i) { console.log('x'); return {data: {n: 3}} }",
        "module.exports.decodeUplink = (i) => ({data: {n: i.bytes.length}})",
        "var decodeUplink = function (i) { return {data: {n: i.bytes.length}} };",
        "'use strict'; let decodeUplink = (i) => ({data: {n: i.bytes.length}}) // the end",
        "globalThis.decodeUplink = (i) => ({data: {n: i.bytes.length}})",
        "function Decoder(bytes, port) { return {n: bytes.length * (port === 7)}; }",
        "function Decode(fPort, bytes, variables) { return {n: bytes.length * (fPort === 7)}; }",
        "exports.Decoder = (bytes) => ({n: bytes.length})",
        "function Decoder() { return 1 } function decodeUplink(i) { return {data: {n: 3}} }",
        "const module = 1, console = 2; function Decoder(b) { return {n: b.length} }",
        "n = 0; function Decoder(b) { for (i = 0; i < b.length; i++) n++; return {n: n}; }",
        "const p = String.prototype; p.size = function () { return this.length };"
        "function Decoder(b) { return {n: 'abc'.size()}; }",
        "function Decoder(b) { return {n: Array.prototype.slice.call(b).length}; }",
        "if (!Object.assign) { Object.defineProperty(Object, 'assign', {value: 1}) }"
        "function Decoder(b) { return Object.assign({}, {n: b.length}); }",
        "function Decoder(b) { const e = new TypeError('x'); e.message = 'abc';"
        "return {n: e.message.length} }",
    ],
)
def test_a_codec_as_vendors_publish_them_runs(code: str) -> None:
    assert run_codec(code, b"123", 7, NOW).data == {"n": 3}
    assert run_codec(code, b"123", 7, NOW).data == {"n": 3}


def test_numbers_that_are_none_are_passed_on_to_be_named() -> None:
    found = run("return {data: {a: 0 / 0, b: 1 / 0, c: [-1 / 0], d: null, e: 'NaN', f: 2}}")
    assert str(found["a"]) == "nan"
    assert (found["b"], found["c"]) == (math.inf, [-math.inf])
    assert (found["d"], found["e"], found["f"]) == (None, "NaN", 2)


def test_half_a_character_is_not_passed_on() -> None:
    assert run("return {data: {a: 'x\\ud800', b: '\\ud83d\\ude00'}}") == {
        "a": "x?",
        "b": "\U0001f600",
    }


def test_a_codec_that_throws_is_quoted_with_its_line() -> None:
    assert failing("\n\nthrow new Error('not my frame')") == "Error: not my frame (line 3)"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return {errors: ['unknown port', 'b']}", "unknown port; b"),
        ("return {errors: 'broken'}", "broken"),
        ("return 7", "must return an object"),
        ("return {}", "with the key data"),
        ("return {data: [1]}", "with the key data"),
        ("", "returned nothing"),
        ("return null.x", "cannot read property"),
        ("throw {a: 1}", "object"),
        ("throw 'in words'", "in words"),
        ("throw {toString: function () { throw 1 }}", "Failed"),
        ("return {data: {toJSON: function () { throw new Error('late') }}}", "late"),
        ("return {toJSON: function () { return undefined }}", "returned nothing"),
        ("return Symbol('x')", "returned nothing"),
        ("let a = []; for (let i = 0; i < 990; i++) a = [a]; return {data: {a: a}}", "too deeply"),
        ("return {data: {a: 1n}}", "BigInt"),
        ("const o = {}; o.o = o; return {data: o}", "circular"),
        ("return {data: {a: 'x'.repeat(300000)}}", "longer than"),
    ],
)
def test_an_output_that_cannot_be_used_is_told(body: str, message: str) -> None:
    assert message in failing(body)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", "no function decodeUplink"),
        ("function Decoder() { return 7 }", "with the key data"),
        ("}).call(this); seen = 1; (function () {", "SyntaxError"),
        ("var decodeUplink = 3;", "no function decodeUplink"),
        ("function decodeUplink( {", "SyntaxError"),
        ("throw new Error('at load')", "at load"),
    ],
)
def test_a_file_that_is_no_codec_is_told(code: str, message: str) -> None:
    assert message in failure(code)


@pytest.mark.parametrize(
    "body",
    [
        "while (true) {}",
        "return {data: {a: /(a+)+$/.test('a'.repeat(50) + '!')}}",
        "return {data: {toJSON: function () { while (true) {} }}}",
    ],
)
def test_a_codec_that_loops_is_stopped(body: str) -> None:
    assert "ran longer than" in failing(body)


@pytest.mark.parametrize(
    "body",
    [
        "const a = []; while (true) a.push('x'.repeat(1000))",
        "return {data: {a: 'x'.repeat(1e9)}}",
        "return {data: {a: new Array(1e8).fill(1)}}",
    ],
)
def test_a_codec_that_eats_memory_is_stopped(body: str) -> None:
    assert "MiB of memory" in failing(body)


def test_a_codec_that_calls_itself_for_ever_is_stopped() -> None:
    assert "call stack" in failing("return decodeUplink(input)")


def test_a_codec_that_escapes_the_engines_clock_is_ended_with_its_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(codec, "WALL_LIMIT_S", 0.7)
    assert "was ended" in failing("return {data: {a: new Array(4e9).join('')}}")
    monkeypatch.undo()
    assert run("return {data: {a: 1}}") == {"a": 1}


def test_a_codec_that_overruns_again_and_again_is_passed_over_but_others_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(codec, "OVERRUN_LIMIT", 2)
    body = "for (const never_ending of [1]) while (true) {}"
    assert ["ran longer" in failing(body) for _ in range(3)] == [True, True, False]
    assert "passed over" in failing(body)
    assert run("return {data: {a: 1}}") == {"a": 1}


@pytest.mark.parametrize(
    "body",
    [
        "return {data: {a: require('fs')}}",
        "return {data: {a: std.open('/etc/passwd')}}",
        "return {data: {a: os.getenv('PATH')}}",
        "return {data: {a: fetch('http://localhost')}}",
        "setTimeout(function () {}, 1); return {data: {}}",
        "return {data: {a: process.env}}",
    ],
)
def test_there_is_no_file_no_network_no_environment(body: str) -> None:
    assert "is not defined" in failing(body)


@pytest.mark.parametrize(
    "body",
    [
        "globalThis.seen = (globalThis.seen || 0) + 1; return {data: {seen: globalThis.seen}}",
        "this.seen = (this.seen || 0) + 1; return {data: {seen: this.seen}}",
        "if (typeof seen === 'undefined') seen = 0; seen++; return {data: {seen: seen}}",
        "Math.seen = (Math.seen || 0) + 1; return {data: {seen: Math.seen || 1}}",
        "Array.prototype.seen = ([].seen || 0) + 1; return {data: {seen: [].seen}}",
        "JSON.stringify.seen = (JSON.stringify.seen || 0) + 1;"
        "return {data: {seen: JSON.stringify.seen || 1}}",
        "const e = new Error('x'); e.name = e.name + '1'; return {data: {seen: e.name.length - 5}}",
        "this['global' + 'This'] = 7;return {data: {seen: this['global' + 'This'] === 7 ? 2 : 1}}",
    ],
)
def test_nothing_survives_from_one_frame_to_the_next(body: str) -> None:
    assert run(body) == run(body) == {"seen": 1}


def test_what_a_file_sets_up_is_as_written_for_every_frame() -> None:
    code = (
        "var n = 0; let m = []; function decodeUplink() { n++; m.push(1); return {data: {n, m}} }"
    )
    for _ in range(3):
        assert run_codec(code, b"", 1, NOW).data == {"n": 1, "m": [1]}


def test_an_error_leaves_nothing_to_the_next_frame() -> None:
    body = "const was = typeof left; left = 1; if (input.bytes[0]) throw 1; return {data: {was}}"
    code = f"function decodeUplink(input) {{ {body} }}"
    with pytest.raises(CodecFailed):
        run_codec(code, b"\x01", 1, NOW)
    assert run_codec(code, b"\x00", 1, NOW).data == {"was": "undefined"}


def call(body: str, frame: bytes = b"\x01") -> CodecCall:
    return CodecCall(f"function decodeUplink(input) {{ {body} }}", frame, 1, NOW)


def data(result: CodecOutput | CodecFailed) -> object:
    return result.data if isinstance(result, CodecOutput) else str(result)


def test_many_frames_at_once_keep_their_order_and_their_own_failures() -> None:
    good = [call(f"return {{data: {{n: {n}, b: input.bytes[0]}}}}", bytes([n])) for n in range(100)]
    bad = call("throw new Error('not mine')")
    results = [data(result) for result in run_codecs([*good[:50], bad, *good[50:]])]
    assert results.pop(50) == "Error: not mine (line 1)"
    assert results == [{"n": n, "b": n} for n in range(100)]
    assert run_codecs([]) == []


def test_one_frame_that_ends_the_sandbox_costs_no_other_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(codec, "WALL_LIMIT_S", 0.7)
    good, ends = call("return {data: {a: 1}}"), call("return {data: {a: new Array(4e9).join('')}}")
    results = [
        data(result) for result in run_codecs([good, ends, good, call("while (1) {}"), good])
    ]
    assert results[0] == results[2] == results[4] == {"a": 1}
    assert "was ended" in str(results[1])
    assert "ran longer than" in str(results[3])


def test_a_codec_that_overruns_in_a_crowd_is_passed_over_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(codec, "OVERRUN_LIMIT", 2)
    loops, good = call("for (const x of [2]) while (true) {}"), call("return {data: {a: 1}}")
    results = [str(data(result))[:6] for result in run_codecs([loops, good] * 6)]
    assert results[1::2] == ["{'a': "] * 6
    assert results[::2] == ["ran lo"] * 2 + ["passed"] * 4


def test_more_codecs_than_one_child_knows_all_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "CODECS_LIMIT", 3)
    for n in [*range(10), *range(10)]:
        assert run(f"return {{data: {{n: {n}}}}}") == {"n": n}


def test_a_sandbox_that_died_is_started_again() -> None:
    run("return {data: {a: 1}}")
    child = codec._sandbox._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert run("return {data: {a: 2}}") == {"a": 2}


def decoded(model: str, frame: str, port: int = 85) -> dict[str, Any]:
    found = load_model(model)
    assert found is not None
    return run_codec(found.codec, bytes.fromhex(frame), port, NOW).data


@pytest.mark.parametrize(
    ("frame", "values"), cases("gs101_frames.jsonl", frame=str, values=dict[str, Any])
)
def test_gs101_frames(frame: str, values: dict[str, object]) -> None:
    assert decoded("milesight-gs101", frame) == values


@pytest.mark.parametrize("frame", ["", "77", "7777", "03cf00000000282307"])
def test_a_frame_that_is_no_gs101_frame_fails(frame: str) -> None:
    with pytest.raises(CodecFailed):
        decoded("milesight-gs101", frame)


def test_em310_tilt_frames() -> None:
    found = decoded("milesight-em310-tilt", "01755c03cf78061174102705")
    assert found == {
        "battery": 92,
        "angle_x": 16.56,
        "angle_y": 297.13,
        "angle_z": 100.0,
        "threshold_x": "trigger",
        "threshold_y": "normal",
        "threshold_z": "trigger",
    }
    cut = decoded("milesight-em310-tilt", "01755c03cf7806117433")
    assert cut == {"battery": 92, "angle_x": 16.56, "angle_y": 297.13}


def test_em300_sld_frames() -> None:
    live = decoded("milesight-em300-sld", "01755c03673401046865050001")
    assert live == {
        "battery": 92,
        "temperature": 30.8,
        "humidity": 50.5,
        "leakage_status": "leak",
    }
    stored = decoded("milesight-em300-sld", "20ce9e74466310015d01")
    point = stored["history"][0]
    assert point["timestamp"] == 1665561758
    assert (point["temperature"], point["leakage_status"]) == (27.2, "leak")
