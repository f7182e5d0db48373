"""The squad's phone: a page that opens without a server. No Dash here, whose layout and callbacks
need one: the skeleton is a template, the rest is drawn by the scripts beside this file."""

from __future__ import annotations

import gzip
import json
from typing import Any

import flask

from city.incident import Role
from dashboard.screens.squad.load import phone_picture
from dashboard.shell import assets, frame, theme
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.i18n import CHINESE, texts
from dashboard.shell.packing import GZIP_LEVEL
from dashboard.shell.page_data import page_json
from dashboard.shell.plain_json import as_plain

SCREEN = "squad"
PATH = "/squad"
# In the order in which they run.
SCRIPTS = (
    "0-base.js", "send.js", "forms.js", "live.js", "status.js", "detail.js", "citymap-paint.js",
    "citymap.js", "citymap-live.js", "squad-store.js", "squad-outbox.js", "squad-photo.js",
    "squad-voice.js", "squad-cards.js", "squad-maps.js", "squad-alone.js", "squad.js",
)  # fmt: skip
# Run when somebody looks at the map: the library of the other screens, and what draws into it.
MAP_SCRIPTS = (*assets.LIBRARIES, "citymap-leaflet.js")
STYLES = ("theme.css", "board.css", "console.css", "alarms.css", "squad.css")
ICONS = {"squad-icon-192.png": "192x192", "squad-icon-512.png": "512x512"}
# What a phone says; the whole catalogue would be the largest part of the page.
TEXT_AREAS = (
    "squad.", "phone.", "act_doubt.", "acted.", "compass.", "action.", "state.", "clock.",
    "standing.", "severity.", "severity_mark.", "evidence.", "event.", "field.", "error.",
    "photo.", "link.", "fault.", "time.", "value.", "metric.", "reason.", "likely_cause.",
    "help.", "refusal.", "alarm.", "map.", "device_state.", "kind.", "squad_kind.", "actor.",
    "cause.", "demo.", "weekday.", "wall.", "place.", "close_dialog", "cancel_dialog", "sending",
    "retry", "request.", "spark.", "detail.", "family_mark.", "flood.",
)  # fmt: skip


def add_phone(server: flask.Flask) -> None:
    """The page, what it reads, and what makes it an app of the phone."""
    server.add_url_rule(PATH, "phone", show_phone)
    server.add_url_rule("/live/tasks", "phone_tasks", show_tasks)
    server.add_url_rule(f"{PATH}/worker.js", "phone_worker", show_worker)
    server.add_url_rule(f"{PATH}/manifest.webmanifest", "phone_manifest", show_manifest)


def show_phone() -> Any:
    """The skeleton in the language and theme of the request; whose phone it is stands in it."""
    caller = current_caller()
    if not frame.may_open(caller, SCREEN):
        return flask.redirect(frame.home_of(caller.role))
    view = frame.request_view(str(flask.current_app.config.get("TILE_URL") or ""))
    data = page_json(
        caller,
        view.t.lang,
        view.theme,
        assets.address(assets.WORKER),
        TEXT_AREAS,
        map_scripts=[assets.address(name) for name in MAP_SCRIPTS],
        tiles=view.tile_url,
    )
    page = flask.render_template(
        "squad.html",
        t=view.t,
        lang="zh-CN" if view.t.lang == CHINESE else "en",
        theme=view.theme,
        colour=theme.PALETTES[view.theme]["surface"],
        variables=theme.css_variables(view.theme),
        person=caller,
        role=view.t.word("role", caller.role),
        screens=[name for name in frame.screens_of(caller) if name != SCREEN],
        styles=[assets.address(name) for name in STYLES],
        scripts=[assets.address(name) for name in SCRIPTS],
        icon=assets.address("icon.svg"),
        touch_icon=assets.address(next(iter(ICONS))),
        page=data,
        manifest=f"{PATH}/manifest.webmanifest?lang={view.t.lang}",
    )
    return _zipped(flask.Response(page, content_type="text/html; charset=utf-8"))


@requires(Role.ADMIN, Role.SQUAD_LEADER)
def show_tasks() -> flask.Response:
    """What the phone shows and keeps."""
    body = json.dumps(as_plain(phone_picture(current_caller())), ensure_ascii=False)
    return _zipped(flask.Response(body, content_type="application/json"))


def show_worker() -> flask.Response:
    """The service worker; at this address it may look after the page and nothing else."""
    found = flask.send_file(assets.published()["squad-worker.js"], mimetype="text/javascript")
    found.headers["Cache-Control"] = "no-cache"
    found.headers["Service-Worker-Allowed"] = PATH
    return found


def show_manifest() -> flask.Response:
    """What the phone calls the app and where it begins; nothing of anybody's."""
    t = texts(flask.request.args.get("lang", CHINESE))
    colours = theme.PALETTES[theme.DARK]
    manifest = {
        "id": PATH,
        "name": t("squad.app_name"),
        "short_name": t("squad.app_short_name"),
        "lang": "zh-CN" if t.lang == CHINESE else "en",
        "start_url": PATH,
        "scope": PATH,
        "display": "standalone",
        "background_color": colours["bg"],
        "theme_color": colours["surface"],
        "icons": [
            {"src": assets.address(name), "sizes": size, "type": "image/png", "purpose": purpose}
            for name, size in ICONS.items()
            for purpose in ("any", "maskable")
        ],
    }
    body = json.dumps(manifest, ensure_ascii=False)
    return flask.Response(body, content_type="application/manifest+json")


def _zipped(response: flask.Response) -> flask.Response:
    """The same answer, compressed for whoever takes it so."""
    response.headers["Vary"] = "Accept-Encoding, Cookie"
    if flask.request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(response.get_data(), GZIP_LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
