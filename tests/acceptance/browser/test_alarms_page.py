"""The alarm workbench as a dispatcher works with it, and a flood on every screen."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.settings import DEMO_DISTRICT
from bench.installation import Installation, wait_for
from city.incident import Role
from db.pool import connect
from tests.acceptance.browser.conftest import SignIn

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OPENED = 14


def quiet_devices(installation: Installation, kind: str, count: int) -> list[str]:
    """Devices of the demonstration without a live alarm."""
    with connect(installation.postgres) as conn:
        rows = conn.execute(
            """
            SELECT code FROM device d
            WHERE kind = %s AND format = 'native' AND out_of_service_since IS NULL
              AND NOT EXISTS (SELECT FROM alarm a WHERE a.device_id = d.id AND a.state <> 'normal')
            ORDER BY code DESC LIMIT %s
            """,
            (kind, count),
        ).fetchall()
    return [row[0] for row in rows]


def say(installation: Installation, kind: str, code: str, **readings: float) -> None:
    body: dict[str, Any] = {"ts": int(time.time() * 1000), "readings": readings}
    installation.publish(f"city/v1/{DEMO_DISTRICT}/{kind}/{code}/telemetry", body)


def test_a_dispatcher_works_through_alarms_and_a_flood(
    installation: Installation, sign_in: SignIn
) -> None:
    covers = quiet_devices(installation, "manhole", OPENED)
    (gas,) = quiet_devices(installation, "gas", 1)
    clerk = sign_in("dispatcher", lang="en")
    clerk.open("/alarms")
    clerk.until(clerk.is_live, 30)
    for code in covers:
        say(installation, "manhole", code, cover_open=1)
    say(installation, "gas", gas, ch4_pct_lel=60.0)
    api = installation.api(Role.DISPATCHER)
    live = {"live": "true", "condition": "cover", "limit": 500}

    def raised() -> bool:
        items = api.get("/alarms", params=live).json()["items"]
        return {a["device"] for a in items} >= set(covers)

    wait_for(raised, 30)

    # The flood: gas by itself on top, the covers as a cause.
    page = clerk.page
    clerk.until_text("#alarms-flood", "Alarm flood", 30)
    clerk.until_text("#alarms-flood .gw-flood-gas", "60 %LEL", 20)
    assert page.locator("#alarms-flood li.gw-flood-gas ~ li summary").count() >= 1

    # One alarm: why, where, what to do.
    page.select_option("[data-filter-of=condition]", "gas")
    clerk.until(lambda: page.locator(f"tr:has-text('{gas}')").count() or True)
    page.locator("[data-alarm-row][data-severity='1'] .gw-as-link").first.click()
    clerk.until_text("#alarms-detail", "Act within 5 min")
    clerk.until_text("#alarms-detail", "Send the gas squad")
    assert page.locator("[data-alarm-row][data-severity='1'] input").count() == 0

    # The sound is silenced here, and nothing is acknowledged by it.
    silence = page.locator("#silence")
    clerk.until(silence.is_visible)
    silence.click()
    clerk.until(lambda: not silence.is_visible())
    gas_now = {"live": "true", "condition": f"gas/{gas}"}
    (unseen,) = api.get("/alarms", params=gas_now).json()["items"]
    assert (unseen["state"], unseen["version"]) == ("unacknowledged", 1)

    # Red gas is asked for; it stands on.
    page.locator("#alarms-detail [data-alarm-verb=shelve]").click()
    page.fill("dialog [name=reason]", "the pipe is being flushed")
    page.locator("dialog button[type=submit]").click()
    clerk.until_text("#notice", "Waits as approval")

    # Everything else at once.
    page.select_option("[data-filter-of=condition]", "cover")
    clerk.until(lambda: page.locator("[data-alarm-row]").count() >= OPENED)
    page.get_by_label("Pick all").check()
    page.get_by_role("button", name="Acknowledge ").first.click()
    clerk.until_text("#notice", "acknowledged")
    seen = api.get("/alarms", params=live).json()["items"]
    assert all(a["state"] == "acknowledged" for a in seen if a["device"] in covers)

    # One is shelved, and stands in the register with who, why and until.
    page.locator("[data-alarm-row] .gw-as-link").first.click()
    page.locator("#alarms-detail [data-alarm-verb=shelve]").click()
    page.fill("dialog [name=reason]", "works with a fence")
    page.locator("dialog button[type=submit]").click()
    clerk.until_text("#notice", "Done")
    page.locator("[data-alarms-tab=shelved]").click()
    clerk.until_text("#alarms-body", "works with a fence")
    clerk.until_text("#alarms-body", "dispatcher")

    # The measures, and what would make a bad actor quieter.
    page.locator("[data-alarms-tab=measures]").click()
    clerk.until_text("[data-measure=flood]", "1 floods", 20)
    page.locator("[data-actors=top] button").first.click()
    clerk.until_text("[data-actors=top]", "alarms gained", 60)
    link = page.locator("[data-proposal] a").first.get_attribute("href") or ""
    assert link.startswith("/rules?rule=")

    # The same flood on the wall and at the console, in the other language, nothing broken.
    wall = sign_in("leader")
    wall.open("/wall")
    wall.until_text(".gw-panel.alarms h2", "报警洪泛", 30)
    wall.until_text("#wall-alarms .gw-flood-gas", "60 %LEL")
    clerk.open("/console")
    clerk.until_text("#console-flood", "Alarm flood: top causes", 30)
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/alarms", "/alarms?tab=measures", "/alarms?tab=out", "/alarms?tab=suppressed"):
        clerk.open(path)
        clerk.until(clerk.is_live, 30)
        clerk.until(lambda: page.locator("#alarms-body > *").count() > 0, 20)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    for person in (clerk, wall):
        assert (person.faults, person.abroad) == ([], [])
    for code in covers:
        say(installation, "manhole", code, cover_open=0)
    say(installation, "gas", gas, ch4_pct_lel=0.0)
