"""The manual in the browser, and its pictures: taken here, kept with `KEEP_PICTURES=1`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.installation import Installation
from city.incident import Role
from dashboard.screens.manual.page import FOLDER, PICTURE, ROLES
from tests.acceptance.browser.conftest import Person, SignIn
from tests.acceptance.browser.test_screens import an_incident, devices, squad_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# What a screen shows when it is drawn.
SHOWN = {
    "console": ".gw-incident .gw-timeline",
    "squad": ".gw-task",
    "kpi": ".js-plotly-plot",
    "wall": "#map canvas",
    "devices": ".gw-devices-page tbody tr",
    "operations": ".gw-verdict",
    "people": ".gw-people-table tbody tr",
}
PICTURE_SIZE = {"width": 1440, "height": 900}
# No other test has to do with the devices from this one on.
FIRST = 60
KEEP = os.environ.get("KEEP_PICTURES") == "1"


def pictures() -> set[str]:
    texts = [path.read_text("utf-8") for path in FOLDER.glob("*.md")]
    return {name for text in texts for name in PICTURE.findall(text)}


def take(person: Person, screen: str, folder: Path, lang: str) -> None:
    if screen != "squad":
        person.page.set_viewport_size(PICTURE_SIZE)  # type: ignore[arg-type]
    person.open(f"/{screen}")
    person.until(person.is_live, 30)
    if screen == "console":
        person.page.locator(".ag-center-cols-container .ag-row").first.click()
    person.page.locator(SHOWN[screen]).first.wait_for()
    person.page.wait_for_timeout(500)  # the map and the charts settle
    path = folder / f"{screen}.{lang}.jpg"
    person.page.screenshot(path=path, type="jpeg", quality=60)
    assert path.stat().st_size > 10_000


def open_cases(installation: Installation) -> None:
    """A leak and open covers; the squad of the demonstration is sent to the leak."""
    for kind, count in (("gas", 2), ("manhole", 4)):
        for device in devices(installation, kind)[FIRST : FIRST + count]:
            incident = an_incident(installation, device)
            if kind == "gas" and incident["state"] == "filed":
                body = {
                    "action": "dispatch",
                    "version": incident["version"],
                    "squad": squad_of(installation),
                }
                path = f"/incidents/{incident['id']}/actions"
                installation.api(Role.DISPATCHER).post(path, json=body).raise_for_status()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_picture_of_the_manual_can_be_taken(
    sign_in: SignIn, installation: Installation, tmp_path: Path, lang: str
) -> None:
    assert pictures() == SHOWN.keys()
    open_cases(installation)
    folder = FOLDER if KEEP else tmp_path
    admin, leader = sign_in("admin", lang=lang), sign_in("squad", phone=True, lang=lang)
    for screen in sorted(SHOWN):
        take(leader if screen == "squad" else admin, screen, folder, lang)
    assert admin.faults == leader.faults == []


@pytest.mark.parametrize("phone", [True, False])
def test_everybody_finds_the_page_of_their_role_and_of_the_others(
    sign_in: SignIn, phone: bool
) -> None:
    person = sign_in("viewer", phone=phone, lang="en", theme="light")
    person.open("/manual")
    person.until_text(".gw-manual", "You look; you change nothing.")
    person.until(person.is_live, 30)
    for role in ROLES:
        person.page.locator(f".gw-manual-tabs a[href='/manual/{role}']").click()
        person.page.locator(f".gw-manual-tabs a[href='/manual/{role}'][aria-current]").wait_for()
        image = person.page.locator(".gw-manual img").first
        person.until(lambda image=image: image.evaluate("i => i.naturalWidth") > 0)
        width = person.page.evaluate("document.documentElement.scrollWidth")
        assert width <= person.page.viewport_size["width"]  # type: ignore[index]
    assert person.faults == person.abroad == []


def test_each_screen_leads_to_the_manual(sign_in: SignIn) -> None:
    person = sign_in("admin")
    for screen in SHOWN:
        person.open(f"/{screen}")
        person.page.locator("a[href='/manual']").first.wait_for(state="attached")
