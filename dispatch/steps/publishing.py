"""Key figures of a month, quarter or year are published, and restated only by a recorded act."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from city.errors import Conflict, Forbidden, InvalidInput
from city.event import NewEvent
from city.incident import Role
from city.period import Period, last_ended, parse_period
from city.person import DUTY_CHIEFS, Caller, system_caller
from city.scope import Scope
from city.score import ScoreFormula
from db import districts, kpi_publications, places, scores
from db.events import append_events
from db.kpi import GROUPINGS, list_kpi
from db.kpi_publications import Edition, figures_json
from db.pool import Connection

# Published by itself so long after its end: what ran out at the last moment has been said by then.
AFTER_END = timedelta(minutes=10)
WHY_MAX = 2_000
# Figures whose change a restatement names.
NAMED = ("opened", "filed", "due_to_handle", "handled", "handled_in_time", "due_to_close", "closed",
         "closed_in_time", "reworked", "returned", "returned_late")  # fmt: skip


def publish(conn: Connection, caller: Caller, name: str, now: datetime) -> Edition:
    """Freeze the figures of a period that is over."""
    _check_may(caller)
    period = parse_period(name, places.zone_of(conn, caller.district))
    if now < period.end:
        raise InvalidInput("period", name, f"is not over before {period.end.isoformat()}")
    known = kpi_publications.list_editions(conn, caller.district, name)
    if known:
        raise _published(known[-1])
    return _publish(conn, caller, period, 1, "", _figures(conn, caller.district, period), now)


def restate(conn: Connection, caller: Caller, name: str, why: str, now: datetime) -> Edition:
    """Publish what the log says now instead; the earlier edition stays beside it."""
    _check_may(caller)
    why = why.strip()
    if not why or len(why) > WHY_MAX:
        raise InvalidInput("why", why[:80], f"must have 1 to {WHY_MAX} characters")
    period = parse_period(name, places.zone_of(conn, caller.district))
    known = kpi_publications.list_editions(conn, caller.district, name)
    if not known:
        raise Conflict(
            f"{name} is not published yet: publish it", current={"refused": "not_published"}
        )
    figures = _figures(conn, caller.district, period)
    if _says_the_same(known[-1].figures, figures):
        raise Conflict(
            f"the log says of {name} what edition {known[-1].edition} says",
            current={"refused": "nothing_differs", "edition": known[-1].edition},
        )
    return _publish(conn, caller, period, known[-1].edition + 1, why, figures, now)


def apply_formula(conn: Connection, caller: Caller, formula: ScoreFormula, now: datetime) -> int:
    """Put a formula of scores in force from now on; the number of its version."""
    _check_may(caller)
    version = scores.insert_formula(conn, caller.district, formula, caller.name, now)
    told = {"version": version, "name_zh": formula.name_zh, "name_en": formula.name_en}
    kind = "kpi.formula_applied"
    append_events(
        conn, [NewEvent(now, caller.district, kind, f"kpi:formula {version}", caller.name, told)]
    )
    return version


def publish_due(conn: Connection, now: datetime) -> int:
    """Publish what ended lately and nobody has published; how many periods that were."""
    count = 0
    for code in districts.list_codes(conn):
        caller = system_caller(code)
        for period in last_ended(now - AFTER_END, places.zone_of(conn, code)):
            if kpi_publications.list_editions(conn, code, period.name):
                continue
            if kpi_publications.has_facts(conn, code, period.start, period.end):
                figures = _figures(conn, code, period)
                _publish(conn, caller, period, 1, "", figures, now)
                count += 1
    return count


def _publish(
    conn: Connection,
    caller: Caller,
    period: Period,
    edition: int,
    why: str,
    figures: dict[str, list[dict[str, Any]]],
    now: datetime,
) -> Edition:
    before = kpi_publications.list_editions(conn, caller.district, period.name)
    stored = kpi_publications.insert_edition(
        conn, caller.district, period.name, period.start, period.end, edition, caller.name, why,
        figures, now,
    )  # fmt: skip
    newest = kpi_publications.list_editions(conn, caller.district, period.name)[-1]
    if not stored:
        raise _published(newest)
    told: dict[str, Any] = {"period": period.name, "edition": edition}
    if edition > 1:
        told |= {"why": why, "changed": differing(before[-1], newest)}
    kind = "kpi.published" if edition == 1 else "kpi.restated"
    append_events(
        conn, [NewEvent(now, caller.district, kind, f"kpi:{period.name}", caller.name, told)]
    )
    return newest


def differing(before: Edition, after: Edition) -> dict[str, list[int]]:
    """Counts of the whole district that differ between two editions: [before, after]."""
    old, new = (_whole(edition) for edition in (before, after))
    return {
        name: [old.get(name, 0), new.get(name, 0)]
        for name in NAMED
        if old.get(name, 0) != new.get(name, 0)
    }


def _says_the_same(
    published: dict[str, list[dict[str, Any]]], counted: dict[str, list[dict[str, Any]]]
) -> bool:
    """Whether what was published would be published again; what was not counted then is no
    difference."""
    return all(
        len(rows) == len(counted.get(by, []))
        and all(
            row.items() <= now.items() for row, now in zip(rows, counted.get(by, []), strict=True)
        )
        for by, rows in published.items()
    )


def _whole(edition: Edition) -> dict[str, Any]:
    rows = edition.figures.get("district", [])
    return rows[0] if rows else {}


def _figures(conn: Connection, district: str, period: Period) -> dict[str, list[dict[str, Any]]]:
    return figures_json(
        {by: list_kpi(conn, Scope(district), period.start, period.end, by) for by in GROUPINGS}
    )


def _check_may(caller: Caller) -> None:
    if caller.role not in (*DUTY_CHIEFS, Role.SYSTEM):
        takes = ", ".join(sorted(role.value for role in DUTY_CHIEFS))
        raise Forbidden(f"{caller.role.value} may not do this; it takes one of: {takes}")
    if caller.within is not None:
        raise Forbidden(f"figures are published of the whole district, not of {caller.within}")


def _published(newest: Edition) -> Conflict:
    return Conflict(
        f"{newest.period} was published by {newest.published_by} at "
        f"{newest.published_at.isoformat(timespec='seconds')}: restate it, with the reason",
        current={"refused": "published", "edition": newest.edition},
    )
