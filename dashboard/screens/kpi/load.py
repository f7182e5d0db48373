"""Key figures of a period for page and API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from city.errors import InvalidInput
from city.forecast import Calibration
from city.person import Caller
from dashboard.screens.kpi import key_figures
from dashboard.shell.changes import CREATED, Once, change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db import kpi_publications, scores
from db.idempotency import StoredAnswer
from db.incidents import list_by_id
from db.kpi import list_counted
from db.kpi_publications import Edition
from db.pool import Connection, transaction
from db.tallies import GROUPINGS, list_figures

# The key figures look at most this far back in one question.
KPI_SPAN = timedelta(days=10 * 366)


def kpi(
    caller: Caller, from_: datetime, to: datetime, by: str, edition: int | None = None
) -> dict[str, Any]:
    """Key figures of [from_, to): one entry a group and one for all of them together. Of a period
    that was published they are those of its newest edition, or of the one that is asked for."""
    key_figures.check_span(from_, to, KPI_SPAN)
    if by not in GROUPINGS:
        raise InvalidInput("by", by, "must be one of " + ", ".join(GROUPINGS))
    with transaction(parts().pool) as conn:
        # What was published is of the whole district.
        bounded = caller.scope.within is not None
        editions = (
            [] if bounded else kpi_publications.list_editions_of(conn, caller.district, from_, to)
        )
        shown = _edition(editions, edition)
        if shown is not None and by not in shown.figures:
            shown = None  # it was published without this grouping: as the log says it now
        if shown is not None:
            groups, total = shown.rows(by), shown.rows("district")
        else:
            groups = list_figures(conn, caller.scope, from_, to, by)
            total = groups
            if by != "district":
                total = list_figures(conn, caller.scope, from_, to, "district")
        formula = scores.find_formula(conn, caller.district, to)
    found = key_figures.build_figures(groups, total, from_, to, by, shown, editions, formula)
    body: dict[str, Any] = as_plain(found)
    return body


# Rows behind a figure that one answer shows.
CASES_MAX = 500


def counted_cases(
    caller: Caller, from_: datetime, to: datetime, by: str, key: str | None, figure: str
) -> list[dict[str, Any]]:
    """The newest `CASES_MAX` cases that a figure counts, as the log says it now."""
    key_figures.check_span(from_, to, KPI_SPAN)
    with transaction(parts().pool) as conn:
        rows = list_counted(conn, caller.scope, from_, to, by, key, figure, CASES_MAX)
        known = {i.id: i for i in list_by_id(conn, [row[0] for row in rows], caller.district)}
    items: list[dict[str, Any]] = as_plain(
        [
            key_figures.CountedCase(
                i.id, i.number, at, i.title_zh, i.title_en, i.state.value, i.squad
            )
            for case, at in rows
            for i in [known.get(case)]
            if i is not None
        ]
    )
    return items


def _edition(editions: list[Edition], wanted: int | None) -> Edition | None:
    if wanted is None:
        return editions[-1] if editions else None
    found = [edition for edition in editions if edition.edition == wanted]
    if not found:
        raise InvalidInput("edition", wanted, "was not published of this period")
    return found[0]


def calibration(caller: Caller, now: datetime) -> list[Calibration]:
    """Of the whole district: a bounded caller has none."""
    if caller.scope.within is not None:
        return []
    with transaction(parts().pool) as conn:
        return list(parts().ports.incidents.read_calibration(conn, caller.district, now))


def publications(caller: Caller) -> list[dict[str, Any]]:
    """Every edition of every published period, newest period first; they are of whole districts."""
    if caller.scope.within is not None:
        return []
    with transaction(parts().pool) as conn:
        found = kpi_publications.list_editions(conn, caller.district)
    items: list[dict[str, Any]] = as_plain([key_figures.edition_item(e) for e in found])
    return items


def publish(caller: Caller, period: str, once: Once | None) -> StoredAnswer:
    """Freeze the figures of a period; answers with its first edition."""

    def work(conn: Connection, now: datetime) -> Any:
        done = parts().ports.incidents.publish(conn, caller, period, now)
        return key_figures.edition_item(done)

    return change(caller, work, once=once, status=CREATED)


def restate(caller: Caller, period: str, why: str, once: Once | None) -> StoredAnswer:
    """Publish a period anew; answers with the new edition."""

    def work(conn: Connection, now: datetime) -> Any:
        done = parts().ports.incidents.restate(conn, caller, period, why, now)
        return key_figures.edition_item(done)

    return change(caller, work, once=once, status=CREATED)
