"""The lists of a city folder: checked, put in force, written out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from db.events import list_events
from db.pool import Connection
from tests.integration.app.conftest import Command
from tests.integration.registers.conftest import DISTRICT, LISTS

KIOSKS = """\
code = "kiosks"
name_zh = "报刊亭"
name_en = "Kiosks"
category = "04-06"
states = [{ code = "open", name_zh = "营业", name_en = "Open" }]
fields = [
    { code = "shop", name_zh = "商户", name_en = "Shop", type = "relation", \
register = "shopfronts" },
]
items = [{ code = "clean", name_zh = "整洁", name_en = "Clean", score = 1 }]
"""


def test_what_was_written_out_says_nothing_to_do(
    gridwarden: Command, lists: Path, tmp_path: Path
) -> None:
    (lists / "registers" / "kiosks.toml").write_text(KIOSKS, encoding="utf-8")
    (lists / "registers" / "kiosks.csv").write_text("code,shop\nK-1,S-1\n", encoding="utf-8")
    (lists / "registers" / "shopfronts.csv").write_text(
        LISTS["shopfronts"] + "S-4,新店,,,,,112.5142,30.2041\n", encoding="utf-8"
    )
    said = gridwarden("city", "apply", str(lists)).output
    assert "register kiosks added" in said
    assert "register_entry shopfronts: 1 added" in said
    out = tmp_path / "out"
    assert gridwarden("city", "export", str(out)).exit_code == 0
    assert (out / "registers" / "kiosks.toml").read_text(encoding="utf-8") == KIOSKS
    for code in LISTS:
        assert (out / "registers" / f"{code}.csv").is_file()
    for folder in (lists, out):
        planned = gridwarden("city", "plan", str(folder), "--json")
        assert json.loads(planned.output) == {"changes": []}


def test_a_list_that_changes_is_told_without_what_is_personal(
    gridwarden: Command, town: Connection, lists: Path
) -> None:
    path = lists / "registers" / "shopfronts.csv"
    text = path.read_text(encoding="utf-8").replace("李四", "赵六")
    path.write_text("\n".join(text.splitlines()[:3]) + "\n", encoding="utf-8")
    for other in LISTS:
        if other != "shopfronts":
            (lists / "registers" / f"{other}.csv").unlink()
    planned = json.loads(gridwarden("city", "plan", str(lists), "--json").output)["changes"]
    found = [(c["what"], c["register"], c["how"], c["count"]) for c in planned]
    assert found == [
        ("register_entry", "shopfronts", "changed", 1),
        ("register_entry", "shopfronts", "retired", 1),
    ]
    assert gridwarden("city", "apply", str(lists)).exit_code == 0
    events = [e for e in list_events(town, limit=1_000) if e.kind.startswith("register")]
    changed = [e for e in events if e.kind == "register_entry.changed"]
    assert [(e.payload["entry"], e.payload["fields"]) for e in changed] == [("S-2", ["owner"])]
    assert [e.payload["entry"] for e in events if e.kind == "register_entry.retired"] == ["S-3"]
    log = town.execute(
        "SELECT string_agg(payload::text || coalesce(rows::text, ''), '') FROM event"
    )
    told = log.fetchone()
    assert told is not None
    for secret in ("王小明", "赵六", "13800138000"):
        assert secret not in told[0]
    left = town.execute(
        "SELECT count(*) FROM register_entry WHERE district = %s AND retired_at IS NULL",
        (DISTRICT,),
    ).fetchone()
    assert left == (11,)


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        (
            "shopfronts.csv",
            "S-2,李记药房",
            "S-1,李记药房",
            "registers/shopfronts.csv, row 3, code: is in row 2 already (got 'S-1')",
        ),
        (
            "shopfronts.csv",
            "112.5142,30.2041\nS-2",
            "30.2041,112.5142\nS-2",
            "registers/shopfronts.csv, row 2, lon, lat: are swapped (got '30.2041, 112.514')",
        ),
        (
            "shopfronts.csv",
            "112.5142,30.2041\nS-2",
            "113.5142,30.2041\nS-2",
            "registers/shopfronts.csv, row 2, lon, lat: lie outside the boundary "
            "(got '113.514, 30.2041')",
        ),
        (
            "gas_users.csv",
            "household,E-1",
            "household,E-9",
            "registers/gas_users.csv, row 3, enterprise: is no entry of "
            "registers/gas_enterprises.csv (got 'E-9')",
        ),
        (
            "facilities.csv",
            "code,name",
            "code,title",
            "registers/facilities.csv, row 1, name: is a column that is missing",
        ),
        (
            "muck_trucks.csv",
            "22:00-05:00",
            "night",
            "registers/muck_trucks.csv, row 2, hours: must be like 22:00-05:00 (got 'night')",
        ),
    ],
)
def test_a_fault_is_named_by_file_row_field_and_value(
    gridwarden: Command, lists: Path, file: str, old: str, new: str, fault: str
) -> None:
    path = lists / "registers" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    refused = gridwarden("city", "check", str(lists))
    assert refused.exit_code == 1
    assert fault in refused.output.splitlines()


def test_a_list_without_a_definition_and_a_definition_of_no_category_are_faults(
    gridwarden: Command, lists: Path
) -> None:
    (lists / "registers" / "boats.csv").write_text("code\nA\n", encoding="utf-8")
    text = KIOSKS.replace("04-06", "no-such")
    (lists / "registers" / "kiosks.toml").write_text(text, encoding="utf-8")
    (lists / "registers" / "cafes.toml").write_text(text, encoding="utf-8")
    said = gridwarden("city", "check", str(lists)).output.splitlines()
    assert said == [
        "registers/boats.csv: is no register: there is no registers/boats.toml",
        "registers/cafes.toml, code: must be cafes, as the file is called (got 'kiosks')",
        "registers/kiosks.toml, category: is no category (got 'no-such')",
    ]


def test_who_is_referred_to_may_stand_in_the_database(
    gridwarden: Command, town: Connection, lists: Path
) -> None:
    (lists / "registers" / "gas_enterprises.csv").unlink()
    assert gridwarden("city", "plan", str(lists)).output == "nothing to do\n"
    path = lists / "registers" / "gas_users.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("E-1", "E-7"), encoding="utf-8")
    refused = gridwarden("city", "apply", str(lists))
    assert refused.exit_code == 1
    assert "registers/gas_users.csv, enterprise: is no entry of gas_enterprises (got 'E-7')" in (
        refused.output
    )


def test_a_category_that_a_register_needs_is_not_retired(
    gridwarden: Command, town: Connection, lists: Path
) -> None:
    out = lists.parent / "out"
    assert gridwarden("city", "export", str(out)).exit_code == 0
    text = (out / "categories.csv").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if "muck-route" not in line]
    (lists / "categories.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    for file in (lists / "registers").iterdir():
        file.unlink()
    refused = gridwarden("city", "apply", str(lists))
    assert refused.exit_code == 1
    said = "code: is missing: what fails in the register muck_trucks becomes it (got 'muck-route')"
    assert said in refused.output
