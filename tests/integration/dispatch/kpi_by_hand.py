"""Key figures of a district counted from the event log alone, event by event."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import datetime
from statistics import quantiles
from typing import Any

from city.event import Event
from db.events import list_events
from db.kpi import CLOCKS, KpiRow
from db.pool import Connection
from tests.integration.dispatch.town import DISTRICT

ENDED = {"incident.rejected", "incident.cancelled", "incident.merged"}
AGAIN = {"incident.reopened", "incident.unmerged"}


@dataclass
class CaseSoFar:
    opened_at: datetime | None = None
    alarm_at: datetime | None = None
    attempts: int = 0
    sent_at: datetime | None = None
    taken_at: datetime | None = None
    reopened_at: datetime | None = None
    over: str = ""
    closed_at: datetime | None = None
    closed_late: bool = False
    ran_out: dict[tuple[str, int], datetime] = field(default_factory=dict)
    excused: set[tuple[str, int]] = field(default_factory=set)
    unmet: set[tuple[str, int]] = field(default_factory=set)
    handled: set[int] = field(default_factory=set)


def clock_of(event: Event, what: str, clock: str = "handle") -> dict[str, Any] | None:
    rows = event.payload.get("clocks", {}).get(what, [])
    return next((row for row in rows if row["clock"] == clock), None)


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def figures_of_log(conn: Connection) -> KpiRow | None:
    """All that happened so far."""
    counts: dict[str, int] = defaultdict(int)
    times: dict[str, list[float]] = defaultdict(list)
    cases: dict[str, CaseSoFar] = defaultdict(CaseSoFar)
    for event in list_events(conn, limit=1_000_000, district=DISTRICT):
        if event.subject.startswith("incident:"):
            _take(cases[event.subject], event, counts, times)
    for case in cases.values():
        late = {key for key in case.ran_out if key not in case.excused}
        missed = [n for clock, n in late if clock == "handle" and n not in case.handled]
        counts["due_to_handle"] += len(missed)
        if case.over == "closed":
            counts["closed"] += 1
            counts["closed_in_time"] += not case.closed_late
            assert case.closed_at is not None
            assert case.opened_at is not None
            times["open_to_closed"].append((case.closed_at - case.opened_at).total_seconds())
        for clock, _ in case.unmet:
            counts[f"{clock}_due"] += 1
        if case.over == "closed" or ((late or case.unmet) and case.over == ""):
            counts["due_to_close"] += 1
    names = conn.execute(
        "SELECT name_zh, name_en FROM district WHERE code = %s", (DISTRICT,)
    ).fetchone()
    assert names is not None
    fields: dict[str, Any] = {"key": DISTRICT, "name_zh": names[0], "name_en": names[1]}
    fields |= {
        name: counts[name]
        for name in (
            "opened",
            "filed",
            "due_to_handle",
            "handled",
            "handled_in_time",
            "due_to_close",
            "closed",
            "closed_in_time",
            "reworked",
            "returned",
            "returned_late",
            "sent",
            "postponed",
            *(f"{clock}_{what}" for clock in CLOCKS for what in ("due", "in_time")),
        )
    }
    for step in (
        "alarm_to_dispatch",
        "dispatch_to_acknowledge",
        "acknowledge_to_arrive",
        "dispatch_to_handled",
        "open_to_closed",
    ):
        fields |= _spread(step, times[step])
    row = KpiRow(**fields)
    return row if row.says_something else None


def _take(
    case: CaseSoFar, event: Event, counts: dict[str, int], times: dict[str, list[float]]
) -> None:
    _take_case(case, event, counts)
    _take_squad(case, event, counts, times)
    _take_clock(case, event, counts)


def _take_case(case: CaseSoFar, event: Event, counts: dict[str, int]) -> None:
    at, told = event.at, event.payload
    match event.kind:
        case "incident.opened":
            case.opened_at = at
            counts["opened"] += 1
            counts["filed"] += told["to"] == "filed"
            case.alarm_at = moment(told.get("raised_at"))
        case "incident.alarm_joined":
            case.alarm_at = case.alarm_at or moment(told["changed_at"])
        case "incident.filed":
            counts["filed"] += 1
        case "incident.closed":
            case.over, case.closed_at = "closed", at
            case.closed_late = bool(set(case.ran_out) - case.excused)
        case kind if kind in ENDED:
            case.over = "ended"
        case kind if kind in AGAIN:
            case.over = ""


def _take_squad(
    case: CaseSoFar, event: Event, counts: dict[str, int], times: dict[str, list[float]]
) -> None:
    at = event.at
    match event.kind:
        case "incident.dispatched" | "incident.reworked":
            started = clock_of(event, "started")
            assert started is not None
            counts["sent"] += 1
            counts["reworked"] += event.kind == "incident.reworked"
            if case.attempts == 0 and case.alarm_at is not None:
                times["alarm_to_dispatch"].append((at - case.alarm_at).total_seconds())
            case.attempts, case.sent_at = started["attempt"], at
        case "incident.acknowledged":
            assert case.sent_at is not None
            case.taken_at = at
            times["dispatch_to_acknowledge"].append((at - case.sent_at).total_seconds())
        case "incident.arrived":
            assert case.taken_at is not None
            times["acknowledge_to_arrive"].append((at - case.taken_at).total_seconds())
        case "incident.handled":
            assert case.sent_at is not None
            times["dispatch_to_handled"].append((at - case.sent_at).total_seconds())


def _take_clock(case: CaseSoFar, event: Event, counts: dict[str, int]) -> None:
    told = event.payload
    counts["postponed"] += event.kind == "incident.postponed"
    for clock in CLOCKS:
        done = clock_of(event, "met", clock)
        counts[f"{clock}_due"] += done is not None
        if done is not None:
            case.unmet.discard((clock, done["attempt"]))
        counts[f"{clock}_in_time"] += done is not None and not done["late"]
    if event.kind == "incident.overdue" and told["clock"] in CLOCKS:
        case.unmet.add((told["clock"], told["attempt"]))
    match event.kind:
        case "incident.handled":
            met = clock_of(event, "met")
            assert met is not None
            counts["due_to_handle"] += 1
            counts["handled"] += 1
            counts["handled_in_time"] += not met["late"]
            case.handled.add(met["attempt"])
        case "incident.overdue" if told["clock"] in ("handle", "check"):
            case.ran_out[told["clock"], told["attempt"]] = event.at
        case "incident.separated":
            back = clock_of(event, "put_back")
            if back is not None and back.get("excused"):
                case.excused.add(("handle", back["attempt"]))
        case "incident.returned" if told["role"] != "system":
            stopped = clock_of(event, "stopped")
            assert stopped is not None
            counts["returned"] += 1
            counts["returned_late"] += ("handle", stopped["attempt"]) in case.ran_out


def _spread(step: str, seconds: list[float]) -> dict[str, Any]:
    median = p90 = None
    if len(seconds) == 1:
        median = p90 = seconds[0]
    elif seconds:
        tenths = quantiles(seconds, n=10, method="inclusive")
        median, p90 = tenths[4], tenths[8]
    return {f"{step}_count": len(seconds), f"{step}_median_s": median, f"{step}_p90_s": p90}


def same(row: KpiRow | None, other: KpiRow | None) -> bool:
    """Whether two rows say the same; times to a millisecond, which two ways of counting may miss by
    the last bit."""
    return (row and _rounded(row)) == (other and _rounded(other))


def _rounded(row: KpiRow) -> dict[str, Any]:
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in asdict(row).items()
    }
