"""The tables of the city over HTTP: shown, planned, put in force, refused, told afterwards."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from openpyxl import Workbook, load_workbook

from city.incident import Role
from dashboard.api.openapi import OPERATIONS
from db.districts import lock_districts, save_setting
from db.pool import connect
from db.users import PEOPLE, add_user
from tests.integration.dashboard.conftest import DISTRICT
from tests.integration.ingest.workers import wait_until

API = "/api/v1/settings"
# Somebody stands before the lock of the districts.
WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
    WHERE relname = 'district' AND NOT granted
    """
WHY = "the squad has another telephone"


@pytest.fixture
def admin(site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


def get(client: httpx.Client, part: str, rest: str = "") -> Any:
    answer = client.get(f"{API}/{part}{rest}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def plan(client: httpx.Client, sheet: dict[str, Any], **edit: Any) -> httpx.Response:
    seen = {"digest": sheet["digest"], "seq": sheet["seq"]}
    return client.post(f"{API}/{sheet['name']}/plan", json=seen | edit)


def planned(client: httpx.Client, sheet: dict[str, Any], **edit: Any) -> dict[str, Any]:
    answer = plan(client, sheet, **edit)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def upload(client: httpx.Client, part: str, content: bytes) -> dict[str, Any]:
    answer = client.post(f"{API}/{part}/upload", files={"file": ("table", content)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def apply(client: httpx.Client, made: dict[str, Any], why: str = WHY) -> httpx.Response:
    body = {name: made[name] for name in ("content", "digest", "seq")}
    return client.post(f"{API}/{made['name']}/apply", json=body | {"why": why})


def with_values(sheet: dict[str, Any], number: int = 0, **values: str) -> dict[str, Any]:
    row = sheet["rows"][number]["values"]
    return {"key": row[sheet["key"]], "put": {**row, **values}}


def test_every_part_can_be_read_and_a_file_that_comes_back_changes_nothing(admin) -> None:
    parts = admin.get(API).json()["items"]
    assert {"people", "squads", "categories", "limits", "divisions", "rules"} <= {
        part["name"] for part in parts
    }
    for part in parts:
        sheet = get(admin, part["name"])
        assert all(
            set(row["values"]) == {c["name"] for c in sheet["columns"]} for row in sheet["rows"]
        )
        if not part["editable"]:
            continue
        for kind in ("csv", "xlsx"):
            file = admin.get(f"{API}/{part['name']}/file", params={"format": kind})
            made = upload(admin, part["name"], file.content)
            assert made["faults"] == made["obstacles"] == [], made["faults"][:3]
            assert made["changes"] == [] or part["missing"], made["changes"]
            assert made["rows"] == sheet["rows"]


def test_a_changed_row_is_planned_put_in_force_and_told(admin, site) -> None:
    sheet = get(admin, "squads")
    code, old = (sheet["rows"][0]["values"][name] for name in ("code", "phone"))
    made = planned(admin, sheet, **with_values(sheet, phone="0898-7654321"))
    assert [(c["what"], c["code"], c["how"], c["fields"]) for c in made["changes"]] == [
        ("squad", code, "changed", ["phone"])
    ]
    assert get(admin, "squads")["digest"] == sheet["digest"]  # nothing is written yet

    assert apply(admin, made, "   ").json()["field"] == "why"
    done = apply(admin, made).json()
    assert done["sheet"]["rows"][0]["values"]["phone"] == "0898-7654321"
    assert site.sql("SELECT phone FROM squad WHERE code = %s", (code,)) == [("0898-7654321",)]

    told = get(admin, "squads", f"/history?code={code}")["items"][0]
    assert (told["why"], told["code"], told["actor"]) == (WHY, code, "token:admin")
    assert told["fields"] == [{"name": "phone", "before": old, "after": "0898-7654321"}]


def test_a_stale_change_is_refused_with_what_was_changed_meanwhile(admin) -> None:
    sheet = get(admin, "squads")
    code = sheet["rows"][1]["values"]["code"]
    mine = planned(admin, sheet, **with_values(sheet, 0, phone="1"))
    theirs = planned(admin, sheet, **with_values(sheet, 1, phone="2"))
    assert apply(admin, theirs).status_code == 200
    for refused in (apply(admin, mine), plan(admin, sheet, **with_values(sheet, 0, phone="1"))):
        assert refused.status_code == 409
        (meanwhile,) = refused.json()["current"]["changed"]
        assert (meanwhile["code"], meanwhile["fields"][0]["after"]) == (code, "2")
    assert get(admin, "squads")["rows"][0]["values"]["phone"] != "1"


def test_faults_of_a_file_name_their_row_and_nothing_can_be_put_in_force(admin) -> None:
    before = get(admin, "squads")["digest"]
    rows = list(csv.reader(admin.get(f"{API}/squads/file").text.splitlines()))
    rows[2][rows[0].index("shifts")] = "8-9 08:00-12:00"
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    made = upload(admin, "squads", out.getvalue().encode())
    assert [(f["file"], f["row"], f["field"]) for f in made["faults"]] == [
        ("squads.csv", 3, "shifts")
    ]
    assert made["changes"] == []
    refused = apply(admin, made)
    assert refused.status_code == 422
    assert "row 3" in refused.json()["problem"]
    assert get(admin, "squads")["digest"] == before
    for broken in (b"\xff\xff", b"", b"PK\x03\x04 no archive", b"code,surname\n1,2\n"):
        answer = admin.post(f"{API}/squads/upload", files={"file": ("x", broken)})
        assert answer.status_code == 422 or answer.json()["faults"], answer.text


def test_a_workbook_as_a_spreadsheet_saves_it_is_read(admin) -> None:
    book = load_workbook(io.BytesIO(admin.get(f"{API}/squads/file?format=xlsx").content))
    sheet = book.active
    header = [cell.value for cell in sheet[1]]
    sheet.cell(2, header.index("lon") + 1).value = 110.0
    sheet.cell(2, header.index("phone") + 1).value = 8985551
    out = io.BytesIO()
    book.save(out)
    made = upload(admin, "squads", out.getvalue())
    assert made["faults"] == [], made["faults"]
    assert made["rows"][0]["values"]["phone"] == "8985551"
    assert made["rows"][0]["values"]["lon"] == "110"
    other = Workbook()
    other.active.append(["code", "surname"])
    stream = io.BytesIO()
    other.save(stream)
    assert {f["field"] for f in upload(admin, "squads", stream.getvalue())["faults"]} >= {"surname"}


def test_another_limit_says_what_it_does_to_open_cases(admin, site) -> None:
    place = {"lon": 110.35, "lat": 20.0}
    for _ in range(2):
        report = {"category": "01-01", "description": "a cover is missing", **place}
        answer = admin.post("/api/v1/incidents", json=report)
        assert answer.status_code == 201, answer.text
    running = dict(
        site.sql(
            """SELECT clock, count(DISTINCT incident_id) FROM deadline d
           JOIN incident i ON i.id = incident_id WHERE met_at IS NULL AND stopped_at IS NULL
             AND state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
             AND clock <> 'handle' GROUP BY clock"""
        )
    )
    (((open_now,),)) = site.sql(
        """SELECT count(*) FROM incident
           WHERE state NOT IN ('closed', 'rejected', 'cancelled', 'merged')"""
    )
    clock = max(running, key=running.__getitem__)
    sheet = get(admin, "limits")
    number = [row["values"]["clock"] for row in sheet["rows"]].index(clock)
    made = planned(admin, sheet, **with_values(sheet, number, limit="2 urgent_hour"))
    (effect,) = made["effects"]
    assert (effect["code"], effect["after"]) == (clock, "2 urgent_hour")
    assert effect["keep"] == running[clock] >= 2
    assert effect["get"] <= open_now - effect["keep"]
    due = site.sql("SELECT id, due_at FROM deadline ORDER BY id")
    assert apply(admin, made, "agreed with the bureau").status_code == 200
    assert site.sql("SELECT id, due_at FROM deadline ORDER BY id") == due  # as was said


def test_a_new_person_gets_a_password_once_and_nobody_changes_their_own_role(admin, site) -> None:
    sheet = get(admin, "people")
    row = {"name": "settings-zhao", "role": "viewer", "squad": "", "display_name": "Zhao"}
    done = apply(admin, planned(admin, sheet, put=row), "a new colleague").json()
    password = done["passwords"]["settings-zhao"]
    with site.client(None) as client:
        form = {"name": "settings-zhao", "password": password}
        assert client.post("/login", data=form).status_code == 303
    assert password not in str(site.sql("SELECT payload, rows FROM event"))
    assert plan(admin, done["sheet"], remove="settings-zhao").json()["field"] == "remove"


def test_next_years_calendar_is_asked_for_and_entered_day_by_day(admin, site) -> None:
    parts = admin.get(API).json()["items"]
    (last, _, nxt) = [part["name"] for part in parts if part["name"].startswith("calendar-")]
    year = nxt.removeprefix("calendar-")
    sheet = get(admin, nxt)
    made = planned(admin, sheet, put={"date": f"{year}-01-01", "working": "false"})
    assert [change["what"] for change in made["changes"]] == ["calendar"]
    assert apply(admin, made, "the notice is out").status_code == 200
    assert [r["values"]["date"] for r in get(admin, nxt)["rows"]] == [f"{year}-01-01"]
    assert get(admin, last)["rows"]  # another year stays as it was
    (told,) = get(admin, nxt, "/history")["items"]
    assert told["fields"] == [{"name": f"{year}-01-01", "before": "", "after": "false"}]
    assert not any(part["missing"] for part in admin.get(API).json()["items"])
    wrong = planned(admin, get(admin, nxt), put={"date": "2020-01-01", "working": "false"})
    assert wrong["faults"][0]["field"] == "date"


def test_a_community_stays_while_the_grid_lies_on_it(admin) -> None:
    sheet = get(admin, "divisions")
    codes = [
        row["values"]["code"] for row in sheet["rows"] if row["values"]["level"] == "community"
    ]
    made = planned(admin, sheet, remove=codes[0])
    assert codes[0] in [fault["value"] for fault in made["faults"]]


def test_who_may_read_and_who_may_change(site) -> None:
    paths = [op for op in OPERATIONS if op.path.startswith("/settings")]
    assert len(paths) == 7
    for role in PEOPLE - {Role.ADMIN}:
        with site.client(role) as client:
            for op in paths:
                path = "/api/v1" + op.path.replace("{part}", "people")
                answer = client.request(op.method, path, json={})
                reads = op.path == "/settings" and role in (Role.GAS_ENGINEER, Role.LEADER)
                assert answer.status_code == (200 if reads else 403), (role, op.path)
            limits = client.get(f"{API}/limits")
            may = role in (Role.GAS_ENGINEER, Role.LEADER)
            assert limits.status_code == (200 if may else 403)


def test_what_is_not_there_and_what_cannot_be_is_named(admin) -> None:
    sheet = get(admin, "squads")
    assert admin.get(f"{API}/nothing").status_code == 404
    assert admin.get(f"{API}/rules/file").status_code == 404
    assert plan(admin, sheet).json()["field"] == "put"
    assert plan(admin, sheet, put={"colour": "red"}).json()["field"] == "put.colour"
    assert plan(admin, sheet, key="nobody", put={"code": "1"}).json()["field"] == "key"


def test_a_squad_at_work_stays_and_one_without_goes_out_of_force(admin, site) -> None:
    sheet = get(admin, "squads")
    busy, idle = (sheet["rows"][n]["values"]["code"] for n in (2, 3))
    site.sql(
        "UPDATE incident SET squad = %s WHERE id = (SELECT max(id) FROM incident"
        " WHERE state NOT IN ('closed', 'rejected', 'cancelled', 'merged'))",
        (busy,),
    )
    made = planned(admin, sheet, remove=busy)
    assert [(o["value"], o["problem"]) for o in made["obstacles"]] == [
        (busy, "is missing, and has 1 open incidents")
    ]
    assert apply(admin, made).status_code == 409
    made = planned(admin, sheet, remove=idle)
    assert [(c["code"], c["how"]) for c in made["changes"]] == [(idle, "retired")]
    assert apply(admin, made, "it was merged").status_code == 200
    assert idle not in [row["values"]["code"] for row in get(admin, "squads")["rows"]]
    told = get(admin, "squads", f"/history?code={idle}")["items"][0]
    assert {"name": "active", "before": "true", "after": "false"} in told["fields"]


def test_nobody_changes_their_own_role(site) -> None:
    with site.client(None) as client:
        form = {"name": "settings-qian", "password": "a long enough password"}
        with site.client() as admin:
            body = form | {"role": "admin"}
            assert admin.post("/api/v1/users", json=body).status_code == 201
        assert client.post("/login", data=form).status_code == 303
        client.headers["X-CSRFToken"] = client.cookies.get("_csrf_token", "")
        sheet = get(client, "people")
        names = [row["values"]["name"] for row in sheet["rows"]]
        mine = with_values(sheet, names.index("settings-qian"), role="viewer")
        made = planned(client, sheet, **mine)
        assert "is your own; another administrator can" in [o["problem"] for o in made["obstacles"]]
        assert apply(client, made).status_code == 409


def test_what_others_change_of_other_parts_meanwhile_stays(site, admin: httpx.Client) -> None:
    """The application waits behind somebody who changes a category and a person."""
    sheet = get(admin, "squads")
    made = planned(admin, sheet, **with_values(sheet, phone="0898-2222"))
    name = site.sql("SELECT name FROM app_user WHERE role = 'viewer'")[0][0]
    code = site.sql("SELECT min(code) FROM incident_category WHERE valid_to IS NULL")[0][0]
    with site.pool.connection() as other, ThreadPoolExecutor(1) as pool:
        lock_districts(other)
        answer = pool.submit(apply, admin, made)
        wait_until(lambda: site.sql(WAITING) == [(1,)], 10)
        other.execute("UPDATE app_user SET role = 'leader' WHERE name = %s", (name,))
        other.execute("UPDATE incident_category SET name_en = 'Anew' WHERE code = %s", (code,))
        other.commit()
        assert answer.result().status_code == 200
    assert site.sql("SELECT role FROM app_user WHERE name = %s", (name,)) == [("leader",)]
    named = "SELECT DISTINCT name_en FROM incident_category WHERE code = %s"
    assert site.sql(named, (code,)) == [("Anew",)]
    assert get(admin, "squads")["rows"][0]["values"]["phone"] == "0898-2222"


def change(client: httpx.Client, part: str, **edit: Any) -> dict[str, Any]:
    made = planned(client, get(client, part), **edit)
    assert made["faults"] == made["obstacles"] == [], (made["faults"], made["obstacles"])
    answer = apply(client, made)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_city_itself_its_grids_and_its_models_are_parts_with_a_history(admin, site) -> None:
    city = get(admin, "city")
    assert (city["addable"], city["removable"], len(city["rows"])) == (False, False, 1)
    row = city["rows"][0]["values"]
    wrong = {"windows": "8 to 12", "levels": "street", "four_eyes": "maybe"}
    faulty = planned(admin, city, key=row["code"], put={**row, **wrong})["faults"]
    assert {fault["field"] for fault in faulty} >= {"windows", "levels", "four_eyes"}
    other = planned(admin, city, key=row["code"], put={**row, "code": "110101"})
    assert [fault["field"] for fault in other["faults"]] == ["code"]
    levels = "district;street;community;block"
    change(admin, "city", key=row["code"], put={**row, "levels": levels, "name_en": "Qiong"})
    told = get(admin, "city", "/history")["items"][0]
    fields = {f["name"]: (f["before"], f["after"]) for f in told["fields"]}
    assert fields["levels"] == ("district,street,community", levels.replace(";", ","))
    assert fields["name_en"][1] == "Qiong"
    levels_of = next(c for c in get(admin, "divisions")["columns"] if c["name"] == "level")
    assert "block" in levels_of["choices"]

    streets = [r["values"] for r in get(admin, "divisions")["rows"]]
    names = [r["code"] for r in streets if r["level"] == "street"]
    rows = "".join(f"G-{code},Grid {code},{code}\n" for code in names)
    made = upload(admin, "duty-grids", f"code,name,divisions\n{rows}".encode())
    answer = apply(admin, made)
    assert answer.status_code == 200, answer.text
    cells = site.sql("SELECT DISTINCT duty_grid, 'G-' || street FROM unit_grid")
    assert len(cells) > 1
    assert all(grid == of_street for grid, of_street in cells)
    # Squads answered for communities of a street, and answer for the street now.
    answering = {grid for (grid,) in site.sql("SELECT DISTINCT duty_grid FROM squad_duty_grid")}
    assert answering
    assert answering <= {"G-" + code for code in names}
    grid = get(admin, "duty-grids")["rows"][0]["values"]
    change(admin, "duty-grids", key=grid["code"], put={**grid, "name": "Other"})
    (changed, *_) = get(admin, "duty-grids", f"/history?code={grid['code']}")["items"]
    assert changed["why"] == WHY
    assert changed["fields"] == [{"name": "name", "before": grid["name"], "after": "Other"}]

    text = 'title = "T"\nkind = "gas"\ninterval_s = 60\n\n[[field]]\nnames = ["l"]\n'
    good = text + 'metric = "ch4_pct_lel"\nunit = "%LEL"\n'
    (fault,) = planned(admin, get(admin, "models"), put={"name": "m", "text": text})["faults"]
    assert fault["file"] == "models/m.toml"
    change(admin, "models", put={"name": "m", "text": good, "codec": ""})
    newer = good.replace('"T"', '"T2"')
    change(admin, "models", key="m", put={"name": "m", "text": newer, "codec": ""})
    told = get(admin, "models", "/history?code=m")["items"][0]
    assert [(f["before"], f["after"]) for f in told["fields"]] == [(good, newer)]
    change(admin, "models", remove="m")
    assert get(admin, "models")["rows"] == []


def test_nobody_switches_four_eyes_off_alone(admin, site) -> None:
    with connect(site.database_url) as conn:
        save_setting(conn, DISTRICT, "four_eyes", True, datetime.now(UTC))
        for name in ("one", "two"):
            add_user(conn, name, "a long password", Role.GAS_ENGINEER, DISTRICT, datetime.now(UTC))
    row = get(admin, "city")["rows"][0]["values"]
    off = planned(admin, get(admin, "city"), key=row["code"], put={**row, "four_eyes": "false"})
    assert [o["field"] for o in off["obstacles"]] == ["four_eyes"]
    assert apply(admin, off).status_code == 409


def test_an_outline_is_sent_as_geojson_and_cells_are_made_of_points(admin, site) -> None:
    outline = get(admin, "boundary")["rows"][0]["values"]["geometry"]
    faulty = upload(admin, "boundary", b'{"type": "Point", "coordinates": [1, 2]}')["faults"]
    assert [fault["file"] for fault in faulty] == ["boundary.geojson"]
    assert upload(admin, "boundary", outline.encode())["changes"] == []
    grid = get(admin, "unit-grid")
    assert grid["by_file"]
    assert sum(int(row["values"]["cells"]) for row in grid["rows"]) > 100
    some = "".join(f"{row['values']['code']},110.35,20.0\n" for row in grid["rows"])
    made = upload(admin, "unit-grid", f"code,lon,lat\n{some}".encode())
    assert made["faults"] or made["obstacles"], made["changes"]
