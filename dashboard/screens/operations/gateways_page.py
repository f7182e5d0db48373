"""The gateways on the operations page: silent ones first, with what their silence explains."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from dash import html
from dash.development.base_component import Component

from dashboard.screens.operations.gateways_load import GatewayPicture, SilentGateway
from dashboard.shell import ids
from dashboard.shell.components import extra, number_text, render_severity
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import day_and_clock, duration
from db.gateways import ListedGateway

SILENT_COLUMNS = ("gateway", "since", "word", "devices", "explained", "alarm")
HEARD_COLUMNS = ("gateway", "heard", "word", "devices")


def render_frame(t: Texts) -> Component:
    """What stays while its parts are drawn again: an opened list does not close."""
    return html.Section(
        [
            html.Div(id=ids.OPERATIONS_GATEWAYS),
            html.Details(
                [
                    html.Summary(id=ids.GATEWAYS_SUMMARY),
                    html.Div(id=ids.GATEWAYS_HEARD),
                    html.Button(
                        t("gateways.more"),
                        id=ids.GATEWAYS_MORE,
                        n_clicks=0,
                        type="button",
                        className="gw-button",
                        hidden=True,
                    ),
                ],
                id=ids.GATEWAYS_FOLD,
                className="gw-explained",
            ),
        ],
        id="gateways",
        className="gw-panel",
        **extra({"aria-labelledby": "gateways-title"}),
    )


def render_silent(t: Texts, found: GatewayPicture, now: datetime) -> Component:
    """Who carries nothing any more; or that there is nobody."""
    parts: list[Component] = [html.H3(t("gateways.title"), id="gateways-title")]
    if found.silent:
        parts.append(html.P(t("gateways.note"), className="gw-panel-note"))
        parts.append(
            render_table(
                t,
                SILENT_COLUMNS,
                [render_row(t, SILENT_COLUMNS, silent_cells(t, row, now)) for row in found.silent],
                t("gateways.silent_ones"),
            )
        )
        if left_out := found.counts.silent - len(found.silent):
            parts.append(html.P(t("operations.more", n=left_out), className="gw-panel-note"))
    elif found.counts.heard:
        parts.append(html.P(t("gateways.none_silent"), className="gw-empty"))
    else:
        parts.append(html.P(t("gateways.none"), className="gw-empty"))
    return html.Div(parts)


def render_heard(t: Texts, found: GatewayPicture, now: datetime) -> Component:
    """Those without an alarm."""
    rows = [render_row(t, HEARD_COLUMNS, common_cells(t, row, now)) for row in found.heard]
    return render_table(t, HEARD_COLUMNS, rows, t("gateways.heard_ones"))


def summary_text(t: Texts, found: GatewayPicture) -> str:
    shown, count = len(found.heard), found.counts.heard
    key = "gateways.heard_some" if shown < count else "gateways.heard_all"
    return t(key, shown=number_text(shown), n=number_text(count))


def render_table(
    t: Texts, columns: tuple[str, ...], rows: list[Component], label: str
) -> Component:
    head = [
        html.Th(t(f"gateways.col_{name}"), scope="col", className=f"gw-cell-{name}")
        for name in columns
    ]
    return html.Div(
        html.Table([html.Thead(html.Tr(head)), html.Tbody(rows)], className="gw-gateways"),
        className="gw-table-scroll",
        tabIndex="0",
        role="region",
        **extra({"aria-label": label}),
    )


def render_row(t: Texts, columns: tuple[str, ...], cells: Mapping[str, Any]) -> Component:
    """The name heads the row; on a phone every other cell carries its label."""
    first, *others = columns
    return html.Tr(
        [
            html.Th(cells[first], scope="row"),
            *(
                html.Td(
                    cells[name],
                    className=f"gw-cell-{name}",
                    **extra({"data-label": t(f"gateways.col_{name}")}),
                )
                for name in others
            ),
        ]
    )


def common_cells(t: Texts, row: ListedGateway, now: datetime) -> dict[str, Any]:
    """What is known of every gateway."""
    feed = t.word("feed", row.format)
    return {
        "gateway": [
            html.Span(row.name or row.identity),
            html.Small(f"{t.word('gateway_kind', row.kind)} · {feed}"),
        ],
        "heard": ago(t, row.heard_at, now),
        "word": word_cell(t, row, now),
        "devices": number_text(row.devices),
    }


def silent_cells(t: Texts, row: SilentGateway, now: datetime) -> dict[str, Any]:
    gateway = row.gateway
    since = gateway.silent_since or gateway.heard_at
    return {
        **common_cells(t, gateway, now),
        "since": lasting(t, since, now),
        "explained": explained_cell(t, row),
        "alarm": alarm_cell(t, gateway),
    }


def ago(t: Texts, at: datetime | None, now: datetime) -> Any:
    """How long ago, and when; or never."""
    if at is None:
        return t("gateways.never")
    age = duration(t, (now - at).total_seconds())
    return [html.B(t("time.ago", age=age)), html.Small(day_and_clock(at))]


def lasting(t: Texts, at: datetime | None, now: datetime) -> Any:
    if at is None:
        return t("value.none")
    return [html.B(duration(t, (now - at).total_seconds())), html.Small(day_and_clock(at))]


def word_cell(t: Texts, row: ListedGateway, now: datetime) -> Any:
    """What it said of itself, and when: a word is worth as much as it is new."""
    if row.online is None or row.status_at is None:
        return t("gateways.word_none")
    age = duration(t, (now - row.status_at).total_seconds())
    said = t("gateways.word_online" if row.online else "gateways.word_offline")
    return [html.Span(said), html.Small(t("time.ago", age=age))]


def explained_cell(t: Texts, row: SilentGateway) -> Any:
    """How many devices are silent because of it, and which."""
    count = row.gateway.inhibited
    if not row.explained:
        return number_text(count)
    named = [
        html.A(found.device, href=f"/devices?device={quote(found.device)}")
        for found in row.explained
    ]
    left_out = count - len(row.explained)
    more = [html.Span(t("operations.more", n=left_out))] if left_out > 0 else []
    return html.Details(
        [
            html.Summary(t("gateways.explained", n=number_text(count))),
            html.Div([*named, *more], className="gw-named"),
        ],
        key=row.gateway.condition,
    )


def alarm_cell(t: Texts, row: ListedGateway) -> Any:
    """The alarm itself; it has no incident, so it is acknowledged here."""
    if row.alarm_id is None or row.severity is None:
        return t("value.none")
    state = html.Span(t.word("alarm_state", row.alarm_state))
    button = html.Button(
        t("alarm.acknowledge"),
        type="button",
        className="gw-button",
        **extra(
            {
                "data-alarm": str(row.alarm_id),
                "aria-label": f"{t('alarm.acknowledge')} {row.name or row.identity}",
            }
        ),
    )
    shown = [button] if row.alarm_state == "unacknowledged" else []
    return html.Div([render_severity(t, row.severity), state, *shown], className="gw-alarm-cell")
