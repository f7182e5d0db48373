"""What came in: the frame of the screen; the browser fills it from the API."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from city.incident import Role
from dashboard.api.reports import MODERATORS
from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View
from dashboard.shell.who_sees_what import CENTRE

# Who may open the form of a new case, which stands on the console beside the map.
REPORTERS = frozenset({Role.ADMIN, Role.DISPATCHER, Role.CHECKER, Role.LEADER})


def layout(view: View) -> Component:
    """What is owed to callers, what the public sent, the calls of the last days."""
    role = view.caller.role
    may = [
        *(["answer"] if role in CENTRE else []),
        *(["moderate"] if role in MODERATORS else []),
    ]
    new = []
    if role in REPORTERS:
        new = [
            html.A(view.t("report.button"), href="/console#report", className="gw-button primary")
        ]
    return frame.render_page(
        view,
        "intake",
        [
            frame.render_header(view, "intake"),
            html.Main(
                [
                    frame.render_title(view.t, "intake", *new),
                    html.Div(id=ids.INTAKE_BODY, className="gw-intake-body"),
                ],
                id="main",
                className="gw-board gw-intake",
                **extra({"data-may": " ".join(may)}),
            ),
        ],
        "gw-board-screen",
    )
