"""What the stack needs to know of a server to run it."""

import signal
from pathlib import Path
from typing import Protocol

from stack.site import Site


class Server(Protocol):
    """One kind of server. To add one: a module here, a line in `registry.py`, a test."""

    name: str
    usual_port: int
    # The name the running program shows, and the signal it takes as "finish and go".
    program: str
    stop_signal: signal.Signals

    def mark(self, site: Site) -> Path:
        """The path in the command line by which a running server of this site is known."""
        ...

    def prepare(self, site: Site, port: int, prefix: list[str]) -> None:
        """Write the configuration and whatever a first start needs."""
        ...

    def command(self, site: Site) -> list[str]:
        """The command that runs the server in the foreground."""
        ...

    def is_ready(self, site: Site, port: int) -> bool:
        """Whether clients are served."""
        ...

    def complete(self, site: Site, port: int) -> None:
        """What only a running server can be told."""
        ...

    def address(self, site: Site, port: int) -> str:
        """The URL clients use."""
        ...
