"""Video events on the page of a reviewer: by keys, by thumbs, and never one for two people."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from app.settings import DEMO_DISTRICT
from bench.installation import Installation, wait_for
from simulator.pictures import draw_street
from tests.acceptance.browser.conftest import Person, SignIn

BOX = [0.3, 0.5, 0.2, 0.3]
MINE = "tried-%"


def query(installation: Installation, text: str, *parameters: Any) -> list[Any]:
    with psycopg.connect(installation.postgres, autocommit=True) as conn:
        cursor = conn.execute(text, parameters)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def events(installation: Installation) -> list[str]:
    """Four events with pictures, at the head of the queue; nothing else waits."""
    query(
        installation,
        "UPDATE video_event SET review = 'dismissed', reviewed_by = 'test', reviewed_at = now(),"
        " look_at = NULL WHERE review = 'pending'",
    )
    cameras = query(
        installation,
        "SELECT code FROM device WHERE kind = 'camera' AND format = 'native' ORDER BY code DESC"
        " LIMIT 4",
    )
    start = datetime.now(UTC) - timedelta(minutes=9)
    for number, (camera,) in enumerate(cameras):
        picture = draw_street(camera, "illegal_parking", tuple(BOX), night=False, there=True)
        body = {
            "id": f"tried-{number}",
            "type": "illegal_parking",
            "phase": "new",
            "start": (start + timedelta(seconds=number)).isoformat(),
            "confidence": 0.9,
            "bbox": BOX,
            "snapshot": f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}",
        }
        installation.publish(f"city/v1/{DEMO_DISTRICT}/video/{camera}/event", json.dumps(body))
    stored = (
        "SELECT count(*) FROM video_event v JOIN video_snapshot s USING (camera_id, event_id)"
        " WHERE event_id LIKE %s AND v.standing = 'review' AND s.state = 'stored'"
    )
    wait_for(lambda: query(installation, stored, MINE) == [(4,)], 20)
    return [camera for (camera,) in cameras]


def shown(person: Person) -> str:
    return str(person.page.locator("#review-facts").inner_text())


def fits(person: Person) -> bool:
    width = person.page.evaluate("document.documentElement.scrollWidth")
    return bool(width <= person.page.viewport_size["width"])  # type: ignore[index]


def test_a_reviewer_judges_by_keys_and_another_one_gets_the_others(
    sign_in: SignIn, installation: Installation, events: list[str]
) -> None:
    li, wang = sign_in("dispatcher", lang="en"), sign_in("checker", lang="zh", phone=True)
    li.open("/review")
    li.until_text("#review-facts", events[0])
    assert "Illegal parking" in shown(li)
    assert "90%" in shown(li)
    assert li.page.locator("#review-picture img").evaluate("i => i.naturalWidth") == 480
    box = li.page.locator(".gw-review-box").bounding_box()
    frame = li.page.locator(".gw-review-frame").bounding_box()
    assert box is not None
    assert frame is not None
    assert round((box["x"] - frame["x"]) / frame["width"], 1) == 0.3
    keys = li.page.locator("#review-buttons kbd").all_inner_texts()
    assert keys == ["Y", "1", "2", "3", "4", "5", "6", "M", "S"]
    # Three are hers: shown and preloaded. The fourth is his, on his phone.
    wang.open("/review")
    wang.until_text("#review-facts", events[3])
    assert fits(wang)
    # All at one moment: the buttons are drawn anew when more is known of the event.
    heights = wang.page.evaluate(
        "[...document.querySelectorAll('#review-buttons button')]"
        ".filter(b => b.offsetParent).map(b => b.getBoundingClientRect().height)"
    )
    assert len(heights) >= 9
    assert min(heights) >= 40
    # Not there: away, and back within eight seconds.
    li.page.keyboard.press("1")
    li.until_text("#review-facts", events[1])
    li.page.keyboard.press("u")
    li.until_text("#review-facts", events[0])
    li.page.keyboard.press("y")
    li.until_text("#review-facts", events[1])
    li.page.keyboard.press("s")
    li.until_text("#review-facts", events[2])
    li.page.keyboard.press("2")
    li.until_text("#review-facts", events[1])  # what was skipped comes last
    wang.page.locator("[data-reason=permitted]").tap()
    wang.until(lambda: "没有待审" in shown(wang) or "他人" in shown(wang))
    verdicts = (
        "SELECT event_id, review, dismiss_reason, reviewed_by FROM video_event"
        " WHERE event_id LIKE %s AND review <> 'pending' ORDER BY event_id"
    )
    wait_for(lambda: len(query(installation, verdicts, MINE)) == 3, 15)
    assert query(installation, verdicts, MINE) == [
        ("tried-0", "confirmed", "", "dispatcher"),
        ("tried-2", "dismissed", "wrong_class", "dispatcher"),
        ("tried-3", "dismissed", "permitted", "checker"),
    ]
    # The case has the picture; what was judged is counted.
    evidence = (
        "SELECT e.stage FROM evidence e JOIN incident i ON i.id = e.incident_id"
        " JOIN device d ON d.id = i.device_id WHERE d.code = %s AND i.condition LIKE 'video/%%'"
    )
    assert wait_for(lambda: query(installation, evidence, events[0]), 10) == [("photo_before",)]
    li.page.locator("[data-part=precision] summary").click()
    li.until_text(".gw-review-precision", "Wilson")
    li.until_text(".gw-review-precision td", "100%")
    assert fits(li)
    for person in (li, wang):
        assert person.faults == []
        assert person.abroad == []
