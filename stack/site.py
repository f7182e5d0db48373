"""One data folder and what its servers need to know to run in it."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from stack.account import Account
from stack.home import StackHome
from stack.tuning import Tuning

# Bytes of randomness of a generated password.
PASSWORD_BYTES = 24

# A log that has grown beyond this is put aside at the next start; one older log is kept.
LOG_LIMIT_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True)
class Site:
    """Where the servers live, who they are and how large they may grow."""

    home: StackHome
    data_dir: Path
    account: Account | None
    tuning: Tuning
    passwords: dict[str, str]

    def folder(self, name: str) -> Path:
        """The server's own folder: it alone may write there."""
        return self.data_dir / name

    def make_folder(self, path: Path) -> Path:
        """A folder that belongs, with all that is in it, to the servers' account alone."""
        path.mkdir(mode=0o700, exist_ok=True)
        if self.account is not None and path.stat().st_uid != self.account.uid:
            for inside in path.rglob("*"):
                self._hand_over(inside)
            self._hand_over(path)
        return path

    def write(self, path: Path, text: str) -> None:
        """A file that only the servers' account reads."""
        write_private(path, text)
        self._hand_over(path)

    def _hand_over(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid, follow_symlinks=False)

    def log_path(self, name: str) -> Path:
        return self.data_dir / "logs" / f"{name}.log"


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read, not even while it is being written."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(os.open(path, flags, mode=0o600), "w") as file:
        file.write(text)


def load_passwords(path: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The data folder's own passwords, made up at the first start."""
    stored: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    passwords = {name: stored.get(name) or secrets.token_urlsafe(PASSWORD_BYTES) for name in names}
    if passwords != stored:
        write_private(path, json.dumps(passwords, indent=2) + "\n")
    return passwords


def open_log(path: Path) -> BinaryIO:
    """The log to append to, after putting one that has grown too long aside."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.is_file() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def last_log_line(path: Path) -> str:
    """The last thing a server said, for the message about its failure."""
    lines = path.read_text(errors="replace").split("\n") if path.is_file() else []
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else "it said nothing"
