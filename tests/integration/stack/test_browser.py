"""The browser that the browser tests get."""

from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from stack.browser import chromium_arguments, chromium_environment, find_chromium


@pytest.mark.browser
def test_chromium_opens_a_page_and_shows_chinese_text(tmp_path: Path) -> None:
    program = find_chromium()
    assert program is not None, "no Chromium; type ./run test, which installs one"
    page_file = tmp_path / "page.html"
    page_file.write_text("<meta charset=utf-8><h1>指挥中心</h1>", encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, env=chromium_environment(), args=chromium_arguments()
        )
        page = browser.new_page()
        page.goto(page_file.as_uri())
        assert page.inner_text("h1") == "指挥中心"
        browser.close()
