"""`gridwarden rules apply` and `retire` on a real database, with and without a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from alerts.steps import apply_rules, default_rules
from db.pool import Connection
from tests.integration.alerts.engine_city import Engine
from tests.integration.alerts.test_engine_order import drain, ingest
from tests.integration.app.conftest import Command

ROOT = Path(__file__).parents[3]


@pytest.fixture
def gridwarden(gridwarden: Command) -> Command:
    return partial(gridwarden, "rules")


@pytest.fixture
def narrowed(db: Connection, tmp_path: Path) -> str:
    """A rule file that leaves a standing gas alarm without a rule."""
    apply_rules(db, "system", default_rules(), datetime.now(UTC))
    engine = Engine(db, datetime.now(UTC))
    engine.device("CLI-G", "gas")
    ingest(engine, [("CLI-G", "ch4_pct_lel", 62.0, engine.now)])
    drain(engine)
    db.commit()
    file = tmp_path / "gas-lel.toml"
    text = default_rules()["gas-lel.toml"].replace('["gas", "manhole"]', '["manhole"]')
    file.write_text(text, encoding="utf-8")
    return str(file)


def state(db: Connection) -> tuple[str, int]:
    row = db.execute(
        """
        SELECT (SELECT state FROM alarm WHERE condition = 'gas/CLI-G'),
               (SELECT max(version) FROM rule WHERE code = 'gas-lel')
        """
    ).fetchone()
    db.commit()
    assert row is not None
    return row[0], row[1]


def at_a_terminal(answer: str, *arguments: str) -> tuple[int, str]:
    """The command as a person runs it; what it asked and said."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "rules", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env=os.environ.copy(),
    )
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    return child.wait(timeout=60), said.decode()


def test_without_a_terminal_gas_alarms_are_named_and_nothing_is_changed(
    gridwarden: Command, db: Connection, narrowed: str
) -> None:
    refused = gridwarden("apply", narrowed)
    assert refused.exit_code == 1
    assert "ends: gas alarm gas/CLI-G (red, since " in refused.output
    assert "gas-lel: the rule is not about this device any more" in refused.output
    assert "1 gas alarm would end although no sensor has cleared it; nothing was" in refused.output
    assert "--yes" in refused.output
    assert state(db) == ("unacknowledged", 1)


def test_a_script_says_yes(gridwarden: Command, db: Connection, narrowed: str) -> None:
    done = gridwarden("apply", narrowed, "--yes")
    assert (done.exit_code, "gas-lel version 2" in done.output) == (0, True)
    assert state(db) == ("normal", 2)
    again = gridwarden("apply", narrowed)
    assert again.output == "unchanged: this text is already in force\n"


@pytest.mark.parametrize(
    ("answer", "code", "after"), [("n", 1, ("unacknowledged", 1)), ("y", 0, ("normal", 2))]
)
def test_a_person_is_asked(
    gridwarden: Command,
    db: Connection,
    narrowed: str,
    answer: str,
    code: int,
    after: tuple[str, int],
) -> None:
    left, said = at_a_terminal(answer, "apply", narrowed)
    assert "gas alarm gas/CLI-G" in said
    assert "Go on? [y/N]" in said
    assert (left, state(db)) == (code, after)


def test_a_rule_is_retired_by_name(gridwarden: Command, db: Connection, narrowed: str) -> None:
    assert gridwarden("retire", "gas-lel").exit_code == 1
    assert state(db)[0] == "unacknowledged"
    done = gridwarden("retire", "gas-lel", "--yes")
    assert done.output.endswith("gas-lel is no longer in force\n")
    assert state(db)[0] == "normal"
    unknown = gridwarden("retire", "no-such-rule")
    assert (unknown.exit_code, "no rule in force 'no-such-rule'" in unknown.output) == (1, True)


def test_a_rule_file_of_before_is_checked_and_applied_with_a_warning_that_names_what_it_lacks(
    gridwarden: Command, db: Connection, tmp_path: Path
) -> None:
    whole = default_rules()["manhole-open.toml"]
    file = tmp_path / "manhole-open.toml"
    file.write_text(whole[: whole.index("[help]")], encoding="utf-8")
    for verb in ("check", "apply"):
        said = gridwarden(verb, str(file))
        assert said.exit_code == 0, said.output
        assert "warning" in said.output
        for name in ("help.cause_zh", "help.consequence_en", "help.action_en", "help.minutes"):
            assert name in said.output, verb
    file.write_text(whole.replace('cause_en = "', 'reason = "'), encoding="utf-8")
    refused = gridwarden("check", str(file))
    assert refused.exit_code == 1
    assert "help.cause_en" in refused.output
    file.write_text(whole, encoding="utf-8")
    assert "warning" not in gridwarden("apply", str(file)).output
    row = db.execute(
        "SELECT definition -> 'help' ->> 'minutes' FROM rule WHERE code = 'manhole-open' "
        "ORDER BY version DESC LIMIT 1"
    ).fetchone()
    assert row == ("15",)
