"""The disk of the data folder, where database, broker and Redis keep what is ours."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

# Room for the write-ahead log of a busy hour, and time to act: a full disk stops the database.
FREE_MIN_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes of the file system that `folder` is on."""

    folder: Path
    total: int
    free: int

    @property
    def is_low(self) -> bool:
        return self.free < FREE_MIN_BYTES


def disk_of(folder: Path) -> Disk:
    """The disk of a folder, or of its nearest parent that is there; raises OSError."""
    found = folder.absolute()
    while not found.exists() and found != found.parent:
        found = found.parent
    usage = shutil.disk_usage(found)
    return Disk(found, usage.total, usage.free)
