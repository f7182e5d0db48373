"""What browsers load: each screen's scripts and styles under one address, by content.

The files lie beside their screen. `script.js` and `style.css` of screen `kpi` are served as
`/assets/kpi.js` and `/assets/kpi.css`, any other one as `/assets/kpi-NAME`; what all screens share
is `shell/assets/`. They are loaded in the order of these names.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import flask
from dash import Dash

DASHBOARD = Path(__file__).resolve().parents[1]
SHARED = DASHBOARD / "shell" / "assets"
SCREENS = DASHBOARD / "screens"
TYPES = {
    ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".jpg": "image/jpeg",
    ".png": "image/png",
}  # fmt: skip
OWN = {"script.js": ".js", "style.css": ".css"}  # the main ones of a screen
WORKER = "live-worker.js"  # started by a script, not loaded by the page
BOUNDARY = "boundary.js"  # of the set-up page, which is no screen
PUBLIC_REPORT = "public-report.js"  # of the public page, which is none either
PUSH_WORKER = "push-worker.js"  # registered by the page of messages
# The map's library as Dash Leaflet ships it, for a page without Dash: it sets `window.L`.
LIBRARIES = {
    "react.js": ("dash", "deps/react@18.*.min.js"),
    "react-dom.js": ("dash", "deps/react-dom@18.*.min.js"),
    "leaflet.js": ("dash_leaflet", "dash_leaflet.js"),
}
# The phone of the squads is no page of Dash's and loads what it names.
PHONE = "squad"
NOT_ON_SCREENS = (WORKER, BOUNDARY, PUBLIC_REPORT, PUSH_WORKER, *LIBRARIES)
# What an address with a digest answers never changes.
FOREVER = "public, max-age=31536000, immutable"
ZIPPED = (".js", ".css", ".svg")


@cache
def published() -> dict[str, Path]:
    """Every file by the name under which it is served."""
    found = {path.name: path for path in SHARED.iterdir() if path.suffix in TYPES}
    for path in SCREENS.glob("*/*"):
        if path.suffix in TYPES:
            name = path.parent.name + OWN.get(path.name, f"-{path.name}")
            assert name not in found, f"{path} and {found[name]} have one name"
            found[name] = path
    for name, (package, pattern) in LIBRARIES.items():
        found[name] = max(Path(str(files(package))).glob(pattern))
    return dict(sorted(found.items()))


@cache
def address(name: str) -> str:
    """Where a file is; another content is another address."""
    return f"/assets/{name}?v={_digest(name)}"


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(published()[name].read_bytes()).hexdigest()[:12]


@cache
def _zipped(name: str) -> bytes:
    return gzip.compress(published()[name].read_bytes(), mtime=0)


def serve_assets(app: Dash, server: flask.Flask) -> None:
    """Answer for the files and have the page load them."""

    @server.get("/assets/<name>")
    def asset(name: str) -> flask.Response:
        path = published().get(name)
        if path is None:
            flask.abort(404)
        zips = path.suffix in ZIPPED and flask.request.accept_encodings["gzip"] > 0
        found = flask.send_file(
            BytesIO(_zipped(name)) if zips else path,
            mimetype=TYPES[path.suffix],
            conditional=True,
            etag=f"{_digest(name)}{'-gzip' if zips else ''}",
        )
        if zips:
            found.headers["Content-Encoding"] = "gzip"
        found.headers["Vary"] = "Accept-Encoding"
        if flask.request.args.get("v") == _digest(name):
            found.headers["Cache-Control"] = FOREVER
        return found

    for name in published():
        if name.startswith(PHONE):
            continue
        entry: Any = {"external_url": address(name), "external_only": True}
        if name.endswith(".css"):
            app.css.append_css(entry)
        elif name.endswith(".js") and name not in NOT_ON_SCREENS:
            app.scripts.append_script(entry)
