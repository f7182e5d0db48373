"""Who incidents are with, as far as it decides what a reader may see of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from city.category import GAS_RELEASE
from city.incident import IncidentState
from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Case:
    """State, squad, and whether a gas engineer must release the site."""

    state: IncidentState
    squad: str | None
    needs_release: bool


def find_cases(conn: Connection, ids: Collection[int]) -> dict[int, Case]:
    """Incidents by id; what does not exist is left out."""
    rows = conn.execute(
        """
        SELECT i.id, i.state, i.squad, %s = ANY (c.closing_evidence)
        FROM incident i
        JOIN incident_category c ON (c.code, c.version) = (i.category, i.category_version)
        WHERE i.id = ANY(%s)
        """,
        (GAS_RELEASE, list(ids)),
    ).fetchall()
    return {row[0]: Case(IncidentState(row[1]), row[2], row[3]) for row in rows}
