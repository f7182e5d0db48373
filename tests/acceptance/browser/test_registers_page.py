"""An inspector on a phone scans the label of a shop; the inspection fails and is a case."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.city_commands import put_rules, shipped
from app.settings import DEMO_DISTRICT
from bench.installation import Installation
from city.incident import Role
from db.pool import connect
from db.users import draw_password
from founding.check import judge_folder
from founding.export import write_folder
from founding.steps import apply_city, read_city
from registers.entries import short_code
from registers.shipped import shipped_registers
from tests.acceptance.browser.conftest import Person, SignIn

SHORT = short_code(DEMO_DISTRICT, "shopfronts", "S-1")
SHOP = "code,name,licence,owner,lon,lat\nS-1,王记面馆,91460107S1,王小明,110.36,20.0\n"


@pytest.fixture
def shop(installation: Installation) -> None:
    """The city as it is, with one shop in the list of the merchants."""
    lists = ("register", "register_entry")
    with connect(installation.postgres) as conn:
        files = write_folder(read_city(conn, DEMO_DISTRICT))
        files["registers/shopfronts.csv"] = SHOP.encode()
        city, faults = judge_folder(files, shipped())
        assert faults == []
        assert city is not None
        now = datetime.now(UTC)
        apply_city(
            conn, city, "cli", now, put_rules=put_rules, new_password=draw_password, only=lists
        )


def answer(person: Person, item: str, word: str) -> None:
    person.page.locator(f"label:has(input[name={item}][value={word}])").tap()


def test_a_scanned_shop_that_fails_its_inspection_is_a_case(
    shop: None, sign_in: SignIn, installation: Installation
) -> None:
    squad = sign_in("squad", phone=True, lang="en")
    squad.open(f"/r/{SHORT}")
    squad.until_text(".gw-register-lines", "Clean: no litter")
    squad.until_text(".gw-register-offences", "No earlier offence")
    squad.page.get_by_role("button", name="Inspect").tap()
    send = squad.page.get_by_role("button", name="Send")
    send.wait_for()
    assert send.is_disabled()
    items = [item.code for item in shipped_registers()["shopfronts"].items]
    for item in items:
        answer(squad, item, "fail" if item == "trade" else "ok")
    squad.until_text(".gw-inspection output", "75 · fails")
    squad.until_text(".gw-inspection .gw-register-offences", "First offence")
    squad.page.fill("[name=note]", "goods on the pavement")
    send.tap()
    squad.until_text(".gw-inspection-done", "Failed with 75")
    case = installation.api(Role.DISPATCHER).get("/incidents", params={"category": "04-05"})
    found = case.json()["items"][0]
    assert found["number"] in squad.page.inner_text(".gw-inspection-done")
    squad.page.get_by_role("button", name="Back").tap()
    squad.until_text(".gw-register-offences", "1 earlier")
    squad.until_text(".gw-register-lines", "goods on the pavement")
    wide = squad.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= squad.page.evaluate("innerWidth")
    assert squad.faults == []
    assert squad.abroad == []

    leader = sign_in("leader", lang="en")
    leader.open(f"/registers?entry={SHORT}")
    leader.until_text(".gw-register-fields", "王**")
    assert leader.page.get_by_role("button", name="Inspect").count() == 0
    assert "王小明" not in leader.page.content()
