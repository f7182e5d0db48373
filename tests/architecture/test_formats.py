"""A wire format is closed: nobody outside its own files names it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.peculiar import MEMORIES
from tests.architecture.test_boundaries import PACKAGES, ROOT, modules
from wire import FORMATS

# A format's line in these is how everybody else finds it.
REGISTRIES = {"wire/__init__.py", "ingest/peculiar.py"}
# Who names a format all the same, and why.
ALLOWED = {
    "city/sequence.py": "the place of a feed in its table is stored in the database",
    "db/sparkplug.py": "SQL of the sessions that the format needs",
    "db/zigbee.py": "SQL of the definitions that the format needs",
    "app/sparkplug_commands.py": "the verbs by which people look after its sessions",
    "db/seeds/fleet.py": "says which devices of the demonstration city speak what",
    "simulator/messages.py": "plays the devices and servers that write the formats",
    "simulator/episodes.py": "what a played device can say depends on what it writes",
    "simulator/scenarios/single.py": "picks a played device by what it writes",
}
NAMED_IN_SQL = re.compile("|".join(f"'{re.escape(name)}'" for name in FORMATS))


def owner(path: str) -> str:
    """The format whose own file this is; of `chirpstack-gateway` and `chirpstack` the longer."""
    folder, _, file = path.rpartition("/")
    if path in REGISTRIES or not (folder == "ingest/formats" or folder.startswith("wire")):
        return ""
    return next((name for name in by_length() if file.startswith(as_file(name))), "")


def by_length() -> list[str]:
    return sorted(FORMATS, key=len, reverse=True)


def as_file(name: str) -> str:
    return name.replace("-", "_")


def named_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Lines and names of formats: as a text, inside SQL, or as a module that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value in FORMATS:
                yield node.lineno, node.value
            for found in NAMED_IN_SQL.findall(node.value):
                yield node.lineno, found.strip("'")
        elif isinstance(node, ast.ImportFrom) and node.module:
            tried = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in {owner(f"{module.replace('.', '/')}.py") for module in tried} - {""}:
                yield node.lineno, name


def is_at_home(path: str, name: str) -> bool:
    """Whether a format may be named here: files about ChirpStack's gateways are of ChirpStack."""
    own = owner(path)
    return own == name or own.startswith(f"{name}-")


def test_no_module_names_a_format_that_is_not_its_own() -> None:
    strangers = [
        f"{path}:{line}: {name}"
        for path, tree in modules(*PACKAGES)
        if path not in REGISTRIES and path not in ALLOWED
        for line, name in named_in(tree)
        if not is_at_home(path, name)
    ]
    assert strangers == []


def test_whoever_is_allowed_to_name_a_format_does_so() -> None:
    trees = dict(modules(*PACKAGES))
    assert [path for path in ALLOWED if not list(named_in(trees[path]))] == []


def test_what_a_format_needs_somebody_keeps() -> None:
    assert {known.needs for known in FORMATS.values() if known.needs} == set(MEMORIES)


def test_every_format_has_a_file_of_its_name() -> None:
    files = {owner(str(path.relative_to(ROOT))) for path in (ROOT / "wire").rglob("*.py")}
    assert set(FORMATS) <= files


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("if decoded.format == 'ttn': pass", [(1, "ttn")]),
        ("from wire.lorawan.ttn import NAME", [(1, "ttn")]),
        ("from wire.lorawan import ttn", [(1, "ttn")]),
        ("from ingest.formats import sparkplug_sessions", [(1, "sparkplug")]),
        ("""conn.execute("DELETE FROM device WHERE format = 'native'")""", [(1, "native")]),
        ("from wire.cameras.video import bounded", []),
        ("'a word about ttn in a sentence'", []),
    ],
)
def test_a_named_format_is_recognised(code: str, named: list[tuple[int, str]]) -> None:
    assert list(named_in(ast.parse(code))) == named


@pytest.mark.parametrize(
    ("path", "name", "home"),
    [
        ("wire/lorawan/chirpstack_gateway.py", "chirpstack-gateway", True),
        ("wire/lorawan/chirpstack_gateway.py", "chirpstack", True),
        ("wire/lorawan/chirpstack.py", "chirpstack-gateway", False),
        ("ingest/formats/sparkplug_sessions.py", "sparkplug", True),
        ("ingest/gateways.py", "sparkplug", False),
        (str(Path("wire") / "normalize.py"), "native", False),
    ],
)
def test_a_format_is_at_home_in_its_own_files(path: str, name: str, home: bool) -> None:
    assert is_at_home(path, name) is home
