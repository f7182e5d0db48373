"""A set of programs from Debian 13, fetched once into a folder and made to run on this machine."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from stack.apt import architecture, unpack
from stack.debian import RELEASE, open_debian
from stack.relink import relink

# Raise this when the steps below change in a way that a bundle's own lists do not show.
RECIPE = 1

# Fetched folders carry two stamps: what was fetched, and where it was linked for.
FETCHED = ".fetched"
LINKED = ".linked"


@dataclass(frozen=True)
class Bundle:
    """What to fetch, which programs of it run here, and which dependencies nothing needs."""

    name: str
    packages: tuple[str, ...]
    programs: tuple[str, ...]
    unused: frozenset[str] = frozenset()


def bundle_key(bundle: Bundle, machine: str) -> str:
    """Changes whenever the bundle has to be fetched anew."""
    parts = (RECIPE, RELEASE, machine, bundle.packages, sorted(bundle.unused))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def provide(bundle: Bundle, folder: Path, progress: Callable[[str], None]) -> Path:
    """The bundle's root under `folder`, fetched and linked if it is not yet there."""
    root = folder / bundle.name
    if is_provided(bundle, folder):
        return root
    with _set_up_lock(folder):
        if _stamp(root / FETCHED) != _key(bundle):
            _fetch(bundle, root, progress)
        if _stamp(root / LINKED) != _link_key(bundle, root):
            if bundle.programs:
                progress(f"linking {bundle.name}")
                relink(root, [root / program for program in bundle.programs])
            (root / LINKED).write_text(_link_key(bundle, root))
    return root


def is_provided(bundle: Bundle, folder: Path) -> bool:
    """Whether the bundle is there, up to date, and linked for the folder it lies in."""
    root = folder / bundle.name
    return _stamp(root / FETCHED) == _key(bundle) and _stamp(root / LINKED) == _link_key(
        bundle, root
    )


def _link_key(bundle: Bundle, root: Path) -> str:
    return f"{root} {bundle.programs}"


def _key(bundle: Bundle) -> str:
    return bundle_key(bundle, architecture())


def _stamp(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _fetch(bundle: Bundle, root: Path, progress: Callable[[str], None]) -> None:
    """Fetch and unpack beside the final place, then move in: a broken-off fetch leaves nothing."""
    work = root.with_name(f"{bundle.name}.part")
    rmtree(work, ignore_errors=True)
    try:
        apt = open_debian(work, progress)
        wanted = [p for p in apt.closure(bundle.packages) if p.name not in bundle.unused]
        megabytes = sum(package.size_bytes for package in wanted) // 1_000_000
        progress(f"fetching {len(wanted)} packages, {megabytes} MB, for {bundle.name}")
        apt.download([package.name for package in wanted], work / "archives")
        progress(f"unpacking {bundle.name}")
        unpack((work / "archives").glob("*.deb"), work / "root")
        (work / "root" / FETCHED).write_text(_key(bundle))
        rmtree(root, ignore_errors=True)
        (work / "root").rename(root)
    finally:
        rmtree(work, ignore_errors=True)


@contextmanager
def _set_up_lock(folder: Path) -> Iterator[None]:
    """One set-up at a time; a second one waits and then finds everything done.

    The servers run as another account than root's, so what is unpacked must be readable by all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = os.umask(0o022)
    try:
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    finally:
        os.umask(before)
