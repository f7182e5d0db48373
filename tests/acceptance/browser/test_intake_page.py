"""A call is taken in by keyboard alone; a phone in the street reports, a collector looks."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from bench.installation import Installation, wait_for
from city.incident import Role
from tests.acceptance.browser.conftest import PHONE, SignIn
from tests.acceptance.browser.test_screens import a_photo

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_call_is_taken_in_and_joined_by_keyboard_alone(
    sign_in: SignIn, installation: Installation
) -> None:
    person = sign_in("dispatcher")
    person.open("/intake")
    person.page.locator("main a[href='/console#report']").press("Enter")
    person.page.locator(".gw-live-layer canvas").first.wait_for()
    api = installation.api(Role.DISPATCHER)
    numbers = []
    for said in ("市民来电：井盖异响", "又一位市民来电：井盖"):
        form = person.page.locator(".gw-intake-form")
        if numbers:
            person.page.keyboard.press("r")
        form.wait_for()
        for typed in ("jgqs", "460107002001"):
            person.page.keyboard.press("Tab")
            person.page.keyboard.type(typed)
            form.locator(".gw-combo-list:visible li[role=option]").first.wait_for(timeout=30_000)
            person.page.keyboard.press("Enter")
        person.page.keyboard.press("Tab")
        person.page.keyboard.type(said)
        if numbers:  # the case of the first call stands beside the form of the second
            same = form.locator(f"[data-case='{numbers[0]}'] button")
            same.wait_for(timeout=30_000)
            same.focus()
            person.page.keyboard.press("Enter")
            form.locator(".gw-intake-joined").wait_for()
        person.page.keyboard.press("Control+Enter")
        form.wait_for(state="detached", timeout=30_000)
        found = wait_for(
            lambda said=said: [
                call for call in api.get("/intake").json()["items"] if call["said"] == said
            ],
            10,
        )
        numbers.append(found[0]["incident_id"])
    assert numbers[0] == numbers[1]
    person.until_text(".gw-facts", "市民来电：井盖异响", 15)
    person.until(lambda: person.page.locator("#intake-owed").inner_text().startswith("待答复"), 40)
    assert person.faults == []


def test_the_street_reports_from_a_phone_and_a_collector_looks(
    browser: Browser, sign_in: SignIn, installation: Installation
) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(installation.http + "/report?lang=zh")
    page.locator("#map canvas").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.select_option("select[name=kind]", "cover")
    page.fill("textarea[name=said]", "公众：井盖没有了")
    page.set_input_files("input[name=photo]", a_photo(33))  # type: ignore[arg-type]
    page.locator("#map canvas").click(position={"x": 100, "y": 80})
    assert float(page.locator("input[name=lon]").input_value()) > 100
    page.click("button.go")
    page.locator(".number").wait_for(timeout=30_000)
    assert page.locator(".state").get_attribute("data-state") == "waiting"
    desk = sign_in("dispatcher")
    desk.open("/intake#reports")
    card = desk.page.locator("[data-report]", has_text="公众：井盖没有了")
    card.locator("button.primary").click()
    desk.page.locator("dialog select[name=category]").select_option("0101")
    desk.page.locator("dialog button[type=submit]").click()
    card.locator(".gw-state").wait_for(timeout=20_000)
    page.reload()
    assert page.locator(".state").get_attribute("data-state") == "looked_at"
    checker = sign_in("checker", phone=True)
    checker.open("/tasks")
    task = checker.page.locator("article", has_text="公众：井盖没有了")
    task.locator("[data-action=assign]").click()
    task.locator("[data-action=file]").click(timeout=20_000)
    checker.page.locator("dialog input[type=file]").set_input_files(a_photo(34))  # type: ignore[arg-type]
    checker.page.locator("dialog button[type=submit]").click()
    task.wait_for(state="detached", timeout=30_000)
    page.reload()
    assert page.locator(".state").get_attribute("data-state") == "at_work"
    assert faults == desk.faults == checker.faults == []
    context.close()
