"""`gridwarden up`: the embedded stack and every process on one machine, in the foreground."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

import stack
from app.children import Child, stop_all
from app.demo_plan import DEMO_USERS, LOGINS_FILE, planned_start, was_removed
from app.settings import DEMO_DISTRICT, ENDPOINTS_FILE, create_secret
from city.errors import Unavailable
from db import districts, rules
from db.migrate import migrate
from db.pool import connect

log = logging.getLogger(__name__)

DEFAULT_HTTP_PORT = 8050
# Its name in ports.json, beside those of the servers.
WEB = "web"
# How long the web server may take to say that it is ready.
READY_TIMEOUT_S = 60.0
# How often children and servers are looked at: while the broker is down nobody takes messages.
WATCH_EVERY_S = 0.1
LOG_FILE_MAX_BYTES = 20_000_000

Say = Callable[[str], None]


def up(
    data_dir: Path,
    *,
    demo: bool | None,
    demo_days: int,
    http_port: int | None,
    say: Say,
    stop: threading.Event,
) -> None:
    """Start everything, print where it is, stay until `stop`, then stop everything. `demo` None:
    with the demonstration, unless it was removed; `demo_days`: its past, when it is new."""
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / ENDPOINTS_FILE).unlink(missing_ok=True)
    with ExitStack() as opened:
        endpoints = opened.enter_context(stack.running(data_dir, progress=say))
        say("preparing the database")
        url = endpoints.postgres
        logins: Mapping[str, str] = {}
        early = is_prepared(url, data_dir, demo=demo)
        if early:
            demo = is_demo(url, demo)
        else:
            demo, logins = prepare(url, data_dir, demo, demo_days, say)
        listener = opened.enter_context(open_web_port(data_dir, http_port))
        port = listener.getsockname()[1]
        environ = child_environ(endpoints, data_dir, listener)
        if demo:
            environ["GRIDWARDEN_DEMO_LOGINS_FILE"] = str(data_dir / LOGINS_FILE)
        children = plan_children(data_dir, environ, demo=demo)
        try:
            for child in children:
                child.start()
            if early:
                # Most of a start is loading libraries: theirs and ours at the same time.
                _, logins = prepare(url, data_dir, demo, demo_days, say)
            address = f"http://127.0.0.1:{port}"
            wait_until_ready(address, children, stop)
            write_endpoints(data_dir, endpoints, address)
            announce(say, address, endpoints, logins, data_dir)
            if text := import_module("app.prepare").invite(url, address):
                say(text)
            while not stop.wait(WATCH_EVERY_S):
                for child in children:
                    child.watch()
                revive(endpoints.services)
        finally:
            say("stopping")
            (data_dir / ENDPOINTS_FILE).unlink(missing_ok=True)
            stop_all(children)


def revive(services: stack.Services) -> None:
    """Start a server again that ended by itself; the processes reconnect alone."""
    for name in services.fallen():
        log.warning("%s ended by itself; starting it again", name)
        try:
            services.restart(name)
        except stack.StackError as error:
            log.error("%s; trying again", error)


def prepare_database(url: str, *, demo: bool | None, demo_days: int = 0) -> bool:
    """`app.prepare`, whose libraries are loaded when it is wanted."""
    done: bool = import_module("app.prepare").prepare_database(url, demo=demo, demo_days=demo_days)
    return done


def prepare(
    url: str, data_dir: Path, demo: bool | None, demo_days: int, say: Say
) -> tuple[bool, Mapping[str, str]]:
    """Everything that a start puts into the database, safe to repeat: whether there is a demo, and
    the passwords of its people."""
    demo = prepare_database(url, demo=demo, demo_days=demo_days)
    logins: Mapping[str, str] = {}
    if demo:
        logins = import_module("app.prepare").make_demo(url, data_dir, say)
    return demo, logins


def is_demo(url: str, demo: bool | None) -> bool:
    """Whether there is to be a demonstration; None: unless it was removed."""
    if demo is not None:
        return demo
    with connect(url, application="gridwarden up") as conn:
        return not was_removed(conn)


def is_prepared(url: str, data_dir: Path, *, demo: bool | None) -> bool:
    """Whether an earlier start has made everything that processes need: they may start while it is
    looked through once more. The newest schema is there, or this puts it there."""
    if migrate(url):
        return False
    wanted = is_demo(url, demo)
    with connect(url, application="gridwarden up") as conn:
        has_demo = districts.find_district(conn, DEMO_DISTRICT) is not None
        begun = planned_start(conn) is not None
        return (
            rules.is_any(conn)
            and not begun
            and (not wanted or (has_demo and (data_dir / LOGINS_FILE).exists()))
        )


def open_web_port(data_dir: Path, wanted: int | None) -> socket.socket:
    """The listening socket of the screens. It stays ours while the web server starts anew, so
    the address that is announced never leads to another program."""
    path = data_dir / "ports.json"
    ports = stack.read_ports(path)
    others = {port for name, port in ports.items() if name != WEB}
    listener = stack.listen(DEFAULT_HTTP_PORT, ports.get(WEB), others, wanted=wanted)
    stack.write_ports(path, {**ports, WEB: listener.getsockname()[1]})
    return listener


def child_environ(
    endpoints: stack.Endpoints, data_dir: Path, listener: socket.socket
) -> dict[str, str]:
    """The environment of every child: the same names that a container deployment sets."""
    return {
        **os.environ,
        "GRIDWARDEN_DATABASE_URL": endpoints.postgres,
        "GRIDWARDEN_MQTT_URL": endpoints.mqtt,
        "GRIDWARDEN_REDIS_URL": endpoints.redis,
        "GRIDWARDEN_SECRET_KEY": create_secret(data_dir),
        "GRIDWARDEN_DATA_DIR": str(data_dir),
        "GRIDWARDEN_HTTP_PORT": str(listener.getsockname()[1]),
        "GRIDWARDEN_HTTP_FD": str(listener.fileno()),
        "GRIDWARDEN_PUBLIC_URL": os.environ.get("GRIDWARDEN_PUBLIC_URL")
        or f"http://127.0.0.1:{listener.getsockname()[1]}",
        "PYTHONUNBUFFERED": "1",
    }


def plan_children(data_dir: Path, environ: Mapping[str, str], *, demo: bool) -> list[Child]:
    """The processes of one machine, in starting order."""
    logs = data_dir / "logs"
    logs.mkdir(exist_ok=True)
    names = ["engine", "scheduler", "serve", "ingest", "notify", *(["simulate"] if demo else [])]
    children = []
    for name in names:
        path = logs / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_FILE_MAX_BYTES:
            path.replace(path.with_suffix(".log.1"))
        handed_over = (int(environ["GRIDWARDEN_HTTP_FD"]),) if name == "serve" else ()
        children.append(Child(name, [name], environ, path, handed_over))
    return children


def wait_until_ready(address: str, children: list[Child], stop: threading.Event) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not stop.wait(0.2):
        for child in children:
            child.watch()
        if is_ready(f"{address}/readyz"):
            return
        if time.monotonic() > deadline:
            if is_ready(f"{address}/readyz?of=web"):
                log.warning("not everything is ready: %s/readyz says what is not", address)
                return
            logs = children[0].log_file.parent
            raise Unavailable(
                f"the web server did not become ready in {READY_TIMEOUT_S:g} s; see {logs}"
            )


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def write_endpoints(data_dir: Path, endpoints: stack.Endpoints, http: str) -> None:
    """Appears whole or not at all: other commands read it to find this installation."""
    body = {
        "http": http,
        "mqtt": endpoints.mqtt,
        "postgres": endpoints.postgres,
        "redis": endpoints.redis,
        "edition": endpoints.edition,
    }
    draft = data_dir / f".{ENDPOINTS_FILE}"
    draft.touch(mode=0o600)  # the addresses carry passwords
    draft.write_text(json.dumps(body, indent=1))
    draft.replace(data_dir / ENDPOINTS_FILE)


def announce(
    say: Say, address: str, endpoints: stack.Endpoints, logins: Mapping[str, str], data_dir: Path
) -> None:
    say("")
    say(f"Gridwarden is running at {address}")
    say(f"  MQTT {endpoints.mqtt}   logs {data_dir / 'logs'}")
    for name, role in DEMO_USERS:
        if name in logins:
            say(f"  {name:<12}{logins[name]:<16}{role.value}")
    say("Ctrl-C stops everything.")
