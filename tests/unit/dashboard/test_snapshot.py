"""The picture: what events touch, what a frame does, and that frames add up to the snapshot."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from city.place import LonLat
from city.squad import Shift, Squad
from dashboard.shell.snapshot import (
    Counted,
    Fresh,
    Picture,
    Touched,
    alarm_json,
    apply_fresh,
    incident_json,
    kpi_json,
    pack,
    squad_json,
    sse,
    take_squads,
    touched_by,
)
from db.kpi import Headline
from db.walls import WallAlarm, WallIncident

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)  # a Sunday noon in Shanghai
ZONE = ZoneInfo("Asia/Shanghai")


def incident(incident_id: int, **more: Any) -> WallIncident:
    columns: dict[str, Any] = {
        "number": f"N{incident_id}", "state": "filed", "severity": 2, "family": "gas",
        "category": "05-02", "category_zh": "zh", "category_en": "en", "title_zh": "zh",
        "title_en": "en", "lon": 110.0, "lat": 20.0, "unit_grid": None, "street_name": None,
        "community_name": None, "source": "sensor", "squad": None, "squad_zh": None,
        "squad_en": None, "opened_at": NOW, "clock": "dispatch",
        "due_at": NOW + timedelta(minutes=15), "warn_at": NOW + timedelta(minutes=12),
        "paused_at": None, "version": 1, "demo": False, "device": None, **more,
    }  # fmt: skip
    return WallIncident(id=incident_id, **columns)


def alarm(alarm_id: int, **more: Any) -> WallAlarm:
    columns: dict[str, Any] = {
        "severity": 2, "state": "unacknowledged", "category": "05-02", "device": "GD-1",
        "device_id": 1, "lon": 110.0, "lat": 20.0, "unit_grid": None, "sensed_at": NOW,
        "raised_at": NOW, "announced_at": NOW, "reason": {}, "incident_id": None,
        "shelved_until": None, "version": 1,
        **more,
    }  # fmt: skip
    return WallAlarm(id=alarm_id, **columns)


def squad(code: str, **more: Any) -> Squad:
    columns: dict[str, Any] = {
        "district": "460107", "name_zh": "中队", "name_en": "squad", "kind": "gas",
        "skills": frozenset({"gas"}), "duty_grids": frozenset(),
        "shifts": (Shift(frozenset({7}), time(8), time(18)),), "position": LonLat(110.1, 20.1),
        "position_at": NOW, "open_incidents": 0, **more,
    }  # fmt: skip
    return Squad(code=code, **columns)


def fresh(kinds: tuple[str, ...] = ("x",), incidents=(), alarms=(), squads=(), touched=None):
    ids = frozenset(row.id for row in incidents), frozenset(row.id for row in alarms)
    return Fresh(touched or Touched(*ids, kinds), incidents, alarms, squads)


def test_events_name_the_rows_they_touch() -> None:
    touched = touched_by(
        [
            ("incident.opened", "incident:7"),
            ("alarm.raised", "alarm:3"),
            ("incident.filed", "incident:7"),
            ("video.confirmed", "video:CAM/1"),
            ("incident.odd", "incident:not-a-number"),
        ]
    )
    assert touched.incidents == {7}
    assert touched.alarms == {3}
    assert touched.kinds == (
        "incident.opened",
        "alarm.raised",
        "incident.filed",
        "video.confirmed",
        "incident.odd",
    )


def test_a_clock_stands_as_it_does_at_the_moment_of_asking() -> None:
    row = incident(1)
    stands = [
        incident_json(row, NOW + timedelta(minutes=minutes))["standing"]
        for minutes in (0, 12, 15, 16)
    ]
    assert stands == ["running", "due_soon", "due_soon", "overdue"]
    assert incident_json(replace(row, paused_at=NOW), NOW)["standing"] == "paused"
    assert incident_json(replace(row, due_at=None, warn_at=None), NOW)["standing"] is None


def test_times_travel_as_epoch_milliseconds() -> None:
    shown = incident_json(incident(1), NOW)
    assert shown["opened"] == 1_795_320_000_000
    assert shown["due"] - shown["opened"] == 15 * 60 * 1000


def test_a_squad_says_where_it_is_and_whether_it_is_on_duty() -> None:
    assert squad_json(squad("A"), NOW, ZONE) == [
        "A",
        "中队",
        "squad",
        110.1,
        20.1,
        True,
        0,
        "gas",
    ]
    night = NOW + timedelta(hours=12)
    assert squad_json(squad("A", position=None), night, ZONE)[3:6] == [None, None, False]


def test_a_frame_takes_in_what_is_there_and_out_what_is_gone() -> None:
    picture = Picture(ZONE, incidents={1: incident(1), 2: incident(2)}, alarms={5: alarm(5)})
    touched = Touched(frozenset({1, 3}), frozenset({5}), ("incident.closed",))
    frame = apply_fresh(picture, fresh(incidents=[incident(3)], touched=touched), 42, NOW)
    assert sorted(picture.incidents) == [2, 3]
    assert picture.alarms == {}
    assert (frame["rev"], frame["gone"], frame["alarms_gone"]) == (42, [1], [5])
    assert [row["id"] for row in frame["incidents"]] == [3]
    assert picture.rev == 42


def test_a_frame_names_only_the_squads_that_changed() -> None:
    picture = Picture(ZONE)
    take_squads(picture, [squad("A"), squad("B")], NOW)
    busy = squad("B", open_incidents=1)
    frame = apply_fresh(picture, fresh(squads=[squad("A"), busy]), 1, NOW)
    assert [row[0] for row in frame["squads"]] == ["B"]
    assert picture.as_json(NOW, [], None)["squads"][1][6] == 1


def test_a_squad_whose_shift_ends_looks_different_without_any_event() -> None:
    picture = Picture(ZONE)
    take_squads(picture, [squad("A")], NOW)
    assert take_squads(picture, [squad("A")], NOW + timedelta(minutes=1)) == []
    assert [row[5] for row in take_squads(picture, [squad("A")], NOW + timedelta(hours=6))] == [
        False
    ]


def test_frames_add_up_to_the_snapshot() -> None:
    """A screen that applies every frame to an empty picture ends where the snapshot is."""
    picture = Picture(ZONE)
    steps = [
        fresh(incidents=[incident(1), incident(2)], alarms=[alarm(1)]),
        fresh(incidents=[incident(2, state="dispatched", version=2)]),
        fresh(touched=Touched(frozenset({1}), frozenset({1}), ("x",))),
        fresh(incidents=[incident(3, severity=1)]),
    ]
    screen: dict[int, Any] = {}
    for rev, step in enumerate(steps, start=1):
        frame = apply_fresh(picture, step, rev, NOW)
        screen |= {row["id"]: row for row in frame["incidents"]}
        for gone in frame["gone"]:
            screen.pop(gone)
    shown = picture.as_json(NOW, [], None)
    assert {row["id"]: row for row in shown["incidents"]} == screen
    assert [row["id"] for row in shown["incidents"]] == [3, 2], "the worst first"
    assert (shown["rev"], shown["alarms"]) == (4, [])


def test_a_shelved_alarm_colours_nothing_until_its_time_runs_out() -> None:
    until = NOW + timedelta(hours=1)
    picture = Picture(ZONE, alarms={1: alarm(1, shelved_until=until), 2: alarm(2, severity=4)})
    assert picture.severities(NOW) == {1: 4}
    assert picture.severities(until) == {1: 2}
    assert alarm_json(picture.alarms[1], NOW)["shelved"] is True
    assert alarm_json(picture.alarms[1], until)["shelved"] is False


def test_the_headline_carries_counts_and_never_a_bare_ratio() -> None:
    shown = kpi_json(Headline(3, 1, 1, 5, 2), None, Counted(10, 12, 0, 0), 4)
    assert shown["handling"] == shown["in_time"] == shown["lit"] == {"num": 0, "den": 0}
    assert shown["devices"] == {"reporting": 10, "total": 12}
    assert (shown["open"], shown["overdue"], shown["due_soon"]) == (3, 1, 1)
    assert shown["alarms_live"] == 4


def test_a_message_is_one_event_of_one_line() -> None:
    sent = sse({"text": "a\nb 中"}, rev=7)
    assert sent.startswith(b"id: 7\ndata: {")
    assert sent.endswith(b"}\n\n")
    assert sent.count(b"\n") == 3
    assert json.loads(sent.split(b"data: ", 1)[1]) == {"text": "a\nb 中"}
    assert sse({}) == b"data: {}\n\n"


def test_a_packed_document_is_the_same_plain_and_zipped() -> None:
    packed = pack({"a": [1, 2, 3]})
    assert gzip.decompress(packed.zipped) == packed.plain == b'{"a":[1,2,3]}'
    assert pack({"a": [1, 2, 3]}) == packed, "no time stamp inside"
