"""The units of work on registers: inspect an entry, draw, verify a draw, check positions. Each is
one transaction; the caller commits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.event import NewEvent
from city.incident import Role, Source
from city.person import Caller
from city.register import (
    INSPECTORS,
    KEEPERS,
    Coverage,
    Offence,
    Register,
    StoredDraw,
    StoredEntry,
)
from city.requests import DrawRequest, InspectionRequest, ReportRequest
from city.scope import Scope
from db import (
    places,
    register_draws,
    register_inspections,
    register_recusals,
    registers,
    users,
)
from db.events import append_events, list_newest
from db.pool import Connection
from db.scopes import refuse_not_whole
from registers.draw import ALGORITHM, digest_of, draw, weight_of
from registers.entries import normal_party, title_of
from registers.inspection import NOTE_MAX, describe_finding, judge_answers, next_due
from registers.routes import Position, RouteFinding, describe_stray, judge_positions
from registers.shipped import known_registers

# Opens an incident that somebody reports; that is for `dispatch.steps`.
Report = Callable[[Connection, Caller, ReportRequest, datetime], int]
# Whose work inspections are; who is named for a draw may be anybody of the district.
DRAWN_ROLES = frozenset({Role.CHECKER, Role.SQUAD_LEADER})
DRAWERS = KEEPERS
WHY_MAX = 2_000
STRAYED = "register_entry.strayed"
DRAWN = "register.drawn"


@dataclass(frozen=True, slots=True)
class Inspected:
    """What an inspection came to. `earlier` are offences of the same party before this one."""

    inspection_id: int
    score: float
    passed: bool
    failed: Sequence[str]
    due_on: date | None
    incident_id: int | None
    earlier: Sequence[Offence]


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether a draw comes out again as it was told; `problem` says what does not."""

    draw_id: int
    same: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Strayed:
    """A stretch of positions that is a finding, and its incident; not `new`: told before."""

    finding: RouteFinding
    incident_id: int
    new: bool


# Looking


def list_registers(conn: Connection, district: str) -> dict[str, Register]:
    """Every definition: those of the city before those that ship under the same code."""
    return known_registers(registers.list_definitions(conn, district))


def find_register(conn: Connection, district: str, code: str) -> Register:
    found = list_registers(conn, district).get(code)
    if found is None:
        raise NotFound("register", code)
    return found


def coverage_of(conn: Connection, scope: Scope, register: Register, now: datetime) -> Coverage:
    """Of the entries that are inspected at all, how many were within the interval; with no
    interval, how many ever were."""
    today = today_of(conn, scope.district, now)
    since = today - timedelta(days=register.every_days) if register.every_days else None
    return registers.count_coverage(
        conn, scope, register.code, register.inspected_states, since, today
    )


def today_of(conn: Connection, district: str, now: datetime) -> date:
    return now.astimezone(places.zone_of(conn, district)).date()


def offences_of(conn: Connection, caller: Caller, party: str) -> list[Offence]:
    """Of a person or merchant, however their number is written."""
    if caller.role not in INSPECTORS:
        raise Forbidden("only who inspects may look up offences")
    bare = normal_party(party)
    if not bare:
        raise InvalidInput("party", party, "must be a number of letters and digits")
    return register_inspections.list_offences(conn, caller.district, bare)


# Inspections


def inspect(
    conn: Connection,
    caller: Caller,
    short: str,
    request: InspectionRequest,
    now: datetime,
    *,
    report: Report,
) -> Inspected:
    """Store the answers of an inspection; one that fails becomes an incident of the register's
    category, where the entry is or, if it has no place, where the inspector says."""
    if caller.role not in INSPECTORS:
        raise Forbidden(f"a {caller.role.value} does not inspect")
    if len(request.note) > NOTE_MAX:
        raise InvalidInput("note", len(request.note), f"is longer than {NOTE_MAX} characters")
    entry = registers.find_entry(conn, caller.district, short, for_update=True)
    registers.refuse_outside(conn, caller.scope, entry)
    if entry.retired_at is not None:
        raise Conflict(f"entry {entry.code} is not in its register any more", current={})
    register = find_register(conn, caller.district, entry.register)
    verdict = judge_answers(register, request.answers)
    party = normal_party(entry.value(register.party)) if register.party else ""
    earlier = register_inspections.list_offences(conn, caller.district, party)
    note = request.note.strip()
    incident_id = None
    if not verdict.passed:
        told = describe_finding(register, verdict, public_title(register, entry), note)
        lon, lat = _place(conn, caller.district, register, entry, request)
        finding = ReportRequest(register.category, lon, lat, told, Source.PATROL)
        incident_id = report(conn, caller, finding, now)
    today = today_of(conn, caller.district, now)
    due_on = next_due(register, verdict, today)
    inspection_id = register_inspections.insert_inspection(
        conn, caller.district, entry.id, now, caller.name, request.answers,
        score=verdict.score, pass_mark=register.pass_mark, passed=verdict.passed, note=note,
        party=party, incident_id=incident_id,
    )  # fmt: skip
    registers.note_inspection(conn, entry.id, today, due_on, passed=verdict.passed)
    failed = [item.code for item in verdict.failed]
    payload = {
        "register": register.code, "entry": entry.code, "inspection": inspection_id,
        "score": verdict.score, "pass_mark": register.pass_mark, "passed": verdict.passed,
        "failed": failed, "incident": incident_id, "earlier_offences": len(earlier),
        "due_on": due_on.isoformat() if due_on else None,
    }  # fmt: skip
    append_events(conn, [_event(caller, now, "inspected", f"register_entry:{entry.id}", payload)])
    return Inspected(
        inspection_id, verdict.score, verdict.passed, failed, due_on, incident_id, earlier
    )


def public_title(register: Register, entry: StoredEntry) -> str:
    """What an entry is called where everybody reads it: never by a personal field."""
    return title_of(register, lambda name: entry.fields.get(name, ""), entry.code)


def _place(
    conn: Connection,
    district: str,
    register: Register,
    entry: StoredEntry,
    request: InspectionRequest,
) -> tuple[float, float]:
    """What the inspector says, else the entry's own, else that of an entry it belongs to."""
    if request.lon is not None and request.lat is not None:
        return request.lon, request.lat
    if entry.lon is not None and entry.lat is not None:
        return entry.lon, entry.lat
    leads = {f.code: (f.register, entry.value(f.code)) for f in register.fields if f.register}
    for other in registers.titles_of(conn, district, leads).values():
        if other.lon is not None and other.lat is not None:
            return other.lon, other.lat
    raise InvalidInput("lon", None, "is missing: the entry has no place of its own")


def _event(
    caller: Caller, now: datetime, what: str, subject: str, payload: Mapping[str, object]
) -> NewEvent:
    kind = f"{subject.partition(':')[0]}.{what}"
    return NewEvent(now, caller.district, kind, subject, caller.name, dict(payload))


# Draws


def make_draw(
    conn: Connection, caller: Caller, code: str, request: DrawRequest, now: datetime
) -> StoredDraw:
    """Draw entries and their inspectors; seed, population (as a digest) and result are told in the
    event log, so that whoever knows the seed can draw again."""
    if caller.role not in DRAWERS:
        raise Forbidden(f"a {caller.role.value} may not draw")
    refuse_not_whole(caller.scope, "a draw")
    if not request.why.strip() or len(request.why) > WHY_MAX:
        raise InvalidInput("why", request.why[:80], f"must have 1 to {WHY_MAX} characters")
    register = find_register(conn, caller.district, code)
    entries = registers.list_entries(conn, caller.district, code)
    population = [
        (e.code, weight_of(register, e)) for e in entries if e.state in register.inspected_states
    ]
    inspectors = _inspectors(conn, caller.district, request.inspectors)
    recused = register_recusals.list_recused(conn, caller.district, code, inspectors)
    result = draw(
        request.seed, population, inspectors, request.objects, request.each, recused
    )  # fmt: skip
    made = StoredDraw(
        id=0,
        register=code,
        at=now,
        actor=caller.name,
        why=request.why.strip(),
        seed=request.seed,
        algorithm=ALGORITHM,
        wanted=request.objects,
        each=request.each,
        population=[list(one) for one in population],
        inspectors=inspectors,
        result=[[one.entry, list(one.inspectors)] for one in result],
        recused=[[entry, names] for entry, names in recused.items()],
    )
    draw_id = register_draws.insert_draw(conn, caller.district, made)
    payload = {
        "draw": draw_id, "seed": made.seed, "algorithm": ALGORITHM, "objects": made.wanted,
        "each": made.each, "of": len(population), "why": made.why,
        "population_sha256": digest_of(made.population, made.inspectors, made.recused),
        "result": made.result, "recused": made.recused,
    }  # fmt: skip
    append_events(conn, [_event(caller, now, "drawn", f"register:{code}", payload)])
    return register_draws.find_draw(conn, caller.district, draw_id)


def _inspectors(conn: Connection, district: str, named: Sequence[str]) -> list[str]:
    """Those who are named, else everybody whose work inspections are."""
    known = {a.name: a.role for a in users.list_accounts(conn, district) if a.disabled_at is None}
    for name in named:
        if name not in known:
            raise InvalidInput("inspectors", name, "is nobody who may sign in")
    return sorted({*named} or {name for name, role in known.items() if role in DRAWN_ROLES})


def verify_draw(conn: Connection, district: str, draw_id: int) -> Verified:
    """Draw again from what was stored, and compare with the result and with the event log."""
    made = register_draws.find_draw(conn, district, draw_id)
    told = next(
        (
            e.payload
            for e in list_newest(conn, f"register:{made.register}", kind=DRAWN, limit=10_000)
            if e.district == district and e.payload.get("draw") == draw_id
        ),
        None,
    )  # fmt: skip
    if made.algorithm != ALGORITHM:
        return Verified(draw_id, False, f"was drawn by {made.algorithm}, this is {ALGORITHM}")
    if told is None:
        return Verified(draw_id, False, "has no event in the log")
    if told["population_sha256"] != digest_of(made.population, made.inspectors, made.recused):
        return Verified(draw_id, False, "was drawn from other entries or inspectors")
    if (told["seed"], told["objects"], told["each"]) != (made.seed, made.wanted, made.each):
        return Verified(draw_id, False, "was drawn with another seed or other numbers")
    population = [(str(code), int(weight)) for code, weight in made.population]
    recused = {str(entry): names for entry, names in made.recused}
    again = draw(made.seed, population, made.inspectors, made.wanted, made.each, recused)
    result = [[one.entry, list(one.inspectors)] for one in again]
    if result != made.result or result != told["result"]:
        return Verified(draw_id, False, "gives another result")
    return Verified(draw_id, True)


# Vehicles


def check_positions(
    conn: Connection,
    caller: Caller,
    code: str,
    positions: Sequence[Position],
    now: datetime,
    *,
    report: Report,
) -> list[Strayed]:
    """Every stretch of positions off the route or outside the hours of its vehicle becomes an
    incident of the register's category where it began; one that was told before does not again."""
    if caller.role not in INSPECTORS:
        raise Forbidden(f"a {caller.role.value} does not inspect")
    register = find_register(conn, caller.district, code)
    zone = places.zone_of(conn, caller.district)
    found = []
    for name in sorted({p.entry for p in positions}):
        entry = registers.find_by_code(conn, caller.district, code, name)
        registers.refuse_outside(conn, caller.scope, entry)
        mine = [p for p in positions if p.entry == name]
        for finding in judge_positions(register, entry, mine, zone):
            found.append(_stray(conn, caller, register, entry, finding, now, report))
    return found


def _stray(
    conn: Connection,
    caller: Caller,
    register: Register,
    entry: StoredEntry,
    finding: RouteFinding,
    now: datetime,
    report: Report,
) -> Strayed:
    subject, first = f"register_entry:{entry.id}", finding.first
    payload: dict[str, object] = {
        "register": register.code, "entry": entry.code, "why": finding.why,
        "first_at": first.at.astimezone(UTC).isoformat(),
    }  # fmt: skip
    for told in list_newest(conn, subject, kind=STRAYED, limit=1_000):
        if all(told.payload.get(name) == value for name, value in payload.items()):
            return Strayed(finding, int(told.payload["incident"]), new=False)
    told_zh = f"{register.name_zh} ({register.name_en}): {public_title(register, entry)}"
    description = f"{told_zh}\n{describe_stray(finding)}"
    at = first.place
    request = ReportRequest(register.category, at.lon, at.lat, description, Source.PATROL)
    incident_id = report(conn, caller, request, now)
    payload |= {
        "incident": incident_id, "positions": finding.positions,
        "last_at": finding.last.at.astimezone(UTC).isoformat(),
        "farthest_m": round(finding.farthest_m),
    }  # fmt: skip
    append_events(conn, [_event(caller, now, STRAYED.partition(".")[2], subject, payload)])
    return Strayed(finding, incident_id, new=True)
