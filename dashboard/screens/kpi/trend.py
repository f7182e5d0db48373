"""The trend by week and the heat of hours and streets, for page and API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from city.person import Caller
from dashboard.screens.kpi.figures import FULL, Figure
from dashboard.screens.kpi.key_figures import Ratio, ratio
from dashboard.shell.components import ratio_text
from dashboard.shell.i18n import Texts
from dashboard.shell.parts import parts
from dashboard.shell.theme import PALETTES, chart_layout
from db import places
from db.kpi_trend import SPAN_DAYS, HeatRow, WeekRow, list_heat, list_weeks
from db.pool import transaction

HOURS, WEEKDAYS = range(24), range(1, 8)
TREND_PX, WEEK_PX, ROW_PX, AXES_PX = 340, 300, 30, 90
# Streets in the picture; a district has fewer than thirty.
STREETS = 30


class Week(msgspec.Struct, frozen=True):
    """A week from its Monday on; `partial`: it has only begun."""

    week: date
    opened: int
    handled: Ratio
    overdue: Ratio
    partial: bool


class Street(msgspec.Struct, frozen=True):
    """Cases of a street by the hour of the day in which they were opened, 24 numbers."""

    code: str
    name: str
    by_hour: list[int]


class TrendAnswer(msgspec.Struct, frozen=True):
    """`hours` are numbers of cases opened: seven weekdays from Monday on, 24 hours each."""

    from_: datetime = msgspec.field(name="from")
    to: datetime
    weeks: list[Week]
    hours: list[list[int]]
    streets: list[Street]


def find_trend(caller: Caller, now: datetime) -> TrendAnswer:
    """The last 58 weeks, this one included."""
    with transaction(parts().pool) as conn:
        zone = places.zone_of(conn, caller.district)
        start = first_monday(now, zone)
        weeks = list_weeks(conn, caller.scope, start, now, zone.key)
        heat = list_heat(conn, caller.scope, start, now, zone.key)
    return build_trend(weeks, heat, start, now, zone)


def first_monday(now: datetime, zone: ZoneInfo) -> datetime:
    today = now.astimezone(zone).date()
    day = today - timedelta(days=SPAN_DAYS - 1)
    monday = day + timedelta(days=-day.weekday() % 7)
    return datetime(monday.year, monday.month, monday.day, tzinfo=zone)


def build_trend(
    weeks: Sequence[WeekRow],
    heat: Sequence[HeatRow],
    start: datetime,
    now: datetime,
    zone: ZoneInfo,
) -> TrendAnswer:
    today = now.astimezone(zone).date()
    hours, streets = Counter[tuple[int, int]](), Counter[tuple[str, int]]()
    names = {row.street: row.name for row in heat}
    for row in heat:
        hours[row.weekday, row.hour] += row.opened
        streets[row.street, row.hour] += row.opened
    totals = {code: sum(streets[code, hour] for hour in HOURS) for code in names}
    return TrendAnswer(
        from_=start,
        to=now,
        weeks=[
            Week(
                w.week, w.opened, ratio(w.handled, w.due), ratio(w.overdue, w.due),
                partial=today < w.week + timedelta(days=7),
            )
            for w in weeks
        ],
        hours=[[hours[day, hour] for hour in HOURS] for day in WEEKDAYS],
        streets=[
            Street(code, names[code], [streets[code, hour] for hour in HOURS])
            for code in sorted(names, key=lambda code: -totals[code])
        ],
    )  # fmt: skip


# Pictures


def trend_figure(t: Texts, weeks: Sequence[Mapping[str, Any]], theme: str) -> Figure:
    """Handled and overdue share by week, with their counts; a week that has only begun is not
    joined to the others."""
    p = PALETTES[theme]
    layout = chart_layout(theme) | {"height": TREND_PX, "hovermode": "x unified"}
    layout["yaxis"] |= {"range": [0, FULL + 3], "ticksuffix": "%", "dtick": 20}
    layout["xaxis"] |= {"type": "date"}
    most = max((w["handled"]["den"] for w in weeks), default=0)
    # Counts stand low in the picture, behind the shares.
    layout["yaxis2"] = {
        "overlaying": "y", "side": "right", "range": [0, 4 * max(most, 1)], "showgrid": False,
        "tickvals": [0, most], "color": p["muted"],
    }  # fmt: skip
    layout["margin"] = {**layout["margin"], "r": 48}
    return {
        "data": [
            {
                "type": "bar",
                "name": t("kpi.trend_due"),
                "x": [w["week"] for w in weeks],
                "y": [w["handled"]["den"] for w in weeks],
                "yaxis": "y2",
                "marker": {"color": p["line"]},
                "hovertemplate": t("kpi.trend_due") + " %{y}<extra></extra>",
            },
            _line(t, weeks, "handled", p["accent"]),
            _line(t, weeks, "overdue", p["series-2"]),
        ],
        "layout": layout,
    }


def _line(t: Texts, weeks: Sequence[Mapping[str, Any]], name: str, colour: str) -> dict[str, Any]:
    shown = [w for w in weeks if w[name]["den"] and not w["partial"]]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": t(f"kpi.trend_{name}"),
        "x": [w["week"] for w in shown],
        "y": [FULL * w[name]["num"] / w[name]["den"] for w in shown],
        "text": [
            f"{ratio_text(w[name]['num'], w[name]['den'])}  {w[name]['num']}/{w[name]['den']}"
            for w in shown
        ],
        "line": {"color": colour, "width": 2},
        "marker": {"size": 5},
        "hovertemplate": t(f"kpi.trend_{name}") + " %{text}<extra></extra>",
    }


def hours_figure(t: Texts, hours: Sequence[Sequence[int]], theme: str) -> Figure:
    """Weekdays by hours."""
    days = [t(f"kpi.weekday_{day}") for day in WEEKDAYS]
    return _heat(t, days, hours, WEEK_PX, theme)


def streets_figure(t: Texts, streets: Sequence[Mapping[str, Any]], theme: str) -> Figure:
    """Streets by hours, the one with most cases on top."""
    shown = streets[:STREETS]
    names = [s["name"] or t("kpi.unnamed") for s in shown]
    height = AXES_PX + ROW_PX * max(len(shown), 4)
    return _heat(t, names, [s["by_hour"] for s in shown], height, theme)


def _heat(
    t: Texts, rows: Sequence[str], values: Sequence[Sequence[int]], height: int, theme: str
) -> Figure:
    p = PALETTES[theme]
    layout = chart_layout(theme) | {"height": height}
    layout["margin"] = {**layout["margin"], "t": 12}
    layout["xaxis"] |= {"dtick": 3, "ticksuffix": t("kpi.hour_suffix"), "showgrid": False}
    layout["yaxis"] |= {"autorange": "reversed", "showgrid": False}
    return {
        "data": [
            {
                "type": "heatmap",
                "x": list(HOURS),
                "y": list(rows),
                "z": [list(row) for row in values],
                "xgap": 1,
                "ygap": 1,
                "zmin": 0,
                "colorscale": [[0, p["raised"]], [1, p["accent"]]],
                "colorbar": {"thickness": 10, "outlinewidth": 0, "tickfont": {"size": 12}},
                "hovertemplate": "%{y} %{x}" + t("kpi.hour_suffix") + ": %{z}<extra></extra>",
            }
        ],
        "layout": layout,
    }
