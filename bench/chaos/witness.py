"""Who looks on while things break: a wall in Chromium, and a reader of `/readyz`."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as BrowserError

from bench.installation import Installation

READ_EVERY_S = 0.2
READ_TIMEOUT_S = 1.5
LIVE_S = 30.0
# Notes, whenever it changes, all that the wall says about itself. Figures of its texts change by
# the second and are no change.
NOTE_WALL = """
(() => {
  const seen = window.wallSaid = [];
  // Not the banner of critical alarms: that is about the city.
  const said = '#link-state, #stale-picture, [role=status], [role=alert]:not(.gw-critical)';
  let last = '';
  setInterval(() => {
    const link = document.documentElement?.dataset.link || 'nothing';
    const texts = [...document.querySelectorAll(said)]
      .filter(e => e.checkVisibility && e.checkVisibility())
      .map(e => e.innerText.replace(/\\s+/g, ' ').trim()).filter(Boolean);
    const text = [...new Set(texts)].join(' | ') || `(${link})`;
    const plain = text.replace(/[0-9]+/g, '0');
    if (plain !== last) { last = plain; seen.push([Date.now() / 1000, text.slice(0, 200)]); }
  }, 200);
})();
"""


@dataclass(frozen=True)
class Answer:
    """One look at `/readyz`: 0 for no answer."""

    at: float
    status: int
    text: str


class Readyz:
    """Reads `/readyz` several times a second, each time over a new connection."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/readyz"
        self._stop = threading.Event()
        self.answers: list[Answer] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def between(self, begin: float, end: float) -> str:
        """What it said in that time, each answer once, in their order."""
        return listed([a.text for a in self.answers if begin <= a.at <= end])

    def first_answer(self, after: float) -> float | None:
        """When it first answered at all, with a request begun after that moment."""
        return next((a.at for a in self.answers if a.at >= after and a.status == 200), None)

    def _run(self) -> None:
        while not self._stop.wait(READ_EVERY_S):
            at = time.time()
            try:
                answer = httpx.get(self._url, timeout=READ_TIMEOUT_S)
                self.answers.append(Answer(at, answer.status_code, readyz_text(answer)))
            except httpx.HTTPError:
                self.answers.append(Answer(at, 0, "no answer"))


def readyz_text(answer: httpx.Response) -> str:
    """`ready`, or the status with the reasons, and the notes behind it."""
    try:
        body: dict[str, Any] = answer.json()
    except ValueError:
        return f"HTTP {answer.status_code}"
    word = "ready" if answer.status_code == 200 else "not ready"
    said = [str(each) for key in ("reasons", "notes") for each in body.get(key) or ()]
    return f"{word} ({'; '.join(said)})" if said else word


class Wall:
    """A wall, signed in and live."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def between(self, begin: float, end: float) -> str:
        """What it said of itself in that time, beginning with what it said before."""
        try:
            seen = self._page.evaluate("window.wallSaid || []")
        except BrowserError as error:
            return f"the page does not answer ({str(error).splitlines()[0][:80]})"
        before = [text for at, text in seen if at < begin][-1:]
        return listed([*before, *(text for at, text in seen if begin <= at <= end)])

    def breathe(self, seconds: float) -> None:
        """Wait; the browser's messages are taken meanwhile."""
        self._page.wait_for_timeout(1000 * seconds)


def listed(texts: Sequence[str]) -> str:
    """Each text once, whatever its figures, in the order of the first."""
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(re.sub(r"\d+", "0", text), text)
    return " → ".join(found.values())


@contextmanager
def open_wall(browser: Browser, installation: Installation) -> Iterator[Wall]:
    """A wall of a viewer, in English, once it is live."""
    context = browser.new_context(
        viewport={"width": 1920, "height": 1080}, locale="en-GB", timezone_id="Asia/Shanghai"
    )
    context.add_cookies([{"name": "lang", "value": "en", "url": installation.http}])
    page = context.new_page()
    page.add_init_script(NOTE_WALL)
    page.goto(f"{installation.http}/login")
    page.fill("form.sign-in input[name=name]", "viewer")
    page.fill("form.sign-in input[name=password]", installation.logins["viewer"])
    page.click("form.sign-in button[type=submit]")
    until = time.monotonic() + LIVE_S
    while page.evaluate("document.documentElement?.dataset.link") != "live":
        if time.monotonic() > until:
            raise TimeoutError(f"the wall was not live within {LIVE_S:g} s")
        page.wait_for_timeout(200)
    try:
        yield Wall(page)
    finally:
        with suppress(BrowserError):
            context.close()
