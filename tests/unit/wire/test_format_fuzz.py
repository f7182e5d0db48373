"""What the fuzzer found stays mended, and the fuzzer itself still works."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from city.reading import Decoded, MessageClass
from tests.fuzz.attack import Findings, attack, join, split
from tests.fuzz.seeds import seeds
from wire import FORMATS
from wire.format import Format

ROOT = Path(__file__).parents[3]
FUZZER = ROOT / "tests" / "fuzz" / "fuzz_formats.py"
FOUND = sorted((ROOT / "tests" / "fixtures" / "fuzz").iterdir())
# A busy machine tries some hundreds of inputs a second, an idle one thousands.
EXECUTIONS = 2_000


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_was_found_stays_mended(path: Path) -> None:
    name, topic, body = split(path.read_bytes())
    assert name in FORMATS
    attack(name, topic, body)


def test_every_seed_of_the_fuzzer_is_answered() -> None:
    for name in FORMATS:
        for topic, body in seeds(name):
            attack(name, topic, body)


@pytest.mark.parametrize(
    "fault", [KeyError("after"), RecursionError(), AttributeError("get"), UnicodeError("x")]
)
def test_a_fault_is_kept_once_with_the_shortest_input(
    fault: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(topic: str, payload: bytes, received_at: datetime) -> Decoded:
        if b"x" in payload:
            raise fault
        return Decoded("native", MessageClass.OTHER)

    planted = Format("native", (), lambda _: False, lambda _: False, broken)
    monkeypatch.setitem(FORMATS, "native", planted)
    findings = Findings(tmp_path)
    for body in (b"aaxaa", b"good", b"x", b"axa"):
        findings.run(join("native", "city/v1/a", body))

    (kept,) = tmp_path.iterdir()
    assert kept.name.startswith(f"native-{type(fault).__name__}-test_format_fuzz-")
    assert split(kept.read_bytes()) == ("native", "city/v1/a", b"x")


def test_an_answer_that_is_no_json_or_too_much_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = {
        b"1": {"a": float("nan")},
        b"2": {"a": "\ud800"},
        b"3": {"a": ["\0"]},
        b"4": {"a": "a" * 100_000},
        b"5": {"a": object()},
    }

    def unsound(topic: str, payload: bytes, received_at: datetime) -> Decoded:
        return Decoded("native", MessageClass.OTHER, link=links[payload])

    planted = Format("native", (), lambda _: False, lambda _: False, unsound)
    monkeypatch.setitem(FORMATS, "native", planted)
    for body in links:
        findings = Findings(tmp_path)
        findings.run(join("native", "t", body))
        assert len(findings.kinds) == 1, links[body]


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed: it needs CPython on x86-64",
)
def test_the_fuzzer_searches_all_formats_and_finds_nothing(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, FUZZER, "--seconds", "10", "--findings", tmp_path / "findings"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2000:]
    count = re.search(r"(\d+) executions, 0 findings", ended.stdout)
    assert count is not None
    assert int(count[1]) > EXECUTIONS
