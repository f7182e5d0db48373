"""Debian 13 as a source of packages on any Debian-like machine: which mirror, which keys."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree

from stack import sources
from stack.apt import PrivateApt, unpack
from stack.errors import StackError

# The first Debian with TimescaleDB for PostgreSQL 17; later point releases are taken as they come.
RELEASE = "trixie"

KEYRING = Path("usr/share/keyrings/debian-archive-keyring.gpg")
MIRROR_TEMPLATES = Path("usr/share/python-apt/templates")


def open_debian(folder: Path, progress: Callable[[str], None]) -> PrivateApt:
    """A private apt that has read Debian 13's signed index from a mirror this machine reaches."""
    apt = PrivateApt(folder / "apt")
    complaint = ""
    for keyring in _keyrings(folder, progress):
        for mirror in _mirrors(folder, progress):
            progress(f"reading the package index of {mirror}")
            for lines in _source_lines(mirror, keyring):
                problem = apt.update(lines)
                if problem is None:
                    return apt
                complaint = complaint or problem
    raise StackError(
        f"No mirror gave Debian's {RELEASE} packages ({complaint or 'apt names no mirror'}); check "
        f"the network, or name one: {sources.MIRROR_VARIABLE}=URL ./run up"
    )


def _source_lines(mirror: str, keyring: Path) -> Iterator[list[str]]:
    """What to put into sources.list: with the machine's security repository, else without."""
    main = f"deb [signed-by={keyring}] {mirror} {RELEASE} main"
    security = sources.security_repository(sources.machine_sources())
    if security:
        yield [main, f"deb [signed-by={keyring}] {security} {RELEASE}-security main"]
    yield [main]


def _keyrings(folder: Path, progress: Callable[[str], None]) -> Iterator[Path]:
    """Debian's keys: those on the machine, then those of the machine's newest keyring package."""
    installed = Path("/") / KEYRING
    if installed.is_file():
        yield installed
    fetched = _from_machine_sources("debian-archive-keyring", folder, progress)
    if fetched is not None:
        yield fetched / KEYRING


def _mirrors(folder: Path, progress: Callable[[str], None]) -> Iterator[str]:
    """The mirror a person named and no other, else the machine's own, else Debian's."""
    named = sources.mirror_from_environment()
    if named:
        yield named
        return
    yield from sources.rank_mirrors(sources.machine_sources(), sources.machine_suite())
    yield from _template_mirrors(Path("/") / MIRROR_TEMPLATES)
    fetched = _from_machine_sources("python-apt-common", folder, progress)
    if fetched is not None:
        yield from _template_mirrors(fetched / MIRROR_TEMPLATES)


def _template_mirrors(templates: Path) -> Iterator[str]:
    """Debian's mirror as python-apt's description of Debian names it (Ubuntu ships one too)."""
    for path in sorted(templates.glob("[Dd]ebian.info")):
        mirror = sources.default_mirror(path.read_text(encoding="utf-8"))
        if mirror:
            yield mirror


def _from_machine_sources(
    package: str, folder: Path, progress: Callable[[str], None]
) -> Path | None:
    """A package of the machine's own release, unpacked; None where it has no such package."""
    target = folder / package
    rmtree(target, ignore_errors=True)
    progress(f"fetching {package}")
    apt = PrivateApt(folder / "machine-apt", machine_sources=True)
    # One broken repository of the machine must not hide the package in another one.
    apt.update()
    try:
        apt.download([package], target / "archives")
    except StackError:
        return None
    unpack((target / "archives").glob("*.deb"), target)
    return target
