"""Which loopback port each server listens on."""

import errno
import json
import socket
from collections.abc import Callable, Container
from pathlib import Path

from stack.errors import StackError

LOOPBACK = "127.0.0.1"

# Connections that wait while the server behind a socket starts again.
BACKLOG = 1024

# How far above the usual port to look before giving up: more stacks than that on one machine are
# a sign that something starts them without stopping them.
SEARCH_WIDTH = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        # As servers do it: a port whose last connections are only lingering counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_port(
    usual: int, remembered: int | None, taken: Container[int], free: Callable[[int], bool] = is_free
) -> int:
    """The remembered port if it is free, else the usual one, else the next free one above it."""
    candidates = [remembered] if remembered else []
    candidates += range(usual, usual + SEARCH_WIDTH)
    for port in candidates:
        if port not in taken and free(port):
            return port
    raise StackError(
        f"All ports from {usual} to {usual + SEARCH_WIDTH - 1} are in use; "
        "stop some of the programs that hold them (`ss -ltnp` lists them)."
    )


def listen(
    usual: int, remembered: int | None, taken: Container[int], *, wanted: int | None = None
) -> socket.socket:
    """A socket that listens on this loopback port, to be handed to the server: between the
    choice of a port and its use nobody else can take it. A `wanted` port must be free."""
    if wanted is not None:
        try:
            return _listen_on(wanted)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise StackError(f"Port {wanted} cannot be used: {error.strerror}.") from error
            raise StackError(
                f"Port {wanted} is in use by another program (`ss -ltnp` names it); "
                "stop that one, or ask for another port."
            ) from None
    opened: list[socket.socket] = []

    def is_ours(port: int) -> bool:
        try:
            opened.append(_listen_on(port))
        except OSError:
            return False
        return True

    choose_port(usual, remembered, taken, is_ours)
    return opened[0]


def _listen_on(port: int) -> socket.socket:
    found = socket.socket()
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((LOOPBACK, port))
        found.listen(BACKLOG)
    except OSError:
        found.close()
        raise
    return found


def read_ports(path: Path) -> dict[str, int]:
    """The ports of the last start; none where the file is missing or damaged."""
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return {name: port for name, port in stored.items() if isinstance(port, int)}


def write_ports(path: Path, ports: dict[str, int]) -> None:
    path.write_text(json.dumps(ports, indent=2) + "\n")
