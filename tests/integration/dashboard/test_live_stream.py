"""The live channel: frames, resume, resync, one build for all, and life without Redis."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from psycopg.types.json import Jsonb

from city.incident import Role
from city.scope import Scope
from dashboard.shell.fan_out import RESYNC, VIEWER_FRAMES
from dashboard.shell.streams import Visitor
from db.live import publish_device_frame

REPORT = {"category": "0101", "lon": 110.36, "lat": 20.0, "description": "The cover is missing"}


class Stream:
    """An open event stream, read message by message."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def messages(self) -> Iterator[dict[str, str]]:
        """{"id", "event", "data"} of each message as far as it has them."""
        found: dict[str, str] = {}
        for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                found[name] = value
            elif found:
                yield found
                found = {}

    def next(self, kind: str) -> dict[str, Any]:
        """The next frame of a kind ("ev", "dev", "now"), with its id."""
        for message in self.messages():
            if "data" in message:
                body = json.loads(message["data"])
                if body.get("t") == kind:
                    return {**body, "id": message.get("id")}
        raise AssertionError("the stream has ended")


@contextmanager
def watching(site, role: Role = Role.VIEWER, **options: Any) -> Iterator[Stream]:
    with site.client(role) as client, client.stream("GET", "/events", **options) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["X-Accel-Buffering"] == "no"
        stream = Stream(answer)
        stream.next("now")
        yield stream


def report(site) -> dict[str, Any]:
    with site.client(Role.DISPATCHER) as client:
        answer = client.post("/api/v1/incidents", json=REPORT)
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body


def snapshot(site) -> dict[str, Any]:
    with site.client(Role.VIEWER) as client:
        body: dict[str, Any] = client.get("/live/snapshot").json()
        return body


def devices(site, kind: str, count: int) -> list[int]:
    rows = site.sql("SELECT id FROM device WHERE kind = %s ORDER BY id LIMIT %s", (kind, count))
    return [row[0] for row in rows]


def ms() -> int:
    return round(time.time() * 1000)


def test_a_change_reaches_the_screen_with_its_revision(site) -> None:
    with watching(site) as stream:
        incident = report(site)
        frame = stream.next("ev")
        assert frame["id"] == str(frame["rev"])
        assert frame["kinds"] == ["incident.opened"]
        shown = frame["incidents"][0]
        assert (shown["id"], shown["state"]) == (incident["id"], "reported")
        assert shown["clock"] in {clock["clock"] for clock in incident["clocks"]}
        assert shown["standing"] == "running"
        assert frame["kpi"]["open"] >= 1
        with site.client(Role.DISPATCHER) as client:
            body = {"action": "reject", "version": incident["version"], "reason": "not ours"}
            client.post(f"/api/v1/incidents/{incident['id']}/actions", json=body)
        assert stream.next("ev")["gone"] == [incident["id"]]


def test_the_snapshot_shows_what_the_frames_add_up_to(site) -> None:
    incident = report(site)
    found = snapshot(site)
    assert found["rev"] == site.last_seq()
    assert incident["id"] in [row["id"] for row in found["incidents"]]
    assert len(found["squads"]) >= 20
    assert len(found["squads"][0]) == 8
    assert found["demo"] is True
    assert set(found["kpi"]) >= {
        "open",
        "overdue",
        "due_soon",
        "closed_today",
        "handling",
        "in_time",
        "devices",
        "alarms_live",
        "lit",
    }
    assert found["kpi"]["devices"]["total"] >= 5000


def test_a_screen_that_was_away_gets_exactly_what_it_missed(site) -> None:
    snapshot(site)
    start = site.last_seq()
    first = report(site)
    second = report(site)
    wait_until(lambda: site.parts.walls.of(Scope("460107")).rev == site.last_seq())
    for options in (
        {"headers": {"Last-Event-ID": str(start)}},
        {"params": {"last": start}},
        {"params": {"last": 1}, "headers": {"Last-Event-ID": str(start)}},
    ):
        with site.client(Role.VIEWER) as client, client.stream("GET", "/events", **options) as got:
            stream = Stream(got)
            seen: set[int] = set()
            while not {first["id"], second["id"]} <= seen:
                seen |= {row["id"] for row in stream.next("ev")["incidents"]}
            assert seen == {first["id"], second["id"]}


@pytest.mark.parametrize("last", [0, 10**9])
def test_a_screen_that_was_away_too_long_is_told_to_start_anew(site, last: int) -> None:
    report(site)
    with (
        site.client(Role.VIEWER) as client,
        client.stream("GET", "/events", params={"last": last}) as answer,
    ):
        messages = Stream(answer).messages()
        assert next(m for m in messages if "event" in m)["event"] == "resync"


def test_a_bad_cursor_is_refused(site) -> None:
    with site.client(Role.VIEWER) as client:
        assert client.get("/events?last=abc").status_code == 422
        assert client.get("/events?since=1").status_code == 422


def test_two_hundred_viewers_get_frames_that_were_built_once(site) -> None:
    wall = site.parts.walls.of(Scope("460107"))
    viewers = [wall.audience.join(None)[0] for _ in range(200)]
    try:
        before = wall.audience.tally.frames_built
        rev = site.happen("test.crowd", "test:9")
        waiting = set(viewers)
        ended = time.monotonic() + 5
        while waiting and time.monotonic() < ended:
            waiting -= {v for v in waiting if b"id: %d\n" % rev in v.take(0.1)}
        assert not waiting
        assert wall.audience.tally.frames_built - before < 10
    finally:
        for viewer in viewers:
            wall.audience.leave(viewer)


def test_one_snapshot_is_built_for_all_who_ask_at_once(site) -> None:
    snapshot(site)
    time.sleep(1.1)
    wall = site.parts.walls.of(Scope("460107"))
    before = wall.audience.tally.snapshots_built
    threads = [threading.Thread(target=snapshot, args=(site,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wall.audience.tally.snapshots_built - before <= 3


def test_a_viewer_that_reads_nothing_is_dropped_and_holds_nobody_up(site) -> None:
    audience = site.parts.walls.of(Scope("460107")).audience
    slow, _ = audience.join(None)
    quick, _ = audience.join(None)
    for _ in range(VIEWER_FRAMES + 1):
        audience.send(b"data: {}\n\n")
        quick.take(0)
    assert slow.dropped
    assert not quick.dropped
    audience.leave(quick)


def test_device_values_are_merged_and_carry_their_times(site) -> None:
    gas = devices(site, "gas", 2)
    with watching(site) as stream:
        sensed = ms() - 400
        for value in (1.0, 2.0):
            row = [gas[0], None, value, "ch4_pct_lel", sensed, sensed + 100]
            publish_device_frame(site.parts.redis, {"committed": sensed + 200, "d": [row]})
        frame = stream.next("dev")
        values = {row[0]: row for row in frame["d"]}
        while values[gas[0]][2] != 2.0:
            frame = stream.next("dev")
            values = {row[0]: row for row in frame["d"]}
        assert values[gas[0]] == [
            gas[0],
            1,
            2.0,
            "ch4_pct_lel",
            sensed,
            sensed + 100,
            sensed + 200,
        ]
        assert frame["pushed"] >= sensed + 200
    found = {row[0]: row for row in snapshot(site)["devices"]}
    assert found[gas[0]] == [gas[0], 1, 2.0, "ch4_pct_lel", sensed]
    assert gas[1] not in found, "a device that never reported has nothing to say"


def test_device_frames_come_at_most_five_times_a_second(site) -> None:
    gas = devices(site, "gas", 1)[0]
    with watching(site) as stream:
        got: list[dict[str, Any]] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                got.append(stream.next("dev"))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        for n in range(100):
            row = [gas, None, float(n), "ch4_pct_lel", ms(), ms()]
            publish_device_frame(site.parts.redis, {"committed": ms(), "d": [row]})
            time.sleep(0.01)
        time.sleep(0.4)
        done.set()
        assert 3 <= len(got) <= 9
        assert got[-1]["d"][-1][2] == 99.0
        publish_device_frame(
            site.parts.redis,
            {"committed": ms(), "d": [[gas, None, 0.0, "ch4_pct_lel", ms(), ms()]]},
        )
        reader.join(2)


def test_an_alarm_colours_its_device_and_shelving_uncolours_it(site) -> None:
    gas = devices(site, "gas", 5)[4]
    now = datetime.now(UTC)
    alarm_id = site.sql(
        """
        INSERT INTO alarm (district, condition, rule_code, rule_version, category, device_id,
                           severity, state, reason, sensed_at, received_at, raised_at, lon, lat)
        VALUES ('460107', 'gas_leak/colour', 'gas', 1, '05-02', %s, 1, 'unacknowledged', %s,
                %s, %s, %s, 110.36, 20.0) RETURNING id
        """,
        (gas, Jsonb({"code": "x"}), now, now, now),
    )[0][0]
    with watching(site) as stream:
        site.happen("alarm.raised", f"alarm:{alarm_id}")
        colours = {row[0]: row[1] for row in stream.next("dev")["d"]}
        assert colours[gas] == 5
        frame = stream.next("ev")
        assert [row["id"] for row in frame["alarms"]] == [alarm_id]
        assert frame["alarms"][0]["shelved"] is False
        site.sql(
            "UPDATE alarm SET shelved_until = now() + interval '1 h' WHERE id = %s", (alarm_id,)
        )
        site.happen("alarm.shelved", f"alarm:{alarm_id}")
        assert {row[0]: row[1] for row in stream.next("dev")["d"]}[gas] != 5
        site.sql("UPDATE alarm SET state = 'normal' WHERE id = %s", (alarm_id,))
        site.happen("alarm.reset", f"alarm:{alarm_id}")
        while alarm_id not in (frame := stream.next("ev"))["alarms_gone"]:
            assert frame["alarms"][0]["shelved"] is True


def test_a_squad_that_moves_and_figures_that_change_come_without_an_event(
    site, monkeypatch
) -> None:
    monkeypatch.setattr("dashboard.shell.live.SWEEP_S", 0.2)
    with watching(site) as stream:
        code = snapshot(site)["squads"][0][0]
        site.sql("INSERT INTO squad_position VALUES (%s, now(), 110.5, 19.9)", (code,))
        while "squads" not in (frame := stream.next("now")):
            pass
        assert [row[:1] + row[3:5] for row in frame["squads"]] == [[code, 110.5, 19.9]]
        assert frame["id"] is None


def test_without_redis_the_screens_are_right_within_seconds(site, monkeypatch) -> None:
    """Nobody publishes anything: the follower looks at the log itself."""
    with watching(site) as stream:
        monkeypatch.setattr("dashboard.shell.changes.publish_event_seq", lambda *_: False)
        started = time.monotonic()
        incident = report(site)
        frame = stream.next("ev")
        assert incident["id"] in [row["id"] for row in frame["incidents"]]
        assert time.monotonic() - started < 3


def test_the_map_is_compressed_and_known_by_its_tag(site) -> None:
    with site.client(Role.VIEWER) as client:
        answer = client.get("/live/map")
        body = answer.json()
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(body["devices"]) >= 5000
        assert len(body["cells"][0]) == 5
        west, south, east, north = body["district"]["bbox"]
        assert west < 110.36 < east
        assert south < 20.0 < north
        assert body["district"]["outline"]["type"] in ("Polygon", "MultiPolygon")
        again = client.get("/live/map", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        plain = client.get("/live/map", headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
        assert plain.json() == body
        assert len(gzip.compress(plain.content)) < len(plain.content) / 3


def test_a_stream_ends_when_its_session_does(site, monkeypatch) -> None:
    monkeypatch.setattr("dashboard.shell.fan_out.KEEP_ALIVE_S", 0.3)
    monkeypatch.setattr("dashboard.shell.gate.REMEMBER_S", 0.1)
    with site.client(None) as client:
        client.post("/login", data={"name": "viewer", "password": "a long enough password"})
        with client.stream("GET", "/events") as answer:
            lines = answer.iter_lines()
            for _ in range(6):
                next(lines)
            with site.client(None, cookies=dict(client.cookies)) as other:
                out = other.post("/logout", headers={"X-CSRFToken": client.cookies["_csrf_token"]})
                assert out.status_code == 303
            assert sum(1 for line in lines if line.startswith("data:")) < 20


def test_when_all_places_are_taken_the_next_viewer_is_told(site) -> None:
    places = site.parts.places
    wait_until(lambda: places.taken == 0)  # the server notices only now that viewers have left
    taken = 0
    try:
        while places.taken < 300:
            places.take(somebody(taken))
            taken += 1
        with site.client(Role.VIEWER) as client:
            answer = client.get("/events")
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
            assert client.get("/live/snapshot").status_code == 200
    finally:
        for n in range(taken):
            places.give_back(somebody(n))


def somebody(n: int) -> Visitor:
    return Visitor(f"person {n}", f"10.0.0.{n}", acts=True, screen=True)


def test_a_stream_that_ends_gives_its_place_back(site) -> None:
    wait_until(lambda: site.parts.places.taken == 0)
    with watching(site):
        assert site.parts.places.taken == 1
    site.happen("test.bye", "test:3")
    site.happen("test.bye", "test:3")
    wait_until(lambda: site.parts.places.taken == 0)


def wait_until(check: Any, seconds: float = 12) -> None:
    ended = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < ended, "it did not happen"
        time.sleep(0.02)


def test_the_call_to_start_anew_is_a_message_of_its_own() -> None:
    assert RESYNC.startswith(b"event: resync\ndata: ")
