"""The squad's phone in a basement: no signal, reloads, killed pages, a server that is away."""

from __future__ import annotations

import io
import json
import os
import signal
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import ExifTags, Image
from playwright.sync_api import Page, Route

from bench.installation import Installation, wait_for
from city.incident import Role
from stack.javascript import axe
from tests.acceptance.browser.conftest import Person, SignIn
from tests.acceptance.browser.test_screens import servers_of, squad_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Case = dict[str, Any]


def sent_case(installation: Installation, title: str, category: str = "") -> Case:
    """A case of its own, with the demonstration's squad."""
    api = installation.api(Role.DISPATCHER)
    listed = api.get("/categories").json()["items"]
    known = category or next(c["code"] for c in listed if not c["code"].startswith("05"))
    near = api.get("/devices", params={"kind": "manhole", "limit": 1}).json()["items"][0]
    place = {"lon": near["lon"], "lat": near["lat"]}
    reported = api.post(
        "/incidents", json={"category": known, "title": title, "description": title, **place}
    )
    assert reported.status_code == 201, reported.text
    case = reported.json()
    act(installation, case["id"], "file")
    return act(installation, case["id"], "dispatch", squad=squad_of(installation), note="test")


def act(installation: Installation, case: int, action: str, **more: Any) -> Case:
    api = installation.api(Role.DISPATCHER)
    version = api.get(f"/incidents/{case}").json()["version"]
    body = {"action": action, "version": version, **more}
    done = api.post(f"/incidents/{case}/actions", json=body)
    assert done.status_code == 200, done.text
    return dict(done.json())


def now_of(installation: Installation, case: int) -> Case:
    return dict(installation.api(Role.LEADER).get(f"/incidents/{case}").json())


def told(installation: Installation, case: int, kind: str) -> list[dict[str, Any]]:
    found = now_of(installation, case)["events"]
    return [event for event in found if event["kind"] == f"incident.{kind}"]


def card(person: Person, case: Case, page: Page | None = None) -> Any:
    return (page or person.page).locator(f".gw-task[data-incident='{case['id']}']")


def state_on(person: Person, case: Case, text: str, page: Page | None = None) -> None:
    shown = card(person, case, page).locator(".gw-state")
    shown.get_by_text(text, exact=True).wait_for(timeout=10_000)


def a_photo(name: str = "site.jpg", size: tuple[int, int] = (640, 480), **exif: Any) -> Any:
    """Of our own making; `exif` with a place and a time if it is asked for."""
    out = io.BytesIO()
    image = Image.new("RGB", size, (90, 120, 60))
    tags = Image.Exif()
    if exif:
        tags[ExifTags.Base.Orientation] = exif.get("orientation", 1)
        tags.get_ifd(ExifTags.IFD.Exif).update(
            {
                ExifTags.Base.DateTimeOriginal: exif["taken"],
                ExifTags.Base.OffsetTimeOriginal: "+08:00",
            }
        )
        tags.get_ifd(ExifTags.IFD.GPSInfo).update(
            {
                ExifTags.GPS.GPSLatitudeRef: "N",
                ExifTags.GPS.GPSLatitude: (20.0, 0.0, 7.5),
                ExifTags.GPS.GPSLongitudeRef: "E",
                ExifTags.GPS.GPSLongitude: (110.0, 21.0, 0.75),
            }
        )
    image.save(out, "JPEG", exif=tags)
    return {"name": name, "mimeType": "image/jpeg", "buffer": out.getvalue()}


def is_kept(person: Person) -> None:
    """The worker has the page and all its files: it opens without a server from now on."""
    kept = """async () => {
        const page = await (await caches.open('gw-phone-pages')).match('/squad');
        return !!page && !!navigator.serviceWorker.controller;
    }"""
    person.until(lambda: person.page.evaluate(kept), 20)


def unsent(page: Page) -> int:
    return int(page.evaluate("gw.outbox.unsent()"))


def test_what_is_done_without_signal_survives_a_killed_page_and_is_sent_once_in_order(
    sign_in: SignIn, installation: Installation
) -> None:
    case = sent_case(installation, "地下室无信号")
    phone = sign_in("squad", phone=True)
    state_on(phone, case, "已派遣")
    is_kept(phone)
    phone.context.set_offline(True)
    card(phone, case).locator("[data-action=acknowledge]").dblclick()
    state_on(phone, case, "已签收")
    phone.until_text("#phone-bar", "1 项还没有发出")
    phone.page.reload(wait_until="domcontentloaded")
    state_on(phone, case, "已签收")
    card(phone, case).locator("[data-action=arrive]").tap()
    state_on(phone, case, "到达现场")
    card(phone, case).locator("[data-action=handle]").tap()
    dialog = phone.page.locator("dialog[open]")
    taken = "2026:11:29 10:00:00"
    dialog.locator("input[name=photo_after]").set_input_files(
        a_photo(size=(3000, 1500), taken=taken, orientation=6)
    )
    dialog.locator("textarea").fill("阀门已关")
    dialog.locator("button[type=submit]").tap()
    state_on(phone, case, "已处置")
    done_at = datetime.now(UTC)
    phone.page.close()  # as a phone kills it

    again = phone.context.new_page()
    again.goto(phone.base + "/squad", wait_until="domcontentloaded")
    state_on(phone, case, "已处置", again)
    assert unsent(again) == 4
    again.wait_for_timeout(3000)
    phone.context.set_offline(False)
    wait_for(lambda: now_of(installation, case["id"])["state"] == "handled", 15)
    wait_for(lambda: again.locator("#phone-bar").is_hidden(), 10)
    steps = [e["kind"] for e in now_of(installation, case["id"])["events"]][-4:]
    assert steps == [
        "incident.acknowledged",
        "incident.arrived",
        "incident.evidence_added",
        "incident.handled",
    ]
    (handled,) = told(installation, case["id"], "handled")
    acted, received = moment(handled["payload"]["acted_at"]), moment(handled["at"])
    assert abs(acted - done_at) < timedelta(seconds=2)
    assert received - acted > timedelta(seconds=2)
    assert "acted_at_doubt" not in handled["payload"]
    photo = now_of(installation, case["id"])["evidence"][0]
    assert moment(photo["taken_at"]) == datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
    assert (round(photo["lon"], 4), round(photo["lat"], 4)) == (110.3502, 20.0021)
    content = installation.api(Role.LEADER).get(f"/incidents/{case['id']}/evidence/{photo['id']}")
    with Image.open(io.BytesIO(content.content)) as image:
        assert image.size == (1024, 2048)  # upright, and no larger than a screen needs
        assert image.getexif()[ExifTags.Base.Orientation] == 1


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_task_is_asked_for_again_when_the_answer_failed(
    sign_in: SignIn, installation: Installation
) -> None:
    phone = sign_in("squad", phone=True)
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=503, body="")

    phone.page.route("**/live/tasks", refuse_once)
    case = sent_case(installation, "第一次没有读到")
    state_on(phone, case, "已派遣")
    assert refused


def test_a_server_that_is_away_is_waited_for(sign_in: SignIn, installation: Installation) -> None:
    case = sent_case(installation, "服务器停了")
    phone = sign_in("squad", phone=True)
    is_kept(phone)
    frozen = servers_of(installation)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        card(phone, case).locator("[data-action=acknowledge]").tap()
        state_on(phone, case, "已签收")
        phone.page.goto(phone.base + "/squad", wait_until="domcontentloaded")
        state_on(phone, case, "已签收")
        assert unsent(phone.page) == 1
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    wait_for(lambda: now_of(installation, case["id"])["state"] == "acknowledged", 40)
    assert len(told(installation, case["id"], "acknowledged")) == 1


def test_a_case_that_was_taken_away_meanwhile_is_a_choice_in_words(
    sign_in: SignIn, installation: Installation
) -> None:
    kept, gone = sent_case(installation, "改派的案件"), sent_case(installation, "作废的案件")
    phone = sign_in("squad", phone=True)
    state_on(phone, gone, "已派遣")
    phone.context.set_offline(True)
    for case in (gone, kept):
        card(phone, case).locator("[data-action=acknowledge]").tap()
        state_on(phone, case, "已签收")
    act(installation, gone["id"], "cancel", reason="误报")
    act(installation, kept["id"], "comment", note="住户已疏散")  # another version, the same state
    phone.context.set_offline(False)
    wait_for(lambda: now_of(installation, kept["id"])["state"] == "acknowledged", 20)
    phone.until_text(".gw-unsent.asks", "现为“作废”", 20)
    phone.until_text("#phone-bar", "请决定")
    phone.page.locator(".gw-unsent.asks [data-decide=drop]").tap()
    phone.until(lambda: phone.page.locator(".gw-unsent.asks").count() == 0)
    assert now_of(installation, gone["id"])["state"] == "cancelled"


def test_a_clock_two_days_off_is_said_and_corrected(
    sign_in: SignIn, installation: Installation
) -> None:
    case = sent_case(installation, "手机时间不对")
    phone = sign_in("squad", phone=True)
    phone.context.add_init_script(
        """const real = Date.now, off = -172800000, Real = Date;
        Date = class extends Real {
            constructor(...given) { if (given.length) super(...given); else super(real() + off); }
            static now() { return real() + off; }
        };"""
    )
    phone.page.reload(wait_until="domcontentloaded")
    phone.until_text("#phone-bar", "手机时间慢 2 天", 15)
    before = datetime.now(UTC)
    card(phone, case).locator("[data-action=acknowledge]").tap()
    wait_for(lambda: now_of(installation, case["id"])["state"] == "acknowledged", 15)
    (event,) = told(installation, case["id"], "acknowledged")
    assert abs(event["payload"]["phone_clock_off_s"] - 172_800) < 5
    assert moment(event["payload"]["acted_at"]) - before < timedelta(seconds=5)
    assert moment(event["payload"]["acted_at_said"]) < before - timedelta(days=1)


def test_a_call_for_help_and_a_missed_check_in_reach_console_and_wall(
    sign_in: SignIn, installation: Installation
) -> None:
    sent_case(installation, "单独作业")
    phone, wall, console = (
        sign_in("squad", phone=True),
        sign_in("viewer"),
        sign_in("dispatcher"),
    )
    button = phone.page.locator("#duress")
    box = button.bounding_box()
    assert box is not None
    phone.page.mouse.move(box["x"] + 10, box["y"] + 10)
    phone.page.mouse.down()
    phone.page.wait_for_timeout(1200)
    phone.page.mouse.up()  # too short
    phone.page.wait_for_timeout(300)
    assert wall.page.locator("#distress-calls").is_hidden()
    phone.page.locator(".gw-notice-close").tap()
    phone.page.mouse.down()
    phone.page.wait_for_timeout(2100)
    phone.page.mouse.up()
    wall.until_text("#distress-calls", "求助", 2)
    console.until_text("#distress-calls", "求助", 2)
    assert phone.page.locator(".gw-notice").count() == 0  # silent
    assert wall.page.locator("#distress-calls button").count() == 0
    console.page.locator("#distress-calls [data-call]").first.click()
    for person in (wall, console):
        person.until(lambda p=person: p.page.locator("#distress-calls").is_hidden(), 2)

    phone.page.locator("[data-alone=begin]").tap()
    phone.page.locator("dialog[open] button[type=submit]").tap()
    phone.until_text("#alone", "报平安")
    phone.page.locator("[data-alone=fine]").tap()
    wait_for(lambda: kinds(installation)[-1:] == ["squad.checked_in"], 5)
    overdue(installation)
    wall.until_text("#distress-calls", "未按时报平安", 4)
    phone.page.locator("[data-alone=end]").tap()
    console.until_text("#distress-calls", "又有消息", 4)
    console.page.locator("#distress-calls [data-call]").first.click()
    wall.until(lambda: wall.page.locator("#distress-calls").is_hidden(), 4)
    assert kinds(installation)[-2:] == ["squad.heard_again", "squad.distress_acknowledged"]
    assert wall.faults == console.faults == phone.faults == []


def kinds(installation: Installation) -> list[str]:
    from db.pool import connect

    with connect(installation.postgres) as conn:
        rows = conn.execute("SELECT kind FROM event WHERE kind LIKE 'squad.%' ORDER BY seq")
        return [row[0] for row in rows if row[0] != "squad.changed"]


def overdue(installation: Installation) -> None:
    """Nobody waits a quarter of an hour for it."""
    from db.pool import connect

    with connect(installation.postgres) as conn:
        conn.execute("UPDATE check_in SET due_at = now() - interval '1 s' WHERE due_at IS NOT NULL")
        conn.commit()


def test_nobodys_queue_is_sent_by_another_and_leaving_asks_first(
    sign_in: SignIn, installation: Installation
) -> None:
    case = sent_case(installation, "换人")
    phone = sign_in("squad", phone=True)
    state_on(phone, case, "已派遣")
    is_kept(phone)
    phone.context.set_offline(True)
    card(phone, case).locator("[data-action=acknowledge]").tap()
    state_on(phone, case, "已签收")
    phone.page.locator("[data-tab=me]").tap()
    phone.page.locator("[data-leave]").tap()
    phone.until_text("dialog[open]", "有 1 项还没有发出")
    phone.page.locator("dialog[open] button[type=submit]").tap()
    phone.until_text("dialog[open]", "没有信号")
    phone.page.keyboard.press("Escape")

    # Somebody else signs in on the same phone; the open page of the first does not send as them.
    other = phone.context.request.post(
        phone.base + "/login",
        form={"name": "admin", "password": installation.logins["admin"], "next": "/squad"},
    )
    assert other.status == 200
    phone.context.set_offline(False)
    phone.until(lambda: phone.page.evaluate("gw.page.user.name") == "admin", 20)
    phone.until_text("#phone-bar", "另有 1 项是别人的", 10)
    assert now_of(installation, case["id"])["state"] == "dispatched"


def test_a_file_that_is_no_photo_is_one_clear_sentence(
    sign_in: SignIn, installation: Installation
) -> None:
    case = sent_case(installation, "不是照片")
    phone = sign_in("squad", phone=True)
    phone.until_text("#no-place", "没有定位权限")
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a.txt", "x" * 500)
    large = a_photo("large.jpg")["buffer"] + bytes(60 * 1024 * 1024)
    folder = installation.data_dir / "large.jpg"
    folder.write_bytes(large)
    broken = a_photo("broken.jpg")["buffer"][:300]
    cases: list[tuple[Any, str]] = [
        (str(folder), "60.0 MB，超过 40 MB"),
        (as_file("photo.jpg", zipped.getvalue()), "不是照片也不是短片"),
        (as_file("broken.jpg", broken), "打不开"),
    ]
    for file, words in cases:
        card(phone, case).locator("[data-photo=photo_before]").tap()
        phone.page.locator("dialog[open] input[type=file]").set_input_files(file)
        phone.page.locator("dialog[open] button[type=submit]").tap()
        phone.until_text(".gw-form-error", words)
        phone.page.keyboard.press("Escape")
        phone.page.locator("dialog").wait_for(state="detached")
    card(phone, case).locator("[data-voice]").tap()
    phone.until_text(".gw-notice", "麦克风")
    assert unsent(phone.page) == 0


def as_file(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nobody_is_shut_out_of_the_page(
    sign_in: SignIn, installation: Installation, theme: str
) -> None:
    case = sent_case(installation, "无障碍")
    phone = sign_in("squad", phone=True, theme=theme)
    card(phone, case).wait_for()
    phone.page.evaluate(axe().read_text("utf-8"))
    for tab in ("tasks", "map", "me"):
        phone.page.locator(f"[data-tab={tab}]").tap()
        phone.page.wait_for_timeout(700)
        found = phone.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        shown = [
            (v["id"], v["impact"], [n["html"][:120] for n in v["nodes"]][:3])
            for v in found["violations"]
        ]
        assert shown == [], json.dumps(shown, ensure_ascii=False, indent=1)
