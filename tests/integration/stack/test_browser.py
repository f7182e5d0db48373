"""The browser that the browser tests get."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser


@pytest.mark.browser
def test_chromium_opens_a_page_and_shows_chinese_text(browser: Browser, tmp_path: Path) -> None:
    page_file = tmp_path / "page.html"
    page_file.write_text("<meta charset=utf-8><h1>指挥中心</h1>", encoding="utf-8")
    page = browser.new_page()
    page.goto(page_file.as_uri())
    assert page.inner_text("h1") == "指挥中心"
    page.close()
