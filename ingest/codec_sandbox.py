"""The child process in which payload codecs run: reads requests, answers results, no I/O else.

Started by `ingest.codec` by its path, so it imports nothing of Gridwarden. One line of JSON in,
one line out. Every request gets a fresh JavaScript engine: nothing survives from one device to
the next. The engine has no files, no network, no timers; its time and memory are limited here,
and the parent ends this process when the engine's own limits do not hold.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

import quickjs

# Seconds of CPU for one frame. Real codecs need about one thousandth of that.
TIME_LIMIT_S = 0.25
# Bytes. A codec with large tables and its output stays below 2 MiB.
MEMORY_LIMIT = 16 * 1024 * 1024
STACK_LIMIT = 256 * 1024
# Characters of the result: as long as an accepted message may be.
OUTPUT_LIMIT = 256 * 1024
# Bytes of address space of this whole process, for what escapes the engine's own count.
ADDRESS_SPACE_LIMIT = 1024 * 1024 * 1024

# What codecs written for other hosts expect to find, without effect here.
PRELUDE = """
globalThis.module = {exports: {}};
globalThis.exports = globalThis.module.exports;
globalThis.console = {};
for (const word of ["log", "warn", "error", "info", "debug"]) console[word] = function () {};
"""
CALL = """
(function (input) {
  const decode = typeof decodeUplink === "function" ? decodeUplink
    : module.exports.decodeUplink || exports.decodeUplink;
  if (typeof decode !== "function") throw new Error("the codec has no function decodeUplink");
  input.recvTime = new Date(input.recvTime);
  return JSON.stringify(decode(input));
})(%s)
"""


def decode(request: dict[str, Any]) -> dict[str, Any]:
    """The codec's output as {"output": JSON text}, or {"error": what went wrong}."""
    context = quickjs.Context()
    context.set_memory_limit(MEMORY_LIMIT)
    context.set_time_limit(TIME_LIMIT_S)
    context.set_max_stack_size(STACK_LIMIT)
    try:
        context.eval(PRELUDE)
        context.eval(request["code"])
        output = context.eval(CALL % json.dumps(request["input"]))
    except (quickjs.JSException, quickjs.StackOverflow) as error:
        return {"error": describe(str(error)), "overrun": is_overrun(str(error))}
    if not isinstance(output, str):
        return {"error": "decodeUplink returned nothing"}
    if len(output) > OUTPUT_LIMIT:
        return {"error": f"the result is longer than {OUTPUT_LIMIT} characters"}
    return {"output": output}


def is_overrun(error: str) -> bool:
    """The engine's clock ended the codec."""
    return error.partition("\n")[0].endswith("interrupted")


def describe(error: str) -> str:
    """An engine error for people: the message, and the line of the codec where it happened."""
    message, _, stack = error.partition("\n")
    if message == "null" or "out of memory" in message:
        return f"used more than {MEMORY_LIMIT // 1024 // 1024} MiB of memory"
    if is_overrun(error):
        return f"ran longer than {TIME_LIMIT_S} s"
    place = stack.partition("<input>:")[2].partition(":")[0]
    return f"{message[:200]} (line {place})" if place.isdigit() else message[:200]


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # absent where processes have no such limits

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_LIMIT, ADDRESS_SPACE_LIMIT))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(decode(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
