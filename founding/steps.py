"""A city is put in force: what differs is written in one transaction, or nothing is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from city.clock import ClockKind, WorkCalendar
from city.errors import Conflict
from city.event import NewEvent
from city.squad import Squad
from db import (
    calendars,
    categories,
    certificates,
    devices,
    districts,
    feeds,
    grids,
    registers,
    rosters,
    run_cards,
    squads,
    users,
)
from db.events import append_events
from db.grids import CellRow
from db.pool import Connection
from db.registers import EntryRow
from founding.compare import (
    ADDED,
    CHANGED,
    ENTRY,
    RETIRED,
    TOLD_AT_ONCE,
    WHATS,
    Change,
    codes,
    compare,
    counts_of,
    moved_cells,
    next_calendar,
    tables_of,
)
from founding.field_steps import write_field
from founding.ground import GridFinder, has_own_duty_grids
from founding.obstacles import find_obstacles
from founding.parts import Cell, City, Fault, LampAssignment, Person, RegisterPart, SquadPart
from founding.present import (
    CALENDAR_SETTING,
    FOUR_EYES_SETTING,
    LANGUAGES_SETTING,
    LEVELS_SETTING,
    find_present,
    read_city,
)
from registers.entries import due_of, party_of, short_code

__all__ = ["Applied", "Plan", "apply_cities", "apply_city", "plan_city", "read_city"]

SOURCE = "city folder"
TOLD = {"from": SOURCE}
# What the subject of an event is called where the thing itself is called otherwise.
# Told by whoever puts them in force.
ELSEWHERE = frozenset({"rule", "lamp_programme", "lamp_assignment", ENTRY})
SUBJECTS = {"person": "user", "channel": "message_channel"}
# What of a person is told as whoever changes people one by one tells it.
ROLE_FIELDS = frozenset({"role", "squad", "divisions"})
# What every district shares: events about it belong to none.
SHARED = frozenset({"calendar", "model"})

# Makes the password of somebody new.
NewPassword = Callable[[], users.Password]
# Puts rule files in force by their name: (connection, actor, texts, now) to what is to be told.
# Called when all else is written, also where no rule changes.
PutRules = Callable[[Connection, str, Mapping[str, str], datetime], Sequence[NewEvent]]


# The same of lighting programmes, and of the lamps that follow one, "" for none any more:
# (connection, district, actor, texts, assignments, now).
PutProgrammes = Callable[
    [Connection, str, str, Sequence[str], Sequence[LampAssignment], datetime], Sequence[NewEvent]
]


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be written, and what stands in the way of it."""

    changes: Sequence[Change]
    calendar: WorkCalendar | None
    obstacles: Sequence[Fault]


@dataclass(frozen=True, slots=True)
class Applied:
    """What was written, and the passwords of the new people, known only now."""

    changes: Sequence[Change]
    passwords: Mapping[str, str]


def plan_city(conn: Connection, city: City, *, only: Collection[str] = WHATS) -> Plan:
    """What a city differs in from what the database has, as far as it is one of `only`; writes
    nothing."""
    cells = "unit_grid" in only
    present = find_present(
        conn, city.district.code, city.district.calendar, cells=cells, models="model" in only,
        pipes="pipe" in only,
        entries_of=[code for code, part in city.registers.items() if part.entries is not None],
    )  # fmt: skip
    changes = compare(tables_of(city), present.tables)
    calendar = next_calendar(present.calendar, city.calendar, city.district.timezone)
    if calendar is not None:
        how = CHANGED if present.calendar else ADDED
        after = [c for c in changes if c.what != "district"]
        before = [c for c in changes if c.what == "district"]
        changes = [*before, Change("calendar", calendar.code, how), *after]
    changes = [change for change in changes if change.what in only]
    if not codes(changes, "calendar", ADDED, CHANGED):
        calendar = None
    return Plan(changes, calendar, find_obstacles(conn, city, changes))


def apply_city(
    conn: Connection,
    city: City,
    actor: str,
    now: datetime,
    *,
    put_rules: PutRules,
    new_password: NewPassword,
    look_again: Callable[[], None] = lambda: None,
    told: Mapping[str, str] = TOLD,
    only: Collection[str] = WHATS,
) -> Applied:
    """As `apply_cities`, of one. `look_again` is called once nobody else can change the city any
    more, before anything is written: it raises where the city is not what the caller took it for.
    Who knows a part of the city alone names it with `only`: what others have changed of the rest
    stays."""
    passwords = _passwords(conn, [city], new_password)
    _lock(conn)
    look_again()
    return _put_in_force(conn, [city], actor, now, passwords, put_rules, told, only)[0]


def apply_cities(
    conn: Connection,
    cities: Sequence[City],
    actor: str,
    now: datetime,
    *,
    put_rules: PutRules,
    new_password: NewPassword,
    look_again: Callable[[], None] = lambda: None,
    put_programmes: PutProgrammes | None = None,
) -> list[Applied]:
    """Write what differs of several districts and tell it in the event log. The caller commits.

    Passwords are hashed before anybody has to wait. Where rules change, engines stand still from
    the last write to the commit; the head of the log comes last, as
    `docs/decisions/0022-rules-are-judged-a-district-at-a-time.md` has it.
    """
    passwords = _passwords(conn, cities, new_password)
    _lock(conn)
    look_again()
    return _put_in_force(
        conn, cities, actor, now, passwords, put_rules, TOLD, WHATS, put_programmes
    )


def _lock(conn: Connection) -> None:
    districts.lock_districts(conn)
    users.lock_people(conn)
    feeds.lock_feeds(conn)


def _put_in_force(
    conn: Connection,
    cities: Sequence[City],
    actor: str,
    now: datetime,
    passwords: Mapping[str, users.Password],
    put_rules: PutRules,
    told: Mapping[str, str],
    only: Collection[str],
    put_programmes: PutProgrammes | None = None,
) -> list[Applied]:
    done: list[Applied] = []
    events: list[NewEvent] = []
    texts: dict[str, str] = {}
    for city in cities:
        changes = _write(conn, city, now, passwords, only)
        for code in codes(changes, "rule", ADDED, CHANGED):
            texts[f"rules/{code}.toml"] = city.rules[code]
        events += _events(city, changes, actor, now, told)
        events += _entry_events(conn, city, changes, actor, now, told)
        lit = [city.programmes[code] for code in codes(changes, "lamp_programme", ADDED, CHANGED)]
        following = _following(city, changes)
        if lit or following:
            assert put_programmes is not None, "whoever puts programmes in force says how"
            events += put_programmes(conn, city.district.code, actor, lit, following, now)
        new = codes(changes, "person", ADDED)
        done.append(Applied(changes, {name: passwords[name].text for name in new}))
    of_rules = put_rules(conn, actor, texts, now)
    append_events(conn, [*events, *of_rules])
    return done


def _following(city: City, changes: Sequence[Change]) -> list[LampAssignment]:
    wanted = city.assignments or {}
    names = [name.partition(" ") for name in codes(changes, "lamp_assignment", RETIRED)]
    gone = [LampAssignment(target, code, "") for target, _, code in names]
    return gone + [wanted[name] for name in codes(changes, "lamp_assignment", ADDED, CHANGED)]


def _write(
    conn: Connection,
    city: City,
    now: datetime,
    passwords: Mapping[str, users.Password],
    only: Collection[str],
) -> Sequence[Change]:
    """All but rules and events."""
    plan = plan_city(conn, city, only=only)
    if plan.obstacles:
        lines = "\n".join(map(str, plan.obstacles))
        raise Conflict(f"nothing was changed:\n{lines}", current={})
    changes = plan.changes
    _write_district(conn, city, changes, now)
    _write_ground(conn, city, changes)
    _write_squads(conn, city, changes, now)
    _delete_ground(conn, changes)
    _write_catalogue(conn, city, changes, now)
    if plan.calendar is not None:
        calendars.insert_calendar(conn, plan.calendar, SOURCE, now)
    _write_people(conn, city, changes, passwords, now)
    for code in codes(changes, "roster", ADDED, CHANGED, RETIRED):
        rosters.replace_roster(conn, code, (city.rosters or {}).get(code, ()))
    for person in codes(changes, "certificate", ADDED, CHANGED, RETIRED):
        certificates.replace_certificates(conn, person, (city.certificates or {}).get(person, ()))
    _write_run_cards(conn, city, changes, now)
    write_field(conn, city, changes, now)
    _write_registers(conn, city, changes, now)
    return changes


def _write_run_cards(
    conn: Connection, city: City, changes: Sequence[Change], now: datetime
) -> None:
    """A changed card is a new version; cases that opened under the one before keep it."""
    district, wanted = city.district.code, city.run_cards or {}
    run_cards.end(conn, district, codes(changes, "run_card", RETIRED), now)
    new = codes(changes, "run_card", ADDED, CHANGED)
    run_cards.put_in_force(conn, district, {code: wanted[code] for code in new}, now)


def _passwords(
    conn: Connection, cities: Sequence[City], new_password: NewPassword
) -> dict[str, users.Password]:
    """One for everybody whose name nobody has."""
    names = {name for city in cities for name in city.people}
    taken = {name for name, _, _ in users.list_taken(conn, sorted(names))}
    return {name: new_password() for name in sorted(names - taken)}


def _write_district(conn: Connection, city: City, changes: Sequence[Change], now: datetime) -> None:
    d = city.district
    for change in changes:
        if change.what == "district":
            districts.save_district(conn, d.code, d.name_zh, d.name_en, d.timezone, d.outline)
            named = {
                CALENDAR_SETTING: d.calendar,
                LANGUAGES_SETTING: list(d.languages),
                LEVELS_SETTING: list(d.levels),
                FOUR_EYES_SETTING: d.four_eyes,
                districts.PHONE_HOURS_SETTING: d.phone_hours,
            }
            for key, value in named.items():
                districts.save_setting(conn, d.code, key, value, now)


def _write_ground(conn: Connection, city: City, changes: Sequence[Change]) -> None:
    """Divisions, then duty grids, then the cells that refer to both."""
    district = city.district.code
    found = [city.divisions[c] for c in codes(changes, "division", ADDED, CHANGED)]
    grids.save_divisions(conn, district, found, SOURCE)
    grids.delete_outlines(conn, codes(changes, "division_outline", RETIRED))
    drawn = codes(changes, "division_outline", ADDED, CHANGED)
    grids.save_outlines(conn, {code: (city.outlines or {})[code] for code in drawn})
    _write_duty_grids(conn, city, changes)
    gone = moved_cells(changes)
    if gone:
        grids.delete_cells(conn, gone)
    finder = GridFinder(city.divisions, city.duty_grids.values())
    new = {*codes(changes, "unit_grid", ADDED), *(city.cells.keys() & gone)}
    if new:
        rows = ((_cell_row(city.cells[c]), finder.grid_of(city.cells[c].division)) for c in new)
        grids.copy_cells(conn, district, rows, SOURCE)
        devices.place_devices(conn, district)
    if any(change.what in ("duty_grid", "unit_grid") for change in changes):
        kept = [cell for code, cell in city.cells.items() if code not in new]
        grids.place_cells(conn, [(c.code, _below(c), finder.grid_of(c.division)) for c in kept])


def _write_duty_grids(conn: Connection, city: City, changes: Sequence[Change]) -> None:
    """Those that are there by rule alone, one for each community, name no divisions."""
    district = city.district.code
    if not changes:
        return
    new = city.duty_grids.keys() - grids.list_duty_grids(conn, district).keys()
    new |= {*codes(changes, "duty_grid", CHANGED)}
    named = [(code, city.duty_grids[code].name) for code in sorted(new)]
    grids.save_duty_grids(conn, district, named)
    if codes(changes, "duty_grid", ADDED, CHANGED, RETIRED):
        own = city.duty_grids.values() if has_own_duty_grids(city) else ()
        parts = [(part, grid.code) for grid in own for part in sorted(grid.divisions)]
        grids.replace_duty_grid_divisions(conn, district, parts)


def _below(cell: Cell) -> str | None:
    return None if cell.division == cell.community else cell.division


def _cell_row(c: Cell) -> CellRow:
    return CellRow(
        c.code, c.street, c.community, _below(c), c.column, c.row, c.west, c.south, c.east, c.north
    )


def _delete_ground(conn: Connection, changes: Sequence[Change]) -> None:
    """Where no cell and no squad is any more."""
    if gone := codes(changes, "duty_grid", RETIRED):
        grids.delete_duty_grids(conn, gone)
    if gone := codes(changes, "division", RETIRED):
        grids.delete_divisions(conn, gone)


def _write_squads(conn: Connection, city: City, changes: Sequence[Change], now: datetime) -> None:
    if gone := codes(changes, "squad", RETIRED):
        squads.retire_squads(conn, gone)
    for code in codes(changes, "squad", ADDED, CHANGED):
        part = city.squads[code]
        squads.save_squad(conn, _squad(part, city.district.code, now), part.phone)


def _squad(part: SquadPart, district: str, now: datetime) -> Squad:
    return Squad(
        code=part.code,
        district=district,
        name_zh=part.name_zh,
        name_en=part.name_en,
        kind=part.kind,
        skills=part.skills,
        duty_grids=part.grids,
        shifts=part.shifts,
        position=part.home,
        position_at=now,
        open_incidents=0,
    )


def _write_catalogue(
    conn: Connection, city: City, changes: Sequence[Change], now: datetime
) -> None:
    """Categories and limits: what is changed begins a new version today."""
    today = now.astimezone(ZoneInfo(city.district.timezone)).date()
    if gone := codes(changes, "category", RETIRED):
        categories.retire_categories(conn, city.district.code, gone, today)
    for change in changes:
        if change.what == "category" and change.how != RETIRED:
            category = city.categories[change.code]
            categories.put_in_force(
                conn, city.district.code, category, today, new=change.how == ADDED
            )
        elif change.what == "stage_limit":
            limit = city.stage_limits[change.code]
            clock = ClockKind(limit.clock)
            categories.put_stage_limit(
                conn, city.district.code, clock, limit.limit, limit.source, today
            )


def _write_people(
    conn: Connection,
    city: City,
    changes: Sequence[Change],
    passwords: Mapping[str, users.Password],
    now: datetime,
) -> None:
    for change in changes:
        if change.what != "person":
            continue
        person = city.people[change.code]
        if change.how == ADDED:
            users.add_hashed_user(
                conn, person.name, passwords[person.name].digest, person.role,
                city.district.code, now, squad=person.squad, display_name=person.display_name,
                divisions=sorted(person.divisions or ()),
            )  # fmt: skip
            continue
        if ROLE_FIELDS & {*change.fields}:
            bounds = None if person.divisions is None else sorted(person.divisions)
            users.set_role(conn, person.name, person.role, person.squad, city.district.code, bounds)
        if "display_name" in change.fields:
            users.set_display_name(conn, person.name, person.display_name)


def _write_registers(
    conn: Connection, city: City, changes: Sequence[Change], now: datetime
) -> None:
    """Definitions, then entries, each with what follows from its definition."""
    district = city.district.code
    for code in codes(changes, "register", ADDED, CHANGED):
        registers.save_definition(conn, district, code, city.registers[code].text or "", now)
    written, gone = codes(changes, ENTRY, ADDED, CHANGED), codes(changes, ENTRY, RETIRED)
    for code, wanted in _by_register(written).items():
        part = city.registers[code]
        rows = (_entry_row(district, part, entry) for entry in wanted)
        registers.save_entries(conn, district, code, rows, now)
    for code, names in _by_register(gone).items():
        registers.retire_entries(conn, district, code, names, now)


def _by_register(names: Sequence[str]) -> dict[str, list[str]]:
    """Codes of entries by the code of their register."""
    found: dict[str, list[str]] = {}
    for name in names:
        register, _, code = name.partition("/")
        found.setdefault(register, []).append(code)
    return found


def _entry_row(district: str, part: RegisterPart, code: str) -> EntryRow:
    entry = (part.entries or {})[code]
    register = part.register
    return EntryRow(
        entry=entry,
        short=short_code(district, register.code, code),
        party=party_of(register, entry),
        due_on=due_of(register, entry),
    )


# The event log


def _events(
    city: City, changes: Sequence[Change], actor: str, now: datetime, told: Mapping[str, str]
) -> Iterator[NewEvent]:
    """One event a change, which takes the rows about its subject with it; of cells and pipes one
    for all. Rules and lighting programmes are told by whoever puts them in force."""
    district = city.district.code
    for change in changes:
        if change.what in TOLD_AT_ONCE or change.what in ELSEWHERE:
            continue
        subject = SUBJECTS.get(change.what, change.what)
        payload: dict[str, Any] = dict(told)
        if change.fields:
            payload["fields"] = list(change.fields)
        if change.what == "person":
            payload |= _person_facts(city.people[change.code])
        yield NewEvent(
            at=now,
            district="" if change.what in SHARED else district,
            kind=f"{subject}.{_how(change)}",
            subject=f"{subject}:{change.code}",
            actor=actor,
            payload=payload,
        )
    for what in sorted(TOLD_AT_ONCE):
        mine = [change.how for change in changes if change.what == what]
        if mine:
            counts = {how: mine.count(how) for how in (ADDED, CHANGED, RETIRED)}
            payload = {**told, **counts}
            yield NewEvent(now, district, f"{what}.changed", f"district:{district}", actor, payload)


def _entry_events(
    conn: Connection,
    city: City,
    changes: Sequence[Change],
    actor: str,
    now: datetime,
    told: Mapping[str, str],
) -> list[NewEvent]:
    """One for a register with the numbers, and one for each entry that was there before: it says
    which fields are others, and no value, for the log forgets nothing."""
    district, mine = city.district.code, [c for c in changes if c.what == ENTRY]
    numbers: dict[str, dict[str, int]] = {}
    for code, how, count in counts_of(mine):
        numbers.setdefault(code, {})[how] = count
    found = [
        NewEvent(now, district, "register.entries_changed", f"register:{code}", actor,
                 {**told, **counts})
        for code, counts in numbers.items()
    ]  # fmt: skip
    before = codes(mine, ENTRY, CHANGED, RETIRED)
    ids = {
        f"{register}/{code}": number
        for register, names in _by_register(before).items()
        for code, number in registers.entry_ids(conn, district, register, names).items()
    }
    for change in mine:
        if change.code in ids:
            register, _, code = change.code.partition("/")
            payload = {**told, "register": register, "entry": code, "fields": list(change.fields)}
            subject = f"register_entry:{ids[change.code]}"
            kind = f"register_entry.{change.how}"
            found.append(NewEvent(now, district, kind, subject, actor, payload))
    return found


def _how(change: Change) -> str:
    """As whoever changes people one by one tells it."""
    if change.what == "person" and ROLE_FIELDS & {*change.fields}:
        return "role_changed"
    return change.how


def _person_facts(person: Person) -> dict[str, Any]:
    facts: dict[str, Any] = {"role": person.role}
    if person.squad:
        facts["squad"] = person.squad
    if person.divisions:
        facts["divisions"] = sorted(person.divisions)
    return facts
