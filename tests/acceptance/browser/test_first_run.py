"""From an empty data folder to a city of one's own at work, with nothing but a browser."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pyotp
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from app.city_commands import put_rules, read_files, shipped
from bench.installation import mosquitto_pub, wait_for
from db.pool import Connection, connect
from db.users import draw_password
from founding.check import judge_folder
from founding.export import write_folder
from founding.folder import CALENDAR
from founding.steps import apply_city, read_city
from tests.acceptance.browser.conftest import DESK, PHONE, Person, watch
from tests.acceptance.test_city import SAMPLE
from tests.acceptance.test_up import address, up
from tests.conftest import BARE, drop_database, with_database

PASSWORD = "a long enough password"
WHY = "as the bureau's folder has it"
# What the folder has beside the sample: a part of the settings for each.
MORE = {
    "duty-grids.csv": "code,name,divisions\nE-1,东片,991201001\nW-1,西片,991201002\n",
    "roster.csv": "squad,day,from,to,person,phone\nXZ-GAS,1-7,00:00,24:00,wu,13800000000\n",
    "feeds.toml": '[[feed]]\nname = "north"\nformat = "zigbee2mqtt"\ntopic = "z2m_north"\n',
    "registers/shopfronts.csv": "code,name,licence,owner,lon,lat\n"
    "S-1,东一面馆,91991201S1,王小明,112.5142,30.2041\n",
    "models/xz-gas.toml": 'title = "Probe"\nkind = "gas"\ninterval_s = 60\n\n[[field]]\n'
    'names = ["lel"]\nmetric = "ch4_pct_lel"\nunit = "%LEL"\n',
}
# Put in force one after the other: what a table names is there before it.
PARTS = {
    "duty-grids": "duty-grids.csv",
    "squads": "squads.csv",
    "people": "people.csv",
    "rosters": "roster.csv",
    "limits": "limits.csv",
    "calendar-2027": "calendar-2027.csv",
    "feeds": "feeds.toml",
    "register-shopfronts": "registers/shopfronts.csv",
}
# What an alarm is called that does not stand any more.
OVER = ("returned_unacknowledged", "normal")
CITY = {"calendar": "XZ", "windows": "08:30-12:00; 14:00-17:30", "name_zh": "星洲区（虚构）"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    shutil.copytree(SAMPLE, path)
    for name, text in MORE.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def bare(bare_template: str) -> Iterator[Connection]:
    name = "gw_same_city"
    with psycopg.connect(bare_template, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {BARE} STRATEGY wal_log")
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    with connect(with_database(bare_template, name)) as opened:
        yield opened
        opened.rollback()
    drop_database(bare_template, name)


def test_a_browser_makes_the_city_that_its_folder_makes_and_a_reading_is_closed_in_it(
    browser: Browser, tmp_path: Path, folder: Path, bare: Connection, now: Any
) -> None:
    city, faults = judge_folder(read_files(folder), shipped())
    assert city is not None, faults
    apply_city(bare, city, "cli", now, put_rules=put_rules, new_password=draw_password)
    expected = write_folder(read_city(bare, "991201", with_registers=True))
    with up(tmp_path / "data") as process:
        http = address(tmp_path / "data", process)
        log = tmp_path / "up.log"
        printed = wait_for(lambda: re.search(r"http\S+/setup\?code=\S+", log.read_text()), 30)
        context = browser.new_context(viewport=PHONE)
        person = Person(context.new_page(), context, http)
        watch(person)
        recovery = found_in_browser(person, printed[0], folder, expected["cells.csv"])
        cookies = {c["name"]: c["value"] for c in context.cookies()}
        headers = {"X-CSRFToken": cookies["_csrf_token"]}
        with httpx.Client(
            base_url=f"{http}/api/v1", cookies=cookies, headers=headers, timeout=20
        ) as admin:
            change_the_city_in_browser(person)
            passwords = {}
            for part, file in PARTS.items():
                passwords |= put_in_force(admin, part, (folder / file).read_bytes())
            model = {"name": "xz-gas", "text": MORE["models/xz-gas.toml"], "codec": ""}
            apply(admin, "models", "plan", put=model)
            put_rule_in_force(admin, (folder / "rules" / "gas-lel.toml").read_text("utf-8"))
            differs = differences(expected, exported(tmp_path / "data"))
            # A calendar of a new code begins as a copy of the one before.
            assert {name for name in differs if not CALENDAR.fullmatch(name)} == set()
            assert "calendar-2027.csv" not in differs
            changed = admin.get("/settings/duty-grids/history").json()["items"]
            assert {(item["code"], item["why"]) for item in changed} >= {("E-1", WHY)}
            file = b"code,kind,name,lon,lat,gas\nGAS-1,gas,Gas 1,112.5142,30.2041,methane\n"
            imported = admin.post("/devices/import", files={"file": ("d.csv", file)})
            assert imported.status_code == 200, imported.text
            an_open_wall_takes_another_outline(person, admin)
        close_a_case(http, tmp_path / "data", passwords)
        sign_out_and_in(person, recovery)
        assert not person.faults
        person.page.goto(printed[0])
        expect(person.page.get_by_role("alert")).to_be_visible()
        context.close()


def found_in_browser(person: Person, invitation: str, folder: Path, cells: bytes) -> str:
    page = person.page
    page.goto(invitation + "&lang=en")
    page.fill("input[name=code]", "991201")
    page.fill("input[name=name_zh]", "星洲区")
    page.fill("input[name=name_en]", "Xingzhou District (fictional)")
    page.set_input_files("input[name=boundary]", folder / "boundary.geojson")
    page.check("input[name=names][value=file]")
    page.set_input_files("input[name=divisions]", folder / "divisions.csv")
    page.check("input[name=grid][value=own]")
    own = {"name": "cells.csv", "mimeType": "text/csv", "buffer": cells}
    page.set_input_files("input[name=cells]", own)  # type: ignore[arg-type]
    page.fill("input[name=admin]", "lin.admin")
    page.click("button[value=look]")
    expect(page.locator("li", has_text="Person lin.admin: added")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.set_viewport_size(DESK)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[value=found]")
    page.wait_for_url(re.compile("/second-factor"))
    secret = page.input_value("input[name=secret]")
    page.fill("input[name=code]", pyotp.TOTP(secret).now())
    page.click("button[value=set]")
    recovery = page.locator("ol.codes code").first.inner_text()
    page.click("a.go")
    page.wait_for_url("**/welcome")
    expect(page.locator(".steps .done a")).to_have_text(["Set a second factor", "Unit grid"])
    return recovery


def change_the_city_in_browser(person: Person) -> None:
    """The one row of the part `city`, as people do it."""
    page = person.page
    person.open("/settings?part=city")
    page.get_by_role("button", name="Edit").click()
    for name, value in CITY.items():
        page.fill(f"dialog [name={name}]", value)
    page.click("dialog button[type=submit]")
    person.until_text(".gw-settings-plan", "Calendar XZ: added")
    page.get_by_role("button", name="Put in force").click()
    page.fill("dialog [name=why]", WHY)
    page.click("dialog button[type=submit]")
    person.until_text(".gw-settings-table", "08:30-12:00; 14:00-17:30")
    person.open("/wall")
    person.until(person.is_live, 30)
    person.until_text("body", "Xingzhou District (fictional)", 20)


def put_in_force(admin: httpx.Client, part: str, content: bytes) -> Mapping[str, str]:
    answer = admin.post(f"/settings/{part}/upload", files={"file": ("x.csv", content)})
    return put_plan(admin, part, answer)


def apply(admin: httpx.Client, part: str, verb: str, **edit: Any) -> Mapping[str, str]:
    sheet = admin.get(f"/settings/{part}").json()
    seen = {"digest": sheet["digest"], "seq": sheet["seq"]}
    return put_plan(admin, part, admin.post(f"/settings/{part}/{verb}", json={**seen, **edit}))


def put_plan(admin: httpx.Client, part: str, answer: httpx.Response) -> Mapping[str, str]:
    plan = answer.json()
    assert plan.get("faults") == plan.get("obstacles") == [], (part, answer.text)
    body = {name: plan[name] for name in ("content", "digest", "seq")} | {"why": WHY}
    done = admin.post(f"/settings/{part}/apply", json=body)
    assert done.status_code == 200, (part, done.text)
    return dict(done.json()["passwords"])


def exported(data_dir: Path) -> Mapping[str, bytes]:
    """What `gridwarden city export` writes."""
    with connect(json.loads((data_dir / "endpoints.json").read_text())["postgres"]) as conn:
        return write_folder(read_city(conn, "991201", with_registers=True))


def an_open_wall_takes_another_outline(person: Person, admin: httpx.Client) -> None:
    """The same ground with one more corner, which no wall has been told yet."""
    outline = json.loads(admin.get("/settings/boundary").json()["rows"][0]["values"]["geometry"])
    ring = outline["coordinates"][0]
    middle = [(a + b) / 2 for a, b in zip(ring[0], ring[1], strict=True)]
    outline["coordinates"][0] = [ring[0], middle, *ring[1:]]
    shown = "gw.live.map.district.outline.coordinates[0].length"
    assert person.page.evaluate(shown) == len(ring)
    put_in_force(admin, "boundary", json.dumps(outline).encode())
    person.until(lambda: person.page.evaluate(shown) == len(ring) + 1, 15)


def put_rule_in_force(admin: httpx.Client, text: str) -> None:
    """As the page of rules does: tried on the past, then applied."""
    seen = admin.get("/rules/gas-lel").json()["rule"]["version"]
    started = admin.post("/rule-trials", json={"text": text, "seen": seen})
    assert started.status_code == 201, started.text
    trial = f"/rule-trials/{started.json()['id']}"
    wait_for(lambda: admin.get(trial).json()["state"] == "done", 30, 0.2)
    done = admin.post(f"{trial}/apply", json={"why": WHY})
    assert done.status_code == 200, done.text


def differences(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> set[str]:
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def close_a_case(http: str, data_dir: Path, passwords: Mapping[str, str]) -> None:
    """From a reading of an hour ago to the verified closure, everybody by their own account."""
    with_all = {name: signed_in(http, name, passwords[name]) for name in passwords}
    port = json.loads((data_dir / "endpoints.json").read_text())["mqtt"].rpartition(":")[2]
    send(port, [60], 16.0)  # above the limit of this city, below that of the shipped rule
    centre, leader = with_all["chen"], with_all["wu"]
    case = wait_for(lambda: next(iter(centre.get("/incidents").json()["items"]), None), 20)["id"]
    assert "XZ-GAS" in centre.get(f"/incidents/{case}/recommendations").text
    act(centre, case, "dispatch", squad="XZ-GAS")
    send(port, range(59, -1, -1), 0.5)
    act(leader, case, "acknowledge")
    act(leader, case, "arrive")
    upload(leader, case, "photo_after")
    act(leader, case, "handle", note="joint clamped")
    alarm = centre.get("/alarms").json()["items"][0]["id"]
    wait_for(lambda: centre.get(f"/alarms/{alarm}").json()["state"] in OVER, 20)
    act(with_all["zheng"], case, "release", note="0.5 %LEL over the whole room")
    act(with_all["zhou"], case, "check")
    upload(with_all["zhou"], case, "check_photo")
    closed = act(with_all["zhou"], case, "close", note="looked at on the spot")
    assert closed["state"] == "closed", closed
    for api in with_all.values():
        api.close()


def signed_in(http: str, name: str, password: str) -> httpx.Client:
    with httpx.Client(base_url=http, timeout=10) as door:
        answer = door.post("/login", data={"name": name, "password": password})
        assert answer.status_code in (302, 303), answer.text
        door.get("/manual")
        cookies = dict(door.cookies)
    headers = {"X-CSRFToken": cookies["_csrf_token"]}
    return httpx.Client(base_url=f"{http}/api/v1", cookies=cookies, headers=headers, timeout=20)


def send(port: str, minutes_ago: Iterable[int], lel: float) -> None:
    """A reading a line."""
    now = time.time()
    lines = (
        json.dumps({"ts": int((now - 60 * m) * 1000), "readings": {"ch4_pct_lel": lel}})
        for m in minutes_ago
    )
    topic = "city/v1/991201/gas/GAS-1/telemetry"
    words = [mosquitto_pub(), "-h", "127.0.0.1", "-p", port, "-q", "1", "-t", topic, "-l"]
    subprocess.run(words, input="\n".join(lines).encode(), check=True, timeout=20)


def act(api: httpx.Client, case: int, action: str, **more: Any) -> dict[str, Any]:
    version = api.get(f"/incidents/{case}").json()["version"]
    body = {"action": action, "version": version, **more}
    answer = api.post(f"/incidents/{case}/actions", json=body)
    assert answer.status_code == 200, (action, answer.text)
    return dict(answer.json())


def upload(api: httpx.Client, case: int, stage: str) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 150)).save(picture, "JPEG")
    files = {"file": (f"{stage}.jpg", picture.getvalue(), "image/jpeg")}
    answer = api.post(f"/incidents/{case}/evidence", files=files, data={"stage": stage})
    assert answer.status_code == 201, answer.text


def sign_out_and_in(person: Person, recovery: str) -> None:
    page = person.page
    page.click("[data-sign-out]")
    page.fill("input[name=name]", "lin.admin")
    page.fill("input[name=password]", PASSWORD)
    page.click("button.go")
    page.fill("input[name=code]", recovery)
    page.click("button.go")
    person.until(person.is_live, 30)
