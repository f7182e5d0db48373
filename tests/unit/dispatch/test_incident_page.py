"""The page in the docs shows the table that runs."""

from __future__ import annotations

from pathlib import Path

from dispatch import diagram

PAGE = Path(__file__).resolve().parents[3] / "docs" / "incident.md"


def test_the_page_shows_the_table_that_runs() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert diagram.render_mermaid().strip() in page
    assert diagram.render_table().strip() in page
