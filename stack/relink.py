"""Let programs of another Debian release run here: their own loader, their own libraries."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from shutil import which

from stack.errors import StackError


def relink(root: Path, programs: Iterable[Path]) -> None:
    """Point each program at the loader and the libraries under `root`, then prove that they fit.

    The rpath is the old kind (`--force-rpath`): the newer runpath does not reach the libraries of
    the libraries. A library with a path of its own would look into the system's folders.
    """
    loader = _loader(root)
    libraries = loader.parent
    # A few packages keep libraries of libraries one folder further down.
    nested = sorted({path.parent for path in libraries.glob("*/lib*.so*")})
    shared = ":".join(map(str, [libraries, *nested]))
    for library in libraries.glob("lib*.so*"):
        if not library.is_symlink() and _patchelf("--print-rpath", library):
            _patchelf("--force-rpath", "--set-rpath", shared, library)
    for program in programs:
        own = f"{shared}:{program.parent}"
        _patchelf("--set-interpreter", loader, "--force-rpath", "--set-rpath", own, program)
        _check(loader, program)


def _loader(root: Path) -> Path:
    found = sorted(root.glob("usr/lib/*-linux-gnu*/ld-linux-*.so.*"))
    if not found:
        raise StackError(f"{root} holds no C library; type `./run clean` and start again.")
    return found[0]


def _patchelf(*arguments: str | Path) -> str:
    beside_python = str(Path(sys.executable).parent)
    patchelf = which("patchelf", path=beside_python) or which("patchelf")
    if patchelf is None:
        raise StackError("patchelf is missing from .venv; type `./run setup`.")
    done = subprocess.run([patchelf, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise StackError(f"patchelf failed on {arguments[-1]}: {done.stderr.strip()}")
    return done.stdout.strip()


def _check(loader: Path, program: Path) -> None:
    done = subprocess.run([loader, "--list", program], capture_output=True, text=True)
    missing = [line.split()[0] for line in done.stdout.splitlines() if "not found" in line]
    if done.returncode != 0 or missing:
        what = ", ".join(missing) or done.stderr.strip()
        raise StackError(f"{program.name} cannot be linked here: {what}")
