"""Registers: the frame of the screen. The browser fills it from the API, one way for every list."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.shell import frame, ids
from dashboard.shell.frame import View


def layout(view: View) -> Component:
    return frame.render_page(
        view,
        "registers",
        [
            frame.render_header(view, "registers"),
            html.Main(
                [
                    frame.render_title(view.t, "registers"),
                    html.Div(id=ids.REGISTERS_BODY, className="gw-registers-body"),
                ],
                id="main",
                className="gw-board gw-registers",
            ),
        ],
        "gw-board-screen",
    )
