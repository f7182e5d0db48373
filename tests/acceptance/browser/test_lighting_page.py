"""A dispatcher switches a cabinet on the page, the lamps answer over the broker, and it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from bench.installation import Installation
from city.lighting import NightOfStreet
from db import lamp_states
from db.pool import connect
from tests.acceptance.browser.conftest import SignIn
from tests.integration.lighting.lamps import Lamps, obey

DISTRICT = "460107"
SILENT = "LT-000030"


@pytest.fixture
def lamps(installation: Installation) -> Iterator[Lamps]:
    """All lamps answer, but one."""

    def answer(topic: str, payload: bytes) -> list[tuple[str, bytes]]:
        return [] if SILENT in topic else list(obey(topic, payload))

    with Lamps(installation.mqtt, answer).listening("city/v1/+/light/+/command") as found:
        yield found


@pytest.fixture
def nights(installation: Installation) -> date:
    """The newest of three nights on record."""
    newest = datetime.now(UTC).date() - timedelta(days=2)
    with connect(installation.postgres) as conn:
        for back in range(3):
            night = newest - timedelta(days=back)
            row = NightOfStreet(night, "460107001", "", 10, 240, 216, 24, 0, 120, 12, 0)
            lamp_states.save_night(conn, DISTRICT, [row], datetime.now(UTC))
    return newest


def test_a_cabinet_is_switched_and_a_programme_is_made(
    lamps: Lamps, nights: date, sign_in: SignIn, installation: Installation
) -> None:
    person = sign_in("dispatcher", lang="en")
    page = person.page
    person.open("/lighting")
    person.until_text(".gw-lighting-streets", "国兴街道")
    person.until_text("#lighting-nights", "90.0%")
    assert "216 / 240" in page.inner_text("#lighting-nights")

    page.click("[data-cabinet=CAB-002]")
    person.until(lambda: page.locator(".gw-lighting-lamp").count() == 25)
    page.locator("section:has(.gw-lighting-dots)").get_by_role("button", name="Command").click()
    page.get_by_role("button", name="Send").click()
    person.until_text(".gw-form-error", "Level")
    page.fill("dialog [name=level]", "40")
    page.fill("dialog [name=why]", "a feast <b>tonight</b>")
    page.get_by_role("button", name="Send").click()
    person.until_text("#lighting-orders", "done 24", 30)
    assert "a feast <b>tonight</b>" in page.inner_text("#lighting-orders")
    assert "sent 1" in page.inner_text("#lighting-orders")
    (asked,) = lamps.heard[f"city/v1/{DISTRICT}/light/{SILENT}/command"]
    assert json.loads(asked)["level"] == 40
    page.locator("#lighting-orders summary").first.click()
    person.until_text(".gw-lighting-commands", SILENT)
    page.get_by_role("button", name="Cancel what is open").click()
    page.fill("dialog [name=why]", "its driver is broken")
    page.locator("dialog").get_by_role("button", name="Cancel what is open").click()
    person.until_text("#lighting-orders", "cancelled 1")

    page.get_by_role("button", name="New programme").click()
    for name, text in (("code", "main"), ("name_zh", "主干道"), ("name_en", "Main roads")):
        page.fill(f"dialog [name={name}]", text)
    page.fill("dialog [name=steps]", "sunset-10 100\n25:30 60")
    page.fill("dialog [name=why]", "pilot")
    page.get_by_role("button", name="Put in force").click()
    person.until_text(".gw-form-error", "HH:MM")
    page.fill("dialog [name=steps]", "sunset-10 100\n23:30 60 workday\nsunrise+10 0")
    page.get_by_role("button", name="Try again").click()
    person.until_text(".gw-lighting-programme", "23:30 → 60 % · working days")
    page.locator(".gw-lighting-programme").get_by_role("button", name="Assign").click()
    page.select_option("dialog [name=where]", "cabinet:CAB-002")
    page.fill("dialog [name=why]", "pilot")
    page.locator("dialog").get_by_role("button", name="Assign").click()
    person.until_text(".gw-lighting-programme", "Cabinet CAB-002 · next step")
    assert [fault for fault in person.faults if "422" not in fault] == []  # the refused steps
    assert person.abroad == []

    reader = sign_in("viewer", phone=True)
    reader.open("/lighting")
    reader.until_text(".gw-lighting-streets", "国兴街道")
    assert reader.page.get_by_role("button", name="下达指令").count() == 0
    assert reader.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    reader.page.locator("[data-cabinet=CAB-002]").or_(
        reader.page.locator(".gw-lighting-tile").first
    ).first.tap()
    reader.until(lambda: reader.page.locator(".gw-lighting-lamp").count() > 0)
    assert reader.faults == []
