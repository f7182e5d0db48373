"""What the documents name is there: files, commands, options, variables, addresses, links."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from app.cli import cli
from dashboard.api.openapi import build_document
from tests.architecture.documents import (
    ROOT,
    Code,
    code,
    described,
    documents,
    exists,
    leads_somewhere,
    links,
    paths,
    top,
    tracked,
)

# Files of a person who follows the guide, and words that only look like paths.
NOT_OURS = {"conf.py"}
# Addresses outside the API.
BESIDE_THE_API = {"/healthz", "/readyz", "/metrics", "/login", "/logout", "/events"}


def all_code() -> list[Code]:
    return [span for path in described() for span in code(path)]


def test_every_path_in_the_documents_is_there() -> None:
    missing = [
        f"{span} -> {name}"
        for span in all_code()
        for name in paths(span.text)
        if name not in NOT_OURS and not exists(name)
    ]
    assert missing == []


def test_every_file_that_the_code_speaks_of_is_there() -> None:
    """Docstrings and comments."""
    ours = "|".join(sorted(top()))
    named = re.compile(
        rf"(?<![\w./-])(?:{ours})/[\w./<>-]+\.(?:py|toml|sql|js|css|md|csv|sh|yml)\b"
    )
    missing = [
        f"{name}: {found}"
        for name, text in remarks()
        for found in named.findall(text)
        if not exists(found)
    ]
    assert missing == []


def test_every_name_in_the_documents_is_defined() -> None:
    """`package.module.name`, also in docstrings and comments."""
    spans = [(str(span), span.text) for span in all_code()]
    quoted = [
        (name, found) for name, text in remarks() for found in re.findall(r"`([\w.]+)`", text)
    ]
    missing = [
        f"{where} -> {text}"
        for where, text in spans + quoted
        if re.fullmatch(r"[a-z_]+(\.\w+)+", text) and is_module(text) and not is_defined(text)
    ]
    assert missing == []


def test_every_verb_of_the_script_is_there() -> None:
    arms = (ROOT / "run").read_text(encoding="utf-8").partition("case $verb in")[2]
    verbs = set(re.findall(r"^(\w+)\)", arms, re.MULTILINE)) | {"help"}
    assert {"up", "test", "check"} <= verbs
    wrong = [
        str(span)
        for span in all_code()
        for verb in re.findall(r"\./run ([a-z]\w*)", span.text)
        if verb not in verbs
    ]
    assert wrong == []


def test_every_command_and_option_is_there() -> None:
    wrong = [
        f"{span} -> {fault}"
        for span in all_code()
        for words in commands(span.text)
        for fault in faults(words)
    ]
    assert wrong == []


def test_every_option_that_stands_alone_is_one_of_ours() -> None:
    known = {option for command in every_command() for option in options_of(command)} | {
        option
        for name in tracked()
        if name == "run" or re.match(r"(bench|tests/fuzz|stack|db)/.*\.py$", name)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", read(name))
    }
    wrong = [
        str(span)
        for span in all_code()
        if span.text.startswith("--") and span.text.split()[0].split("=")[0] not in known
    ]
    assert wrong == []


def test_every_variable_is_read_somewhere() -> None:
    source = "\n".join(
        read(name)
        for name in tracked()
        if name.endswith(".py") or name in {"run", "docker-compose.yml", "Dockerfile"}
    )
    read_names = set(re.findall(r"[\"'{](GRIDWARDEN_[A-Z_]+)", source))
    wrong = [
        f"{span} -> {name}"
        for span in all_code()
        for name in re.findall(r"GRIDWARDEN_[A-Z_]+[A-Z]", span.text)
        if name.removesuffix("_FILE") not in read_names
    ]
    wrong += [
        str(span)
        for span in all_code()
        if (rest := re.fullmatch(r"…(_[A-Z_]+)", span.text))
        and not any(name.endswith(rest.group(1)) for name in read_names)
    ]
    assert wrong == []


def test_every_address_of_the_api_is_described() -> None:
    known = {f"/api/v1{path}" for path in build_document()["paths"]} | {"/api/v1/openapi.json"}
    wrong = [
        f"{span} -> {address}"
        for span in all_code()
        for address in addresses(span.text)
        if not any(same_address(address, path) for path in known)
    ]
    assert wrong == []


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    broken = [
        f"{line}: {target}" for line, target in links(path) if not leads_somewhere(path, target)
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("gridwarden device import FILE --dry-run", None),
        ("gridwarden device burn FILE", "burn"),
        ("gridwarden device import FILE --wet-run", "--wet-run"),
        ("gridwarden user list|add|burn", "burn"),
        ("TOKEN=$(gridwarden token create --name my-script --role dispatcher)", None),
        ("rules apply gas.toml", None),
        ("rules burn gas.toml", "burn"),
    ],
)
def test_a_wrong_command_is_noticed(text: str, fault: str | None) -> None:
    found = [fault for words in commands(text) for fault in faults(words)]
    assert found == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("`db/migrate.py`", True),
        ("`db/seeds/rules/`", True),
        ("`wire/models/<name>.toml`", True),
        ("`test_documents.py::test_a_wrong_path_is_noticed`", True),
        ("`test_documents.py::test_nobody_wrote`", False),
        ("`db/migrated.py`", False),
        ("`rooms/moved.py`", False),
        ("`bench/results/`", True),
    ],
)
def test_a_wrong_path_is_noticed(text: str, there: bool) -> None:
    assert [exists(name) for name in paths(text.strip("`"))] == [there]


# --- commands -------------------------------------------------------------------------------------


def commands(text: str) -> Iterator[list[str]]:
    """Words behind `gridwarden`, and spans that begin with a group of it."""
    for found in re.finditer(r"(?:^|[\s(/])gridwarden((?: +[^\s#;)]+)+)", text):
        yield found.group(1).split()
    first, _, rest = text.partition(" ")
    context = click.Context(cli)
    if isinstance(cli.get_command(context, first), click.Group) and re.match(r"[a-z]", rest):
        yield text.split()


def faults(words: list[str]) -> Iterator[str]:
    """What of a command line there is not; `add|remove` are alternatives."""
    seen: list[click.Command] = [cli]
    now: list[click.Command] = [cli]
    for word in (word.strip("[],…`") for word in words):
        groups = [command for command in now if isinstance(command, click.Group)]
        if word.startswith("--"):
            for option in word.partition("=")[0].split("/"):
                if not any(option in options_of(command) for command in seen):
                    yield option
        elif groups and re.match(r"[a-z]", word):
            now = []
            for name in word.split("|"):
                found = [group.get_command(click.Context(group), name) for group in groups]
                now += [command for command in found if command is not None]
                if not any(found):
                    yield name
            seen += now


def options_of(command: click.Command) -> set[str]:
    return {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}


def every_command(group: click.Group = cli) -> Iterator[click.Command]:
    yield group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from every_command(command) if isinstance(command, click.Group) else [command]


# --- addresses ------------------------------------------------------------------------------------


def addresses(text: str) -> Iterator[str]:
    """Whole addresses, and what stands behind a method, which is meant below `/api/v1`."""
    for found in re.findall(r"/api/v1/[^\s`'\"?,)]+", text):
        yield found.rstrip(".:/")
    for found in re.findall(r"\b(?:GET|POST|PUT|DELETE) (/[^\s`'\"?,)]+)", text):
        if not found.startswith("/api/v1") and found not in BESIDE_THE_API - {"/events"}:
            yield f"/api/v1{found}"


def same_address(written: str, described: str) -> bool:
    """Gaps of the description may be filled by gaps of another name, or by values."""
    ours, theirs = written.split("/"), described.split("/")
    return len(ours) == len(theirs) and all(
        a == b or (b.startswith("{") and b.endswith("}")) for a, b in zip(ours, theirs, strict=True)
    )


# --- names and remarks ----------------------------------------------------------------------------


@cache
def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def remarks() -> list[tuple[str, str]]:
    """(file, text) of docstrings and comments; of what is no Python all of it."""
    found: list[tuple[str, str]] = []
    for name in sorted(tracked()):
        if name.startswith(("tests/fixtures/", "docs/")):
            continue
        if name.endswith(".py"):
            found.append((name, python_remarks(read(name))))
        elif name.endswith((".sql", ".toml", ".js", ".css", ".yml", ".sh")):
            found.append((name, read(name)))
    return found


def python_remarks(text: str) -> str:
    comments = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    with_docstring = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, with_docstring)
    ]
    return "\n".join(comments + docstrings)


def is_module(name: str) -> bool:
    """Whether the first two words are a module of ours: `db.migrate` in `db.migrate.pending`."""
    first, second, *_ = name.split(".")
    return f"{first}/" in tracked() and (
        f"{first}/{second}/" in tracked() or f"{first}/{second}.py" in tracked()
    )


def is_defined(name: str) -> bool:
    """Whether a module has what stands behind its name."""
    words = name.split(".")
    for length in range(len(words), 0, -1):
        base = "/".join(words[:length])
        files = [file for file in (f"{base}.py", f"{base}/__init__.py") if file in tracked()]
        if files:
            rest = words[length : length + 1]
            return not rest or bool(
                re.search(rf"(?:def|class) {rest[0]}\b|^\s*{rest[0]}\b ?[:=]", read(files[0]), re.M)
            )
    return False
