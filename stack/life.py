"""Start, stop, restart and kill the servers of one data folder."""

import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial

from stack.account import launch_prefix
from stack.errors import StackError
from stack.ports import choose_port, is_free, read_ports, write_ports
from stack.processes import end, find, kill_with_children, listens, was_started_as
from stack.servers.base import Server
from stack.servers.every import SERVERS
from stack.site import Site, last_log_line, open_log

# After a crash under load PostgreSQL replays its log before it answers: up to minutes.
READY_SECONDS = 600.0
READY_POLL_SECONDS = 0.05
STILL_WAITING_SECONDS = 10.0

# How long a server may take to finish before it is killed.
STOP_SECONDS = 60.0

# Somebody else may take the chosen port before our server does; then another one is chosen.
PORT_ATTEMPTS = 10


class Services:
    """The servers of one data folder; each keeps its port for as long as this object lives."""

    def __init__(self, site: Site, progress: Callable[[str], None]) -> None:
        self._site = site
        self._progress = progress
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        # What was started and not stopped: one whose restart failed is not running, and missed.
        self._wanted: dict[str, None] = {}
        self._ports: dict[str, int] = {}
        self._prefix = launch_prefix(site.account, (site.home.root, site.data_dir))

    def start(self, name: str | None = None) -> None:
        """Start one server, or all of them."""
        for server in _chosen(name):
            self._wanted[server.name] = None
            if server.name not in self._running:
                self._start(server)

    def stop(self, name: str | None = None) -> None:
        """Let one server, or all of them, finish and end."""
        for server in reversed(_chosen(name)):
            self._wanted.pop(server.name, None)
            process = self._running.pop(server.name, None)
            if process is not None:
                self._progress(f"stopping {server.name}")
                _stop(process, server.stop_signal)

    def restart(self, name: str) -> None:
        """Stop one server properly and start it again on the same port."""
        self.stop(name)
        self.start(name)

    def kill(self, name: str) -> None:
        """End one server at once, as a power cut would; `start` brings it back."""
        process = self._running.pop(_server(name).name)
        self._wanted.pop(name, None)
        kill_with_children(process.pid)
        process.wait()

    def fallen(self) -> list[str]:
        """Servers that have ended by themselves, also those whose restart failed."""
        return [name for name in self._wanted if not self._is_alive(name)]

    def _is_alive(self, name: str) -> bool:
        process = self._running.get(name)
        return process is not None and process.poll() is None

    def pid(self, name: str) -> int:
        """The process number of a running server."""
        return self._running[name].pid

    def address(self, name: str) -> str:
        """The URL at which clients reach the server."""
        return _server(name).address(self._site, self._ports[name])

    def end_leftovers(self) -> None:
        """End servers of this data folder that a killed Gridwarden left behind.

        They are known by a path inside the data folder, which nobody else's server was given.
        """
        for server in reversed(_chosen(None)):
            mark = str(server.mark(self._site))
            for found in find(partial(was_started_as, program=server.program, argument=mark)):
                self._progress(f"stopping {server.name} of an earlier start (process {found.pid})")
                end(found, server.stop_signal, STOP_SECONDS)

    def _start(self, server: Server) -> None:
        for _ in range(PORT_ATTEMPTS):
            port = self._ports.get(server.name) or self._choose_port(server)
            self._progress(f"starting {server.name} on port {port}")
            server.prepare(self._site, port, self._prefix)
            if self._comes_up(server, port):
                self._ports[server.name] = port
                write_ports(self._site.data_dir / "ports.json", self._known_ports())
                server.complete(self._site, port)
                return
            if server.name in self._ports or is_free(port):
                break
        log = self._site.log_path(server.name)
        raise StackError(
            f"{server.name} ended at its start: {last_log_line(log)}; the whole log is {log}."
        )

    def _choose_port(self, server: Server) -> int:
        remembered = self._known_ports()
        others = {port for name, port in remembered.items() if name != server.name}
        return choose_port(server.usual_port, remembered.get(server.name), others)

    def _known_ports(self) -> dict[str, int]:
        return {**read_ports(self._site.data_dir / "ports.json"), **self._ports}

    def _launch(self, server: Server) -> subprocess.Popen[bytes]:
        with open_log(self._site.log_path(server.name)) as log:
            # A session of its own: Ctrl-C in the terminal reaches Gridwarden, which stops the
            # servers after the processes that still need them.
            return subprocess.Popen(
                [*self._prefix, *server.command(self._site)],
                cwd=self._site.folder(server.name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _comes_up(self, server: Server, port: int) -> bool:
        """Launch the server and wait until it serves; False when it ended instead."""
        process = self._running[server.name] = self._launch(server)
        began = said = time.monotonic()
        while process.poll() is None:
            # Another start on this machine may have got the port first and answer in our place.
            if server.is_ready(self._site, port) and listens(process.pid, port):
                return True
            now = time.monotonic()
            if now - began > READY_SECONDS:
                raise StackError(
                    f"{server.name} did not answer within {READY_SECONDS:.0f} s; "
                    f"its log is {self._site.log_path(server.name)}."
                )
            if now - said > STILL_WAITING_SECONDS:
                said = now
                self._progress(f"still waiting for {server.name}: {now - began:.0f} s")
            time.sleep(READY_POLL_SECONDS)
        del self._running[server.name]
        return False


def _chosen(name: str | None) -> list[Server]:
    return list(SERVERS.values()) if name is None else [_server(name)]


def _server(name: str) -> Server:
    if name not in SERVERS:
        raise StackError(f"There is no server {name}; there are {', '.join(SERVERS)}.")
    return SERVERS[name]


def _stop(process: subprocess.Popen[bytes], gently: signal.Signals) -> None:
    process.send_signal(gently)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
