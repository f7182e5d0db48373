"""What the screen and the API show of registers: personal fields as their reader may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from city.errors import InvalidInput
from city.person import Caller
from city.register import (
    INSPECTORS,
    KEEPERS,
    Coverage,
    Offence,
    Recusal,
    Register,
    StoredDraw,
    StoredEntry,
    StoredInspection,
)
from city.requests import (
    DrawRequest,
    EntryChangeRequest,
    EntryRequest,
    InspectionRequest,
    RecusalRequest,
    RetireEntryRequest,
)
from dashboard.shell.changes import CREATED, Once, change
from dashboard.shell.parts import parts
from db import (
    categories,
    incidents,
    register_draws,
    register_inspections,
    register_recusals,
    registers,
)
from db.events import list_newest
from db.idempotency import StoredAnswer
from db.pool import Connection, transaction
from registers import keeping, steps
from registers.entries import normal_party, title_of
from registers.masking import mask, may_see_personal

DUE, OVERDUE = "due", "overdue"
HISTORY_MAX = 200


@dataclass(frozen=True, slots=True)
class RegisterItem:
    """A register among the others."""

    code: str
    name_zh: str
    name_en: str
    category: str
    every_days: int
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class RegisterAnswer:
    """One register: its definition, its counts, and the category of its findings."""

    register: Register
    coverage: Coverage
    category_zh: str
    category_en: str
    may_draw: bool
    may_inspect: bool
    may_keep: bool


@dataclass(frozen=True, slots=True)
class EntryItem:
    """An entry. Of `values` those that `masked` names are not as they are."""

    register: str
    code: str
    short: str
    title: str
    state: str
    values: dict[str, str]
    masked: list[str]
    lon: float | None
    lat: float | None
    due_on: date | None
    inspected_on: date | None
    passed: bool | None
    retired: bool
    version: int


@dataclass(frozen=True, slots=True)
class RelatedItem:
    """An entry that a field leads to."""

    field: str
    short: str
    title: str


@dataclass(frozen=True, slots=True)
class EntryChange:
    """Something that happened to an entry; `fields` are those that changed."""

    at: datetime
    actor: str
    kind: str
    fields: list[str]
    why: str


@dataclass(frozen=True, slots=True)
class EntryAnswer:
    """One entry with all that is around it. `offences` are of the party that answers for it now,
    None for readers who do not inspect."""

    entry: EntryItem
    register: Register
    geometry: dict[str, Any] | None
    related: list[RelatedItem]
    inspections: list[StoredInspection]
    history: list[EntryChange]
    offences: list[Offence] | None
    may_inspect: bool
    may_keep: bool
    recusals: list[Recusal]


@dataclass(frozen=True, slots=True)
class InspectionAnswer:
    """What an inspection came to; `incident` is the number of the case it became."""

    inspection_id: int
    score: float
    passed: bool
    failed: list[str]
    due_on: date | None
    incident_id: int | None
    incident: str | None
    earlier: list[Offence]


@dataclass(frozen=True, slots=True)
class DrawItem:
    """A draw: `objects` of `population` entries, `each` with so many inspectors."""

    id: int
    register: str
    at: datetime
    actor: str
    why: str
    seed: str
    algorithm: str
    objects: int
    population: int
    each: int
    inspectors: list[str]
    result: list[Any]
    recused: list[Any]


def list_registers(caller: Caller) -> list[RegisterItem]:
    """Those that have entries first."""
    now = datetime.now(UTC)
    with transaction(parts().pool) as conn:
        found = [
            RegisterItem(
                r.code, r.name_zh, r.name_en, r.category, r.every_days,
                steps.coverage_of(conn, caller.scope, r, now),
            )
            for r in steps.list_registers(conn, caller.district).values()
        ]  # fmt: skip
    return sorted(found, key=lambda item: item.coverage.entries == 0)


def find_register(caller: Caller, code: str) -> RegisterAnswer:
    now = datetime.now(UTC)
    with transaction(parts().pool) as conn:
        register = steps.find_register(conn, caller.district, code)
        coverage = steps.coverage_of(conn, caller.scope, register, now)
        names = {
            c.code: (c.name_zh, c.name_en) for c in categories.list_in_force(conn, caller.district)
        }
    zh, en = names.get(register.category, (register.category, register.category))
    return RegisterAnswer(
        register, coverage, zh, en,
        caller.role in steps.DRAWERS and caller.within is None,
        caller.role in INSPECTORS, caller.role in KEEPERS,
    )  # fmt: skip


def page_entries(
    caller: Caller,
    code: str,
    *,
    text: str,
    state: str | None,
    due: str | None,
    after: tuple[date, str] | None,
    limit: int,
) -> list[EntryItem]:
    """Entries, what is due longest first; `due` those that are, `overdue` those that were before
    today."""
    now = datetime.now(UTC)
    with transaction(parts().pool) as conn:
        register = steps.find_register(conn, caller.district, code)
        today = steps.today_of(conn, caller.district, now)
        until = {DUE: today, OVERDUE: date.fromordinal(today.toordinal() - 1)}
        rows = registers.page_entries(
            conn, caller.scope, code, words=text.split(),
            with_personal=may_see_personal(caller.role), state=state,
            due_until=until[due] if due else None, after=after, limit=limit,
        )  # fmt: skip
    return [entry_item(caller, register, row) for row in rows]


def entry_item(caller: Caller, register: Register, row: StoredEntry) -> EntryItem:
    """An entry as this caller may see it."""
    masked = [] if may_see_personal(caller.role) else sorted(row.personal)
    kinds = {f.code: f.type for f in register.fields}
    values = dict(row.fields)
    for name, value in row.personal.items():
        hidden = name in masked and name in kinds
        values[name] = mask(kinds[name], value) if hidden else "" if name in masked else value
    return EntryItem(
        register=row.register,
        code=row.code,
        short=row.short,
        title=title_of(register, lambda name: values.get(name, ""), row.code),
        state=row.state,
        values=values,
        masked=masked,
        lon=row.lon,
        lat=row.lat,
        due_on=row.due_on,
        inspected_on=row.inspected_on,
        passed=row.passed,
        retired=row.retired_at is not None,
        version=row.version,
    )


def find_entry(caller: Caller, short: str) -> EntryAnswer:
    with transaction(parts().pool) as conn:
        row = registers.find_entry(conn, caller.district, short)
        registers.refuse_outside(conn, caller.scope, row)
        register = steps.find_register(conn, caller.district, row.register)
        may_inspect = caller.role in INSPECTORS
        return EntryAnswer(
            entry=entry_item(caller, register, row),
            register=register,
            geometry=row.geometry,
            related=_related(conn, caller, register, row),
            inspections=register_inspections.list_inspections(conn, row.id),
            history=_history(conn, row),
            offences=_offences(conn, caller, register, row) if may_inspect else None,
            may_inspect=may_inspect and row.retired_at is None and bool(register.items),
            may_keep=caller.role in KEEPERS and row.retired_at is None,
            recusals=register_recusals.list_recusals(conn, row.id) if may_inspect else [],
        )


def _related(
    conn: Connection, caller: Caller, register: Register, row: StoredEntry
) -> list[RelatedItem]:
    leads = {f.code: (f.register, row.value(f.code)) for f in register.fields if f.register}
    found = registers.titles_of(conn, caller.district, leads)
    return [
        RelatedItem(name, other.short, steps.public_title(
            steps.find_register(conn, caller.district, other.register), other))
        for name, other in found.items()
        if registers.is_inside(conn, caller.scope, other.id)
    ]  # fmt: skip


def _offences(
    conn: Connection, caller: Caller, register: Register, row: StoredEntry
) -> list[Offence]:
    party = normal_party(row.value(register.party)) if register.party else ""
    return register_inspections.list_offences(conn, caller.district, party)


def _history(conn: Connection, row: StoredEntry) -> list[EntryChange]:
    """The newest first."""
    events = list_newest(conn, f"register_entry:{row.id}", limit=HISTORY_MAX)
    return [EntryChange(e.at, e.actor, e.kind, list(e.payload.get("fields", ())),
                        str(e.payload.get("why", ""))) for e in events]  # fmt: skip


def inspect(
    caller: Caller, short: str, request: InspectionRequest, once: Once | None
) -> StoredAnswer:
    if (request.lon is None) != (request.lat is None):
        raise InvalidInput("lon", request.lon, "goes with lat")

    def work(conn: Connection, now: datetime) -> InspectionAnswer:
        done = steps.inspect(
            conn, caller, short, request, now, report=parts().ports.incidents.report
        )
        number = incidents.find(conn, done.incident_id).number if done.incident_id else None
        return InspectionAnswer(
            done.inspection_id, done.score, done.passed, list(done.failed), done.due_on,
            done.incident_id, number, list(done.earlier),
        )  # fmt: skip

    return change(caller, work, once=once, status=CREATED)


def add_entry(caller: Caller, code: str, request: EntryRequest, once: Once | None) -> StoredAnswer:
    def work(conn: Connection, now: datetime) -> EntryItem:
        return _item(conn, caller, keeping.add_entry(conn, caller, code, request, now))

    return change(caller, work, once=once, status=CREATED)


def change_entry(
    caller: Caller, short: str, request: EntryChangeRequest, once: Once | None
) -> StoredAnswer:
    def work(conn: Connection, now: datetime) -> EntryItem:
        return _item(conn, caller, keeping.change_entry(conn, caller, short, request, now))

    return change(caller, work, once=once)


def retire_entry(
    caller: Caller, short: str, request: RetireEntryRequest, once: Once | None
) -> StoredAnswer:
    def work(conn: Connection, now: datetime) -> EntryItem:
        return _item(conn, caller, keeping.retire_entry(conn, caller, short, request, now))

    return change(caller, work, once=once)


def recuse(caller: Caller, short: str, request: RecusalRequest, once: Once | None) -> StoredAnswer:
    def work(conn: Connection, now: datetime) -> dict[str, list[Recusal] | None]:
        keeping.recuse(conn, caller, short, request, now)
        entry = registers.find_entry(conn, caller.district, short)
        return {"items": register_recusals.list_recusals(conn, entry.id), "next": None}

    return change(caller, work, once=once)


def _item(conn: Connection, caller: Caller, row: StoredEntry) -> EntryItem:
    return entry_item(caller, steps.find_register(conn, caller.district, row.register), row)


def find_labels(
    caller: Caller, code: str, after: str, limit: int
) -> tuple[Register, list[tuple[str, str]]]:
    """Code and short code of entries in the order of their codes, for a sheet of labels."""
    with transaction(parts().pool) as conn:
        register = steps.find_register(conn, caller.district, code)
        return register, registers.list_labels(conn, caller.scope, code, after, limit)


def make_draw(caller: Caller, code: str, request: DrawRequest, once: Once | None) -> StoredAnswer:
    return change(
        caller,
        lambda conn, now: draw_item(steps.make_draw(conn, caller, code, request, now)),
        once=once,
        status=CREATED,
    )


def list_draws(caller: Caller, code: str) -> Sequence[DrawItem]:
    with transaction(parts().pool) as conn:
        steps.find_register(conn, caller.district, code)
        if caller.within is not None:  # its result names entries of everywhere
            return []
        return [draw_item(d) for d in register_draws.list_draws(conn, caller.district, code)]


def draw_item(made: StoredDraw) -> DrawItem:
    return DrawItem(
        made.id, made.register, made.at, made.actor, made.why, made.seed, made.algorithm,
        made.wanted, len(made.population), made.each, made.inspectors, made.result, made.recused,
    )  # fmt: skip
