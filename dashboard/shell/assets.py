"""What browsers load: each screen's scripts and styles under one address, by content.

The files lie beside their screen. `script.js` and `style.css` of screen `kpi` are served as
`/assets/kpi.js` and `/assets/kpi.css`, any other one as `/assets/kpi-NAME`; what all screens share
is `shell/assets/`. They are loaded in the order of these names.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import flask
from dash import Dash

DASHBOARD = Path(__file__).resolve().parents[1]
SHARED = DASHBOARD / "shell" / "assets"
SCREENS = DASHBOARD / "screens"
TYPES = {
    ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".jpg": "image/jpeg",
}  # fmt: skip
OWN = {"script.js": ".js", "style.css": ".css"}  # the main ones of a screen
WORKER = "live-worker.js"  # started by a script, not loaded by the page
BOUNDARY = "boundary.js"  # of the set-up page, which is no screen
PUSH_WORKER = "push-worker.js"  # registered by the page of messages
NOT_ON_SCREENS = (WORKER, BOUNDARY, PUSH_WORKER)


@cache
def published() -> dict[str, Path]:
    """Every file by the name under which it is served."""
    found = {path.name: path for path in SHARED.iterdir() if path.suffix in TYPES}
    for path in SCREENS.glob("*/*"):
        if path.suffix in TYPES:
            name = path.parent.name + OWN.get(path.name, f"-{path.name}")
            assert name not in found, f"{path} and {found[name]} have one name"
            found[name] = path
    return dict(sorted(found.items()))


@cache
def address(name: str) -> str:
    """Where a file is; another content is another address."""
    digest = hashlib.sha256(published()[name].read_bytes()).hexdigest()[:12]
    return f"/assets/{name}?v={digest}"


def serve_assets(app: Dash, server: flask.Flask) -> None:
    """Answer for the files and have the page load them."""

    @server.get("/assets/<name>")
    def asset(name: str) -> flask.Response:
        path = published().get(name)
        if path is None:
            flask.abort(404)
        return flask.send_file(path, mimetype=TYPES[path.suffix], conditional=True)

    for name in published():
        entry: Any = {"external_url": address(name), "external_only": True}
        if name.endswith(".css"):
            app.css.append_css(entry)
        elif name.endswith(".js") and name not in NOT_ON_SCREENS:
            app.scripts.append_script(entry)
