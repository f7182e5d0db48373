"""What people see and do, in a real browser on a real installation."""

from __future__ import annotations

import io
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.settings import DEMO_DISTRICT
from bench.installation import Installation, wait_for
from city.incident import Role
from db import users
from db.pool import connect
from tests.acceptance.browser.conftest import Person, SignIn

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOMES = {
    "viewer": "/wall",
    "dispatcher": "/console",
    "checker": "/console",
    "engineer": "/console",
    "leader": "/kpi",
    "squad": "/squad",
}


def a_photo(shade: int = 120) -> dict[str, Any]:
    """A small JPEG as a phone would hand it in."""
    out = io.BytesIO()
    Image.new("RGB", (640, 480), (shade, 90, 60)).save(out, "JPEG")
    return {"name": f"site-{shade}.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def devices(installation: Installation, kind: str) -> list[dict[str, Any]]:
    listed = installation.api(Role.ADMIN).get("/devices", params={"kind": kind, "limit": 400})
    return [d for d in listed.json()["items"] if d["format"] == "native"]


def measure(installation: Installation, device: dict[str, Any], **readings: float) -> None:
    topic = f"city/v1/{DEMO_DISTRICT}/{device['kind']}/{device['code']}/telemetry"
    installation.publish(topic, {"ts": int(time.time() * 1000), "readings": readings})


def an_incident(installation: Installation, device: dict[str, Any]) -> dict[str, Any]:
    """The open incident of a device, opened by a reading if there is none."""
    api = installation.api(Role.DISPATCHER)

    def find() -> dict[str, Any] | None:
        items = api.get("/incidents", params={"device": device["code"]}).json()["items"]
        return next(iter(items), None)

    if found := find():
        return found
    bad = {"gas": {"ch4_pct_lel": 66.0}, "manhole": {"cover_open": 1}}[device["kind"]]
    measure(installation, device, **bad)
    return wait_for(find, 5)


def close_the_cover(installation: Installation, device: dict[str, Any]) -> None:
    """No case ends over an alarm that stands; one whose off-delay runs is enough."""
    measure(installation, device, cover_open=0)
    running = """
        SELECT count(*) FROM rule_timer JOIN device ON device.id = device_id
        WHERE code = %s AND direction = 'off'
        """
    with connect(installation.postgres, autocommit=True) as conn:
        wait_for(lambda: conn.execute(running, (device["code"],)).fetchone() != (0,), 10)


def squad_of(installation: Installation) -> str:
    """The squad of the demonstration's squad leader."""
    with connect(installation.postgres) as conn:
        leader = users.find_user(conn, "squad")
    assert leader is not None
    assert leader.squad is not None
    return leader.squad


def choose(person: Person, incident: dict[str, Any]) -> None:
    person.open(f"/console#{incident['id']}")
    person.until(person.is_live, 30)
    person.page.locator(f".gw-incident[data-incident='{incident['id']}']").wait_for(timeout=20_000)


@pytest.mark.parametrize(("name", "home"), HOMES.items())
def test_everybody_lands_on_their_screen_which_asks_nobody_outside(
    sign_in: SignIn, name: str, home: str
) -> None:
    person = sign_in(name, phone=name == "squad")
    assert person.page.url.endswith(home)
    person.page.wait_for_timeout(1500)
    assert person.abroad == []
    assert person.faults == []


@pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160)])
def test_the_wall_fits_without_scrolling(sign_in: SignIn, size: tuple[int, int]) -> None:
    person = sign_in("viewer")
    person.page.set_viewport_size({"width": size[0], "height": size[1]})
    person.page.wait_for_timeout(800)
    room = person.page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert tuple(room) == size


def test_a_gas_alarm_takes_the_wall_within_seconds_and_lets_go_when_acknowledged(
    sign_in: SignIn, installation: Installation
) -> None:
    wall = sign_in("viewer")
    device = devices(installation, "gas")[20]
    sent = time.monotonic()
    incident = an_incident(installation, device)
    name = incident["title_zh"].split(" · ")[-1].removesuffix("（演示）")
    wall.until_text("#wall-critical", name, 5)
    assert time.monotonic() - sent < 5
    wall.until_text("#wall-incidents", name)
    assert wall.page.locator(".gw-pulse").count() >= 1

    dispatcher = sign_in("dispatcher")
    choose(dispatcher, incident)
    dispatcher.page.keyboard.press("l")
    wall.until(lambda: name not in wall.page.locator("#wall-critical").inner_text())
    assert dispatcher.faults == []


def test_the_wall_prints_its_own_latency_from_real_readings(
    sign_in: SignIn, installation: Installation
) -> None:
    wall = sign_in("viewer")
    for device in devices(installation, "gas")[30:36]:
        measure(installation, device, ch4_pct_lel=1.0)
    wall.until_text("#latency", "P99", 10)
    shown = wall.page.evaluate("window.gw.latency.figures()")
    assert shown["n"] >= 1
    assert 0 < shown["p50"] < 10_000
    assert shown["p99"] >= shown["p50"]
    assert len(shown["parts"]) == 4


def test_a_dispatcher_sends_a_squad_by_keys_and_two_presses_are_one_change(
    sign_in: SignIn, installation: Installation
) -> None:
    incident = an_incident(installation, devices(installation, "manhole")[3])
    person = sign_in("dispatcher")
    choose(person, incident)
    person.page.locator("[data-squad]").first.wait_for()
    person.page.locator("[data-squad][data-key='1']").dblclick()
    person.until_text(".gw-state", "已派遣")
    api = installation.api(Role.DISPATCHER)
    events = api.get(f"/incidents/{incident['id']}").json()["events"]
    assert [e["kind"] for e in events].count("incident.dispatched") == 1
    # Marked with a key, acknowledged with those that are marked.
    person.page.keyboard.press(".")
    person.until_text("#queue-together .gw-together-count", "已勾选 1 件")
    person.page.locator(".ag-row.gw-marked").first.wait_for()
    person.page.keyboard.press("Shift+A")
    person.page.locator("dialog button[type=submit]").click()
    person.until_text(".gw-incident .gw-state", "已签收")
    person.page.locator("#queue-together").wait_for(state="hidden")
    assert person.faults == []


def test_who_comes_second_is_told_who_was_first(
    sign_in: SignIn, installation: Installation
) -> None:
    incident = an_incident(installation, device := devices(installation, "manhole")[4])
    close_the_cover(installation, device)
    person = sign_in("dispatcher")
    choose(person, incident)
    person.page.keyboard.press("z")  # cancel: its dialog holds the version that was seen
    person.page.locator("dialog textarea").fill("重复上报")
    api = installation.api(Role.DISPATCHER)
    body = {"action": "comment", "version": incident["version"], "note": "first"}
    first = api.post(f"/incidents/{incident['id']}/actions", json=body)
    assert first.status_code == 200
    if first.json()["version"] == incident["version"]:
        squad = api.get(f"/incidents/{incident['id']}/recommendations").json()["items"][0]
        body |= {"action": "dispatch", "squad": squad["squad"], "note": "first"}
        assert api.post(f"/incidents/{incident['id']}/actions", json=body).status_code == 200
    person.page.locator("dialog button[type=submit]").click()
    person.until_text(".gw-form-error", "没有执行")
    assert "token:" in person.page.locator(".gw-form-error").inner_text()


def test_a_case_walks_from_console_to_phone_to_checker(
    sign_in: SignIn, installation: Installation
) -> None:
    incident = an_incident(installation, device := devices(installation, "manhole")[5])
    api = installation.api(Role.DISPATCHER)
    squad = squad_of(installation)
    seen = api.get(f"/incidents/{incident['id']}").json()
    sent = api.post(
        f"/incidents/{incident['id']}/actions",
        json={"action": "dispatch", "version": seen["version"], "squad": squad, "note": "test"},
    )
    assert sent.status_code == 200, sent.text

    phone = sign_in("squad", phone=True)
    card = phone.page.locator(f".gw-task[data-incident='{incident['id']}']")
    card.wait_for()
    card.locator("[data-action=acknowledge]").tap()
    card.locator("[data-action=arrive]").tap()
    card.locator("[data-action=handle]").tap()
    phone.page.locator("dialog input[type=file]").set_input_files(a_photo())  # type: ignore[arg-type]
    phone.page.locator("dialog textarea").fill("井盖已复位")
    phone.context.set_offline(True)
    phone.page.locator("dialog button[type=submit]").tap()
    phone.until_text("#phone-bar", "2 项还没有发出")
    phone.context.set_offline(False)
    phone.until(lambda: phone.page.locator("#phone-bar").is_hidden(), 20)
    phone.until_text(f".gw-task[data-incident='{incident['id']}'] .gw-state", "已处置")

    close_the_cover(installation, device)
    checker = sign_in("checker")
    assert checker.page.locator("[data-filter=to_check]").get_attribute("aria-pressed") == "true"
    choose(checker, incident)
    checker.page.keyboard.press("c")
    checker.until_text(".gw-state", "核查中")
    checker.page.locator("[data-action=close]").wait_for()
    checker.page.keyboard.press("e")
    checker.page.locator("dialog input[type=file]").set_input_files(a_photo(200))  # type: ignore[arg-type]
    checker.page.locator("dialog textarea").fill("现场核查合格")
    checker.page.locator("dialog button[type=submit]").click()
    wait_for(lambda: api.get(f"/incidents/{incident['id']}").json()["state"] == "closed", 10)
    assert checker.faults == []


def servers_of(installation: Installation) -> list[int]:
    """Process ids of the web server of this installation, workers included."""
    port = f"GRIDWARDEN_HTTP_PORT={installation.http.rpartition(':')[2]}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
            if b"serve" in arguments and port in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue  # it ended while we looked, or is not ours
    return found


def test_the_picture_stays_with_its_age_while_the_server_is_gone_and_comes_back_alone(
    sign_in: SignIn, installation: Installation
) -> None:
    person = sign_in("viewer")
    person.until(lambda: person.page.locator("#kpi-open").inner_text() != "—")
    shown = person.page.locator("#kpi-open").inner_text()
    frozen = servers_of(installation)
    assert frozen
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        person.until_text("#stale-picture", "画面停在", 60)
        assert person.page.locator("html[data-stale=yes]").count() == 1
        assert person.page.locator("#kpi-open").inner_text() == shown
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    person.until(lambda: person.page.locator("html[data-stale=no]").count() == 1, 60)
    person.until(person.is_live, 30)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_switches_of_language_and_theme_hold(sign_in: SignIn, lang: str, theme: str) -> None:
    person = sign_in(
        "leader", lang="en" if lang == "zh" else "zh", theme="dark" if theme == "light" else "light"
    )
    person.page.locator("[data-switch=lang]").click()
    person.page.wait_for_timeout(500)
    person.page.locator("[data-switch=theme]").click()
    person.until(person.is_live, 30)
    html = person.page.locator("html")
    assert html.get_attribute("data-theme") == theme
    assert html.get_attribute("lang") == {"zh": "zh-CN", "en": "en"}[lang]
    person.page.locator(".gw-kpi-choices").wait_for()
    assert person.faults == []


def test_every_target_on_the_phone_is_large_enough_for_a_wet_thumb(
    sign_in: SignIn, installation: Installation
) -> None:
    incident = an_incident(installation, devices(installation, "manhole")[6])
    api = installation.api(Role.DISPATCHER)
    squad = squad_of(installation)
    if incident["state"] == "filed":
        api.post(
            f"/incidents/{incident['id']}/actions",
            json={
                "action": "dispatch",
                "version": incident["version"],
                "squad": squad,
                "note": "t",
            },
        )
    phone = sign_in("squad", phone=True)
    phone.page.locator(f".gw-task[data-incident='{incident['id']}']").wait_for()
    small = phone.page.evaluate(
        """[...document.querySelectorAll('.gw-squad button, .gw-squad summary, .gw-squad nav a')]
           .map(e => [e.innerText, e.getBoundingClientRect()])
           .filter(([, b]) => b.height && (b.height < 48 || b.width < 48)).map(([t]) => t)"""
    )
    assert small == []
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 390
