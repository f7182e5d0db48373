"""The door under pressure: half-sent requests, too many streams, and who still gets in."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from city.incident import Role
from dashboard.shell import doorway
from tests.integration.dashboard.processes import Process

# More than the server has threads.
MANY = 160
# Held threads come back after 5 s at the earliest, held loops after 2 s for each connection.
SOON_S = 4


@pytest.fixture(scope="module")
def process(site) -> Iterator[Process]:
    found = Process(site, threads=120)
    found.start()
    yield found
    found.stop()


def connect(process: Process, address: str = "127.0.0.2") -> socket.socket:
    """From another loopback address than honest clients."""
    return socket.create_connection(
        ("127.0.0.1", process.port), timeout=30, source_address=(address, 0)
    )


@contextmanager
def half_sent(process: Process, text: bytes, count: int = MANY) -> Iterator[list[socket.socket]]:
    with ExitStack() as held:
        sockets = []
        for n in range(count):
            # Several addresses: no limit of one address helps against them.
            sock = held.enter_context(connect(process, f"127.0.1.{n % 8 + 1}"))
            sock.sendall(text)
            sockets.append(sock)
        yield sockets


def answer_of(sock: socket.socket, end: bytes = b'{"ok":true}') -> bytes:
    got = b""
    while end not in got:
        piece = sock.recv(65536)
        assert piece, got
        got += piece
    return got


def seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"GET /login HTTP/1.1\r\nHost: a\r\n",
        b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 100\r\n\r\nname=",
        b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nname=",
        b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\nname=",
        b"POST /api/v1/incidents HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n{",
    ],
    ids=["nothing", "head", "body", "expect", "chunks", "large", "large-elsewhere"],
)
def test_half_sent_requests_keep_nobody_waiting(process, site, text: bytes) -> None:
    with half_sent(process, text), site_client(process, site) as client:
        for _ in range(5):
            assert seconds(lambda: client.get("/api/v1/squads").raise_for_status()) < SOON_S


def test_a_request_that_does_not_arrive_in_time_is_told_so_and_dropped(process) -> None:
    with connect(process) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\n")
        began = time.monotonic()
        answer = sock.recv(1000)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert doorway.WHOLE_REQUEST_S - 1 < time.monotonic() - began < doorway.WHOLE_REQUEST_S + 3


def test_a_request_in_pieces_is_answered_and_its_connection_kept(process) -> None:
    with connect(process) as sock:
        for _ in range(2):
            for piece in (b"GET /healthz HT", b"TP/1.1\r\nHost: a\r", b"\n\r", b"\n"):
                sock.sendall(piece)
                time.sleep(0.05)
            assert b" 200 " in answer_of(sock)


def test_two_requests_in_one_piece_are_both_answered(process) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with connect(process) as sock:
        sock.sendall(request + request[:10])
        assert answer_of(sock).count(b" 200 ") == 1
        sock.sendall(request[10:])
        assert answer_of(sock).count(b" 200 ") == 1


def test_a_client_that_asks_first_is_told_to_go_on(process) -> None:
    with connect(process) as sock:
        sock.sendall(
            b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n"
        )
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"name=x&password=y")
        assert b"HTTP/1.1 401" in answer_of(sock, end=b"</html>")


def test_answered_clients_that_do_not_hang_up_hold_nobody_up(process, site) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with half_sent(process, request, 40), site_client(process, site) as client:
        for _ in range(5):
            assert seconds(lambda: client.get("/api/v1/squads").raise_for_status()) < SOON_S


def test_clients_that_read_nothing_do_not_take_every_thread(process, site) -> None:
    with site_client(process, site) as client:
        page = client.get("/login").text
        assert "icon.svg" in page
    # The largest thing that an anonymous client can ask for.
    path = b"/_dash-component-suites/plotly/package_data/plotly.min.js"
    request = b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    with ExitStack() as held:
        for _ in range(MANY):
            sock = held.enter_context(connect(process))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall(request)
        time.sleep(0.5)
        with site_client(process, site) as client:
            assert seconds(lambda: client.get("/api/v1/squads").raise_for_status()) < SOON_S


def test_more_connections_than_the_server_keeps_drive_out_the_idle(process, site) -> None:
    with half_sent(process, b"GET / HTTP/1.1\r\n", count=200), site_client(process, site) as client:
        assert seconds(lambda: client.get("/api/v1/squads").raise_for_status()) < SOON_S


@contextmanager
def site_client(process: Process, site, role: Role = Role.DISPATCHER) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {site.tokens[role]}"}
    with httpx.Client(base_url=process.url, headers=headers, timeout=30) as client:
        yield client


@contextmanager
def streams(process: Process, site, role: Role, count: int) -> Iterator[list[int]]:
    """Open so many streams of one token; the status of each."""
    headers = {"Authorization": f"Bearer {site.tokens[role]}"}
    with httpx.Client(
        base_url=process.url, headers=headers, timeout=30, limits=httpx.Limits(max_connections=500)
    ) as client:
        opened = [
            client.send(client.build_request("GET", "/events"), stream=True) for _ in range(count)
        ]
        yield [answer.status_code for answer in opened]
        for answer in opened:
            answer.close()


def test_nobody_takes_every_stream_and_some_are_kept_for_those_who_act(process, site) -> None:
    """120 threads are 80 places: 24 for one person, 40 for scripts of those who only look."""
    with streams(process, site, Role.VIEWER, 40) as viewer:
        assert (viewer.count(200), viewer.count(429)) == (24, 16)
        with streams(process, site, Role.LEADER, 20) as leader:
            assert (leader.count(200), leader.count(503)) == (16, 4)
            with streams(process, site, Role.DISPATCHER, 20) as dispatcher:
                assert dispatcher == [200] * 20
