"""Screen squad."""

from __future__ import annotations

from dash import Dash

from dashboard.pages import frame


def layout(view):
    return frame.render_page(view, "squad", [frame.render_header(view, "squad")], "gw-fixed")


def register(app: Dash) -> None:
    pass
