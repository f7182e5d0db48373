"""The manual of each role: the texts beside this file, with pictures that the tests take."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from dash import dcc, html
from dash.development.base_component import Component

from city.incident import Role
from dashboard.shell import assets, frame
from dashboard.shell.components import extra
from dashboard.shell.frame import View
from dashboard.shell.i18n import Texts

FOLDER = Path(__file__).parent
# In the order of the tabs.
ROLES = (
    Role.DISPATCHER, Role.GAS_ENGINEER, Role.SQUAD_LEADER, Role.CHECKER, Role.LEADER, Role.VIEWER,
    Role.ADMIN,
)  # fmt: skip
# `![what it shows](wall)` is the picture of the screen `wall` in the reader's language.
PICTURE = re.compile(r"\]\(([a-z]+)\)$", re.MULTILINE)


def layout(view: View, role: Role | None = None) -> Component:
    """The page of a role; without one that of the reader."""
    t, shown = view.t, role or view.caller.role
    tabs = [
        html.A(
            t.word("role", known),
            href=f"/manual/{known}",
            **extra({"aria-current": "page"} if known == shown else {}),
        )
        for known in ROLES
    ]
    return frame.render_page(
        view,
        "manual",
        [
            frame.render_header(view, "manual"),
            html.Main(
                [
                    frame.render_title(t, "manual", render_own_factor(t)),
                    html.Nav(
                        tabs, className="gw-manual-tabs", **extra({"aria-label": t("manual.roles")})
                    ),
                    dcc.Markdown(
                        read_manual(shown, t.lang), className="gw-manual", link_target="_self"
                    ),
                ],
                id="main",
                className="gw-board gw-manual-page",
            ),
        ],
        "gw-board-screen",
    )


def render_own_factor(t: Texts) -> Component:
    """Everybody has the manual: here everybody finds the way to their second factor."""
    return html.A(
        t("people.second_factor"),
        href=f"/second-factor?next=/{frame.MANUAL}",
        className="gw-button",
    )


@cache
def read_manual(role: Role, lang: str) -> str:
    """Markdown, its pictures by the addresses under which they are served."""
    text = (FOLDER / f"{role}.{lang}.md").read_text("utf-8")
    return PICTURE.sub(lambda found: f"]({assets.address(picture(found[1], lang))})", text)


def picture(screen: str, lang: str) -> str:
    """The name under which the picture of a screen is published."""
    return f"manual-{screen}.{lang}.jpg"
