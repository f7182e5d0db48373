"""What surrounds every screen: header, navigation, connection state, notices, the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dash_leaflet as dl
import dash_mantine_components as dmc  # type: ignore[import-untyped]
import flask
from dash import dcc, html
from dash.development.base_component import Component

from city.incident import Role
from city.person import Caller
from dashboard.shell import ids, theme
from dashboard.shell.auth import current_caller
from dashboard.shell.bounded import OPEN_SCREENS
from dashboard.shell.components import extra
from dashboard.shell.i18n import CHINESE, LANGUAGES, Texts, texts

# Where each role starts.
HOMES: dict[Role, str] = {
    Role.ADMIN: "console",
    Role.DISPATCHER: "console",
    Role.GAS_ENGINEER: "console",
    Role.CHECKER: "console",
    Role.SQUAD_LEADER: "squad",
    Role.LEADER: "kpi",
    Role.VIEWER: "wall",
}
_A, _D, _G, _C = Role.ADMIN, Role.DISPATCHER, Role.GAS_ENGINEER, Role.CHECKER
_S, _L, _V = Role.SQUAD_LEADER, Role.LEADER, Role.VIEWER
# Every screen and who may open it, in the order of the navigation.
SCREENS: dict[str, tuple[Role, ...]] = {
    "console": (_A, _D, _G, _C, _L),
    "alarms": (_A, _D, _G, _L),
    "wall": (_A, _D, _G, _C, _S, _L, _V),
    "intake": (_A, _D, _C, _L),
    "review": (_A, _D, _C),
    "tasks": (_A, _D, _C, _L),
    "squad": (_A, _S),
    "cases": (_A, _D, _G, _C, _L),
    "kpi": (_A, _D, _L, _V),
    "lighting": (_A, _D, _L, _V),
    "roster": (_A, _D, _G),
    "permits": (_A, _D, _G, _C, _S, _L),
    "rules": (_A, _D, _G, _L),
    "registers": (_A, _D, _G, _C, _S, _L),
    "devices": (_A, _D, _G),
    "operations": (_A, _D, _G),
    "quarantine": (_A, _D, _G),
    "people": (_A,),
    "settings": (_A, _G, _L),
    "handover": (_A, _D, _G, _C, _L),
    "approvals": (_A, _D, _G, _L),
    "notify": (_A, _D, _G, _C, _S, _L),
}
# So many of them stand in the header, the others behind a word: more would not fit a desk.
AT_HAND = 6
# The own one first, then as above.
SCREENS_OF_ROLE: dict[Role, tuple[str, ...]] = {
    role: (home, *(name for name, roles in SCREENS.items() if role in roles and name != home))
    for role, home in HOMES.items()
}

# Open to everybody who is signed in.
MANUAL = "manual"

# A view of mainland China until the district's own box is known, a moment later.
FIRST_CENTRE = (35.0, 105.0)
FIRST_ZOOM = 5


@dataclass(frozen=True, slots=True)
class View:
    """For whom a screen is drawn: person, language, theme."""

    caller: Caller
    t: Texts
    theme: str
    tile_url: str = ""


def chosen_language() -> str:
    """The language of this request, from its cookie."""
    lang = flask.request.cookies.get("lang", "")
    return lang if lang in LANGUAGES else CHINESE


def chosen_theme() -> str:
    """Dark or light, from the request's cookie."""
    shade = flask.request.cookies.get("theme", "")
    return shade if shade in theme.THEMES else theme.DARK


def request_view(tile_url: str = "") -> View:
    """For whom this request is answered."""
    return View(current_caller(), texts(chosen_language()), chosen_theme(), tile_url)


def home_of(role: Role) -> str:
    """Where a person of this role starts."""
    return "/" + HOMES.get(role, "wall")


def screens_of(caller: Caller) -> tuple[str, ...]:
    """The screens that this person may open, their own first."""
    found = SCREENS_OF_ROLE.get(caller.role, ())
    return found if caller.within is None else tuple(n for n in found if n in OPEN_SCREENS)


def may_open(caller: Caller, screen: str) -> bool:
    return screen.partition("/")[0] in (MANUAL, *screens_of(caller))


def render_page(view: View, screen: str, children: list[Component], class_name: str) -> Component:
    """A whole screen inside the Mantine frame, its header first; the store starts its script."""
    body = html.Div(
        [
            html.A(view.t("nav.skip"), href="#main", className="gw-skip"),
            children[0],
            render_faults(view.t),
            *children[1:],
            html.Div(id=ids.NOTICE, className="gw-notices"),
            dcc.Store(id=ids.PAGE, data=screen),
            dcc.Store(id=ids.STARTED),
        ],
        className=f"gw-screen {class_name}",
    )
    return dmc.MantineProvider(
        body, forceColorScheme=view.theme, theme=theme.mantine_theme(view.theme)
    )


def render_header(view: View, screen: str, *middle: Component) -> Component:
    """Brand, navigation, what the screen adds, connection state and the two switches."""
    t = view.t
    return html.Header(
        [
            html.Div(
                [
                    html.Span(className="gw-mark"),
                    html.H1(t("app.name")),
                    html.Span(id=ids.DISTRICT_NAME),
                    *([html.B(str(view.caller.within))] if view.caller.within else []),
                ],
                className="gw-brand",
            ),
            render_navigation(view, screen),
            html.Span(className="gw-push"),
            *middle,
            render_demo_mark(t),
            render_link(t),
            *render_switches(view),
        ],
        className="gw-header",
    )


def render_title(t: Texts, screen: str, *beside: Component) -> Component:
    """Title and subtitle of a screen, and what stands at the other end of their line."""
    return html.Div(
        [
            html.H2(t(f"{screen}.title")),
            html.P(t(f"{screen}.subtitle"), className="gw-page-note"),
            *([html.Span(className="gw-push"), *beside] if beside else []),
        ],
        className="gw-page-title",
    )


def render_navigation(view: View, screen: str) -> Component:
    """Links to the screens this person may open: the first ones, then the rest behind a word."""
    names = screens_of(view.caller)
    at_hand, others = names[:AT_HAND], names[AT_HAND:]
    if len(others) == 1:  # the word would take as much room
        at_hand, others = names, ()
    links = [render_screen_link(view, name, screen) for name in at_hand]
    if screen in others:
        links.append(render_screen_link(view, screen, screen))
    if others:
        links.append(
            html.Details(
                [
                    html.Summary(view.t("nav.more")),
                    html.Div([render_screen_link(view, name, screen) for name in others]),
                ],
                className="gw-nav-more",
            )
        )
    return html.Nav(links, className="gw-nav", **extra({"aria-label": view.t("nav.label")}))


def render_screen_link(view: View, name: str, screen: str) -> Component:
    current = extra({"aria-current": "page"} if name == screen else {})
    return html.A(view.t(f"nav.{name}"), href=f"/{name}", **current)


def render_link(t: Texts) -> Component:
    """Connection state; the browser writes it."""
    return html.Span(
        [html.I(), html.Span(t("link.connecting"))],
        id=ids.LINK,
        className="gw-link",
        role="status",
        **extra({"data-state": "connecting"}),
    )


def render_demo_mark(t: Texts) -> Component:
    return html.Span(
        t("demo.mark"), id=ids.DEMO_MARK, className="gw-demo", title=t("demo.hint"), hidden=True
    )


def render_faults(t: Texts) -> Component:
    """Says what does not go on and since when, also that the server is gone; the browser writes."""
    return html.Div(
        [html.Ul(), html.A(t("link.sign_in"), href="/login", hidden=True)],
        id=ids.STALE_PICTURE,
        className="gw-faults",
        role="status",
        hidden=True,
    )


def aging(*what: str) -> dict[str, Any]:
    """Marks a part of a screen that is hatched when `readings`, `alarms` or `incidents` are old."""
    return extra({"data-ages": " ".join(what)})


def render_switches(view: View) -> list[Component]:
    """The manual, language, dark or light, and the way out."""
    t = view.t
    other_theme = "switch.to_light" if view.theme == theme.DARK else "switch.to_dark"
    return [
        html.A(t("nav.manual"), href=f"/{MANUAL}", className="gw-quiet-button gw-help"),
        html.Button(
            t("switch.language"),
            className="gw-quiet-button",
            type="button",
            **extra({"data-switch": "lang", "aria-label": t("switch.language_label")}),
        ),
        html.Button(
            t(other_theme),
            className="gw-quiet-button",
            type="button",
            **extra({"data-switch": "theme", "aria-label": t("switch.theme_label")}),
        ),
        html.Button(
            t("nav.sign_out"),
            className="gw-quiet-button",
            type="button",
            **extra({"data-sign-out": "yes"}),
        ),
    ]


def render_map(view: View, *, zoom_buttons: bool) -> Component:
    """Base map: tiles of the intranet if there are any, streets, pipes, outline. The rest is
    canvas."""
    colours = theme.PALETTES[view.theme]
    nothing = {"type": "FeatureCollection", "features": []}
    layers: list[Component] = []
    if view.tile_url:
        layers.append(dl.TileLayer(url=view.tile_url))
    layers.append(
        dl.GeoJSON(
            data=nothing,
            id=ids.MAP_STREETS,
            style={"color": colours["faint"], "weight": 1, "opacity": 0.5, "fill": False},
        )
    )
    pipes = {"color": colours["muted"], "weight": 1.5, "opacity": 0.6, "dashArray": "6 4"}
    layers.append(
        dl.GeoJSON(
            data=nothing, id=ids.MAP_PIPES, style=pipes | {"fill": False, "interactive": False}
        )
    )
    layers.append(
        dl.GeoJSON(
            data=nothing,
            id=ids.MAP_OUTLINE,
            style={"color": colours["muted"], "weight": 2, "fill": False, "interactive": False},
        )
    )
    layers.append(dl.ScaleControl(imperial=False, position="bottomright"))
    return dl.Map(
        layers,
        id=ids.MAP,
        center=FIRST_CENTRE,
        zoom=FIRST_ZOOM,
        minZoom=4,
        maxZoom=19,
        zoomSnap=0.1,
        zoomDelta=0.5,
        wheelPxPerZoomLevel=120,
        attributionControl=False,
        zoomControl=zoom_buttons,
    )


def render_legend(t: Texts) -> Component:
    """What the marks on the map mean."""
    entries: list[tuple[str, str, str]] = [
        ("", "red", "severity.1"),
        ("", "orange", "severity.2"),
        ("", "yellow", "severity.3"),
        ("", "blue", "severity.4"),
        ("ring", "text", "map.legend_overdue"),
        ("squad", "accent", "map.legend_squad"),
        ("dot", "ok", "map.legend_ok"),
        ("hollow", "silent", "map.legend_silent"),
    ]
    marks = html.Div(
        [
            html.Span([html.I(className=shape, style={"--swatch": f"var(--{colour})"}), t(key)])
            for shape, colour, key in entries
        ],
        role="img",
        **extra({"aria-label": t("map.legend")}),
    )
    return html.Div([marks, render_layers(t)], className="gw-legend")


def render_layers(t: Texts) -> Component:
    """Layers of the map that can be switched; the browser remembers how."""
    return html.Div(
        [
            html.Button(
                t(f"map.layer_{name}"),
                type="button",
                **extra({"data-map-layer": name, "aria-pressed": "true"}),
            )
            for name in ("areas", "lamps")
        ],
        className="gw-layers",
        role="group",
        **extra({"aria-label": t("map.layers")}),
    )
