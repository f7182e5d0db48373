"""Where this machine gets Debian packages from, read out of its own apt configuration."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

APT_FOLDER = Path("/etc/apt")
MIRROR_VARIABLE = "GRIDWARDEN_DEBIAN_MIRROR"


@dataclass(frozen=True)
class Source:
    """One repository line: where, which release, which parts of it."""

    uri: str
    suite: str
    components: tuple[str, ...]

    @property
    def is_security(self) -> bool:
        return self.suite.endswith("-security") or self.suite.endswith("/updates")


def parse_list(text: str) -> list[Source]:
    """Sources of a one-line-style file (`deb [options] URI suite component…`)."""
    found = []
    for line in text.splitlines():
        entry = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#\n]+)", line)
        if entry:
            uri, suite, components = entry.groups()
            found.append(Source(uri.rstrip("/"), suite, tuple(components.split())))
    return found


def parse_deb822(text: str) -> list[Source]:
    """Sources of a deb822-style file (`Types: deb` / `URIs: …` / `Suites: …`)."""
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        disabled = fields.get("enabled", "yes").lower() in {"no", "false"}
        if disabled or "deb" not in fields.get("types", "").split():
            continue
        components = tuple(fields.get("components", "").split())
        found += [
            Source(uri.rstrip("/"), suite, components)
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return found


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields[name] = fields.get(name, "") + " " + line.strip()
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def machine_sources(apt_folder: Path = APT_FOLDER) -> list[Source]:
    """Every binary repository the machine's apt is configured with."""
    found: list[Source] = []
    for path in _source_files(apt_folder):
        text = path.read_text(encoding="utf-8", errors="replace")
        found += parse_deb822(text) if path.suffix == ".sources" else parse_list(text)
    return found


def _source_files(apt_folder: Path) -> Iterator[Path]:
    main = apt_folder / "sources.list"
    if main.is_file():
        yield main
    for path in sorted((apt_folder / "sources.list.d").glob("*")):
        if path.suffix in {".list", ".sources"}:
            yield path


def rank_mirrors(sources: Iterable[Source], machine_suite: str) -> list[str]:
    """Repositories that may hold other Debian releases too, the likeliest first.

    The machine's own release comes first: that repository is a full mirror on any Debian. A
    security repository is none (`security_repository` finds it), and optical media hold nothing
    but their own release.
    """
    candidates = [
        source
        for source in sources
        if "main" in source.components
        and not source.is_security
        and not source.uri.startswith("cdrom:")
    ]
    candidates.sort(key=lambda source: source.suite != machine_suite)
    return list(dict.fromkeys(source.uri for source in candidates))


def security_repository(sources: Iterable[Source]) -> str | None:
    """The repository of Debian's security updates, where the machine has one."""
    return next((source.uri for source in sources if source.is_security), None)


def mirror_from_environment() -> str | None:
    """The mirror a person named, which then is the only one asked."""
    return os.environ.get(MIRROR_VARIABLE, "").rstrip("/") or None


def default_mirror(description: str) -> str | None:
    """The first `BaseURI` of python-apt's description of a distribution."""
    found = re.search(r"^BaseURI:\s*(\S+)", description, re.MULTILINE)
    return found.group(1).rstrip("/") if found else None


def machine_suite(os_release: Path = Path("/etc/os-release")) -> str:
    """The code name of the machine's release, empty where it has none."""
    text = os_release.read_text(encoding="utf-8") if os_release.is_file() else ""
    found = re.search(r'^VERSION_CODENAME="?([a-z]+)', text, re.MULTILINE)
    return found.group(1) if found else ""
