"""Settings as an administrator changes them in a browser."""

from __future__ import annotations

import csv
import io

import pytest

from tests.acceptance.browser.conftest import Person, SignIn

PHONE_NUMBER = "0898-1234567"
WHY = "the squad moved to another office"
ROW = ".gw-settings-table tbody tr"


def open_squads(person: Person) -> None:
    person.open("/settings?part=squads")
    person.page.locator(ROW).first.wait_for()


def test_a_telephone_is_changed_seen_before_put_in_force_and_found_in_the_history(
    sign_in: SignIn,
) -> None:
    admin = sign_in("admin", lang="en")
    open_squads(admin)
    code = admin.page.locator(ROW).first.get_attribute("data-key")
    assert code
    admin.page.locator(ROW).first.get_by_role("button", name="Edit").click()
    admin.page.fill("dialog [name=shifts]", "every day")
    admin.page.click("dialog button[type=submit]")
    admin.until_text("dialog .gw-form-error", "must be like 1-5 08:00-12:00")
    admin.page.fill("dialog [name=shifts]", "")
    admin.page.fill("dialog [name=phone]", PHONE_NUMBER)
    admin.page.click("dialog button[type=submit]")
    admin.until_text(".gw-settings-plan", f"Squad {code}: changed")
    admin.until_text(".gw-settings-plan ins", PHONE_NUMBER)

    admin.page.get_by_role("button", name="Put in force").click()
    admin.page.fill("dialog [name=why]", WHY)
    admin.page.click("dialog button[type=submit]")
    admin.until_text(ROW, PHONE_NUMBER)
    admin.page.locator(ROW).first.get_by_role("button", name="History").click()
    admin.until_text(".gw-settings-history q", WHY)
    admin.until_text(".gw-settings-history ins", PHONE_NUMBER)
    assert admin.faults == []


def test_an_uploaded_file_with_a_fault_names_the_row_and_cannot_be_put_in_force(
    sign_in: SignIn,
) -> None:
    admin = sign_in("admin", lang="en")
    open_squads(admin)
    with admin.page.expect_download() as download:
        admin.page.get_by_role("link", name="CSV").click()
    rows = list(csv.reader(download.value.path().read_text("utf-8-sig").splitlines()))
    rows[2][rows[0].index("lon")] = "east"
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    with admin.page.expect_file_chooser() as chooser:
        admin.page.get_by_role("button", name="Upload a file").click()
    chooser.value.set_files(
        {"name": "squads.csv", "mimeType": "text/csv", "buffer": text.getvalue().encode()}
    )
    faulty = admin.page.locator(".gw-settings-plan li[data-row='3']")
    faulty.wait_for()
    assert "row 3 · Longitude" in faulty.inner_text()
    assert rows[2][0] in faulty.inner_text()
    assert admin.page.get_by_role("button", name="Put in force").count() == 0
    admin.page.get_by_role("button", name="Back").click()
    admin.page.locator(ROW).first.wait_for()
    assert admin.faults == []


def test_who_was_slower_sees_what_the_other_one_changed(sign_in: SignIn) -> None:
    one, other = sign_in("admin", lang="en"), sign_in("admin", lang="en")
    for person, number in ((one, "111"), (other, "222")):
        open_squads(person)
        person.page.locator(ROW).nth(1).get_by_role("button", name="Edit").click()
        person.page.fill("dialog [name=phone]", number)
        person.page.click("dialog button[type=submit]")
        person.until_text(".gw-settings-plan ins", number)
    for person in (one, other):
        person.page.get_by_role("button", name="Put in force").click()
        person.page.fill("dialog [name=why]", WHY)
        person.page.click("dialog button[type=submit]")
        if person is one:
            person.until_text(ROW, "111")
    other.until_text("dialog .gw-form-error", "Somebody else changed it meanwhile")
    other.until_text("dialog .gw-form-error", "→ 111")


@pytest.mark.parametrize("name", ["leader", "engineer"])
def test_who_may_only_read_finds_no_way_to_change(sign_in: SignIn, name: str) -> None:
    person = sign_in(name, lang="en")
    open_squads(person)
    assert person.page.locator("#settings-parts a", has_text="People").count() == 0
    assert person.page.get_by_role("button", name="Edit").count() == 0
    assert person.page.get_by_role("button", name="Add").count() == 0
    assert person.faults == []


@pytest.mark.parametrize("phone", [True, False])
def test_every_part_fits_its_screen(sign_in: SignIn, phone: bool) -> None:
    person = sign_in("admin", phone=phone)
    for part in ("people", "squads", "categories", "limits", "divisions", "rules"):
        person.open(f"/settings?part={part}")
        person.page.locator(ROW).first.wait_for()
        width = person.page.evaluate("document.documentElement.scrollWidth")
        assert width <= person.page.viewport_size["width"], part  # type: ignore[index]
    assert person.faults == []
