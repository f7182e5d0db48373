"""What each long-running command does, a module a process: build settings, run the loop, stop on a
signal. A process loads its own module alone: the others' libraries would take most of the time in
which a killed one is not back yet.
"""

from __future__ import annotations

import signal
import threading


def stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
