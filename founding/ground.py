"""Divisions above and below one another, and the duty grids (责任网格) made of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from city.place import Division
from founding.folder import DIVISIONS, DUTY_GRIDS, SQUADS
from founding.parts import COMMUNITY, Cell, City, DutyGrid, Entry, Fault

# Of the one duty grid for each community.
PREFIX, NAME_END = "DG", "责任网格"

Divisions = Mapping[str, Division]


def and_above(divisions: Divisions, code: str) -> Iterator[str]:
    """A division and those it lies in, upwards. Codes get shorter: one that does not is a fault,
    and no circle."""
    while code in divisions:
        yield code
        parent = divisions[code].parent
        if len(parent) >= len(code):
            return
        code = parent


def above(divisions: Divisions, code: str, level: str) -> str:
    """The division of a level in which another one lies; empty where there is none."""
    return next((c for c in and_above(divisions, code) if divisions[c].level == level), "")


def children_of(divisions: Divisions) -> dict[str, list[str]]:
    """Codes by that of their parent, sorted."""
    found: dict[str, list[str]] = {}
    for code in sorted(divisions):
        found.setdefault(divisions[code].parent, []).append(code)
    return found


class GridFinder:
    """Duty grids by where they lie: that of a division, and those inside of one."""

    def __init__(self, divisions: Divisions, grids: Iterable[DutyGrid]) -> None:
        self._divisions = divisions
        self._named: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._parts: dict[str, Counter[str]] = {}
        for grid in grids:
            self._sizes[grid.code] = len(grid.divisions)
            for part in grid.divisions:
                self._named[part] = grid.code
                for code in and_above(divisions, part):
                    self._parts.setdefault(code, Counter())[grid.code] += 1

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(self._sizes)

    def find(self, division: str) -> str | None:
        """The duty grid that names a division or one it lies in."""
        above = and_above(self._divisions, division)
        return next((self._named[code] for code in above if code in self._named), None)

    def grid_of(self, division: str) -> str:
        """As `find`, of a city without fault."""
        found = self.find(division)
        assert found is not None, f"division {division} lies in no duty grid"
        return found

    def within(self, division: str) -> tuple[set[str], str]:
        """The duty grids that lie wholly in a division, and the first that it cuts."""
        parts = self._parts.get(division, Counter())
        whole = {code for code, count in parts.items() if count == self._sizes[code]}
        cut = parts.keys() - whole
        around = self.find(division)
        if around is not None and around not in whole:
            cut.add(around)
        return whole, min(cut, default="")


def default_duty_grids(divisions: Divisions) -> dict[str, DutyGrid]:
    """One for each community."""
    communities = (d for d in divisions.values() if d.level == COMMUNITY)
    made = (
        DutyGrid(f"{PREFIX}{d.code}", f"{d.name}{NAME_END}", frozenset({d.code}))
        for d in communities
    )
    return {grid.code: grid for grid in made}


def has_own_duty_grids(city: City) -> bool:
    return city.duty_grids != default_duty_grids(city.divisions)


def judge_duty_grids(
    entries: Iterable[Entry[DutyGrid]], divisions: Divisions, faults: list[Fault]
) -> None:
    """Each names divisions that are there, and no ground of another."""
    rows: dict[str, int] = {}
    for entry in entries:
        grid = entry.value
        if grid.code in divisions and grid.divisions != {grid.code}:
            problem = "is the code of a division that is not all of it"
            faults.append(Fault(DUTY_GRIDS, entry.row, "code", grid.code, problem))
        for part in sorted(grid.divisions):
            if part not in divisions:
                problem = f"is no division of {DIVISIONS}"
                faults.append(Fault(DUTY_GRIDS, entry.row, "divisions", part, problem))
            elif part in rows:
                problem = f"is in the duty grid of row {rows[part]} already"
                faults.append(Fault(DUTY_GRIDS, entry.row, "divisions", part, problem))
            else:
                rows[part] = entry.row
    for part, row in rows.items():
        upper = (c for c in and_above(divisions, part) if c != part and c in rows)
        for code in upper:
            if rows[code] != row:
                problem = f"lies in {code}, which is in the duty grid of row {rows[code]}"
                faults.append(Fault(DUTY_GRIDS, row, "divisions", part, problem))
                break


def uncovered_communities(divisions: Divisions, grids: Mapping[str, DutyGrid]) -> Iterator[Fault]:
    """Communities that no duty grid has, whole or in all of their parts."""
    finder, parts = GridFinder(divisions, grids.values()), children_of(divisions)

    def missing(code: str) -> list[str]:
        if finder.find(code):
            return []
        below = [(part, missing(part)) for part in parts.get(code, ())]
        if all(lacks == [part] for part, lacks in below):
            return [code]
        return [lack for _, lacks in below for lack in lacks]

    for code in sorted(c for c, d in divisions.items() if d.level == COMMUNITY):
        lacks = missing(code)
        if lacks == [code]:
            problem = "is a community that no duty grid covers"
            yield Fault(DUTY_GRIDS, None, "divisions", code, problem)
        elif lacks:
            problem = f"is a community of which no duty grid covers {', '.join(lacks)}"
            yield Fault(DUTY_GRIDS, None, "divisions", code, problem)


def cells_without_duty_grid(
    divisions: Divisions, grids: Mapping[str, DutyGrid], cells: Iterable[Cell]
) -> Iterator[Fault]:
    """Cells beside all parts of a division whose parts are given to duty grids one by one."""
    finder = GridFinder(divisions, grids.values())
    count = Counter(cell.division for cell in cells)
    for code in sorted(count):
        if finder.find(code) is None:
            problem = f"has {count[code]} cells in none of its parts, and no duty grid covers it"
            yield Fault(DUTY_GRIDS, None, "divisions", code, problem)


def ground_of(
    names: Iterable[str], row: int, divisions: Divisions, finder: GridFinder, faults: list[Fault]
) -> frozenset[str]:
    """The duty grids that a squad names, themselves or by the divisions they lie in; every one
    where it names nothing."""
    found: set[str] = set()
    wanted = sorted(names)
    if not wanted:
        return finder.codes
    for name in wanted:
        if name in finder.codes:
            found.add(name)
            continue
        whole, cut = finder.within(name)
        found |= whole
        problem = ""
        if name not in divisions:
            problem = f"is neither a duty grid nor a division of {DIVISIONS}"
        elif cut:
            problem = f"has only a part of duty grid {cut}"
        elif not whole and not faults:  # others may be why
            problem = "has no duty grid in it"
        if problem:
            faults.append(Fault(SQUADS, row, "grids", name, problem))
    return frozenset(found)
