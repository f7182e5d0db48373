"""What the import contracts cannot see: clocks, SQL and the standard-library core."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "city", "wire", "db", "ingest", "registry", "alerts", "dispatch", "people", "dashboard",
    "simulator", "stack", "app",
)  # fmt: skip
# The shells: loops, servers and processes. Everything else is told what time it is.
CLOCK_READERS = {
    "alerts/worker.py", "dispatch/worker.py", "ingest/worker.py", "ingest/inbox.py",
    "ingest/lease.py", "ingest/mqtt/lane.py", "ingest/mqtt/visit.py",
    "ingest/mqtt/restart_test.py", "ingest/mqtt/counters.py",
    "dashboard/shell/gate.py", "dashboard/shell/live.py", "dashboard/shell/load.py",
    "dashboard/shell/auth.py", "dashboard/shell/server.py", "dashboard/shell/serve.py",
    "simulator/publish.py",
}  # fmt: skip
SHELL_FOLDERS = ("app/", "stack/", "dashboard/api/", "dashboard/screens/")


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def test_the_words_use_nothing_but_the_standard_library() -> None:
    allowed = set(sys.stdlib_module_names) | {"city"}
    foreign = [
        f"{name}: {imported}"
        for name, tree in modules("city")
        for imported in imported_packages(tree)
        if imported not in allowed
    ]
    assert foreign == []


def test_only_shells_read_the_clock() -> None:
    readers = [
        f"{name}:{line}"
        for name, tree in modules(*PACKAGES)
        if name not in CLOCK_READERS and not name.startswith(SHELL_FOLDERS)
        for line in clock_reads(tree)
    ]
    assert readers == []


def test_sql_is_written_in_db_only() -> None:
    strangers = [
        f"{name}:{node.lineno}"
        for name, tree in modules(
            "wire",
            "ingest",
            "registry",
            "alerts",
            "dispatch",
            "people",
            "dashboard",
            "simulator",
            "app",
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"execute", "executemany", "copy"}
        and node.args
        and isinstance(node.args[0], ast.Constant | ast.JoinedStr)
    ]
    assert strangers == []


def test_no_file_eats_the_project() -> None:
    long = [
        f"{name}: {length} lines"
        for name, _ in modules(*PACKAGES)
        if (length := len((ROOT / name).read_text(encoding="utf-8").splitlines())) > 600
    ]
    assert long == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [("import time\ntime.time()", [2]), ("from datetime import datetime\ndatetime.now()", [2])],
)
def test_a_clock_read_is_recognised(code: str, expected: list[int]) -> None:
    assert list(clock_reads(ast.parse(code))) == expected


def imported_packages(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.partition(".")[0]


def clock_reads(tree: ast.Module) -> Iterator[int]:
    """Lines that call datetime.now/utcnow/today or time.time."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
        if (name in {"datetime", "date"} and node.func.attr in {"now", "utcnow", "today"}) or (
            name == "time" and node.func.attr == "time"
        ):
            yield node.lineno
