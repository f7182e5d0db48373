"""A rule is edited as text and form, tried on the past and put in force by two people; two editors
at once; a work permit on its page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from alerts.steps import default_rules
from app.settings import DEMO_DISTRICT
from bench.installation import Installation
from db.districts import save_setting
from tests.acceptance.browser.conftest import Person, SignIn

AREA = "#rules-text"
LIMIT = "[data-field='level[0].limit']"
DELAY = "[data-field='off_delay_s']"
TRIED = "#rules-tried"
CHANGED = ("gas-lel", "manhole-tilt")


@pytest.fixture
def four_eyes(installation: Installation, tmp_path: Path) -> Iterator[None]:
    """Four eyes while it lasts; afterwards the rules are as they were."""
    with psycopg.connect(installation.postgres, autocommit=True) as conn:
        save_setting(conn, DEMO_DISTRICT, "four_eyes", True, datetime.now(UTC))
        yield
        save_setting(conn, DEMO_DISTRICT, "four_eyes", False, datetime.now(UTC))
    for code in CHANGED:
        put(installation, tmp_path, code)


def put(installation: Installation, folder: Path, code: str, *changes: tuple[str, str]) -> None:
    """As somebody at the command line does it."""
    text = default_rules()[f"{code}.toml"]
    for before, after in changes:
        text = text.replace(before, after)
    file = folder / f"{code}.toml"
    file.write_text(text, encoding="utf-8")
    said = installation.gridwarden("rules", "apply", str(file), "--yes")
    assert said.returncode == 0, said


def fits(person: Person) -> bool:
    width = person.page.evaluate("document.documentElement.scrollWidth")
    return bool(width <= person.page.viewport_size["width"])  # type: ignore[index]


def start_editing(person: Person, code: str) -> int:
    """Answers which version is in force: other tests may have put some of their own."""
    person.open(f"/rules?rule={code}")
    person.until_text("[data-version]", "version 1")
    shown = person.page.locator("[data-version]").all()
    newest = max(int(one.get_attribute("data-version") or 0) for one in shown)
    person.page.get_by_role("button", name="Edit").click()
    person.until(lambda: person.page.locator(LIMIT).count() == 1)
    return newest


def value(person: Person, field: str) -> str:
    return person.page.locator(f"{field} :is(input, select)").input_value()


def test_a_gas_rule_is_tried_and_put_in_force_by_two_people(
    sign_in: SignIn, four_eyes: None
) -> None:
    author, second = sign_in("admin", lang="en"), sign_in("engineer", lang="en", phone=True)
    author.open("/rules")
    author.until_text("[data-rule=gas-lel]", "gas safety")
    author.page.fill("input[type=search]", "gas-lel")
    author.until(lambda: author.page.locator("[data-rule]").count() == 1)
    before = start_editing(author, "gas-lel")
    mine = f"[data-version='{before + 1}']"
    # The form changes the text, comments stay; the text changes the form.
    author.page.fill(f"{LIMIT} input", "18.5")
    author.page.keyboard.press("Tab")
    author.until(lambda: "limit = 18.5\n" in author.page.input_value(AREA))
    assert "# below half of the low limit" in author.page.input_value(AREA)
    author.page.fill(AREA, author.page.input_value(AREA).replace("= 300 ", "= 240 "))
    author.until(lambda: value(author, DELAY) == "240")
    # What is wrong stands beside the field, and nothing can be tried.
    author.page.fill(f"{LIMIT} input", "a lot")
    author.page.keyboard.press("Tab")
    author.until_text(LIMIT, "must be a number (a lot)")
    assert author.page.get_by_role("button", name="Try on").is_disabled()
    author.page.fill(f"{LIMIT} input", "18.5")
    author.page.keyboard.press("Tab")
    author.until(lambda: author.page.get_by_role("button", name="Try on").is_enabled())
    assert author.page.locator(f"{TRIED} [name=why]").count() == 0
    author.page.get_by_role("button", name="Try on").click()
    author.until_text(TRIED, "In the last 30 days", 60)
    author.until(lambda: author.page.locator(f"{TRIED} [name=why]").count() == 1, 60)
    author.page.get_by_role("button", name="Ask for the second person").click()
    author.until_text(TRIED, "Why this change")
    author.page.fill(f"{TRIED} [name=why]", "a school was built there")
    if author.page.locator(f"{TRIED} [name=accept]").count():
        author.page.check(f"{TRIED} [name=accept]")
    author.page.get_by_role("button", name="Ask for the second person").click()
    author.until_text(".gw-rules", "waits")
    second.open("/approvals")
    second.until_text("article del", "limit = 20.0")
    second.until_text("article ins", "limit = 18.5")
    second.until_text("article", "On the readings of")
    request = second.page.locator("article", has_text="limit = 18.5")
    request.get_by_role("button", name="Approve").click()
    second.page.fill("dialog [name=why]", "right for a school")
    second.page.click("dialog button[type=submit]")
    author.until_text(mine, "asked by admin, approved by engineer")
    author.until_text(mine, "a school was built there")
    author.until_text(f"{mine} ins", "limit = 18.5")
    second.open("/rules?rule=gas-lel")
    second.until_text(mine, "approved by engineer")
    assert fits(author)
    assert fits(second)
    assert author.faults == []
    assert second.faults == []


def test_the_second_of_two_editors_is_told_by_whom_and_what(
    sign_in: SignIn, four_eyes: None, installation: Installation, tmp_path: Path
) -> None:
    person = sign_in("engineer", lang="en", theme="light")
    person.open('/rules?rule=manhole-tilt&draft={"level[0].limit":17.5,"level[0].on_delay_s":40}')
    person.until(lambda: "limit = 17.5\non_delay_s = 40" in person.page.input_value(AREA))
    person.page.get_by_role("button", name="Try on").click()
    person.until(lambda: person.page.locator(f"{TRIED} [name=why]").count() == 1, 60)
    put(installation, tmp_path, "manhole-tilt", ("limit = 15.0", "limit = 21.0"))
    person.page.fill(f"{TRIED} [name=why]", "wind")
    person.page.get_by_role("button", name="Put in force").click()
    person.until_text(TRIED, "cli")
    person.until_text(f"{TRIED} ins", "limit = 21.0")
    person.page.get_by_role("button", name="Look at the rule").click()
    person.until_text("[data-version='2']", "cli")
    # A refusal is an error of the console; nothing else is.
    assert [fault for fault in person.faults if "409" not in fault] == []


def test_a_permit_is_made_and_ended_on_its_page(
    sign_in: SignIn, installation: Installation
) -> None:
    with psycopg.connect(installation.postgres) as conn:
        row = conn.execute(
            "SELECT code, lon, lat FROM device WHERE kind = 'manhole' ORDER BY code LIMIT 1"
        ).fetchone()
    assert row is not None
    code, lon, lat = row
    desk, crew = sign_in("dispatcher", lang="en"), sign_in("squad", phone=True)
    crew.open("/permits")
    crew.until_text("[data-part=open]", "(0)")
    desk.open("/permits")
    desk.until_text("[data-part=open]", "(0)")
    desk.page.get_by_role("button", name="New permit").click()
    for name, text in (("who", "water works"), ("why", "cleaning"), ("code", "WP-PAGE")):
        desk.page.fill(f"dialog [name={name}]", text)
    desk.page.fill("dialog [name=devices]", "NO-SUCH")
    desk.page.click("dialog button[type=submit]")
    desk.until_text("dialog", "there is no such device")
    desk.page.fill("dialog [name=devices]", "")
    desk.page.fill("dialog [name=circle]", f"{lon} {lat} 30")
    desk.page.click("dialog button[type=submit]")
    desk.until_text("[data-permit=WP-PAGE]", code)
    crew.until_text("[data-permit=WP-PAGE]", "water works")  # without a key pressed
    assert crew.page.get_by_role("button", name="提前结束").count() == 0
    desk.open("/console")
    desk.until(lambda: desk.page.locator(".leaflet-gwPermits-pane path").count() >= 2, 20)
    desk.open("/permits")
    desk.until_text("[data-permit=WP-PAGE]", "water works")
    desk.page.get_by_role("button", name="End early").click()
    desk.page.fill("dialog [name=why]", "done sooner")
    desk.page.click("dialog button[type=submit]")
    desk.until_text("[data-part=over]", "done sooner")
    crew.until_text("[data-part=over]", "WP-PAGE")
    assert fits(crew)
    assert [fault for fault in desk.faults if "422" not in fault] == []
    assert crew.faults == []
