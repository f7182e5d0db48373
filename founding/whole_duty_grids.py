"""Over a whole folder: a squad that answers for a part of a duty grid answers for the whole of it.
Pure."""

from __future__ import annotations

from collections.abc import Mapping

from founding.export import csv_text
from founding.folder import DIVISIONS, DUTY_GRIDS, SQUADS
from founding.forms import LIST_SEPARATORS, header_of, table_of_csv

GRIDS = "grids"


def with_whole_grids(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with every squad at whole duty grids; the same where that changes nothing."""
    names = header_of(files.get(SQUADS, b""))
    rows = table_of_csv(files.get(SQUADS, b""), names or ("code",))
    if not rows or GRIDS not in names:
        return dict(files)
    at, around = names.index(GRIDS), _grids_around(files)
    for row in rows:
        wanted = [name for name in LIST_SEPARATORS.split(row[at]) if name]
        row[at] = ";".join(dict.fromkeys(around.get(name, name) for name in wanted))
    return {**files, SQUADS: csv_text(names, rows).encode()}


def _grids_around(files: Mapping[str, bytes]) -> dict[str, str]:
    """The duty grid that a division lies in, where it is no whole one, by the division."""
    divisions = table_of_csv(files.get(DIVISIONS, b""), ("code", "parent")) or []
    parents = {row[0]: row[1] for row in divisions}
    grids = table_of_csv(files.get(DUTY_GRIDS, b""), ("code", "divisions")) or []
    parts = {code: [p for p in LIST_SEPARATORS.split(given) if p] for code, given in grids}
    named = {part: code for code, given in parts.items() for part in given}
    around: dict[str, str] = {}
    for code in parents:
        above, seen = code, set[str]()
        while above in parents and above not in named and above not in seen:
            seen.add(above)
            above = parents[above]
        grid = named.get(above)
        if grid is not None and (above != code or len(parts[grid]) > 1):
            around[code] = grid
    return around
