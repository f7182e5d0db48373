"""Rosters: the frame of the screen; the browser fills it from the API."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.shell import frame, ids
from dashboard.shell.frame import View


def layout(view: View) -> Component:
    """Who was on duty at a moment, then the week."""
    return frame.render_page(
        view,
        "roster",
        [
            frame.render_header(view, "roster"),
            html.Main(
                [
                    frame.render_title(view.t, "roster"),
                    html.Div(id=ids.ROSTER_BODY, className="gw-roster-body"),
                ],
                id="main",
                className="gw-board gw-roster",
            ),
        ],
        "gw-board-screen",
    )
