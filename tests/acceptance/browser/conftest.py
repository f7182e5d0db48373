"""A real Chromium, and a person in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from bench.installation import Installation, wait_for

DESK = {"width": 1920, "height": 1080}
PHONE = {"width": 390, "height": 844}


@dataclass
class Person:
    """Somebody signed in, on their screen; remembers everything that went wrong in the page."""

    page: Page
    context: BrowserContext
    base: str
    faults: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.base + path, wait_until="domcontentloaded")

    def until(self, look: Callable[[], Any], timeout_s: float = 30) -> Any:
        """Wait without `wait_for_function`: it needs eval, which the page's policy forbids."""

        def looked() -> Any:
            self.page.wait_for_timeout(50)
            return look()

        return wait_for(looked, timeout_s)

    def until_text(self, selector: str, text: str, timeout_s: float = 30) -> None:
        self.until(
            lambda: text in " ".join(self.page.locator(selector).all_inner_texts()), timeout_s
        )

    def is_live(self) -> bool:
        """Through a locator: unlike `evaluate` it survives a page that is just being replaced."""
        return self.page.locator("html[data-link=live]").count() == 1


SignIn = Callable[..., Person]


@pytest.fixture
def sign_in(browser: Browser, installation: Installation) -> Iterator[SignIn]:
    """Sign a demo user in: name, and how their screen is set up."""
    with ExitStack() as opened:

        def enter(name: str, *, phone: bool = False, **cookies: str) -> Person:
            context = browser.new_context(
                viewport=PHONE if phone else DESK,
                has_touch=phone,
                is_mobile=phone,  # type: ignore[arg-type]
            )
            opened.callback(context.close)
            chosen = {"lang": "zh", "theme": "dark"} | cookies
            context.add_cookies(
                [{"name": k, "value": v, "url": installation.http} for k, v in chosen.items()]
            )
            person = Person(context.new_page(), context, installation.http)
            watch(person)
            person.open("/login")
            person.page.fill("form.sign-in input[name=name]", name)
            person.page.fill("form.sign-in input[name=password]", installation.logins[name])
            person.page.click("form.sign-in button[type=submit]")
            person.until(person.is_live, 30)
            return person

        yield enter


def watch(person: Person) -> None:
    """Collect page errors, console errors and requests that leave the machine."""
    own = (person.base, "data:", "blob:")
    person.page.on("pageerror", lambda error: person.faults.append(str(error)))
    person.page.on(
        "console", lambda said: person.faults.append(said.text) if said.type == "error" else None
    )
    person.page.on(
        "request",
        lambda request: None if request.url.startswith(own) else person.abroad.append(request.url),
    )
