"""`python -m bench [NAME]`: run the measurements, print a table, keep the JSON."""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
NAMES = ("formats", "ingest", "engine", "alarm_path", "push")


def main(arguments: list[str]) -> int:
    unknown = [name for name in arguments if name not in NAMES]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    rows: list[tuple[str, str, str]] = []
    for name in arguments or NAMES:
        print(f"== {name}", flush=True)
        result: dict[str, Any] = importlib.import_module(f"bench.{name}").run()
        write_result(name, result)
        rows += [(name, key, _text(value)) for key, value in result.items()]
    width = max(len(key) for _, key, _ in rows)
    print()
    for name, key, value in rows:
        print(f"{name:<12}{key:<{width + 2}}{value}")
    return 0


def write_result(name: str, result: dict[str, Any]) -> None:
    """One file a benchmark, with the machine beside the figures."""
    RESULTS.mkdir(exist_ok=True)
    body = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), **result}
    (RESULTS / f"{name}.json").write_text(json.dumps(body, indent=1))


def machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}"


def _text(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
