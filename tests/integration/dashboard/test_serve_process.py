"""The web server as a process: it stops at once with screens open, and screens find back."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from city.incident import Role
from tests.integration.dashboard.processes import Process

# Whoever stops a container kills it after ten seconds.
STOPS_WITHIN_S = 10
REPORT = {"category": "0101", "lon": 110.36, "lat": 20.0, "description": "The cover is missing"}


@pytest.fixture
def process(site) -> Iterator[Process]:
    found = Process(site)
    found.start()
    yield found
    if found.process and found.process.poll() is None:
        found.stop()


def watch(process: Process, token: str, seen: list[str], ends: list[float]) -> None:
    """Read a stream to its end."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=process.url, headers=headers, timeout=30) as client:
        try:
            with client.stream("GET", "/events") as stream:
                seen += stream.iter_lines()
        except httpx.TransportError:
            seen.append("broken")
    ends.append(time.monotonic())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_seconds_with_screens_open(process, site, number) -> None:
    tokens = [site.tokens[Role.VIEWER], site.tokens[Role.DISPATCHER]]
    seen: list[str] = []
    ends: list[float] = []
    threads = [
        threading.Thread(target=watch, args=(process, token, seen, ends))
        for token in tokens
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    ended = time.monotonic() + 10
    while sum('"t":"now"' in line for line in seen) < 40:
        assert time.monotonic() < ended
        time.sleep(0.05)
    code, seconds, said = process.stop(number)
    for thread in threads:
        thread.join(10)
    assert (code, seconds < STOPS_WITHIN_S) == (0, True), (code, seconds, said)
    assert len(ends) == 40
    assert "Traceback" not in said
    assert "broken" not in seen, "streams end, they are not torn"


def test_the_port_is_free_again_soon_after_the_process_was_killed(process, site) -> None:
    headers = {"Authorization": f"Bearer {site.tokens[Role.VIEWER]}"}
    with httpx.stream("GET", f"{process.url}/events", headers=headers, timeout=30) as stream:
        next(stream.iter_lines())
        _, seconds, _ = process.stop(signal.SIGKILL)
        assert seconds < STOPS_WITHIN_S, "its worker ends too, with the screen still open"
    process.start()


def test_a_screen_finds_back_after_a_restart(process, site) -> None:
    headers = {"Authorization": f"Bearer {site.tokens[Role.DISPATCHER]}"}
    with httpx.Client(base_url=process.url, headers=headers, timeout=30) as client:
        rev = client.get("/live/snapshot").json()["rev"]
        assert process.stop()[0] == 0
        process.start()
        client.get("/live/snapshot")
        incident = client.post("/api/v1/incidents", json=REPORT).json()
        with client.stream("GET", "/events", headers={"Last-Event-ID": str(rev)}) as stream:
            line = next(line for line in stream.iter_lines() if '"t":"ev"' in line)
            assert f'"id":{incident["id"]},' in line


def test_a_session_outlives_the_process(process, site) -> None:
    with httpx.Client(base_url=process.url, timeout=30) as client:
        login = {"name": "viewer", "password": "a long enough password"}
        assert client.post("/login", data=login).status_code == 303
        assert process.stop()[0] == 0
        process.start()
        assert client.get("/live/snapshot").status_code == 200
