"""The feeds on the operations page: what is listened to, and when it was heard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dash import html
from dash.development.base_component import Component

from dashboard.screens.operations.feeds_load import ListeningItem
from dashboard.shell.components import extra, number_text
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import duration

COLUMNS = ("name", "state", "format", "topic", "expected", "heard", "messages")


def render_listening(t: Texts, items: Sequence[ListeningItem], now: datetime) -> Component:
    """Feeds that were added, are switched off or were heard; of the others their number."""
    shown = [i for i in items if not i.shipped or not i.enabled or i.heard_at is not None]
    head = [html.Th(t(f"listening.col_{name}"), scope="col") for name in COLUMNS]
    table = html.Table(
        [html.Thead(html.Tr(head)), html.Tbody([_row(t, item, now) for item in shown])],
        className="gw-gateways",
    )
    rest = len(items) - len(shown)
    return html.Section(
        [
            html.H3(t("listening.title")),
            html.P(t("listening.note"), className="gw-panel-note"),
            html.Div(
                table,
                className="gw-table-scroll",
                tabIndex="0",
                role="region",
                **extra({"aria-label": t("listening.title")}),
            ),
            html.P(t("listening.rest", n=number_text(rest)), className="gw-panel-note"),
        ],
        className="gw-panel",
    )


def _row(t: Texts, item: ListeningItem, now: datetime) -> Component:
    """The name heads the row; on a phone every other cell carries its label."""
    age_s = (now - item.heard_at).total_seconds() if item.heard_at else None
    heard = t("operations.never") if age_s is None else t("listening.ago", age=duration(t, age_s))
    cells: dict[str, Component | str] = {
        "state": _state(t, item),
        "format": t.word("feed", item.format) if item.format else t("listening.by_topic"),
        "topic": t("listening.own_topics") if item.shipped else item.topic,
        "expected": duration(t, item.interval_s),
        "heard": heard,
        "messages": number_text(item.messages),
    }
    return html.Tr(
        [
            html.Th(html.Span(item.name), scope="row"),
            *(
                html.Td(cells[name], **extra({"data-label": t(f"listening.col_{name}")}))
                for name in COLUMNS[1:]
            ),
        ]
    )


def _state(t: Texts, item: ListeningItem) -> Component:
    if item.late:
        return html.Span(t("listening.late"), className="gw-mark-bad")
    if not item.enabled:
        return html.Span(t("listening.off"), className="gw-mark-quiet")
    return html.Span(t("listening.on"))
