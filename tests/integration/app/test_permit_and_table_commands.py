"""`gridwarden rules check|test|apply` with odd rules, and `gridwarden permit …`, on a database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alerts.steps import apply_rules, default_rules
from db.pool import Connection
from tests.integration.alerts.engine_city import Engine
from tests.integration.app.conftest import Command


def test_odd_rules_are_named_and_asked_about(
    db: Connection, gridwarden: Command, tmp_path: Path
) -> None:
    apply_rules(db, "system", default_rules(), datetime.now(UTC))
    db.execute("DELETE FROM device_latest")
    db.commit()
    file = tmp_path / "gas-mine.toml"

    def write(*changes: tuple[str, str]) -> str:
        text = default_rules()["gas-lel.toml"].replace('code = "gas-lel"', 'code = "gas-mine"')
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        file.write_text(text, encoding="utf-8")
        return str(file)

    never = write(("clear_limit = 10.0", "clear_limit = 0.0"))
    checked = gridwarden("rules", "check", never)
    assert checked.exit_code == 1
    assert "error: rule gas-mine: clear_limit = 0.0" in checked.output
    refused = gridwarden("rules", "apply", never, "--yes")
    assert refused.exit_code == 1
    assert "clear_limit: ch4_pct_lel lies between 0 and 2000 %LEL" in refused.output
    other = write(("= 20.0", "= 15.0"), ("= 50.0", "= 18.0"))
    asked = gridwarden("rules", "apply", other)
    assert asked.exit_code == 1
    assert "ask: rule gas-mine: level[1].limit = 18.0" in asked.output
    assert "nothing was changed. Say --yes" in asked.output
    assert "gas-mine version 1" in gridwarden("rules", "apply", other, "--yes").output
    assert "unchanged" in gridwarden("rules", "apply", other).output
    nobody = write(('kind = ["gas", "manhole"]', 'kind = "gas"\ngas = "propane"'))
    noted = gridwarden("rules", "check", nobody)
    assert noted.exit_code == 0
    assert "note: rule gas-mine: kind = ['gas']: no device" in noted.output


def test_tables_that_fail_say_what_was_expected_and_what_was_raised(
    gridwarden: Command, tmp_path: Path
) -> None:
    passed = gridwarden("rules", "test")
    assert passed.exit_code == 0
    assert "tests passed" in passed.output
    assert gridwarden("rules", "test", str(tmp_path)).exit_code == 1
    (tmp_path / "tests").mkdir()
    table = tmp_path / "tests" / "open.toml"
    table.write_text(
        """
        rules = ["manhole-open"]
        [[test]]
        name = "opened"
        [[test.device]]
        code = "M-1"
        kind = "manhole"
        readings.cover_open = ["20:00 0", "20:05 1"]
        [[test.alarm]]
        device = "M-1"
        severity = "red"
        rises = "20:05"
        """,
        encoding="utf-8",
    )
    for path in (tmp_path, table):
        failed = gridwarden("rules", "test", str(path))
        assert failed.exit_code == 1
        assert "- expected M-1: red 20:05, still stands" in failed.output
        assert "+ raised   M-1: orange 20:05, still stands (manhole-open)" in failed.output
    (said,) = json.loads(gridwarden("rules", "test", str(table), "--json").output)
    assert (said["test"], said["ok"]) == ("opened", False)
    own = default_rules()["manhole-open.toml"].replace('severity = "orange"', 'severity = "red"')
    (tmp_path / "manhole-open.toml").write_text(own, encoding="utf-8")
    assert gridwarden("rules", "test", str(tmp_path)).exit_code == 0


def test_permits_are_added_listed_ended_and_imported_whole_or_not_at_all(
    db: Connection, gridwarden: Command, tmp_path: Path
) -> None:
    engine = Engine(db, datetime.now(UTC))
    engine.device("CLI-M1", "manhole", at=(109.35, 20.0))
    engine.device("CLI-M2", "manhole", at=(109.36, 20.0))
    db.commit()
    later = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    add = ("permit", "add", "--who", "water works", "--why", "cleaning")
    made = gridwarden(*add, "--until", later, "--code", "P-1", "--device", "CLI-M1")
    assert made.output.startswith("P-1: water works")
    past = gridwarden(*add, "--until", "2020-01-01T00:00:00+08:00", "--device", "CLI-M1")
    assert past.exit_code == 1
    assert "until: is" in past.output
    both = gridwarden(*add, "--until", later, "--device", "CLI-M1", "--street", "x")
    assert "place: must be one of" in both.output
    around = ("--lon", "109.36", "--lat", "20.0", "--radius-m", "20")
    numbered = gridwarden(*add, "--until", later, *around)
    assert numbered.output.startswith("WP-")
    listed = json.loads(gridwarden("permit", "list", "--json").output)
    assert [row["devices"] for row in listed] == [["CLI-M2"], ["CLI-M1"]]
    ended = gridwarden("permit", "end", "P-1", "--why", "done")
    assert "ended by cli: done" in ended.output
    assert "P-1" not in gridwarden("permit", "list").output
    assert "P-1" in gridwarden("permit", "list", "--all").output
    file = tmp_path / "permits.csv"
    head = "code,who,why,from,until,devices,lon,lat,radius_m\n"
    good = f"I-1,a,b,,{later},CLI-M1 CLI-M2,,,\nI-2,a,b,,{later},,109.35,20.0,30\n"
    file.write_text(f"{head}{good}I-3,a,,,{later},CLI-M9,,,\n", encoding="utf-8")
    refused = gridwarden("permit", "import", str(file))
    assert refused.exit_code == 1
    assert "permits.csv: row 4: why" in refused.output
    assert "I-1" not in gridwarden("permit", "list").output
    file.write_text(head + good, encoding="utf-8")
    assert "2 permits stored, 0 known" in gridwarden("permit", "import", str(file)).output
    assert "0 permits stored, 2 known" in gridwarden("permit", "import", str(file)).output
    file.write_text(head.replace("why", "reason"), encoding="utf-8")
    assert "column: is none of" in gridwarden("permit", "import", str(file)).output
