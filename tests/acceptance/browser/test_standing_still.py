"""What every screen says while a part of the installation is frozen: real processes, real browser.

Frozen, not killed: what is killed comes back by itself within seconds (`test_survival`), what hangs
keeps its connections and looks alive from outside.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import DEMO_DISTRICT
from bench.installation import Installation, wait_for
from tests.acceptance.browser.conftest import Person, SignIn
from tests.acceptance.test_survival import child_of, server_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Eight seconds without a beat and, for a frozen broker, two missed pings; the rest is for a
# machine that is busy with other tests.
SAID_S = 45
LIVE_S = 60


@pytest.fixture(autouse=True)
def something_was_heard(installation: Installation) -> None:
    """No simulator runs here: after some minutes without a message the screens would say so."""
    installation.publish(
        f"city/v1/{DEMO_DISTRICT}/gas/GAS-000700/telemetry",
        {"ts": int(time.time() * 1000), "readings": {"o2_pct_vol": 20.9}},
    )


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def family(pid: int) -> list[int]:
    """A process and its children, the parent first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def says(person: Person, text: str) -> None:
    person.until_text("#stale-picture", text, SAID_S)
    chip = person.page.locator("#link-state").inner_text()
    assert chip not in ("实时", "Live")


def is_well(person: Person) -> None:
    person.until(lambda: not person.page.locator("#stale-picture").is_visible(), LIVE_S)
    person.until(
        lambda: person.page.locator("#link-state").inner_text() in ("实时", "Live"), LIVE_S
    )


def old(person: Person) -> set[str]:
    return set((person.page.locator("html").get_attribute("data-old") or "").split())


def unready(installation: Installation, part: str) -> dict[str, Any]:
    """The part as the health page has it, once that says that it is not well."""

    def look() -> dict[str, Any] | None:
        answer = httpx.get(f"{installation.http}/readyz", timeout=15)
        checks = {check["part"]: check for check in answer.json()["checks"]}
        if checks[part]["ok"] is not False:
            return None
        assert answer.status_code == 503
        return dict(checks[part])

    return wait_for(look, SAID_S, pause_s=0.5)


def is_ready(installation: Installation) -> None:
    wait_for(
        lambda: httpx.get(f"{installation.http}/readyz", timeout=15).status_code == 200, LIVE_S
    )


def test_without_ingest_wall_console_and_phone_say_that_there_are_no_readings(
    installation: Installation, sign_in: SignIn
) -> None:
    wall, console = sign_in("viewer"), sign_in("dispatcher", lang="en", theme="light")
    phone = sign_in("squad", phone=True)
    for person in (wall, console, phone):
        is_well(person)
    with frozen(child_of(installation, "ingest")):
        says(wall, "没有读数")
        says(wall, "接入程序没有响应 · 自")
        says(console, "No readings for")
        says(phone, "没有读数")
        assert "readings" in old(wall)
        hatch = "getComputedStyle(document.querySelector('.gw-map'), '::after').backgroundImage"
        assert "gradient" in wall.page.evaluate(hatch)
        assert unready(installation, "ingest")["code"] == "ingest_absent"
        # The web server itself is well: nobody may take it away.
        assert httpx.get(f"{installation.http}/readyz", params={"of": "web"}).status_code == 200
    for person in (wall, console, phone):
        is_well(person)
        assert person.faults == []
    assert wall.page.evaluate(hatch) == "none"
    is_ready(installation)


@pytest.mark.parametrize(
    ("verb", "text", "part", "what_is_old"),
    [
        ("engine", "没有判断报警", "engine", "alarms"),
        ("scheduler", "没有检查时限", "scheduler", "incidents"),
    ],
)
def test_a_program_that_hangs_is_said_and_what_it_makes_old_is_hatched(
    installation: Installation, sign_in: SignIn, verb: str, text: str, part: str, what_is_old: str
) -> None:
    wall = sign_in("viewer")
    is_well(wall)
    with frozen(child_of(installation, verb)):
        says(wall, text)
        assert what_is_old in old(wall)
        assert wall.page.locator("html[data-link=live][data-stale=no]").count() == 1
        assert unready(installation, part)["since"]
    is_well(wall)


def test_a_broker_that_hangs_is_said_though_its_connections_stand(
    installation: Installation, sign_in: SignIn
) -> None:
    wall = sign_in("viewer")
    is_well(wall)
    with frozen(server_of(installation, "mosquitto")):
        says(wall, "连不上消息代理")
        assert unready(installation, "broker")["code"] == "broker_away"
    is_well(wall)


def test_a_database_that_hangs_is_said_by_the_web_server_that_cannot_ask_it(
    installation: Installation, sign_in: SignIn
) -> None:
    wall = sign_in("viewer")
    is_well(wall)
    with frozen(*family(server_of(installation, "postgres"))):
        says(wall, "数据库已")
        assert wall.page.locator("html[data-stale=yes]").count() == 1
        assert unready(installation, "database")["code"] == "database_away"
    is_well(wall)
    is_ready(installation)


def test_a_web_server_that_hangs_is_noticed_by_the_screen_itself(
    installation: Installation, sign_in: SignIn
) -> None:
    wall, phone = sign_in("viewer"), sign_in("squad", phone=True, lang="en")
    pid = child_of(installation, "serve")
    with frozen(*family(pid)):
        says(wall, "画面停在")
        says(phone, "Picture from")
        assert wall.page.locator("html[data-stale=yes]").count() == 1
    is_well(wall)
    is_well(phone)
