"""Settings: the frame of the screen. The browser fills it from the API, one way for every table."""

from __future__ import annotations

import json

from dash import html
from dash.development.base_component import Component

from city.person import ADMINISTRATORS
from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View
from dashboard.shell.judgements import fault_words


def layout(view: View) -> Component:
    """Parts on the left, the chosen one beside them."""
    t = view.t
    may_change = view.caller.role in ADMINISTRATORS
    return frame.render_page(
        view,
        "settings",
        [
            frame.render_header(view, "settings"),
            html.Main(
                [
                    frame.render_title(t, "settings"),
                    html.Div(
                        [
                            html.Nav(
                                id=ids.SETTINGS_PARTS,
                                className="gw-settings-parts",
                                **extra({"aria-label": t("settings.parts")}),
                            ),
                            html.Div(id=ids.SETTINGS_BODY, className="gw-settings-body"),
                        ],
                        className="gw-settings-columns",
                    ),
                ],
                id="main",
                className="gw-board gw-settings",
                **extra(
                    {
                        "data-may-change": "yes" if may_change else "no",
                        "data-faults": json.dumps(fault_words(t), ensure_ascii=False),
                    }
                ),
            ),
        ],
        "gw-board-screen",
    )
