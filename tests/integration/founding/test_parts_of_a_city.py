"""Bounds of people, lighting programmes, gas pipes and outlines of divisions: from the folder, on
the settings page, and written out again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.city_commands import put_rules, shipped
from city.settings import SheetPlan
from db import grids, lamp_programmes, pipes, users
from db.pool import Connection
from db.users import draw_password
from founding import settings
from founding.settings import Edit
from lighting import steps
from tests.integration.app.conftest import Command
from tests.unit.founding.test_field_files import pipes as pipes_file
from tests.unit.founding.test_field_files import section

DISTRICT = "991201"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
EVENING = """# lit until midnight
name_en = "Evening"
name_zh = "夜间"
code = "evening"

[[step]]
at = "sunset-10"
level = 100

[[step]]
at = "00:00"
level = 0
"""


def planned(conn: Connection, part: str, edit: Edit) -> SheetPlan:
    sheet = settings.show(conn, DISTRICT, part)
    return settings.plan(conn, DISTRICT, "zhao", part, edit, shipped(), (sheet.digest, sheet.seq))


def put(conn: Connection, made: SheetPlan) -> None:
    assert not made.faults, made.faults
    with conn.transaction():
        settings.apply(
            conn,
            DISTRICT,
            "zhao",
            made.name,
            made.content.encode(),
            (made.digest, made.seq),
            "a survey",
            NOW,
            shipped=shipped(),
            put_rules=put_rules,
            new_password=draw_password,
        )


def nothing_to_do(gridwarden: Command, out: Path) -> None:
    """An export says the same as the installation."""
    assert gridwarden("city", "export", str(out)).exit_code == 0
    told = gridwarden("city", "plan", str(out), "--json")
    assert json.loads(told.output) == {"changes": []}, told.output


def test_lighting_programmes_come_with_the_folder_and_are_written_out(
    gridwarden: Command, folder: Path, bare: Connection, tmp_path: Path
) -> None:
    (folder / "lighting").mkdir()
    file = folder / "lighting/evening.toml"
    file.write_text(EVENING.replace("sunset-10", "dusk"))
    refused = gridwarden("city", "check", str(folder))
    assert refused.exit_code == 1
    assert "lighting/evening.toml, step 1: at: must be HH:MM" in refused.output
    assert "'dusk'" in refused.output
    file.write_text(EVENING)
    (folder / "lighting/other.toml").write_text(EVENING)
    assert "evening.toml already" in gridwarden("city", "check", str(folder)).output
    (folder / "lighting/other.toml").unlink()
    assert "1 lighting programmes" in gridwarden("city", "check", str(folder)).output
    assert "lamp_programme evening added" in gridwarden("city", "plan", str(folder)).output
    assert gridwarden("city", "apply", str(folder)).exit_code == 0
    (row,) = lamp_programmes.list_programmes(bare, DISTRICT)
    assert (row.code, row.version, row.actor) == ("evening", 1, "cli")
    told = bare.execute("SELECT kind FROM event WHERE subject = 'lamp_programme:evening'")
    assert told.fetchall() == [("lamp_programme.saved",)]
    nothing_to_do(gridwarden, tmp_path / "out")
    again = gridwarden("city", "apply", str(folder))
    assert "nothing to do" in again.output
    file.write_text(EVENING.replace("level = 100", "level = 80"))
    assert (
        "lamp_programme evening changed (text)" in gridwarden("city", "apply", str(folder)).output
    )
    (row,) = lamp_programmes.list_programmes(bare, DISTRICT)
    assert row.version == 2
    lamps_of_programmes(gridwarden, folder, bare, tmp_path)
    # As with rules, what is not in the folder stays.
    file.unlink()
    (folder / "lighting.csv").unlink()
    assert "nothing to do" in gridwarden("city", "apply", str(folder)).output


def lamps_of_programmes(
    gridwarden: Command, folder: Path, bare: Connection, tmp_path: Path
) -> None:
    """Which lamps follow which programme, before there are any."""
    table = folder / "lighting.csv"
    head = "target,code,programme\n"
    table.write_text(f"{head}street,99,evening\nlamp,,late\ndistrict,x,evening\nlamp,L,evening\n"
                     "lamp,L,evening\n")  # fmt: skip
    refused = gridwarden("city", "check", str(folder)).output
    for fault in (
        "row 2, code: is no street of the city",
        "row 3, code: is missing",
        "row 4, code: is empty where the whole district is meant",
        "row 6, code: lamp L is in row 5 already",
    ):
        assert fault in refused, refused
    table.write_text(f"{head}street,991201001,late\n")
    assert "is no programme of lighting/" in gridwarden("city", "check", str(folder)).output
    table.write_text(f"{head}district,,evening\nstreet,991201001,evening\ncabinet,K-1,evening\n")
    applied = gridwarden("city", "apply", str(folder))
    assert "lamp_assignment cabinet K-1 added" in applied.output, applied.output
    nothing_to_do(gridwarden, tmp_path / "lamps")
    followed = lamp_programmes.list_assignments(bare, DISTRICT)
    assert [(f.target_kind, f.target, f.step_at) for f in followed] == [
        ("district", "", None), ("street", "991201001", None), ("cabinet", "K-1", None),
    ]  # fmt: skip
    bare.execute(
        """
        INSERT INTO device (code, district, kind, format, name, lon, lat, attributes, created_at)
        VALUES ('L-7', %s, 'light', 'native', 'L-7', 112.51, 30.2, '{"cabinet": "K-1"}', now())
        """,
        (DISTRICT,),
    )
    assert steps.tick_new_lamps(bare, datetime.now(UTC)) == 3
    dated = {f.target_kind: f.step_at for f in lamp_programmes.list_assignments(bare, DISTRICT)}
    assert dated["cabinet"] is not None
    assert dated["district"] is not None
    assert dated["street"] is None
    table.write_text(f"{head}cabinet,K-1,evening\n")
    applied = gridwarden("city", "apply", str(folder))
    assert "lamp_assignment district retired" in applied.output, applied.output
    kept = lamp_programmes.list_assignments(bare, DISTRICT)
    assert [(f.target_kind, f.target) for f in kept] == [("cabinet", "K-1")]


def test_people_of_streets_come_with_the_folder(
    gridwarden: Command, folder: Path, bare: Connection, tmp_path: Path
) -> None:
    street, community = "991201002", "991201002002"
    people = folder / "people.csv"
    head, *rows = people.read_text("utf-8-sig").splitlines()
    assert "divisions" not in head
    name, role = next(r.split(",")[:2] for r in rows if ",dispatcher" in r)
    assert role == "dispatcher"

    def write(divisions: str) -> None:
        lines = [f"{r},{divisions if r.startswith(f'{name},') else ''}" for r in rows]
        people.write_text("\n".join([f"{head},divisions", *lines]))

    write("991201;12")
    refused = gridwarden("city", "check", str(folder)).output
    for code in ("991201", "12"):
        said = f"is no division of divisions.csv below the district (got '{code}')"
        assert said in refused
    write(f"{street};{community}")
    assert gridwarden("city", "apply", str(folder)).exit_code == 0
    user = users.find_user(bare, name)
    assert user is not None
    assert list(user.divisions) == [street, community]
    within = users.caller_of(bare, user).within
    assert within is not None
    assert {street, community} < within.codes
    nothing_to_do(gridwarden, tmp_path / "out")
    # A folder without the column opens nothing.
    people.write_text("\n".join([head, *rows]))
    assert "nothing to do" in gridwarden("city", "apply", str(folder)).output
    sheet = settings.show(bare, DISTRICT, "people")
    row = next(r.values for r in sheet.rows if r.values["name"] == name)
    assert row["divisions"] == f"{street};{community}"
    made = planned(bare, "people", Edit(put={**row, "divisions": street}, key=name))
    put(bare, made)
    (item, *_) = settings.history(bare, DISTRICT, "people", name)
    assert [(f.name, f.before, f.after) for f in item.fields] == [
        ("divisions", f"{street},{community}", street)
    ]
    assert gridwarden("user", "role", name, "dispatcher", "--whole-district").exit_code == 0
    assert f"{street}" not in gridwarden("user", "list").output
    bounded = gridwarden("user", "role", name, "leader", "--division", community)
    assert bounded.exit_code == 0, bounded.output
    assert f"in {community} alone" in gridwarden("user", "list").output
    refused = gridwarden("user", "role", name, "admin", "--division", community)
    assert "answers for the whole district" in refused.output


def test_pipes_and_outlines_are_parts_of_the_settings(
    gridwarden: Command, folder: Path, bare: Connection, tmp_path: Path
) -> None:
    assert gridwarden("city", "apply", str(folder)).exit_code == 0
    two = pipes_file(section(), section(code="P-2", pressure="低压", year=1999))
    faulty = planned(bare, "pipes", Edit(content=pipes_file(section(pressure="huge")))).faults
    assert [(f.file, f.field, f.value) for f in faulty] == [("pipes.geojson", "pressure", "huge")]
    made = planned(bare, "pipes", Edit(content=two))
    assert [(c.what, c.how, c.count) for c in made.changes] == [("pipe", "added", 2)]
    put(bare, made)
    sheet = settings.show(bare, DISTRICT, "pipes")
    assert [row.values["pressure"] for row in sheet.rows] == ["medium", "low"]
    table = settings.write_file(bare, DISTRICT, "pipes", "csv")
    assert not planned(bare, "pipes", Edit(content=table)).changes
    kept = settings.write_file(bare, DISTRICT, "pipes", "geojson")
    assert not planned(bare, "pipes", Edit(content=kept)).changes
    row = {**sheet.rows[1].values, "material": "PE"}
    put(bare, planned(bare, "pipes", Edit(put=row, key="P-2")))
    put(bare, planned(bare, "pipes", Edit(remove="P-1")))
    assert [(p.code, p.material) for p in pipes.list_pipes(bare, DISTRICT)] == [("P-2", "PE")]
    last, first = (settings.history(bare, DISTRICT, "pipes", "")[n] for n in (0, -1))
    assert [(f.name, f.after) for f in (*first.fields, *last.fields)] == [
        ("added", "2"),
        ("retired", "1"),
    ]
    assert (last.actor, last.why) == ("zhao", "a survey")

    drawn = outlines_of(bare)
    made = planned(bare, "division-outlines", Edit(content=drawn))
    assert {(c.what, c.how) for c in made.changes} == {("division_outline", "added")}
    put(bare, made)
    assert list(grids.list_outlines(bare, DISTRICT)) == ["991201002002"]
    strange = drawn.replace(b"991201002002", b"991201002777")
    (fault,) = planned(bare, "division-outlines", Edit(content=strange)).faults
    assert (fault.file, fault.value) == ("divisions.geojson", "991201002777")
    assert settings.history(bare, DISTRICT, "division-outlines", "")[0].fields[0].after == "1"
    nothing_to_do(gridwarden, tmp_path / "out")
    assert (tmp_path / "out/divisions.geojson").exists()
    put(bare, planned(bare, "division-outlines", Edit(remove="991201002002")))
    assert grids.list_outlines(bare, DISTRICT) == {}


def outlines_of(conn: Connection) -> bytes:
    """The ground of a community's cells as its outline."""
    row = conn.execute(
        "SELECT min(west), min(south), max(east), max(north) FROM unit_grid"
        " WHERE community = '991201002002'"
    ).fetchone()
    assert row is not None
    w, s, e, n = row
    ring = [[w, s], [e, s], [e, n], [w, n], [w, s]]
    feature = {
        "type": "Feature",
        "properties": {"code": "991201002002"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    return json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()


@pytest.mark.parametrize("verb", ["check", "plan", "apply"])
def test_a_rule_without_help_is_a_warning(gridwarden: Command, folder: Path, verb: str) -> None:
    file = sorted((folder / "rules").glob("*.toml"))[0]
    text, _, _ = file.read_text().partition("[help]")
    file.write_text(text)
    done = gridwarden("city", verb, str(folder))
    assert done.exit_code == 0, done.output
    assert f"warning: rules/{file.name}: rule {file.stem} has no help text" in done.output
