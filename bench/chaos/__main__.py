"""`./run chaos`: break every part of a running installation, one after another, and count.

A publisher remembers every message that the broker acknowledged; a wall is open in Chromium;
somebody reads `/readyz`. In the middle of every fault a gas detector reports 62.5 %LEL, which must
become one alarm and one incident. Prints a table, keeps the JSON in bench/results/chaos.json, and
exits with 1 if a row breaks the promise: anything lost or doubled, no or more than one incident.
"""

from __future__ import annotations

import argparse
import sys

from playwright.sync_api import sync_playwright

from bench.__main__ import write_result
from bench.chaos.drill import Row, shooting_range
from bench.chaos.faults import Fault, matrix
from bench.chaos.table import as_json, render
from bench.installation import running_installation
from stack.browser import chromium_arguments, chromium_environment, provide_chromium

# Messages a second, rounds of the broker's six deaths, seconds that a frozen part is frozen.
LONG = (1000.0, 5, 10.0)
QUICK = (200.0, 1, 3.0)


def main(arguments: list[str]) -> int:
    asked = _parse(arguments)
    rate, rounds, hold_s = QUICK if asked.quick else LONG
    faults = [fault for fault in matrix(rounds) if asked.only in fault.name]
    rows: list[Row] = []
    with running_installation() as installation, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(provide_chromium()),
            args=["--disable-gpu", *chromium_arguments()],
            env=dict(chromium_environment()),
        )
        with shooting_range(installation, browser, rate, hold_s) as ground:
            for fault in faults:
                row = ground.drill(fault)
                _say(fault, row)
                rows += [row] if row else []
        browser.close()
    print(f"\n{render(rows)}")
    broken = [row for row in rows if row.broken]
    write_result(
        "chaos_quick" if asked.quick else "chaos",
        {"rate": rate, "rows": [as_json(row) for row in rows], "broken": len(broken)},
    )
    print(
        f"\n{len(rows)} faults, {len(broken)} broke the promise, "
        f"{sum(row.is_late for row in rows)} took longer than aimed at"
    )
    return 1 if broken or not rows else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run chaos", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 messages/s, each fault once")
    parser.add_argument("--only", default="", metavar="TEXT", help="faults whose name has TEXT")
    return parser.parse_args(arguments)


def _say(fault: Fault, row: Row | None) -> None:
    if row is None:
        print(f"{fault.name}: this build has no such part", flush=True)
    else:
        found = "; ".join(row.broken) or "kept"
        print(f"{fault.name}: normal after {row.normal_s} s, {found}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
