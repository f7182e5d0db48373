"""The picture: what events touch, what a frame does, and that frames add up to the snapshot."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from city.event import Event
from city.place import LonLat
from city.squad import Shift, Squad
from dashboard.shell.packing import Packer, Rows, pack
from dashboard.shell.snapshot import (
    Counted,
    Screen,
    SnapshotParts,
    alarm_json,
    incident_json,
    kpi_json,
    ms,
    squad_json,
    sse,
    take_events,
    take_squads,
    tell,
)
from replay.picture import Picture
from replay.shown import Headline, ShownAlarm, ShownIncident
from tests.unit.replay.log import ALARM, DISTRICT, INCIDENT, SQUAD, event, row

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)  # a Sunday noon in Shanghai
ZONE = ZoneInfo("Asia/Shanghai")


def incident(incident_id: int, **more: Any) -> ShownIncident:
    columns: dict[str, Any] = {
        "number": f"N{incident_id}",
        "state": "filed",
        "severity": 2,
        "family": "gas",
        "category": "05-02",
        "category_zh": "zh",
        "category_en": "en",
        "title_zh": "zh",
        "title_en": "en",
        "lon": 110.0,
        "lat": 20.0,
        "unit_grid": None,
        "street_name": None,
        "community_name": None,
        "source": "sensor",
        "squad": None,
        "squad_zh": None,
        "squad_en": None,
        "opened_at": NOW,
        "clock": "dispatch",
        "due_at": NOW + timedelta(minutes=15),
        "warn_at": NOW + timedelta(minutes=12),
        "paused_at": None,
        "version": 1,
        "demo": False,
        "device": None,
        **more,
    }
    return ShownIncident(id=incident_id, **columns)


def alarm(alarm_id: int, **more: Any) -> ShownAlarm:
    columns: dict[str, Any] = {
        "severity": 2,
        "state": "unacknowledged",
        "category": "05-02",
        "device": "GD-1",
        "device_id": 1,
        "lon": 110.0,
        "lat": 20.0,
        "unit_grid": None,
        "sensed_at": NOW,
        "raised_at": NOW,
        "announced_at": NOW,
        "reason": {},
        "incident_id": None,
        "shelved_until": None,
        "version": 1,
        **more,
    }
    return ShownAlarm(id=alarm_id, **columns)


def squad(code: str, **more: Any) -> Squad:
    columns: dict[str, Any] = {
        "district": "460107",
        "name_zh": "中队",
        "name_en": "squad",
        "kind": "gas",
        "skills": frozenset({"gas"}),
        "duty_grids": frozenset(),
        "shifts": (Shift(frozenset({7}), time(8), time(18)),),
        "position": LonLat(110.1, 20.1),
        "position_at": NOW,
        "open_incidents": 0,
        **more,
    }
    return Squad(code=code, **columns)


def screen(*events: Event) -> Screen:
    """What is shown after these events."""
    found = Screen(ZONE, Picture(DISTRICT))
    tell(found, take_events(found, events), NOW)
    return found


def frame_of(found: Screen, *events: Event) -> dict[str, Any]:
    return tell(found, take_events(found, events), NOW)


def test_events_name_the_rows_they_touch() -> None:
    found = Screen(ZONE, Picture(DISTRICT))
    touched = take_events(
        found,
        [
            event(1, "incident.opened", "incident:7"),
            event(2, "alarm.raised", "alarm:3"),
            event(3, "incident.filed", "incident:7"),
            event(4, "video.confirmed", "video:CAM/1"),
            event(5, "incident.odd", "incident:not-a-number"),
            event(6, "row.changed", "log:rows", row("deadline", {"incident_id": 8, "id": 1}, {})),
            event(7, "row.changed", "log:rows", row("incident_alarm", {"alarm_id": 4}, None)),
            event(8, "incident.opened", "incident:9", district="990101"),
        ],
    )
    assert touched.incidents == {7, 8}
    assert touched.alarms == {3, 4}
    assert list(touched.kinds) == [
        "incident.opened",
        "alarm.raised",
        "incident.filed",
        "video.confirmed",
        "incident.odd",
        "row.changed",
    ]
    assert found.rev == 8


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
    found = screen(
        event(
            1,
            "x",
            "x:1",
            row("incident", {"id": 1}, {**INCIDENT, "id": 1}),
            row("incident", {"id": 2}, {**INCIDENT, "id": 2}),
            row("alarm", {"id": 5}, {**ALARM, "id": 5}),
        ),
    )
    frame = frame_of(
        found,
        event(
            41,
            "incident.closed",
            "incident:1",
            row("incident", {"id": 1}, {**INCIDENT, "id": 1, "state": "closed"}),
            row("alarm", {"id": 5}, {**ALARM, "id": 5, "state": "normal"}),
        ),
        event(
            42, "incident.opened", "incident:3", row("incident", {"id": 3}, {**INCIDENT, "id": 3})
        ),
    )
    assert sorted(found.incidents) == [2, 3]
    assert found.alarms == {}
    assert (frame["rev"], frame["gone"], frame["alarms_gone"]) == (42, [1], [5])
    assert [shown["id"] for shown in frame["incidents"]] == [3]
    assert found.rev == 42


def as_json(screen: Screen, now: datetime, devices: list[Any], latency_ms: float | None) -> Any:
    """The snapshot a screen starts from, in one piece."""
    return {
        "rev": screen.rev,
        "now": ms(now),
        "demo": screen.demo,
        "devices": devices,
        "incidents": [incident_json(row, now) for row in screen.sorted_incidents()],
        "alarms": [alarm_json(row, now) for row in screen.sorted_alarms()],
        "squads": list(screen.squads.values()),
        "kpi": screen.kpi,
        "latency": {"sensor_to_commit_ms_p50": latency_ms},
    }


def test_a_frame_names_only_the_squads_that_changed() -> None:
    found = screen(
        event(
            1,
            "x",
            "x:1",
            row("squad", {"code": "A"}, {**SQUAD, "code": "A"}),
            row("squad", {"code": "B"}, {**SQUAD, "code": "B"}),
        )
    )
    sent = {**INCIDENT, "id": 3, "state": "dispatched", "squad": "B"}
    frame = frame_of(found, event(2, "x", "incident:3", row("incident", {"id": 3}, sent)))
    assert [shown[0] for shown in frame["squads"]] == ["B"]
    assert as_json(found, NOW, [], None)["squads"][1][6] == 1


def test_a_name_that_changes_changes_every_incident_that_shows_it() -> None:
    found = screen(
        event(
            1,
            "x",
            "x:1",
            row("incident", {"id": 1}, {**INCIDENT, "id": 1, "street": "S1"}),
            row("incident", {"id": 2}, {**INCIDENT, "id": 2}),
        )
    )
    named = row("division", {"code": "S1"}, {"code": "S1", "district": DISTRICT, "name": "长堤路"})
    frame = frame_of(found, event(2, "row.changed", "log:rows", named))
    assert [(shown["id"], shown["street_name"]) for shown in frame["incidents"]] == [(1, "长堤路")]


def test_a_squad_whose_shift_ends_looks_different_without_any_event() -> None:
    shift = {"squad": "A", "weekdays": [7], "start_at": "08:00:00", "end_at": "18:00:00"}
    found = screen(
        event(
            1,
            "x",
            "x:1",
            row("squad", {"code": "A"}, {**SQUAD, "code": "A"}),
            row("squad_shift", {"squad": "A", "start_at": "08:00:00"}, shift),
        )
    )
    assert take_squads(found, NOW + timedelta(minutes=1)) == []
    assert [shown[5] for shown in take_squads(found, NOW + timedelta(hours=6))] == [False]


def test_frames_add_up_to_the_snapshot() -> None:
    """A screen that applies every frame to an empty picture ends where the snapshot is."""
    found = Screen(ZONE, Picture(DISTRICT))
    steps = [
        event(
            1,
            "x",
            "x:1",
            row("incident", {"id": 1}, {**INCIDENT, "id": 1}),
            row("incident", {"id": 2}, {**INCIDENT, "id": 2}),
            row("alarm", {"id": 1}, {**ALARM, "id": 1}),
        ),
        event(2, "x", "x:1", row("incident", {"id": 2}, {**INCIDENT, "id": 2, "version": 2})),
        event(3, "x", "x:1", row("incident", {"id": 1}, None), row("alarm", {"id": 1}, None)),
        event(4, "x", "x:1", row("incident", {"id": 3}, {**INCIDENT, "id": 3, "severity": 1})),
    ]
    screen: dict[int, Any] = {}
    for step in steps:
        frame = frame_of(found, step)
        screen |= {shown["id"]: shown for shown in frame["incidents"]}
        for gone in frame["gone"]:
            screen.pop(gone)
    shown = as_json(found, NOW, [], None)
    assert {incident["id"]: incident for incident in shown["incidents"]} == screen
    assert [incident["id"] for incident in shown["incidents"]] == [3, 2], "the worst first"
    assert (shown["rev"], shown["alarms"]) == (4, [])


def test_the_parts_of_the_snapshot_are_the_snapshot_at_any_time() -> None:
    found = Screen(ZONE, Picture(DISTRICT), kpi={"open": 1})
    found.incidents = {n: incident(n, due_at=NOW + timedelta(minutes=n)) for n in range(100)}
    found.alarms = {n: alarm(n, shelved_until=NOW + timedelta(minutes=n)) for n in range(70)}
    made, packer = SnapshotParts(), Packer()
    for minutes in (0, 0, 20, 50):
        now = NOW + timedelta(minutes=minutes)
        found.incidents[7] = incident(7, title_en=f"after {minutes}")
        packed = packer.pack(made.parts(found, now, (b"[1]", b"[2],[3]"), 4.0, []))
        assert gzip.decompress(packed.zipped) == packed.plain
        expected = {**as_json(found, now, [[1], [2], [3]], 4.0), "faults": [], "calls": []}
        assert json.loads(packed.plain) == json.loads(json.dumps(expected))
    empty = packer.pack(SnapshotParts().parts(screen(), NOW, (b"", b""), None, []))
    assert json.loads(empty.plain)["incidents"] == json.loads(empty.plain)["devices"] == []


def test_a_row_that_comes_makes_one_part_new() -> None:
    rows = Rows[int](lambda n: {"n": n})
    before = rows.parts((n, n, None) for n in range(1000, 1320))
    after = rows.parts((n, n, None) for n in [*range(1000, 1100), 5, *range(1100, 1320)])
    assert len(before) == len(after) == 11
    assert len(set(after) - set(before)) == 1
    assert json.loads(b"[" + b"".join(after) + b"]")[100] == {"n": 5}


def test_a_shelved_alarm_colours_nothing_until_its_time_runs_out() -> None:
    until = NOW + timedelta(hours=1)
    shown = {1: alarm(1, shelved_until=until), 2: alarm(2, severity=4)}
    picture = Screen(ZONE, Picture(DISTRICT), alarms=shown)
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
