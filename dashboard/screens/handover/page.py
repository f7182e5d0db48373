"""The handover sheet: the frame of the screen; the browser fills it from the API."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.api.handovers import SIGNERS
from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View


def layout(view: View) -> Component:
    """The sheet as it stands, the signatures, and the sheets before it."""
    may_sign = view.caller.role in SIGNERS
    return frame.render_page(
        view,
        "handover",
        [
            frame.render_header(view, "handover"),
            html.Main(
                [
                    frame.render_title(view.t, "handover"),
                    html.Div(id=ids.HANDOVER_BODY, className="gw-handover-body"),
                ],
                id="main",
                className="gw-board gw-handover",
                **extra({"data-may-sign": "yes" if may_sign else "no"}),
            ),
        ],
        "gw-board-screen",
    )
