"""The child process in which payload codecs run: reads requests, answers results, no I/O else.

Started by `wire.lorawan.codec` by its path, so it imports nothing of Gridwarden. The engine has no
files, no network, no timers; its time and memory are limited here, and the parent ends this
process when the engine's own limits do not hold.

A codec keeps its engine from frame to frame, and no other codec shares it. For every frame the
file's top level runs anew inside a function, so that its variables start as written; everything
the engine itself provides is frozen, and globals made by accident (an assignment without `var`)
are removed. A file whose text shows that it changes what the engine provides, or that it leaves
work for later, gets a new engine for every frame instead: many times as slow, and as clean.

Both ways are lengths and bytes (little-endian). A message is u32 length and body. To the child:
u8 1, u32 codec, UTF-8 text of the file; or u8 2 and for each frame u32 codec, i32 port (-1 is
none), f64 milliseconds, u32 length, bytes. Back, for a message of frames, for each of them:
u8 outcome, u32 length, UTF-8 text. When ready the child says one empty message.
"""

from __future__ import annotations

import contextlib
import re
import struct
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

import quickjs

# Seconds of CPU for one frame. Real codecs need about one thousandth of that.
TIME_LIMIT_S = 0.25
# Seconds of wall time after which no further frame of a message is begun: the parent waits for
# all of them together.
MESSAGE_LIMIT_S = 0.5
# Bytes. A codec with large tables and its output stays below 2 MiB.
MEMORY_LIMIT = 16 * 1024 * 1024
STACK_LIMIT = 256 * 1024
# Characters of the result: as long as an accepted message may be.
OUTPUT_LIMIT = 256 * 1024
# Bytes of address space of this whole process, for what escapes the engine's own count.
ADDRESS_SPACE_LIMIT = 1024 * 1024 * 1024

LENGTH = struct.Struct("<I")
CODEC_HEAD = struct.Struct("<I")
FRAME_HEAD = struct.Struct("<IidI")
ANSWER_HEAD = struct.Struct("<BI")
CODEC, FRAMES = 1, 2  # kinds of message
OUTPUT, ERROR, OVERRUN, NOT_TRIED = 0, 1, 2, 3  # outcomes

# Words of a file that changes what the engine provides, or leaves work for later. Borrowing a
# method (`X.prototype.slice.call`) is neither, nor is giving old engines an `Object.assign`.
CHANGES_ENGINE = re.compile(
    r"prototype(?!\.\w+\.(?:call|apply)\()|PrototypeOf|__\w+__|globalThis|\beval\b"
    r"|defineProp(?!erty\(Object, *[\"']assign[\"'])|\bFunction\s*\(|\basync\b|\bPromise\b"
    r"|\bWeakRef\b|\bFinalizationRegistry\b|\.(?:toString|toJSON|valueOf|constructor)\s*=[^=]"
)
# On an error of a frozen kind these assignments are lost without a word.
CHANGES_ERROR = re.compile(r"\.(?:name|message|stack)\s*=[^=]")

# The file inside a function: its first line stays the first line, for the line in an error.
BEFORE = "(function (module, exports, console) { const named = (function () {"
AFTER = """
;return [
  typeof decodeUplink === "function" ? decodeUplink : null,
  typeof Decoder === "function" ? Decoder : null,
  typeof Decode === "function" ? Decode : null,
];
}).call(this);
return ["decodeUplink", "Decoder", "Decode"].map(
  (name, i) => named[i] || module.exports[name] || exports[name]);
})
"""
# Our own functions carry this in their names: a line of theirs is not a line of the codec.
OURS = "gridwarden_"
RUNNER = """
(function gridwarden_setup() {
  const parse = JSON.parse, stringify = JSON.stringify, DateOf = Date, ownKeys = Reflect.ownKeys;
  const scope = globalThis, remove = Reflect.deleteProperty;
  const includes = Function.prototype.call.bind("".includes);
  const finite = Number.isFinite, silent = function () {};
  const before = new Set(ownKeys(scope)), known = Set.prototype.has.bind(before);
  const told = function (k, v) {
    return typeof v === "number" && !finite(v) ? "\\u0001" + v : v;
  };
  function gridwarden_clean() {
    const keys = ownKeys(scope);
    if (keys.length !== before.size)
      for (const key of keys) if (!known(key)) remove(scope, key);
  }
  function gridwarden_decode(load, text) {
    const [port, at, bytes] = parse(text);
    const module = {exports: {}};
    const console = {log: silent, warn: silent, error: silent, info: silent, debug: silent};
    const [uplink, decoder, decode] = load(module, module.exports, console);
    if (typeof uplink === "function")
      return uplink({bytes: bytes, fPort: port, recvTime: new DateOf(at)});
    if (typeof decoder === "function") return {data: decoder(bytes, port)};
    if (typeof decode === "function") return {data: decode(port, bytes, {})};
    throw new Error("the codec has no function decodeUplink, Decoder or Decode");
  }
  return function gridwarden_run(load, text) {
    try {
      const result = gridwarden_decode(load, text);
      const output = stringify(result);
      return output && includes(output, "null") ? stringify(result, told) : output;
    } finally {
      gridwarden_clean();
    }
  };
})()
"""
# Freezes all that can be reached from the global object and from what syntax alone makes. The
# global object itself stays open: codecs assign to names they never declared.
FREEZE = """
(function gridwarden_freeze() {
  const seen = new Set([globalThis]);
  const waiting = [
    [][Symbol.iterator](), ""[Symbol.iterator](), new Map().entries(), new Set().entries(),
    "".matchAll(/x/g), function* () {}, async function () {}, async function* () {},
    (function* () {})(), new Uint8Array(0), (function () { return arguments; })(),
  ];
  for (const key of Reflect.ownKeys(globalThis)) {
    const held = Object.getOwnPropertyDescriptor(globalThis, key);
    for (const part of [held.value, held.get, held.set]) waiting.push(part);
    if (held.configurable) {
      const closed = {configurable: false};
      if ("value" in held) closed.writable = false;
      Object.defineProperty(globalThis, key, closed);
    }
  }
  while (waiting.length) {
    const item = waiting.pop();
    if ((typeof item !== "object" && typeof item !== "function") || item === null) continue;
    if (seen.has(item)) continue;
    seen.add(item);
    waiting.push(Object.getPrototypeOf(item));
    for (const key of Reflect.ownKeys(item)) {
      const held = Object.getOwnPropertyDescriptor(item, key);
      waiting.push(held.value, held.get, held.set);
    }
    if (!ArrayBuffer.isView(item)) Object.freeze(item);
  }
})()
"""
# Numbers that JSON has no word for, as `told` above writes them and as Python's reader reads them.
NOT_FINITE = (
    ('"\\u0001NaN"', "NaN"), ('"\\u0001Infinity"', "Infinity"), ('"\\u0001-Infinity"', "-Infinity"),
)  # fmt: skip


class Codec:
    """One codec file and, where its text allows, the engine that it keeps."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._keeps = not changes_engine(code)
        self._sound = False  # the file alone is a whole script
        self._loaded: tuple[quickjs.Object, quickjs.Object] | None = None

    def decode(self, request: str) -> tuple[int, str]:
        """What the codec makes of a frame: the outcome, and its output or what went wrong."""
        try:
            run, load = self._loaded or self._load()
            output = run(load, request)
        except (quickjs.JSException, quickjs.StackOverflow) as error:
            return self._failed(str(error))
        except TypeError:  # a result that the binding has no Python value for
            self._loaded = None
            return ERROR, "the codec returned nothing that can be read"
        if not self._keeps:
            self._loaded = None
        if not isinstance(output, str):
            return ERROR, "the codec returned nothing"
        if len(output) > OUTPUT_LIMIT:
            return ERROR, f"the result is longer than {OUTPUT_LIMIT} characters"
        if "\\u0001" in output:
            for written, number in NOT_FINITE:
                output = output.replace(written, number)
        return OUTPUT, output

    def _load(self) -> tuple[quickjs.Object, quickjs.Object]:
        """An engine with the file compiled in it."""
        if not self._sound:
            check_syntax(self._code)
            self._sound = True
        context = new_engine()
        run = context.eval(RUNNER)
        if self._keeps:
            context.eval(FREEZE)
        self._loaded = run, context.eval(BEFORE + self._code + AFTER)
        return self._loaded

    def _failed(self, error: str) -> tuple[int, str]:
        overrun = is_overrun(error)
        if overrun or is_out_of_memory(error) or "call stack" in error or not self._keeps:
            self._loaded = None
        return OVERRUN if overrun else ERROR, describe(error)


def changes_engine(code: str) -> bool:
    """The file would find a kept engine changed, or leave it so."""
    return CHANGES_ENGINE.search(code) is not None or (
        "Error" in code and CHANGES_ERROR.search(code) is not None
    )


def new_engine() -> quickjs.Context:
    """An engine of its own, with its limits."""
    context = quickjs.Context()
    context.set_memory_limit(MEMORY_LIMIT)
    context.set_time_limit(TIME_LIMIT_S)
    context.set_max_stack_size(STACK_LIMIT)
    return context


def check_syntax(code: str) -> None:
    """Raise unless the file is a whole script by itself: one that closes the function it is put
    into, and goes on after it, would run where nothing is cleared away."""
    try:
        new_engine().eval(f"throw 0;{code}")
    except quickjs.JSException as error:
        if str(error).partition("\n")[0] != "0":
            raise


def is_overrun(error: str) -> bool:
    """The engine's clock ended the codec."""
    return error.partition("\n")[0].endswith("interrupted")


def is_out_of_memory(error: str) -> bool:
    """The engine could not get more memory; sometimes not even for the words to say so."""
    message = error.partition("\n")[0]
    return message == "null" or "out of memory" in message


def describe(error: str) -> str:
    """An engine error for people: the message, and the line of the codec where it happened."""
    message, _, stack = error.partition("\n")
    if is_out_of_memory(error):
        return f"used more than {MEMORY_LIMIT // 1024 // 1024} MiB of memory"
    if is_overrun(error):
        return f"ran longer than {TIME_LIMIT_S} s"
    place = next((line for line in stack.split("\n") if "<input>:" in line), "")
    line = "" if OURS in place else place.partition("<input>:")[2].partition(":")[0]
    return f"{message[:200]} (line {line.rstrip(')')})" if line else message[:200]


def answer(body: bytes, codecs: dict[int, Codec]) -> Iterator[bytes]:
    """The answers to one message, frame by frame; after an overrun no further frame is tried."""
    if body[0] == CODEC:
        codecs[CODEC_HEAD.unpack_from(body, 1)[0]] = Codec(body[1 + CODEC_HEAD.size :].decode())
        return
    end = time.monotonic() + MESSAGE_LIMIT_S
    going = True
    at = 1
    while at < len(body):
        codec, port, moment, length = FRAME_HEAD.unpack_from(body, at)
        at += FRAME_HEAD.size + length
        outcome, text = NOT_TRIED, ""
        if going:
            listed = ",".join(map(str, body[at - length : at]))
            request = f"[{'null' if port < 0 else port},{moment:.0f},[{listed}]]"
            outcome, text = codecs[codec].decode(request)
            going = outcome != OVERRUN and time.monotonic() < end
        told = text.encode("utf-8", "surrogatepass" if outcome == OUTPUT else "replace")
        yield ANSWER_HEAD.pack(outcome, len(told)) + told


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # absent where processes have no such limits

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_LIMIT, ADDRESS_SPACE_LIMIT))
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Read messages and write their answers until there are no more."""
    codecs: dict[int, Codec] = {}
    answers.write(LENGTH.pack(0))
    answers.flush()
    while head := requests.read(LENGTH.size):
        body = requests.read(LENGTH.unpack(head)[0])
        told = b"".join(answer(body, codecs))
        if body[0] == FRAMES:
            answers.write(LENGTH.pack(len(told)) + told)
            answers.flush()


if __name__ == "__main__":
    main()
