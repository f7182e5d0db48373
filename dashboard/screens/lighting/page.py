"""Lighting: the frame of the screen; the browser fills it from the API."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.shell import frame, ids
from dashboard.shell.frame import View


def layout(view: View) -> Component:
    """Lamps now, how the nights went, what was asked of lamps, programmes."""
    return frame.render_page(
        view,
        "lighting",
        [
            frame.render_header(view, "lighting"),
            html.Main(
                [
                    frame.render_title(view.t, "lighting", html.Div(id=ids.LIGHTING_TOOLS)),
                    html.Div(id=ids.LIGHTING_NOW, **frame.aging("readings")),
                    html.Div(id=ids.LIGHTING_ORDERS),
                    html.Div(id=ids.LIGHTING_NIGHTS),
                    html.Div(id=ids.LIGHTING_PROGRAMMES),
                ],
                id="main",
                className="gw-board gw-can-age gw-lighting",
            ),
        ],
        "gw-board-screen",
    )
