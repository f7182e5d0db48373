"""The units of work of whoever keeps a register: an entry put in, changed, taken out, and who is
related to it. Each is one transaction; the caller commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import shapely
from shapely.geometry import shape

from city.errors import Conflict, Forbidden, InvalidInput
from city.event import NewEvent
from city.person import Caller
from city.register import (
    INSPECTORS,
    KEEPERS,
    FieldType,
    Register,
    RegisterEntry,
    StoredEntry,
)
from city.requests import EntryChangeRequest, EntryRequest, RecusalRequest, RetireEntryRequest
from db import places, register_recusals, registers, users
from db.events import append_events
from db.pool import Connection
from registers.entries import due_of, party_of, read_entry, short_code, why_outside
from registers.steps import WHY_MAX, find_register

# As for a city folder: an outline of a district is good to about this.
TOLERANCE_DEG = 0.001
ADDED, CHANGED, RETIRED = "added", "changed", "retired"


def add_entry(
    conn: Connection, caller: Caller, code: str, request: EntryRequest, now: datetime
) -> StoredEntry:
    """A new entry, out of the cells that a row of a data file would have."""
    _may_keep(caller)
    register, why = find_register(conn, caller.district, code), _why(request.why)
    entry = _judged(conn, caller.district, register, request.cells)
    if registers.missing_codes(conn, caller.district, code, [entry.code]) == []:
        raise InvalidInput("cells.code", entry.code, "is in this register already")
    return _save(conn, caller, register, entry, ADDED, _filled(entry), why, now)


def change_entry(
    conn: Connection, caller: Caller, short: str, request: EntryChangeRequest, now: datetime
) -> StoredEntry:
    """Other values of an entry; its code stays. Raises `Conflict` where it was changed since."""
    _may_keep(caller)
    why, before = _why(request.why), _held(conn, caller, short, request.version)
    register = find_register(conn, caller.district, before.register)
    entry = _judged(conn, caller.district, register, {**request.cells, "code": before.code})
    names = [f.code for f in register.fields]
    fields = [name for name in names if entry.value(name) != before.value(name)]
    fields += ["state"] if entry.state != before.state else []
    fields += ["geometry"] if entry.geometry != before.geometry else []
    if not fields:
        return before
    return _save(conn, caller, register, entry, CHANGED, fields, why, now)


def retire_entry(
    conn: Connection, caller: Caller, short: str, request: RetireEntryRequest, now: datetime
) -> StoredEntry:
    """Out of the register; its inspections stay."""
    _may_keep(caller)
    why, entry = _why(request.why), _held(conn, caller, short, request.version)
    registers.retire_entries(conn, caller.district, entry.register, [entry.code], now)
    _tell(conn, caller, entry, RETIRED, [], why, now)
    return registers.find_entry(conn, caller.district, short)


def recuse(
    conn: Connection, caller: Caller, short: str, request: RecusalRequest, now: datetime
) -> None:
    """Somebody is related to an entry, or is not any more. Everybody says so of themselves, who
    keeps registers of others as well."""
    if caller.role not in INSPECTORS:
        raise Forbidden(f"a {caller.role.value} does not inspect")
    if request.person != caller.name:
        _may_keep(caller)
    entry, why = registers.find_entry(conn, caller.district, short, for_update=True), request.why
    registers.refuse_outside(conn, caller.scope, entry)
    known = {a.name for a in users.list_accounts(conn, caller.district) if a.disabled_at is None}
    if request.related:
        if request.person not in known:
            raise InvalidInput("person", request.person, "is nobody who may sign in")
        person, said = request.person, _why(why)
        register_recusals.put_recusal(conn, entry.id, person, said, caller.name, now)
    elif not register_recusals.delete_recusal(conn, entry.id, request.person):
        raise InvalidInput("person", request.person, "is not known to be related")
    payload = {"register": entry.register, "entry": entry.code, "person": request.person,
               "related": request.related, "why": why.strip()}  # fmt: skip
    subject = f"register_entry:{entry.id}"
    kind = "register_entry.recused" if request.related else "register_entry.recusal_ended"
    append_events(conn, [NewEvent(now, caller.district, kind, subject, caller.name, payload)])


def _may_keep(caller: Caller) -> None:
    if caller.role not in KEEPERS:
        raise Forbidden(f"a {caller.role.value} does not keep registers")


def _why(text: str) -> str:
    why = text.strip()
    if not why or len(why) > WHY_MAX:
        raise InvalidInput("why", text[:80], f"must have 1 to {WHY_MAX} characters")
    return why


def _held(conn: Connection, caller: Caller, short: str, version: int) -> StoredEntry:
    """The entry as it was looked at; nobody else changes it until the commit."""
    entry = registers.find_entry(conn, caller.district, short, for_update=True)
    registers.refuse_outside(conn, caller.scope, entry)
    if entry.retired_at is not None:
        raise Conflict(f"entry {entry.code} is not in its register any more", current={})
    if version != entry.version:
        raise Conflict(
            f"entry {entry.code} was changed meanwhile", current={"version": entry.version}
        )
    return entry


def _judged(
    conn: Connection, district: str, register: Register, cells: Mapping[str, str]
) -> RegisterEntry:
    """The entry of these cells; raises `InvalidInput` for the first that is wrong."""
    own = {"code", "state", "lon", "lat", "geometry", *(f.code for f in register.fields)}
    for name, value in cells.items():
        if name not in own:
            raise InvalidInput(f"cells.{name}", value, "is no field of this register")

    def fault(name: str, problem: str, value: str | None) -> None:
        shown = cells.get(name, "") if value is None else value
        raise InvalidInput(f"cells.{name}", shown, problem)

    entry = read_entry(register, {n: v.strip() for n, v in cells.items()}, fault)
    area: Any = shape(places.outline_of(conn, district)).buffer(TOLERANCE_DEG)
    shapely.prepare(area)
    column, problem = why_outside(register.place, entry, area)
    if problem:
        fault(column, problem, f"{entry.lon:g}, {entry.lat:g}")
    for f in register.fields:
        wanted = [entry.value(f.code)] if f.type is FieldType.RELATION else []
        if any(wanted) and registers.missing_codes(conn, district, f.register, wanted):
            fault(f.code, f"is no entry of {f.register}", None)
    return entry


def _filled(entry: RegisterEntry) -> list[str]:
    return [*entry.fields, *entry.personal]


def _save(
    conn: Connection,
    caller: Caller,
    register: Register,
    entry: RegisterEntry,
    how: str,
    fields: list[str],
    why: str,
    now: datetime,
) -> StoredEntry:
    short = short_code(caller.district, register.code, entry.code)
    row = registers.EntryRow(entry, short, party_of(register, entry), due_of(register, entry))
    registers.save_entries(conn, caller.district, register.code, [row], now)
    stored = registers.find_entry(conn, caller.district, short)
    # Where it lies now: what is put or moved outside is taken back with the transaction.
    registers.refuse_outside(conn, caller.scope, stored)
    _tell(conn, caller, stored, how, fields, why, now)
    return stored


def _tell(
    conn: Connection,
    caller: Caller,
    entry: StoredEntry,
    how: str,
    fields: list[str],
    why: str,
    now: datetime,
) -> None:
    """Which fields are others, and no value: the log forgets nothing."""
    payload = {"register": entry.register, "entry": entry.code, "fields": fields, "why": why}
    subject = f"register_entry:{entry.id}"
    kind = f"register_entry.{how}"
    append_events(conn, [NewEvent(now, caller.district, kind, subject, caller.name, payload)])
