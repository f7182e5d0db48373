"""Cases: one field, what it found beneath; the browser asks the API while somebody types."""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View

FILTERS = ("all", "open", "over")


def layout(view: View) -> Component:
    """The field, three filters and the list."""
    t = view.t
    return frame.render_page(
        view,
        "cases",
        [
            frame.render_header(view, "cases"),
            html.Main(
                [
                    frame.render_title(t, "cases"),
                    html.Div(
                        [
                            html.Label(
                                [
                                    html.Span(t("cases.field"), className="gw-unseen"),
                                    dcc.Input(
                                        id=ids.CASES_QUERY,
                                        type="search",
                                        placeholder=t("cases.placeholder"),
                                        className="gw-input",
                                        autoFocus=True,
                                    ),
                                ]
                            ),
                            html.Div(
                                [render_filter(view, name) for name in FILTERS],
                                className="gw-chips",
                            ),
                        ],
                        className="gw-cases-field",
                    ),
                    html.P(
                        id=ids.CASES_NOTE,
                        className="gw-panel-note",
                        **extra({"role": "status", "aria-live": "polite"}),
                    ),
                    html.Ol(id=ids.CASES_LIST, className="gw-cases-list"),
                    html.Button(
                        t("cases.more"),
                        id=ids.CASES_MORE,
                        type="button",
                        className="gw-button",
                        hidden=True,
                    ),
                ],
                id="main",
                className="gw-board gw-cases",
            ),
        ],
        "gw-board-screen",
    )


def render_filter(view: View, name: str) -> Component:
    """One of the chips beside the field."""
    pressed = str(name == FILTERS[0]).lower()
    return html.Button(
        view.t(f"cases.{name}"),
        type="button",
        className="gw-chip",
        **extra({"data-cases": name, "aria-pressed": pressed}),
    )
