"""The city that the database has, in the form of the one that a folder describes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date

from city.act_time import DEFAULT_PHONE_HOURS
from city.clock import DEFAULT_WINDOWS, WorkCalendar
from city.errors import NotFound
from db import (
    areas,
    calendars,
    categories,
    certificates,
    districts,
    grids,
    lamp_programmes,
    message_settings,
    registers,
    rosters,
    rules,
    run_cards,
    squads,
    users,
)
from db.pool import Connection
from founding.city_file import LANGUAGES
from founding.compare import Tables, tables_of
from founding.field_steps import read_feeds, read_models, read_pipes
from founding.ground import default_duty_grids
from founding.parts import (
    DEFAULT_LEVELS,
    CalendarPart,
    Cell,
    City,
    District,
    DutyGrid,
    LampAssignment,
    Person,
    RegisterPart,
    SquadPart,
    StageLimit,
)
from registers.shipped import known_registers

CALENDAR_SETTING, LANGUAGES_SETTING, LEVELS_SETTING = "calendar", "languages", "levels"
FOUR_EYES_SETTING = "four_eyes"
# Who applied the rules that come with the product.
SHIPPED = "system"


@dataclass(frozen=True, slots=True)
class Present:
    """`tables` lack the district where there is none yet; `calendar` is the newest version of
    the calendar that was asked for."""

    tables: Tables
    calendar: WorkCalendar | None
    known: bool


def find_present(
    conn: Connection,
    district: str,
    calendar: str,
    *,
    cells: bool = True,
    models: bool = True,
    pipes: bool = True,
    entries_of: Collection[str] = (),
) -> Present:
    """What the city of a folder is compared with; with no cells, models or pipes where nobody asks
    for them, and with the entries of the registers that are named."""
    try:
        found = calendars.find_calendar(conn, calendar)
    except NotFound:
        found = None
    row = districts.find_district(conn, district)
    city = _city(conn, _district(conn, row) if row else _nobody(district), with_cells=cells)
    city = replace(
        city,
        models=read_models(conn, district) if models else None,
        pipes=read_pipes(conn, district) if pipes else None,
        registers=_registers(conn, district, entries_of),
    )
    tables = dict(tables_of(city))
    if row is None:
        del tables["district"]
    return Present(tables, found, row is not None)


def read_city(
    conn: Connection,
    code: str,
    *,
    every_year: bool = False,
    cells: bool = True,
    with_registers: bool = False,
    entries_of: Collection[str] = (),
) -> City:
    """The whole city, to be written out: of the rules those that are its own, of the calendar the
    years that are not as shipped, or every one. Without `cells` it has none, and neither models nor
    pipes; its registers only where they are asked for, all or some."""
    row = districts.find_district(conn, code)
    if row is None:
        raise NotFound("district", code)
    city = _city(conn, _district(conn, row), with_cells=cells)
    own = {rule.code for rule in rules.list_texts(conn) if rule.applied_by != SHIPPED}
    calendar = calendars.find_calendar(conn, city.district.calendar)
    wanted = registers.used_registers(conn, code) if with_registers else entries_of
    return replace(
        city,
        rules={c: text for c, text in city.rules.items() if c in own},
        calendar=CalendarPart(calendar.code, _years(calendar, every_year), calendar.windows),
        registers=_registers(conn, code, wanted) if wanted or with_registers else {},
    )


def _registers(
    conn: Connection, district: str, entries_of: Collection[str]
) -> dict[str, RegisterPart]:
    """Those that the city defines itself, and the named ones with their entries."""
    own = registers.list_definitions(conn, district)
    known = known_registers(own)
    return {
        code: RegisterPart(
            known[code],
            own.get(code),
            {e.code: e for e in registers.list_entries(conn, district, code)}
            if code in entries_of
            else None,
        )
        for code in sorted({*own, *entries_of} & known.keys())
    }


def _years(calendar: WorkCalendar, every: bool) -> dict[int, dict[date, bool]]:
    """Every year that a new installation would not have as it is here; `every`: the others too."""
    known: dict[int, dict[date, bool]] = {}
    if calendar.code == calendars.DEFAULT_CODE and not every:
        shipped = calendars.build_china_calendar()
        began = min(day.year for day in shipped.exceptions)
        known = {y: _days(shipped, y) for y in range(began, shipped.known_until.year + 1)}
    last = calendar.known_until.year
    first = min((day.year for day in calendar.exceptions), default=last)
    years = {year: _days(calendar, year) for year in range(first, last + 1)}
    return {year: days for year, days in years.items() if known.get(year) != days}


def _days(calendar: WorkCalendar, year: int) -> dict[date, bool]:
    return {day: works for day, works in calendar.exceptions.items() if day.year == year}


def _nobody(code: str) -> District:
    return District(code, "", "", "", (), calendars.DEFAULT_CODE, {})


def _district(conn: Connection, row: districts.DistrictRow) -> District:
    settings = (
        CALENDAR_SETTING, LANGUAGES_SETTING, LEVELS_SETTING, FOUR_EYES_SETTING,
        districts.PHONE_HOURS_SETTING,
    )  # fmt: skip
    named = districts.find_settings(conn, row.code, settings)
    return District(
        code=row.code,
        name_zh=row.name_zh,
        name_en=row.name_en,
        timezone=row.timezone,
        languages=tuple(named.get(LANGUAGES_SETTING, LANGUAGES)),
        calendar=named.get(CALENDAR_SETTING, calendars.DEFAULT_CODE),
        outline=row.outline,
        levels=tuple(named.get(LEVELS_SETTING, DEFAULT_LEVELS)),
        four_eyes=named.get(FOUR_EYES_SETTING, False),
        phone_hours=named.get(districts.PHONE_HOURS_SETTING, DEFAULT_PHONE_HOURS),
    )


def _city(conn: Connection, district: District, *, with_cells: bool = True) -> City:
    code = district.code
    cells = (
        Cell(
            c.code, c.street, c.community, c.division or c.community, c.grid_column, c.grid_row,
            c.west, c.south, c.east, c.north,
        )
        for c in (grids.list_cells(conn, code) if with_cells else ())
    )  # fmt: skip
    accounts = [a for a in users.list_accounts(conn, code) if a.disabled_at is None]
    divisions = {d.code: d for d in grids.list_divisions(conn, code)}
    return City(
        district=district,
        divisions=divisions,
        duty_grids=_duty_grids(conn, code) or default_duty_grids(divisions),
        cells={cell.code: cell for cell in cells},
        squads=_squads(conn, code),
        people={
            a.name: Person(a.name, a.role.value, a.squad, a.display_name, frozenset(a.divisions))
            for a in accounts
        },
        categories={c.code: replace(c, version=0) for c in categories.list_in_force(conn, code)},
        stage_limits={
            clock: StageLimit(clock, limit, source)
            for clock, limit, source in categories.list_stage_limits(conn, code)
        },
        calendar=CalendarPart(district.calendar, {}, DEFAULT_WINDOWS),
        rules={rule.code: rule.source for rule in rules.list_texts(conn)},
        feeds=read_feeds(conn, code),
        models=read_models(conn, code) if with_cells else None,
        pipes=read_pipes(conn, code) if with_cells else None,
        outlines=grids.list_outlines(conn, code),
        areas={area.code: area for area in areas.list_areas(conn, code)},
        video_limits={limit.entry: limit for limit in areas.list_limits(conn, code)},
        channels={c.name: c for c in message_settings.list_channels(conn, code)},
        escalation={s.value: row for s, row in message_settings.list_steps(conn, code).items()},
        rosters=rosters.list_rosters(conn, code),
        certificates=certificates.list_by_person(conn, code),
        run_cards=run_cards.list_texts(conn, code),
        programmes={p.code: p.source for p in lamp_programmes.list_programmes(conn, code)},
        assignments={
            each.name: each
            for row in lamp_programmes.list_assignments(conn, code)
            for each in [LampAssignment(row.target_kind, row.target, row.programme)]
        },
    )


def _duty_grids(conn: Connection, district: str) -> dict[str, DutyGrid]:
    """The city's own; none where each community is one."""
    names = grids.list_duty_grids(conn, district)
    parts = grids.list_duty_grid_divisions(conn, district)
    return {code: DutyGrid(code, names[code], frozenset(parts[code])) for code in parts}


def _squads(conn: Connection, district: str) -> dict[str, SquadPart]:
    """Those that are active."""
    phones = squads.list_phones(conn, district)
    return {
        s.code: SquadPart(
            code=s.code,
            name_zh=s.name_zh,
            name_en=s.name_en,
            kind=s.kind,
            skills=s.skills,
            phone=phones[s.code],
            grids=s.duty_grids,
            shifts=tuple(sorted(s.shifts, key=lambda shift: shift.start)),
            home=s.position,
        )
        for s in squads.list_squads(conn, district)
    }
