"""Stop whatever of this checkout still runs, before its programs are removed."""

import signal
from collections.abc import Callable
from pathlib import Path

from stack.home import PRIVATE_FOLDER, silent
from stack.processes import end, find

CHECKOUT = PRIVATE_FOLDER.parent

# `gridwarden up` needs this long to let its processes and servers finish.
PATIENCE_SECONDS = 60.0


def stop_everything(progress: Callable[[str], None] = silent) -> None:
    """End Gridwarden's own processes first, then servers that outlived theirs."""
    command = str(CHECKOUT / ".venv" / "bin" / "gridwarden")
    for found in find(lambda words: command in words[:2]):
        progress(f"stopping gridwarden (process {found.pid})")
        end(found, signal.SIGTERM, PATIENCE_SECONDS)
    for found in find(lambda words: Path(words[0]).is_relative_to(PRIVATE_FOLDER)):
        progress(f"stopping {Path(found.words[0]).name} (process {found.pid})")
        end(found, signal.SIGINT, PATIENCE_SECONDS)
