"""Debian packages into a private folder: no root, no change to the system, signatures checked."""

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from stack.errors import StackError

# A mirror that does not answer is asked this often before the set-up says so.
RETRIES = 3

# Documentation, LLVM bitcode and unit files are more than half of what the packages unpack to.
UNWANTED_PATHS = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/lib/systemd",
    "usr/lib/postgresql/*/lib/bitcode",
    "usr/share/postgresql/*/man",
)

# `clear` switches off hooks of the machine's apt that would act on the system's own folders. The
# rest of the machine's configuration stays in force: proxies, certificates, pinned addresses.
CONFIGURATION = """\
#clear APT::Update;
#clear APT::Architectures;
#clear Dir::Cache;
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
{sources}
Dir::Etc::Preferences "{folder}/none";
Dir::Etc::PreferencesParts "{folder}/none";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "{retries}";
"""

OWN_SOURCES = """\
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "{folder}/none";
"""


@dataclass(frozen=True)
class Package:
    """One package file that apt would fetch."""

    name: str
    size_bytes: int


def parse_print_uris(text: str) -> list[Package]:
    """Packages of `apt-get --print-uris` (`'URI' name_version_arch.deb size hash` per line)."""
    found = re.findall(r"^'[^']+' ([^_\s]+)_\S+\.deb (\d+) ", text, re.MULTILINE)
    return [Package(name, int(size)) for name, size in found]


def first_complaint(text: str) -> str:
    """What apt's output says went wrong: its first error, else its first warning."""
    for mark in ("E:", "W:"):
        for line in text.splitlines():
            if line.startswith(mark):
                return line.removeprefix(mark).strip()
    return "apt-get gave no reason"


class PrivateApt:
    """An apt of our own: its own lists and cache, the machine's network settings.

    It reads the sources handed to `update`, or with `machine_sources` those of the machine.
    """

    def __init__(self, folder: Path, *, machine_sources: bool = False) -> None:
        if which("apt-get") is None or which("dpkg-deb") is None:
            raise StackError(
                "This system has no apt-get and dpkg-deb, which fetch the embedded servers; "
                "type `./run env && docker compose up` to use containers instead."
            )
        self.folder = folder
        for name in ("state/lists/partial", "cache/archives/partial", "none"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").write_text("")
        sources = "" if machine_sources else OWN_SOURCES.format(folder=folder)
        text = CONFIGURATION.format(folder=folder, retries=RETRIES, sources=sources)
        (folder / "apt.conf").write_text(text)

    def update(self, source_lines: Iterable[str] = ()) -> str | None:
        """Read the indexes of these repositories; None when all is well, else what went wrong."""
        (self.folder / "sources.list").write_text("\n".join(source_lines) + "\n")
        done = self._run("update", "-o", "APT::Update::Error-Mode=any")
        if done.returncode == 0 and "\nE:" not in done.stderr:
            return None
        return first_complaint(done.stderr)

    def closure(self, names: Iterable[str]) -> list[Package]:
        """The packages and everything they depend on, on an empty system."""
        done = self._run("--print-uris", "install", *names)
        if done.returncode != 0:
            raise StackError(f"apt-get cannot resolve the packages: {first_complaint(done.stderr)}")
        return parse_print_uris(done.stdout)

    def download(self, names: Iterable[str], into: Path) -> None:
        """Fetch these package files, checked against the signed index."""
        into.mkdir(parents=True, exist_ok=True)
        done = self._run("download", *names, cwd=into)
        if done.returncode != 0:
            raise StackError(
                f"Debian packages could not be fetched: {first_complaint(done.stderr)}; "
                "check the network and type the same command again."
            )

    def _run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = ["apt-get", "-c", str(self.folder / "apt.conf"), "-q", "-y", *arguments]
        environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )


def unpack(archives: Iterable[Path], into: Path) -> None:
    """Unpack package files over each other, without the parts nothing here reads."""
    excludes = [f"--exclude=./{pattern}" for pattern in UNWANTED_PATHS]
    into.mkdir(parents=True, exist_ok=True)
    for archive in sorted(archives):
        # dpkg-deb alone can leave nothing out, so tar does the unpacking.
        tar = ["tar", "-x", "-C", str(into), "--no-same-owner", "--no-same-permissions", *excludes]
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE
        ) as source:
            done = subprocess.run(tar, stdin=source.stdout, check=False)
        if source.returncode != 0 or done.returncode != 0:
            raise StackError(
                f"{archive.name} could not be unpacked into {into}; "
                "check the free disk space and type the same command again."
            )


def architecture() -> str:
    """Debian's name of this machine's architecture."""
    done = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
