"""Key figures of a period for page and API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from city.person import Caller
from dashboard.screens.kpi import key_figures
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from db.kpi import list_kpi
from db.pool import transaction

# The key figures look at most this far back in one question.
KPI_SPAN = timedelta(days=3 * 366)


def kpi(caller: Caller, from_: datetime, to: datetime, by: str) -> dict[str, Any]:
    """Key figures of [from_, to): one entry a group and one for all of them together."""
    key_figures.check_span(from_, to, KPI_SPAN)
    with transaction(parts().pool) as conn:
        groups = list_kpi(conn, caller.scope, from_, to, by)
        total = groups if by == "district" else list_kpi(conn, caller.scope, from_, to, "district")
    body: dict[str, Any] = as_plain(key_figures.build_figures(groups, total, from_, to, by))
    return body
