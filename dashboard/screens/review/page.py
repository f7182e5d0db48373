"""Review: the frame of the screen; the browser fills it from the API."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View


def layout(view: View) -> Component:
    """One event with its picture, place and buttons; below what was held back, and how often the
    cameras were right."""
    t = view.t
    return frame.render_page(
        view,
        "review",
        [
            frame.render_header(view, "review"),
            html.Main(
                [
                    html.H2(t("review.title"), className="gw-unseen"),
                    html.Div(
                        [
                            html.Section(
                                id=ids.REVIEW_PICTURE,
                                className="gw-review-picture",
                                **extra({"aria-label": t("review.picture")}),
                            ),
                            html.Section(
                                [
                                    html.Div(
                                        id=ids.REVIEW_FACTS, className="gw-review-facts",
                                        **extra({"aria-live": "polite"}),
                                    ),
                                    html.Div(
                                        id=ids.REVIEW_BUTTONS, className="gw-review-buttons"
                                    ),
                                    html.Div(
                                        frame.render_map(view, zoom_buttons=False),
                                        className="gw-map gw-review-map",
                                    ),
                                ],
                                className="gw-review-side",
                            ),
                        ],
                        className="gw-review-one",
                    ),
                    html.Div(id=ids.REVIEW_MORE, className="gw-review-more"),
                ],
                id="main",
                className="gw-board gw-review",
            ),
        ],
        "gw-board-screen",
    )  # fmt: skip
