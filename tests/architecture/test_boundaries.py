"""What the import contracts cannot see: clocks, SQL and the standard-library core."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "city", "columns", "wire", "db", "replay", "ingest", "registry", "alerts", "dispatch", "people",
    "dashboard", "simulator", "stack", "app",
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


def test_what_calls_itself_pure_loads_no_database() -> None:
    """Neither by itself nor through anything that it imports."""
    pure = [
        name
        for name, tree in modules(*(package for package in PACKAGES if package != "db"))
        if re.search(r"\bPure\b", ast.get_docstring(tree) or "")
    ]
    assert len(pure) > 30
    impure = {name: path for name in pure if (path := way_to_database(name))}
    assert impure == {}


def test_sql_is_written_in_db_only() -> None:
    strangers = [
        f"{name}:{node.lineno}"
        for name, tree in modules(
            "wire",
            "replay",
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


@cache
def imported_modules(name: str) -> frozenset[str]:
    """Files of ours that a module imports when it is loaded; what only a type checker sees is
    none of them."""
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    checked = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in checked:
            base = node.module.replace(".", "/")
            tried = [base, *(f"{base}/{alias.name}" for alias in node.names)]
            parents = ["/".join(base.split("/")[:n]) for n in range(1, base.count("/") + 1)]
            for path in [*parents, *tried]:
                found |= {p for p in (f"{path}.py", f"{path}/__init__.py") if (ROOT / p).is_file()}
    return frozenset(found)


def way_to_database(name: str) -> list[str]:
    """From a module to one of `db`, import by import; empty where there is no way."""
    came_from: dict[str, str] = {name: ""}
    waiting = [name]
    while waiting:
        here = waiting.pop()
        if here.startswith("db/"):
            way = [here]
            while came_from[way[-1]]:
                way.append(came_from[way[-1]])
            return way[::-1]
        for there in imported_modules(here) - came_from.keys():
            came_from[there] = here
            waiting.append(there)
    return []


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
