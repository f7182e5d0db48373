"""Read a city folder: bytes of its files to typed values, each file for itself, and every fault
that a file has alone. What is wrong between files is for `founding.check`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, time
from typing import TypeVar

from city.category import Category
from city.certificate import Certificate
from city.clock import ClockKind, Limit
from city.datum import Datum
from city.errors import InvalidInput
from city.incident import Role
from city.limits import parse_limit
from city.place import Division, LonLat
from city.roster import Duty
from city.squad import Shift
from founding.area_file import AREAS, VIDEO, VIDEO_COLUMNS, read_areas, video_limit
from founding.boundary import read_boundary, read_outlines
from founding.city_file import CITY_FILE, GRID_FILE, GridOrder, read_city_file, read_grid_file
from founding.datums import box_of
from founding.feeds_file import FEEDS, NO, YES, read_feeds
from founding.message_files import (
    CHANNELS,
    ESCALATION,
    ESCALATION_COLUMNS,
    read_channels,
    read_step,
)
from founding.own_models import is_model_file, read_models
from founding.parts import (
    COMMUNITY,
    DISTRICT,
    OFFICIAL_DIGITS,
    Cell,
    Draft,
    DutyGrid,
    Entry,
    Fault,
    LimitRow,
    Person,
    RosterRow,
    SquadPart,
    city_above,
)
from founding.pipes import PIPES, read_pipes
from founding.programmes import ASSIGNED, ASSIGNED_COLUMNS, read_assignment, read_programmes
from founding.programmes import FILE as PROGRAMME
from founding.registers import FILE as REGISTER
from founding.run_cards import CERTIFICATES, is_card_file, read_cards
from founding.sheets import Line, read_lines

BOUNDARY, OUTLINES = "boundary.geojson", "divisions.geojson"
DIVISIONS, SQUADS, PEOPLE = "divisions.csv", "squads.csv", "people.csv"
DUTY_GRIDS, ROSTER = "duty-grids.csv", "roster.csv"
CATEGORIES, LIMITS = "categories.csv", "limits.csv"
CALENDAR = re.compile(r"calendar-(\d{4})\.csv")
RULE = re.compile(r"rules/[^/]+\.toml")
KNOWN = (
    CITY_FILE, GRID_FILE, BOUNDARY, OUTLINES, DIVISIONS, DUTY_GRIDS, SQUADS, PEOPLE, ROSTER,
    CERTIFICATES, CATEGORIES, LIMITS, FEEDS, PIPES, AREAS, VIDEO, CHANNELS, ESCALATION,
    ASSIGNED,
)  # fmt: skip
NEEDED = (CITY_FILE, BOUNDARY)
# A file of another name with such an end was meant to be one of ours.
OURS = (".csv", ".toml", ".geojson", ".json", ".js")

CELL_COLUMNS = ("code", "west", "south", "east", "north")
GRID_LINES_MAX, UNSAID = 1_000_000, -1
CELL_OPTIONAL = ("division", "column", "row")
CATEGORY_COLUMNS = (
    "code", "class", "family", "severity", "skill", "limit", "closing_evidence", "name_zh",
    "name_en", "source", "valid_from",
)  # fmt: skip
CATEGORY_OPTIONAL = (
    "code_system", "gas_free_minutes", "filing_condition_zh", "filing_condition_en",
)  # fmt: skip
EVIDENCE = ("photo_after", "check_photo", "note", "gas_release")
ROLES = tuple(role.value for role in Role if role is not Role.SYSTEM)
CLOCKS = tuple(clock.value for clock in ClockKind)
CLOCK = re.compile(r"(\d{1,2}):([0-5]\d)(?::00)?")  # spreadsheets add seconds
MIDNIGHT = "24:00"
DAYS = re.compile(r"[1-7](?:[-,][1-7])*")
SHIFT = re.compile(r"([1-7](?:[-,][1-7])*)\s+(\d\d:\d\d)-(\d\d:\d\d)")
# As long as an account's name may be (`db.users`), and without what it may not have.
NAME = re.compile(r"[^\s:/]{1,64}")
# Codes stand in lists that semicolons separate.
GRID_CODE = re.compile(r"[^\s;；]{1,64}")

T = TypeVar("T")


def read_folder(files: Mapping[str, bytes]) -> tuple[Draft, list[Fault]]:
    """`files` are the contents by name, those below `rules/`, `models/`, `run-cards/` and
    `registers/` with their folder."""
    faults = [
        Fault(name, None, "", "", "is missing from the folder") for name in NEEDED
        if name not in files
    ]  # fmt: skip
    city = read_city_file(files.get(CITY_FILE, b""), faults)
    datums, district = city.datums, city.district
    outline, outlines = None, {}
    if BOUNDARY in files:
        outline = read_boundary(
            BOUNDARY, files[BOUNDARY], datums.of(BOUNDARY), faults, enclaves=city.enclaves
        )
    if OUTLINES in files:
        outlines = read_outlines(OUTLINES, files[OUTLINES], datums.of(OUTLINES), faults)
    order = GridOrder()
    if GRID_FILE in files:
        order = read_grid_file(files[GRID_FILE], datums.of(GRID_FILE), faults)
    points: dict[str, LonLat] = {}
    draft = Draft(
        district=replace(district, outline=outline or {}) if district else None,
        windows=city.windows,
        datums=datums,
        divisions=_table(
            files, DIVISIONS, _division(points, datums.of(DIVISIONS)), DIVISION_COLUMNS, faults
        ),
        points=points,
        outlines=outlines,
        duty_grids=_duty_grids(files, faults),
        has_grid=GRID_FILE in files,
        raster=order.raster,
        cells=_cells(files, order, datums.of(order.file), faults),
        cells_file=order.file,
        squads=_table(files, SQUADS, _squad(datums.of(SQUADS)), SQUAD_COLUMNS, faults),
        people=_table(files, PEOPLE, _person, PEOPLE_COLUMNS, faults),
        rosters=read_roster(files, faults),
        certificates=_table(files, CERTIFICATES, _certificate, CERTIFICATE_COLUMNS, faults)
        if CERTIFICATES in files
        else None,
        run_cards=read_cards(files, faults),
        categories=_categories(files, faults),
        limits=_table(files, LIMITS, _limit, LIMIT_COLUMNS, faults),
        years=_years(files, faults),
        rules=_rules(files, faults),
        programmes=read_programmes(files, faults),
        assignments=_table(files, ASSIGNED, read_assignment, ASSIGNED_COLUMNS, faults)
        if ASSIGNED in files
        else None,
        feeds=read_feeds(files[FEEDS], faults) if FEEDS in files else None,
        models=read_models(files, faults),
        pipes=read_pipes(files[PIPES], datums.of(PIPES), faults) if PIPES in files else None,
        areas=read_areas(files[AREAS], datums.of(AREAS), faults) if AREAS in files else None,
        video_limits=_table(files, VIDEO, video_limit, VIDEO_COLUMNS, faults)
        if VIDEO in files
        else None,
        channels=read_channels(files[CHANNELS], faults) if CHANNELS in files else None,
        escalation=_table(files, ESCALATION, read_step, ESCALATION_COLUMNS, faults)
        if ESCALATION in files
        else None,
        register_files={n: files[n] for n in files if REGISTER.fullmatch(n)},
    )
    _name_strangers(files, order, faults)
    return draft, faults


Columns = tuple[Sequence[str], Sequence[str]]
CERTIFICATE_COLUMNS: Columns = (("person", "skill", "valid_until"), ("number",))
DIVISION_COLUMNS: Columns = (("code", "name", "level", "parent"), ("lon", "lat", "datum"))
DUTY_GRID_COLUMNS: Columns = (("code", "name", "divisions"), ())
SQUAD_COLUMNS: Columns = (
    ("code", "name_zh", "name_en", "kind", "skills"),
    ("phone", "grids", "shifts", "lon", "lat", "datum"),
)
PEOPLE_COLUMNS: Columns = (("name", "role"), ("squad", "display_name", "divisions"))
# `entry` names a row on the page of settings; what stands in it is not read.
ROSTER_COLUMNS: Columns = (("squad", "day", "from", "to", "person"), ("phone", "entry"))
LIMIT_COLUMNS: Columns = (("clock", "limit"), ("category", "source"))
DAY_COLUMNS: Columns = (("date", "working"), ("note",))


def _table(
    files: Mapping[str, bytes],
    file: str,
    parse: Callable[[Line], T | None],
    columns: Columns,
    faults: list[Fault],
) -> tuple[Entry[T], ...]:
    """Every row that is right by itself; a file that is not there has none."""
    if file not in files:
        return ()
    entries = []
    for line in read_lines(file, files[file], *columns, faults):
        before = len(faults)
        value = parse(line)
        if value is not None and len(faults) == before:
            entries.append(Entry(line.row, value))
    return tuple(entries)


def _division(points: dict[str, LonLat], datum: Datum) -> Callable[[Line], Division]:
    def parse(line: Line) -> Division:
        level = line.text("level", needed=True)
        code = line.digits("code", OFFICIAL_DIGITS.get(level))
        place = line.place(datum)
        if place is not None:
            points[code] = place
        # The district lies in its city, which its code says.
        said = level != DISTRICT or line.text("parent") or not code.isdigit()
        parent = line.digits("parent") if said else city_above(code)
        return Division(code, level, line.text("name", needed=True), parent)

    return parse


def _duty_grids(
    files: Mapping[str, bytes], faults: list[Fault]
) -> tuple[Entry[DutyGrid], ...] | None:
    if DUTY_GRIDS not in files:
        return None
    return _table(files, DUTY_GRIDS, _duty_grid, DUTY_GRID_COLUMNS, faults)


def _duty_grid(line: Line) -> DutyGrid:
    code = line.text("code", needed=True)
    if code and not GRID_CODE.fullmatch(code):
        line.fault("code", "must have 1 to 64 characters without space or semicolon")
    divisions = line.words("divisions")
    if not divisions:
        line.fault("divisions", "is missing")
    return DutyGrid(code, line.text("name", needed=True), frozenset(divisions))


def _cells(
    files: Mapping[str, bytes], order: GridOrder, datum: Datum, faults: list[Fault]
) -> tuple[Entry[Cell], ...] | None:
    """The city's own cells, whose street `founding.check` looks up; where the file does not say
    their columns and rows, these are counted among their edges."""
    if not order.file:
        return None
    if order.file not in files:
        faults.append(Fault(GRID_FILE, None, "file", order.file, "is not in the folder"))
        return None
    found = _table(files, order.file, _cell, (CELL_COLUMNS, CELL_OPTIONAL), faults)
    columns = {w: n for n, w in enumerate(sorted({entry.value.west for entry in found}))}
    rows = {s: n for n, s in enumerate(sorted({entry.value.south for entry in found}))}
    return tuple(Entry(entry.row, _numbered(entry.value, columns, rows, datum)) for entry in found)


def _cell(line: Line) -> Cell:
    code = line.digits("code", 15)
    west, south, east, north = (line.number(name) for name in CELL_COLUMNS[1:])
    if not (west < east and south < north):
        line.fault("west, south, east, north", "are no box", f"{west}, {south}, {east}, {north}")
    community = code[: OFFICIAL_DIGITS[COMMUNITY]]
    division = line.text("division") or community
    column, row = (line.whole(name, 0, GRID_LINES_MAX, UNSAID) for name in ("column", "row"))
    return Cell(code, "", community, division, column, row, west, south, east, north)


def _numbered(
    cell: Cell, columns: Mapping[float, int], rows: Mapping[float, int], datum: Datum
) -> Cell:
    column = columns[cell.west] if cell.column == UNSAID else cell.column
    row = rows[cell.south] if cell.row == UNSAID else cell.row
    west, south, east, north = box_of(cell.west, cell.south, cell.east, cell.north, datum)
    return replace(cell, column=column, row=row, west=west, south=south, east=east, north=north)


def _squad(datum: Datum) -> Callable[[Line], SquadPart]:
    return lambda line: SquadPart(
        code=line.text("code", needed=True),
        name_zh=line.text("name_zh", needed=True),
        name_en=line.text("name_en", needed=True),
        kind=line.text("kind", needed=True),
        skills=frozenset(line.words("skills")),
        phone=line.text("phone"),
        grids=frozenset(line.words("grids")),
        shifts=_shifts(line),
        home=line.place(datum),
    )


def _shifts(line: Line) -> tuple[Shift, ...]:
    """`1-5 08:00-12:00; 1-5 14:00-18:00`; an empty cell is always on duty."""
    shifts: list[Shift] = []
    for part in line.words("shifts") or ["1-7 00:00-00:00"]:
        match = SHIFT.fullmatch(part)
        try:
            start, end = (time.fromisoformat(match[n]) for n in (2, 3)) if match else (None, None)
        except ValueError:
            start, end = None, None
        if match is None or start is None or end is None:
            line.fault("shifts", "must be like 1-5 08:00-12:00, with 1 for Monday", part)
        elif any(shift.start == start for shift in shifts):
            line.fault("shifts", "begins twice at one time", part)
        else:
            shifts.append(Shift(_weekdays(match[1]), start, end))
    return tuple(sorted(shifts, key=lambda shift: shift.start))


def _weekdays(text: str) -> frozenset[int]:
    """`1-5` or `1,3,5-7`; ISO, 1 is Monday."""
    days: set[int] = set()
    for part in text.split(","):
        edges = [int(day) for day in part.split("-")]
        days |= set(range(edges[0], edges[-1] + 1))
    return frozenset(days)


def _person(line: Line) -> Person:
    name = line.text("name", needed=True)
    if name and not NAME.fullmatch(name):
        line.fault("name", "must have 1 to 64 characters without space, colon or slash")
    role = line.one_of("role", ROLES)
    # A folder from before there was this column opens nothing that somebody has closed.
    divisions = frozenset(line.words("divisions")) if "divisions" in line.values else None
    squad, called = line.text("squad") or None, line.text("display_name")
    return Person(name, role, squad, called, divisions)


def read_roster(
    files: Mapping[str, bytes], faults: list[Fault]
) -> tuple[Entry[RosterRow], ...] | None:
    if ROSTER not in files:
        return None
    return _table(files, ROSTER, _duty, ROSTER_COLUMNS, faults)


def _duty(line: Line) -> RosterRow | None:
    squad, person = line.text("squad", needed=True), line.text("person", needed=True)
    day, start, end = _duty_day(line), _clock(line, "from"), _clock(line, "to")
    if start is None or end is None:
        return None
    return RosterRow(squad, Duty(day, start, end, person, line.text("phone")))


def _certificate(line: Line) -> Certificate | None:
    person, skill = line.text("person", needed=True), line.text("skill", needed=True)
    text = line.text("valid_until", needed=True)
    try:
        return Certificate(person, skill, line.text("number"), date.fromisoformat(text))
    except ValueError:
        if text:
            line.fault("valid_until", "must be YYYY-MM-DD")
        return None


def _duty_day(line: Line) -> str:
    """A date, or days of the week in ascending order."""
    text = line.text("day", needed=True)
    if DAYS.fullmatch(text) and (days := _weekdays(text)):
        return ",".join(map(str, sorted(days)))
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        if text:
            line.fault("day", "must be YYYY-MM-DD, or days of the week like 1-5, with 1 for Monday")
        return ""


def _clock(line: Line, name: str) -> time | None:
    text = line.text(name, needed=True)
    match = CLOCK.fullmatch(text)
    if match and int(match[1]) < 24:
        return time(int(match[1]), int(match[2]))
    if text == MIDNIGHT and name == "to":
        return time(0)
    if text:
        line.fault(name, "must be a time like 08:00")
    return None


def _categories(
    files: Mapping[str, bytes], faults: list[Fault]
) -> tuple[Entry[Category], ...] | None:
    if CATEGORIES not in files:
        return None
    return _table(files, CATEGORIES, _category, (CATEGORY_COLUMNS, CATEGORY_OPTIONAL), faults)


def _category(line: Line) -> Category | None:
    limit = _written_limit(line)
    valid_from = _date(line, "valid_from")
    evidence = line.words("closing_evidence")
    for word in evidence:
        if word not in EVIDENCE:
            line.fault("closing_evidence", f"must be words of {', '.join(EVIDENCE)}", word)
    severity = line.whole("severity", 1, 4, 4)
    if limit is None or valid_from is None:
        return None
    return Category(
        code=line.text("code", needed=True),
        version=0,
        code_system=line.text("code_system") or "local extension",
        class_=line.one_of("class", ("component", "event")),
        family=line.text("family", needed=True),
        name_zh=line.text("name_zh", needed=True),
        name_en=line.text("name_en", needed=True),
        filing_condition_zh=line.text("filing_condition_zh"),
        filing_condition_en=line.text("filing_condition_en"),
        handle_limit=limit.amount,
        handle_unit=limit.unit.value,
        severity=severity,
        skill=line.text("skill", needed=True),
        closing_evidence=evidence,
        gas_free_minutes=line.whole("gas_free_minutes", 0, 1440, 0),
        source=line.text("source", needed=True),
        valid_from=valid_from,
    )


def _limit(line: Line) -> LimitRow | None:
    clock, category = line.one_of("clock", CLOCKS), line.text("category")
    if (clock == ClockKind.HANDLE) != bool(category):
        line.fault("category", f"goes with the clock {ClockKind.HANDLE.value}, and only with it")
    limit = _written_limit(line)
    if limit is None:
        return None
    return LimitRow(clock, category, limit, line.text("source") or LIMITS)


def _written_limit(line: Line) -> Limit | None:
    try:
        return parse_limit(line.text("limit", needed=True))
    except InvalidInput as error:
        line.fault("limit", error.problem)
        return None


def _years(files: Mapping[str, bytes], faults: list[Fault]) -> dict[int, dict[date, bool]]:
    """Of each calendar file all days that differ from Monday to Friday."""
    years = {}
    for file in sorted(files):
        if match := CALENDAR.fullmatch(file):
            year = int(match[1])
            days: dict[date, bool] = {}
            for entry in _table(files, file, _day(year), DAY_COLUMNS, faults):
                day, working = entry.value
                if day in days:
                    text = day.isoformat()
                    faults.append(Fault(file, entry.row, "date", text, "is there twice"))
                days[day] = working
            years[year] = {d: works for d, works in days.items() if works != (d.weekday() < 5)}
    return years


def _day(year: int) -> Callable[[Line], tuple[date, bool] | None]:
    def parse(line: Line) -> tuple[date, bool] | None:
        day, word = _date(line, "date"), line.text("working").lower()
        if word not in YES + NO:
            line.fault("working", "must be true or false")
        if day is None:
            return None
        if day.year != year:
            line.fault("date", f"is no day of {year}")
        return day, word in YES

    return parse


def _date(line: Line, name: str) -> date | None:
    text = line.text(name, needed=True)
    try:
        return date.fromisoformat(text)
    except ValueError:
        if text:
            line.fault(name, "must be YYYY-MM-DD")
        return None


def _rules(files: Mapping[str, bytes], faults: list[Fault]) -> dict[str, str]:
    texts = {}
    for file in sorted(files):
        if RULE.fullmatch(file):
            try:
                texts[file] = files[file].decode("utf-8")
            except UnicodeDecodeError:
                faults.append(Fault(file, None, "", "", "must be saved as UTF-8"))
    return texts


def _name_strangers(files: Mapping[str, bytes], order: GridOrder, faults: list[Fault]) -> None:
    for name in sorted(files):
        patterns = (CALENDAR, RULE, REGISTER, PROGRAMME)
        listed = name in (*KNOWN, order.file) or is_model_file(name) or is_card_file(name)
        known = listed or any(p.fullmatch(name) for p in patterns)
        if name.lower().endswith(OURS) and not known:
            faults.append(Fault(name, None, "", "", "is no file of a city folder"))
