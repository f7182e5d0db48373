"""Verifications and checks: the frame of the screen; the browser fills it from the API."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.shell import frame, ids
from dashboard.shell.frame import View


def layout(view: View) -> Component:
    """One's own tasks first, then what nobody has, then the others'."""
    return frame.render_page(
        view,
        "tasks",
        [
            frame.render_header(view, "tasks"),
            html.Main(
                [
                    frame.render_title(view.t, "tasks"),
                    html.Div(id=ids.TASKS_BODY, className="gw-tasks-body"),
                ],
                id="main",
                className="gw-board gw-tasks",
            ),
        ],
        "gw-board-screen",
    )
