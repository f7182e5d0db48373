"""A web server process for the tests: `serving.py` with a JSON of settings as its argument."""

from __future__ import annotations

import json
import signal
import sys
import threading

from alerts import steps as alert_steps
from dashboard import serve
from dashboard.ports import Ports
from dispatch import steps as dispatch_steps
from dispatch.requests import ActionRequest, ReportRequest


def no_import(*_: object, **__: object) -> None:
    raise AssertionError("the web server imports no device files")


PORTS = Ports(
    action_request=ActionRequest,
    report_request=ReportRequest,
    act=dispatch_steps.act,
    report=dispatch_steps.report,
    view=dispatch_steps.view,
    rank_squads=dispatch_steps.rank_squads,
    add_evidence=dispatch_steps.add_evidence,
    acknowledge=alert_steps.acknowledge,
    shelve=alert_steps.shelve,
    unshelve=alert_steps.unshelve,
    reset=alert_steps.reset,
    review_video_event=alert_steps.review_video_event,
    import_devices=no_import,
)


def main() -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve.run(serve.ServeSettings(**json.loads(sys.argv[1])), PORTS, stop)


if __name__ == "__main__":
    main()
