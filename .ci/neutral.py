"""Check that no committed file names a package host or a folder of this machine.

A lock file or a test that names the mirror or the folder of whoever wrote it works on their machine
only. Nothing is listed here: the names come from the package clients' own configuration.
"""

import re
import subprocess
import sys
from pathlib import Path
from shutil import which
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
APT_FOLDER = Path("/etc/apt")

# Folders that many machines have say nothing about this one.
SHORTEST_PATH = 2


def main() -> int:
    """Print every committed line that names one of them; 1 if there is one."""
    forbidden = sorted(package_hosts() | machine_folders())
    pattern = re.compile("|".join(map(re.escape, forbidden)))
    findings = [line for path in committed_files() for line in search(path, pattern)]
    print(*findings, sep="\n", end="\n" if findings else "")
    return 1 if findings else 0


def package_hosts() -> set[str]:
    """Hosts from which pip, npm and apt of this machine fetch packages."""
    texts = [output(sys.executable, "-m", "pip", "config", "list"), pip_default()]
    if which("npm"):
        texts.append(output("npm", "config", "get", "registry"))
    for path in APT_FOLDER.glob("sources.list*"):
        files = path.glob("*") if path.is_dir() else [path]
        texts += [file.read_text(errors="replace") for file in files if file.is_file()]
    urls = re.findall(r"\w+://[^\s'\"\]]+", "\n".join(texts))
    return {host for url in urls if (host := urlsplit(url).hostname)}


def pip_default() -> str:
    """The index that pip asks when nothing is configured, as pip itself knows it."""
    script = (
        "from pip._internal.models.index import PyPI as index;"
        "print(index.url, index.file_storage_domain)"
    )
    url, storage = output(sys.executable, "-c", script).split()
    return f"{url} https://{storage}"


def machine_folders() -> set[str]:
    """Where the checkout lies, and the folders named in pip's configuration."""
    configured = re.findall(r"(?:file://)?(/[\w./-]+)", output_of_pip_paths())
    folders = {str(ROOT), *configured}
    return {folder for folder in folders if len(Path(folder).parts) > SHORTEST_PATH}


def output_of_pip_paths() -> str:
    """pip's settings that name where packages lie (certificates are the system's own)."""
    lines = output(sys.executable, "-m", "pip", "config", "list").splitlines()
    return "\n".join(line for line in lines if re.search(r"find-links|index-url", line))


def committed_files() -> list[Path]:
    """Every file git tracks."""
    names = output("git", "-C", str(ROOT), "ls-files", "-z").split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def search(path: Path, pattern: re.Pattern[str]) -> list[str]:
    """Lines of a text file in which the pattern occurs."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []
    return [
        f"{path.relative_to(ROOT)}:{number}: {found.group()}"
        for number, line in enumerate(lines, 1)
        if (found := pattern.search(line))
    ]


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
