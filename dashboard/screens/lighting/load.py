"""What the screen and the API show of lighting, and how both change it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from city.errors import InvalidInput, NotFound
from city.lamp_programme import parse_programme
from city.lighting import COMMANDERS, LampPicture, NightOfStreet
from city.person import Caller
from city.requests import (
    AssignRequest,
    LampCancelRequest,
    LampOrderRequest,
    NightRequest,
    ProgrammeRequest,
    ProgrammeRetireRequest,
)
from dashboard.shell.changes import CREATED, Once, change
from dashboard.shell.parts import parts
from dashboard.shell.ports import LightingSteps
from db import lamp_commands, lamp_programmes, lamp_states
from db.idempotency import StoredAnswer
from db.lamp_programmes import ProgrammeRow
from db.pool import Connection, transaction

# Commands of an order that are shown one by one.
COMMANDS_MAX = 1_000
NIGHTS_SHOWN = 30
NIGHTS_MAX = 400
LAMPS_MAX = 500


@dataclass(frozen=True, slots=True)
class LightingAnswer:
    """Lamps now, by street and cabinet, and what the caller may do: switch lamps (`may_command`),
    and change programmes and what the whole district follows (`may_change`)."""

    picture: LampPicture
    may_command: bool
    may_change: bool


@dataclass(frozen=True, slots=True)
class LampItem:
    """A lamp with what it said last; `state` is lit, dark or off by its own word, or silent."""

    code: str
    cabinet: str
    street: str
    street_name: str
    lon: float
    lat: float
    lamp_on: float | None
    dim_pct: float | None
    power_w: float | None
    rated_power_w: float | None
    heard_at: datetime | None
    command_state: str | None
    command_level: int | None


@dataclass(frozen=True, slots=True)
class LampOrderItem:
    """An order to lamps with how many of its commands stand how."""

    id: int
    target: str
    code: str
    target_name: str | None
    level: int
    until: datetime | None
    programme: str
    step_at: datetime | None
    actor: str
    why: str
    lamps: int
    ordered_at: datetime
    queued: int
    sent: int
    acknowledged: int
    failed: int
    timed_out: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class LampCommandItem:
    """The command to one lamp; `due_at` is when it is sent, or asked about again. `detail` says
    why it ended; `code` and `fact` say the same for other languages."""

    id: int
    device: str
    level: int
    state: str
    attempts: int
    queued_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    code: str
    fact: str
    detail: str


@dataclass(frozen=True, slots=True)
class LampOrderDetail:
    order: LampOrderItem
    commands: list[LampCommandItem]


@dataclass(frozen=True, slots=True)
class ProgrammeStep:
    at: str
    level: int
    days: str


@dataclass(frozen=True, slots=True)
class AssignedItem:
    """Whose lamps follow a programme, and when its next step is due for them."""

    target: str
    code: str
    name: str | None
    actor: str
    assigned_at: datetime
    step_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProgrammeItem:
    code: str
    version: int
    name_zh: str
    name_en: str
    steps: list[ProgrammeStep]
    actor: str
    why: str
    valid_from: datetime
    assigned: list[AssignedItem]


def steps() -> LightingSteps:
    return parts().ports.lighting


def read_lighting(caller: Caller) -> LightingAnswer:
    def read() -> LampPicture:
        with transaction(parts().pool) as conn:
            return steps().build_picture(conn, caller.scope, datetime.now(UTC))

    name = ["lighting", caller.district, *(caller.scope.codes or ())]
    picture = parts().looks.recent(" ".join(name), read)
    may = caller.role in COMMANDERS
    return LightingAnswer(picture, may, may and caller.within is None)


def list_lamps(caller: Caller, *, cabinet: str | None, street: str | None) -> list[LampItem]:
    """The lamps of one cabinet or street, by code."""
    if (cabinet is None) == (street is None):
        raise InvalidInput("cabinet", cabinet, "name either a cabinet or a street")
    with transaction(parts().pool) as conn:
        rows = lamp_states.list_lamps_now(conn, caller.scope)
    chosen = [
        row for row in rows
        if (row.cabinet == cabinet if cabinet is not None else row.street == street)
    ]  # fmt: skip
    return [
        LampItem(
            row.code, row.cabinet, row.street, row.street_name, row.lon, row.lat, row.lamp_on,
            row.dim_pct, row.power_w, row.rated_power_w, row.heard_at, row.command_state,
            row.command_level,
        )
        for row in chosen[:LAMPS_MAX]
    ]  # fmt: skip


def page_orders(
    caller: Caller, *, state: str | None, below: int | None, limit: int
) -> list[LampOrderItem]:
    with transaction(parts().pool) as conn:
        rows = lamp_commands.list_orders(conn, caller.scope, below=below, limit=limit, state=state)
    return [LampOrderItem(**row) for row in rows]


def find_order(caller: Caller, order_id: int) -> LampOrderDetail:
    with transaction(parts().pool) as conn:
        return _order(conn, caller, order_id)


def _order(conn: Connection, caller: Caller, order_id: int) -> LampOrderDetail:
    rows = lamp_commands.list_orders(conn, caller.scope, below=None, limit=1, order_id=order_id)
    if not rows:
        raise NotFound("lamp order", order_id)
    commands = lamp_commands.list_commands(conn, caller.scope, order_id, COMMANDS_MAX)
    return LampOrderDetail(LampOrderItem(**rows[0]), [LampCommandItem(**row) for row in commands])


def list_programmes(caller: Caller) -> list[ProgrammeItem]:
    with transaction(parts().pool) as conn:
        rows = lamp_programmes.list_programmes(conn, caller.district)
        assigned = lamp_programmes.list_assignments(conn, caller.district, caller.scope.codes)
    by_programme: dict[str, list[AssignedItem]] = {}
    for each in assigned:
        item = AssignedItem(
            each.target_kind, each.target, each.target_name, each.actor, each.assigned_at,
            each.step_at,
        )  # fmt: skip
        by_programme.setdefault(each.programme, []).append(item)
    return [_programme(row, by_programme.get(row.code, [])) for row in rows]


def _programme(row: ProgrammeRow, assigned: list[AssignedItem]) -> ProgrammeItem:
    found = parse_programme(row.source)
    return ProgrammeItem(
        row.code, row.version, found.name_zh, found.name_en,
        [ProgrammeStep(step.at, step.level, step.days.value) for step in found.steps],
        row.actor, row.why, row.valid_from, assigned,
    )  # fmt: skip


def list_nights(caller: Caller, first: date | None, last: date | None) -> list[NightOfStreet]:
    """Street by street, newest first; without dates the last thirty nights."""
    with transaction(parts().pool) as conn:
        end = last or steps().last_night(conn, caller.district, datetime.now(UTC))
        begin = first or end - timedelta(days=NIGHTS_SHOWN - 1)
        if not 0 <= (end - begin).days < NIGHTS_MAX:
            raise InvalidInput("from", begin.isoformat(), f"must be within {NIGHTS_MAX} nights")
        return lamp_states.list_nights(conn, caller.scope, begin, end)


# Changes


def give_order(caller: Caller, request: LampOrderRequest, once: Once | None) -> StoredAnswer:
    def work(conn: Connection, now: datetime) -> Any:
        return steps().order(conn, caller, request, now)

    return change(caller, work, once=once, status=CREATED)


def cancel_order(
    caller: Caller, order_id: int, request: LampCancelRequest, once: Once | None
) -> StoredAnswer:
    def work(conn: Connection, now: datetime) -> Any:
        steps().cancel(conn, caller, order_id, request, now)
        return _order(conn, caller, order_id)

    return change(caller, work, once=once)


def save_programme(caller: Caller, request: ProgrammeRequest, once: Once | None) -> StoredAnswer:
    def work(conn: Connection, now: datetime) -> Any:
        return _programme(steps().save_programme(conn, caller, request, now), [])

    return change(caller, work, once=once, status=CREATED)


def retire_programme(
    caller: Caller, code: str, request: ProgrammeRetireRequest, once: Once | None
) -> StoredAnswer:
    def work(conn: Connection, now: datetime) -> Any:
        return _programme(steps().retire_programme(conn, caller, code, request, now), [])

    return change(caller, work, once=once)


def assign(caller: Caller, request: AssignRequest, once: Once | None) -> StoredAnswer:
    def work(conn: Connection, now: datetime) -> Any:
        steps().assign(conn, caller, request, now)
        rows = lamp_programmes.list_assignments(conn, caller.district)
        key = (request.target, request.code)
        return next(
            (
                AssignedItem(
                    row.target_kind, row.target, row.target_name, row.actor, row.assigned_at,
                    row.step_at,
                )
                for row in rows
                if (row.target_kind, row.target) == key
            ),
            None,
        )  # fmt: skip

    return change(caller, work, once=once)


def compute_night(
    caller: Caller, night: date, request: NightRequest, once: Once | None
) -> StoredAnswer:
    def work(conn: Connection, now: datetime) -> Any:
        return {"items": steps().recompute(conn, caller, night, request, now), "next": None}

    return change(caller, work, once=once)
