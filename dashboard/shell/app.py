"""The Dash app on the Flask server: one layout function a screen, callbacks that are shims."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flask
from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from dashboard.screens.alarms import page as alarms
from dashboard.screens.approvals import page as approvals
from dashboard.screens.cases import page as cases
from dashboard.screens.console import page as console
from dashboard.screens.devices import page as devices
from dashboard.screens.handover import page as handover
from dashboard.screens.intake import page as intake
from dashboard.screens.kpi import page as kpi
from dashboard.screens.lighting import page as lighting
from dashboard.screens.manual import page as manual
from dashboard.screens.notify import page as notify
from dashboard.screens.operations import page as operations
from dashboard.screens.people import page as people
from dashboard.screens.permits import page as permits
from dashboard.screens.quarantine import page as quarantine
from dashboard.screens.registers import page as registers
from dashboard.screens.review import page as review
from dashboard.screens.roster import page as roster
from dashboard.screens.rules import page as rules
from dashboard.screens.settings import page as settings
from dashboard.screens.tasks import page as tasks
from dashboard.screens.wall import page as wall
from dashboard.shell import assets, frame, i18n, ids, theme
from dashboard.shell.auth import ANY_PAGE, current_caller
from dashboard.shell.frame import View
from dashboard.shell.page_data import page_json

LAYOUTS: dict[str, Callable[[View], Component]] = {
    "wall": wall.layout, "console": console.layout, "alarms": alarms.layout,
    "kpi": kpi.layout,
    "devices": devices.layout, "operations": operations.layout,
    "quarantine": quarantine.layout, "people": people.layout, "manual": manual.layout,
    **{f"manual/{role}": partial(manual.layout, role=role) for role in manual.ROLES},
    "settings": settings.layout, "approvals": approvals.layout, "cases": cases.layout,
    "registers": registers.layout, "lighting": lighting.layout, "review": review.layout,
    "intake": intake.layout, "tasks": tasks.layout, "handover": handover.layout,
    "rules": rules.layout, "permits": permits.layout, "roster": roster.layout,
    "notify": notify.layout,
}  # fmt: skip

INDEX = """<!DOCTYPE html>
<html lang="{lang}" data-theme="{theme}" data-mantine-color-scheme="{theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="theme-color" content="{colour}">
<title>{title}</title>
<link rel="icon" href="{icon}" type="image/svg+xml">
<style>{variables}</style>
{css}
<script type="application/json" id="gw-page">{page}</script>
</head>
<body>
{app_entry}
<p class="gw-opening" role="status"><span>{opening}</span><span>{slow}</span></p>
<footer>{config}{scripts}{renderer}</footer>
</body>
</html>"""


class GridwardenApp(Dash):
    """Dash whose first HTML already knows language, theme and person: no flash, no English."""

    def interpolate_index(self, *_: Any, **parts: Any) -> str:
        lang, shade = frame.chosen_language(), frame.chosen_theme()
        t = i18n.texts(lang)
        return INDEX.format(
            lang="zh-CN" if lang == i18n.CHINESE else "en",
            theme=shade,
            colour=theme.PALETTES[shade]["surface"],
            title=t("app.name"),
            icon=assets.address("icon.svg"),
            variables=theme.css_variables(shade),
            css=parts["css"],
            page=page_json(current_caller(), lang, shade, assets.address(assets.WORKER)),
            app_entry=parts["app_entry"],
            opening=t("nav.opening"),
            slow=t("nav.opening_slow"),
            config=parts["config"],
            scripts=parts["scripts"],
            renderer=parts["renderer"],
        )


def mount(server: flask.Flask) -> Dash:
    """Put each screen at its name; `/` leads to the own one."""
    app = GridwardenApp(
        "dashboard",
        server=server,
        include_assets_files=False,
        suppress_callback_exceptions=True,
        serve_locally=True,
        update_title="",
        title="Gridwarden",
        compress=False,
    )
    app.layout = html.Div([dcc.Location(id=ids.LOCATION), html.Div(id=ids.CONTENT)])
    assets.serve_assets(app, server)
    server.before_request(redirect_home)
    server.after_request(mark_missing)
    register_frame(app, str(server.config.get("TILE_URL") or ""))
    for page in (console, kpi, devices, operations, quarantine, people):
        page.register(app)
    return app


def redirect_home() -> Any:
    """`/` is nobody's screen: send the person to the one of their role."""
    if flask.request.path == "/" and flask.request.method == "GET":
        return flask.redirect(frame.home_of(current_caller().role))
    return None


def mark_missing(response: flask.Response) -> flask.Response:
    """The page of an unknown address is answered as what it is; its text says where to go."""
    rule = flask.request.url_rule
    if rule is not None and rule.rule == ANY_PAGE and response.status_code == 200:
        screen = screen_of(flask.request.path)
        if screen not in LAYOUTS or not frame.may_open(current_caller(), screen):
            response.status_code = 404
    return response


def screen_of(path: str | None) -> str:
    return (path or "").strip("/")


def register_frame(app: Dash, tile_url: str) -> None:
    """The screen of the address, and the start of its script once it stands."""

    @app.callback(Output(ids.CONTENT, "children"), Input(ids.LOCATION, "pathname"))
    def show(pathname: str) -> Component:
        return render_screen(frame.request_view(tile_url), pathname)

    app.clientside_callback(
        ClientsideFunction("gw", "start"), Output(ids.STARTED, "data"), Input(ids.PAGE, "data")
    )


def render_screen(view: View, pathname: str) -> Component:
    """The screen at this path, if the person may see it."""
    screen = screen_of(pathname)
    if screen in LAYOUTS and frame.may_open(view.caller, screen):
        return LAYOUTS[screen](view)
    return frame.render_page(
        view, "", [frame.render_header(view, ""), render_missing(view, screen)], "gw-fixed"
    )


def render_missing(view: View, screen: str) -> Component:
    """That there is no such page, or not for this person, and those that there are."""
    t = view.t
    if screen in frame.SCREENS:
        said = t("nav.not_yours", name=t(f"nav.{screen}"))
    else:
        said = t("nav.not_found", path=f"/{screen}")
    names = (*frame.screens_of(view.caller), frame.MANUAL)
    links = [html.Li(frame.render_screen_link(view, name, "")) for name in names]
    return html.Main(
        [html.H2(said), html.P(t("nav.go_to")), html.Ul(links)], id="main", className="gw-missing"
    )
