"""Devices, readings, alarms, video events, figures and accounts over HTTP."""

from __future__ import annotations

import base64
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook
from psycopg.types.json import Jsonb

from city.incident import Role
from db import walls

NOW = datetime.now(UTC).replace(microsecond=0)


def device_of(site, kind: str) -> tuple[int, str]:
    return site.sql("SELECT id, code FROM device WHERE kind = %s ORDER BY code LIMIT 1", (kind,))[0]


def measure(site, device_id: int, at: datetime, value: float, metric: int = 1) -> None:
    row = (device_id, metric, at, value, at + timedelta(seconds=1))
    site.sql(
        "INSERT INTO reading (device_id, metric_id, ts, value, received_at)"
        " VALUES (%s, %s, %s, %s, %s)",
        row,
    )
    site.sql(
        "INSERT INTO device_latest (device_id, metric_id, ts, value, received_at)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (device_id, metric_id) DO UPDATE"
        " SET ts = excluded.ts, value = excluded.value, received_at = excluded.received_at",
        row,
    )


def raise_alarm(site, condition: str, severity: int = 2) -> int:
    device_id, _ = device_of(site, "gas")
    reason = {"code": "value_at_or_above_limit", "rule": "gas", "rule_version": 1, "value": 30}
    return site.sql(
        """
        INSERT INTO alarm (district, condition, rule_code, rule_version, category, device_id,
                           severity, state, reason, sensed_at, received_at, raised_at, lon, lat)
        VALUES ('460107', %s, 'gas_leak', 1, '05-02', %s, %s, 'unacknowledged', %s, %s, %s, %s,
                110.36, 20.0)
        RETURNING id
        """,
        (condition, device_id, severity, Jsonb(reason), NOW, NOW, NOW),
    )[0][0]


def film(site, event_id: str) -> int:
    camera_id, _ = device_of(site, "camera")
    site.sql(
        """
        INSERT INTO video_event (camera_id, event_id, district, type, phase, start_at, end_due_at,
                                 received_at, confidence)
        VALUES (%s, %s, '460107', 'garbage', 'new', %s, %s, %s, 0.9)
        """,
        (camera_id, event_id, NOW, NOW + timedelta(hours=1), NOW),
    )
    return camera_id


def assert_problem(answer: httpx.Response, status: int, field: str | None = None) -> Any:
    assert answer.status_code == status, answer.text[:500]
    body = answer.json()
    assert field is None or body["field"] == field, body
    return body


def test_a_device_shows_its_newest_values_with_age_and_quality(site) -> None:
    device_id, code = device_of(site, "gas")
    measure(site, device_id, NOW - timedelta(seconds=60), 3.5)
    with site.client(Role.VIEWER) as client:
        device = client.get(f"/api/v1/devices/{code}").json()
        latest = {row["metric"]: row for row in device["latest"]}
        assert latest["ch4_pct_lel"]["value"] == 3.5
        assert latest["ch4_pct_lel"]["unit"] == "%LEL"
        assert 60 <= latest["ch4_pct_lel"]["age_s"] < 7200  # since this file was read
        assert latest["ch4_pct_lel"]["quality"] == 0
        found = client.get("/api/v1/devices", params={"kind": "gas", "limit": 2}).json()
        assert [item["kind"] for item in found["items"]] == ["gas", "gas"]
        following = client.get(
            "/api/v1/devices", params={"kind": "gas", "limit": 2, "cursor": found["next"]}
        ).json()["items"]
        assert following[0]["code"] > found["items"][1]["code"]
        since = (NOW - timedelta(minutes=5)).isoformat()
        fresh = client.get("/api/v1/devices", params={"since": since}).json()["items"]
        assert [item["code"] for item in fresh] == [code]
        assert_problem(client.get("/api/v1/devices?colour=red"), 422, "colour")


def test_a_value_from_the_future_is_shown_with_its_age_and_is_never_good(site) -> None:
    (device_id, code), *_ = site.sql(
        "SELECT id, code FROM device WHERE kind = 'gas' ORDER BY code DESC LIMIT 1"
    )
    received = datetime.now(UTC)
    site.sql(
        "INSERT INTO device_latest (device_id, metric_id, ts, value, received_at)"
        " VALUES (%s, 3, %s, 4.5, %s)",
        (device_id, received + timedelta(seconds=540), received),
    )
    with site.client(Role.VIEWER) as client:
        device = client.get(f"/api/v1/devices/{code}").json()
        (shown,) = [row for row in device["latest"] if row["value"] == 4.5]
        assert -540 <= shown["age_s"] < -480
        assert shown["trust"] == ["clock"]
    with site.pool.connection() as conn:  # the map: as of its receipt, so that the next is newer
        metric, value, ts, heard = walls.list_newest(conn, "460107")[device_id]
    assert (metric, value) == ("co_ppm", 4.5)
    assert ts - heard <= 2000
    site.sql("DELETE FROM device_latest WHERE device_id = %s AND metric_id = 3", (device_id,))


def test_history_is_raw_or_bucketed_and_keeps_the_peak(site) -> None:
    device_id, code = device_of(site, "manhole")
    start = NOW - timedelta(hours=2)
    for minute, value in enumerate((1.0, 99.0, 2.0)):
        measure(site, device_id, start + timedelta(minutes=minute), value, metric=21)
    path = f"/api/v1/devices/{code}/readings"
    ask = {"metric": "water_level_cm", "from": start.isoformat(), "bucket": "raw"}
    with site.client(Role.VIEWER) as client:
        raw = client.get(path, params=ask).json()
        assert [point["avg"] for point in raw["items"]] == [1.0, 99.0, 2.0]
        first = client.get(path, params={**ask, "limit": 2}).json()
        rest = client.get(path, params={**ask, "limit": 2, "cursor": first["next"]}).json()
        assert [point["max"] for point in first["items"] + rest["items"]] == [1.0, 99.0, 2.0]
        assert rest["next"] is None
        for query, field in (
            ({"metric": "colour"}, "metric"),
            ({}, "metric"),
            ({"metric": "water_level_cm", "bucket": "5 parsecs"}, "bucket"),
            ({"metric": "water_level_cm", "from": "2026-11-22T08:00:00"}, "from"),
            (
                {
                    "metric": "water_level_cm",
                    "to": "2000-01-01T00:00:00Z",
                    "from": "2001-01-01T00:00:00Z",
                },
                "to",
            ),
        ):
            assert_problem(client.get(path, params=query), 422, field)


def test_an_alarm_is_acknowledged_shelved_and_shown(site) -> None:
    alarm_id = raise_alarm(site, "gas_leak/list")
    path = f"/api/v1/alarms/{alarm_id}"
    with site.client(Role.DISPATCHER) as client:
        alarm = client.get(path).json()
        assert (alarm["state"], alarm["rule"]) == ("unacknowledged", "gas_leak")
        assert alarm["reason"]["code"] == "value_at_or_above_limit"
        assert_problem(client.post(f"{path}/acknowledge", json={}), 422, "version")
        done = client.post(f"{path}/acknowledge", json={}, headers={"If-Match": '"1"'})
        assert done.status_code == 200, done.text
        assert done.json()["state"] == "acknowledged"
        stale = assert_problem(client.post(f"{path}/acknowledge", json={"version": 1}), 409)
        assert stale["current"]["state"] == "acknowledged"
        assert stale["current"]["severity"] == alarm["severity"] == 2
        assert stale["allowed"]
        version = done.json()["version"]
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        assert_problem(client.post(f"{path}/shelve", json={"version": version}), 422, "until")
        far = {"version": version, "until": "2999-01-01T00:00:00Z", "reason": "works"}
        assert_problem(client.post(f"{path}/shelve", json=far), 422, "until")
        shelve = {"version": version, "until": until, "reason": "works"}
        shelved = client.post(f"{path}/shelve", json=shelve).json()
        assert shelved["shelved_by"] == "token:dispatcher"
        back = client.post(f"{path}/unshelve", json={"version": shelved["version"]}).json()
        assert back["shelved_until"] is None
        assert client.get("/api/v1/alarms?live=true&rule=gas_leak").json()["items"]
        assert client.get("/api/v1/alarms?state=normal").json()["items"] == []
        assert_problem(client.post(f"{path}/explode", json={"version": 1}), 405)


def test_a_person_judges_a_video_event_once(site) -> None:
    camera_id = film(site, "walk/1")
    film(site, "walk/2")
    with site.client(Role.DISPATCHER) as client:
        pending = client.get("/api/v1/video-events?review=pending&limit=1").json()
        assert len(pending["items"]) == 1
        more = client.get(
            "/api/v1/video-events",
            params={"review": "pending", "limit": 1, "cursor": pending["next"]},
        ).json()["items"]
        assert {pending["items"][0]["event_id"], more[0]["event_id"]} == {"walk/1", "walk/2"}
        path = f"/api/v1/video-events/{camera_id}/walk/1/review"
        assert_problem(client.post(path, json={"verdict": "maybe"}), 422, "verdict")
        assert_problem(client.post(path, json={}), 422, "verdict")
        done = client.post(path, json={"verdict": "dismissed", "note": "a shadow"})
        assert done.status_code == 200, done.text
        assert (done.json()["review"], done.json()["review_note"]) == ("dismissed", "a shadow")
        assert_problem(client.post(path, json={"verdict": "confirmed"}), 409)
        unknown = f"/api/v1/video-events/{camera_id}/nothing/review"
        assert_problem(client.post(unknown, json={"verdict": "dismissed"}), 404)
        nowhere = "/api/v1/video-events/NOBODY/x/review"
        assert_problem(client.post(nowhere, json={"verdict": "dismissed"}), 404)
    with site.client(Role.VIEWER) as viewer:
        path = f"/api/v1/video-events/{camera_id}/walk/2/review"
        assert_problem(viewer.post(path, json={"verdict": "confirmed"}), 403)


def test_key_figures_come_with_their_counts_and_no_ratio_of_nothing(site) -> None:
    with site.client(Role.LEADER) as client:
        empty = client.get(
            "/api/v1/kpi?from=2001-01-01T00:00:00Z&to=2001-02-01T00:00:00Z&by=squad"
        ).json()
        assert empty == {
            "from": "2001-01-01T00:00:00Z",
            "to": "2001-02-01T00:00:00Z",
            "by": "squad",
            "total": None,
            "groups": [],
            "edition": None,
            "editions": [],
            "formula": empty["formula"],
        }
        assert empty["formula"]["version"] == 1
        assert_problem(client.get("/api/v1/kpi?by=colour"), 422, "by")
        assert_problem(client.get("/api/v1/kpi?from=1970-01-01T00:00:00Z"), 422, "from")
        assert_problem(client.get("/api/v1/kpi?to=1970-01-01T00:00:00Z&from=nope"), 422, "from")


def test_a_figure_opens_its_cases_and_goes_along_as_a_file(site) -> None:
    place = {"category": "04-06", "lon": 110.36, "lat": 20.0, "description": "stall"}
    with site.client(Role.DISPATCHER) as client:
        assert client.post("/api/v1/incidents", json=place).status_code == 201
        for by in ("district", "community", "source", "category"):
            found = client.get("/api/v1/kpi", params={"by": by}).json()
            asked = {"by": by, "from": found["from"], "to": found["to"], "figure": "opened"}
            assert found["total"]["opened"] > 0
            for group in found["groups"]:
                cases = client.get("/api/v1/kpi/cases", params={**asked, "key": group["key"]})
                assert len(cases.json()["items"]) == group["opened"]
            for kind in ("csv", "xlsx"):
                file = client.get("/api/v1/kpi/report", params={"by": by, "format": kind})
                assert file.status_code == 200, file.text
                rows = table_of(kind, file.content)
                assert rows[2][:2] == ["分组", "立卷"]
                assert str(rows[-1][1]) == str(found["total"]["opened"])
        paper = client.get("/api/v1/kpi/report", params={"by": "source", "format": "pdf"})
        assert paper.headers["Content-Type"] == "application/pdf"
        assert paper.content.startswith(b"%PDF-1.4")
        assert found["total"]["score"] is None, "nothing was due"
        assert_problem(client.get("/api/v1/kpi/cases?figure=luck"), 422, "figure")
        assert_problem(client.get("/api/v1/kpi/report?format=doc"), 422, "format")


def table_of(kind: str, content: bytes) -> list[list[Any]]:
    if kind == "csv":
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    sheet = load_workbook(io.BytesIO(content)).worksheets[0]
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def test_squads_say_whether_they_are_on_duty(site) -> None:
    with site.client(Role.VIEWER) as client:
        items = client.get("/api/v1/squads").json()["items"]
        assert len(items) >= 20
        assert {type(item["on_duty"]) for item in items} == {bool}
        skill = items[0]["skills"][0]
        able = client.get("/api/v1/squads", params={"skill": skill, "limit": 3}).json()["items"]
        assert all(skill in item["skills"] for item in able)
        assert_problem(client.get("/api/v1/squads?on_duty=maybe"), 422, "on_duty")


def test_a_category_names_its_class_once(site) -> None:
    with site.client(Role.VIEWER) as client:
        items = client.get("/api/v1/categories").json()["items"]
    assert items
    assert all(item["class"] and "class_" not in item for item in items)


def test_the_ingest_accounts_are_open(site) -> None:
    site.sql(
        "INSERT INTO reject (received_at, format, topic, reason, detail, raw, raw_size,"
        " whole_message) VALUES (%s, 'native', 't', 'json_invalid', 'd', %s, 3, true)",
        (NOW, b"\x00{x"),
    )
    with site.client(Role.ADMIN) as client:
        ledger = client.get("/api/v1/ledger").json()
        assert ledger["items"] == []
        assert "rejects" in {item["what"] for item in ledger["imbalances"]}
        rejects = client.get("/api/v1/rejects?reason=json_invalid").json()["items"]
        assert (rejects[0]["raw"], rejects[0]["raw_is_complete"]) == ("AHt4", True)
        assert client.get("/api/v1/rejects?since=2999-01-01T00:00:00Z").json()["items"] == []


def test_the_event_log_is_read_from_a_cursor(site) -> None:
    first = site.happen("test.first", "test:1", note="第一")
    second = site.happen("test.second", "test:1")
    with site.client(Role.VIEWER) as client:
        found = client.get("/api/v1/events", params={"after": first - 1, "limit": 1}).json()
        assert [event["seq"] for event in found["items"]] == [first]
        assert found["items"][0]["payload"] == {"note": "第一"}
        rest = client.get("/api/v1/events", params={"cursor": found["next"]}).json()
        assert [event["seq"] for event in rest["items"]] == [second]
        assert rest["items"][0]["prev_hash"] == found["items"][0]["hash"]
        assert rest["next"] is None
        assert_problem(client.get("/api/v1/events?after=-1"), 422, "after")
        assert_problem(client.get("/api/v1/events?limit=0"), 422, "limit")


def test_the_event_log_is_filtered_by_kind_and_time(site) -> None:
    site.happen("test.old", "test:3")
    middle = site.happen("test.wanted", "test:3")
    at = site.sql("SELECT at FROM event WHERE seq = %s", (middle,))[0][0].isoformat()
    last = site.happen("test.wanted", "test:3")
    ask = {"subject": "test:3", "kind": "test.wanted", "limit": 1}
    with site.client(Role.VIEWER) as client:
        found = client.get("/api/v1/events", params=ask).json()
        assert [event["seq"] for event in found["items"]] == [middle]
        rest = client.get("/api/v1/events", params={**ask, "cursor": found["next"]}).json()
        assert ([event["seq"] for event in rest["items"]], rest["next"]) == ([last], None)
        late = client.get("/api/v1/events", params={"subject": "test:3", "since": at}).json()
        assert [event["seq"] for event in late["items"]] == [middle, last]
        assert_problem(client.get("/api/v1/events?since=yesterday"), 422, "since")


def test_the_ingest_accounts_are_paged(site) -> None:
    end = NOW.replace(second=0) - timedelta(days=2)
    batch = site.sql(
        "INSERT INTO ingest_batch (worker, received_from, received_to, received, stored, duplicate,"
        " rejected, readings_stored, evaluated_at) VALUES ('w', %s, %s, 3, 3, 0, 0, 0, %s)"
        " RETURNING id",
        (end, end, NOW),
    )[0][0]
    lines = [("a", 1), ("b", 1), ("a", 2)]
    for feed, minutes in lines:
        site.sql(
            "INSERT INTO ingest_ledger (batch_id, feed, minute, received, stored, duplicate,"
            " rejected, without_values, readings_stored, readings_duplicate)"
            " VALUES (%s, %s, %s, 1, 1, 0, 0, 0, 0, 0)",
            (batch, feed, end - timedelta(minutes=minutes)),
        )
    ask = {"since": (end - timedelta(hours=1)).isoformat(), "to": end.isoformat(), "limit": "1"}
    with site.client(Role.ADMIN) as client:
        found = []
        for _ in lines:
            body = client.get("/api/v1/ledger", params=ask).json()
            found += body["items"]
            assert sum(total["received"] for total in body["totals"]) == 3
            ask["cursor"] = body["next"]
        assert body["next"] is None
        assert [item["feed"] for item in found] == ["a", "b", "a"]
        early = (NOW - timedelta(days=3)).isoformat()
        for query, field in (
            ({"limit": 0}, "limit"),
            ({"from": NOW.isoformat(), "to": early}, "from"),
            ({"since": NOW.isoformat(), "to": early}, "since"),
            ({"since": early, "from": early}, "since"),
            ({"cursor": "WzFd"}, "cursor"),
        ):
            assert_problem(client.get("/api/v1/ledger", params=query), 422, field)


def test_the_event_log_is_followed_as_a_stream(site) -> None:
    first = site.happen("test.stream", "test:2")
    with (
        site.client(Role.VIEWER) as client,
        client.stream(
            "GET",
            "/api/v1/events",
            params={"after": first - 1, "subject": "test:2"},
            headers={"Accept": "text/event-stream"},
        ) as answer,
    ):
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith("id:")) == f"id: {first}"
        second = site.happen("test.stream", "test:2")
        assert next(line for line in lines if line.startswith("id:")) == f"id: {second}"


@pytest.mark.parametrize(
    "query",
    [
        "incidents?since=9999-12-31T23:59:59-12:00",
        "incidents?since=0001-01-01T00:00:00%2B12:00",
        "ledger?to=0001-01-01T00:00:00Z",
        "ledger?to=9999-12-31T23:59:59Z",
        "incidents?limit=" + "9" * 5000,
        "events?after=" + "9" * 5000,
    ],
)
def test_a_number_or_time_beyond_all_bounds_is_named(site, query: str) -> None:
    field = query.partition("?")[2].partition("=")[0]
    with site.client(Role.DISPATCHER) as client:
        assert_problem(client.get(f"/api/v1/{query}"), 422, field)


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        ("alarms?state=bogus", "returned_unacknowledged"),
        ("video-events?review=bogus", "dismissed"),
        ("video-events?phase=bogus", "update"),
    ],
)
def test_a_filter_that_no_row_can_match_says_what_is_allowed(
    site, query: str, allowed: str
) -> None:
    field = query.partition("?")[2].partition("=")[0]
    with site.client(Role.DISPATCHER) as client:
        body = assert_problem(client.get(f"/api/v1/{query}"), 422, field)
    assert allowed in body["problem"]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("incidents", "[99999999999999999999999]"),
        ("incidents", "[-1]"),
        ("alarms", "[99999999999999999999999]"),
        ("rejects", "[-1]"),
        ("alarms", "[" * 4000),
        ("video-events", '["2026-11-22T08:00:00+08:00", 99999999999999999999999, "x"]'),
        ("video-events", '["2026-11-22T08:00:00+08:00", -1, "x"]'),
        ("video-events", '["2026-11-22T08:00:00", 1, "x"]'),
        ("video-events", '["9999-12-31T23:59:59-12:00", 1, "x"]'),
        ("video-events", '["2026-11-22T08:00:00+08:00", 1, "\\u0000"]'),
    ],
)
def test_a_cursor_that_no_list_gave_is_refused(site, path: str, key: str) -> None:
    cursor = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
    with site.client(Role.DISPATCHER) as client:
        assert_problem(client.get(f"/api/v1/{path}", params={"cursor": cursor}), 422, "cursor")


@pytest.mark.parametrize("path", ["/api/v1/devices", "/api/v1/alarms", "/api/v1/video-events"])
def test_another_districts_rows_are_not_seen(site, path: str) -> None:
    site.sql(
        "INSERT INTO district (code, name_zh, name_en, outline) VALUES ('110101', '东城', 'D',"
        """ '{"type": "Polygon", "coordinates": [[[116,39],[117,39],[117,40],[116,39]]]}')"""
        " ON CONFLICT DO NOTHING"
    )
    site.sql("UPDATE api_token SET district = '110101' WHERE name = 'leader'")
    site.parts.gate.forget()
    try:
        with site.client(Role.LEADER) as client:
            assert client.get(path).json() == {"items": [], "next": None}
    finally:
        site.sql("UPDATE api_token SET district = '460107' WHERE name = 'leader'")
        site.parts.gate.forget()
