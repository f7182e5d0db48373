"""People and tokens as an administrator changes them, and as the person notices."""

from __future__ import annotations

import pytest

from tests.acceptance.browser.conftest import SignIn

PASSWORD = "a long enough password"


def test_a_person_is_added_promoted_and_shut_out_while_they_watch(
    sign_in: SignIn, installation
) -> None:
    admin = sign_in("admin", lang="en")
    admin.open("/people")
    admin.page.click("[data-people=user_new]")
    admin.page.fill("dialog [name=name]", "newcomer")
    admin.page.fill("dialog [name=password]", PASSWORD)
    admin.page.click("dialog button[type=submit]")
    row = admin.page.locator(".gw-people-table tr", has_text="newcomer")
    row.wait_for()

    installation.logins["newcomer"] = PASSWORD
    newcomer = sign_in("newcomer", lang="en")
    assert newcomer.page.locator("a[href='/console']").count() == 0
    row.locator("[data-people=role]").click()
    admin.page.select_option("dialog [name=role]", "dispatcher")
    admin.page.click("dialog button[type=submit]")
    newcomer.page.locator("a[href='/console']").wait_for()
    newcomer.until(newcomer.is_live, 30)

    admin.until_text(".gw-people-table tr", "Dispatcher")
    row.locator("[data-people=disable]").click()
    admin.page.click("dialog button[type=submit]")
    newcomer.until(lambda: "/login" in newcomer.page.url)
    admin.until_text(".gw-people-table tr", "shut out")
    assert admin.faults == []
    # A request that is under way when somebody is shut out is refused, and the browser says so.
    assert all("401" in fault for fault in newcomer.faults), newcomer.faults


@pytest.mark.parametrize("phone", [True, False])
def test_the_page_fits_its_screen(sign_in: SignIn, phone: bool) -> None:
    person = sign_in("admin", phone=phone)
    person.open("/people")
    person.page.locator(".gw-people-table").first.wait_for()
    width = person.page.evaluate("document.documentElement.scrollWidth")
    assert width <= person.page.viewport_size["width"]  # type: ignore[index]
    assert person.faults == []
