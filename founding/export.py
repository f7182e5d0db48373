"""A city written out as a folder that says the same: contents by name of file. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import shapely
from shapely.geometry import shape

from city.clock import Limit, LimitUnit
from city.delivery import Step
from city.place import LonLat
from city.roster import Duty, days_text
from city.squad import Shift
from founding.area_file import AREAS, VIDEO, VIDEO_COLUMNS, limit_cells, write_areas
from founding.boundary import write_outlines
from founding.city_file import CITY_FILE, GRID_FILE
from founding.feeds_file import FEEDS, write_feeds
from founding.folder import (
    BOUNDARY,
    CATEGORIES,
    CATEGORY_COLUMNS,
    CATEGORY_OPTIONAL,
    CELL_COLUMNS,
    CELL_OPTIONAL,
    CERTIFICATE_COLUMNS,
    DIVISIONS,
    DUTY_GRID_COLUMNS,
    DUTY_GRIDS,
    LIMITS,
    OUTLINES,
    PEOPLE,
    ROSTER,
    ROSTER_COLUMNS,
    SQUADS,
)
from founding.ground import has_own_duty_grids
from founding.message_files import (
    CHANNELS,
    ESCALATION,
    ESCALATION_COLUMNS,
    step_cells,
    write_channels,
)
from founding.own_models import write_models
from founding.parts import City, RegisterPart, SquadPart
from founding.pipes import PIPES, write_pipes
from founding.programmes import ASSIGNED, ASSIGNED_COLUMNS, programme_file
from founding.registers import data_file, definition_file
from founding.rosters import entry_name
from founding.run_cards import CERTIFICATES
from founding.run_cards import FOLDER as RUN_CARDS
from registers.entries import columns_of, entry_cells

CELLS_FILE = "cells.csv"
# By it a spreadsheet knows that the text is UTF-8.
MARK = "\ufeff"


def write_folder(city: City) -> dict[str, bytes]:
    """Everything but passwords, devices and what has happened. The cells are written as they are,
    whatever they were made of."""
    files = {
        CITY_FILE: _city_text(city),
        BOUNDARY: json.dumps(city.district.outline) + "\n",
        DIVISIONS: csv_text(
            ("code", "name", "level", "parent"),
            ([d.code, d.name, d.level, d.parent] for _, d in sorted(city.divisions.items())),
        ),
        SQUADS: csv_text(
            (
                *("code", "name_zh", "name_en", "kind", "skills", "phone", "grids", "shifts"),
                *("lon", "lat"),
            ),
            (_squad(city, squad) for _, squad in sorted(city.squads.items())),
        ),
        PEOPLE: csv_text(
            ("name", "role", "squad", "display_name", "divisions"),
            (
                [
                    p.name,
                    p.role,
                    p.squad or "",
                    p.display_name,
                    ";".join(sorted(p.divisions or ())),
                ]
                for _, p in sorted(city.people.items())
            ),
        ),
        CATEGORIES: csv_text((*CATEGORY_COLUMNS, *CATEGORY_OPTIONAL), _categories(city)),
        LIMITS: csv_text(
            # The limits of handling stand with the categories.
            ("clock", "limit", "source"),
            (
                [clock, str(limit.limit), limit.source]
                for clock, limit in sorted(city.stage_limits.items())
            ),
        ),
    }
    if has_own_duty_grids(city):
        files[DUTY_GRIDS] = csv_text(
            DUTY_GRID_COLUMNS[0],
            (
                [g.code, g.name, ";".join(sorted(g.divisions))]
                for _, g in sorted(city.duty_grids.items())
            ),
        )
    files |= _duty(city)
    if city.cells:
        files[GRID_FILE] = f'file = "{CELLS_FILE}"\n'
        files[CELLS_FILE] = csv_text((*CELL_COLUMNS, *CELL_OPTIONAL), _cells(city))
    for year, days in city.calendar.years.items():
        rows = ([d.isoformat(), str(works).lower()] for d, works in sorted(days.items()))
        files[f"calendar-{year}.csv"] = csv_text(("date", "working"), rows)
    for code, text in city.rules.items():
        files[f"rules/{code}.toml"] = text
    for code, text in city.programmes.items():
        files[programme_file(code)] = text
    if city.assignments:
        rows = ([a.target, a.code, a.programme] for a in city.assignments.values())
        files[ASSIGNED] = csv_text(ASSIGNED_COLUMNS[0], rows)
    if city.feeds is not None:
        files[FEEDS] = write_feeds(city.feeds)
    files |= write_models(city.models or {})
    files |= _places(city)
    files |= _messages(city)
    for code, part in city.registers.items():
        if part.text is not None:
            files[definition_file(code)] = part.text
        if part.entries is not None:
            files[data_file(code)] = _entries(part)
    return {name: text.encode() for name, text in files.items()}


def _duty(city: City) -> dict[str, str]:
    """Rosters, certificates and run cards."""
    files = {f"{RUN_CARDS}{code}.toml": text for code, text in (city.run_cards or {}).items()}
    if city.rosters:
        files[ROSTER] = csv_text([*ROSTER_COLUMNS[0], *ROSTER_COLUMNS[1]], _roster(city.rosters))
    if city.certificates:
        rows = (
            [one.person, one.skill, one.valid_until.isoformat(), one.number]
            for mine in city.certificates.values()
            for one in mine
        )
        files[CERTIFICATES] = csv_text([*CERTIFICATE_COLUMNS[0], *CERTIFICATE_COLUMNS[1]], rows)
    return files


def _places(city: City) -> dict[str, str]:
    """Outlines of divisions, gas pipes, areas, and what video events need."""
    files = {}
    if city.outlines:
        files[OUTLINES] = write_outlines(city.outlines)
    if city.pipes:
        files[PIPES] = write_pipes(city.pipes)
    if city.areas:
        files[AREAS] = write_areas(city.areas)
    if city.video_limits:
        rows = (limit_cells(limit) for _, limit in sorted(city.video_limits.items()))
        files[VIDEO] = csv_text(VIDEO_COLUMNS[1], rows)
    return files


def _messages(city: City) -> dict[str, str]:
    """Channels, with the names of their secrets, and who is told of which step."""
    files = {}
    if city.channels:
        files[CHANNELS] = write_channels(city.channels)
    if city.escalation:
        rows = (step_cells(city.escalation[step]) for step in Step if step in city.escalation)
        files[ESCALATION] = csv_text((*ESCALATION_COLUMNS[0], *ESCALATION_COLUMNS[1]), rows)
    return files


def _entries(part: RegisterPart) -> str:
    needed, optional = columns_of(part.register)
    header = [*needed, *optional]
    rows = (entry_cells(part.register, e) for _, e in sorted((part.entries or {}).items()))
    return csv_text(header, ([cells.get(name, "") for name in header] for cells in rows))


def _city_text(city: City) -> str:
    d = city.district
    windows = [[f"{start:%H:%M}", f"{end:%H:%M}"] for start, end in city.calendar.windows]
    values: dict[str, Any] = {
        "code": d.code,
        "name_zh": d.name_zh,
        "name_en": d.name_en,
        "timezone": d.timezone,
        "calendar": d.calendar,
        "windows": windows,
        "languages": list(d.languages),
        "datum": "wgs84",
        "levels": list(d.levels),
        "four_eyes": d.four_eyes,
        "phone_hours": d.phone_hours,
    }
    if any(part.interiors for part in shapely.get_parts(shape(dict(d.outline)))):
        values["enclaves"] = True
    # Text and lists of text are the same in JSON and TOML.
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return "\n".join(lines) + "\n"


def _squad(city: City, squad: SquadPart) -> Sequence[str]:
    grids = squad.grids
    if grids == city.duty_grids.keys():
        grids = frozenset()
    elif not has_own_duty_grids(city):
        grids = frozenset(part for code in grids for part in city.duty_grids[code].divisions)
    return [
        squad.code, squad.name_zh, squad.name_en, squad.kind, ";".join(sorted(squad.skills)),
        squad.phone, ";".join(sorted(grids)), "; ".join(map(shift_text, squad.shifts)),
        *_place(squad.home),
    ]  # fmt: skip


def _roster(rosters: Mapping[str, Sequence[Duty]]) -> Iterator[Sequence[str]]:
    for squad, duties in sorted(rosters.items()):
        for d in duties:
            start, end = f"{d.start:%H:%M}", f"{d.end:%H:%M}"
            day = days_text(d.day)
            yield [squad, day, start, end, d.person, d.phone, entry_name(squad, day, start)]


def shift_text(shift: Shift) -> str:
    """As `founding.folder` reads it."""
    days = ",".join(map(str, sorted(shift.weekdays)))
    return f"{days} {shift.start:%H:%M}-{shift.end:%H:%M}"


def _place(place: LonLat | None) -> list[str]:
    return ["", ""] if place is None else [repr(place.lon), repr(place.lat)]


def _categories(city: City) -> Iterator[Sequence[str]]:
    for _, c in sorted(city.categories.items()):
        yield [
            c.code, c.class_, c.family, str(c.severity), c.skill,
            str(Limit(c.handle_limit, LimitUnit(c.handle_unit))),
            ";".join(c.closing_evidence), c.name_zh, c.name_en, c.source,
            c.valid_from.isoformat(), c.code_system, str(c.gas_free_minutes),
            c.filing_condition_zh, c.filing_condition_en,
        ]  # fmt: skip


def _cells(city: City) -> Iterator[Sequence[str]]:
    for _, c in sorted(city.cells.items()):
        below = "" if c.division == c.community else c.division
        edges = map(repr, (c.west, c.south, c.east, c.north))
        yield [c.code, *edges, below, str(c.column), str(c.row)]


def csv_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as all files of a folder are written."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return MARK + out.getvalue()
