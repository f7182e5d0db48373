"""The squad's phone: my tasks, where to go, and one large button for the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from dashboard.screens.detail.page import (
    closing_text,
    place_text,
    render_evidence,
    render_help,
    render_photo_buttons,
)
from dashboard.screens.squad.load import my_tasks
from dashboard.shell import frame, ids
from dashboard.shell.components import (
    extra,
    reason_text,
    render_actions,
    render_clock,
    render_empty,
    render_requests,
    render_severity,
    render_timeline,
)
from dashboard.shell.frame import View
from dashboard.shell.i18n import Texts

# After these the squad's part is done; the task moves below the others.
DONE_STATES = frozenset({"handled", "checking"})
PHOTOS = ("photo_before", "photo_after")


def layout(view: View) -> Component:
    """Bottom navigation in reach of one thumb; everything else scrolls above it."""
    return frame.render_page(
        view,
        "squad",
        [
            render_top(view),
            html.Main(
                [
                    html.Section(
                        html.Div(id=ids.TASKS, **frame.aging("incidents")),
                        className="gw-tab-body",
                        **extra({"data-panel": "tasks"}),
                    ),
                    html.Section(
                        [
                            html.Div(
                                frame.render_map(view, zoom_buttons=True),
                                className="gw-map",
                                **frame.aging("readings", "alarms"),
                            ),
                        ],
                        className="gw-tab-body",
                        hidden=True,
                        **extra({"data-panel": "map"}),
                    ),
                    html.Section(
                        render_me(view),
                        className="gw-tab-body",
                        hidden=True,
                        **extra({"data-panel": "me"}),
                    ),
                ],
                id="main",
                className="gw-can-age",
            ),
            render_bottom(view.t),
            dcc.Store(id=ids.TASKS_TICK),
        ],
        "gw-squad",
    )


def render_top(view: View) -> Component:
    t = view.t
    return html.Header(
        [
            html.Span(className="gw-mark"),
            html.H1(t("squad.title"), id=ids.SQUAD_NAME),
            html.Span(className="gw-push"),
            frame.render_demo_mark(t),
            frame.render_link(t),
        ],
        className="gw-header",
    )


def render_bottom(t: Texts) -> Component:
    """Three places, each a target of at least 56 px."""
    return html.Nav(
        [
            html.Button(
                [html.I(className=f"gw-icon {name}"), t(f"squad.tab_{name}")],
                type="button",
                **extra(
                    {"data-tab": name, "aria-selected": "true" if name == "tasks" else "false"}
                ),
            )
            for name in ("tasks", "map", "me")
        ],
        className="gw-bottom",
        **extra({"aria-label": t("nav.label")}),
    )


def render_me(view: View) -> Component:
    """Who is signed in, the switches, and the way to other screens."""
    t, caller = view.t, view.caller
    return html.Div(
        [
            html.H2(caller.name),
            html.P(f"{t.word('role', caller.role)} {caller.squad or ''}"),
            html.Div(frame.render_switches(view), className="gw-actions"),
            frame.render_navigation(view, "squad"),
        ],
        className="gw-me",
    )


def render_tasks(t: Texts, tasks: Sequence[Mapping[str, Any]], squad: str | None) -> Component:
    """Open tasks first, worst and most urgent on top; what is handed over below."""
    if squad is None:
        return render_empty(t("squad.no_squad"))
    if not tasks:
        return html.Div([html.P(t("squad.no_tasks"))], className="gw-no-tasks")
    ordered = sorted(
        tasks,
        key=lambda task: (
            task["state"] in DONE_STATES,
            task["severity"],
            task.get("due_at") or "9",
        ),
    )
    return html.Ul([render_task(t, task) for task in ordered], className="gw-tasks")


def render_task(t: Texts, task: Mapping[str, Any]) -> Component:
    """One task as a card: what, where, until when, and what to do now."""
    done = task["state"] in DONE_STATES
    alarms = [reason_text(t, alarm.get("reason")) for alarm in task["alarms"]]
    return html.Li(
        [
            render_task_head(t, task),
            *[html.P(text, className="gw-task-reason") for text in alarms[:2] if text],
            *[
                render_help(t, alarm["help"], is_open=False)
                for alarm in task["alarms"][:1]
                if alarm.get("help")
            ],
            *([html.P(task["description"])] if task.get("description") else []),
            render_way(t, task),
            html.P(
                t("squad.needs", what=closing_text(t, task)),
                className="gw-task-needs",
                hidden=done,
            ),
            *render_requests(t, task),
            render_actions(t, task, keys=False),
            html.Details([html.Summary(t("squad.more")), render_more(t, task)]),
        ],
        className="gw-task done" if done else "gw-task",
        **extra(
            {
                "data-incident": str(task["id"]),
                "data-version": str(task["version"]),
                "data-title": t.pick(task, "title"),
            }
        ),
    )


def render_task_head(t: Texts, task: Mapping[str, Any]) -> Component:
    running = next(
        (c for c in task["clocks"] if not c.get("met_at") and c["standing"] != "stopped"), None
    )
    clock = []
    if running is not None:
        live: dict[str, str] = (
            {} if running["standing"] == "paused" else {"data-due": running["due_at"]}
        )
        clock = [
            html.Span(
                [
                    t.word("clock", running["clock"]),
                    " ",
                    html.Span(
                        t.word("standing", running["standing"]),
                        className="gw-standing",
                        **extra({"data-standing": running["standing"], **live}),
                    ),
                ],
                className="gw-task-clock",
            )
        ]
    return html.Div(
        [
            render_severity(t, task["severity"]),
            html.Div(
                [
                    html.H2(t.pick(task, "title")),
                    html.P([html.Span(t.word("state", task["state"]), className="gw-state")]),
                ]
            ),
            *clock,
        ],
        className="gw-task-head",
    )


def render_way(t: Texts, task: Mapping[str, Any]) -> Component:
    """Where it is: the browser fills in distance and direction, the phone's own map leads."""
    lon, lat = task["lon"], task["lat"]
    coordinates = f"{lat:.6f},{lon:.6f}"
    return html.Div(
        [
            html.Div(
                [
                    html.Strong(place_text(task) or str(task.get("unit_grid") or "")),
                    html.Span(coordinates, className="gw-coordinates"),
                ]
            ),
            html.Span(
                [html.I(className="gw-arrow"), html.B(t("value.none"))],
                className="gw-way-far",
                **extra({"data-lon": str(lon), "data-lat": str(lat)}),
            ),
            html.A(
                t("squad.navigate"),
                href=f"geo:{coordinates}?q={coordinates}",
                className="gw-button",
            ),
        ],
        className="gw-way",
    )


def render_more(t: Texts, task: Mapping[str, Any]) -> Component:
    """Photos, all clocks and the timeline, for who has time to read."""
    return html.Div(
        [
            *render_photo_buttons(t, PHOTOS if task["state"] not in DONE_STATES else ()),
            render_evidence(t, task),
            html.Ul([render_clock(t, clock) for clock in task["clocks"]]),
            render_timeline(t, task["events"]),
        ],
        className="gw-task-more",
    )


def register(app: Dash) -> None:
    """The list of tasks, read again whenever one of them changed."""

    @app.callback(Output(ids.TASKS, "children"), Input(ids.TASKS_TICK, "data"))
    def show_tasks(_tick: Any) -> Component:
        view = frame.request_view()
        return render_tasks(view.t, my_tasks(view.caller), view.caller.squad)
