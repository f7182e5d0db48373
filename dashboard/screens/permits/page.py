"""Work permits: the frame of the screen; the browser fills it from the API."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.api.permits import MAKERS
from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View


def layout(view: View) -> Component:
    """What is open and planned, then what is over."""
    may_make = view.caller.role in MAKERS
    return frame.render_page(
        view,
        "permits",
        [
            frame.render_header(view, "permits"),
            html.Main(
                [
                    frame.render_title(view.t, "permits"),
                    html.Div(id=ids.PERMITS_BODY, className="gw-permits-body"),
                ],
                id="main",
                className="gw-board gw-permits",
                **extra({"data-may-make": "yes" if may_make else "no"}),
            ),
        ],
        "gw-board-screen",
    )
