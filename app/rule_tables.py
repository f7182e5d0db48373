"""Folders of rules with the tables beside them: `rules/*.toml` and `rules/tests/*.toml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from alerts.rule_files import parse_rule
from alerts.rule_tables import Outcome, parse_tables, run_table
from alerts.rules import Rule
from city.errors import InvalidInput
from db.rules import DEFAULTS, default_texts

TESTS = "tests"


def shipped_rules() -> dict[str, Rule]:
    """The rules that come with the product, by code."""
    return {rule.code: rule for rule in map(parse_rule, default_texts().values())}


def run_shipped() -> list[Outcome]:
    """The tables that come with the product."""
    return run_folder(DEFAULTS)


def run_path(path: Path) -> list[Outcome]:
    """The tables of a folder of rules, or one file of them with the rules of the folder above."""
    if path.is_dir():
        return run_folder(path)
    return _run({path.name: _read(path)}, known_rules(path.parent.parent))


def run_folder(folder: Path) -> list[Outcome]:
    """The tables in `tests` of a folder of rules; the shipped rules hold beside its own."""
    files = sorted((folder / TESTS).glob("*.toml"))
    return _run({f"{TESTS}/{file.name}": _read(file) for file in files}, known_rules(folder))


def run_texts(tables: Mapping[str, str], rules: Mapping[str, str]) -> list[Outcome]:
    """Tables and rules by the name of their file."""
    own = [parse_rule(text, file) for file, text in rules.items()]
    return _run(tables, {**shipped_rules(), **{rule.code: rule for rule in own}})


def known_rules(folder: Path) -> dict[str, Rule]:
    """Shipped rules, and in their place those of a folder."""
    own = [parse_rule(_read(file), file.name) for file in sorted(folder.glob("*.toml"))]
    return {**shipped_rules(), **{rule.code: rule for rule in own}}


def _run(tables: Mapping[str, str], known: Mapping[str, Rule]) -> list[Outcome]:
    found: list[Outcome] = []
    for file, text in tables.items():
        found += [run_table(table, known) for table in parse_tables(text, file, known)]
    return found


def summary(outcomes: Sequence[Outcome]) -> str:
    failed = sum(not outcome.ok for outcome in outcomes)
    return f"{len(outcomes)} tests, {failed} failed" if failed else f"{len(outcomes)} tests passed"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("file", str(file), f"is not UTF-8 text: {error.reason}") from error
