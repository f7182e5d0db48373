"""Who was told of a case: each message with the last thing that is known of it, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboard.shell.components import extra, render_empty
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import day_and_clock

# In the order in which they become true.
TIMES = ("sent", "delivered", "seen", "acknowledged")
UNKNOWN = ("sent", "delivered", "seen")


def render_told(t: Texts, incident: Mapping[str, Any], person: str) -> list[Component]:
    """The newest first; a button for whoever has not said that they know."""
    told = incident.get("told") or []
    if not told:
        return [render_empty(t("told.none"))]
    mine = any(m["person"] == person and m["state"] in UNKNOWN for m in told)
    know = html.Button(
        t("told.know"),
        type="button",
        className="gw-button",
        **extra({"data-known": str(incident["id"])}),
    )
    rows = html.Ul([render_message(t, message) for message in told], className="gw-told")
    return [rows, *([know] if mine else [])]


def render_message(t: Texts, message: Mapping[str, Any]) -> Component:
    state = html.Span(
        t.word("told.state", message["state"]),
        className="gw-told-state",
        **extra({"data-state": message["state"]}),
    )
    return html.Li(
        [
            html.B(t.word("told.step", message["step"])),
            html.Span(who(t, message)),
            html.Span(message["channel"]),
            state,
            html.Small(" · ".join(times(t, message))),
        ]
    )


def who(t: Texts, message: Mapping[str, Any]) -> str:
    if message["person"]:
        return str(message["person"])
    return t("notify.group") if message["channel"] else t("told.nobody")


def times(t: Texts, message: Mapping[str, Any]) -> Sequence[str]:
    """What became true when, and why it went no further."""
    said = [
        f"{t.word('told.state', name)} {day_and_clock(message[f'{name}_at'])}"
        for name in TIMES
        if message[f"{name}_at"]
    ]
    if not said:
        said.append(f"{t('told.state.queued')} {day_and_clock(message['queued_at'])}")
    if message["problem"]:
        said.append(t.word("told.problem", message["problem"]))
    return said
