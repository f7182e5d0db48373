"""Key figures as page and API show them: ratios with their counts, no ratio of nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from city.errors import InvalidInput
from city.score import ScoreFormula, Term, band, score, sure_of
from db.kpi import CLOCKS, KpiRow
from db.kpi_publications import Edition


class Ratio(msgspec.Struct, frozen=True):
    """`num` of `den`; `ratio` is null when there was nothing to count."""

    num: int
    den: int
    ratio: float | None


class Spread(msgspec.Struct, frozen=True):
    """How long a step took, in seconds; null when nothing was measured."""

    count: int
    median_s: float | None
    p90_s: float | None


class Figures(msgspec.Struct, frozen=True):
    """The figures of one group in a period."""

    key: str
    name_zh: str
    name_en: str
    opened: int
    filed: int
    handled: int
    closed: int
    reworked: int
    returned: int
    returned_late: int
    handling: Ratio
    handling_in_time: Ratio
    in_time: Ratio
    times: dict[str, Spread]
    sent: int
    postponed: int
    # By name of `city.score.RATES`: what of what.
    rates: dict[str, Ratio]
    # By the formula of the answer, null where a rate of it has nothing to count; its letter.
    score: float | None
    band: str
    # What the rate handled in time is at least, as far as so many attempts say: leagues go by it.
    league: float | None
    # Attempts due against the mean of the groups; null in the total.
    load: float | None


class FormulaItem(msgspec.Struct, frozen=True):
    """How scores are made; `version` counts those of a district."""

    version: int
    name_zh: str
    name_en: str
    source: str
    terms: list[Term]


class CountedCase(msgspec.Struct, frozen=True):
    """A case behind a figure: when it was counted, and how it stands now."""

    id: int
    number: str
    at: datetime
    title_zh: str
    title_en: str
    state: str
    squad: str | None


class EditionItem(msgspec.Struct, frozen=True):
    """One edition of a published period, with its figures of the whole district; `reason` is why it
    was restated, empty for the first."""

    period: str
    from_: datetime = msgspec.field(name="from")
    to: datetime
    edition: int
    published_at: datetime
    published_by: str
    reason: str
    total: Figures | None


class KpiAnswer(msgspec.Struct, frozen=True):
    """Figures by group, and of everything together."""

    from_: datetime = msgspec.field(name="from")
    to: datetime
    by: str
    total: Figures | None
    groups: list[Figures]
    # Of a published period: what is shown is this edition of these.
    edition: int | None
    editions: list[EditionItem]
    formula: FormulaItem | None


STEPS = (
    "alarm_to_dispatch",
    "dispatch_to_acknowledge",
    "acknowledge_to_arrive",
    "dispatch_to_handled",
    "open_to_closed",
)


def check_span(start: datetime, end: datetime, longest: timedelta) -> None:
    """Refuses periods that end before they start, or take in all of history."""
    if end <= start:
        raise InvalidInput("to", end.isoformat(), "must be after from")
    if end - start > longest:
        raise InvalidInput("from", start.isoformat(), f"is more than {longest.days} days before to")


def edition_item(edition: Edition) -> EditionItem:
    rows = edition.rows("district")
    return EditionItem(
        period=edition.period,
        from_=edition.start_at,
        to=edition.end_at,
        edition=edition.edition,
        published_at=edition.published_at,
        published_by=edition.published_by,
        reason=edition.reason,
        total=figures(rows[0]) if rows else None,
    )


def build_figures(
    groups: Sequence[KpiRow],
    total: Sequence[KpiRow],
    start: datetime,
    end: datetime,
    by: str,
    shown: Edition | None = None,
    editions: Sequence[Edition] = (),
    formula: ScoreFormula | None = None,
) -> KpiAnswer:
    """The answer of the KPI question; `shown` is the edition that the figures are of."""
    mean = sum(row.due_to_handle for row in groups) / len(groups) if groups else 0
    return KpiAnswer(
        from_=start,
        to=end,
        by=by,
        total=figures(total[0], formula) if total else None,
        groups=[figures(row, formula, mean) for row in groups],
        edition=shown.edition if shown else None,
        editions=[edition_item(edition) for edition in editions],
        formula=formula_item(formula) if formula else None,
    )


def formula_item(formula: ScoreFormula) -> FormulaItem:
    return FormulaItem(
        formula.version, formula.name_zh, formula.name_en, formula.source, list(formula.terms)
    )


def rates_of(row: KpiRow) -> dict[str, Ratio]:
    """What a formula may name. The overdue ones ran out in the period and were not finished in
    it, whoever has them now."""
    return {
        "handling": ratio(row.handled, row.due_to_handle),
        "handling_in_time": ratio(row.handled_in_time, row.due_to_handle),
        "in_time": ratio(row.closed_in_time, row.due_to_close),
        "filing": ratio(row.filed, row.opened),
        "closing": ratio(row.closed, row.due_to_close),
        "rework": ratio(row.reworked, row.due_to_close),
        "returning": ratio(row.returned, row.sent),
        "postponing": ratio(row.postponed, row.due_to_handle),
        "overdue": ratio(row.due_to_handle - row.handled, row.due_to_handle),
        **{
            f"{clock}_in_time": ratio(
                getattr(row, f"{clock}_in_time"), getattr(row, f"{clock}_due")
            )
            for clock in CLOCKS
        },
    }


def figures(row: KpiRow, formula: ScoreFormula | None = None, mean_due: float = 0) -> Figures:
    """One group."""
    rates = rates_of(row)
    value = score(formula, {name: r.ratio for name, r in rates.items()}) if formula else None
    return Figures(
        key=row.key,
        name_zh=row.name_zh,
        name_en=row.name_en,
        opened=row.opened,
        filed=row.filed,
        handled=row.handled,
        closed=row.closed,
        reworked=row.reworked,
        returned=row.returned,
        returned_late=row.returned_late,
        handling=ratio(row.handled, row.due_to_handle),
        handling_in_time=ratio(row.handled_in_time, row.due_to_handle),
        in_time=ratio(row.closed_in_time, row.due_to_close),
        times={
            step: Spread(
                getattr(row, f"{step}_count"),
                getattr(row, f"{step}_median_s"),
                getattr(row, f"{step}_p90_s"),
            )
            for step in STEPS
        },
        sent=row.sent,
        postponed=row.postponed,
        rates=rates,
        score=value,
        band=band(formula, value) if formula else "",
        league=sure_of(row.handled_in_time, row.due_to_handle),
        load=row.due_to_handle / mean_due if mean_due else None,
    )


def ratio(num: int, den: int) -> Ratio:
    """Never 100 % of nothing."""
    return Ratio(num, den, num / den if den else None)
