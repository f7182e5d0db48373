"""A web server process for the tests: `serving.py` with a JSON of settings as its argument."""

from __future__ import annotations

import json
import signal
import sys
import threading

from app.process.serve import build_ports
from dashboard.shell import serve


def main() -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve.run(serve.ServeSettings(**json.loads(sys.argv[1])), build_ports(), stop)


if __name__ == "__main__":
    main()
