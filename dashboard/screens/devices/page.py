"""The device registry: search, strangers that wait, devices out of service, import of files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, ctx, dcc, html
from dash.development.base_component import Component

from city.person import Caller
from dashboard.screens.devices import load as registry
from dashboard.screens.devices.trust import value_note
from dashboard.screens.operations.gateways_load import gateway_of
from dashboard.shell import frame, ids
from dashboard.shell.auth import current_caller, require_role
from dashboard.shell.components import extra, render_empty, render_raw, render_severity, value_text
from dashboard.shell.frame import View
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import day_and_clock, duration, local
from dashboard.shell.parts import parts
from dashboard.shell.raw_text import readable
from db.discovery import DiscoveredCounts, DiscoveredDevice
from db.inhibitions import ListedInhibition
from db.pool import transaction
from db.registry_pages import STATES, OutOfService, RegistryCounts, RegistryRow, RegistrySearch

TABS = ("registry", "waiting", "out", "import")
# Values and ages on the page are read again this often.
REFRESH_MS = 30_000


def layout(view: View) -> Component:
    """Tabs, and below them what each one holds."""
    t, names = view.t, tabs_of(view.caller)
    return frame.render_page(
        view,
        "devices",
        [
            frame.render_header(view, "devices"),
            html.Main(
                [
                    html.H2(t("devices.title")),
                    html.Div(
                        [
                            *(render_tab(t, name, name == TABS[0]) for name in names),
                            *(
                                html.Span(id=f"{ids.DEVICES_COUNT}-{name}", hidden=True)
                                for name in TABS[:3]
                                if name not in names
                            ),
                        ],
                        className="gw-tabs",
                        role="tablist",
                        **extra({"aria-label": t("devices.title")}),
                    ),
                    render_registry_panel(t),
                    *([render_waiting_panel(t)] if "waiting" in names else []),
                    render_panel("out", [html.Div(id=ids.DEVICES_OUT)]),
                    render_panel("import", [html.Div(id=ids.DEVICES_IMPORT)]),
                    dcc.Store(id=ids.DEVICES_TICK),
                    dcc.Interval(id=ids.DEVICES_REFRESH, interval=REFRESH_MS),
                ],
                id="main",
                className="gw-devices-page gw-can-age",
                **extra({"data-words": json.dumps(words())}),
            ),
        ],
        "gw-devices-screen",
    )


def tabs_of(caller: Caller) -> list[str]:
    """Strangers stand nowhere yet: they are for people of the whole district."""
    names = [name for name in TABS if name != "waiting" or caller.within is None]
    return names if may_change_registry(caller) else [n for n in names if n != "import"]


def may_change_registry(caller: Caller) -> bool:
    return caller.role in registry.CHANGERS and caller.within is None


def words() -> dict[str, Any]:
    """What the forms let a person choose."""
    with transaction(parts().pool) as conn:
        found = parts().ports.registry.registry_words(conn)
    return {
        "kinds": list(found.kinds), "models": list(found.models),
        "formats": list(found.formats), "gases": list(found.gases),
    }  # fmt: skip


def render_tab(t: Texts, name: str, chosen: bool) -> Component:
    return html.Button(
        [t(f"devices.tab_{name}"), html.Span(id=f"{ids.DEVICES_COUNT}-{name}")],
        type="button",
        role="tab",
        **extra({"data-device-tab": name, "aria-selected": "true" if chosen else "false"}),
    )


def render_panel(name: str, children: Sequence[Component]) -> Component:
    return html.Section(
        children,
        role="tabpanel",
        className="gw-devices-panel",
        hidden=name != TABS[0],
        **extra({"data-device-panel": name}),
    )


def render_registry_panel(t: Texts) -> Component:
    """Search, table, pages."""
    kinds = [{"value": k, "label": t(f"kind.{k}")} for k in words()["kinds"]]
    states = [{"value": s, "label": t(f"devices.state_{s}")} for s in STATES]
    return render_panel(
        "registry",
        [
            html.Div(
                [
                    dmc.TextInput(
                        id=ids.DEVICES_SEARCH,
                        value="",
                        debounce=400,
                        placeholder=t("devices.search"),
                        className="gw-devices-search",
                        **extra({"aria-label": t("devices.search")}),
                    ),
                    render_select(t("devices.every_kind"), ids.DEVICES_KIND, kinds),
                    render_select(t("devices.every_state"), ids.DEVICES_STATE, states),
                    html.Span(id=ids.DEVICES_TOTAL, className="gw-devices-total", role="status"),
                ],
                className="gw-devices-choices",
            ),
            html.Div(id=ids.DEVICES_TABLE),
            dmc.Pagination(
                id=ids.DEVICES_PAGE,
                total=1,
                value=1,
                siblings=1,
                hideWithOnePage=True,
                className="gw-devices-pages",
            ),
        ],
    )


def render_select(label: str, name: str, data: list[dict[str, str]]) -> Component:
    return dmc.Select(
        id=name, data=data, placeholder=label, clearable=True, **extra({"aria-label": label})
    )


def render_waiting_panel(t: Texts) -> Component:
    """Strangers that wait, or those that were ignored."""
    return render_panel(
        "waiting",
        [
            html.Div(
                [
                    dmc.SegmentedControl(
                        id=ids.DEVICES_STRANGERS,
                        value="waiting",
                        data=[
                            {"value": name, "label": t(f"devices.strangers_{name}")}
                            for name in ("waiting", "ignored")
                        ],
                    ),
                    html.P(t("devices.waiting_note"), className="gw-devices-note"),
                ],
                className="gw-devices-choices",
            ),
            html.Div(id=ids.DEVICES_WAITING),
        ],
    )


# Registry


def render_table(
    t: Texts,
    rows: Sequence[RegistryRow],
    now: datetime,
    *,
    may_change: bool,
    explained: Mapping[str, ListedInhibition] | None = None,
) -> Component:
    """One page of the registry."""
    if not rows:
        return render_empty(t("devices.empty"))
    behind = explained or {}
    names = ("device", "state", "latest", "place", "hardware")
    head = [html.Th(t(f"devices.column_{name}"), scope="col") for name in names]
    return html.Table(
        [
            html.Thead(html.Tr([*head, html.Th(t("devices.column_steps"), scope="col")])),
            html.Tbody(
                [
                    render_row(t, row, now, may_change=may_change, behind=behind.get(row.code))
                    for row in rows
                ]
            ),
        ],
        className="gw-devices-table",
    )


def render_row(
    t: Texts,
    row: RegistryRow,
    now: datetime,
    *,
    may_change: bool,
    behind: ListedInhibition | None = None,
) -> Component:
    """One device: who, how it is, what it measured last, where it stands, what it is."""
    return html.Tr(
        [
            html.Th(
                [
                    html.B(row.code),
                    html.Small([html.Span(t.word("kind", row.kind)), " · ", row.name]),
                ],
                scope="row",
            ),
            cell(t, "state", [*render_state(t, row, now), *render_behind(t, behind)]),
            cell(t, "latest", render_latest(t, row, now)),
            cell(
                t,
                "place",
                [html.Span(place_text(row)), html.Small(f"{row.lon:.6f}, {row.lat:.6f}")],
            ),
            cell(
                t,
                "hardware",
                [
                    html.Span(row.model or t("devices.no_model")),
                    html.Small(f"{row.format} · {row.external_id or row.code}"),
                ],
            ),
            cell(t, "steps", render_steps(t, row, may_change=may_change), "gw-devices-steps"),
        ],
        **extra(device_marks(row.code, row.version, row.name)),
    )


def device_marks(code: str, version: int, name: str) -> dict[str, str]:
    """What the browser's script needs to know of the row a button stands in."""
    return {"data-device": code, "data-version": str(version), "data-name": name}


def cell(t: Texts, name: str, content: Any, class_name: str = "") -> Component:
    """On a phone every value carries its label, since there is no head above it."""
    return html.Td(
        content, className=class_name, **extra({"data-label": t(f"devices.column_{name}")})
    )


def place_text(row: RegistryRow | OutOfService) -> str:
    return " · ".join(part for part in (row.street, row.community) if part) or "—"


def render_state(t: Texts, row: RegistryRow, now: datetime) -> list[Component]:
    """The state in a word; the severity of an alarm; the day an absent device is due back."""
    marks = [render_severity(t, row.severity)] if row.severity and row.state == "alarm" else []
    word = html.Span(
        t(f"devices.state_{row.state}"),
        className="gw-devices-state",
        **extra({"data-state": row.state}),
    )
    shown: list[Component] = [html.Span([*marks, word], className="gw-devices-state-line")]
    if row.out_of_service_since is not None and row.return_due_at is not None:
        shown.append(render_due(t, row.return_due_at, now))
    return shown


def render_behind(t: Texts, behind: ListedInhibition | None) -> list[Component]:
    """The gateway whose silence explains that of the device."""
    if behind is None:
        return []
    gateway = t("devices.behind_short", gateway=gateway_of(behind.by_condition))
    since = t("devices.behind_since", at=f"{local(behind.since):%m-%d %H:%M}")
    return [
        html.Small(
            [html.A(gateway, href="/operations#gateways"), " ", html.Span(since)],
            className="gw-devices-behind",
        )
    ]


def render_due(t: Texts, due: datetime, now: datetime) -> Component:
    """When it should be back; an overdue return stands out without a colour of its own."""
    if due > now:
        return html.Small(t("devices.due", at=f"{local(due):%Y-%m-%d %H:%M}"))
    late = duration(t, (now - due).total_seconds())
    return html.Small(t("devices.overdue", age=late), className="gw-devices-overdue")


def render_latest(t: Texts, row: RegistryRow, now: datetime) -> list[Component]:
    """The newest value with its age, and how far it may be trusted."""
    if row.metric is None or row.ts is None:
        return [html.Span(t("devices.never_measured"), className="gw-devices-none")]
    age_s = (now - row.ts).total_seconds()
    note = value_note(t, row.quality or 0, age_s, row.report_interval_s, row.faults)
    words = f"{t.word('metric', row.metric)} · {note}"
    return [html.Span(value_text(t, row.metric, row.value)), html.Small(words)]


def render_steps(t: Texts, row: RegistryRow, *, may_change: bool) -> list[Component]:
    history = step_button(t, "history")
    if not may_change:
        return [history]
    away = row.out_of_service_since is not None
    first = (
        [step_button(t, "return"), step_button(t, "extend")] if away else [step_button(t, "out")]
    )
    more = {"data-format": row.format, "data-model": row.model, "data-kind": row.kind}
    return [*first, step_button(t, "replace", more), history]


def step_button(t: Texts, step: str, more: Mapping[str, str] | None = None) -> Component:
    """A press is answered by the browser's script: it asks for what is missing and sends it."""
    return html.Button(
        t(f"devices.step_{step}"),
        type="button",
        className="gw-button",
        **extra({"data-device-step": step, **(more or {})}),
    )


# Strangers


def render_strangers(
    t: Texts, found: Sequence[DiscoveredDevice], now: datetime, *, may_change: bool, state: str
) -> Component:
    """Who reports without being registered, with the newest message in readable form."""
    if not found:
        return render_empty(t(f"devices.empty_{state}"))
    return html.Ul(
        [render_stranger(t, row, now, may_change=may_change) for row in found],
        className="gw-strangers",
    )


def render_stranger(
    t: Texts, row: DiscoveredDevice, now: datetime, *, may_change: bool
) -> Component:
    """One identity: what is known of it, its newest message, and what may be done."""
    seen = t("time.ago", age=duration(t, (now - row.last_seen).total_seconds()))
    facts = [
        (t("devices.format"), row.format),
        (t("devices.kind_guess"), t.word("kind", row.kind) or t("devices.no_guess")),
        (t("devices.messages"), f"{row.messages:,}"),
        (t("devices.first_seen"), day_and_clock(row.first_seen)),
        (t("devices.last_seen"), f"{day_and_clock(row.last_seen)} ({seen})"),
    ]
    buttons = ["approve"] if row.state == "ignored" else ["approve", "ignore"]
    return html.Li(
        [
            html.Div(
                [
                    html.H3(row.identity),
                    html.Dl([html.Div([html.Dt(name), html.Dd(text)]) for name, text in facts]),
                    html.Div(
                        [step_button(t, name) for name in buttons] if may_change else [],
                        className="gw-actions",
                    ),
                ],
                className="gw-stranger-facts",
            ),
            html.Div(
                [
                    html.P(row.last_topic, className="gw-stranger-topic"),
                    *render_raw(shown_bytes(row), readable(shown_bytes(row))),
                    *render_cut(t, row),
                ],
                className="gw-stranger-message",
            ),
        ],
        **extra(
            {
                "data-discovered": str(row.id),
                "data-identity": row.identity,
                "data-format": row.format,
                "data-kind": row.kind,
            }
        ),
    )


def render_cut(t: Texts, row: DiscoveredDevice) -> list[Component]:
    if row.payload_size <= len(row.last_payload):
        return []
    return [html.Small(t("devices.cut", shown=len(row.last_payload), size=row.payload_size))]


def shown_bytes(row: DiscoveredDevice) -> bytes:
    """The newest message; a text that was cut inside its last character is text all the same."""
    kept = row.last_payload
    if row.payload_size <= len(kept):
        return kept
    for missing in range(min(4, len(kept))):
        try:
            kept[: len(kept) - missing].decode()
        except UnicodeDecodeError:
            continue
        return kept[: len(kept) - missing]
    return kept


# Out of service


def render_out(
    t: Texts, rows: Sequence[OutOfService], now: datetime, *, may_change: bool
) -> Component:
    """The register: what is overdue stands on top."""
    if not rows:
        return render_empty(t("devices.empty_out"))
    names = ("device", "since", "reason", "by", "due", "place")
    head = [html.Th(t(f"devices.column_{name}"), scope="col") for name in names]
    return html.Table(
        [
            html.Thead(html.Tr([*head, html.Th(t("devices.column_steps"), scope="col")])),
            html.Tbody([render_out_row(t, row, now, may_change=may_change) for row in rows]),
        ],
        className="gw-devices-table",
    )


def render_out_row(t: Texts, row: OutOfService, now: datetime, *, may_change: bool) -> Component:
    steps = [step_button(t, "return"), step_button(t, "extend")] if may_change else []
    due: Any = t("devices.no_due")
    if row.due is not None:
        due = [html.Span(f"{local(row.due):%Y-%m-%d %H:%M}")]
        due += [render_due(t, row.due, now)] if row.due <= now else []
    return html.Tr(
        [
            html.Th(
                [
                    html.B(row.code),
                    html.Small([html.Span(t.word("kind", row.kind)), " · ", row.name]),
                ],
                scope="row",
            ),
            cell(t, "since", f"{local(row.since):%Y-%m-%d %H:%M}"),
            cell(t, "reason", row.reason or "—"),
            cell(t, "by", row.by or "—"),
            cell(t, "due", due),
            cell(t, "place", place_text(row)),
            cell(t, "steps", steps, "gw-devices-steps"),
        ],
        **extra(device_marks(row.code, row.version, row.name)),
    )


def count_texts(t: Texts, known: RegistryCounts, unknown: DiscoveredCounts) -> list[str]:
    """What stands on the tabs: registry, waiting, out of service."""
    out = str(known.out) if known.out else ""
    if known.overdue:
        out = t("devices.out_count", out=known.out, overdue=known.overdue)
    return [f"{known.devices:,}", str(unknown.waiting) if unknown.waiting else "", out]


def register(app: Dash) -> None:
    """Callbacks of the page; each checks again who asks."""
    again = (Input(ids.DEVICES_TICK, "data"), Input(ids.DEVICES_REFRESH, "n_intervals"))

    @app.callback(
        Output(ids.DEVICES_TABLE, "children"),
        Output(ids.DEVICES_TOTAL, "children"),
        Output(ids.DEVICES_PAGE, "total"),
        Output(ids.DEVICES_PAGE, "value"),
        Input(ids.DEVICES_SEARCH, "value"),
        Input(ids.DEVICES_KIND, "value"),
        Input(ids.DEVICES_STATE, "value"),
        Input(ids.DEVICES_PAGE, "value"),
        *again,
    )
    def show_table(
        text: str | None, kind: str | None, state: str | None, page: int | None, *_: Any
    ) -> tuple[Component, str, int, int]:
        view, may_change = asked()
        now = datetime.now(UTC)
        same = ctx.triggered_id in (ids.DEVICES_PAGE, ids.DEVICES_TICK, ids.DEVICES_REFRESH)
        number = max(0, (page or 1) - 1) if same else 0
        search = RegistrySearch((text or "").strip(), kind or "", state or "")
        rows, shown = registry.registry_page(view.caller, search, number, now)
        total = rows[0].total if rows else 0
        first = shown * registry.PAGE_SIZE
        label = ""
        if rows:
            label = view.t(
                "devices.total", first=first + 1, last=first + len(rows), total=f"{total:,}"
            )
        behind = registry.explained(view.caller, rows)
        table = render_table(view.t, rows, now, may_change=may_change, explained=behind)
        return table, label, max(1, -(-total // registry.PAGE_SIZE)), shown + 1

    @app.callback(
        Output(ids.DEVICES_WAITING, "children"), Input(ids.DEVICES_STRANGERS, "value"), *again
    )
    def show_strangers(state: str, *_: Any) -> Component:
        view, may_change = asked()
        state = "ignored" if state == "ignored" else "waiting"
        found = registry.strangers(state)
        now = datetime.now(UTC)
        return render_strangers(view.t, found, now, may_change=may_change, state=state)

    @app.callback(Output(ids.DEVICES_OUT, "children"), *again)
    def show_out(*_: Any) -> Component:
        view, may_change = asked()
        rows = registry.out_of_service(view.caller)
        return render_out(view.t, rows, datetime.now(UTC), may_change=may_change)

    @app.callback(*(Output(f"{ids.DEVICES_COUNT}-{name}", "children") for name in TABS[:3]), *again)
    def show_counts(*_: Any) -> list[str]:
        view, _may_change = asked()
        found = count_texts(view.t, *registry.counts(view.caller, datetime.now(UTC)))
        shown = tabs_of(view.caller)
        return [text if n in shown else "" for n, text in zip(TABS[:3], found, strict=True)]


def asked() -> tuple[View, bool]:
    """For whom the page is drawn, and whether they may change the registry."""
    caller = current_caller()
    require_role(caller, registry.READERS)
    return frame.request_view(), may_change_registry(caller)
