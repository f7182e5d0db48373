"""The settings of a city a table at a time: shown, a change of one planned and put in force.

A change is the present city written out as its folder with one file replaced, so that it is
judged, compared and written as a folder is. Nobody reads or writes a column here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from city.errors import Conflict, InvalidInput
from city.settings import (
    AppliedSheet,
    FieldChange,
    HistoryItem,
    LimitEffect,
    PartItem,
    Sheet,
    SheetFault,
    SheetPlan,
    missing_year,
)
from city.text_files import decode
from db import calendars, deadlines, grids
from db.events import last_seq, list_newest
from db.pool import Connection
from db.settings_history import list_settings_events
from founding.check import judge_folder
from founding.city_file import CITY_FILE
from founding.compare import Change, as_changes
from founding.excel import write_workbook
from founding.export import csv_text, write_folder
from founding.field_steps import read_models, read_pipes
from founding.folder import DIVISIONS, DUTY_GRIDS, OUTLINES, PEOPLE, ROSTER
from founding.forms import GRID, MODELS, asks_for_cells, code_of, grid_content
from founding.ground import cells_without_duty_grid
from founding.history import AT_ONCE, SOURCES, Told, count_item, read_history
from founding.parts import City, Fault, Shipped
from founding.pipes import PIPES
from founding.present import read_city
from founding.rule_table import RULES, RULES_KEY, rule_rows
from founding.steps import NewPassword, PutRules, apply_city, plan_city
from founding.tables import (
    GEOJSON_FILES,
    NAMES,
    Table,
    beside,
    calendar_name,
    digest_of,
    register_of,
    register_table,
    table_of,
    with_row,
    without_row,
    year_of,
)
from founding.whole_duty_grids import with_whole_grids
from registers.steps import find_register

SOURCE = "settings"
WHY_MAX = 2_000
HISTORY_MAX = 200
CSV, GEOJSON = "csv", "geojson"


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to become of a part: other `content` of its file, or `put` in the place of the row
    `key` (a new row where that is empty), or without the row `remove`."""

    content: bytes | None = None
    put: Mapping[str, str] | None = None
    key: str = ""
    remove: str = ""


@dataclass(frozen=True, slots=True)
class Present:
    """The city now, its files by name, and the file of the part that is looked at."""

    city: City
    files: Mapping[str, bytes]
    content: bytes


def list_parts(conn: Connection, district: str, today: date) -> list[PartItem]:
    """Every part; of the calendars those of last year, this one and the next."""
    known = calendars.calendar_of(conn, district).known_until
    missing = missing_year(known, today)
    years = [
        PartItem(calendar_name(year), editable=True, missing=year == missing)
        for year in (today.year - 1, today.year, today.year + 1)
    ]
    tables = [PartItem(name, editable=True) for name in NAMES]
    return [*tables, *years, PartItem(RULES, editable=False)]


def show(conn: Connection, district: str, name: str) -> Sheet:
    """A part as it is now."""
    seq = last_seq(conn)
    if name == RULES:
        columns, rows = rule_rows(conn)
        return Sheet(RULES, RULES_KEY, columns, rows, "", seq, editable=False, removable=False)
    table = _table(conn, district, name)
    present = _present(conn, district, table, cells=False)
    if table.file == DIVISIONS:
        table = replace(table, choices={"level": present.city.district.levels})
    return _sheet(table, present.content, seq)


def _table(conn: Connection, district: str, name: str) -> Table:
    code = register_of(name)
    return table_of(name) if code is None else register_table(find_register(conn, district, code))


def _sheet(table: Table, content: bytes, seq: int) -> Sheet:
    return Sheet(
        name=table.name,
        key=table.key,
        columns=table.columns(content),
        rows=table.rows(content),
        digest=digest_of(content),
        seq=seq,
        editable=True,
        removable=table.removable,
        addable=table.addable,
        by_file=table.by_file,
    )


def _present(conn: Connection, district: str, table: Table, *, cells: bool) -> Present:
    """A calendar of a year that nobody has entered is one without a row. The files hold no cells:
    a city has tens of thousands, and they stay as they are."""
    register = register_of(table.name)
    kept = () if register is None else (register,)
    city = read_city(conn, district, every_year=True, cells=cells, entries_of=kept)
    models = read_models(conn, district) if table.file == MODELS else None
    pipes = read_pipes(conn, district) if table.file == PIPES else None
    # Another boundary is not measured by outlines that were drawn for the one before.
    outlines = city.outlines if table.file in (OUTLINES, GRID) else None
    files = write_folder(replace(city, cells={}, models=models, pipes=pipes, outlines=outlines))
    content = table.gather(files)
    if table.file == GRID:
        content = grid_content(_cells_of(city, grids.count_cells(conn, district)))
    return Present(city, files, content)


def _cells_of(city: City, counts: Mapping[str, int]) -> dict[str, tuple[str, int]]:
    return {c: (city.divisions[c].name, counts.get(c, 0)) for c in city.communities}


def write_file(conn: Connection, district: str, name: str, kind: str) -> bytes:
    """The table of a part: as `csv`, as a workbook (`xlsx`), or GeoJSON as it is (`geojson`)."""
    table = _table(conn, district, name)
    content = _present(conn, district, table, cells=False).content
    if kind == GEOJSON:
        if table.file not in GEOJSON_FILES:
            raise InvalidInput("format", kind, f"is no form of {name}")
        return content
    names = [column.name for column in table.columns(content)]
    rows = [[row.values.get(n, "") for n in names] for row in table.rows(content)]
    if kind == CSV:
        return content if table.is_csv else csv_text(names, rows).encode()
    return write_workbook(table.name, names, rows)


def plan(
    conn: Connection,
    district: str,
    actor: str,
    name: str,
    edit: Edit,
    shipped: Shipped,
    seen: tuple[str, int] | None,
) -> SheetPlan:
    """What an edit would do. `seen` are digest and number of the event of the sheet that it was
    made on; None: whatever it is now. Raises `Conflict` where that has changed."""
    table = _table(conn, district, name)
    seq = last_seq(conn)
    present = _present(conn, district, table, cells=table.cells)
    if seen is not None:
        _refuse_stale(conn, district, table, present.content, seen)
    content = _edited(table, present.content, edit)
    city, faults = _judge(present, table, content, shipped)
    found = decode(content)
    planned = SheetPlan(
        name=table.name,
        content=found[0] if found else "",
        digest=digest_of(present.content),
        seq=seq,
        rows=table.rows(content),
        faults=[as_fault(fault) for fault in faults],
    )
    if city is None:
        return planned
    made = plan_city(conn, city, only=table.writes)
    stands = [*made.obstacles, *_refused(present.city, city, actor)]
    return replace(
        planned,
        changes=as_changes(made.changes),
        obstacles=[as_fault(fault) for fault in stands],
        effects=list(_effects(conn, present.city, city, made.changes)),
    )


def _edited(table: Table, present: bytes, edit: Edit) -> bytes:
    if edit.content is not None:
        return table.taken(present, edit.content)
    if edit.put is not None:
        return with_row(table, present, edit.key, edit.put)
    return without_row(table, present, edit.remove)


def _judge(
    present: Present, table: Table, content: bytes, shipped: Shipped
) -> tuple[City | None, list[Fault]]:
    own = present.city.district.code
    if table.file == CITY_FILE and (code := code_of(content)) != own:
        return None, [Fault(CITY_FILE, None, "code", code, f"is not {own}: the code stays")]
    files = table.put_into(present.files, content)
    if table.file == DUTY_GRIDS:
        files = with_whole_grids(files)
    city, faults = judge_folder(files, shipped)
    if city is None and table.file != ROSTER and _is_of_old(present, faults, shipped):
        del files[ROSTER]
        city, faults = judge_folder(files, shipped)
    if city is not None:
        if table.file == MODELS and city.models is None:
            city = replace(city, models={})  # the last one was taken out
        if table.file == OUTLINES and city.outlines is None:
            city = replace(city, outlines={})
        if table.file != GRID or not asks_for_cells(content):
            city = replace(city, cells=present.city.cells)
        faults = list(_groundless(city))
    return (None if faults else city), faults


def _is_of_old(present: Present, faults: Sequence[Fault], shipped: Shipped) -> bool:
    """Whether nothing is wrong but what was wrong with the rosters before: somebody in them has
    been shut out since."""
    if any(fault.file != ROSTER for fault in faults):
        return False
    return {*map(str, faults)} <= {*map(str, judge_folder(present.files, shipped)[1])}


def _groundless(city: City) -> Iterator[Fault]:
    """Divisions that are gone from beneath cells of the grid, and cells that no duty grid has."""
    cells = Counter(cell.community for cell in city.cells.values())
    below = Counter(c.division for c in city.cells.values() if c.division != c.community)
    gone = (cells.keys() - set(city.communities)) | (below.keys() - city.divisions.keys())
    cells += below
    for code in sorted(gone):
        problem = f"is missing, and {cells[code]} cells of the grid lie in it"
        yield Fault(DIVISIONS, None, "code", code, problem)
    if not gone:
        yield from cells_without_duty_grid(city.divisions, city.duty_grids, city.cells.values())


def apply(
    conn: Connection,
    district: str,
    actor: str,
    name: str,
    content: bytes,
    seen: tuple[str, int],
    why: str,
    now: datetime,
    *,
    shipped: Shipped,
    put_rules: PutRules,
    new_password: NewPassword,
) -> AppliedSheet:
    """Put another content of a part in force, with the reason in every event. The caller commits.

    Raises `Conflict` where the part is not what was seen (with who changed what) or something
    stands in the way, `InvalidInput` where the content has faults or nobody says why.
    """
    why = why.strip()
    if not why or len(why) > WHY_MAX:
        raise InvalidInput("why", why[:80], f"must have 1 to {WHY_MAX} characters")
    table = _table(conn, district, name)
    present = _present(conn, district, table, cells=table.cells)
    _refuse_stale(conn, district, table, present.content, seen)
    city, faults = _judge(present, table, content, shipped)
    if city is None:
        first = faults[0]
        raise InvalidInput("content", first.value, str(first))

    for fault in _refused(present.city, city, actor):
        refused = "own_account" if fault.field == "role" else fault.field
        raise Conflict(f"nothing was changed: {fault}", current={"refused": refused})

    def look_again() -> None:
        there = _present(conn, district, table, cells=False)
        _refuse_stale(conn, district, table, there.content, seen)
        if beside(table, there.files) != beside(table, present.files):
            raise Conflict(f"what {name} is about was changed meanwhile", current={"stale": name})

    done = apply_city(
        conn, city, actor, now, put_rules=put_rules, new_password=new_password,
        look_again=look_again, told={"from": SOURCE, "part": name, "why": why},
        only=table.writes,
    )  # fmt: skip
    return AppliedSheet(as_changes(done.changes), done.passwords, show(conn, district, name))


def _refuse_stale(
    conn: Connection, district: str, table: Table, content: bytes, seen: tuple[str, int]
) -> None:
    digest, seq = seen
    if digest_of(content) == digest:
        return
    since = [item for item in history(conn, district, table.name, "") if item.seq > seq]
    current = {
        "stale": table.name,
        "digest": digest_of(content),
        "changed": [
            {
                "actor": i.actor,
                "at": i.at.isoformat(),
                "code": i.code,
                "fields": _as_dicts(i.fields),
            }
            for i in since
        ],
    }
    raise Conflict(f"{table.name} was changed meanwhile: look at it again", current=current)


def _as_dicts(fields: Sequence[FieldChange]) -> list[dict[str, str]]:
    return [{"name": f.name, "before": f.before, "after": f.after} for f in fields]


def _refused(before: City, after: City, actor: str) -> Iterator[Fault]:
    """As on the page of people: nobody gives their own role away. And nobody switches off alone
    that two have to agree."""
    if before.district.four_eyes and not after.district.four_eyes:
        problem = "takes a second person: `gridwarden city apply` asks for one"
        yield Fault(CITY_FILE, None, "four_eyes", "false", problem)
    old, new = before.people.get(actor), after.people.get(actor)
    if old and new and (old.role, old.squad) != (new.role, new.squad):
        yield Fault(PEOPLE, None, "role", actor, "is your own; another administrator can")


def as_fault(fault: Fault) -> SheetFault:
    """A fault of a folder as a page tells it."""
    return SheetFault(fault.file, fault.row, fault.field, fault.value, fault.problem)


def _effects(
    conn: Connection, before: City, after: City, changes: Sequence[Change]
) -> Iterator[LimitEffect]:
    """A clock keeps the limit with which it was started, through pauses too; a case keeps the
    version of its category, and with it the limit of handling."""
    for change in changes:
        if change.what == "stage_limit" and change.code in before.stage_limits:
            old, new = before.stage_limits[change.code].limit, after.stage_limits[change.code].limit
            keep, get = deadlines.count_clocks(conn, after.district.code, change.code)
        elif change.what == "category" and {"handle_limit", "handle_unit"} & {*change.fields}:
            old, new = before.categories[change.code].limit, after.categories[change.code].limit
            keep, get = deadlines.count_open_of(conn, after.district.code, change.code), 0
        else:
            continue
        if str(old) != str(new):
            yield LimitEffect(change.what, change.code, str(old), str(new), keep, get)


def history(conn: Connection, district: str, name: str, code: str) -> list[HistoryItem]:
    """The newest changes of a part, or of one row of it; newest first."""
    year = year_of(name)
    if register_of(name) is not None:
        return []  # told entry by entry, on the page of registers
    if name in AT_ONCE:
        counted = list_newest(conn, f"district:{district}", kind=f"{AT_ONCE[name]}.changed")
        return [count_item(event, district) for event in counted]
    if name not in SOURCES:
        table_of(name)
    source = SOURCES["calendar" if year is not None else name]
    events = list_settings_events(conn, district, source.subjects, list(source.tables))
    told = (Told(e.seq, e.at, e.actor, e.kind, e.subject, e.why, e.rows) for e in events)
    found = read_history(source, told, year)
    if code and year is not None:
        found = [i for i in found if any(f.name == code for f in i.fields)]
    elif code:
        owner = code.partition(" ")[0] if name == "rosters" else code
        found = [item for item in found if item.code == owner]
    return found[:HISTORY_MAX]
