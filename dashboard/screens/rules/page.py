"""Rules: the frame of the screen. The browser fills it from the API."""

from __future__ import annotations

import json

from dash import html
from dash.development.base_component import Component

from dashboard.api.rules import EDITORS
from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View
from dashboard.shell.i18n import ENGLISH, Texts, texts

FAULTS = "rules.fault_"


def layout(view: View) -> Component:
    """The list, or one rule with its editor and versions."""
    may_change = view.caller.role in EDITORS and view.caller.within is None
    return frame.render_page(
        view,
        "rules",
        [
            frame.render_header(view, "rules"),
            html.Main(
                [
                    frame.render_title(view.t, "rules"),
                    html.Div(id=ids.RULES_BODY, className="gw-rules-body"),
                ],
                id="main",
                className="gw-board gw-rules",
                **extra(
                    {
                        "data-may-change": "yes" if may_change else "no",
                        "data-faults": json.dumps(_faults(view.t), ensure_ascii=False),
                    }
                ),
            ),
        ],
        "gw-board-screen",
    )


def _faults(t: Texts) -> list[tuple[str, str]]:
    """What the parser says, with gaps, and the same in the language of the page."""
    english = texts(ENGLISH).entries
    return [(english[key], t(key)) for key in english if key.startswith(FAULTS)]
