"""The registry as people work with it: search, strangers, absences, exchange, import."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from app.settings import DEMO_DISTRICT
from bench.installation import Installation, wait_for
from city.datum import Datum, from_wgs84
from city.incident import Role
from city.place import LonLat
from db.pool import connect
from tests.acceptance.browser.conftest import Person, SignIn

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES = [(1920, 1080), (1366, 768), (390, 844)]
TABS = ("registry", "waiting", "out", "import")


def open_tab(person: Person, tab: str) -> None:
    person.open(f"/devices#{tab}")
    person.until(person.is_live, 30)
    person.page.locator(f"[data-device-panel={tab}]").wait_for()
    person.page.locator(".gw-devices-table").first.wait_for(state="attached")


def a_place(installation: Installation, step: int) -> tuple[float, float]:
    with connect(installation.postgres) as conn:
        row = conn.execute(
            "SELECT west, south FROM unit_grid WHERE district = %s ORDER BY code LIMIT 1 OFFSET 90",
            (DEMO_DISTRICT,),
        ).fetchone()
    assert row is not None
    return row[0] + step * 1e-5, row[1] + 1e-5


def meet(installation: Installation, code: str) -> None:
    """A stranger reports: it is on the list, with its message in quarantine."""
    body = {"ts": int(time.time() * 1000), "readings": {"ch4_pct_lel": 4.5}}
    installation.publish(f"city/v1/{DEMO_DISTRICT}/gas/{code}/telemetry", body)
    api = installation.api(Role.ADMIN)
    wait_for(lambda: api.get("/rejects", params={"device": code}).json()["items"] != [], 20)


def fill(person: Person, **values: Any) -> None:
    for name, value in values.items():
        field = person.page.locator(f"dialog [name={name}]")
        if field.evaluate("e => e.tagName") == "SELECT":
            field.select_option(str(value))
        else:
            field.fill(str(value))


def confirm(person: Person) -> None:
    person.page.locator("dialog button[type=submit]").click()


def test_search_narrows_twenty_thousand_devices_page_by_page(sign_in: SignIn) -> None:
    person = sign_in("engineer")
    open_tab(person, "registry")
    assert person.page.locator(".gw-devices-table tbody tr").count() == 50
    begun = time.monotonic()
    person.page.fill("#devices-search", "GAS-00001")
    person.until_text("#devices-total", "共 10 台")
    assert time.monotonic() - begun < 5
    assert person.page.locator("[data-device=GAS-000015]").count() == 1
    person.page.fill("#devices-search", "")
    person.until_text("#devices-total", "1–50")
    person.page.locator(".gw-devices-pages button", has_text="2").first.click()
    person.until_text("#devices-total", "51–100")
    assert person.faults == []


def test_a_search_without_result_counts_nothing_and_the_pager_has_names(sign_in: SignIn) -> None:
    person = sign_in("engineer")
    open_tab(person, "registry")
    names = ".gw-devices-pages button[aria-label='{}']"
    person.until(lambda: person.page.locator(names.format("下一页")).count() == 1)
    assert person.page.locator(names.format("上一页")).count() == 1
    person.page.fill("#devices-search", "no such device")
    person.until_text("[data-device-panel=registry] .gw-empty", "没有符合条件的设备")
    person.until(lambda: person.page.locator("#devices-total").inner_text() == "")
    assert person.page.locator(".gw-devices-pages button").count() == 0
    assert person.faults == []


def test_the_buttons_of_a_long_form_stay_in_sight(
    sign_in: SignIn, installation: Installation
) -> None:
    meet(installation, "WEB-5")
    person = sign_in("engineer")
    person.page.set_viewport_size({"width": 1366, "height": 640})
    open_tab(person, "waiting")
    person.page.locator("[data-identity=WEB-5] [data-device-step=approve]").click()
    button = person.page.locator("dialog button[type=submit]").bounding_box()
    assert button is not None
    assert button["y"] + button["height"] <= 640


def test_a_stranger_is_registered_and_its_messages_are_taken_in(
    sign_in: SignIn, installation: Installation
) -> None:
    meet(installation, "WEB-1")
    lon, lat = a_place(installation, 1)
    person = sign_in("engineer")
    open_tab(person, "waiting")
    card = person.page.locator("[data-identity=WEB-1]")
    card.wait_for()
    assert '"ch4_pct_lel": 4.5' in card.locator("pre").inner_text()
    card.locator("[data-device-step=approve]").click()
    fill(person, name="北门", lon=lat, lat=lon)
    confirm(person)
    person.until_text(".gw-form-error", "经纬度写反了")
    fill(person, lon=lon, lat=lat)
    confirm(person)
    person.until_text("dialog h2", "补录")
    confirm(person)
    person.until_text("#notice", "补录 1 条")
    person.until(lambda: person.page.locator("[data-identity=WEB-1]").count() == 0)
    api = installation.api(Role.ADMIN)
    assert api.get("/devices/WEB-1").json()["latest"][0]["value"] == 4.5
    assert person.faults[1:] == []  # the refused form is one


def test_an_ignored_stranger_goes_to_the_other_list(
    sign_in: SignIn, installation: Installation
) -> None:
    meet(installation, "WEB-2")
    person = sign_in("admin")
    open_tab(person, "waiting")
    person.page.locator("[data-identity=WEB-2] [data-device-step=ignore]").click()
    confirm(person)
    person.until(lambda: person.page.locator("[data-identity=WEB-2]").count() == 0)
    person.page.locator("#devices-strangers label", has_text="已忽略").click()
    person.page.locator("[data-identity=WEB-2]").wait_for()


def test_a_device_goes_out_of_service_is_overdue_and_comes_back(
    sign_in: SignIn, installation: Installation
) -> None:
    person = sign_in("engineer")
    open_tab(person, "registry")
    person.page.fill("#devices-search", "GAS-000031")
    person.until_text("#devices-total", "共 1 台")
    person.page.locator("[data-device=GAS-000031] [data-device-step=out]").click()
    fill(person, reason="探头进水")
    confirm(person)
    person.until_text("[data-device-tab=out]", "1")
    with connect(installation.postgres) as conn:
        conn.execute(
            "UPDATE device SET return_due_at = now() - interval '2 days' WHERE code = 'GAS-000031'"
        )
        conn.commit()
    open_tab(person, "out")
    person.until_text("[data-device-panel=out] .gw-devices-overdue", "逾期 2 天")
    person.until_text("[data-device-tab=out]", "逾期 1")
    row = person.page.locator("[data-device-panel=out] [data-device=GAS-000031]")
    assert "探头进水" in row.inner_text()
    row.locator("[data-device-step=return]").click()
    confirm(person)
    person.until(lambda: row.count() == 0)
    kinds = [e["kind"] for e in events_of(installation, "GAS-000031")]
    assert kinds == ["device.out_of_service", "device.returned_to_service"]
    assert person.faults == []


def events_of(installation: Installation, code: str) -> list[dict[str, Any]]:
    api = installation.api(Role.ADMIN)
    items: list[dict[str, Any]] = api.get("/events", params={"subject": f"device:{code}"}).json()[
        "items"
    ]
    return items


def test_exchanged_hardware_shows_in_the_history_of_the_device(
    sign_in: SignIn, installation: Installation
) -> None:
    person = sign_in("engineer")
    open_tab(person, "registry")
    person.page.fill("#devices-search", "GAS-000032")
    person.until_text("#devices-total", "共 1 台")
    person.page.locator("[data-device=GAS-000032] [data-device-step=replace]").click()
    fill(person, external_id="24E124136B00CC01", format="chirpstack", reason="老化")
    confirm(person)
    person.until_text("[data-device=GAS-000032]", "24e124136b00cc01")
    person.page.locator("[data-device=GAS-000032] [data-device-step=history]").click()
    person.until_text("dialog", "native · GAS-000032")
    assert "老化" in person.page.locator("dialog").inner_text()


def test_who_comes_second_is_told_and_sees_the_new_state(
    sign_in: SignIn, installation: Installation
) -> None:
    person = sign_in("engineer")
    open_tab(person, "registry")
    person.page.fill("#devices-search", "GAS-000033")
    person.until_text("#devices-total", "共 1 台")
    person.page.locator("[data-device=GAS-000033] [data-device-step=out]").click()
    api = installation.api(Role.ADMIN)
    body = {"reason": "first", "return_due_at": "2099-01-01T00:00:00Z", "version": 1}
    assert api.post("/devices/GAS-000033/out-of-service", json=body).status_code == 422
    due = datetime.now(UTC).replace(microsecond=0)
    body["return_due_at"] = due.replace(year=due.year + 1, day=1).isoformat()
    first = api.post("/devices/GAS-000033/out-of-service", json=body)
    assert first.status_code == 200, first.text
    fill(person, reason="second")
    confirm(person)
    person.until_text(".gw-form-error", "别人刚刚改过")
    person.until_text("[data-device=GAS-000033]", "停用")


def test_a_file_is_tried_and_then_imported(sign_in: SignIn, installation: Installation) -> None:
    lon, lat = a_place(installation, 5)
    lines = f"code,kind,name,lon,lat\r\nWEB-9,gas,北门,{lon},{lat}\r\nWEB-8,gas,乙,{lat},{lon}\r\n"
    file = {"name": "d.csv", "mimeType": "text/csv", "buffer": lines.encode("gb18030")}
    person = sign_in("admin")
    open_tab(person, "import")
    person.page.set_input_files("#devices-import input[type=file]", file)  # type: ignore[arg-type]
    person.page.locator("[data-import=try]").click()
    person.until_text(".gw-import-report", "可导入 1 台")
    report = person.page.locator(".gw-import-report").inner_text()
    assert "经纬度写反了" in report
    assert "GB18030" in report
    api = installation.api(Role.ADMIN)
    assert api.get("/devices/WEB-9").status_code == 404
    person.page.locator("[data-import=go]").click()
    person.until_text(".gw-import-report", "已导入 1 台")
    wait_for(lambda: api.get("/devices/WEB-9").status_code == 200)
    assert person.faults == []


def shifted_file(installation: Installation, prefix: str, skip: int) -> dict[str, Any]:
    """New devices beside sixty of the district, written in GCJ-02."""
    with connect(installation.postgres) as conn:
        rows = conn.execute(
            "SELECT lon, lat FROM device WHERE kind = 'manhole' AND demo"
            " ORDER BY md5(code) LIMIT 60 OFFSET %s",
            (skip,),
        ).fetchall()
    there = [from_wgs84(LonLat(lon, lat), Datum.GCJ02) for lon, lat in rows]
    lines = [f"{prefix}-{n},gas,北门,{p.lon},{p.lat}" for n, p in enumerate(there)]
    content = "\r\n".join(["code,kind,name,lon,lat", *lines]).encode()
    return {"name": "d.csv", "mimeType": "text/csv", "buffer": content}


@pytest.mark.parametrize(("lang", "phone"), [("zh", True), ("en", False)])
def test_a_shifted_file_is_asked_about_on_the_page(
    sign_in: SignIn, installation: Installation, lang: str, phone: bool
) -> None:
    prefix = f"GCJ-{lang}"
    file = shifted_file(installation, prefix, 60 * phone)
    person = sign_in("admin", phone=phone, lang=lang)
    open_tab(person, "import")
    person.page.set_input_files("#devices-import input[type=file]", file)  # type: ignore[arg-type]
    person.page.locator("[data-import=go]").click()
    asked = {"zh": "这些坐标像是 GCJ-02", "en": "These positions look like GCJ-02"}[lang]
    person.until_text(".gw-import-question", asked)
    answers = person.page.locator(".gw-import-question [data-datum]")
    assert answers.evaluate_all("b => b.map(e => e.dataset.datum)") == ["gcj02", "wgs84"]
    wide = person.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= person.page.viewport_size["width"]  # type: ignore[index]
    api = installation.api(Role.ADMIN)
    assert api.get(f"/devices/{prefix}-0").status_code == 404
    answers.first.click()
    done = {"zh": "已导入 60 台", "en": "60 imported"}[lang]
    person.until_text(".gw-import-report", done)
    person.until_text(".gw-import-report", "GCJ-02")
    wait_for(lambda: api.get(f"/devices/{prefix}-0").status_code == 200)
    assert [fault for fault in person.faults if "409" not in fault] == []


def test_a_dispatcher_looks_and_changes_nothing(
    sign_in: SignIn, installation: Installation
) -> None:
    meet(installation, "WEB-3")
    person = sign_in("dispatcher")
    open_tab(person, "waiting")
    person.page.locator("[data-identity=WEB-3]").wait_for()
    assert person.page.locator("[data-device-tab=import]").count() == 0
    steps = person.page.locator("[data-device-step]").evaluate_all(
        "found => [...new Set(found.map(e => e.dataset.deviceStep))]"
    )
    assert steps == ["history"]


@pytest.mark.parametrize(("lang", "theme"), [("zh", "dark"), ("en", "light")])
def test_no_tab_is_wider_than_the_screen(
    sign_in: SignIn, installation: Installation, lang: str, theme: str
) -> None:
    meet(installation, "WEB-4-" + "long" * 12)
    person = sign_in("admin", lang=lang, theme=theme)
    for tab in TABS:
        open_tab(person, tab)
        for width, height in SIZES:
            person.page.set_viewport_size({"width": width, "height": height})
            person.page.wait_for_timeout(300)
            taken = person.page.evaluate("document.documentElement.scrollWidth")
            assert taken <= width, (tab, width)
    assert person.abroad == []
    assert person.faults == []


def test_a_value_from_the_future_is_said_to_be_so_until_a_true_one_comes(
    sign_in: SignIn, installation: Installation
) -> None:
    code = "GAS-000077"
    topic = f"city/v1/{DEMO_DISTRICT}/gas/{code}/telemetry"
    api = installation.api(Role.ADMIN)

    def report(value: float, ahead_s: int) -> None:
        ts = int((time.time() + ahead_s) * 1000)
        installation.publish(topic, {"ts": ts, "readings": {"ch4_pct_lel": value}})
        wait_for(lambda: shown()["value"] == value, 20)

    def shown() -> dict[str, Any]:
        latest = api.get(f"/devices/{code}").json()["latest"]
        return next((row for row in latest if row["metric"] == "ch4_pct_lel"), {"value": None})

    report(3.25, 540)
    assert (shown()["age_s"] < -480, shown()["trust"]) == (True, ["clock"])
    person = sign_in("engineer")
    open_tab(person, "registry")
    person.page.fill("#devices-search", code)
    person.until_text(f"[data-device={code}]", "时间超前")
    assert "设备时钟不准" in person.page.locator(f"[data-device={code}]").inner_text()
    person.page.locator(f"[data-device={code}] [data-device-step=history]").click()
    person.until_text("dialog .gw-history-value", "时间超前")
    assert person.faults == []

    report(2.5, 0)
    assert shown()["age_s"] >= 0
