"""A rule file as a form: which fields it has and may have, and a field changed in its text.

The parser itself is asked: whatever it looks for while it reads the file is a field of the form, so
a new kind of rule has its form at once.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from alerts.fields import Fields
from alerts.rule_files import FILE, MAX_TEXT, parse_rule, rule_from
from alerts.rules import Rule
from city.errors import InvalidInput

_HEADER = re.compile(r"\s*\[\[?\s*([\w.-]+)\s*\]\]?\s*(?:#.*)?")
# `level[0].limit`, `help.minutes`, `code`
_PATH = re.compile(r"(?:([\w-]+)(?:\[(\d+)\])?\.)?([\w-]+)")
_PART = re.compile(r"([\w-]+)\[(\d+)\]")
_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class FormField:
    """One field: `kind` is text, texts, code, choice, flag, number, seconds or time. Without
    `required` it may be left out; `default` is what then holds."""

    name: str
    kind: str
    required: bool
    default: Any = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a text: in which field ("" the text as a whole), which value, and why."""

    field: str
    value: str
    problem: str


@dataclass(frozen=True, slots=True)
class Form:
    """A text with what the parser made of it; `table` None: it is not even TOML. `faults` are all
    that were found, in the order in which the parser met them."""

    text: str
    table: dict[str, Any] | None
    fields: Sequence[FormField]
    rule: Rule | None
    faults: Sequence[Fault] = ()

    @property
    def fault(self) -> Fault | None:
        """The first one."""
        return self.faults[0] if self.faults else None


def _of_one_field(read: Callable[..., Any]) -> Callable[..., Any]:
    """Keep apart what is wrong with one value by itself from what is wrong beside others."""

    @wraps(read)
    def noting(self: _Asking, *args: Any, **named: Any) -> Any:
        try:
            return read(self, *args, **named)
        except InvalidInput as error:
            self.alone.append(error)
            raise

    return noting


class _Asking(Fields):
    """Notes everything that is asked for. What a method asks of another one is noted once.
    `alone` are faults of one value, whatever the others are."""

    def __init__(
        self,
        table: Mapping[str, Any],
        file: str,
        prefix: str = "",
        asked: dict[str, FormField] | None = None,
        alone: list[InvalidInput] | None = None,
    ) -> None:
        super().__init__(table, file, prefix)
        self.asked: dict[str, FormField] = {} if asked is None else asked
        self.alone: list[InvalidInput] = [] if alone is None else alone

    def inside(self, table: Mapping[str, Any], prefix: str) -> _Asking:
        return _Asking(table, self._file, prefix, self.asked, self.alone)

    @_of_one_field
    def nothing_left(self) -> None:
        super().nothing_left()

    def note(
        self, name: str, kind: str, default: Any = _NOTHING, choices: Sequence[str] = ()
    ) -> None:
        missing = default is _NOTHING
        if isinstance(default, float) and default != default:
            default = None
        self.asked.setdefault(
            self._prefix + name,
            FormField(
                self._prefix + name, kind, missing, None if missing else default, tuple(choices)
            ),
        )

    @_of_one_field
    def text(self, name: str, *args: Any, **named: Any) -> str:
        self.note(name, "text", _default(args, named))
        return super().text(name, *args, **named)

    @_of_one_field
    def texts(self, name: str) -> list[str]:
        self.note(name, "texts", [])
        return super().texts(name)

    @_of_one_field
    def texts_of(self, name: str, allowed: Sequence[str]) -> list[str]:
        self.note(name, "texts", [], allowed)
        return super().texts_of(name, allowed)

    @_of_one_field
    def code(self, name: str, *args: Any, **named: Any) -> str:
        self.note(name, "code", _default(args, named))
        return super().code(name, *args, **named)

    @_of_one_field
    def one_of(self, name: str, allowed: Sequence[str], *args: Any, **named: Any) -> str:
        self.note(name, "choice", _default(args, named), [a for a in allowed if a])
        return super().one_of(name, allowed, *args, **named)

    @_of_one_field
    def flag(self, name: str, *args: Any, **named: Any) -> bool:
        self.note(name, "flag", _default(args, named))
        return super().flag(name, *args, **named)

    @_of_one_field
    def number(self, name: str, *args: Any, **named: Any) -> float:
        self.note(name, "number", _default(args, named))
        return super().number(name, *args, **named)

    @_of_one_field
    def optional_number(self, name: str, *args: Any, **named: Any) -> float | None:
        self.note(name, "number", None)
        return super().optional_number(name, *args, **named)

    @_of_one_field
    def seconds(self, name: str, *args: Any, **named: Any) -> Any:
        self.note(name, "seconds", _default(args, named))
        return super().seconds(name, *args, **named)

    @_of_one_field
    def time(self, name: str) -> datetime:
        self.note(name, "time")
        return super().time(name)


def _default(args: Sequence[Any], named: Mapping[str, Any]) -> Any:
    return args[0] if args else named.get("default", _NOTHING)


def read_form(text: str) -> Form:
    """What a text is as a form; it never raises, what is wrong is the form's faults."""
    if len(text) > MAX_TEXT:
        problem = f"at most {MAX_TEXT} characters are allowed"
        return Form(text, None, (), None, (Fault("", str(len(text)), problem),))
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Form(text, None, (), None, (Fault("", "", f"is not valid TOML: {error}"),))
    rule, found, asked = _read_on(table, FILE)
    faults = [
        Fault(
            error.field.removeprefix(f"{FILE}: "),
            "" if error.value is None else str(error.value),
            error.problem,
        )
        for error in found
    ]
    return Form(text, table, list(asked.values()), rule, faults)


def find_faults(text: str, file: str) -> Sequence[InvalidInput]:
    """Everything that is wrong with the text of a rule file; none: it is a rule."""
    try:
        parse_rule(text, file)
    except InvalidInput as first:
        try:
            _, found, _ = _read_on(tomllib.loads(text), file)
        except tomllib.TOMLDecodeError:
            found = []
        return found or [first]
    return ()


def _read_on(
    table: Mapping[str, Any], file: str
) -> tuple[Rule | None, list[InvalidInput], dict[str, FormField]]:
    """The rule of a table, or its faults: each value that is wrong is put right and the parser
    asked once more. What only came of a value that we put in is no fault of the file. Also the
    fields that were asked for, the most of any time."""
    mended: dict[str, Any] = deepcopy(dict(table))
    faults: list[InvalidInput] = []
    fields: dict[str, FormField] = {}
    tried: Counter[str] = Counter()
    guessed = False
    while tried.total() < TRIES_MAX:
        asking = _Asking(mended, file)
        try:
            rule = rule_from(mended, file, fields=asking)
        except InvalidInput as error:
            name = error.field.removeprefix(f"{file}: ")
            is_own = not guessed or any(error is one for one in asking.alone)
            if is_own and not tried[name]:
                faults.append(error)
            by_itself = _mend(mended, name, asking.asked.get(name), tried[name])
            tried[name] += 1
            guessed |= by_itself is False
        else:
            by_itself = None
        fields |= {name: f for name, f in asking.asked.items() if name not in fields}
        if by_itself is None:
            break
    return (None if faults else rule), faults, fields


def _mend(table: dict[str, Any], name: str, known: FormField | None, tried: int) -> bool | None:
    """Put a wrong value right: away with it where it may be left out, else another one. Whether
    nothing else is judged beside it; None: nothing helps."""
    if name == "watch":
        return None  # what a rule of an unknown kind should say nobody knows
    into, key = _place(table, name)
    if into is None:
        return None
    if known is None and _is_tables(into.get(key)):
        return None  # the parts do not go together
    if known is None or not known.required:
        return None if into.pop(key, _NOTHING) is _NOTHING else True
    stand_ins = known.choices if known.kind == "choice" else _STAND_INS.get(known.kind, ())
    if key == "severity":  # the mildest goes with most others
        stand_ins = stand_ins[::-1]
    if tried >= len(stand_ins):
        return None
    into[key] = stand_ins[tried]
    return known.kind in _BY_THEMSELVES


# What is put in for a required value that is wrong, one after the other.
_STAND_INS: Mapping[str, Sequence[Any]] = {
    "text": ("x",),
    "code": ("x",),
    "flag": (False,),
    "time": ("2020-01-01T00:00:00+00:00",),
    "number": (1.0, 0.5, 10.0, 1000.0, 0.0),
    "seconds": (60.0, 0.0),
}
# Kinds of fields beside which nothing else is judged.
_BY_THEMSELVES = frozenset({"text", "flag", "time"})
# A file with more faults than this is none.
TRIES_MAX = 60


def _place(table: dict[str, Any], name: str) -> tuple[dict[str, Any] | None, str]:
    """The table in which a field stands, and its key there; None: there is no such table."""
    *outer, key = name.split(".")
    into: Any = table
    for part in outer:
        found = _PART.fullmatch(part)
        into = into.get(found[1] if found else part) if isinstance(into, dict) else None
        if found:
            listed = isinstance(into, list) and int(found[2]) < len(into)
            into = into[int(found[2])] if listed else None
    return (into, key) if isinstance(into, dict) else (None, key)


def as_json(form: Form) -> dict[str, Any]:
    """As pages have it; values of the table by the names of the form's fields."""
    return {
        "text": form.text,
        "values": None if form.table is None else dict(_flat(form.table)),
        "fields": [
            {
                "name": f.name, "kind": f.kind, "required": f.required, "default": f.default,
                "choices": list(f.choices),
            }
            for f in form.fields
        ],
        "fault": None if form.fault is None else _told(form.fault),
        "faults": [_told(fault) for fault in form.faults],
    }  # fmt: skip


def _told(fault: Fault) -> dict[str, str]:
    return {"field": fault.field, "value": fault.value, "problem": fault.problem}


def change_text(text: str, changes: Mapping[str, Any]) -> str:
    """The text with other values; comments and order stay. None takes a field out, a table put at
    `level[n]` adds one, None there takes it out."""
    for name, value in changes.items():
        wanted = _changed_table(tomllib.loads(text), name, value)
        new = _edit(text, name, value)
        if new is None or not _is(new, wanted):
            new = write_text(wanted)
        text = new
    return text


def write_text(table: Mapping[str, Any]) -> str:
    """A table as a file, without comments: where a change cannot be fitted into the old one."""
    plain = {n: v for n, v in table.items() if not (_is_tables(v) or isinstance(v, dict))}
    lines = _entries(plain)
    for name, value in table.items():
        if _is_tables(value):
            for part in value:
                lines += ["", f"[[{name}]]", *_entries(part)]
        elif isinstance(value, dict):
            lines += ["", f"[{name}]", *_entries(value)]
    return "\n".join(lines) + "\n"


def _entries(table: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {_toml(value)}" for name, value in table.items()]


def _flat(table: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in table.items():
        if _is_tables(value):
            for number, part in enumerate(value):
                for inner, inner_value in part.items():
                    yield f"{name}[{number}].{inner}", _plain(inner_value)
        elif isinstance(value, dict):
            for inner, inner_value in value.items():
                yield f"{name}.{inner}", _plain(inner_value)
        else:
            yield name, _plain(value)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _is(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _changed_table(table: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    part = _PART.fullmatch(name)
    if part is not None:
        parts, number = table.setdefault(part[1], []), int(part[2])
        if not isinstance(parts, list) or number > len(parts) or (
            value is not None and not isinstance(value, dict)
        ):  # fmt: skip
            raise InvalidInput(name, value, "is no part of this rule")
        parts[number : number + 1] = [] if value is None else [value]
        return table
    found = _PATH.fullmatch(name)
    if found is None:
        raise InvalidInput("field", name, "is not the name of a field")
    of, number_, key = found.groups()
    into = table
    if of is not None and number_ is None:
        into = table.setdefault(of, {})
        if not isinstance(into, dict):
            raise InvalidInput("field", name, "is no part of this rule")
    elif of is not None:
        parts = table.get(of)
        if not _is_tables(parts) or int(number_) >= len(table[of]):
            raise InvalidInput("field", name, "is no part of this rule")
        into = table[of][int(number_)]
    if value is None:
        into.pop(key, None)
    else:
        into[key] = _as_stored(into.get(key), value)
    return table


def _as_stored(before: Any, value: Any) -> Any:
    """A time stays one, as the form has only text for it."""
    if isinstance(before, datetime) and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value


def _edit(text: str, name: str, value: Any) -> str | None:
    """The text with one line changed, added or gone; None: it is not so easy."""
    found = _PATH.fullmatch(name)
    if found is None:
        return _edit_part(text, name, value)
    of, number, key = found.groups()
    lines = text.split("\n")
    first, end = _section(lines, of, int(number or 0))
    if first is None:
        if number is not None or value is None:
            return None
        return f"{text.rstrip()}\n\n[{of}]\n{key} = {_toml(value)}\n"
    at = next((i for i in range(first, end) if re.match(rf"\s*{re.escape(key)}\s*=", lines[i])), -1)
    if at < 0:
        if value is None:
            return text
        last = max((i for i in range(first, end) if _is_entry(lines[i])), default=first - 1)
        lines.insert(last + 1, f"{key} = {_toml(value)}")
        return "\n".join(lines)
    try:
        before = tomllib.loads(lines[at])[key]
    except (tomllib.TOMLDecodeError, KeyError):
        return None  # over several lines
    if value is None:
        del lines[at]
    else:
        comment = _comment(lines[at], key, before)
        lines[at] = f"{key} = {_toml(_as_stored(before, value))}{comment}"
    return "\n".join(lines)


def _edit_part(text: str, name: str, value: Any) -> str | None:
    part = _PART.fullmatch(name)
    if part is None:
        return None
    lines = text.rstrip("\n").split("\n")
    first, end = _section(lines, part[1], int(part[2]))
    if value is not None:
        if first is not None:
            return None
        added = [f"{key} = {_toml(v)}" for key, v in value.items()]
        return "\n".join([*lines, "", f"[[{part[1]}]]", *added]) + "\n"
    if first is None:
        return None
    kept = lines[: first - 1] + lines[end:]
    return "\n".join(kept).rstrip("\n") + "\n"


def _section(lines: Sequence[str], of: str | None, number: int) -> tuple[int | None, int]:
    """Where the entries of a part begin and end; of the file itself up to the first part."""
    headers = [(i, m[1]) for i, line in enumerate(lines) if (m := _HEADER.fullmatch(line))]
    if of is None:
        return 0, headers[0][0] if headers else len(lines)
    mine = [n for n, (_, name) in enumerate(headers) if name == of]
    if number >= len(mine):
        return None, 0
    place = mine[number]
    end = headers[place + 1][0] if place + 1 < len(headers) else len(lines)
    return headers[place][0] + 1, end


def _is_entry(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _comment(line: str, key: str, value: Any) -> str:
    """What stands behind the value, with the space before it."""
    for found in re.finditer(r"\s*#", line):
        try:
            if tomllib.loads(line[: found.start()]) == {key: value}:
                return line[found.start() :]
        except tomllib.TOMLDecodeError:
            continue
    return ""


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
