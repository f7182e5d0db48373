"""The console: queue, map, the chosen incident with everything that may be done to it."""

from __future__ import annotations

from typing import Any

import dash_ag_grid as dag
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from city.errors import Forbidden, NotFound
from city.incident import Role
from city.person import ADMINISTRATORS
from dashboard.api import intake, reports
from dashboard.screens.alarms import page as alarms
from dashboard.screens.console import load, video
from dashboard.screens.detail.load import incident as read_incident
from dashboard.screens.detail.load import recommendations
from dashboard.screens.detail.page import can_dispatch, render_detail
from dashboard.screens.intake.page import REPORTERS
from dashboard.shell import frame, ids, theme
from dashboard.shell.components import extra, render_empty
from dashboard.shell.frame import View
from dashboard.shell.i18n import Texts

FILTERS = ("all", "to_file", "to_dispatch", "in_hand", "to_check", "gas_release", "overdue")
FIRST_FILTER = {Role.CHECKER: "to_check", Role.GAS_ENGINEER: "gas_release"}
FAMILIES = ("gas", "manhole", "light", "drainage", "street", "waste", "parking", "other")
# Photos a role may add from here; the server decides again.
PHOTOS_OF_ROLE: dict[Role, tuple[str, ...]] = {
    Role.ADMIN: ("photo_before", "photo_after"),
    Role.DISPATCHER: ("photo_before", "photo_after"),
    Role.CHECKER: ("check_photo",),
}
UNASSIGNED = {"gw-wanted": "!params.data.squad"}


def layout(view: View) -> Component:
    """Skeleton of the console; rows and map come from the live picture."""
    return frame.render_page(
        view,
        "console",
        [
            frame.render_header(view, "console", *render_tools(view)),
            html.Main(
                [render_left(view), render_middle(view), render_right(view.t)],
                id="main",
                className="gw-console-body gw-can-age",
            ),
            dcc.Store(id=ids.SELECTED),
            dcc.Store(id=ids.VIDEO_TICK),
        ],
        "gw-console gw-fixed",
    )


def render_tools(view: View) -> list[Component]:
    """What an administrator has still to do; report a matter; help with the keys."""
    t = view.t
    tools = [
        render_owed(view.caller.role),
        key_button(t("report.button"), "r", "report"),
        alarms.render_silence(t),
    ]
    if view.caller.role not in REPORTERS:
        tools = [alarms.render_silence(t)]
    if view.caller.role in ADMINISTRATORS:
        tools = [*render_nudges(view), *tools]
    return [*tools, key_button(t("keys.button"), "?", "keys")]


def render_owed(role: Role) -> Component:
    """How many callers wait for an answer, and reports for somebody's look; the browser writes.
    `data-may` says what it may ask for."""
    may = {"reports": reports.READERS, "collectors": intake.TASK_READERS}
    allowed = " ".join(what for what, roles in may.items() if role in roles)
    return html.A(
        id=ids.INTAKE_OWED,
        href="/intake",
        hidden=True,
        className="gw-quiet-button gw-owed",
        **extra({"data-may": allowed}),
    )


def render_nudges(view: View) -> list[Component]:
    """They stand until what they ask for is done, or the tour was put away."""
    t, nudges = view.t, []
    if load.lacks_second_factor(view.caller):
        nudges.append(("/second-factor?next=/console", t("second_factor.missing")))
    if steps := load.open_steps(view.caller):
        nudges.append(("/welcome", t("tour.open", n=steps)))
    return [html.A(text, href=link, className="gw-nudge") for link, text in nudges]


def key_button(label: str, key: str, command: str) -> Component:
    return html.Button(
        [label, html.Kbd(key.upper())],
        type="button",
        className="gw-quiet-button",
        **extra({"data-command": command, "data-key": key, "aria-keyshortcuts": key}),
    )


def render_left(view: View) -> Component:
    """Two lists in one place: incidents, and video events that wait for a person."""
    t = view.t
    return html.Section(
        [
            html.Section(id=ids.CONSOLE_FLOOD, className="gw-flood", hidden=True),
            html.Div(
                [
                    tab(t("queue.title"), ids.QUEUE_COUNT, "queue", True),
                    tab(t("video.title"), ids.VIDEO_COUNT, "video", False),
                ],
                className="gw-tabs",
                role="tablist",
            ),
            html.Div(
                [render_filters(view), render_grid(view)],
                className="gw-tab-body",
                **extra({"data-panel": "queue"}),
                **frame.aging("incidents"),
            ),
            html.Div(
                html.Div(id=ids.VIDEO_LIST, className="gw-scroll"),
                className="gw-tab-body",
                hidden=True,
                **extra({"data-panel": "video"}),
            ),
        ],
        className="gw-console-left",
    )


def tab(label: str, count_id: str, name: str, chosen: bool) -> Component:
    return html.Button(
        [label, html.Span(id=count_id)],
        type="button",
        role="tab",
        **extra({"data-tab": name, "aria-selected": "true" if chosen else "false"}),
    )


def render_filters(view: View) -> Component:
    """Which incidents the queue shows."""
    t, chosen = view.t, FIRST_FILTER.get(view.caller.role, "all")
    return html.Div(
        [
            html.Div(
                [
                    html.Button(
                        [t(f"filter.{name}"), html.Span(className="gw-chip-count")],
                        type="button",
                        **extra(
                            {
                                "data-filter": name,
                                "aria-pressed": "true" if name == chosen else "false",
                            }
                        ),
                    )
                    for name in FILTERS
                ],
                id=ids.QUEUE_FILTER,
                className="gw-chips",
                role="group",
                **extra({"aria-label": t("filter.label")}),
            ),
            html.Div(
                [
                    dcc.Input(
                        id=ids.QUEUE_SEARCH,
                        type="search",
                        placeholder=t("queue.search"),
                        className="gw-input",
                        debounce=False,
                    ),
                    html.Select(
                        [
                            html.Option(t("filter.every_family"), value=""),
                            *(html.Option(t(f"family.{name}"), value=name) for name in FAMILIES),
                        ],
                        id=ids.QUEUE_FAMILY,
                        className="gw-input",
                        **extra({"aria-label": t("filter.family")}),
                    ),
                ],
                className="gw-filter-line",
            ),
        ],
        className="gw-filters",
    )


def render_grid(view: View) -> Component:
    """The queue. Rows are written through the grid's own API: the `rowTransaction` property
    loses all but the last of several updates in one burst."""
    t = view.t
    text = {"filter": "agTextColumnFilter"}
    mark = {"filter": False, "cellClass": "gw-cell-mark", "sort": "asc"}
    columns: list[dict[str, Any]] = [
        column(t, "severity", 0.65, 48, cellRenderer="GwSeverity", sortIndex=0, **mark),
        column(t, "title", 2.4, 100, tooltipField="title", **text),
        column(t, "place", 1.5, 60, tooltipField="place", **text),
        column(t, "stateName", 1.0, 60, **text),
        column(t, "squadName", 1.2, 70, cellClassRules=UNASSIGNED, **text),
        column(t, "dueSort", 1.55, 92, cellRenderer="GwDue", sortIndex=1, **mark),
    ]
    return dag.AgGrid(
        id=ids.QUEUE,
        rowData=[],
        columnDefs=columns,
        defaultColDef={"resizable": True, "sortable": True, "suppressHeaderMenuButton": True},
        getRowId="params.data.id",
        dashGridOptions={
            "theme": theme.grid_theme(view.theme),
            "animateRows": False,
            "asyncTransactionWaitMillis": 200,
            "rowSelection": {
                "mode": "singleRow", "checkboxes": False, "enableClickSelection": True,
            },
            "suppressCellFocus": False,
            "tooltipShowDelay": 600,
            "localeText": grid_texts(t),
        },
        className="gw-grid",
        style={"height": "100%"},
    )  # fmt: skip


def column(t: Texts, field: str, share: float, least_px: int, **more: Any) -> dict[str, Any]:
    """One column; widths are shares, so that they grow with the screen."""
    name = t(f"column.{field}")
    return {"field": field, "headerName": name, "flex": share, "minWidth": least_px, **more}


def grid_texts(t: Texts) -> dict[str, str]:
    """The grid's own words, from the catalogue."""
    return {
        key.removeprefix("grid."): text
        for key, text in t.entries.items()
        if key.startswith("grid.")
    }


def render_middle(view: View) -> Component:
    return html.Section(
        [
            html.Div(id=ids.WALL_CRITICAL, className="gw-critical", role="alert", hidden=True),
            html.Div(
                frame.render_map(view, zoom_buttons=True),
                className="gw-map",
                **frame.aging("readings", "alarms"),
            ),
            frame.render_legend(view.t),
        ],
        className="gw-console-map",
    )


def render_right(t: Texts) -> Component:
    return html.Aside(
        html.Div(render_empty(t("detail.choose")), id=ids.DETAIL),
        className="gw-console-right",
        tabIndex="-1",
        **extra({"aria-label": t("detail.label")}),
    )


def register(app: Dash) -> None:
    """Callbacks of the console."""

    @app.callback(
        Output(ids.DETAIL, "children"), Input(ids.SELECTED, "data"), prevent_initial_call=True
    )
    def show_incident(selected: dict[str, Any] | None) -> Component:
        return read_detail(frame.request_view(), selected)

    @app.callback(Output(ids.VIDEO_LIST, "children"), Input(ids.VIDEO_TICK, "data"))
    def show_video(_tick: Any) -> Component:
        view = frame.request_view()
        return video.render_pending(view.t, load.pending_video(view.caller))


def read_detail(view: View, selected: dict[str, Any] | None) -> Component:
    """The chosen incident as the panel shows it."""
    if not selected or not str(selected.get("id", "")).isdigit():
        return render_empty(view.t("detail.choose"))
    incident_id = int(selected["id"])
    try:
        incident = read_incident(view.caller, incident_id)
        squads = recommendations(view.caller, incident_id) if can_dispatch(incident) else []
    except (NotFound, Forbidden):
        return render_empty(view.t("error.gone"))
    role = view.caller.role
    photos = PHOTOS_OF_ROLE.get(role, ())
    return render_detail(view.t, incident, squads, photos, role, view.caller.name)
