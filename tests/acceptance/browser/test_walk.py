"""The whole walk with every screen open: seen on the wall, sent, repaired, checked, closed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image

from app.settings import DEMO_DISTRICT
from bench.installation import Installation
from city.incident import Role
from db import users
from db.pool import connect
from tests.acceptance.browser.conftest import Person, SignIn

pytestmark = pytest.mark.browser

NEW_COVER = "MH-NEW"
GAS = "GAS-001000"


def test_a_missing_gas_cover_is_seen_sent_repaired_and_closed_while_everybody_watches(
    sign_in: SignIn, installation: Installation, tmp_path: Path
) -> None:
    register_cover(installation, tmp_path)
    wall = sign_in("viewer")
    console = sign_in("dispatcher")
    phone = sign_in("squad", phone=True)
    checker = sign_in("checker")
    photo = tmp_path / "photo.jpg"
    Image.new("RGB", (640, 480), (96, 120, 140)).save(photo, "JPEG")

    sent = time.monotonic()
    publish(installation, "manhole", NEW_COVER, cover_open=1)
    wall.until(lambda: NEW_COVER in cases_on(wall), 2)
    assert time.monotonic() - sent < 2.5
    incident = cases_on(wall)[NEW_COVER]

    open_case(console, incident)
    send(console, squad_of(installation))
    card = phone.page.locator(f".gw-task[data-incident='{incident}']")
    card.locator("[data-action=acknowledge]").tap()
    card.locator("[data-action=arrive]").tap()
    card.locator("[data-action=handle]").tap()
    fill_dialog(phone, note="新井盖已安装，周边已围挡", photo_after=photo)
    publish(installation, "manhole", NEW_COVER, cover_open=0)

    open_case(checker, incident)
    checker.page.click("#detail [data-action=check]")
    checker.page.click("#detail [data-photo=check_photo]")
    fill_dialog(checker, check_photo=photo)
    checker.page.click("#detail [data-action=close]")
    fill_dialog(checker, note="现场核查，井盖完好")

    wall.until(lambda: NEW_COVER not in cases_on(wall), 5)
    api = installation.api(Role.LEADER)
    closed = api.get(f"/incidents/{incident}").json()
    assert closed["state"] == "closed"
    assert closed["handled_by"] != closed["checked_by"]
    handling = next(clock for clock in closed["clocks"] if clock["clock"] == "handle")
    assert handling["standing"] == "met"
    assert wall.faults == console.faults == phone.faults == checker.faults == []


def test_a_gas_alarm_is_on_the_wall_within_two_seconds(
    sign_in: SignIn, installation: Installation
) -> None:
    wall = sign_in("viewer")
    publish(installation, "gas", GAS, ch4_pct_lel=66.0)
    wall.until(lambda: GAS in cases_on(wall), 2)
    listed = installation.api(Role.VIEWER).get("/incidents", params={"device": GAS}).json()
    assert [item["category"] for item in listed["items"]] == ["05-02"]


def register_cover(installation: Installation, folder: Path) -> None:
    """A cover of the gas company, as an operator registers it: from a file."""
    with connect(installation.postgres) as conn:
        place = conn.execute(
            "SELECT lon + 0.0001, lat + 0.0001 FROM device WHERE code = 'GAS-000005'"
        ).fetchone()
    assert place is not None, "the demo has this detector"
    file = folder / "covers.csv"
    file.write_text(
        "code,kind,name,lon,lat,attributes\n"
        f'{NEW_COVER},manhole,新燃气井盖,{place[0]},{place[1]},"{{""cover_code"": ""0111""}}"\n',
        encoding="utf-8",
    )
    imported = installation.gridwarden("device", "import", str(file))
    assert imported.returncode == 0, imported.stdout + imported.stderr


def squad_of(installation: Installation) -> str:
    with connect(installation.postgres) as conn:
        leader = users.find_user(conn, "squad")
    assert leader is not None, "the demo has a squad leader"
    return str(leader.squad)


def publish(installation: Installation, kind: str, code: str, **readings: float) -> None:
    installation.publish(
        f"city/v1/{DEMO_DISTRICT}/{kind}/{code}/telemetry",
        {"ts": int(time.time() * 1000), "readings": readings},
    )


def cases_on(screen: Person) -> dict[str, int]:
    """The open cases that a screen holds, by device."""
    return dict(
        screen.page.evaluate(
            "Object.fromEntries([...gw.live.incidents.values()].map(i => [i.device, i.id]))"
        )
    )


def open_case(person: Person, incident: int) -> None:
    """By its address: with many cases open its row may be far down the queue."""
    person.page.evaluate("id => { location.hash = '#' + id; }", incident)
    person.page.wait_for_selector(f"#detail [data-incident='{incident}']")


def send(console: Person, squad: str) -> None:
    """The squad's own button; one that does not come first is sent with a reason."""
    button = console.page.locator(f"#detail [data-action=dispatch][data-squad={squad}]")
    asks_why = "note*" in (button.get_attribute("data-fields") or "")
    button.click()
    if asks_why:
        fill_dialog(console, note="离现场最近的班组正在别处处置")


def fill_dialog(person: Person, *, note: str = "", **photos: Path) -> None:
    person.page.wait_for_selector("dialog[open]")
    if note:
        person.page.fill("dialog[open] textarea[name=note]", note)
    for stage, photo in photos.items():
        person.page.set_input_files(f"dialog[open] input[name={stage}]", photo)
    person.page.click("dialog[open] button[type=submit]")
    person.page.wait_for_selector("dialog[open]", state="detached", timeout=10_000)
