"""TimescaleDB's Community edition for tests: a WebAssembly build of PostgreSQL, run by Node."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

from stack.errors import StackError
from stack.home import silent
from stack.node import node, provide_packages
from stack.ports import LOOPBACK

RECIPE_FOLDER = Path(__file__).resolve().parents[1] / "tests" / "tools" / "pglite"
RECIPE_FILES = ("package.json", "package-lock.json", "server.mjs")

STOP_SECONDS = 10.0


def provide_pglite(progress: Callable[[str], None] = silent) -> Path:
    """The folder with the server and its packages, installed where it is not yet there."""
    what = "PGlite (TimescaleDB Community for tests)"
    return provide_packages(RECIPE_FOLDER, RECIPE_FILES, what, progress)


@contextmanager
def community_database() -> Iterator[str]:
    """Run one empty in-memory database and give its DSN.

    It serves one connection at a time, has no background workers (refresh aggregates by hand) and
    ends at `COPY … FROM STDIN` (load by INSERT).
    """
    folder = provide_pglite()
    with TemporaryFile("w+") as complaints, _server(folder, complaints) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port.isdigit():
            complaints.seek(0)
            raise StackError(f"PGlite did not start: {complaints.read().strip()}")
        yield f"postgresql://postgres:postgres@{LOOPBACK}:{port}/postgres?sslmode=disable"


@contextmanager
def _server(folder: Path, complaints: TextIO) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [node(), "server.mjs"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()  # which it takes as the end
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
