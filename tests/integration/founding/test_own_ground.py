"""A city with four levels and duty grids of its own, in the database and out of it again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.city_commands import shipped
from city.incident import Role
from city.person import Caller
from city.place import LonLat
from city.requests import ReportRequest
from db import places
from db.pool import Connection, connect
from dispatch import steps as dispatch
from dispatch.steps.viewing import rank_squads
from founding import settings
from founding.settings import Edit
from tests.integration.app.conftest import Command
from tests.integration.founding.test_city_commands import (
    DISTRICT,
    change,
    done,
    everything,
    refused,
    register_device,
)

BLOCK, OTHER_BLOCK = "99120100100101", "99120100100102"
IN_BLOCK, IN_OTHER = LonLat(112.5126, 30.2021), LonLat(112.5176, 30.2021)


@pytest.fixture
def folder(folder: Path, deep_files: dict[str, bytes]) -> Path:
    for name, content in deep_files.items():
        (folder / name).write_bytes(content)
    return folder


def nothing_to_do(gridwarden: Command, folder: Path) -> bool:
    said = done(gridwarden("city", "plan", str(folder), "--json"))
    return bool(json.loads(said) == {"changes": []})


def test_four_levels_are_written_out_and_founded_elsewhere(
    gridwarden: Command,
    another_one: str,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    tmp_path: Path,
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    assert nothing_to_do(gridwarden, folder)
    out = tmp_path / "out"
    done(gridwarden("city", "export", str(out)))
    assert nothing_to_do(gridwarden, out)
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", another_one)
    assert f"division {BLOCK} added" in done(gridwarden("city", "apply", str(out)))
    assert nothing_to_do(gridwarden, out)
    third = tmp_path / "third"
    done(gridwarden("city", "export", str(third)))
    ours = {path.name: path.read_bytes() for path in out.rglob("*.*") if path.is_file()}
    theirs = {path.name: path.read_bytes() for path in third.rglob("*.*") if path.is_file()}
    assert theirs == ours
    assert "duty-grids.csv" in ours


@pytest.mark.parametrize(
    ("at", "grid", "first"), [(IN_BLOCK, "E-1", "XZ-02"), (IN_OTHER, "E-2", "XZ-01")]
)
def test_a_case_goes_to_the_squad_of_its_duty_grid(
    gridwarden: Command, new_installation: str, folder: Path, at: LonLat, grid: str, first: str
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    now = datetime(2027, 1, 6, 2, 0, tzinfo=UTC)
    with connect(new_installation) as conn:
        assert places.place_at(conn, DISTRICT, at).duty_grid == grid
        who = Caller("chen", Role.DISPATCHER, DISTRICT, None)
        case = dispatch.report(conn, who, ReportRequest("0101", at.lon, at.lat, "gone"), now)
        ranked = rank_squads(conn, case, now)
    assert ranked[0].squad == first
    assert [r.squad for r in ranked if r.owns_grid and r.has_skill] == [first]


def test_duty_grids_are_drawn_anew_beneath_devices(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    register_device(bare, IN_BLOCK)
    cell = places.place_at(bare, DISTRICT, IN_BLOCK).unit_grid
    change(folder, "duty-grids.csv", f"E-1,东一网格,{BLOCK}", f"E-3,新网格,{OTHER_BLOCK}")
    change(folder, "duty-grids.csv", f"{OTHER_BLOCK};991201001002", f"{BLOCK};991201001002")
    change(folder, "squads.csv", f",{BLOCK},", ",E-3,")
    said = done(gridwarden("city", "apply", str(folder)))
    assert said.splitlines() == [
        "duty_grid: 1 added",
        "duty_grid: 1 changed",
        "duty_grid: 1 retired",
        "squad XZ-02 changed (grids)",
        "squad XZ-GAS changed (grids)",
    ]
    assert places.place_at(bare, DISTRICT, IN_BLOCK).duty_grid == "E-2"
    assert places.place_at(bare, DISTRICT, IN_OTHER).duty_grid == "E-3"
    assert places.place_at(bare, DISTRICT, IN_BLOCK).unit_grid == cell
    assert nothing_to_do(gridwarden, folder)


def test_levels_and_duty_grids_of_its_own_come_and_go_beneath_devices(
    gridwarden: Command, bare: Connection, folder: Path, files: dict[str, bytes]
) -> None:
    deep = {name: (folder / name).read_bytes() for name in ("city.toml", "divisions.csv")}
    own, squads_file = (folder / "duty-grids.csv").read_bytes(), (folder / "squads.csv")
    (folder / "duty-grids.csv").unlink()
    change(folder, "squads.csv", "991201002;E-2", "991201002")
    change(folder, "squads.csv", f",{BLOCK},", ",991201001,")
    change(folder, "city.toml", ', "block"', "")
    lines = (folder / "divisions.csv").read_text(encoding="utf-8").splitlines()
    (folder / "divisions.csv").write_text("\n".join(lines[:-2]), encoding="utf-8")
    flat_squads = squads_file.read_bytes()
    done(gridwarden("city", "apply", str(folder)))
    register_device(bare, IN_BLOCK)
    flat = {name: (folder / name).read_bytes() for name in deep}

    for name, content in deep.items():
        (folder / name).write_bytes(content)
    (folder / "duty-grids.csv").write_bytes(own)
    change(folder, "squads.csv", ",991201001,", f",{BLOCK},")
    said = done(gridwarden("city", "apply", str(folder)))
    assert f"division {BLOCK} added" in said
    assert "district 991201 changed (levels)" in said
    assert places.place_at(bare, DISTRICT, IN_BLOCK).duty_grid == "E-1"
    assert nothing_to_do(gridwarden, folder)

    for name, content in flat.items():
        (folder / name).write_bytes(content)
    (folder / "duty-grids.csv").unlink()
    squads_file.write_bytes(flat_squads)
    said = done(gridwarden("city", "apply", str(folder)))
    assert f"division {BLOCK} retired" in said
    assert "duty_grid: 4 added" in said
    assert places.place_at(bare, DISTRICT, IN_BLOCK).duty_grid == "DG991201001001"
    assert nothing_to_do(gridwarden, folder)


def test_a_duty_grid_that_the_installation_lacks_is_made_for_a_squad(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    """The demonstration has duty grids only where its unit grid lies."""
    for name in ("grid.toml", "duty-grids.csv"):
        (folder / name).unlink()
    change(folder, "squads.csv", "991201002;E-2", "991201002001")
    change(folder, "squads.csv", f",{BLOCK},", ",991201001,")
    gas = (folder / "squads.csv").read_text(encoding="utf-8").splitlines()[-1]
    change(folder, "squads.csv", gas, "")
    change(folder, "people.csv", "wu,squad_leader,XZ-GAS", "wu,squad_leader,XZ-01")
    done(gridwarden("city", "apply", str(folder)))
    bare.execute("DELETE FROM duty_grid WHERE code = 'DG991201002002'")
    assert nothing_to_do(gridwarden, folder)
    change(folder, "squads.csv", "991201002001", "991201002")
    assert done(gridwarden("city", "apply", str(folder))) == "squad XZ-01 changed (grids)\n"


def test_a_duty_grid_of_another_district_is_not_taken(
    gridwarden: Command, bare: Connection, folder: Path
) -> None:
    bare.execute(
        "INSERT INTO district (code, name_zh, name_en, outline) VALUES ('991202', 'a', 'b', '{}')"
    )
    bare.execute("INSERT INTO duty_grid (code, district, name) VALUES ('W', '991202', 'theirs')")
    before = everything(bare)
    said = refused(gridwarden("city", "apply", str(folder)))
    assert "duty-grids.csv, code: is a duty grid of district 991202 (got 'W')" in said
    assert everything(bare) == before


def test_tables_of_the_settings_know_levels_and_duty_grids(
    gridwarden: Command, new_installation: str, folder: Path
) -> None:
    done(gridwarden("city", "apply", str(folder)))
    with connect(new_installation) as conn:
        sheet = settings.show(conn, DISTRICT, "divisions")
        (level,) = (column for column in sheet.columns if column.name == "level")
        assert tuple(level.choices) == ("district", "street", "community", "block")
        gone = settings.plan(
            conn, DISTRICT, "lin.admin", "divisions", Edit(remove=BLOCK), shipped(), None
        )
        assert [f.problem for f in gone.faults if f.value == BLOCK]
        shown = settings.show(conn, DISTRICT, "squads").rows
        rows = {row.values["code"]: row.values for row in shown}
        assert rows["XZ-01"]["grids"] == "E-2;W"
        put = {**rows["XZ-01"], "grids": "W"}
        made = settings.plan(
            conn, DISTRICT, "lin.admin", "squads", Edit(put=put, key="XZ-01"), shipped(), None
        )
        assert ([c.code for c in made.changes], made.faults) == (["XZ-01"], [])
