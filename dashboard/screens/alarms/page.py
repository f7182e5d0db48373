"""The alarm workbench: the frame of the screen; the browser fills it from API and live picture."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.api.alarms import MAY_CHANGE
from dashboard.screens.devices.load import CHANGERS
from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View
from dashboard.shell.i18n import Texts

TABS = ("live", "shelved", "out", "suppressed", "measures")


def layout(view: View) -> Component:
    """Tabs, below them one list or the measures, beside it the chosen alarm."""
    t = view.t
    return frame.render_page(
        view,
        "alarms",
        [
            frame.render_header(view, "alarms", render_silence(t)),
            html.Main(
                [
                    frame.render_title(t, "alarms"),
                    html.Section(id=ids.ALARMS_FLOOD, className="gw-panel gw-flood", hidden=True),
                    html.Div(
                        [render_tab(t, name) for name in TABS],
                        className="gw-tabs gw-alarms-tabs",
                        role="tablist",
                    ),
                    html.Div(
                        [
                            html.Div(id=ids.ALARMS_BODY, className="gw-alarms-body"),
                            html.Aside(
                                id=ids.ALARMS_DETAIL,
                                className="gw-panel gw-alarms-detail",
                                hidden=True,
                                **extra({"aria-label": t("alarms.detail")}),
                            ),
                        ],
                        className="gw-alarms-columns",
                    ),
                ],
                id="main",
                className="gw-board gw-alarms gw-can-age",
                **extra(
                    {
                        "data-may-change": "yes" if view.caller.role in MAY_CHANGE else "no",
                        "data-may-take-out": "yes" if view.caller.role in CHANGERS else "no",
                    }
                ),
                **frame.aging("alarms"),
            ),
        ],
        "gw-board-screen",
    )


def render_tab(t: Texts, name: str) -> Component:
    return html.Button(
        [t(f"alarms.tab_{name}"), html.Span()],
        type="button",
        role="tab",
        **extra({"data-alarms-tab": name, "aria-selected": "true" if name == "live" else "false"}),
    )


def render_silence(t: Texts) -> Component:
    """Silences the sound of this console; shown while there is one."""
    return html.Button(
        t("sound.silence", n=""),
        id=ids.SILENCE,
        type="button",
        className="gw-quiet-button gw-silence",
        title=t("sound.note"),
        hidden=True,
    )
