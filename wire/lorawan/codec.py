"""Run payload codecs (TS013 `decodeUplink`, or what vendors wrote before it) in a sandbox.

The sandbox is a process of its own. Its engine limits time and memory itself, but a few of the
engine's built-in functions never look at the clock (joining an array of four thousand million
holes, a number of a million digits): only ending the process stops those, and a fault of the
engine ends it too. Nothing of that reaches the caller except `CodecFailed`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from city.errors import GridwardenError
from city.reading import REASON_CODEC, Reject

SANDBOX = Path(__file__).with_name("codec_sandbox.py")
# Seconds of wall time for one message to the sandbox, on a loaded machine. The sandbox begins no
# frame after half a second, and the engine's own limit of CPU time ends a plain endless loop.
WALL_LIMIT_S = 3.0
# Seconds for the child to start; an interpreter on a busy small machine may take two.
START_LIMIT_S = 20.0
# Frames of one message: their answers, each as long as it may be, still fit in our memory.
FRAMES_LIMIT = 64
# Bytes of one answer to a message of frames, so that a child gone wild cannot fill our memory.
# A result has at most 256 thousand characters, of at most three bytes each.
ANSWER_LIMIT = FRAMES_LIMIT * 1024 * 1024
# Codecs one child knows; it is started anew when there are more, which forgets those out of use.
CODECS_LIMIT = 128
# Errors and warnings of a codec that are shown; the first say enough.
ERRORS_SHOWN = 5
# A codec that ran out of time this often in a row is tried on every 20th frame only: one bad
# file must not hold up the readings of all other devices.
OVERRUN_LIMIT = 5
OVERRUN_PATIENCE = 20

# The sandbox's protocol, see there.
_LENGTH = struct.Struct("<I")
_CODEC_HEAD = struct.Struct("<BI")
_FRAME_HEAD = struct.Struct("<IidI")
_ANSWER_HEAD = struct.Struct("<BI")
_CODEC, _FRAMES = 1, 2
_OUTPUT, _ERROR, _OVERRUN, _NOT_TRIED = 0, 1, 2, 3
_NO_PORT = -1


class CodecFailed(GridwardenError):
    """The codec threw, looped, ate memory, or says itself that the bytes are not its own."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.reject = Reject(REASON_CODEC, problem)


@dataclass(frozen=True, slots=True)
class CodecCall:
    """One frame for one codec."""

    code: str
    frame: bytes
    fport: int | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class CodecOutput:
    """The `data` object that a codec made of a frame, and what it warned of. A number that is
    none (NaN, infinite) is still in it, for whoever takes the values apart to name."""

    data: dict[str, Any]
    warnings: tuple[str, ...] = ()


# How a codec is run: at once, or looked up among those that were run together.
Run = Callable[[CodecCall], "CodecOutput | CodecFailed"]


def run_codec(code: str, frame: bytes, fport: int | None, received_at: datetime) -> CodecOutput:
    """What the codec makes of a frame; `CodecFailed` if it makes nothing of it."""
    result = run_one(CodecCall(code, frame, fport, received_at))
    if isinstance(result, CodecFailed):
        raise result
    return result


def run_one(call: CodecCall) -> CodecOutput | CodecFailed:
    """What the codec makes of a frame, or why it makes nothing of it."""
    return run_codecs([call])[0]


def run_ahead(calls: Iterable[CodecCall]) -> Run:
    """All these calls together, each frame once; the answer gives their results one by one, and
    runs at once what was not among them."""
    several = list(dict.fromkeys(calls))
    results = dict(zip(several, run_codecs(several), strict=True))

    def run(call: CodecCall) -> CodecOutput | CodecFailed:
        known = results.get(call)
        return run_one(call) if known is None else known

    return run


def run_codecs(calls: Sequence[CodecCall]) -> list[CodecOutput | CodecFailed]:
    """The same for many frames, each with its own result; many at once cost less a frame."""
    return [_output(answer) for answer in _sandbox.ask(calls)]


@dataclass(frozen=True, slots=True)
class _Answer:
    outcome: int
    text: str


def _output(answer: _Answer) -> CodecOutput | CodecFailed:
    if answer.outcome != _OUTPUT:
        return CodecFailed(answer.text)
    try:
        return _read_output(_loaded(answer.text))
    except RecursionError:
        return CodecFailed("the result is nested too deeply")
    except CodecFailed as failure:
        return failure


def _loaded(text: str) -> Any:
    """The output; half a character written as an escape becomes a question mark, because no
    database takes it."""
    output = json.loads(text)
    if "\\ud" in text:
        whole = json.dumps(output, ensure_ascii=False).encode("utf-8", "replace")
        return json.loads(whole)
    return output


def _read_output(output: Any) -> CodecOutput:
    if not isinstance(output, dict):
        raise CodecFailed("decodeUplink must return an object")
    errors = _texts(output.get("errors"))
    if errors:
        raise CodecFailed("; ".join(errors))
    data = output.get("data")
    if not isinstance(data, dict):
        raise CodecFailed("decodeUplink must return an object with the key data")
    return CodecOutput(data, _texts(output.get("warnings")))


def _texts(said: Any) -> tuple[str, ...]:
    """What a codec says in words: a list of texts, by the standard; one text, by some."""
    if not said:
        return ()
    words = said[:ERRORS_SHOWN] if isinstance(said, list) else [said]
    return tuple(str(word)[:200] for word in words)


class _Sandbox:
    """One child process, started when first needed and again after it had to be ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._numbers: dict[str, int] = {}  # codecs that the child knows
        self._overruns: dict[str, int] = {}  # by code: in a row, including frames passed over

    def ask(self, calls: Sequence[CodecCall]) -> list[_Answer]:
        """The answers to all calls, in their order."""
        answers: list[_Answer | None] = [None] * len(calls)
        waiting = list(range(len(calls)))
        with self._lock:
            while waiting:
                several = waiting[:FRAMES_LIMIT]
                for place, answer in self._ask_some(calls, several):
                    answers[place] = answer
                waiting = [place for place in waiting if answers[place] is None]
        return [answer for answer in answers if answer is not None]

    def _ask_some(
        self, calls: Sequence[CodecCall], places: Sequence[int]
    ) -> Iterable[tuple[int, _Answer]]:
        """Answers to some of the calls, at least to the first."""
        due = [place for place in places if not self._passes_over(calls[place].code)]
        passed = [place for place in places if place not in set(due)]
        refusal = _Answer(_ERROR, "passed over: the codec ran out of time again and again")
        answered = [(place, refusal) for place in passed]
        if due:
            answered += self._run(calls, due)
        return answered

    def _passes_over(self, code: str) -> bool:
        overruns = self._overruns.get(code, 0)
        if overruns < OVERRUN_LIMIT or not overruns % OVERRUN_PATIENCE:
            return False
        self._overruns[code] = overruns + 1
        return True

    def _run(self, calls: Sequence[CodecCall], places: list[int]) -> list[tuple[int, _Answer]]:
        """The child's answers; if it gives none in time it is ended, and asked again for one
        frame alone, so that only the frame that is to blame fails."""
        try:
            answers = self._exchange([calls[place] for place in places])
        except (OSError, ValueError, TimeoutError, struct.error) as error:
            self._end()
            if len(places) > 1:
                return self._run(calls, places[:1])
            answers = [_Answer(_OVERRUN, _reason(error))]
        tried = [
            pair for pair in zip(places, answers, strict=True) if pair[1].outcome != _NOT_TRIED
        ]
        for place, answer in tried:
            code = calls[place].code
            if answer.outcome == _OVERRUN:
                self._overruns[code] = self._overruns.get(code, 0) + 1
            elif self._overruns:
                self._overruns.pop(code, None)
        return tried

    def _exchange(self, calls: Sequence[CodecCall]) -> list[_Answer]:
        child = self._running()
        parts = [bytes([_FRAMES])]
        for call in calls:
            parts.append(_FRAME_HEAD.pack(
                self._number(child, call.code), _NO_PORT if call.fport is None else call.fport,
                call.received_at.timestamp() * 1000, len(call.frame),
            ))  # fmt: skip
            parts.append(call.frame)
        _send(child, b"".join(parts))
        return _answers(_receive(child, WALL_LIMIT_S))

    def _number(self, child: subprocess.Popen[bytes], code: str) -> int:
        """The number by which the child knows this codec."""
        number = self._numbers.get(code)
        if number is None:
            number = self._numbers[code] = len(self._numbers)
            _send(child, _CODEC_HEAD.pack(_CODEC, number) + code.encode("utf-8", "replace"))
        return number

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._owner != os.getpid():
            _close_pipes(self._child)  # a fork's copy of the parent's child is not ours
            self._child = None
        if self._child is not None and self._child.poll() is not None:
            self._end()
        if len(self._numbers) > CODECS_LIMIT:
            self._end()
        if self._child is None:
            self._child = self._start()
        return self._child

    def _start(self) -> subprocess.Popen[bytes]:
        self._owner = os.getpid()
        self._numbers.clear()
        child = subprocess.Popen(
            [sys.executable, "-I", str(SANDBOX)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._child = child
        _receive(child, START_LIMIT_S)
        return child

    def _end(self) -> None:
        child, self._child = self._child, None
        self._numbers.clear()
        if child is None:
            return
        with contextlib.suppress(OSError):
            child.kill()
        _close_pipes(child)
        child.wait()

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            if self._owner == os.getpid():
                self._end()


def _close_pipes(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _send(child: subprocess.Popen[bytes], body: bytes) -> None:
    """One message. The child reads whenever it does not compute, so this cannot block for long."""
    assert child.stdin is not None
    rest = memoryview(_LENGTH.pack(len(body)) + body)
    while rest:
        rest = rest[os.write(child.stdin.fileno(), rest) :]


def _receive(child: subprocess.Popen[bytes], limit_s: float) -> bytes:
    """Wait for one message."""
    assert child.stdout is not None
    source = child.stdout.fileno()
    deadline = time.monotonic() + limit_s
    received = bytearray()
    wanted = _LENGTH.size
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        while len(received) < wanted:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            part = os.read(source, 65536)
            received += part
            if len(received) >= _LENGTH.size:
                wanted = _LENGTH.size + _LENGTH.unpack_from(received)[0]
            if not part or wanted > ANSWER_LIMIT:
                raise OSError("the sandbox ended")
    return bytes(received[_LENGTH.size :])


def _answers(body: bytes) -> list[_Answer]:
    answers = []
    at = 0
    while at < len(body):
        outcome, length = _ANSWER_HEAD.unpack_from(body, at)
        at += _ANSWER_HEAD.size
        answers.append(_Answer(outcome, body[at : at + length].decode()))
        at += length
    return answers


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"ran longer than {WALL_LIMIT_S:g} s and was ended"
    return "the sandbox in which codecs run ended before it could answer"


_sandbox = _Sandbox()


def close_sandbox() -> None:
    """End the child process; the next codec starts a new one."""
    _sandbox.close()


atexit.register(close_sandbox)
