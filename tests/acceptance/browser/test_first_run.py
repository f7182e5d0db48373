"""From an empty data folder to the wall, with nothing but a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pyotp
from playwright.sync_api import Browser, expect

from bench.installation import wait_for
from tests.acceptance.browser.conftest import DESK, PHONE, Person, watch
from tests.acceptance.test_city import SAMPLE
from tests.acceptance.test_up import address, up

PASSWORD = "a long enough password"


def test_a_browser_founds_the_city_and_its_administrator_sees_the_wall(
    browser: Browser, tmp_path: Path
) -> None:
    with up(tmp_path / "data") as process:
        http = address(tmp_path / "data", process)
        log = tmp_path / "up.log"
        printed = wait_for(lambda: re.search(r"http\S+/setup\?code=\S+", log.read_text()), 30)
        context = browser.new_context(viewport=PHONE)
        person = Person(context.new_page(), context, http)
        watch(person)
        page = person.page
        page.goto(printed[0] + "&lang=en")
        page.fill("input[name=code]", "991201")
        page.fill("input[name=name_zh]", "星洲区")
        page.fill("input[name=name_en]", "Xingzhou District")
        page.set_input_files("input[name=boundary]", SAMPLE / "boundary.geojson")
        page.check("input[name=names][value=file]")
        page.set_input_files("input[name=divisions]", SAMPLE / "divisions.csv")
        page.check("input[name=grid][value=yes]")
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
        page.goto(http + "/console")
        expect(page.locator(".gw-nudge")).to_have_text(re.compile("Next steps"))
        page.goto(http + "/wall")
        person.until(person.is_live, 30)
        person.until_text("body", "Xingzhou District", 20)
        page.click("[data-sign-out]")
        page.fill("input[name=name]", "lin.admin")
        page.fill("input[name=password]", PASSWORD)
        page.click("button.go")
        page.fill("input[name=code]", recovery)
        page.click("button.go")
        person.until(person.is_live, 30)
        assert not person.faults
        page.goto(printed[0])
        expect(page.get_by_role("alert")).to_be_visible()
        context.close()
