"""Colours and type of every screen: one palette for CSS, canvas, charts and grid."""

from __future__ import annotations

from typing import Any

DARK = "dark"
LIGHT = "light"
THEMES = (DARK, LIGHT)

# Ship no web font: a full CJK font is 8 to 16 MB and every client has one of these.
FONT_STACK = (
    "'Noto Sans CJK SC','Source Han Sans SC','Microsoft YaHei','PingFang SC',"
    "system-ui,'Segoe UI',sans-serif"
)

# Red, orange, yellow and blue belong to severities and are used for nothing else.
# `on-*` is the text colour on a filled severity mark. Every text/ground pair is at least 4.5:1.
PALETTES: dict[str, dict[str, str]] = {
    DARK: {
        "bg": "#0a131d",
        "surface": "#101c29",
        "raised": "#172635",
        "line": "#243749",
        "text": "#e3ebf3",
        "muted": "#9bb0c4",
        "faint": "#7f95aa",
        "accent": "#4cc3ae",
        "on-accent": "#06231e",
        "accent-soft": "#12363a",
        "series-2": "#7fa3b5",
        "on-series": "#06151d",
        "red": "#ff5257",
        "orange": "#ff9838",
        "yellow": "#ffd54a",
        "blue": "#62a8ff",
        "on-red": "#2a0204",
        "on-orange": "#2b1500",
        "on-yellow": "#2b2200",
        "on-blue": "#03182f",
        "red-soft": "#3a151c",
        "ok": "#4f8094",
        "silent": "#61758a",
        "out": "#39495a",
        "cell": "#14222f",
        "halo": "#0a131d",
    },
    LIGHT: {
        "bg": "#e9eef3",
        "surface": "#ffffff",
        "raised": "#f4f7fa",
        "line": "#ccd7e1",
        "text": "#13222f",
        "muted": "#48607a",
        "faint": "#5c7186",
        "accent": "#0b766a",
        "on-accent": "#ffffff",
        "accent-soft": "#d8efeb",
        "series-2": "#4a7284",
        "on-series": "#ffffff",
        "red": "#c81e2b",
        "orange": "#f28a14",
        "yellow": "#f7cb15",
        "blue": "#1c62c4",
        "on-red": "#ffffff",
        "on-orange": "#2b1500",
        "on-yellow": "#2b2200",
        "on-blue": "#ffffff",
        "red-soft": "#fde6e6",
        "ok": "#5f93a6",
        "silent": "#93a3b3",
        "out": "#c3ced8",
        "cell": "#ffffff",
        "halo": "#ffffff",
    },
}

# Colours of chart series that mean no severity, in order.
SERIES = ("accent", "series-2", "muted")


def css_variables(theme: str) -> str:
    """The palette as CSS custom properties for the page's head."""
    pairs = ";".join(f"--{name}:{colour}" for name, colour in PALETTES[theme].items())
    return f":root{{color-scheme:{theme};--font:{FONT_STACK};{pairs}}}"


def mantine_theme(theme: str) -> dict[str, Any]:
    """Theme of the Mantine frame: our accent as its primary colour in ten shades."""
    accent = PALETTES[theme]["accent"]
    return {
        "fontFamily": FONT_STACK,
        "primaryColor": "accent",
        "primaryShade": 6,
        "colors": {"accent": [accent] * 10, "dark": mantine_dark()},
        "defaultRadius": "sm",
        "autoContrast": True,
    }


def mantine_dark() -> list[str]:
    """Mantine's ten dark shades, text to ground, in our blue-grey instead of its neutral grey."""
    p = PALETTES[DARK]
    names = ("text", "text", "muted", "faint", "line", "line", "raised", "surface", "bg", "bg")
    return [p[name] for name in names]


def grid_theme(theme: str) -> dict[str, str]:
    """AG Grid's theme: the class names of old themes do nothing since version 33."""
    p = PALETTES[theme]
    params = {
        "backgroundColor": p["surface"],
        "foregroundColor": p["text"],
        "headerBackgroundColor": p["surface"],
        "headerTextColor": p["muted"],
        "borderColor": p["line"],
        "chromeBackgroundColor": p["raised"],
        "accentColor": p["accent"],
        "selectedRowBackgroundColor": p["accent-soft"],
        "rowHoverColor": p["raised"],
        "browserColorScheme": theme,
        "fontFamily": "inherit",
        "fontSize": "0.875rem",
        "headerFontSize": "0.8125rem",
        "rowHeight": "2.625rem",
        "headerHeight": "2.25rem",
        "wrapperBorder": "none",
        "wrapperBorderRadius": "0",
    }
    body = ",".join(f"{name}:'{value}'" for name, value in params.items())
    return {"function": f"themeQuartz.withParams({{{body}}})"}


def chart_layout(theme: str) -> dict[str, Any]:
    """What every chart shares: transparent ground, our type, quiet grid lines."""
    p = PALETTES[theme]
    axis = {"gridcolor": p["line"], "linecolor": p["line"], "zeroline": False, "automargin": True}
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT_STACK, "color": p["muted"], "size": 13},
        "margin": {"l": 8, "r": 16, "t": 40, "b": 8},
        "xaxis": dict(axis),
        "yaxis": dict(axis),
        "hoverlabel": {
            "bgcolor": p["raised"],
            "bordercolor": p["line"],
            "font": {"color": p["text"], "family": FONT_STACK},
        },
        "legend": {"orientation": "h", "yref": "container", "y": 1, "yanchor": "top", "x": 0},
        "colorway": [p[name] for name in SERIES],
    }
