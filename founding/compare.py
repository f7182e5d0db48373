"""What of a city differs from what the database has, part by part. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from city.clock import WorkCalendar
from city.register import RegisterEntry
from city.roster import Duty
from city.settings import SheetChange
from founding.parts import CalendarPart, City

ADDED, CHANGED, RETIRED = "added", "changed", "retired"
# In this order changes are told.
WHATS = (
    "district", "calendar", "division", "division_outline", "duty_grid", "unit_grid", "squad",
    "category", "stage_limit", "person", "roster", "certificate", "run_card", "rule", "feed",
    "model", "pipe", "area", "video_limit", "lamp_programme", "lamp_assignment", "channel",
    "escalation", "register", "register_entry",
)  # fmt: skip
# What is not in the folder and stays all the same: people, rules and lighting programmes that were
# added by others, the rules and limits that come with the product.
KEPT = frozenset(
    {"person", "rule", "lamp_programme", "stage_limit", "calendar", "district", "register"}
)
# Told by their number: a grid has tens of thousands.
COUNTED = frozenset({"unit_grid", "duty_grid", "pipe"})
# Of these the log has one event for all, and no row.
TOLD_AT_ONCE = COUNTED - {"duty_grid"} | {"division_outline"}
# Told by their number, register by register; their codes are register/code.
ENTRY = "register_entry"
CELL = "cell"

# Fields of every thing by what it is and by its code.
Tables = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Change:
    """`fields` are those that differ, where something was changed."""

    what: str
    code: str
    how: str
    fields: tuple[str, ...] = ()


def tables_of(city: City) -> Tables:
    """All of a city but its calendar, in a form that can be compared."""
    categories = {}
    for code, category in city.categories.items():
        fields = asdict(replace(category, version=0, valid_to=None))
        # A new version is in force from the day on which it is applied.
        del fields["valid_from"]
        fields["handle_limit"] = f"{category.handle_limit:g}"
        categories[code] = fields
    squads = {}
    for code, squad in city.squads.items():
        squads[code] = asdict(replace(squad, home=None))
    rosters = {c: {"duties": _duties(duties)} for c, duties in (city.rosters or {}).items()}
    return {
        # A folder that says nothing of rosters leaves them as they are.
        **({} if city.rosters is None else {"roster": rosters}),
        "district": {city.district.code: asdict(city.district)},
        "division": {c: asdict(d) for c, d in city.divisions.items()},
        "duty_grid": {c: asdict(grid) for c, grid in city.duty_grids.items()},
        # Where it lies, and in which part of its community: that may change beneath devices.
        "unit_grid": {
            c: {CELL: replace(cell, division=""), "division": cell.division}
            for c, cell in city.cells.items()
        },
        "squad": squads,
        "category": categories,
        # As it is written: 10 minutes are no exact part of an hour.
        "stage_limit": {
            c: {"limit": str(limit.limit), "source": limit.source}
            for c, limit in city.stage_limits.items()
        },
        "person": {c: asdict(person) for c, person in city.people.items()},
        "rule": {c: {"text": text} for c, text in city.rules.items()},
        **(
            {}
            if city.certificates is None
            else {"certificate": {c: {"certificates": v} for c, v in city.certificates.items()}}
        ),
        **(
            {}
            if city.run_cards is None
            else {"run_card": {c: {"text": text} for c, text in city.run_cards.items()}}
        ),
        "lamp_programme": {c: {"text": text} for c, text in city.programmes.items()},
        **_if_told("lamp_assignment", city.assignments),
        **_if_told("feed", city.feeds),
        **_if_told("model", city.models),
        **_if_told("pipe", city.pipes),
        **(
            {}
            if city.outlines is None
            else {"division_outline": {c: {"outline": o} for c, o in city.outlines.items()}}
        ),
        **_if_told("area", city.areas),
        **_if_told("video_limit", city.video_limits),
        **_if_told("channel", city.channels),
        **_if_told("escalation", city.escalation),
        "register": {
            c: {"text": part.text} for c, part in city.registers.items() if part.text is not None
        },
        ENTRY: {
            f"{c}/{code}": _entry_fields(entry)
            for c, part in city.registers.items()
            for code, entry in (part.entries or {}).items()
        },
    }


def _if_told(what: str, values: Mapping[str, Any] | None) -> Tables:
    return {} if values is None else {what: {c: asdict(value) for c, value in values.items()}}


def _duties(duties: Iterable[Duty]) -> list[Duty]:
    """Without what people are called: that stands with the people."""
    return [replace(duty, called="") for duty in duties]


def _entry_fields(entry: RegisterEntry) -> dict[str, Any]:
    """Every field by its name: that of a personal one is told, its value is not."""
    return {
        **entry.fields, **entry.personal, "state": entry.state, "geometry": entry.geometry,
    }  # fmt: skip


def compare(wanted: Tables, present: Tables) -> list[Change]:
    """Everything that differs, in the order of `WHATS`, each sorted by code. Of what nothing is
    wanted nothing differs."""
    changes = []
    for what in (what for what in WHATS if what in wanted):
        ours, theirs = wanted.get(what, {}), present.get(what, {})
        for code in sorted(ours.keys() | theirs.keys()):
            if code not in theirs:
                changes.append(Change(what, code, ADDED))
            elif code in ours:
                names = dict.fromkeys((*ours[code], *theirs[code]))
                fields = [n for n in names if _differs(what, n, ours[code], theirs[code])]
                if fields:
                    changes.append(Change(what, code, CHANGED, tuple(fields)))
            elif what not in KEPT:
                changes.append(Change(what, code, RETIRED))
    return changes


def _differs(what: str, name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    said = (ours.get(name), theirs.get(name))
    if what == "person" and name == "divisions" and None in said:
        return False  # one of them says nothing of it
    return said[0] != said[1]


def counts_of(changes: Sequence[Change]) -> list[tuple[str, str, int]]:
    """Of things that are told by their number: register (empty for what is in none), how they
    changed, and how many did."""
    named = Counter((_register_of(change), change.how) for change in changes)
    order = (ADDED, CHANGED, RETIRED)
    return [
        (r, how, named[r, how])
        for r in sorted({r for r, _ in named})
        for how in order
        if named[r, how]
    ]


def _register_of(change: Change) -> str:
    return change.code.partition("/")[0] if change.what == ENTRY else ""


def codes(changes: Iterable[Change], what: str, *hows: str) -> list[str]:
    """Codes of what was changed in one of these ways."""
    return [c.code for c in changes if c.what == what and c.how in hows]


def moved_cells(changes: Iterable[Change]) -> list[str]:
    """Codes of cells that are gone or lie elsewhere."""
    return [
        c.code for c in changes if c.what == "unit_grid" and (c.how == RETIRED or CELL in c.fields)
    ]


def as_lines(changes: Sequence[Change]) -> list[str]:
    """One line a change; of cells and duty grids their number."""
    lines = []
    for what in WHATS:
        mine = [change for change in changes if change.what == what]
        if what in COUNTED or what == ENTRY:
            lines += [
                f"{f'{what} {register}' if register else what}: {count} {how}"
                for register, how, count in counts_of(mine)
            ]
        else:
            for change in mine:
                named = f" ({', '.join(change.fields)})" if change.fields else ""
                lines.append(f"{what} {change.code} {change.how}{named}")
    return lines


def as_json(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """As `plan --json` has it: `count` where things are told by their number, else `code`."""
    found: list[dict[str, Any]] = []
    for what in WHATS:
        mine = [change for change in changes if change.what == what]
        if what in COUNTED or what == ENTRY:
            found += [
                {"what": what, "how": how, "count": count}
                | ({"register": register} if register else {})
                for register, how, count in counts_of(mine)
            ]
        else:
            found += [
                {"what": what, "code": c.code, "how": c.how, "fields": list(c.fields)} for c in mine
            ]
    return found


def as_changes(changes: Sequence[Change]) -> list[SheetChange]:
    """The same for a page."""
    return [
        SheetChange(
            one["what"], one.get("code", ""), one["how"], one.get("fields", ()), one.get("count", 1)
        )
        for one in as_json(changes)
    ]


def next_calendar(
    base: WorkCalendar | None, part: CalendarPart, timezone: str
) -> WorkCalendar | None:
    """The version that the folder asks for; None where the newest one says the same already.

    A file is the whole of its year; years without one stay as they are.
    """
    if base is None:
        newest = WorkCalendar(part.code, 0, {}, date(1, 1, 1), timezone, part.windows)
    else:
        newest = base
    kept = {d: works for d, works in newest.exceptions.items() if d.year not in part.years}
    own = {d: works for days in part.years.values() for d, works in days.items()}
    ends = [date(year, 12, 31) for year in part.years]
    wanted = replace(
        newest,
        exceptions={**kept, **own},
        known_until=max([newest.known_until, *ends]),
        windows=part.windows,
    )
    if wanted == newest:
        return None
    return replace(wanted, version=newest.version + 1)
