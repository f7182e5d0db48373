"""Health pages, and what everything says while the database is away."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from werkzeug.serving import make_server

from bench.installation import wait_for
from city.incident import Role
from city.stage import Stage
from dashboard.shell import disk
from dashboard.shell.parts import EXTENSION
from dashboard.shell.server import create_server
from db.live import open_redis
from db.pool import Pool, open_pool

PARTS = {"database", "broker", "ingest", "devices", "engine", "scheduler", "web", "redis", "disk"}


def ready_once(client: httpx.Client, wanted: bool, path: str = "/readyz") -> dict[str, Any]:
    """The answer as soon as it says so: the beats are looked at once a second."""

    def look() -> dict[str, Any] | None:
        answer = client.get(path)
        assert answer.status_code == (200 if answer.json()["ready"] else 503)
        return dict(answer.json()) if answer.json()["ready"] is wanted else None

    return wait_for(look, 15, pause_s=0.2)


def part(answer: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [check for check in answer["checks"] if check["part"] == name]
    return dict(found)


def test_it_is_alive_and_ready_while_every_stage_goes_round(site) -> None:
    with site.going_round(), site.client(None) as client:
        assert client.get("/healthz").json() == {"ok": True}
        ready = ready_once(client, True)
        assert ready["reasons"] == []
        assert {check["part"] for check in ready["checks"]} == PARTS
        assert all(check["ok"] for check in ready["checks"])


def test_a_stage_that_stands_still_is_named_with_its_time_and_takes_no_web_server_away(
    site,
) -> None:
    since = datetime.now(UTC) - timedelta(seconds=75)
    with site.going_round(Stage.RECEIVED), site.client(None) as client:
        site.sql("UPDATE stage_beat SET beat_at = %s WHERE stage = 'received'", (since,))
        answer = ready_once(client, False)
        (reason,) = answer["reasons"]
        assert reason.startswith("ingest gives no sign of life")
        ingest = part(answer, "ingest")
        assert (ingest["ok"], ingest["code"]) == (False, "ingest_absent")
        assert ingest["age_s"] == pytest.approx(75, abs=5)
        assert datetime.fromisoformat(ingest["since"]) == pytest.approx(
            since, abs=timedelta(seconds=2)
        )
        assert part(answer, "broker")["ok"] is None  # only ingest could tell
        web = client.get("/readyz", params={"of": "web"})
        assert web.status_code == 200
        assert [check["part"] for check in web.json()["checks"]] == ["database", "web"]
        assert client.get("/readyz", params={"of": "everything"}).json()["field"] == "of"


def test_the_screens_are_told_what_does_not_arrive_and_when_it_does_again(site) -> None:
    with site.client(Role.VIEWER) as client, client.stream("GET", "/events") as stream:
        told = (
            [fault["code"] for fault in body["faults"]]
            for line in stream.iter_lines()
            if line.startswith("data: ") and (body := json.loads(line[6:]))["t"] == "faults"
        )
        with site.going_round():
            next(codes for codes in told if codes == [])
        with site.going_round(Stage.JUDGED):
            assert next(codes for codes in told if codes) == ["not_judged"]
            shown = client.get("/live/snapshot").json()["faults"]
            assert [(fault["code"], fault["old"]) for fault in shown] == [("not_judged", "alarms")]
        with site.going_round():
            assert next(codes for codes in told if codes != ["not_judged"]) == []


def test_a_low_disk_of_the_data_folder_is_a_reason(site, monkeypatch) -> None:
    monkeypatch.setattr(disk, "FREE_MIN_BYTES", 10**18)
    with site.going_round(), site.client(None) as client:
        answer = ready_once(client, False)
        assert part(answer, "disk")["code"] == "disk_low"
        assert "of disk are left at" in answer["reasons"][0]


def test_metrics_count_requests_viewers_and_events(site) -> None:
    site.happen("test.metric", "test:1")
    with site.client(Role.VIEWER) as client:
        client.get("/api/v1/squads")
        with client.stream("GET", "/events") as stream:
            next(stream.iter_bytes())
            text = client.get("/metrics").text
    figures = dict(
        line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")
    )
    assert float(figures["gridwarden_sse_viewers"]) >= 1
    assert float(figures["gridwarden_events_total"]) == site.last_seq()
    assert float(figures["gridwarden_database_up"]) == 1
    route = 'gridwarden_http_requests_total{method="GET",route="/api/v1/squads",status="200"}'
    assert float(figures[route]) >= 1
    assert "gridwarden_ingest_batches_waiting" in figures


@contextmanager
def running(site, pool: Pool, redis_port: int) -> Iterator[httpx.Client]:
    """Another server with these connections."""
    redis = open_redis(f"redis://127.0.0.1:{redis_port}/0")
    server = create_server(pool, redis, site.parts.ports, "secret of another server")
    listener = make_server("127.0.0.1", 0, server, threaded=True)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{listener.port}", timeout=20) as client:
        yield client
    server.extensions[EXTENSION].walls.stop()
    listener.shutdown()
    listener.server_close()
    thread.join(5)


def unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


@pytest.fixture
def dead(site) -> Iterator[httpx.Client]:
    """A server where neither database nor Redis answers."""
    port = unused_port()
    pool = open_pool(f"postgresql://nobody@127.0.0.1:{port}/none")
    pool.timeout = 0.5
    with running(site, pool, port) as client:
        yield client
    pool.close()


@pytest.fixture
def without_redis(site) -> Iterator[httpx.Client]:
    """A server with the site's database and no Redis."""
    with running(site, site.pool, unused_port()) as client:
        yield client


def test_without_a_database_every_answer_is_one_plain_sentence(dead) -> None:
    token = {"Authorization": "Bearer gw_something"}
    for method, path in (
        ("GET", "/api/v1/incidents"),
        ("POST", "/api/v1/incidents"),
        ("GET", "/live/snapshot"),
        ("GET", "/events"),
        ("GET", "/api/v1/kpi"),
    ):
        answer = dead.request(method, path, headers=token, json={} if method == "POST" else None)
        assert answer.status_code == 503, path
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Retry-After"] == "5"
        assert "\n" not in answer.json()["detail"]
        assert "Traceback" not in answer.text


def test_without_a_database_the_sign_in_page_says_so_and_health_knows_why(dead) -> None:
    assert dead.get("/healthz").status_code == 200
    ready = dead.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["reasons"] == ["database does not answer"]
    assert part(ready.json(), "engine")["ok"] is None
    assert dead.get("/readyz", params={"of": "web"}).status_code == 503
    assert "gridwarden_database_up 0.0" in dead.get("/metrics").text
    kiosk = dead.get("/wall", headers={"Accept": "text/html", "Authorization": "Bearer gw_x"})
    assert kiosk.status_code == 503
    assert 'http-equiv="refresh"' in kiosk.text
    page = dead.post("/login", data={"name": "viewer", "password": "a long enough password"})
    assert page.status_code == 503
    assert "数据库" in page.text


def test_without_redis_people_sign_in_and_wrong_passwords_are_counted(without_redis) -> None:
    codes = []
    for _ in range(7):
        answer = without_redis.post("/login", data={"name": "x", "password": "wrong password"})
        codes.append(answer.status_code)
    assert codes == [401] * 5 + [429] * 2
    right = without_redis.post(
        "/login", data={"name": "dispatcher", "password": "a long enough password"}
    )
    assert right.status_code == 303


def test_without_redis_a_change_still_reaches_the_screens(without_redis, site) -> None:
    headers = {"Authorization": f"Bearer {site.tokens[Role.DISPATCHER]}"}
    with site.going_round():
        ready = ready_once(without_redis, True)
    assert "redis" in ready["notes"][0]
    with without_redis.stream("GET", "/events", headers=headers) as stream:
        lines = stream.iter_lines()
        next(line for line in lines if '"t":"now"' in line)
        started = time.monotonic()
        body = {"category": "0101", "lon": 110.36, "lat": 20.0, "description": "no redis"}
        answer = without_redis.post("/api/v1/incidents", headers=headers, json=body)
        assert answer.status_code == 201
        frame = next(line for line in lines if '"t":"ev"' in line)
        assert f'"id":{answer.json()["id"]},' in frame
        assert time.monotonic() - started < 8
