"""What the scripts of a page know before anything else is loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from city.person import Caller
from city.reading import METRICS
from dashboard.shell import i18n
from dashboard.shell.i18n.times import TIMEZONE
from dashboard.shell.parts import parts
from db.categories import list_in_force
from db.pool import transaction


def page_json(
    caller: Caller, lang: str, shade: str, worker: str, areas: Sequence[str] = (), **more: Any
) -> str:
    """A data block: no script runs, so the content security policy needs no exception for it.
    `areas`: only texts whose key begins with one of these; none named: all. `more` is what a single
    screen adds."""
    with transaction(parts().pool) as conn:
        categories = [
            [row.code, row.name_zh, row.name_en] for row in list_in_force(conn, caller.district)
        ]
    entries = i18n.texts(lang).entries
    page = {
        "lang": lang,
        "theme": shade,
        "timezone": TIMEZONE,
        "worker": worker,
        "user": {
            "name": caller.name,
            "role": caller.role,
            "squad": caller.squad,
            "within": None if caller.within is None else list(caller.within.names),
        },
        "units": {metric.name: metric.unit for metric in METRICS.values()},
        "categories": categories,
        "texts": {k: v for k, v in entries.items() if not areas or k.startswith(tuple(areas))},
        **more,
    }
    return json.dumps(page, ensure_ascii=False).replace("<", "\\u003c")
