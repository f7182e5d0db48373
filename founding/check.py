"""What is wrong between the files of a city folder, and the whole city where nothing is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import shapely
import shapely.prepared
from shapely.geometry import shape

from city.area import AreaKind
from city.category import Category
from city.clock import ClockKind
from city.errors import InvalidInput
from city.incident import Role
from city.person import UNBOUNDED
from city.place import Division
from founding.area_file import judge_areas, judge_limits
from founding.city_file import CITY_FILE, GRID_FILE
from founding.feeds_file import judge_feeds
from founding.folder import (
    CATEGORIES,
    DIVISIONS,
    DUTY_GRIDS,
    LIMITS,
    OUTLINES,
    PEOPLE,
    SQUADS,
    read_folder,
)
from founding.ground import (
    GridFinder,
    above,
    and_above,
    cells_without_duty_grid,
    default_duty_grids,
    ground_of,
    judge_duty_grids,
    uncovered_communities,
)
from founding.ground_fit import TOLERANCE_DEG, judge_cells, judge_outlines, judge_points
from founding.message_files import judge_channels, judge_steps
from founding.own_models import judge_models
from founding.parts import (
    COMMUNITY,
    DISTRICT,
    STREET,
    CalendarPart,
    Cell,
    City,
    District,
    Draft,
    DutyGrid,
    Entry,
    Fault,
    ModelPart,
    Person,
    PipeSection,
    Shipped,
    SquadPart,
    StageLimit,
    city_above,
)
from founding.pipes import PIPES
from founding.programmes import judge_assignments
from founding.raster import default_raster, make_cells, place_below
from founding.registers import read_registers
from founding.rosters import judge_rosters
from founding.run_cards import judge_cards, judge_certificates

# Who may ask for a change of gas safety, and approve one.
APPROVERS = (Role.GAS_ENGINEER, Role.ADMIN)

T = TypeVar("T")


def judge_folder(files: Mapping[str, bytes], shipped: Shipped) -> tuple[City | None, list[Fault]]:
    """The city that the files describe, or everything that is wrong with them."""
    draft, faults = read_folder(files)
    city = judge_draft(draft, shipped, faults)
    ordered = sorted(faults, key=lambda fault: (fault.file, fault.row or 0))
    return (None if faults else city), ordered


def judge_draft(draft: Draft, shipped: Shipped, faults: list[Fault]) -> City | None:
    """Add what is wrong between the files; without a district nothing can be compared."""
    district = draft.district
    if district is None or not district.outline:
        return None
    divisions = _divisions(draft, district, faults)
    grids = _duty_grids(draft, divisions, faults)
    squads = _squads(draft, divisions, grids, faults)
    people = _people(draft, divisions, squads, faults)
    rosters = None
    if draft.rosters is not None:
        rosters = judge_rosters(draft.rosters, squads, people, faults)
    certificates = None
    if draft.certificates is not None:
        certificates = judge_certificates(draft.certificates, people, faults)
    _second_person(district, people, faults)
    categories = _categories(draft, shipped, faults)
    rules = _rules(draft, shipped, categories, faults)
    if district.calendar not in shipped.calendars and not draft.years:
        problem = "is not shipped, and the folder has no calendar-YYYY.csv for it"
        faults.append(Fault(CITY_FILE, None, "calendar", district.calendar, problem))
    area = shape(dict(district.outline)).buffer(TOLERANCE_DEG)
    registers = read_registers(
        draft.register_files, shipped.registers, categories, area, draft.datums, faults
    )
    channels = None if draft.channels is None else judge_channels(draft.channels, faults)
    cells = _cells(draft, district, divisions, faults)
    if not faults:
        faults += cells_without_duty_grid(divisions, grids, cells)
    return City(
        district=district,
        divisions=divisions,
        duty_grids=grids,
        cells={cell.code: cell for cell in cells},
        squads=squads,
        people=people,
        categories=categories,
        stage_limits=_stage_limits(draft, shipped, faults),
        calendar=CalendarPart(district.calendar, draft.years, draft.windows),
        rules=rules,
        feeds=None if draft.feeds is None else judge_feeds(draft.feeds, district.code, faults),
        models=_models(draft, shipped, faults),
        pipes=_pipes(draft, district, faults),
        outlines=draft.outlines or None,
        areas=None
        if draft.areas is None
        else judge_areas(draft.areas, area, shipped.video_types, faults),
        video_limits=None
        if draft.video_limits is None
        else judge_limits(draft.video_limits, shipped.video_types, faults),
        channels=channels,
        escalation=None
        if draft.escalation is None
        else judge_steps(draft.escalation, channels, faults),
        rosters=rosters,
        certificates=certificates,
        run_cards=_run_cards(draft, [*shipped.categories, *categories], squads, faults),
        registers=registers,
        programmes=draft.programmes,
        assignments=None
        if draft.assignments is None
        else judge_assignments(
            draft.assignments,
            draft.programmes,
            [code for code, d in divisions.items() if d.level == STREET],
            faults,
        ),
    )


def _by_code(
    file: str,
    entries: Iterable[Entry[T]],
    code_of: Callable[[T], str],
    faults: list[Fault],
    name: str = "code",
) -> dict[str, T]:
    """Values by their code; the second of one code is a fault that names the row of the first."""
    found: dict[str, T] = {}
    rows: dict[str, int] = {}
    for entry in entries:
        code = code_of(entry.value)
        if code in found:
            problem = f"is in row {rows[code]} already"
            faults.append(Fault(file, entry.row, name, code, problem))
        else:
            found[code], rows[code] = entry.value, entry.row
    return found


# Divisions


def _divisions(draft: Draft, district: District, faults: list[Fault]) -> dict[str, Division]:
    found = _by_code(DIVISIONS, draft.divisions, lambda division: division.code, faults)
    if district.code not in found:
        above_it = city_above(district.code)
        found[district.code] = Division(district.code, DISTRICT, district.name_zh, above_it)
    for entry in draft.divisions:
        _check_division(entry, found, district, faults)
    rows = {entry.value.code: entry.row for entry in draft.divisions}
    faults += judge_points(
        district.outline, draft.outlines, draft.points, rows, DIVISIONS,
        stated=DIVISIONS in draft.datums.stated,
    )  # fmt: skip
    for code in draft.outlines:
        if code not in found:
            faults.append(Fault(OUTLINES, None, "code", code, f"is no division of {DIVISIONS}"))
    faults += judge_outlines(district.outline, draft.outlines, found, draft.datums)
    return found


def _check_division(
    entry: Entry[Division],
    known: Mapping[str, Division],
    district: District,
    faults: list[Fault],
) -> None:
    division = entry.value
    if not division.code.startswith(district.code):
        problem = f"is no code of district {district.code}"
        faults.append(Fault(DIVISIONS, entry.row, "code", division.code, problem))
        return
    if division.level not in district.levels:
        problem = f"must be one of {', '.join(district.levels)}"
        faults.append(Fault(DIVISIONS, entry.row, "level", division.level, problem))
        return
    if division.level == DISTRICT:
        return
    parent = known.get(division.parent)
    wanted = district.levels[district.levels.index(division.level) - 1]
    problem = ""
    if parent is None:
        problem = f"is no division of {DIVISIONS}"
    elif parent.level != wanted:
        problem = f"is a {parent.level}, and a {division.level} lies in a {wanted}"
    elif not division.code.startswith(parent.code) or division.code == parent.code:
        problem = f"is not how {division.code} begins"
    if problem:
        faults.append(Fault(DIVISIONS, entry.row, "parent", division.parent, problem))


def _duty_grids(
    draft: Draft, divisions: Mapping[str, Division], faults: list[Fault]
) -> dict[str, DutyGrid]:
    if draft.duty_grids is None:
        return default_duty_grids(divisions)
    found = _by_code(DUTY_GRIDS, draft.duty_grids, lambda grid: grid.code, faults)
    judge_duty_grids(draft.duty_grids, divisions, faults)
    if not any(fault.file in (DIVISIONS, DUTY_GRIDS) for fault in faults):
        faults += uncovered_communities(divisions, found)
    return found


# Models and pipes


def _run_cards(
    draft: Draft,
    categories: Iterable[str],
    squads: Mapping[str, SquadPart],
    faults: list[Fault],
) -> Mapping[str, str] | None:
    if draft.run_cards is not None:
        areas = None
        if draft.areas is not None:
            areas = {*AreaKind, *(entry.value.code for entry in draft.areas)}
        judge_cards(draft.run_cards, categories, areas, squads, faults)
    return draft.run_cards


def _models(draft: Draft, shipped: Shipped, faults: list[Fault]) -> Mapping[str, ModelPart] | None:
    if draft.models is not None:
        judge_models(draft.models, shipped.check_model, faults)
    return draft.models


def _pipes(draft: Draft, district: District, faults: list[Fault]) -> dict[str, PipeSection] | None:
    """Sections by code; one that has no point near the district is of another."""
    if draft.pipes is None:
        return None
    found: dict[str, PipeSection] = {}
    features: dict[str, int] = {}
    area = shapely.prepared.prep(shape(dict(district.outline)).buffer(TOLERANCE_DEG))
    for entry in draft.pipes:
        code = entry.value.code
        if code in found:
            problem = f"is in feature {features[code]} already"
            faults.append(Fault(PIPES, entry.row, "code", code, problem))
            continue
        found[code], features[code] = entry.value, entry.row
        if not area.intersects(shapely.LineString(entry.value.line)):
            lon, lat = entry.value.line[0]
            problem = "lies outside the boundary: is the datum of the file right?"
            faults.append(Fault(PIPES, entry.row, "geometry", f"{lon:g}, {lat:g}", problem))
    return found


# The unit grid


def _cells(
    draft: Draft, district: District, divisions: Mapping[str, Division], faults: list[Fault]
) -> Sequence[Cell]:
    """None without grid.toml; none are made of what has faults already."""
    if draft.cells is not None:
        return _own_cells(draft, district, divisions, faults)
    if not draft.has_grid or faults:
        return ()
    communities = (code for code, d in divisions.items() if d.level == COMMUNITY)
    streets = {code: above(divisions, code, STREET) for code in communities}
    if not streets:
        problem = f"needs communities: {DIVISIONS} has none"
        faults.append(Fault(GRID_FILE, None, "", "", problem))
        return ()
    raster = draft.raster or default_raster(district.outline)
    cells = make_cells(
        district.outline, raster, streets, draft.points, draft.outlines, faults, GRID_FILE
    )
    return place_below(cells, divisions, draft.points, draft.outlines)


def _own_cells(
    draft: Draft, district: District, divisions: Mapping[str, Division], faults: list[Fault]
) -> Sequence[Cell]:
    entries = draft.cells or ()
    found = _by_code(draft.cells_file, entries, lambda cell: cell.code, faults)
    for entry in entries:
        community = divisions.get(entry.value.community)
        if community is None or community.level != COMMUNITY:
            problem = f"begins with {entry.value.community}, which is no community of {DIVISIONS}"
            code = entry.value.code
            faults.append(Fault(draft.cells_file, entry.row, "code", code, problem))
        elif entry.value.community not in and_above(divisions, entry.value.division):
            problem = f"is no division of {DIVISIONS} in {community.code}"
            value = entry.value.division
            faults.append(Fault(draft.cells_file, entry.row, "division", value, problem))
    faults += judge_cells(district.outline, list(found.values()), draft.datums, draft.cells_file)
    for one, other in _overlaps([entry.value for entry in entries]):
        code, problem = entries[other].value.code, f"overlaps the cell of row {entries[one].row}"
        faults.append(Fault(draft.cells_file, entries[other].row, "code", code, problem))
    return [
        replace(cell, street=above(divisions, cell.community, STREET)) for cell in found.values()
    ]


def _overlaps(cells: Sequence[Cell]) -> list[tuple[int, int]]:
    """Pairs of cells that share ground: a place lies in one cell."""
    if not cells:
        return []
    edges = np.array([(c.west, c.south, c.east, c.north) for c in cells])
    # A millionth of a degree is 0.1 m: neighbours whose shared edge was rounded do not overlap.
    boxes = [shapely.box(*box) for box in edges + np.array([1, 1, -1, -1]) * 1.5e-6]
    pairs = shapely.STRtree(boxes).query(boxes, predicate="intersects").T
    return [(int(a), int(b)) for a, b in pairs if a < b]


# Squads and people


def _squads(
    draft: Draft,
    divisions: Mapping[str, Division],
    grids: Mapping[str, DutyGrid],
    faults: list[Fault],
) -> dict[str, SquadPart]:
    found = _by_code(SQUADS, draft.squads, lambda squad: squad.code, faults)
    rows = {entry.value.code: entry.row for entry in draft.squads}
    finder = GridFinder(divisions, grids.values())
    return {
        code: replace(squad, grids=ground_of(squad.grids, rows[code], divisions, finder, faults))
        for code, squad in found.items()
    }


def _people(
    draft: Draft,
    divisions: Mapping[str, Division],
    squads: Mapping[str, SquadPart],
    faults: list[Fault],
) -> dict[str, Person]:
    found = _by_code(PEOPLE, draft.people, lambda person: person.name, faults, "name")
    for entry in draft.people:
        person = entry.value
        if person.role == Role.SQUAD_LEADER and not person.squad:
            problem = "is missing: a squad leader needs a squad"
            faults.append(Fault(PEOPLE, entry.row, "squad", "", problem))
        elif person.squad and person.squad not in squads:
            problem = f"is no squad of {SQUADS}"
            faults.append(Fault(PEOPLE, entry.row, "squad", person.squad, problem))
        for code in sorted(person.divisions or ()):
            if code not in divisions or divisions[code].level == DISTRICT:
                problem = f"is no division of {DIVISIONS} below the district"
                faults.append(Fault(PEOPLE, entry.row, "divisions", code, problem))
        if person.divisions and person.role in UNBOUNDED:
            problem = f"must be empty: role {person.role} answers for the whole district"
            value = ";".join(sorted(person.divisions))
            faults.append(Fault(PEOPLE, entry.row, "divisions", value, problem))
    return found


def _second_person(district: District, people: Mapping[str, Person], faults: list[Fault]) -> None:
    """Where one asks and another approves there are two."""
    able = [name for name, person in people.items() if person.role in APPROVERS]
    if district.four_eyes and len(able) < 2:
        words = " or ".join(role.value for role in APPROVERS)
        problem = f"needs two people of {PEOPLE} who are {words}: one asks, another approves"
        faults.append(Fault(CITY_FILE, None, "four_eyes", "true", problem))


# Categories, limits, rules


def _categories(draft: Draft, shipped: Shipped, faults: list[Fault]) -> dict[str, Category]:
    """Those of the folder, else the shipped ones, with the limits of handling of the folder."""
    if draft.categories is None:
        found = dict(shipped.categories)
    else:
        found = _by_code(CATEGORIES, draft.categories, lambda category: category.code, faults)
    seen: dict[str, int] = {}
    for entry in draft.limits:
        code = entry.value.category
        if entry.value.clock != ClockKind.HANDLE:
            continue
        if code in seen or code not in found:
            there = f"is in row {seen[code]} already" if code in seen else "is no category"
            faults.append(Fault(LIMITS, entry.row, "category", code, there))
            continue
        seen[code] = entry.row
        limit = entry.value.limit
        found[code] = replace(found[code], handle_limit=limit.amount, handle_unit=limit.unit.value)
    return found


def _stage_limits(draft: Draft, shipped: Shipped, faults: list[Fault]) -> dict[str, StageLimit]:
    entries = [entry for entry in draft.limits if entry.value.clock != ClockKind.HANDLE]
    own = _by_code(LIMITS, entries, lambda limit: limit.clock, faults, "clock")
    made = {clock: StageLimit(clock, row.limit, row.source) for clock, row in own.items()}
    return {**shipped.stage_limits, **made}


def _rules(
    draft: Draft, shipped: Shipped, categories: Mapping[str, Category], faults: list[Fault]
) -> dict[str, str]:
    """Texts of the folder's own rules by code. The shipped ones hold beside them."""
    texts: dict[str, str] = {}
    files: dict[str, str] = {}
    for file, text in draft.rules.items():
        try:
            rule = shipped.parse_rule(text, file)
        except InvalidInput as first:
            for error in shipped.rule_faults(text, file) or (first,):
                name = "" if error.field == file else error.field.removeprefix(f"{file}: ")
                faults.append(Fault(file, None, name, str(error.value), error.problem))
            continue
        if rule.code in files:
            problem = f"is the rule of {files[rule.code]} already"
            faults.append(Fault(file, None, "code", rule.code, problem))
        elif rule.category not in categories:
            faults.append(Fault(file, None, "category", rule.category, "is no category"))
        texts[rule.code], files[rule.code] = text, file
    for code, category in sorted(shipped.rules.items()):
        if code not in texts and category not in categories:
            problem = f"is missing: the shipped rule {code} raises alarms of it"
            faults.append(Fault(CATEGORIES, None, "code", category, problem))
    return texts
