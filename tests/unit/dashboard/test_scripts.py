"""The scripts of the screens decide rightly, as far as that needs no browser."""

from __future__ import annotations

import subprocess
from pathlib import Path

from stack.node import node

ROOT = Path(__file__).resolve().parents[3]


def test_the_parts_of_the_scripts_that_decide() -> None:
    """Runs `tests/javascript` with Node's own runner; its output is the message of a failure."""
    tests = sorted(map(str, (ROOT / "tests" / "javascript").glob("*.test.mjs")))
    assert tests
    done = subprocess.run(
        [node(), "--test", *tests], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
