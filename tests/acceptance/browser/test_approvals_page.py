"""A change of a gas rule as a second person sees it and lets it happen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from alerts.steps import default_rules
from app.settings import DEMO_DISTRICT
from bench.installation import Installation
from city.incident import Role
from db.districts import save_setting
from tests.acceptance.browser.conftest import SignIn

# Others may have asked for something, too.
CARD = "article[data-approval]:has-text('a school was built there')"


@pytest.fixture
def asked(installation: Installation, tmp_path: Path) -> Iterator[Path]:
    """The administrator asks for a lower limit; afterwards the district is as it was."""
    file = tmp_path / "gas-lel.toml"
    text = default_rules()["gas-lel.toml"]
    file.write_text(text.replace("limit = 20.0", "limit = 18.0"), encoding="utf-8")
    with psycopg.connect(installation.postgres, autocommit=True) as conn:
        save_setting(conn, DEMO_DISTRICT, "four_eyes", True, datetime.now(UTC))
        said = installation.gridwarden(
            "rules",
            "apply",
            str(file),
            "--as",
            "admin",
            "--why",
            "a school was built there",
            input=installation.logins["admin"] + "\n",
        )
        assert "waits as approval" in said.stdout, said
        yield file
        save_setting(conn, DEMO_DISTRICT, "four_eyes", False, datetime.now(UTC))
    file.write_text(text, encoding="utf-8")
    assert installation.gridwarden("rules", "apply", str(file), "--yes").returncode == 0


@pytest.fixture
def case(installation: Installation) -> tuple[int, str]:
    """A case of bicycles that a squad is sent to: its number in the address and on paper."""
    report = {"category": "04-10", "lon": 110.36, "lat": 20.01, "description": "bicycles"}
    with installation.api(Role.DISPATCHER) as centre:
        made = centre.post("/api/v1/incidents", json=report).json()
        squad = centre.get("/api/v1/squads").json()["items"][0]["code"]
        for action in ({"action": "file"}, {"action": "dispatch", "squad": squad, "note": "go"}):
            made = centre.post(
                f"/api/v1/incidents/{made['id']}/actions",
                json={**action, "version": made["version"]},
            ).json()
    return made["id"], made["number"]


def test_more_time_for_a_case_is_asked_for_on_the_console_and_had_by_the_duty_chief(
    sign_in: SignIn, case: tuple[int, str]
) -> None:
    incident_id, number = case
    centre, chief = sign_in("dispatcher", lang="en"), sign_in("leader", lang="en", theme="light")
    centre.open(f"/console#{incident_id}")
    article = f"article[data-incident='{incident_id}']"
    centre.until(lambda: centre.page.locator(f"{article} [data-action=postpone]").count() == 1, 30)
    centre.page.click(f"{article} [data-action=postpone]")
    centre.until_text("dialog", "A duty chief lets it happen")
    centre.page.fill("dialog [name=reason]", "the lorry comes tomorrow")
    centre.page.click("dialog button[type=submit]")
    centre.until_text(f"{article} [data-request]", "the lorry comes tomorrow")
    card = f"article[data-approval]:has-text('{number}')"
    chief.open("/approvals")
    chief.until_text(card, "Postpone")
    chief.page.locator(card).get_by_role("button", name="Approve").click()
    chief.page.fill("dialog [name=why]", "so be it")
    chief.page.click("dialog button[type=submit]")
    chief.until_text(card, "approved, in force")
    centre.until(lambda: centre.page.locator(f"{article} [data-request]").count() == 0)
    centre.until_text(article, "Postponed")
    for person in (centre, chief):
        assert person.faults == []


def test_a_second_person_sees_what_would_change_and_approves_it(
    sign_in: SignIn, asked: Path
) -> None:
    author, second = sign_in("admin", lang="en"), sign_in("engineer", lang="en")
    for person in (author, second):
        person.open("/approvals")
        person.until_text(CARD, "a school was built there")
    assert author.page.locator(CARD).get_by_role("button", name="Approve").count() == 0
    author.until_text(CARD, "You asked for this")
    second.until_text(f"{CARD} del", "limit = 20.0")
    second.until_text(f"{CARD} ins", "limit = 18.0")
    second.until_text(CARD, "On the readings of")
    second.page.locator(CARD).get_by_role("button", name="Approve").click()
    second.page.fill("dialog [name=why]", "right for a school")
    second.page.click("dialog button[type=submit]")
    second.until_text(CARD, "approved, in force")
    author.until_text(CARD, "right for a school")  # without a key pressed
    for person in (author, second):
        width = person.page.evaluate("document.documentElement.scrollWidth")
        assert width <= person.page.viewport_size["width"]  # type: ignore[index]
        assert person.faults == []
