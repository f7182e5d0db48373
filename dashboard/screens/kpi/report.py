"""The key figures of a period as a table to take along."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openpyxl import Workbook

from city.score import RATES
from dashboard.screens.kpi.key_figures import STEPS
from dashboard.screens.kpi.pdf import write_pdf
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import duration, local

FORMATS = {
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
COUNTS = ("opened", "filed", "sent", "handled", "closed", "reworked", "returned", "postponed")
# Excel takes a file without it for one of the code page of its Windows.
MARK = "\ufeff"
# What a spreadsheet takes for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
DASH = "—"

Cell = str | int | float


def write_report(t: Texts, figures: Mapping[str, Any], kind: str) -> bytes:
    """A row a group and one of all of them: every count, every rate with what it is of, and the
    score; a dash where there was nothing to count."""
    rows: list[list[Cell]] = [_head(t), *(_row(t, group) for group in figures["groups"])]
    if figures["total"]:
        rows.append(_row(t, figures["total"], t("kpi.all")))
    span = f"{local(figures['from']):%Y-%m-%d %H:%M} – {local(figures['to']):%Y-%m-%d %H:%M}"
    above: list[list[Cell]] = [[t("kpi.title"), span], _formula(t, figures)]
    if kind == "pdf":
        titles = [" ".join(map(str, row)) for row in above]
        return write_pdf(titles, [[str(cell) for cell in row] for row in _page(t, figures)])
    return _workbook(above, rows) if kind == "xlsx" else _csv(above, rows)


PRINTED_COUNTS = ("opened", "filed", "handled", "closed", "reworked", "returned")
PRINTED_RATES = ("handling", "handling_in_time", "in_time", "rework", "overdue")


def _page(t: Texts, figures: Mapping[str, Any]) -> list[list[Cell]]:
    """What of it goes on a sheet of paper."""
    head: list[Cell] = [t("kpi.group"), *(t(f"kpi.{name}") for name in PRINTED_COUNTS)]
    head += [t(f"kpi.rate_{name}") for name in PRINTED_RATES]
    found = [[*head, t("kpi.closing_time"), t("kpi.score")]]
    total = figures["total"]
    for group in [*figures["groups"], *([total] if total else [])]:
        row: list[Cell] = [t("kpi.all") if group is total else group_name(t, group)]
        row += [group[name] for name in PRINTED_COUNTS]
        for name in PRINTED_RATES:
            r = group["rates"][name]
            share = DASH if r["ratio"] is None else f"{r['ratio']:.1%}"
            row.append(f"{share} {r['num']}/{r['den']}")
        row.append(duration(t, group["times"]["open_to_closed"]["median_s"]))
        row.append(DASH if group["score"] is None else f"{group['score']:.1f} {group['band']}")
        found.append(row)
    return found


def _formula(t: Texts, figures: Mapping[str, Any]) -> list[Cell]:
    formula = figures["formula"]
    if not formula:
        return [t("kpi.score"), DASH]
    return [t("kpi.score"), f"{t.pick(formula, 'name')} ({formula['version']})"]


def _head(t: Texts) -> list[Cell]:
    head: list[Cell] = [t("kpi.group"), *(t(f"kpi.{name}") for name in COUNTS)]
    for name in RATES:
        head += [t(f"kpi.rate_{name}"), t("kpi.of_these"), t("kpi.out_of")]
    for step in STEPS:
        title = t(f"kpi.time_{step}")
        head += [f"{title} {t('kpi.median_s')} (s)", f"{title} P90 (s)", f"{title} n"]
    return [*head, t("kpi.score"), t("kpi.band"), t("kpi.league"), t("kpi.load")]


def _row(t: Texts, group: Mapping[str, Any], name: str = "") -> list[Cell]:
    row: list[Cell] = [name or group_name(t, group), *(group[count] for count in COUNTS)]
    for rate in RATES:
        r = group["rates"][rate]
        row += [_number(r["ratio"]), r["num"], r["den"]]
    for step in STEPS:
        spread = group["times"][step]
        row += [_number(spread["median_s"]), _number(spread["p90_s"]), spread["count"]]
    return [
        *row, _number(group["score"]), group["band"] or DASH, _number(group["league"]),
        _number(group["load"]),
    ]  # fmt: skip


def group_name(t: Texts, group: Mapping[str, Any]) -> str:
    """A source is a word of ours; what has no name is not set."""
    name = t.pick(group, "name")
    return t.word("source", name) if name == group["key"] else name or t("kpi.unnamed")


def _number(value: float | None) -> Cell:
    return DASH if value is None else round(value, 4)


def _csv(above: Sequence[Sequence[Cell]], rows: Iterable[Sequence[Cell]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(
        [_harmless(cell) for cell in row] for row in [*above, *rows]
    )
    return (MARK + out.getvalue()).encode()


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _workbook(above: Sequence[Sequence[Cell]], rows: Iterable[Sequence[Cell]]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None, "a new workbook has a sheet"
    sheet.title = "KPI"
    sheet.freeze_panes = f"B{len(above) + 2}"
    for number, row in enumerate([*above, *rows], start=1):
        for place, value in enumerate(row, start=1):
            cell = sheet.cell(number, place, value)
            if isinstance(value, str):
                cell.data_type = "s"  # never a formula
    sheet.column_dimensions["A"].width = 24
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
