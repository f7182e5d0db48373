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
