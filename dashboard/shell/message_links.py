"""Links of messages, and what browsers say that a message has arrived."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import flask
from flask import Flask, Response

from dashboard.shell.assets import PUSH_WORKER, published
from dashboard.shell.auth import current_caller
from dashboard.shell.frame import home_of, may_open
from dashboard.shell.parts import parts
from db.events import last_seq
from db.live import publish_event_seq
from db.pool import transaction

TOKEN_MAX = 64


def add_message_links(server: Flask) -> None:
    """`/m/TOKEN` opens a case for whoever is signed in, and is seen then; what looks at links
    before their reader does (mail scanners, previews) comes no further than the sign-in page."""
    server.add_url_rule("/m/<token>", "message", open_message)
    server.add_url_rule("/m/<token>/arrived", "message_arrived", arrived, methods=["POST"])
    # A worker counts for the addresses below its own; no other worker of ours has these.
    server.add_url_rule(f"/notify/{PUSH_WORKER}", "push_worker", worker)


def open_message(token: str) -> Any:
    caller = current_caller()
    with transaction(parts().pool) as conn:
        incident = parts().ports.messages.open_link(
            conn, caller, token[:TOKEN_MAX], datetime.now(UTC)
        )
        seq = last_seq(conn)
    publish_event_seq(parts().redis, seq)
    if incident is None:
        return flask.redirect("/notify")
    if may_open(caller, "console"):
        return flask.redirect(f"/console#{incident}")
    return flask.redirect(home_of(caller.role))


def arrived(token: str) -> Response:
    """Whoever has the link may say that its message has arrived: the browser itself, signed in or
    not."""
    with transaction(parts().pool) as conn:
        parts().ports.messages.confirm(conn, token[:TOKEN_MAX], datetime.now(UTC))
        seq = last_seq(conn)
    publish_event_seq(parts().redis, seq)
    return Response(status=204)


def worker() -> Response:
    return flask.send_file(published()[PUSH_WORKER], mimetype="text/javascript", conditional=True)
