"""What the import contracts cannot see: clocks, SQL, the environment, names and folders."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "cities", "city", "columns", "wire", "db", "replay", "registers", "ingest", "registry",
    "alerts", "dispatch", "notify", "people", "founding", "lighting", "dashboard", "simulator",
    "stack", "app",
)  # fmt: skip
# The shells: loops, servers and processes. Everything else is told what time it is.
CLOCK_READERS = {
    "alerts/worker.py", "alerts/video/worker.py", "dispatch/worker.py", "ingest/worker.py",
    "notify/worker.py",
    "ingest/inbox.py",
    "ingest/lease.py", "ingest/mqtt/lane.py", "ingest/mqtt/visit.py",
    "ingest/mqtt/counters.py",
    "dashboard/shell/gate.py", "dashboard/shell/live.py", "dashboard/shell/changes.py",
    "dashboard/shell/message_links.py",
    "dashboard/shell/second_factor.py", "dashboard/shell/public_report.py",
    "dashboard/shell/setup.py", "dashboard/shell/tour.py",
    "simulator/publish.py",
    # Of `app` those that run a command or a process; the rest is told.
    "app/approval_commands.py", "app/backtest_command.py", "app/city_commands.py",
    "app/commands.py",
    "app/demo_commands.py", "app/demo_people.py", "app/device_commands.py", "app/doctor.py",
    "app/feed_commands.py",
    "app/kpi_commands.py", "app/lighting_commands.py", "app/model_commands.py",
    "app/people_commands.py",
    "app/process/serve.py",
    "app/register_commands.py", "app/reject_commands.py", "app/restart_test.py",
    "app/permit_commands.py", "app/rule_check_commands.py", "app/rule_commands.py",
    "app/rule_trials.py", "app/scheduler.py", "app/trial_starter.py", "app/setup_commands.py",
    "app/sparkplug_commands.py", "app/prepare.py",
}  # fmt: skip
SHELLS = re.compile(r"dashboard/api/|dashboard/screens/\w+/(?:page|load)\.py")
# Processes are started from here: what the environment says is given on as values.
ENVIRONMENT_READERS = ("app/", "stack/")
# Such a name says nothing of what is in it.
EMPTY_NAMES = re.compile(r"(?:.*_)?(?:utils?|helpers?|managers?)|services?|common|misc")


def modules(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            yield name, parsed(name)


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
        if name not in CLOCK_READERS and not SHELLS.match(name)
        for line in clock_reads(tree)
    ]
    assert readers == []


def test_every_shell_in_the_list_reads_the_clock() -> None:
    quiet = [name for name in CLOCK_READERS if not any(clock_reads(parsed(name)))]
    assert quiet == []


def test_what_calls_itself_pure_reads_neither_clock_nor_environment() -> None:
    """Also where shells are: in `app` and among the screens."""
    impure = [
        f"{name}:{line}"
        for name, tree in modules(*PACKAGES)
        if calls_itself_pure(tree)
        for line in [*clock_reads(tree), *environment_reads(tree)]
    ]
    assert impure == []


def test_only_app_and_the_embedded_stack_read_the_environment() -> None:
    readers = [
        f"{name}:{line}"
        for name, tree in modules(*PACKAGES)
        if not name.startswith(ENVIRONMENT_READERS)
        for line in environment_reads(tree)
    ]
    assert readers == []


def test_what_calls_itself_pure_loads_no_database() -> None:
    """Neither by itself nor through anything that it imports."""
    pure = [
        name
        for name, tree in modules(*(package for package in PACKAGES if package != "db"))
        if calls_itself_pure(tree)
    ]
    assert len(pure) > 30
    impure = {name: path for name in pure if (path := way_to_database(name))}
    assert impure == {}


def test_sql_is_written_in_db_only() -> None:
    strangers = [
        f"{name}:{node.lineno}"
        for name, tree in modules(*(package for package in PACKAGES if package != "db"))
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


def test_every_package_says_what_it_is() -> None:
    folders = {(ROOT / name).parent for name, _ in modules(*PACKAGES, "bench")}
    silent = [
        str(folder.relative_to(ROOT))
        for folder in folders
        if not (folder / "__init__.py").is_file()
        or not ast.get_docstring(parsed(str(folder.relative_to(ROOT) / "__init__.py")))
    ]
    assert silent == []


def test_every_package_is_in_the_lists() -> None:
    """Those of the layers, the types, the image and these tests."""
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench"}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    compiled = re.search(r"compileall -q ([\w ]+)", image)
    assert compiled
    assert set(PACKAGES) == found
    assert set(settings["mypy"]["packages"]) == found
    assert set(settings["importlinter"]["root_packages"]) == found
    packaged = settings["setuptools"]["packages"]["find"]["include"]
    assert {name.rstrip("*") for name in packaged} == found
    assert set(compiled.group(1).split()) == found
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    assert set(re.findall(r"^!(\w+)$", sent, re.MULTILINE)) - {"LICENSE"} == found
    layers = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| \d \| `(\w+)` \|", layers, re.MULTILINE)) == found


def test_every_module_has_a_name_that_says_something() -> None:
    empty = [
        name
        for name, _ in modules(*PACKAGES, "bench", "tests")
        if any(EMPTY_NAMES.fullmatch(part.removesuffix(".py")) for part in name.split("/"))
    ]
    assert empty == []


def test_tests_lie_in_the_folder_of_their_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    strangers = [
        str(path.relative_to(ROOT))
        for kind in ("unit", "integration")
        for path in (ROOT / "tests" / kind).rglob("*.py")
        if path.relative_to(ROOT / "tests" / kind).parts[0] not in packages
    ]
    assert strangers == []


def test_few_tables_of_the_tests_are_kept_from_the_formatter() -> None:
    marks = [
        name
        for name, _ in modules("tests")
        if not name.startswith("tests/architecture/")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if line.endswith("# fmt: skip")
    ]
    assert len(marks) < 60


def test_every_table_of_cases_is_read_by_a_test() -> None:
    tests = "\n".join((ROOT / name).read_text(encoding="utf-8") for name, _ in modules("tests"))
    tables = [path for path in (ROOT / "tests" / "tables").iterdir() if path.suffix != ".py"]
    unread = [path.name for path in tables if path.is_file() and f'"{path.name}"' not in tests]
    assert unread == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [("import time\ntime.time()", [2]), ("from datetime import datetime\ndatetime.now()", [2])],
)
def test_a_clock_read_is_recognised(code: str, expected: list[int]) -> None:
    assert list(clock_reads(ast.parse(code))) == expected


def calls_itself_pure(tree: ast.Module) -> bool:
    return bool(re.search(r"\bPure\b", ast.get_docstring(tree) or ""))


@cache
def parsed(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"))


@cache
def imported_modules(name: str) -> frozenset[str]:
    """Files of ours that a module imports when it is loaded; what only a type checker sees is
    none of them."""
    tree = parsed(name)
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


def environment_reads(tree: ast.Module) -> Iterator[int]:
    """Lines that name os.environ or os.getenv."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}:
            yield node.lineno
