"""What the database holds that a city cannot be changed over: named before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from city.incident import Role
from db import grids, registers, squads, users
from db.pool import Connection
from founding.city_file import GRID_FILE
from founding.compare import ADDED, RETIRED, Change, codes, moved_cells
from founding.field_steps import find_field_obstacles
from founding.folder import CATEGORIES, DIVISIONS, DUTY_GRIDS, PEOPLE, SQUADS
from founding.parts import City, Fault
from founding.registers import data_file, open_relations
from registers.shipped import known_registers

# So many of a kind are named; the rest is counted.
NAMED_MAX = 20


def find_obstacles(conn: Connection, city: City, changes: Sequence[Change]) -> list[Fault]:
    """Everything that stands in the way of these changes."""
    return [
        *_of_the_ground(conn, city, changes),
        *_of_squads(conn, city, changes),
        *_of_people(conn, city, changes),
        *find_field_obstacles(conn, city, changes),
        *_of_registers(conn, city, changes),
    ]


def _of_the_ground(conn: Connection, city: City, changes: Sequence[Change]) -> Iterator[Fault]:
    added = codes(changes, "division", ADDED)
    for code, other in grids.list_of_others(conn, city.district.code, added):
        yield Fault(DIVISIONS, None, "code", code, f"is a division of district {other}")
    gone = codes(changes, "division", RETIRED)
    for code, count in grids.list_divisions_with_devices(conn, gone):
        yield Fault(DIVISIONS, None, "code", code, f"is missing, and {count} devices stand in it")
    added = codes(changes, "duty_grid", ADDED)
    for code, other in grids.list_duty_grids_of_others(conn, city.district.code, added):
        yield Fault(DUTY_GRIDS, None, "code", code, f"is a duty grid of district {other}")
    found = grids.list_cells_with_devices(conn, moved_cells(changes))
    for code, count in found[:NAMED_MAX]:
        yield Fault(
            GRID_FILE, None, "code", code, f"would move or go, and {count} devices stand in it"
        )
    if len(found) > NAMED_MAX:
        problem = f"{len(found) - NAMED_MAX} more cells with devices would move or go"
        yield Fault(GRID_FILE, None, "", "", problem)


def _of_squads(conn: Connection, city: City, changes: Sequence[Change]) -> Iterator[Fault]:
    added = codes(changes, "squad", ADDED)
    for code, other in squads.list_squads_of_others(conn, city.district.code, added):
        yield Fault(SQUADS, None, "code", code, f"is a squad of district {other}")
    gone = codes(changes, "squad", RETIRED)
    for code, count in squads.list_squads_at_work(conn, gone):
        yield Fault(SQUADS, None, "code", code, f"is missing, and has {count} open incidents")
    for account in users.list_accounts(conn, city.district.code):
        if account.squad in gone and not account.disabled_at and account.name not in city.people:
            problem = f"is missing, and {account.name} belongs to it"
            yield Fault(SQUADS, None, "code", account.squad or "", problem)


def _of_people(conn: Connection, city: City, changes: Sequence[Change]) -> Iterator[Fault]:
    added = codes(changes, "person", ADDED)
    for name, district, shut_out in users.list_taken(conn, added):
        if district != city.district.code:
            yield Fault(PEOPLE, None, "name", name, f"is somebody of district {district}")
        elif shut_out:
            problem = f"is shut out; `gridwarden user enable {name}` lets them in again"
            yield Fault(PEOPLE, None, "name", name, problem)
    admins = users.list_admins(conn, city.district.code)
    left = [n for n in admins if n not in city.people or city.people[n].role == Role.ADMIN]
    new = any(city.people[name].role == Role.ADMIN for name in added)
    if admins and not left and not new:
        yield Fault(PEOPLE, None, "role", ", ".join(admins), "would leave no administrator")


def _of_registers(conn: Connection, city: City, changes: Sequence[Change]) -> Iterator[Fault]:
    """Categories that findings of a register need; entries that others refer to and that stand
    neither in the folder nor in the database."""
    district = city.district.code
    if gone := codes(changes, "category", RETIRED):
        known = known_registers(registers.list_definitions(conn, district))
        for code in registers.used_registers(conn, district):
            if code in known and known[code].category in gone:
                problem = f"is missing: what fails in the register {code} becomes it"
                yield Fault(CATEGORIES, None, "code", known[code].category, problem)
    for target, wanted in open_relations(city.registers).items():
        found = registers.missing_codes(conn, district, target, sorted(wanted))
        for code in found[:NAMED_MAX]:
            register, column = wanted[code]
            yield Fault(data_file(register), None, column, code, f"is no entry of {target}")
