"""Charts, periods and palette."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.screens.kpi.figures import chart_config, ratio_figure, times_figure
from dashboard.screens.kpi.page import by_size, period_of, render_figures
from dashboard.shell import theme
from dashboard.shell.i18n import texts
from tests.tables import cases

EN = texts("en")
NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)  # 11:30 in Haikou


STEPS = (
    "alarm_to_dispatch",
    "dispatch_to_acknowledge",
    "acknowledge_to_arrive",
    "dispatch_to_handled",
    "open_to_closed",
)


def group(name: str, num: int, den: int) -> dict[str, Any]:
    ratio = {"num": num, "den": den, "ratio": num / den if den else None}
    median, p90 = (120.0, 600.0) if den else (None, None)
    counts = dict.fromkeys(("opened", "filed", "handled", "closed", "reworked", "returned"), den)
    ratios = dict.fromkeys(("handling", "handling_in_time", "in_time"), ratio)
    spread = {"count": den, "median_s": median, "p90_s": p90}
    times = dict.fromkeys(STEPS, spread)
    return {"key": name, "name_zh": name, "name_en": name, "times": times, **counts, **ratios}


def test_a_bar_is_labelled_with_its_counts_and_nothing_with_a_dash() -> None:
    figure = ratio_figure(EN, [group("A", 9, 10), group("B", 0, 0)], theme.DARK)
    handling = figure["data"][1]
    assert handling["y"] == ["B", "A"]
    assert handling["text"] == ["—  0/0", "90.0%  9/10"]
    assert handling["x"] == [0, 90]
    assert handling["textposition"] == ["outside", "inside"]


def test_a_step_that_was_never_measured_is_left_out_of_the_chart() -> None:
    times = group("A", 1, 2)["times"] | {
        "alarm_to_dispatch": group("B", 0, 0)["times"]["open_to_closed"]
    }
    figure = times_figure(EN, times, theme.LIGHT)
    assert len(figure["data"][1]["x"]) == 4
    assert all(x > 0 for x in figure["data"][1]["x"])


def test_no_chart_has_a_way_to_the_internet() -> None:
    config = chart_config(EN)
    assert config["plotlyServerURL"] == ""
    assert "sendChartToCloud" in config["modeBarButtonsToRemove"]
    assert chart_config(texts("zh"))["locale"] == "zh-CN"


def test_figures_of_an_empty_period_say_so() -> None:
    drawn = render_figures(EN, {"total": None, "groups": [], "editions": []}, theme.DARK)
    assert EN("kpi.empty") in str(drawn)


def test_the_group_with_most_to_do_comes_first() -> None:
    ordered = by_size([group("small", 1, 1), group("large", 50, 60)])
    assert [g["key"] for g in ordered] == ["large", "small"]


@pytest.mark.parametrize(
    ("name", "dates", "start", "end"),
    [
        ("today", None, "2026-11-22T00:00:00+08:00", "2026-11-22T11:30:00+08:00"),
        ("days7", None, "2026-11-16T00:00:00+08:00", "2026-11-22T11:30:00+08:00"),
        (
            "dates",
            ["2026-11-01", "2026-11-10"],
            "2026-11-01T00:00:00+08:00",
            "2026-11-11T00:00:00+08:00",
        ),
        ("dates", ["2026-11-20", None], "2026-11-22T00:00:00+08:00", "2026-11-22T11:30:00+08:00"),
        ("nonsense", None, "2026-11-22T00:00:00+08:00", "2026-11-22T11:30:00+08:00"),
    ],
)
def test_a_period_is_whole_days_of_the_district_up_to_now(
    name: str, dates: list[str | None] | None, start: str, end: str
) -> None:
    assert period_of(name, dates, NOW) == (
        datetime.fromisoformat(start),
        datetime.fromisoformat(end),
    )


def luminance(colour: str) -> float:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("shade", theme.THEMES)
@pytest.mark.parametrize(
    ("text", "ground"), cases("text_can_be_read_on_its_ground.csv", text=str, ground=str)
)
def test_text_can_be_read_on_its_ground(shade: str, text: str, ground: str) -> None:
    p = theme.PALETTES[shade]
    assert contrast(p[text], p[ground]) >= 4.5


def test_both_themes_name_the_same_colours() -> None:
    assert set(theme.PALETTES[theme.DARK]) == set(theme.PALETTES[theme.LIGHT])
