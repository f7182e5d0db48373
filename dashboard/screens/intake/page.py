"""What came in: the frame of the screen; the browser fills it from the API."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.api.reports import MODERATORS
from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View
from dashboard.shell.who_sees_what import CENTRE


def layout(view: View) -> Component:
    """What is owed to callers, what the public sent, the calls of the last days."""
    role = view.caller.role
    may = [
        *(["answer"] if role in CENTRE else []),
        *(["moderate"] if role in MODERATORS else []),
    ]
    return frame.render_page(
        view,
        "intake",
        [
            frame.render_header(view, "intake"),
            html.Main(
                [
                    frame.render_title(view.t, "intake"),
                    html.Div(id=ids.INTAKE_BODY, className="gw-intake-body"),
                ],
                id="main",
                className="gw-board gw-intake",
                **extra({"data-may": " ".join(may)}),
            ),
        ],
        "gw-board-screen",
    )
