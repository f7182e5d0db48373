"""The script `run`, as far as it goes without setting anything up."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
VERBS = ("up", "test", "setup", "check", "bench", "chaos", "env", "clean", "help")


def run(folder: Path, *words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"PATH": path} if path else {})}
    return subprocess.run(
        ["/bin/sh", str(folder / "run"), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script alone."""
    shutil.copy(ROOT / "run", tmp_path)
    return tmp_path


def test_the_script_is_a_program_and_its_syntax_is_posix() -> None:
    assert os.access(ROOT / "run", os.X_OK)
    assert subprocess.run(["/bin/sh", "-n", ROOT / "run"], check=False).returncode == 0


@pytest.mark.parametrize("verb", VERBS)
def test_help_lists_every_verb(verb: str, checkout: Path) -> None:
    done = run(checkout, "help")
    assert done.returncode == 0
    assert re.search(rf"^  {verb}\b", done.stdout, re.MULTILINE)


def test_no_verb_shows_the_list_and_an_unknown_one_fails_with_it(checkout: Path) -> None:
    assert "usage:" in run(checkout).stdout
    done = run(checkout, "fly")
    assert done.returncode == 2
    assert "usage:" in done.stderr


def test_env_writes_passwords_that_only_the_owner_reads(checkout: Path) -> None:
    assert run(checkout, "env").returncode == 0
    path = checkout / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    passwords = re.findall(r"^\w+(?:PASSWORD|KEY)=(\w{48})$", path.read_text(), re.MULTILINE)
    assert len(passwords) == len(set(passwords)) == 4


def test_env_never_overwrites_passwords_in_use(checkout: Path) -> None:
    run(checkout, "env")
    before = (checkout / ".env").read_text()
    done = run(checkout, "env")
    assert done.returncode == 1
    assert "already there" in done.stderr
    assert (checkout / ".env").read_text() == before


def test_what_is_missing_and_cannot_be_installed_is_one_sentence(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tools = tmp_path_factory.mktemp("tools")
    for name in ("dirname", "id", "cat"):  # neither Python nor apt-get
        (tools / name).symlink_to(shutil.which(name) or name)
    done = run(checkout, "setup", path=str(tools))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "sudo apt-get install" in done.stderr
    assert "python3" in done.stderr
