"""Health pages, and what everything says while the database is away."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from werkzeug.serving import make_server

from city.incident import Role
from dashboard.parts import EXTENSION
from dashboard.server import create_server
from db.live import open_redis
from db.pool import Pool, open_pool


def test_it_is_alive_and_ready(site) -> None:
    with site.client(None) as client:
        assert client.get("/healthz").json() == {"ok": True}
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)


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
        ("GET", "/api/v1/incidents"), ("POST", "/api/v1/incidents"), ("GET", "/live/snapshot"),
        ("GET", "/events"), ("GET", "/api/v1/kpi"),
    ):  # fmt: skip
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
    ready = without_redis.get("/readyz").json()
    assert ready["ready"] is True
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
