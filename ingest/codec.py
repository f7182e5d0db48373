"""Run a device model's payload codec (TS013 `decodeUplink`) in a sandbox of its own process.

The engine limits time and memory itself, but a few of its built-in functions never look at the
clock (joining an array of four thousand million holes, a number of a million digits): only
ending the process stops those, and a fault of the engine ends it too. Nothing of that reaches
the caller except `CodecFailed`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from city.errors import GridwardenError
from city.reading import REASON_CODEC, Reject

SANDBOX = Path(__file__).with_name("codec_sandbox.py")
# Seconds of wall time for one frame, on a loaded machine; the engine's own limit of CPU time
# ends a plain endless loop long before.
WALL_LIMIT_S = 3.0
# Seconds for the child to start; an interpreter on a busy small machine may take two.
START_LIMIT_S = 20.0
# Bytes of one answer, so that a child gone wild cannot fill our memory.
ANSWER_LIMIT = 2 * 1024 * 1024
# Errors of a codec that are shown; the first say enough.
ERRORS_SHOWN = 5
# A codec that ran out of time this often in a row is tried on every 20th frame only: one bad
# file must not hold up the readings of all other devices.
OVERRUN_LIMIT = 5
OVERRUN_PATIENCE = 20


class CodecFailed(GridwardenError):
    """The codec threw, looped, ate memory, or says itself that the bytes are not its own."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.reject = Reject(REASON_CODEC, problem)


def run_codec(code: str, frame: bytes, fport: int | None, received_at: datetime) -> dict[str, Any]:
    """The `data` object that the codec makes of a frame."""
    request = {"bytes": list(frame), "fPort": fport, "recvTime": received_at.isoformat()}
    answer = _sandbox.ask(code, request)
    if "error" in answer:
        raise CodecFailed(str(answer["error"]))
    return _data(json.loads(answer["output"]))


def _data(output: Any) -> dict[str, Any]:
    if not isinstance(output, dict):
        raise CodecFailed("decodeUplink must return an object")
    errors = output.get("errors")
    if errors:
        shown = errors[:ERRORS_SHOWN] if isinstance(errors, list) else [errors]
        raise CodecFailed("; ".join(str(error)[:200] for error in shown))
    data = output.get("data")
    if not isinstance(data, dict):
        raise CodecFailed("decodeUplink must return an object with the key data")
    return data


class _Sandbox:
    """One child process, started when first needed and again after it had to be ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._overruns: dict[str, int] = {}  # by code: in a row, including frames passed over

    def ask(self, code: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The child's answer to one request; the child is ended if it gives none in time."""
        line = json.dumps({"code": code, "input": request}).encode() + b"\n"
        with self._lock:
            overruns = self._overruns.get(code, 0)
            if overruns >= OVERRUN_LIMIT and overruns % OVERRUN_PATIENCE:
                self._overruns[code] = overruns + 1
                raise CodecFailed("passed over: the codec ran out of time again and again")
            try:
                answer = dict(json.loads(_exchange(self._running(), line, WALL_LIMIT_S)))
            except (OSError, ValueError, TimeoutError) as error:
                self._end()
                self._overruns[code] = overruns + 1
                raise CodecFailed(_reason(error)) from None
            if answer.get("overrun"):
                self._overruns[code] = overruns + 1
            else:
                self._overruns.pop(code, None)
            return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._owner != os.getpid():
            _close_pipes(self._child)  # a fork's copy of the parent's child is not ours
            self._child = None
        if self._child is not None and self._child.poll() is not None:
            self._end()
        if self._child is None:
            self._owner = os.getpid()
            self._child = subprocess.Popen(
                [sys.executable, "-I", str(SANDBOX)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
            _exchange(self._child, b"", START_LIMIT_S)
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
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


def _exchange(child: subprocess.Popen[bytes], line: bytes, limit_s: float) -> bytes:
    """Send one line (or none) and wait for one line back."""
    assert child.stdin is not None
    assert child.stdout is not None
    if line:
        child.stdin.write(line)
    deadline = time.monotonic() + limit_s
    answer = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while not answer.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            part = os.read(child.stdout.fileno(), 65536)
            if not part or len(answer) > ANSWER_LIMIT:
                raise OSError("the sandbox ended")
            answer += part
    return bytes(answer)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"ran longer than {WALL_LIMIT_S:g} s and was ended"
    return "the sandbox in which codecs run ended before it could answer"


_sandbox = _Sandbox()


def close_sandbox() -> None:
    """End the child process; the next codec starts a new one."""
    _sandbox.close()


atexit.register(close_sandbox)
