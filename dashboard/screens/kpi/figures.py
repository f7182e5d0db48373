"""Charts of the KPI board as plain Plotly figures; no library is needed to describe one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.screens.kpi.report import group_name
from dashboard.shell.components import ratio_text
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import duration
from dashboard.shell.theme import PALETTES, chart_layout

Figure = dict[str, Any]

# Height of a chart: room for its axis, then a row for each group.
BASE_PX, ROW_PX = 110, 54
# Ratios are read against these, so the axis always shows the whole way to 100 %.
FULL = 100
# Groups in a chart; the table below has them all.
CHARTED = 16
MINUTE_S = 60


def ratio_figure(t: Texts, groups: Sequence[Mapping[str, Any]], theme: str) -> Figure:
    """Handling and in-time closing rate of each group, with the counts written on the bars."""
    shown = list(groups[:CHARTED])[::-1]  # Plotly draws the first category at the bottom
    p = PALETTES[theme]
    bars = [
        _ratio_bars(t, shown, "in_time", p["series-2"], p),
        _ratio_bars(t, shown, "handling", p["accent"], p),
    ]
    layout = chart_layout(theme)
    layout |= {
        "height": BASE_PX + ROW_PX * max(1, len(shown)),
        "barmode": "group",
        "bargap": 0.24,
        "uirevision": "keep",
        # The order of drawing is from the bottom up; the legend reads from the top.
        "legend": {**layout["legend"], "traceorder": "reversed"},
    }
    layout["xaxis"] |= {"range": [0, FULL + 3], "ticksuffix": "%", "dtick": 20}
    layout["yaxis"] |= {"gridcolor": "rgba(0,0,0,0)"}
    return {"data": bars, "layout": layout}


def _ratio_bars(
    t: Texts, groups: Sequence[Mapping[str, Any]], name: str, colour: str, p: Mapping[str, str]
) -> dict[str, Any]:
    ratios = [group[name] for group in groups]
    texts = [f"{ratio_text(r['num'], r['den'])}  {r['num']}/{r['den']}" for r in ratios]
    return {
        "type": "bar",
        "orientation": "h",
        "name": t(f"kpi.{name}"),
        "y": [group_name(t, group) for group in groups],
        "x": [FULL * r["num"] / r["den"] if r["den"] else 0 for r in ratios],
        "text": texts,
        # A bar of nothing has no inside: its dash stands beside it.
        "textposition": ["inside" if r["den"] else "outside" for r in ratios],
        "insidetextanchor": "start",
        "insidetextfont": {"color": p["on-series"], "size": 13},
        "outsidetextfont": {"color": p["text"]},
        "cliponaxis": False,
        "marker": {"color": colour},
        "hovertemplate": "%{y}<br>" + t(f"kpi.{name}") + " %{text}<extra></extra>",
    }


def times_figure(t: Texts, times: Mapping[str, Mapping[str, Any]], theme: str) -> Figure:
    """Median and 90th percentile of each step of the closed loop, on one time axis."""
    p = PALETTES[theme]
    steps = [step for step, spread in times.items() if spread["count"]][::-1]
    labels = [f"{t(f'kpi.time_{step}')}  n={times[step]['count']}" for step in steps]
    layout = chart_layout(theme)
    layout |= {"height": BASE_PX + ROW_PX * max(1, len(steps)), "uirevision": "keep"}
    layout["xaxis"] |= {"type": "log", **_time_ticks(t, times, steps)}
    layout["yaxis"] |= {"gridcolor": "rgba(0,0,0,0)"}
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [value for s in steps for value in (*_pair(times[s]), None)],
            "y": [value for label in labels for value in (label, label, None)],
            "line": {"color": p["line"], "width": 6},
            "hoverinfo": "skip",
            "showlegend": False,
        },
        _time_marks(t, times, steps, labels, "median_s", p["accent"], "circle"),
        _time_marks(t, times, steps, labels, "p90_s", p["series-2"], "diamond"),
    ]
    return {"data": traces, "layout": layout}


def _pair(spread: Mapping[str, Any]) -> tuple[float, float]:
    """Both ends in minutes; a logarithmic axis has no zero."""
    return (
        max(spread["median_s"], 1) / MINUTE_S,
        max(spread["p90_s"], 1) / MINUTE_S,
    )


def _time_marks(
    t: Texts,
    times: Mapping[str, Mapping[str, Any]],
    steps: Sequence[str],
    labels: Sequence[str],
    name: str,
    colour: str,
    symbol: str,
) -> dict[str, Any]:
    values = [times[step][name] for step in steps]
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": t(f"kpi.{name}"),
        "x": [max(value, 1) / MINUTE_S for value in values],
        "y": list(labels),
        "text": [duration(t, value) for value in values],
        "textposition": "bottom center",
        "textfont": {"size": 12},
        "cliponaxis": False,
        "marker": {"color": colour, "size": 12, "symbol": symbol},
        "hovertemplate": "%{y}<br>" + t(f"kpi.{name}") + " %{text}<extra></extra>",
    }


# Round moments of a day, in minutes, that people think in.
ROUND_MINUTES = (0.1, 1, 5, 15, 60, 240, 1_440, 10_080, 43_200)


def _time_ticks(
    t: Texts, times: Mapping[str, Mapping[str, Any]], steps: Sequence[str]
) -> dict[str, Any]:
    ends = [value for step in steps for value in _pair(times[step])] or [1.0, 60.0]
    low, high = min(ends) / 2, max(ends) * 2
    ticks = [m for m in ROUND_MINUTES if low <= m <= high]
    return {"tickvals": ticks, "ticktext": [duration(t, m * MINUTE_S) for m in ticks]}


def chart_config(t: Texts) -> Any:
    """Charts that ask nobody: no cloud button, no logo, words from our own locale file."""
    return {
        "locale": "zh-CN" if t.lang == "zh" else "en",
        "displaylogo": False,
        "displayModeBar": False,
        "plotlyServerURL": "",
        "modeBarButtonsToRemove": ["sendChartToCloud"],
        "responsive": True,
    }
