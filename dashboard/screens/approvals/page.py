"""Approvals: the frame of the screen; the browser fills it from the API."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.shell import frame, ids
from dashboard.shell.frame import View


def layout(view: View) -> Component:
    """What waits, then what was decided."""
    return frame.render_page(
        view,
        "approvals",
        [
            frame.render_header(view, "approvals"),
            html.Main(
                [
                    frame.render_title(view.t, "approvals"),
                    html.Div(id=ids.APPROVALS_BODY, className="gw-approvals-list"),
                ],
                id="main",
                className="gw-board gw-approvals",
            ),
        ],
        "gw-board-screen",
    )
