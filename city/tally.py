"""What each fact of a case adds to the key figures and takes from them again. Pure.

A figure of a period is a sum of entries: those that took effect in it, without those that are
about something from before it. Entries are added and never changed, as facts are, so sums of
whole days stay and a period of any length is a sum of them (`db.tallies`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

# Facts that count where they happened and for whoever it was, whatever comes after.
PLAIN = frozenset(
    {
        "sent", "acknowledged", "arrived", "handled", "reworked", "returned", "postponed",
        "met_verify", "met_file", "met_dispatch", "met_acknowledge", "met_check",
    }
)  # fmt: skip
# A clock of the centre that ran out, and that was met.
MISSED, MET = "missed_", "met_"
# What the whole case did counts for the squad and the person who had it last.
OF_CASE = ("opened", "filed", "closed", "open_late")
# Of the facts of an attempt, those that count for whoever acknowledged it.
OF_ATTEMPT = frozenset({"arrived", "handled", "reworked", "returned", "postponed"})


@dataclass(frozen=True, slots=True)
class CaseFact:
    """A row of `case_fact`: `seconds` how long a step took, `attempt` of the handling clock."""

    seq: int
    kind: str
    at: datetime
    squad: str = ""
    clock: str = ""
    attempt: int | None = None
    late: bool = False
    seconds: float | None = None
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """`sign` (1 or -1) of `what`: something from `origin` that counts so from `effective` on.

    It counts in [start, end) where effective < end and origin >= start. `moved`: it only passes
    a case from one squad or person to the next. `seq` is of the fact that caused it.
    """

    seq: int
    what: str
    origin: datetime
    effective: datetime
    sign: int
    squad: str
    person: str
    late: bool = False
    seconds: float | None = None
    moved: bool = False


@dataclass(slots=True)
class _Case:
    squad: str = ""
    person: str = ""
    over: bool = False
    # What counts now, and may yet be taken back.
    standing: dict[str, list[Entry]] = field(default_factory=dict)
    missed: dict[int | None, list[Entry]] = field(default_factory=dict)
    unmet: dict[tuple[str, int | None], list[Entry]] = field(default_factory=dict)
    handled: set[int | None] = field(default_factory=set)
    ran_out: list[CaseFact] = field(default_factory=list)
    excused: set[tuple[str, int | None]] = field(default_factory=set)
    told: list[Entry] = field(default_factory=list)


def list_entries(facts: Iterable[CaseFact]) -> list[Entry]:
    """The entries of a case from all its facts in the order of the log; those of the first facts
    do not depend on later ones."""
    case = _Case()
    for fact in facts:
        _take(case, fact)
    return case.told


def _take(case: _Case, fact: CaseFact) -> None:
    match fact.kind:
        case "opened" | "filed":
            _stand(case, fact, fact.kind, fact.at)
        case "ran_out":
            _run_out(case, fact)
        case "excused":
            case.excused.add((fact.clock, fact.attempt))
            if fact.clock == "handle":
                _void(case, case.missed.pop(fact.attempt, []), fact)
            _tell_late(case, fact)
        case "closed" | "ended" | "reopened":
            _end(case, fact)
        case kind if kind in PLAIN:
            _plain(case, fact)
        case kind if kind.startswith(MISSED):
            _miss(case, fact)


def _plain(case: _Case, fact: CaseFact) -> None:
    person = fact.actor
    if fact.kind in OF_ATTEMPT:
        person = case.person or fact.actor
    case.told.append(
        Entry(fact.seq, fact.kind, fact.at, fact.at, 1, fact.squad, person, fact.late, fact.seconds)
    )
    if fact.kind.startswith(MET) and (fact.clock, fact.attempt) in case.unmet:
        _void(case, case.unmet.pop((fact.clock, fact.attempt)), fact)
        _tell_late(case, fact)
    if fact.kind == "handled":
        case.handled.add(fact.attempt)
        _void(case, case.missed.pop(fact.attempt, []), fact)
    elif fact.kind == "sent":
        _pass_on(case, fact, fact.squad, "")
    elif fact.kind == "acknowledged":
        _pass_on(case, fact, case.squad, fact.actor)


def _miss(case: _Case, fact: CaseFact) -> None:
    """A clock of the centre ran out: it counts from then on, until it is met, late."""
    entry = Entry(fact.seq, fact.kind, fact.at, fact.at, 1, fact.squad, "", True, None)
    case.unmet.setdefault((fact.clock, fact.attempt), []).append(entry)
    case.told.append(entry)
    _tell_late(case, fact)


def _run_out(case: _Case, fact: CaseFact) -> None:
    case.ran_out.append(fact)
    if (fact.clock, fact.attempt) in case.excused:
        return
    if fact.clock == "handle" and fact.attempt not in case.handled:
        entry = Entry(fact.seq, "missed", fact.at, fact.at, 1, fact.squad, case.person, True, None)
        case.missed.setdefault(fact.attempt, []).append(entry)
        case.told.append(entry)
    _tell_late(case, fact)


def _end(case: _Case, fact: CaseFact) -> None:
    _void(case, case.standing.pop("closed", []), fact)
    case.over = fact.kind != "reopened"
    _tell_late(case, fact)
    if fact.kind == "closed":
        _stand(case, fact, "closed", fact.at)


def _tell_late(case: _Case, fact: CaseFact) -> None:
    """An open case is late since the last time that a clock of it ran out: a period in which one
    did has it once, however many did."""
    _void(case, case.standing.pop("open_late", []), fact)
    times = [ran.at for ran in case.ran_out if (ran.clock, ran.attempt) not in case.excused]
    times += [entry.origin for entries in case.unmet.values() for entry in entries]
    if times and not case.over:
        _stand(case, fact, "open_late", max(times))


def _stand(case: _Case, fact: CaseFact, what: str, origin: datetime) -> None:
    entry = Entry(
        fact.seq, what, origin, max(origin, fact.at), 1, case.squad, case.person, fact.late,
        fact.seconds if what == "closed" else None,
    )  # fmt: skip
    case.standing.setdefault(what, []).append(entry)
    case.told.append(entry)


def _pass_on(case: _Case, fact: CaseFact, squad: str, person: str) -> None:
    if (squad, person) == (case.squad, case.person):
        return
    case.squad, case.person = squad, person
    for what in OF_CASE:
        stood = case.standing.get(what, [])
        if not stood:
            continue
        _void(case, stood, fact, moved=True)
        case.standing[what] = [
            replace(
                entry, seq=fact.seq, effective=max(entry.effective, fact.at), squad=squad,
                person=person, moved=True,
            )
            for entry in stood
        ]  # fmt: skip
        case.told += case.standing[what]


def _void(case: _Case, entries: Iterable[Entry], fact: CaseFact, *, moved: bool = False) -> None:
    case.told += [
        replace(entry, seq=fact.seq, effective=max(entry.effective, fact.at), sign=-1, moved=moved)
        for entry in entries
    ]
