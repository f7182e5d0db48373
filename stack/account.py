"""Which account the servers run as: PostgreSQL refuses root, the others need not be root."""

import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from stack.errors import StackError

# Exists on every Debian and Ubuntu; initdb insists on an account that has a name.
LAST_RESORT = "nobody"

# CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE as /proc/self/status counts them, the narrower first.
READ_SEARCH = ("dac_read_search", 2)
OVERRIDE = ("dac_override", 1)


@dataclass(frozen=True)
class Account:
    """An unprivileged account of this machine."""

    name: str
    uid: int
    gid: int


def server_account(owner_of: Path) -> Account | None:
    """The account to drop to; None when we are not root and nothing is to be dropped.

    The person behind sudo, else the owner of the checkout, else nobody.
    """
    if os.geteuid() != 0:
        return None
    for uid in (int(os.environ.get("SUDO_UID", "0")), owner_of.stat().st_uid):
        if uid:
            try:
                entry = pwd.getpwuid(uid)
            except KeyError:
                continue
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    entry = pwd.getpwnam(LAST_RESORT)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def launch_prefix(account: Account | None, folders: Iterable[Path]) -> list[str]:
    """The words before a server's command that make it run as the account.

    A checkout may lie where only root can go (/root is 0700, and so are pytest's folders). Then
    the servers keep one capability: to pass through folders and read files. Everything they
    write still has to be their own.
    """
    if account is None:
        return []
    if which("setpriv") is None:
        raise StackError("setpriv is missing; type `apt-get install util-linux`.")
    prefix = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    closed = next((f for folder in folders if (f := first_closed(folder, account))), None)
    if closed is not None:
        prefix += _keep(_capability(), closed, account)
    return [*prefix, "--no-new-privs", "--"]


def _keep(capability: str | None, closed: Path, account: Account) -> list[str]:
    """Options of setpriv that let the server keep this capability and no other."""
    if capability is None:
        raise StackError(
            f"The servers run as {account.name}, who may not enter {closed}; move the checkout "
            f"to a folder open to all, such as /srv, or type `chmod o+x {closed}`."
        )
    keep = f"-all,+{capability}"
    # Without the secure bit access(2), by which initdb looks for its programs, ignores the
    # capability.
    return [
        "--securebits=+no_setuid_fixup",
        f"--bounding-set={keep}",
        f"--inh-caps={keep}",
        f"--ambient-caps={keep}",
    ]


def first_closed(folder: Path, account: Account) -> Path | None:
    """The outermost folder on the way to this one that the account may not pass through."""
    resolved = folder.resolve()
    for step in [*reversed(resolved.parents), resolved]:
        if step.exists() and not may_enter(step.stat(), account):
            return step
    return None


def may_enter(status: os.stat_result, account: Account) -> bool:
    """Whether the folder's mode lets the account pass through."""
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == account.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def _capability() -> str | None:
    """The narrowest capability that passes through closed folders and that we may hand on."""
    bounding = parse_capabilities(Path("/proc/self/status").read_text(), "CapBnd")
    return next((name for name, bit in (READ_SEARCH, OVERRIDE) if bounding >> bit & 1), None)


def parse_capabilities(status: str, field: str) -> int:
    """One capability set out of /proc/…/status, as a bit mask."""
    for line in status.splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1], 16)
    return 0
