"""Fuzz the wire formats, guided by what code the bytes reach.

    .venv/bin/python tests/fuzz/fuzz_formats.py --seconds 60 [--format F] [--findings FOLDER]

An input is `{format} {topic}` LF body. It is found wanting if an exception leaves the parser, the
normalisation or the decode command, if the answer is no JSON, or if it takes too long. Findings
are written to a folder, one of each kind; those in `tests/fixtures/fuzz/` are replayed by
`tests/unit/wire/test_format_fuzz.py`. Needs `atheris` (CPython on x86-64).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["wire"]):
    from wire import FORMATS, find_format
from tests.fuzz.attack import Findings, join, split
from tests.fuzz.seeds import seeds
from tests.unit.wire.corpus import CORPUS

# Bytes. What is quadratic shows by then, and larger inputs are only more of the same.
INPUT_LIMIT = 16_384
# Memory of the whole process; the parsers need a hundredth of it.
MEMORY_LIMIT_MB = 2048
# Seconds after which libFuzzer gives an input up as one that never ends.
HANGS_S = 30
ROOT = Path(__file__).parents[2]
# Values that parsers stumble over.
AWKWARD: tuple[Any, ...] = (
    None, True, False, 0, -1, 255, 65535, 1e-320, 1.5e308, 10**400, -(2**63), 1772600767000,
    float("nan"), float("inf"), "", " ", "\0", "\ud800", "NaN", "1e999", "0x1F", "ON", "12 mm",
    "2026-03-04T05:06:07Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "2026-03-04T05:06:07", "AAAA", "24e1000000000001", "٣", "²", "井盖", "a" * 300,
    [], {}, [[]], [{}], [1, 2, 3], {"value": 1}, {"": 0},
)  # fmt: skip


def mutate(data: bytes, size: int, seed: int) -> bytes:
    """A neighbour of an input: other JSON, other bytes or, now and then, another topic."""
    chance = random.Random(seed)
    name, topic, body = split(data)
    if name not in FORMATS:
        name, topic, body = chance.choice(list(FORMATS)), "", data
    if chance.random() < 0.1:
        changed = atheris.Mutate(topic.encode("utf-8", "surrogateescape"), 200)
        topic = changed.replace(b"\n", b"/").decode("utf-8", "surrogateescape")
    elif chance.random() < 0.6 and (other := _other_json(body, chance)) is not None:
        body = other
    else:
        body = atheris.Mutate(body, max(1, size - len(name) - len(topic) - 2))
    return join(name, topic, body)[:size]


def _other_json(body: bytes, chance: random.Random) -> bytes | None:
    """The same JSON with one to three parts replaced, moved, doubled, renamed or left out."""
    try:
        value = json.loads(body)
        for _ in range(chance.randint(1, 3)):
            value = _changed(value, chance, 0)
        ascii_only = chance.random() < 0.5  # half a character as an escape is JSON, as bytes not
        return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return None


def _changed(value: Any, chance: random.Random, depth: int) -> Any:
    """Walk down a random branch and change what is found there."""
    inner = (
        list(value)
        if isinstance(value, dict)
        else range(len(value))[:50]
        if isinstance(value, list)
        else ()
    )
    if not inner or (depth and chance.random() < 0.2):
        return _replaced(value, chance)
    key = chance.choice(inner)
    fate = chance.random()
    if fate < 0.75:
        value[key] = _changed(value[key], chance, depth + 1)
    elif fate < 0.85:
        del value[key]
    elif isinstance(value, list):
        value.insert(0, deepcopy(value[key]))
    else:
        value[chance.choice(inner) if fate < 0.95 else f"{key}x"] = deepcopy(value[key])
    return value


def _replaced(value: Any, chance: random.Random) -> Any:
    fate = chance.random()
    if fate < 0.6:
        return deepcopy(chance.choice(AWKWARD))
    if fate < 0.7:
        return str(value)
    if fate < 0.8:
        return [value]
    if fate < 0.9 and isinstance(value, str):
        return (value[:INPUT_LIMIT] * chance.choice((2, 50, 2000)))[:INPUT_LIMIT]
    return {"value": value}


def write_seeds(folder: Path, only: str | None) -> int:
    """Our own fixtures and, where it is, the corpus of real samples; how many there are."""
    found = [
        join(name, topic, body)
        for name in FORMATS
        if only in (None, name)
        for topic, body in seeds(name)
    ]
    for sample in CORPUS:
        known = find_format(sample.format)
        if known is not None and only in (None, known.name):
            found.append(join(known.name, sample.topic, sample.payload))
    fitting = [data for data in found if len(data) <= INPUT_LIMIT]
    for number, data in enumerate(fitting):
        (folder / f"seed-{number}").write_bytes(data)
    return len(fitting)


def search(folder: Path, options: argparse.Namespace) -> None:
    """Search for so long. Never returns: libFuzzer ends the process, whatever is to be done."""
    flags = [
        sys.argv[0],
        str(folder),
        f"-max_total_time={options.seconds}",
        f"-max_len={INPUT_LIMIT}",
        f"-rss_limit_mb={MEMORY_LIMIT_MB}",
        f"-seed={options.seed}",
        f"-timeout={HANGS_S}",
        "-print_final_stats=1",
        f"-artifact_prefix={options.findings}/",
    ]
    findings = Findings(options.findings, options.format)
    atheris.Setup(flags, findings.run, custom_mutator=mutate, internal_libfuzzer=True)
    atheris.Fuzz()


def search_apart(options: argparse.Namespace) -> int:
    """Search in a process of its own, whose inputs are thrown away at the end; executions."""
    options.findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-formats-") as folder:
        seeds_written = write_seeds(Path(folder), options.format)
        print(f"{seeds_written} seeds, {options.seconds} s", flush=True)
        ended = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--inside", folder],
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
    for line in ended.stderr.splitlines():
        if line.startswith(("FINDING", "ERROR", "==", "SUMMARY")) or "Traceback" in line:
            print(line)
    found = re.search(r"number_of_executed_units: (\d+)", ended.stderr)
    if found is None:
        raise SystemExit(f"the search broke off:\n{ended.stderr[-2000:]}")
    return int(found[1])


def main() -> int:
    """Fuzz, say how much was tried and what was found; 1 if anything was."""
    parser = argparse.ArgumentParser(description="Fuzz the wire formats")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--format", choices=sorted(FORMATS))
    parser.add_argument("--findings", type=Path, default=ROOT / "tests" / "fuzz" / "findings")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        search(options.inside, options)
    executions = search_apart(options)
    findings = sorted(path.name for path in options.findings.iterdir())
    print(f"{executions} executions, {len(findings)} findings: {', '.join(findings) or 'none'}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
