"""Areas and video events over HTTP: set, shown to a reviewer, judged, taken back, their picture."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from alerts.steps import tick_by_district
from alerts.video.snapshots import keep, take
from city.incident import Role
from city.reading import EventPhase, VideoEvent
from city.video import ReportedEvent
from db import video_snapshots
from db.pool import transaction
from db.video_events import upsert_video_events
from dispatch.steps import take_alarm_change
from simulator.pictures import draw_street
from tests.integration.dashboard.conftest import DISTRICT, Site

NEXT = "/api/v1/video-review/next"
AREAS = "/api/v1/settings/areas"
BOX = (0.3, 0.5, 0.2, 0.3)
PICTURE = draw_street("CAM-A", "hawker", BOX, night=False, there=True)


@pytest.fixture(scope="module")
def cameras(site: Site) -> Site:
    """Two cameras 33 m apart with an event each, one of them with a picture."""
    for code, lat in (("CAM-A", 20.0), ("CAM-B", 20.0003)):
        site.sql(
            """
            INSERT INTO device (code, district, kind, name, lon, lat, report_interval_s, created_at)
            VALUES (%s, %s, 'camera', %s, 110.35, %s, 60, now())
            """,
            (code, DISTRICT, f"{code} (name)", lat),
        )
    return site


def see(site: Site, camera: str, event_id: str, **more: Any) -> None:
    now = datetime.now(UTC)
    ((camera_id,),) = site.sql("SELECT id FROM device WHERE code = %s", (camera,))
    event = VideoEvent(
        camera,
        event_id,
        "hawker",
        EventPhase.NEW,
        now - timedelta(minutes=5),
        confidence=0.8,
        bbox=BOX,
        **more,
    )
    with transaction(site.pool) as conn:
        upsert_video_events(conn, [ReportedEvent(camera_id, camera, DISTRICT, event, now)])
    look(site)


def look(site: Site, later: timedelta = timedelta(0)) -> None:
    """What scheduler, engine and dispatch do."""
    now = datetime.now(UTC) + later
    with transaction(site.pool) as conn:
        for waiting in video_snapshots.claim_due(conn, now, now, (), 9):
            keep(conn, waiting, *take(waiting, ()), now)
        for _ in tick_by_district(conn, now):
            pass
        while take_alarm_change(conn, now):
            pass


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def test_an_event_comes_to_one_reviewer_with_all_that_a_verdict_needs(cameras: Site) -> None:
    inline = f"data:image/jpeg;base64,{base64.b64encode(PICTURE).decode()}"
    see(cameras, "CAM-A", "one/a", snapshot=inline)
    see(cameras, "CAM-B", "two")
    with cameras.client(Role.DISPATCHER) as li, cameras.client(Role.CHECKER) as wang:
        mine = ok(li.post(NEXT, json={"count": 1}))
        assert mine["counts"] | {"oldest": None} == {
            "review": 2,
            "stay": 0,
            "others": 0,
            "held": {},
            "oldest": None,
        }
        (item,) = mine["items"]
        event = item["event"]
        assert (event["camera"], event["event_id"]) == ("CAM-A", "one/a")
        assert (item["title_en"], item["severity"], item["min_stay_s"]) == ("Street vendor", 4, 180)
        assert (event["snapshot_state"], event["snapshot"]) == ("stored", "")
        assert 295 <= event["stay_s"] <= 320
        (near,) = item["similar"]
        assert (near["subject"], near["distance_m"], near["open"]) == ("video:CAM-B/two", 33, False)
        (other,) = ok(wang.post(NEXT, json={"count": 5}))["items"]
        assert other["event"]["event_id"] == "two"
        # The picture: the bytes that came, for the district's people only, never run.
        picture = li.get("/api/v1/video-events/CAM-A/one%2Fa/snapshot")
        assert picture.content == PICTURE
        assert picture.headers["content-type"] == "image/jpeg"
        assert "sandbox" in picture.headers["content-security-policy"]
        etag = {"If-None-Match": picture.headers["etag"]}
        assert (
            li.get("/api/v1/video-events/CAM-A/one%2Fa/snapshot", headers=etag).status_code == 304
        )
        assert li.get("/api/v1/video-events/CAM-B/two/snapshot").status_code == 404
        # Who may not review is told so; nonsense is named.
        for path in (NEXT, "/api/v1/video-review/leave"):
            with cameras.client(Role.VIEWER) as viewer:
                assert viewer.post(path, json={}).status_code == 403
        assert li.post(NEXT, json={"count": 11}).json()["field"] == "count"
        assert li.post(NEXT, json={"skip": [7]}).status_code == 422


def test_a_verdict_is_given_taken_back_and_becomes_a_case_with_its_picture(cameras: Site) -> None:
    with cameras.client(Role.DISPATCHER) as li, cameras.client(Role.CHECKER) as wang:
        url = "/api/v1/video-events/CAM-A/one%2Fa"
        taken = wang.post(f"{url}/review", json={"verdict": "dismissed"})
        assert taken.status_code == 409
        assert taken.json()["current"]["claimed_by"].startswith("token:")
        bad = li.post(f"{url}/review", json={"verdict": "dismissed", "reason": "because"})
        assert (bad.status_code, bad.json()["field"]) == (422, "reason")
        ok(li.post(f"{url}/review", json={"verdict": "confirmed", "take_back_s": 30}))
        assert ok(li.post(NEXT, json={}))["items"] == []
        ok(li.post(f"{url}/take-back", json={}))
        assert li.post(f"{url}/take-back", json={}).status_code == 409
        assert len(ok(li.post(NEXT, json={}))["items"]) == 1
        ok(li.post(f"{url}/review", json={"verdict": "confirmed", "take_back_s": 30}))
        look(cameras, timedelta(seconds=31))
        listed = ok(li.get("/api/v1/video-events", params={"camera": "CAM-A"}))["items"]
        assert [(e["review"], e["category"]) for e in listed] == [("confirmed", "04-01")]
        incidents = ok(li.get("/api/v1/incidents", params={"device": "CAM-A"}))["items"]
        (incident,) = incidents
        (evidence,) = ok(li.get(f"/api/v1/incidents/{incident['id']}/evidence"))["items"]
        assert (evidence["stage"], evidence["filename"]) == ("photo_before", "CAM-A.jpeg")
        # The open case is what the other event is proposed for, and merged into.
        (item,) = ok(wang.post(NEXT, json={}))["items"]
        assert [one["number"] for one in item["similar"]] == [incident["number"]]
        into = item["similar"][0]["subject"]
        merged = {"verdict": "merged", "into": into}
        ok(wang.post("/api/v1/video-events/CAM-B/two/review", json=merged))
        events = ok(li.get(f"/api/v1/incidents/{incident['id']}"))["events"]
        assert events[-1]["kind"] == "video.joined"
        precision = ok(li.get("/api/v1/video-review/precision"))["items"]
        assert {(p["camera"], p["right"], p["wrong"]) for p in precision} == {
            ("CAM-A", 1, 0),
            ("CAM-B", 1, 0),
        }
        assert round(precision[0]["lower"], 3) == 0.207


def test_an_area_is_set_on_the_page_and_keeps_its_class_from_review(cameras: Site) -> None:
    with cameras.client() as admin:
        sheet = ok(admin.get(AREAS))
        assert (sheet["key"], len(sheet["rows"])) == ("code", 7)  # of the demonstration
        seen = {"digest": sheet["digest"], "seq": sheet["seq"]}
        row = {
            "code": "NEW-1",
            "kind": "stalls",
            "name_zh": "新点",
            "name_en": "New",
            "place": "110.35 20.0",
            "radius_m": "20",
            "classes": "hawker",
        }
        wrong = ok(admin.post(f"{AREAS}/plan", json=seen | {"put": row | {"place": "20 110"}}))
        assert [(f["field"], f["problem"][:14]) for f in wrong["faults"]] == [
            ("place", "has its axes s"),
        ]
        plan = ok(admin.post(f"{AREAS}/plan", json=seen | {"put": row}))
        assert [(c["what"], c["code"], c["how"]) for c in plan["changes"]] == [
            ("area", "NEW-1", "added"),
        ]
        (effect,) = plan["effects"]  # of the hawkers seen, the one on its own corner
        assert (effect["what"], effect["code"], effect["get"], effect["keep"]) == (
            "video",
            "2",
            1,
            0,
        )
        body = {"content": plan["content"], "why": "the street office asked", **seen}
        ok(admin.post(f"{AREAS}/apply", json=body))
        see(cameras, "CAM-A", "three")
        listed = {"standing": "held", "held_why": "permitted"}
        (held,) = ok(admin.get("/api/v1/video-events", params=listed))["items"]
        assert (held["event_id"], held["held_area"]) == ("three", "NEW-1")
        around = ok(admin.get("/api/v1/areas", params={"lon": 110.35, "lat": 20.0001}))["items"]
        assert [area["code"] for area in around] == ["NEW-1"]
        assert admin.get("/api/v1/areas", params={"lon": 400, "lat": 1}).json()["field"] == "lon"
        ok(admin.post("/api/v1/video-events/CAM-A/three/queue", json={}))
        assert ok(admin.get("/api/v1/video-events", params=listed))["items"] == []
        # Out as GeoJSON and CSV, in again, and nothing would change.
        for kind in ("geojson", "csv", "xlsx"):
            file = admin.get(f"{AREAS}/file", params={"format": kind}).content
            again = admin.post(f"{AREAS}/upload", files={"file": (f"areas.{kind}", file)})
            assert (ok(again)["faults"], ok(again)["changes"]) == ([], []), kind
        wrong_kind = admin.get("/api/v1/settings/squads/file", params={"format": "geojson"})
        assert wrong_kind.json()["field"] == "format"
        collection = json.loads(admin.get(f"{AREAS}/file", params={"format": "geojson"}).content)
        collection["features"] = [
            f for f in collection["features"] if f["properties"]["code"] != "NEW-1"
        ]
        file = json.dumps(collection).encode()
        gone = ok(admin.post(f"{AREAS}/upload", files={"file": ("a.geojson", file)}))
        assert [(c["code"], c["how"]) for c in gone["changes"]] == [("NEW-1", "retired")]
        history = ok(admin.get(f"{AREAS}/history", params={"code": "NEW-1"}))["items"]
        assert [(h["why"], h["kind"]) for h in history] == [
            ("the street office asked", "area.added"),
        ]
        fields = {f["name"]: f["after"] for f in history[0]["fields"]}
        assert (fields["place"], fields["classes"]) == ("110.35 20.0", "hawker")


def test_a_threshold_of_one_camera_is_a_row_with_a_history(cameras: Site) -> None:
    url = "/api/v1/settings/video"
    with cameras.client() as admin:
        sheet = ok(admin.get(url))
        seen = {"digest": sheet["digest"], "seq": sheet["seq"]}
        put = {"type": "hawker", "camera": "CAM-B", "min_confidence": "0.95"}
        plan = ok(admin.post(f"{url}/plan", json=seen | {"put": put}))
        assert [(c["what"], c["code"]) for c in plan["changes"]] == [
            ("video_limit", "hawker@CAM-B"),
        ]
        ok(admin.post(f"{url}/apply", json={"content": plan["content"], "why": "rain", **seen}))
        see(cameras, "CAM-B", "four")
        listed = {"standing": "held", "held_why": "low_confidence"}
        (held,) = ok(admin.get("/api/v1/video-events", params=listed))["items"]
        assert held["event_id"] == "four"
        (item,) = ok(admin.get(f"{url}/history", params={"code": "hawker@CAM-B"}))["items"]
        assert item["why"] == "rain"
        sheet = ok(admin.get(url))
        seen = {"digest": sheet["digest"], "seq": sheet["seq"], "remove": "hawker@CAM-B"}
        plan = ok(admin.post(f"{url}/plan", json=seen))
        assert [c["how"] for c in plan["changes"]] == ["retired"]
