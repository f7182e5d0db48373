"""Registers: the frame of the screen. The browser fills it from the API, one way for every list."""

from __future__ import annotations

import json

from dash import html
from dash.development.base_component import Component

from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View
from dashboard.shell.judgements import fault_words


def layout(view: View) -> Component:
    return frame.render_page(
        view,
        "registers",
        [
            frame.render_header(view, "registers"),
            html.Main(
                [
                    frame.render_title(view.t, "registers"),
                    html.Div(id=ids.REGISTERS_BODY, className="gw-registers-body"),
                ],
                id="main",
                className="gw-board gw-registers",
                **extra({"data-faults": json.dumps(fault_words(view.t), ensure_ascii=False)}),
            ),
        ],
        "gw-board-screen",
    )
