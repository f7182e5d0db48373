"""Quarantine: who is refused why, the messages themselves, and another chance for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from city.reading import REASON_DEVICE_UNKNOWN
from dashboard.api.bodies import BIGINT_MAX
from dashboard.api.ingest import GROUPINGS, MAY_SEE_REJECTS
from dashboard.screens.operations.page import feed_name, size_text
from dashboard.screens.quarantine import load as quarantine
from dashboard.screens.quarantine.load import Today
from dashboard.shell import frame, ids
from dashboard.shell.auth import requires
from dashboard.shell.components import extra, number_text, render_empty, render_facts, render_raw
from dashboard.shell.frame import View
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import day_and_clock
from dashboard.shell.minute_bars import hour_bars
from dashboard.shell.parts import parts
from dashboard.shell.raw_text import DUMPED_BYTES, Readable, hex_dump, readable
from dashboard.shell.theme import PALETTES
from db import rejects
from db.pool import transaction
from db.reject_counts import RejectCount
from db.rejects import StoredReject, Which

# Groups and messages shown at once; the rest is reached by choosing a group, or through the API.
GROUPS, MESSAGES = 100, 50
# Characters of a decode result on the screen.
DECODED_SHOWN = 20_000


def layout(view: View) -> Component:
    """Groups on top; the messages of the chosen one and the chosen message below."""
    t = view.t
    return frame.render_page(
        view,
        "quarantine",
        [
            frame.render_header(view, "quarantine"),
            html.Main(
                [
                    frame.render_title(
                        t,
                        "quarantine",
                        dmc.SegmentedControl(
                            id=ids.QUARANTINE_BY,
                            value="device",
                            data=[
                                {"value": name, "label": t(f"quarantine.by_{name}")}
                                for name in GROUPINGS
                            ],
                        ),
                    ),
                    html.Section(id=ids.QUARANTINE_GAS, className="gw-refused-gas", hidden=True),
                    html.Div(id=ids.QUARANTINE_GROUPS),
                    html.Div(
                        [
                            html.Section(id=ids.QUARANTINE_LIST, className="gw-panel"),
                            html.Section(id=ids.QUARANTINE_DETAIL, className="gw-panel"),
                        ],
                        className="gw-messages",
                    ),
                ],
                id="main",
                className="gw-board gw-can-age",
            ),
            dcc.Store(id=ids.QUARANTINE_TICK),
            dcc.Store(id=ids.QUARANTINE_GROUP),
            dcc.Store(id=ids.QUARANTINE_SELECTED),
        ],
        "gw-board-screen",
    )


def reason_word(t: Texts, reason: str) -> str:
    return t.word("refused", reason)


def register_link(t: Texts, format_: str, device: str, reason: str) -> list[Component]:
    """The way to register a device that nobody knows."""
    if reason != REASON_DEVICE_UNKNOWN or not device:
        return []
    identity = f"{format_}/{device}"
    return [
        html.A(
            t("quarantine.register"),
            href=f"/devices?discovered={quote(identity, safe='/')}",
            className="gw-button",
        )
    ]


def render_groups(view: View, groups: Sequence[RejectCount]) -> Component:
    """A row a group: choose it, replay it, register its device."""
    t = view.t
    if not groups:
        return html.Section(render_empty(t("quarantine.empty")), className="gw-panel")
    names = ("reason", "device", "feed", "waiting", "counted", "trend", "newest", "act")
    head = [html.Th(t(f"quarantine.col_{name}"), scope="col") for name in names]
    return html.Section(
        [
            html.Div(
                html.Table(
                    [
                        html.Thead(html.Tr(head)),
                        html.Tbody([render_group(view, group) for group in groups]),
                    ],
                    className="gw-groups",
                ),
                className="gw-table-scroll",
                tabIndex="0",
                role="region",
                **extra({"aria-label": t("quarantine.title")}),
            ),
            html.P(t("quarantine.groups_note"), className="gw-panel-note"),
        ],
        className="gw-panel",
    )


def render_group(view: View, group: RejectCount) -> Component:
    t = view.t
    marks = {
        "data-format": group.format,
        "data-reason": group.reason,
        # A group over all devices has no device to filter by.
        **({"data-device": group.device} if group.device else {}),
    }
    choose = html.Button(
        reason_word(t, group.reason), type="button", className="gw-link-button",
        **extra({"data-choose": "yes", **marks}),
    )  # fmt: skip
    chart = html.Img(
        src=hour_bars(group.hours, PALETTES[view.theme]),
        alt=t("quarantine.trend_alt", n=number_text(sum(group.hours))),
        className="gw-bars",
    )
    cells: dict[str, Any] = {
        "device": device_text(t, group),
        "feed": feed_name(t, group.format),
        "waiting": html.B(number_text(group.waiting)),
        "counted": number_text(group.counted) if group.counted else "0",
        "trend": chart,
        "newest": day_and_clock(group.newest_at),
        "act": html.Div(
            [
                *render_replay_all(t, group, marks),
                *register_link(t, group.format, group.device, group.reason),
            ],
            className="gw-row-buttons",
        ),
    }
    return html.Tr(
        [
            html.Th([choose, html.Small(group.reason)], scope="row"),
            *(
                html.Td(cell, **extra({"data-label": t(f"quarantine.col_{name}")}))
                for name, cell in cells.items()
            ),
        ]
    )


def device_text(t: Texts, group: RejectCount) -> Component:
    if group.device:
        return html.Span(group.device, className="gw-code", title=group.device)
    return html.Span(
        t("quarantine.devices", n=number_text(group.devices))
        if group.devices
        else t("quarantine.no_device")
    )


def render_replay_all(t: Texts, group: RejectCount, marks: Mapping[str, str]) -> list[Component]:
    if not group.replayable:
        return []
    return [
        html.Button(
            t("quarantine.replay_all", n=number_text(group.replayable)), type="button",
            className="gw-button", **extra({"data-replay-group": "yes", **marks}),
        )
    ]  # fmt: skip


def render_list(t: Texts, which: Which, rows: Sequence[StoredReject]) -> list[Component]:
    """The newest messages of the chosen group; without one, of all."""
    parts_ = [
        reason_word(t, which.reason) if which.reason else "",
        which.device or "",
        feed_name(t, which.format) if which.format else "",
    ]
    chosen = " · ".join(part for part in parts_ if part)
    head: list[Component] = [html.H3(chosen or t("quarantine.newest_of_all"))]
    if chosen:
        head.append(
            html.Button(
                t("quarantine.show_all"), type="button", className="gw-quiet-button",
                **extra({"data-choose": "yes"}),
            )
        )  # fmt: skip
    body: Component = (
        html.Ul([render_message(t, row) for row in rows[:MESSAGES]], className="gw-refused")
        if rows
        else render_empty(t("quarantine.nothing_here"))
    )
    more = [html.P(t("quarantine.more"), className="gw-panel-note")] if len(rows) > MESSAGES else []
    return [html.Div(head, className="gw-panel-head"), body, *more]


def render_message(t: Texts, row: StoredReject) -> Component:
    return html.Li(
        html.Button(
            [
                html.Time(day_and_clock(row.received_at)),
                html.B(row.device or t("quarantine.no_device")),
                html.Span(f"{reason_word(t, row.reason)} · {row.detail}"),
            ],
            type="button",
            **extra({"data-reject": str(row.id)}),
        )
    )


def render_detail(t: Texts, row: StoredReject, today: Today) -> list[Component]:
    """One message: why it was refused, what it would come to now, and its bytes."""
    raw = bytes(row.raw)
    shown = readable(raw)
    return [
        html.Div(
            [
                html.H3(t("quarantine.message", id=row.id)),
                html.Div(
                    [
                        *render_replay(t, row),
                        *register_link(t, row.format, row.device, row.reason),
                    ],
                    className="gw-row-buttons",
                ),
            ],
            className="gw-panel-head",
        ),
        render_verdict(t, row, today),
        render_facts(
            [
                (t("quarantine.col_reason"), f"{reason_word(t, row.reason)} ({row.reason})"),
                (t("quarantine.detail"), row.detail),
                (t("quarantine.col_device"), row.device),
                (t("quarantine.col_feed"), feed_name(t, row.format)),
                (t("quarantine.topic"), row.topic),
                (t("quarantine.received"), day_and_clock(row.received_at)),
                (t("quarantine.size"), size_words(t, row)),
                (t("quarantine.hint"), t.entries.get(f"refused.{row.reason}_do", "")),
            ]
        ),
        html.H4(t("quarantine.raw", kind=t(f"quarantine.kind_{shown.kind}"))),
        *render_raw(raw, shown, "gw-raw"),
        *([] if shown.kind in ("bytes", "empty") else [render_dump(t, raw)]),
        html.Details(
            [
                html.Summary(t("quarantine.decoded")),
                html.Pre(decoded_text(today.decoded), className="gw-raw", tabIndex="0"),
            ],
            className="gw-explained",
        ),
    ]


def render_dump(t: Texts, raw: bytes) -> Component:
    return html.Details(
        [
            html.Summary(t("quarantine.dump", n=min(len(raw), DUMPED_BYTES))),
            *render_raw(raw, Readable("bytes", hex_dump(raw)), "gw-raw"),
        ],
        className="gw-explained",
    )


def render_replay(t: Texts, row: StoredReject) -> list[Component]:
    if row.replayed_at is not None or not row.is_complete:
        return []
    return [
        html.Button(
            t("quarantine.replay"), type="button", className="gw-button primary",
            **extra({"data-replay-reject": str(row.id)}),
        )
    ]  # fmt: skip


def render_verdict(t: Texts, row: StoredReject, today: Today) -> Component:
    """What would become of the message if it came now."""
    if row.replayed_at is not None:
        text = t("quarantine.was_replayed", time=day_and_clock(row.replayed_at))
    elif not row.is_complete:
        text = t("quarantine.was_cut")
    elif not today.refusals:
        text = t("quarantine.would_store")
    else:
        reason, detail = today.refusals[0]
        text = t("quarantine.would_refuse", reason=reason_word(t, reason), detail=detail)
    return html.P(text, className="gw-now")


def size_words(t: Texts, row: StoredReject) -> str:
    whole = size_text(row.raw_size)
    if row.is_complete:
        return whole
    return t("quarantine.size_cut", kept=size_text(len(row.raw)), size=whole)


def decoded_text(decoded: Mapping[str, Any]) -> str:
    text = json.dumps(decoded, ensure_ascii=False, indent=2, default=str)
    return text if len(text) <= DECODED_SHOWN else text[:DECODED_SHOWN] + "\n…"


def chosen_group(value: Any) -> Which:
    """What the browser's store holds, or everything if that makes no sense."""
    if not isinstance(value, dict):
        return Which()
    texts = {
        name: value[name]
        for name in ("format", "device", "reason")
        if isinstance(value.get(name), str) and "\0" not in value[name]
    }
    return Which(**texts)


def chosen_id(value: Any) -> int | None:
    """The id of a message, if it can be one."""
    is_id = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= BIGINT_MAX
    return value if is_id else None


def register(app: Dash) -> None:
    """Callbacks of the quarantine."""

    @app.callback(
        Output(ids.QUARANTINE_GROUPS, "children"),
        Input(ids.QUARANTINE_BY, "value"),
        Input(ids.QUARANTINE_TICK, "data"),
    )
    @requires(*MAY_SEE_REJECTS)
    def show_groups(by: str, _: Any) -> Component:
        groups = quarantine.list_groups(
            datetime.now(UTC), Which(), by_device=by == "device", limit=GROUPS
        )
        return render_groups(frame.request_view(), groups)

    @app.callback(
        Output(ids.QUARANTINE_LIST, "children"),
        Input(ids.QUARANTINE_GROUP, "data"),
        Input(ids.QUARANTINE_TICK, "data"),
    )
    @requires(*MAY_SEE_REJECTS)
    def show_list(group: Any, _: Any) -> list[Component]:
        which = chosen_group(group)
        with transaction(parts().pool) as conn:
            rows = rejects.list_rejects(conn, which, limit=MESSAGES + 1)
        return render_list(frame.request_view().t, which, rows)

    @app.callback(
        Output(ids.QUARANTINE_DETAIL, "children"),
        Input(ids.QUARANTINE_SELECTED, "data"),
        Input(ids.QUARANTINE_TICK, "data"),
    )
    @requires(*MAY_SEE_REJECTS)
    def show_detail(selected: Any, _: Any) -> list[Component]:
        t = frame.request_view().t
        reject_id = chosen_id(selected)
        if reject_id is None:
            return [render_empty(t("quarantine.choose"))]
        with transaction(parts().pool) as conn:
            row = rejects.find_reject(conn, reject_id)
            if row is None:
                return [render_empty(t("quarantine.gone"))]
            return render_detail(t, row, quarantine.today(conn, row, datetime.now(UTC)))
