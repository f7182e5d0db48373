"""The KPI board: rates with their counts, times, by street, squad or category, for a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc  # type: ignore[import-untyped]
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from city.period import last_ended
from dashboard.screens.kpi.figures import chart_config, ratio_figure, times_figure
from dashboard.screens.kpi.load import calibration, kpi
from dashboard.screens.kpi.report import FORMATS, group_name
from dashboard.screens.kpi.trend import find_trend, hours_figure, streets_figure, trend_figure
from dashboard.shell import frame, ids
from dashboard.shell.components import actor_text, extra, ratio_text, render_empty
from dashboard.shell.frame import View
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import TIMEZONE, duration, local
from dashboard.shell.plain_json import as_plain

PERIODS = ("today", "days7", "days30", "days90", "last_month", "last_quarter", "dates")
GROUPINGS = ("street", "community", "squad", "person", "category", "source")
TIME_COLUMNS = (
    "alarm_to_dispatch",
    "dispatch_to_acknowledge",
    "acknowledge_to_arrive",
    "dispatch_to_handled",
    "open_to_closed",
)
DAYS = {"days7": 7, "days30": 30, "days90": 90}
ENDED = {"last_month": 0, "last_quarter": 1}  # places in `last_ended`
# Cases below which a percentage is no figure.
FEW = 20
# What a restatement is shown to have changed, of the whole district.
RESTATED = ("handling", "handling_in_time", "in_time")


def layout(view: View) -> Component:
    """Choices on top, figures below."""
    t = view.t
    return frame.render_page(
        view,
        "kpi",
        [
            frame.render_header(view, "kpi"),
            html.Main(
                [
                    render_choices(t),
                    dcc.Loading(
                        html.Div(id=ids.KPI_BODY), type="dot", color="var(--accent)", delay_show=400
                    ),
                    html.Div(id=ids.KPI_TREND),
                ],
                id="main",
                className="gw-kpi-page gw-can-age",
            ),
        ],
        "gw-kpi-screen",
    )


def render_choices(t: Texts) -> Component:
    """Period and grouping."""
    dates = dmc.DatesProvider(
        dmc.DatePickerInput(
            id=ids.KPI_DATES,
            type="range",
            valueFormat="YYYY-MM-DD",
            monthLabelFormat=t("kpi.month_format"),
            placeholder=t("kpi.choose_dates"),
            clearable=True,
            w="15rem",
            **extra({"aria-label": t("kpi.choose_dates")}),
        ),
        settings={"locale": "zh-cn" if t.lang == "zh" else "en", "firstDayOfWeek": 1},
    )
    return html.Div(
        [
            html.H2(t("kpi.title")),
            html.Span(className="gw-push"),
            dmc.SegmentedControl(
                id=ids.KPI_PERIOD,
                value="days7",
                data=[{"value": name, "label": t(f"kpi.period_{name}")} for name in PERIODS],
            ),
            html.Div(dates, id=ids.KPI_DATES_BOX, hidden=True),
            dmc.SegmentedControl(
                id=ids.KPI_BY,
                value="street",
                data=[{"value": name, "label": t(f"kpi.by_{name}")} for name in GROUPINGS],
            ),
        ],
        className="gw-kpi-choices",
    )


def period_of(
    name: str, dates: Sequence[str | None] | None, now: datetime
) -> tuple[datetime, datetime]:
    """From and to of a choice: whole local days, the last one up to now."""
    zone = ZoneInfo(TIMEZONE)
    if name in ENDED:
        ended = last_ended(now, zone)[ENDED[name]]
        return ended.start, ended.end
    today = now.astimezone(zone).date()
    first, last = today, today
    if name == "dates" and dates and dates[0] and dates[1]:
        first, last = (datetime.fromisoformat(d).date() for d in (str(dates[0]), str(dates[1])))
    elif name in DAYS:
        first = today - timedelta(days=DAYS[name] - 1)
    start = datetime.combine(first, time(), zone)
    end = datetime.combine(last + timedelta(days=1), time(), zone)
    return start, min(end, now) if last >= today else end


def render_figures(t: Texts, figures: Mapping[str, Any], theme: str) -> Component:
    """Headline, charts and table of a period; says so where nothing happened."""
    total, groups = figures["total"], figures["groups"]
    if total is None or not groups:
        return html.Div(
            [*render_published(t, figures), render_empty(t("kpi.empty"))], className="gw-kpi-empty"
        )
    return html.Div(
        [
            *render_published(t, figures),
            html.Div(render_headline(t, total), className="gw-kpi-headline"),
            html.Div(
                [
                    render_chart(t, t("kpi.chart_ratios"), ratio_figure(t, by_size(groups), theme)),
                    render_times(t, total["times"], theme),
                ],
                className="gw-kpi-charts",
            ),
            render_table(t, by_size(groups), total, figures),
            html.Div(id="gw-kpi-cases", className="gw-chart", hidden=True),
            render_league(t, figures),
        ]
    )


def render_published(t: Texts, figures: Mapping[str, Any]) -> list[Component]:
    """That these figures were published and as of when; of a restated period every edition, with
    what it said, by whom and why."""
    editions = figures["editions"]
    if not editions:
        return []
    first, newest = editions[0], editions[-1]
    told = t("kpi.published", period=first["period"], at=day_and_clock_of_year(newest))
    if len(editions) == 1:
        return [html.P(told, className="gw-kpi-published")]
    restated = t("kpi.restated", n=len(editions) - 1, why=newest["reason"])
    table = html.Table(
        [
            html.Thead(
                html.Tr(
                    [html.Th(t("kpi.edition"), scope="col")]
                    + [html.Th(t(f"kpi.{name}"), scope="col") for name in RESTATED]
                )
            ),
            html.Tbody([render_edition(t, edition) for edition in editions]),
        ]
    )
    shown = html.Div(table, className="gw-table-scroll gw-chart")
    return [
        html.Details(
            [html.Summary([told, " ", html.B(restated)]), shown], className="gw-kpi-published"
        )
    ]


def render_edition(t: Texts, edition: Mapping[str, Any]) -> Component:
    """One edition: when, by whom and why, and its rates with their counts."""
    total = edition["total"]
    cells = []
    for name in RESTATED:
        r = total[name] if total else {"num": 0, "den": 0}
        cells.append(
            html.Td([html.B(ratio_text(r["num"], r["den"])), html.Small(f"{r['num']}/{r['den']}")])
        )
    who = actor_text(t, edition["published_by"])
    said = f"{day_and_clock_of_year(edition)} · {who}"
    why = [html.Small(edition["reason"])] if edition["reason"] else []
    return html.Tr([html.Th([said, *why], scope="row"), *cells])


def day_and_clock_of_year(edition: Mapping[str, Any]) -> str:
    return f"{local(edition['published_at']):%Y-%m-%d %H:%M}"


def render_times(t: Texts, times: Mapping[str, Any], theme: str) -> Component:
    """How long the steps took; axes without a mark on them would say nothing."""
    title = t("kpi.chart_times")
    if not any(spread["count"] for spread in times.values()):
        return html.Section([html.H3(title), render_empty(t("kpi.no_times"))], className="gw-chart")
    return render_chart(t, title, times_figure(t, times, theme))


def by_size(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The groups with most to do first: their ratios say most."""
    return sorted(groups, key=lambda g: -(g["handling"]["den"] + g["in_time"]["den"]))


def render_headline(t: Texts, total: Mapping[str, Any]) -> list[Component]:
    """The figures of the whole district; what is late and open comes first."""
    late = total["in_time"]["den"] - total["closed"]
    cards = [
        render_card(
            t(f"kpi.{name}"), ratio_text(r["num"], r["den"]), count_text(t, r), **of_few(t, r)
        )
        for name, r in (
            ("dispatching", total["rates"]["dispatch_in_time"]),
            ("acknowledging", total["rates"]["acknowledge_in_time"]),
            ("handling", total["handling"]),
            ("handling_in_time", total["handling_in_time"]),
            ("in_time", total["in_time"]),
        )
    ]
    closing = total["times"]["open_to_closed"]
    cards.append(
        render_card(
            t("kpi.closing_time"),
            duration(t, closing["median_s"]),
            t("kpi.p90_note", p90=duration(t, closing["p90_s"]), n=closing["count"]),
        )
    )
    note = t("kpi.opened_note", closed=total["closed"], reworked=total["reworked"])
    return [
        render_card(t("kpi.open_late"), str(late), t("kpi.open_late_note")),
        render_card(t("kpi.opened"), str(total["opened"]), note),
        *cards,
    ]


def count_text(t: Texts, ratio: Mapping[str, Any]) -> str:
    said = t("kpi.ratio_note", num=ratio["num"], den=ratio["den"])
    return f"{said} · {t('kpi.few')}" if is_of_few(ratio) else said


def is_of_few(ratio: Mapping[str, Any]) -> bool:
    """Whether a percentage says less than its counts."""
    return 0 < ratio["den"] < FEW


def of_few(t: Texts, ratio: Mapping[str, Any]) -> dict[str, Any]:
    """Such a percentage is grey, and says why."""
    return {"className": "gw-few", "title": t("kpi.few")} if is_of_few(ratio) else {}


def render_card(label: str, value: str, note: str, **looks: Any) -> Component:
    return html.Dl([html.Dt(label), html.Dd(value, **looks), html.Dd(note)], className="gw-kpi")


def render_chart(t: Texts, title: str, figure: dict[str, Any]) -> Component:
    # A responsive graph takes the height of its box: without one it is flat.
    height = f"{figure['layout']['height']}px"
    graph = dcc.Graph(figure=figure, config=chart_config(t), style={"height": height})
    return html.Section([html.H3(title), graph], className="gw-chart")


def render_table(
    t: Texts,
    groups: Sequence[Mapping[str, Any]],
    total: Mapping[str, Any],
    asked: Mapping[str, Any],
) -> Component:
    """Every group with every figure; the sum of the district stands last. A count opens its cases,
    but by person, of which the log is asked by nobody."""
    counts = ("opened", "filed", "handled", "closed", "reworked", "returned")
    ratios = ("handling", "handling_in_time", "in_time")
    opens = asked["by"] != "person"
    head = [
        html.Th(t("kpi.group"), scope="col"),
        *(html.Th(t(f"kpi.{name}"), scope="col") for name in (*counts, *ratios)),
        *(html.Th(t(f"kpi.time_{name}"), scope="col") for name in TIME_COLUMNS),
    ]
    rows = [render_row(t, group, counts, ratios, opens=opens) for group in groups]
    rows.append(render_row(t, total, counts, ratios, class_name="total", opens=opens))
    period = {f"data-{name}": asked[name] for name in ("from", "to", "by")}
    return html.Section(
        [
            html.H3(t("kpi.table")),
            html.Div(render_downloads(t, asked), className="gw-kpi-downloads"),
            html.Div(
                html.Table(
                    [html.Thead(html.Tr(head)), html.Tbody(rows)],
                    className="gw-kpi-table",
                    **extra(period),
                ),
                className="gw-table-scroll",
                tabIndex="0",
                role="region",
                **extra({"aria-label": t("kpi.table")}),
            ),
        ],
        className="gw-chart",
    )


def render_row(
    t: Texts,
    group: Mapping[str, Any],
    counts: Sequence[str],
    ratios: Sequence[str],
    class_name: str = "",
    *,
    opens: bool = False,
) -> Component:
    key = {} if class_name else {"data-key": group["key"]}
    cells: list[Component] = [
        html.Td(
            html.Button(
                str(group[name]),
                className="gw-kpi-count",
                type="button",
                **extra({"data-figure": name, "aria-label": t(f"kpi.{name}"), **key}),
            )
            if opens and group[name]
            else str(group[name])
        )
        for name in counts
    ]
    for name in ratios:
        r = group[name]
        count = html.Small(f"{r['num']}/{r['den']}")
        cells.append(html.Td([html.B(ratio_text(r["num"], r["den"]), **of_few(t, r)), count]))
    for name in TIME_COLUMNS:
        spread = group["times"][name]
        p90 = html.Small(f"P90 {duration(t, spread['p90_s'])} · {spread['count']}")
        cells.append(html.Td([html.B(duration(t, spread["median_s"])), p90]))
    name = t("kpi.all") if class_name else group_name(t, group)
    return html.Tr([html.Th(name, scope="row"), *cells], className=class_name)


def render_downloads(t: Texts, asked: Mapping[str, Any]) -> list[Component]:
    """The same figures as files."""
    links: list[Component] = []
    for kind in FORMATS:
        query = {name: asked[name] for name in ("from", "to", "by")}
        query |= {"format": kind, "lang": t.lang}
        links.append(
            html.A(
                t(f"kpi.download_{kind}"),
                href=f"/api/v1/kpi/report?{urlencode(query)}",
                className="gw-button",
            )
        )
    return links


def render_league(t: Texts, figures: Mapping[str, Any]) -> Component:
    """Groups by what their rate in time is at least; those with nothing due have no place."""
    ranked = sorted(
        (group for group in figures["groups"] if group["league"] is not None),
        key=lambda group: -group["league"],
    )
    formula = figures["formula"]
    if not ranked or not formula:
        return html.Div()
    columns = ("place", "group", "league", "handling_in_time", "load", "score", "band")
    head = [html.Th(t(f"kpi.{name}"), scope="col") for name in columns]
    rows = []
    for place, group in enumerate(ranked, start=1):
        r = group["handling_in_time"]
        cells = [
            html.Td([html.B(f"{group['league']:.1%}")]),
            html.Td([html.B(ratio_text(r["num"], r["den"])), html.Small(f"{r['num']}/{r['den']}")]),
            html.Td(f"{group['load']:.2f}" if group["load"] is not None else "—"),
            html.Td(f"{group['score']:.1f}" if group["score"] is not None else "—"),
            html.Td(group["band"] or "—"),
        ]
        rows.append(
            html.Tr(
                [
                    html.Th(str(place)),
                    html.Th(group_name(t, group), scope="row", className="name"),
                    *cells,
                ]
            )
        )
    note = t("kpi.league_note", formula=t.pick(formula, "name"), version=formula["version"])
    return html.Section(
        [
            html.H3(t("kpi.league_title")),
            html.Div(
                html.Table([html.Thead(html.Tr(head)), html.Tbody(rows)]),
                className="gw-table-scroll",
            ),
            html.P(note, className="gw-kpi-published"),
        ],
        className="gw-chart",
    )


def render_calibration(t: Texts, bands: Sequence[Mapping[str, Any]]) -> Component:
    """What was expected to be late against what was; nothing where nothing was expected yet."""
    if not bands:
        return html.Div()
    columns = ("expected_band", "attempts", "expected_late", "were_late")
    rows = [
        html.Tr(
            [
                html.Th(f"{band['low']:.0%} – {band['high']:.0%}", scope="row"),
                html.Td(str(band["count"])),
                html.Td(f"{band['expected']:.1%}"),
                html.Td(
                    [
                        html.B(ratio_text(band["late"], band["count"])),
                        html.Small(f"{band['late']}/{band['count']}"),
                    ]
                ),
            ]
        )
        for band in bands
    ]
    head = [html.Th(t(f"kpi.{name}"), scope="col") for name in columns]
    return html.Section(
        [
            html.H3(t("kpi.calibration")),
            html.Div(
                html.Table([html.Thead(html.Tr(head)), html.Tbody(rows)]),
                className="gw-table-scroll",
            ),
        ],
        className="gw-chart",
    )


def render_trend(t: Texts, trend: Mapping[str, Any], theme: str) -> Component:
    """The last 400 days, whatever period is chosen above; nothing where there was no case."""
    if not trend["weeks"]:
        return html.Div()
    figure = trend_figure(t, trend["weeks"], theme)
    return html.Div(
        [
            render_chart(t, t("kpi.trend"), figure),
            html.Div(
                [
                    render_chart(t, t("kpi.heat_hours"), hours_figure(t, trend["hours"], theme)),
                    render_chart(
                        t, t("kpi.heat_streets"), streets_figure(t, trend["streets"], theme)
                    ),
                ],
                className="gw-kpi-charts",
            ),
        ]
    )


def register(app: Dash) -> None:
    """Callbacks of the KPI board."""

    @app.callback(Output(ids.KPI_DATES_BOX, "hidden"), Input(ids.KPI_PERIOD, "value"))
    def show_dates(period: str) -> bool:
        return period != "dates"

    @app.callback(
        Output(ids.KPI_BODY, "children"),
        Input(ids.KPI_PERIOD, "value"),
        Input(ids.KPI_DATES, "value"),
        Input(ids.KPI_BY, "value"),
    )
    def show_figures(period: str, dates: list[str | None] | None, by: str) -> Component:
        view = frame.request_view()
        start, end = period_of(period, dates, datetime.now(UTC))
        return render_figures(view.t, kpi(view.caller, start, end, by), view.theme)

    @app.callback(Output(ids.KPI_TREND, "children"), Input(ids.KPI_TREND, "id"))
    def show_trend(_id: str) -> Component:
        view = frame.request_view()
        found = as_plain(find_trend(view.caller, datetime.now(UTC)))
        bands = as_plain(calibration(view.caller, datetime.now(UTC)))
        return html.Div(
            [render_trend(view.t, found, view.theme), render_calibration(view.t, bands)]
        )
