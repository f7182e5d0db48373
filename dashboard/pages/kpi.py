"""Screen kpi."""

from __future__ import annotations

from dash import Dash

from dashboard.pages import frame


def layout(view):
    return frame.render_page(view, "kpi", [frame.render_header(view, "kpi")], "gw-fixed")


def register(app: Dash) -> None:
    pass
