"""`python -m bench [NAME …]`: run the measurements, print a table, keep the JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
NAMES = ("formats", "sequences", "ingest", "engine", "alarm_path", "push", "histories", "notify")
# Minutes to a quarter of an hour each: only when asked for.
LONG = (
    "alarms",
    "broker_restart",
    "case_search",
    "city_folder",
    "dispatch",
    "history",
    "ingest_soak",
    "lamps",
    "picture",
    "review",
)


def main(arguments: list[str]) -> int:
    """Run what is named, or everything that is not long."""
    asked = _parse(arguments)
    rows: list[tuple[str, str, str]] = []
    for name in asked.names or NAMES:
        print(f"== {name}", flush=True)
        result = importlib.import_module(f"bench.{name}").run(**_options(name, asked))
        write_result(name, result)
        rows += [(name, key, text) for key, text in _lines(result)]
    width = max(len(key) for _, key, _ in rows)
    print()
    for name, key, text in rows:
        print(f"{name:<12}{key:<{width + 2}}{text}")
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        choices=[[], *NAMES, *LONG],
        help=f"{', '.join(NAMES)}; only by name: {', '.join(LONG)}",
    )
    parser.add_argument(
        "--seconds",
        type=int,
        help="how long broker_restart, dispatch, ingest and ingest_soak go on",
    )
    parser.add_argument("--cases", type=int, help="incidents that dispatch makes")
    parser.add_argument(
        "--node-red",
        action="store_true",
        help="install Node-RED into .stack/bench and measure it too",
    )
    parser.add_argument(
        "--against",
        metavar="COMMIT",
        default="",
        help="ingest, engine or picture of an earlier commit beside today's, in turn",
    )
    return parser.parse_args(arguments)


def _options(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if asked.seconds and name in ("broker_restart", "dispatch", "ingest", "ingest_soak"):
        options["seconds"] = asked.seconds
    if asked.cases and name == "dispatch":
        options |= {"cases": asked.cases, "due": min(asked.cases // 10, 10_000)}
    if name == "ingest":
        options["with_node_red"] = asked.node_red
    if name in ("alarms", "ingest", "engine", "picture"):
        options["against"] = asked.against
    return options


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


def _lines(result: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Figures, those of a group under its name; long lists are for the JSON alone."""
    for key, value in result.items():
        if isinstance(value, Mapping):
            yield from _lines(value, f"{prefix}{key}.")
        elif not isinstance(value, list):
            yield prefix + key, f"{value:,.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
