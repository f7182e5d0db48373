"""The web server process: gunicorn with threads, started from here and stopped by an event."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from dashboard.shell.doorway import Doorway
from dashboard.shell.parts import EXTENSION, DemoLogin, Parts
from dashboard.shell.ports import Ports
from dashboard.shell.proxies import parse_networks
from dashboard.shell.server import create_server
from dashboard.shell.streams import STREAMS_PER_ADDRESS, STREAMS_PER_PERSON, Places
from db.live import open_redis
from db.pool import open_pool

log = logging.getLogger(__name__)

# Threads for pages and API beside those that the streams hold.
WORKING_THREADS = 40
# Connections to the database: the working threads share them, a request holds one for ms.
DATABASE_CONNECTIONS = 12
# How long a stopping server waits for requests that are being answered; streams end at once.
GRACE_S = 5
# How soon a worker notices that the process that started it was killed; until it has stopped
# it holds the port.
PARENT_CHECK_S = 0.5


@dataclass(frozen=True)
class ServeSettings:
    """Where to listen and what to connect to."""

    database_url: str
    redis_url: str
    secret_key: str
    host: str = "127.0.0.1"
    port: int = 8050
    listener_fd: int | None = None  # a socket that listens already, instead of host and port
    threads: int = 336
    workers: int = 1
    trusted_proxies: str = ""  # addresses and networks, separated by commas
    streams_per_person: int = STREAMS_PER_PERSON
    streams_per_address: int = STREAMS_PER_ADDRESS
    secure_cookies: bool = False  # also where no proxy says that the browser uses TLS
    tile_url: str = ""
    data_dir: str = "/"
    demo_logins: tuple[DemoLogin, ...] = ()


def run(settings: ServeSettings, ports: Ports, stop: threading.Event) -> None:
    """Serve until `stop` is set or a signal comes. Call it in the main thread: it handles them."""
    ended = threading.Event()

    def pass_on_stop() -> None:
        while not ended.wait(0.2):
            if stop.is_set():
                os.kill(os.getpid(), signal.SIGTERM)
                return

    watcher = threading.Thread(target=pass_on_stop, name="serve-stop", daemon=True)
    watcher.start()
    try:
        _Server(settings, ports).run()
    except SystemExit as ending:
        if ending.code not in (None, 0):
            raise
    finally:
        ended.set()
        stop.set()


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn configured by values instead of files."""

    def __init__(self, settings: ServeSettings, ports: Ports) -> None:
        self._settings = settings
        self._ports = ports
        self.trusted_proxies = parse_networks(
            "GRIDWARDEN_TRUSTED_PROXIES", settings.trusted_proxies
        )
        super().__init__()

    def load_config(self) -> None:
        """What gunicorn asks for first."""
        settings = self._settings
        options: dict[str, Any] = {
            "bind": _bind(settings),
            "worker_class": Doorway,
            # Who a proxy speaks for is decided in `dashboard.shell.proxies` alone.
            "forwarded_allow_ips": "",
            "workers": settings.workers,
            "threads": settings.threads,
            "worker_connections": settings.threads * 2,
            "graceful_timeout": GRACE_S,
            "timeout": 120,  # a worker whose main loop is silent for so long is stuck
            "keepalive": 20,
            "accesslog": None,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_worker_init": _end_streams_on_signal,
            "proc_name": "gridwarden serve",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Runs in the worker process: connections and threads belong to it."""
        settings = self._settings
        return create_server(
            open_pool(settings.database_url, max_size=DATABASE_CONNECTIONS, application="serve"),
            open_redis(settings.redis_url),
            self._ports,
            settings.secret_key,
            demo_logins=settings.demo_logins,
            places=Places(
                max(1, settings.threads - WORKING_THREADS),
                per_person=settings.streams_per_person,
                per_address=settings.streams_per_address,
            ),
            trusted_proxies=self.trusted_proxies,
            secure_cookies=settings.secure_cookies,
            tile_url=settings.tile_url,
            data_dir=Path(settings.data_dir),
        )


def _bind(settings: ServeSettings) -> str:
    if settings.listener_fd is not None:
        return f"fd://{settings.listener_fd}"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def _end_streams_on_signal(worker: Any) -> None:
    """A stream would hold up a stopping worker for the whole grace period: end it first."""
    found: Parts = worker.wsgi.extensions[EXTENSION]
    go_on = worker.handle_exit

    def stop_gracefully(number: int, frame: FrameType | None) -> None:
        # Not in the handler itself: it may have interrupted code that holds a lock.
        threading.Thread(target=found.walls.stop_soon, daemon=True).start()
        go_on(number, frame)

    def stop_with_parent() -> None:
        parent = os.getppid()
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_with_parent, name="serve-parent", daemon=True).start()
    # Ctrl-C reaches every process of the terminal; gunicorn's own quick stop is SIGQUIT.
    for kind in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(kind, stop_gracefully)
