"""Video events on their way to a person: judged, held, shown to one reviewer each, taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from alerts.rule_files import parse_rule
from alerts.steps import (
    apply_rules,
    leave,
    next_events,
    precision,
    review_video_event,
    show_held,
    take_back,
)
from city.alarm import AlarmState
from city.area import Area, AreaKind
from city.errors import Conflict, Forbidden, InvalidInput
from city.incident import Role
from city.person import Caller
from city.reading import EventPhase, VideoEvent
from city.scope import Scope
from city.video import ReportedEvent, VideoLimit
from db import areas
from db.rules import default_texts
from db.video_events import upsert_video_events
from tests.integration.alerts.engine_city import DISTRICT, Engine
from tests.integration.alerts.ticking import tick

LI, WANG = (Caller(name, Role.DISPATCHER, DISTRICT) for name in ("li", "wang"))
RULE = next(text for name, text in default_texts().items() if "video-confirmed" in name)


def seen(
    engine: Engine,
    event_id: str,
    *,
    camera: str = "CAM-1",
    kind: str = "hawker",
    phase: EventPhase = EventPhase.NEW,
    minutes: float = 5,
    confidence: float = 0.8,
    at: tuple[float, float] = (110.35, 20.0),
) -> None:
    """A camera says that it has seen something for some minutes."""
    camera_id = engine.ids.get(camera) or engine.device(camera, "camera", at=at)
    start = engine.now - timedelta(minutes=minutes)
    event = VideoEvent(
        camera,
        event_id,
        kind,
        phase,
        start,
        engine.now if phase is EventPhase.END else None,
        confidence=confidence,
    )
    upsert_video_events(
        engine.conn, [ReportedEvent(camera_id, camera, DISTRICT, event, engine.now)]
    )


def rows(engine: Engine, columns: str) -> list[Any]:
    return engine.conn.execute(f"SELECT {columns} FROM video_event ORDER BY event_id").fetchall()


def names(answer: dict[str, Any]) -> list[str]:
    return [item["event"].event_id for item in answer["items"]]


def ask(engine: Engine, who: Caller, count: int = 1, skip: Any = ()) -> dict[str, Any]:
    return next_events(engine.conn, who, count, skip, engine.now)


def judge(engine: Engine, event_id: str, verdict: str = "confirmed", **more: Any) -> None:
    who = more.pop("who", LI)
    camera = engine.ids[more.pop("camera", "CAM-1")]
    review_video_event(engine.conn, who, camera, event_id, verdict, "", engine.now, **more)


def test_what_needs_no_person_is_held_with_its_reason_and_can_be_called_up(engine: Engine) -> None:
    areas.save_areas(
        engine.conn,
        DISTRICT,
        [
            Area(
                "M-1",
                AreaKind.STALLS,
                "早市",
                "Market",
                centre=(110.36, 20.0),
                radius_m=80,
                classes=("hawker",),
            )
        ],
    )
    areas.save_limits(engine.conn, DISTRICT, [VideoLimit("outstore", "CAM-1", 0.9, None)])
    seen(engine, "a")
    seen(engine, "b", confidence=0.1)
    seen(engine, "c", kind="outstore")
    seen(engine, "d", kind="car")
    seen(engine, "e", minutes=1, phase=EventPhase.END)
    seen(engine, "f", camera="CAM-2", at=(110.36, 20.0))
    seen(engine, "g", camera="CAM-2", kind="illegal_parking", minutes=9)
    seen(engine, "h", minutes=1)
    tick(engine.conn, engine.now)
    assert rows(engine, "event_id, standing, held_why, held_area") == [
        ("a", "review", "", ""),
        ("b", "held", "low_confidence", ""),
        ("c", "held", "low_confidence", ""),
        ("d", "held", "no_category", ""),
        ("e", "held", "short_stay", ""),
        ("f", "held", "permitted", "M-1"),
        ("g", "review", "", ""),
        ("h", "stay", "", ""),
    ]
    counts = ask(engine, LI, 5)["counts"]
    assert (counts.review, counts.stay) == (2, 1)
    assert counts.held == {
        "low_confidence": 2,
        "no_category": 1,
        "permitted": 1,
        "short_stay": 1,
    }
    assert engine.events().count("video.held") == 5
    # The same report again changes nothing and tells nothing.
    tick(engine.conn, engine.later(seconds=1))
    assert engine.events().count("video.held") == 5
    # A better look at it lifts it, and so does the end of its time for one that stays.
    seen(engine, "b", phase=EventPhase.UPDATE, minutes=5, confidence=0.7)
    tick(engine.conn, engine.later(minutes=2))
    standings = dict(rows(engine, "event_id, standing"))
    assert (standings["b"], standings["h"]) == ("review", "review")
    show_held(engine.conn, LI, engine.ids["CAM-2"], "f", engine.now)
    tick(engine.conn, engine.later(seconds=1))
    assert dict(rows(engine, "event_id, standing"))["f"] == "review"


def test_a_recorder_is_asked_for_the_picture_of_what_a_person_should_see(engine: Engine) -> None:
    url = "http://nvr.lan:5000/api/events/{event_id}/snapshot.jpg"
    engine.device("CAM-9", "camera", snapshot_url=url)
    seen(engine, "17.5-a/b", camera="CAM-9")
    seen(engine, "car", camera="CAM-9", kind="car")
    tick(engine.conn, engine.now)
    found = engine.conn.execute("SELECT event_id, url, host, state FROM video_snapshot").fetchall()
    there = "http://nvr.lan:5000/api/events/17.5-a%2Fb/snapshot.jpg"
    assert found == [("17.5-a/b", there, "nvr.lan:5000", "waiting")]


def test_an_area_that_is_gone_lets_go_of_what_it_held(engine: Engine) -> None:
    market = Area(
        "M-1",
        AreaKind.STALLS,
        "早市",
        "Market",
        centre=(110.35, 20.0),
        radius_m=80,
        classes=("hawker",),
    )
    areas.save_areas(engine.conn, DISTRICT, [market])
    seen(engine, "a")
    tick(engine.conn, engine.now)
    assert rows(engine, "standing") == [("held",)]
    areas.delete_areas(engine.conn, DISTRICT, ["M-1"])
    areas.judge_again(engine.conn, DISTRICT)
    tick(engine.conn, engine.later(minutes=1))
    assert rows(engine, "standing, held_area") == [("review", "")]


def test_two_reviewers_never_get_the_same_event(engine: Engine) -> None:
    for letter in "abcd":
        seen(engine, letter, minutes=9 - ord(letter) % 5)
    tick(engine.conn, engine.now)
    mine, others = names(ask(engine, LI, 2)), names(ask(engine, WANG, 3))
    assert len(mine) == len(others) == 2
    assert not set(mine) & set(others)
    assert names(ask(engine, LI, 2)) == mine  # still the same
    with pytest.raises(Conflict, match="wang is looking"):
        judge(engine, others[0])
    # What is skipped comes last.
    assert names(ask(engine, LI, 2, [("CAM-1", mine[0])])) == mine[::-1]
    # Whoever goes away loses them: at once, or when the lease is over.
    leave(engine.conn, WANG)
    assert set(names(ask(engine, LI, 4))) == set("abcd")
    engine.later(seconds=121)
    assert len(names(ask(engine, WANG, 4))) == 4


def test_a_verdict_can_be_taken_back_until_it_holds(engine: Engine) -> None:
    seen(engine, "a")
    seen(engine, "b")
    tick(engine.conn, engine.now)
    ask(engine, LI, 2)
    judge(engine, "a", take_back_s=8)
    judge(engine, "b", "dismissed", reason="nothing_there", take_back_s=8)
    assert names(ask(engine, LI, 2)) == names(ask(engine, WANG, 2)) == []
    tick(engine.conn, engine.later(seconds=7))
    assert rows(engine, "review") == [("pending",), ("pending",)]
    with pytest.raises(Forbidden, match="li"):
        take_back(engine.conn, WANG, engine.ids["CAM-1"], "a", engine.now)
    take_back(engine.conn, LI, engine.ids["CAM-1"], "a", engine.now)
    assert names(ask(engine, LI, 2)) == ["a"]
    judge(engine, "a", take_back_s=8)
    tick(engine.conn, engine.later(seconds=9))
    assert rows(engine, "review, reviewed_by, dismiss_reason, category") == [
        ("confirmed", "li", "", "04-01"),
        ("dismissed", "li", "nothing_there", None),
    ]
    (alarm,) = engine.alarms()
    assert (alarm.state, alarm.acknowledged_by) == (AlarmState.ACKNOWLEDGED, "li")
    with pytest.raises(Conflict):
        take_back(engine.conn, LI, engine.ids["CAM-1"], "a", engine.now)
    assert engine.conn.execute("SELECT count(*) FROM video_claim").fetchone() == (0,)
    assert engine.changes() == ["raised", "acknowledged"]


def test_what_may_be_the_same_is_proposed_and_merged(engine: Engine) -> None:
    seen(engine, "a")
    seen(engine, "b", camera="CAM-2", kind="Mobile-Vendor", at=(110.35, 20.0003))
    seen(engine, "c", camera="CAM-3", at=(110.35, 20.001))
    seen(engine, "d", camera="CAM-2", kind="illegal_parking", minutes=9)
    tick(engine.conn, engine.now)
    found = {item["event"].event_id: item["similar"] for item in ask(engine, LI, 10)["items"]}
    assert [one.subject for one in found["a"]] == ["video:CAM-2/b"]
    assert [one.distance_m for one in found["a"]] == [33]
    assert found["c"] == found["d"] == []
    judge(engine, "b", "merged", camera="CAM-2", into="video:CAM-1/a")
    assert dict(rows(engine, "event_id, merged_into"))["b"] == "video:CAM-1/a"
    assert engine.events()[-1] == "video.merged"
    for into, error in (
        ("", InvalidInput),
        ("incident:x", InvalidInput),
        ("video:CAM-2/b", InvalidInput),
        ("video:CAM-1/a", None),
    ):
        if error:
            with pytest.raises(error, match="into"):
                judge(engine, "c", "merged", camera="CAM-3", into=into)
    with pytest.raises(InvalidInput, match="reason"):
        judge(engine, "a", "confirmed", reason="unclear")
    with pytest.raises(InvalidInput, match="reason"):
        judge(engine, "a", "dismissed", reason="because")


def test_only_who_may_review_does(engine: Engine, person: Callable[[Role], Caller]) -> None:
    seen(engine, "a")
    for role in (Role.VIEWER, Role.SQUAD_LEADER, Role.LEADER, Role.GAS_ENGINEER):
        with pytest.raises(Forbidden):
            ask(engine, person(role))
    stranger = Caller("li", Role.DISPATCHER, "310101")
    assert names(next_events(engine.conn, stranger, 5, (), engine.now)) == []


def test_a_rule_files_by_itself_once_people_have_said_often_enough_that_it_may(
    engine: Engine,
) -> None:
    own = "auto_file_min_precision = 0.8\nauto_file_min_verdicts = 20\n\n[[level]]"
    text = RULE.replace("[[level]]", own)
    apply_rules(engine.conn, "system", {"rules/video-confirmed.toml": text}, engine.now)
    assert parse_rule(text).code == "video-confirmed"
    for number in range(25):
        seen(engine, f"old-{number:02d}")
        judge(engine, f"old-{number:02d}")
    (measured,) = precision(engine.conn, Scope(DISTRICT), engine.now)
    assert (measured.right, measured.wrong, round(measured.lower, 3)) == (25, 0, 0.867)
    tick(engine.conn, engine.later(seconds=1))
    raised = len(engine.alarms())
    seen(engine, "x-new")
    seen(engine, "x-other", camera="CAM-2")
    tick(engine.conn, engine.now)
    found = {r[0]: r[1:] for r in rows(engine, "event_id, review, reviewed_by, standing")}
    assert found["x-new"] == ("confirmed", "system", "review")
    assert found["x-other"] == ("pending", None, "review")  # nobody has judged that camera
    alarm = engine.alarms()[-1]
    assert len(engine.alarms()) == raised + 1
    assert (alarm.state, alarm.reason["code"]) == (AlarmState.UNACKNOWLEDGED, "filed_by_precision")
    assert alarm.reason["facts"]["judged"] == 25
    # What it filed by itself is no word of a person.
    (measured,) = precision(engine.conn, Scope(DISTRICT), engine.now)
    assert measured.judged == 25
    # Two thirds wrong of late, and it asks again.
    for number in range(5):
        seen(engine, f"wrong-{number}", confidence=0.1)
        judge(engine, f"wrong-{number}", "dismissed", reason="nothing_there")
    seen(engine, "y-new")
    tick(engine.conn, engine.later(seconds=1))
    assert {r[0]: r[1] for r in rows(engine, "event_id, review")}["y-new"] == "pending"
