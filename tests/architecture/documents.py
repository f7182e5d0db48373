"""What the documents say in code type: the words, commands, variables and links in them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"
# What a document may write where a name of any kind belongs.
PLACEHOLDER = re.compile(r"<[^>]*>|\{[^}]*\}|\*+|…|\bNAME\b|\bNNNN\b")
KINDS = "py|toml|sql|js|css|md|csv|sh|yml|html"  # of files that are ours when their name ends so


@dataclass(frozen=True)
class Code:
    """One span or line in code type, and where it stands."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.text}"


@cache
def tracked() -> frozenset[str]:
    """Every file of the repository and every folder with one in it, folders with a slash behind."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = {name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}
    folders = {f"{parent}/" for name in files for parent in map(str, Path(name).parents)}
    return frozenset(files | folders - {"./"})


@cache
def top() -> frozenset[str]:
    """Folders at the top of the repository."""
    return frozenset(name.partition("/")[0] for name in tracked() if "/" in name)


@cache
def made_by_running() -> tuple[str, ...]:
    """Folders that git ignores: they are ours and need not be there."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip("/") + "/" for line in lines if line.endswith("/"))


def documents() -> list[Path]:
    """All that is written for people."""
    return [*described(), *sorted(DECISIONS.glob("*.md"))]


def described() -> list[Path]:
    """The documents that must be true today; decisions may name what was."""
    today = [path for path in (ROOT / "docs").rglob("*.md") if DECISIONS not in path.parents]
    return [*sorted(ROOT.glob("README*.md")), ROOT / "CONTRIBUTING.md", *sorted(today)]


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Lines outside of blocks of code."""
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line


def code(path: Path) -> Iterator[Code]:
    """Spans between backticks and lines of blocks, pictures left out."""
    language: str | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            language = line.strip("`").strip() if language is None else None
        elif language is not None:
            if language != "mermaid":
                yield Code(path, number, line)
        elif line.startswith("    $ "):
            yield Code(path, number, line.strip(" $"))
        else:
            for found in re.finditer(r"`([^`]+)`", line):
                yield Code(path, number, found.group(1).replace("\\|", "|"))


def paths(text: str) -> Iterator[str]:
    """Words that look like a file or folder of ours."""
    for word in re.split(r"[\s,;()\"'=]+", text):
        name = word.rstrip(".:")
        if name.startswith(("/", "$", "~", "…", "..", "http")) or re.search(r"[#+$^\\]", name):
            continue
        if name.startswith("city/v1/"):  # topics
            continue
        first, slash, _ = name.partition("/")
        known = re.search(rf"\w\.({KINDS})(::\w+)?$", name)
        alone = known and known.group(1) in {"py", "sql", "sh"}
        if alone or (slash and (first in top() or known)):
            yield name


def exists(name: str) -> bool:
    """Whether a path, a test in a file (`file.py::test`) or a name with gaps is ours."""
    path, _, test = name.partition("::")
    if path.startswith(made_by_running()):
        return True
    pattern = PLACEHOLDER.sub("\0", path)
    parts = [re.escape(part) for part in pattern.split("\0")]
    shape = re.compile(("(?:.*/)?" if "/" not in path else "") + "[^/]*".join(parts) + "/?")
    found = [known for known in tracked() if shape.fullmatch(known)]
    if not test:
        return bool(found)
    return any(f"def {test}(" in (ROOT / file).read_text(encoding="utf-8") for file in found)


def links(path: Path) -> Iterator[tuple[int, str]]:
    """Targets of links and pictures that stay in the repository."""
    for number, line in prose(path):
        bare = re.sub(r"`[^`]*`", "", line)
        for target in re.findall(r"\]\(([^)\s]+)\)", bare):
            if not re.match(r"[a-z]+:", target):
                yield number, target


def anchors(path: Path) -> set[str]:
    """Headings of a document as the addresses that a link names."""
    headings = [line.lstrip("#").strip() for _, line in prose(path) if re.match(r"#+ ", line)]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(path: Path, target: str) -> bool:
    """Whether a link's file is there and has the heading that it names."""
    name, _, anchor = target.partition("#")
    file = (path.parent / name).resolve() if name else path
    if not file.exists():
        return False
    return not anchor or (file.suffix == ".md" and anchor in anchors(file))
