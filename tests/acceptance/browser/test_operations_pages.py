"""What a person sees at night: whether data arrives, who is refused, and the way back."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from app.settings import DEMO_DISTRICT
from bench.installation import Installation, wait_for
from city.incident import Role
from db.pool import connect
from tests.acceptance.browser.conftest import Person, SignIn

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES = [(1920, 1080), (1366, 768), (390, 844)]


def report(installation: Installation, code: str, value: float = 1.25) -> None:
    """A gas device reports; whether anybody knows it or not."""
    body = {"ts": int(time.time() * 1000), "readings": {"ch4_pct_lel": value}}
    installation.publish(f"city/v1/{DEMO_DISTRICT}/gas/{code}/telemetry", body)


def waiting(installation: Installation, **filters: str) -> list[dict[str, Any]]:
    api = installation.api(Role.DISPATCHER)
    found: list[dict[str, Any]] = api.get("/rejects", params=filters).json()["items"]
    return found


def a_known_device(installation: Installation) -> str:
    found = installation.api(Role.ADMIN).get("/devices", params={"kind": "gas", "limit": 400})
    return str(next(d["code"] for d in found.json()["items"] if d["format"] == "native"))


def width(person: Person) -> int:
    return int(person.page.evaluate("document.documentElement.scrollWidth"))


def open_page(sign_in: SignIn, path: str, **how: Any) -> Person:
    person = sign_in("dispatcher", **how)
    person.open(path)
    person.until(person.is_live, 30)
    return person


def test_a_message_that_arrives_is_on_the_operations_page_within_seconds(
    sign_in: SignIn, installation: Installation
) -> None:
    report(installation, a_known_device(installation))
    person = open_page(sign_in, "/operations")
    person.until_text(".gw-feeds th", "本平台格式", 20)
    assert person.page.locator(".gw-feeds .gw-bars").count() >= 1
    person.until_text(".gw-workers", "worker-1", 20)
    absent = person.page.locator(".gw-verdict li", has_text="没有运行").all_inner_texts()
    assert absent == []
    assert person.page.locator(".gw-imbalances").count() == 0
    assert person.abroad == []
    assert person.faults == []


def test_a_refused_message_is_read_its_device_registered_and_the_message_replayed(
    sign_in: SignIn, installation: Installation, tmp_path: Any
) -> None:
    code = f"gas-late-{time.time_ns()}"
    for value in (1.0, 2.0, 3.0):
        report(installation, code, value)
    wait_for(lambda: len(waiting(installation, device=code)) == 3, 20)

    person = open_page(sign_in, f"/quarantine?device={code}")
    group = person.page.locator(".gw-groups tr", has_text=code)
    group.wait_for(timeout=20_000)
    assert group.locator("a").get_attribute("href") == f"/devices?discovered=native/{code}"
    person.until(lambda: person.page.locator("[data-reject]").count() == 3)
    person.page.locator("[data-reject]").first.click()
    person.until_text(".gw-raw", '"ch4_pct_lel": 3.0')
    person.until_text(".gw-now", "设备未登记")
    person.page.locator("[data-replay-reject]").click()
    person.until_text("#notice", "仍拒收")
    assert len(waiting(installation, device=code)) == 3

    file = tmp_path / "late.csv"
    file.write_text(f"code,kind,name,lon,lat\n{code},gas,迟到的设备,110.36,20.0\n", "utf-8")
    done = installation.gridwarden("device", "import", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    person.page.locator("[data-reject]").nth(1).click()
    person.until_text(".gw-now", "现在可以入库")
    group.locator("[data-replay-group]").click()
    person.until_text("#notice", "入库 3 条")
    person.until(lambda: group.count() == 0)
    assert waiting(installation, device=code) == []
    balanced = installation.gridwarden("ledger", "verify")
    assert balanced.returncode == 0, balanced.stdout
    assert person.faults == []


def test_what_a_stranger_writes_is_text_and_never_part_of_the_page(
    sign_in: SignIn, installation: Installation
) -> None:
    wicked = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    installation.publish(f"city/v1/{DEMO_DISTRICT}/gas/wicked/telemetry", wicked)
    wait_for(lambda: waiting(installation, device="wicked"), 20)
    person = open_page(sign_in, "/quarantine?device=wicked")
    person.page.locator("[data-reject]").first.click()
    person.until_text(".gw-raw", "onerror")
    assert person.page.title() != "1"
    assert person.abroad == []
    assert person.faults == []


def test_counts_and_replays_are_at_hand_on_the_command_line_too(
    installation: Installation,
) -> None:
    code = f"gas-cli-{time.time_ns()}"
    for _ in range(2):
        report(installation, code)
    wait_for(lambda: len(waiting(installation, device=code)) == 2, 20)
    counted = installation.gridwarden("reject", "counts", "--device", code, "--json")
    (group,) = json.loads(counted.stdout)
    assert (group["device"], group["waiting"], group["reason"]) == (code, 2, "device_unknown")
    listed = installation.gridwarden("reject", "list", "--device", code)
    assert listed.stdout.count(code) >= 2
    again = installation.gridwarden("reject", "replay", "--device", code)
    assert "replayed 0, still refused 2" in again.stdout
    assert "device_unknown: 2" in again.stdout


def silence_a_gateway(installation: Installation, *codes: str) -> str:
    """A gateway that said good-bye ten minutes ago, and devices that have no other way."""
    identity = f"gw-{time.time_ns()}"
    with connect(installation.postgres) as conn:
        conn.execute(
            """
            WITH made AS (
                INSERT INTO gateway (format, identity, kind, district, online, status_at, heard_at,
                                     attributes, first_seen)
                VALUES ('chirpstack', %(name)s, 'lorawan_gateway', %(district)s, false,
                        now() - interval '10 min', now() - interval '11 min', '{}',
                        now() - interval '9 days') RETURNING id)
            INSERT INTO device_gateway (device_id, gateway_id, heard_at, rssi_dbm, snr_db)
            SELECT device.id, made.id, now() - interval '11 min', -101, 4.5
            FROM device, made WHERE code = ANY(%(codes)s)
            """,
            {"name": identity, "district": DEMO_DISTRICT, "codes": list(codes)},
        )
        conn.execute(
            """
            UPDATE device_latest SET received_at = now() - interval '11 min'
            WHERE device_id IN (SELECT id FROM device WHERE code = ANY(%s))
            """,
            (list(codes),),
        )
        conn.execute(
            "UPDATE device SET report_interval_s = 20 WHERE code = ANY(%s)", (list(codes),)
        )
        conn.commit()
    return identity


def test_a_silent_gateway_says_what_it_explains_and_its_devices_say_why_they_are_silent(
    sign_in: SignIn, installation: Installation
) -> None:
    api = installation.api(Role.DISPATCHER)
    known = api.get("/devices", params={"kind": "gas", "limit": 400}).json()["items"]
    talker, *codes = [d["code"] for d in known if d["format"] == "native"][60:63]
    for code in codes:
        report(installation, code)
    wait_for(lambda: all(api.get(f"/devices/{code}").json()["latest"] for code in codes), 20)
    identity = silence_a_gateway(installation, *codes)

    def explained() -> bool:
        report(installation, talker)  # while nothing arrives at all, nobody is blamed
        rows = api.get("/inhibitions").json()["items"]
        return {row["device"] for row in rows} >= set(codes)

    wait_for(explained, 240, pause_s=5)
    person = open_page(sign_in, "/operations#gateways")
    row = person.page.locator(".gw-gateways tr", has_text=identity)
    person.until(lambda: "2 台" in row.inner_text(), 30)
    assert "离线" in row.inner_text()
    person.until_text(".gw-verdict", "网关没有信号")
    row.locator("[data-alarm]").click()
    person.until(lambda: "已确认" in row.inner_text(), 20)
    assert row.locator("[data-alarm]").count() == 0

    row.locator("summary").click()
    row.locator("a", has_text=codes[0]).click()
    line = person.page.locator(f".gw-devices-table [data-device={codes[0]}]")
    person.until(lambda: identity in line.inner_text(), 20)
    line.locator("[data-device-step=history]").click()
    person.until_text("dialog .gw-behind", identity)
    person.until_text("dialog", "-101")
    assert person.faults == []


def test_a_stranger_in_quarantine_leads_to_its_card_in_the_registry(
    sign_in: SignIn, installation: Installation
) -> None:
    code = f"gas-card-{time.time_ns()}"
    report(installation, code)
    wait_for(lambda: waiting(installation, device=code), 20)
    person = open_page(sign_in, f"/devices?discovered=native/{code}")
    person.page.locator(f".gw-asked[data-identity={code}]").wait_for(timeout=20_000)
    assert person.faults == []


def test_thirty_refused_messages_can_all_be_reached(
    sign_in: SignIn, installation: Installation
) -> None:
    code = f"gas-many-{time.time_ns()}"
    for _ in range(30):
        report(installation, code)
    wait_for(lambda: len(waiting(installation, device=code)) == 30, 30)
    person = open_page(sign_in, f"/quarantine?device={code}")
    person.until(lambda: person.page.locator("[data-reject]").count() == 30, 20)
    person.page.locator("[data-reject]").last.scroll_into_view_if_needed()
    assert (
        person.page.locator(".gw-refused").evaluate("e => getComputedStyle(e).overflowY") == "auto"
    )
    person.page.locator("[data-reject]").last.click()
    person.until_text(".gw-raw", "ch4_pct_lel")


@pytest.mark.parametrize("path", ["/operations", "/quarantine"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("lang", "theme"), [("zh", "dark"), ("en", "light")])
def test_the_pages_fit_every_screen(
    sign_in: SignIn, path: str, size: tuple[int, int], lang: str, theme: str
) -> None:
    person = open_page(sign_in, path, phone=size[0] < 500, lang=lang, theme=theme)
    person.page.set_viewport_size({"width": size[0], "height": size[1]})
    person.page.locator(".gw-board .gw-panel").first.wait_for(timeout=20_000)
    person.page.wait_for_timeout(500)
    assert width(person) == size[0]
    assert person.faults == []


def test_who_may_not_see_them_finds_no_page(sign_in: SignIn) -> None:
    person = sign_in("viewer")
    for path in ("/operations", "/quarantine"):
        person.open(path)
        person.until_text("main", "您的角色没有")
    person.open("/nowhere")
    person.until_text("main", "没有这个页面：/nowhere")
    assert person.page.locator(".gw-opening").is_hidden()
    person.page.locator("main a[href='/wall']").click()
    person.until(person.is_live)
    assert person.page.locator(".gw-nav a[href='/quarantine']").count() == 0
