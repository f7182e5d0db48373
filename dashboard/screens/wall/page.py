"""The wall: live map, four figures, incidents with countdowns, alarms, its own true latency."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.shell import frame, ids
from dashboard.shell.components import extra
from dashboard.shell.frame import View
from dashboard.shell.i18n import Texts


def layout(view: View) -> Component:
    """Skeleton of the wall; the browser fills it from the live picture."""
    t = view.t
    clock = html.Div(
        [html.Span(id=ids.WALL_DATE), html.Time(id=ids.WALL_CLOCK)], className="gw-wall-time"
    )
    return frame.render_page(
        view,
        "wall",
        [
            frame.render_header(view, "wall", clock),
            html.Main(
                [render_map_side(view), render_side(t)],
                id="main",
                className="gw-wall-body gw-can-age",
            ),
            html.Footer(
                id=ids.LATENCY,
                className="gw-latency",
                **extra({"aria-label": t("latency.label")}),
                **frame.aging("readings"),
            ),
        ],
        "gw-wall gw-fixed",
    )


def render_map_side(view: View) -> Component:
    """The map, with the banner of an unacknowledged red alarm over it."""
    return html.Section(
        [
            html.Div(id=ids.WALL_CRITICAL, className="gw-critical", role="alert", hidden=True),
            html.Div(
                frame.render_map(view, zoom_buttons=False),
                className="gw-map",
                **frame.aging("readings", "alarms"),
            ),
            frame.render_legend(view.t),
        ],
        className="gw-wall-map",
    )


def render_side(t: Texts) -> Component:
    """Figures, incidents and alarms."""
    return html.Aside(
        [
            render_kpis(t),
            render_list(
                t("wall.incidents"), ids.WALL_INCIDENT_COUNT, ids.WALL_INCIDENTS, "grow",
                ages=("incidents",),
            ),
            render_list(
                t("wall.alarms"), ids.WALL_ALARM_COUNT, ids.WALL_ALARMS, "alarms",
                ages=("readings", "alarms"),
            ),
        ],
        className="gw-wall-side",
    )  # fmt: skip


def render_kpis(t: Texts) -> Component:
    """The headline figures, each with the counts behind it: what is late now comes first."""
    figures = [
        ("kpi.overdue", ids.KPI_OVERDUE, ids.KPI_OVERDUE_NOTE, ("incidents",)),
        ("kpi.open", ids.KPI_OPEN, ids.KPI_OPEN_NOTE, ("incidents",)),
        ("kpi.devices", ids.KPI_DEVICES, ids.KPI_DEVICES_NOTE, ("readings", "alarms")),
        ("kpi.dispatching", ids.KPI_DISPATCHING, ids.KPI_DISPATCHING_NOTE, ()),
        ("kpi.acknowledging", ids.KPI_ACKNOWLEDGING, ids.KPI_ACKNOWLEDGING_NOTE, ()),
        ("kpi.in_time", ids.KPI_IN_TIME, ids.KPI_IN_TIME_NOTE, ()),
    ]
    return html.Div(
        [
            html.Dl(
                [html.Dt(t(key)), html.Dd(t("value.none"), id=value), html.Dd(id=note)],
                className="gw-kpi",
                **frame.aging(*ages),
            )
            for key, value, note, ages in figures
        ],
        className="gw-kpis",
    )


def render_list(
    title: str, count_id: str, list_id: str, class_name: str, *, ages: tuple[str, ...]
) -> Component:
    return html.Section(
        [
            html.H2([title, html.Span(id=count_id)]),
            html.Ul(id=list_id),
        ],
        className=f"gw-panel {class_name}",
        **frame.aging(*ages),
    )
