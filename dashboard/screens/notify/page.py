"""Messages: the frame of the screen; the browser fills it from the API."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from city.incident import Role
from dashboard.api.messages import CENTRE
from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View


def layout(view: View) -> Component:
    """One's own ways first, then the channels, then what was told."""
    role = view.caller.role
    return frame.render_page(
        view,
        "notify",
        [
            frame.render_header(view, "notify"),
            html.Main(
                [
                    frame.render_title(view.t, "notify"),
                    html.Div(
                        [
                            html.Section(id=ids.NOTIFY_OWN, className="gw-panel"),
                            html.Section(id=ids.NOTIFY_CHANNELS, className="gw-panel"),
                        ],
                        className="gw-notify-pair",
                    ),
                    html.Section(id=ids.NOTIFY_LIST, className="gw-panel"),
                ],
                id="main",
                className="gw-board gw-notify",
                **extra(
                    {
                        "data-centre": "yes" if role in CENTRE else "no",
                        "data-admin": "yes" if role is Role.ADMIN else "no",
                    }
                ),
            ),
        ],
        "gw-board-screen",
    )
