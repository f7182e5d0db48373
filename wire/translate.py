"""A vendor's named values to canonical readings, by the device's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from city.reading import (
    ALARM_OF_DEVICE,
    ALARM_UNCLEAR,
    METRICS,
    NO_READING,
    REASON_ALARM,
    REASON_FIELD,
    REASON_UNIT,
    UNIT_UNKNOWN,
    Quality,
    RawValue,
    Reading,
    Reject,
    TimeSource,
)
from wire.alarm_words import Said, gas_alarm
from wire.body import shown
from wire.device_model import DeviceModel, FieldRule
from wire.quality import is_implausibly_old, is_in_future, out_of_range
from wire.times import time_or_none
from wire.units import convert

# What stands between a device and a quantity in one name.
NAME_SEPARATORS = frozenset(":/._-")
# Of several values of one metric in a message the worst counts, unless one rule ranks them.
_WORST_COUNTS = frozenset({
    "gas_alarm", "flooded", "cover_open", "ch4_pct_lel", "ch4_pct_vol", "gas_ppm", "co_ppm",
    "tilt_deg", "vibration", "motion", "tamper", "battery_low",
})  # fmt: skip
GAS_ALARM = METRICS["gas_alarm"]


@dataclass(frozen=True, slots=True)
class Translated:
    """Canonical readings of one message; values that gave none; whether any name was known.

    `unclear` are refusals of values that matter and that nobody can read. `fits`: the model, the
    sender's definition or a canonical name gave a reading, not only the words of a gas alarm.
    `by_model`: the model itself knew some name."""

    readings: tuple[Reading, ...] = ()
    rejects: tuple[Reject, ...] = ()
    kept_out: tuple[RawValue, ...] = ()
    known: bool = False
    unclear: tuple[Reject, ...] = ()
    fits: bool = False
    by_model: bool = False


def translate(
    device: str,
    values: Sequence[RawValue],
    model: DeviceModel | None,
    gas: str | None,
    kind: str = "",
) -> Translated:
    """Readings of the values that the model, their sender or the canonical names know.

    The model has the first word on a value, its sender's definition the second. Whatever they
    say, a gas alarm is one."""
    if model is not None and model.time_field:
        values = _with_device_time(values, model.time_field)
    draft = _Draft(device, model, gas, kind, values)
    for value in values:
        draft.take(value)
    return draft.result()


class _Held(NamedTuple):
    """The reading that stands for a metric so far, and where it came from."""

    rule: FieldRule
    rank: int
    reading: Reading
    value: RawValue


class _Draft:
    """What the values of one message come to."""

    def __init__(
        self, device: str, model: DeviceModel | None, gas: str | None, kind: str,
        values: Sequence[RawValue],
    ) -> None:  # fmt: skip
        self._device, self._model, self._gas, self._kind = device, model, gas, kind
        self._said = _said(values) if model is not None and model.conditional else {}
        self._chosen: dict[tuple[str, datetime], _Held] = {}
        self._rejects: list[Reject] = []
        self._kept_out: list[RawValue] = []
        self._unclear: list[Reject] = []
        self._known = self._by_model = not values
        self._fits = False

    def result(self) -> Translated:
        readings = tuple(held.reading for held in self._chosen.values())
        return Translated(
            readings, tuple(self._rejects), tuple(self._kept_out), self._known,
            tuple(self._unclear), self._fits, self._by_model,
        )  # fmt: skip

    def take(self, value: RawValue) -> None:
        name = _own_name(self._device, value.name, self._model)
        of_model = self._model.rule(name) if self._model is not None else None
        self._by_model |= of_model is not None
        rule = of_model or self._defined(value, name)
        outcome = self._read(value, rule) if rule is not None else None
        if of_model is not None and value.meaning and _is_misread(outcome):
            defined = self._defined(value, name)
            if defined is not None:
                rule, outcome = defined, self._read(value, defined)
        if rule is not None and not isinstance(outcome, Reject):
            self._known = self._fits = True
            return self._put(outcome, rule, value, name)
        said = Said.NOTHING if value.meaning else gas_alarm(name, value.value)
        if said is Said.ALARM or said is Said.QUIET:
            reading = _flag_reading(self._device, value, said is Said.ALARM)
            return self._put(reading, _GAS_RULE, value, _GAS_RULE.names[0])
        if isinstance(outcome, Reject):
            self._known = True
            self._rejects.append(outcome)
            return None
        return self._leave_out(value, name, said)

    def _defined(self, value: RawValue, name: str) -> FieldRule | None:
        """As the sender defines the value, unless the model leaves it out; else by its canonical
        name."""
        if value.meaning == ALARM_OF_DEVICE:
            return FieldRule((name,), GAS_ALARM) if self._kind == "gas" else None
        metric = METRICS.get(value.meaning or name)
        if metric is None or (metric is not GAS_ALARM and value.meaning and self._leaves(name)):
            return None
        return FieldRule((name,), metric)

    def _leaves(self, name: str) -> bool:
        return self._model is not None and self._model.knows(name)

    def _read(self, value: RawValue, rule: FieldRule) -> Reading | Reject | None:
        reading = _reading(self._device, value, rule, self._gas)
        return _judged(reading, rule, self._said) if self._said else reading

    def _put(self, reading: Reading | None, rule: FieldRule, value: RawValue, name: str) -> None:
        beaten = value if reading is None else _choose(self._chosen, reading, rule, value, name)
        if beaten is not None:
            self._kept_out.append(beaten)

    def _leave_out(self, value: RawValue, name: str, said: Said) -> None:
        """No reading; refused if somebody ought to know, unless the model knows better."""
        self._kept_out.append(value)
        by_model = self._leaves(name)
        self._by_model |= by_model
        self._known |= by_model or value.meaning == NO_READING
        if by_model:
            return
        if value.meaning == UNIT_UNKNOWN:
            detail = f"{name}: nothing says in which unit {shown(value.value)} is"
            self._unclear.append(Reject(REASON_UNIT, detail))
        unclear = value.meaning == ALARM_OF_DEVICE and value.value is True
        if unclear or value.meaning == ALARM_UNCLEAR or said is Said.UNCLEAR:
            sent = value.value if value.sent is None else value.sent
            detail = f"{name}: says {shown(sent)}, which may be an alarm, and nothing says of what"
            self._unclear.append(Reject(REASON_ALARM, detail))


def _is_misread(outcome: Reading | Reject | None) -> bool:
    """The rule is for another kind of value; one that is out of range is not misread."""
    return isinstance(outcome, Reject) and outcome.reason == REASON_FIELD


_GAS_RULE = FieldRule((GAS_ALARM.name,), GAS_ALARM)


def _flag_reading(device: str, value: RawValue, is_on: bool) -> Reading:
    """A gas alarm that only its name and words told."""
    sent = value.value if value.sent is None else value.sent
    return Reading(
        device, GAS_ALARM.name, float(is_on), GAS_ALARM.unit, value.ts, value.ts_from, value.name,
        sent, value.unit, value.quality,
    )  # fmt: skip


def _own_name(device: str, name: str, model: DeviceModel | None) -> str:
    """The name as the model has it: SenML and LwM2M put the device in front of every name."""
    if model is None or model.rule(name) is not None or not device:
        return name
    if name.startswith(device) and name[len(device) : len(device) + 1] in NAME_SEPARATORS:
        return name[len(device) + 1 :]
    return name


def _choose(
    chosen: dict[tuple[str, datetime], _Held],
    reading: Reading,
    rule: FieldRule,
    value: RawValue,
    name: str,
) -> RawValue | None:
    """One reading a metric and time: the name listed first, or the largest of all. The value
    that is not taken comes back."""
    key = (reading.metric, reading.ts)
    rank = [listed.lower() for listed in rule.names].index(name.lower())
    beaten = None
    if key in chosen:
        held = chosen[key]
        ranked = rule is held.rule and reading.metric != GAS_ALARM.name
        by_size = rule.largest or (reading.metric in _WORST_COUNTS and not ranked)
        better = abs(reading.value) > abs(held.reading.value) if by_size else rank < held.rank
        if not better:
            return value
        beaten = held.value
    chosen[key] = _Held(rule, rank, reading, value)
    return beaten


def _said(values: Sequence[RawValue]) -> dict[tuple[str, datetime], str]:
    """What every value of the message says, as text in lower case."""
    return {(value.name.lower(), value.ts): _text(value.value) for value in values}


def _judged(
    reading: Reading | Reject | None, rule: FieldRule, said: Mapping[tuple[str, datetime], str]
) -> Reading | Reject | None:
    """The reading as the other values of its message let it stand."""
    if not isinstance(reading, Reading):
        return reading
    if any(said.get((name, reading.ts)) in texts for name, texts in rule.unless.items()):
        return None
    if any(said.get((name, reading.ts)) in texts for name, texts in rule.suspect_if.items()):
        return replace(reading, quality=max(reading.quality, Quality.SUSPECT))
    return reading


def _text(value: float | bool | str) -> str:
    """A value as model files write it: a lower-case word, "true", "2"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.strip().lower() if isinstance(value, str) else f"{value:g}"


def _reading(
    device: str, value: RawValue, rule: FieldRule, gas: str | None
) -> Reading | Reject | None:
    """The canonical reading; a Reject if the value is impossible; None if it says nothing."""
    converted = _listed(value.value, rule)
    if converted is None:
        if _is_sentinel(value.value, rule):
            return None
        number = _number(value.value, rule)
        if number is None:
            return _not_a_number(value, rule)
        converted = _converted(number, value.unit or rule.unit, rule, gas)
    if converted is None:
        return _not_convertible(value, rule)
    if rule.wrap_deg is not None and converted > rule.wrap_deg / 2:
        converted -= rule.wrap_deg
    if rule.invert:
        converted = 1 - converted
    problem = out_of_range(value.name, converted, rule.metric, rule.low, rule.high)
    if problem is not None:
        return problem
    sent = value.value if value.sent is None else value.sent
    return Reading(
        device, rule.metric.name, converted, rule.metric.unit, value.ts, value.ts_from,
        value.name, sent, value.unit or rule.unit, value.quality,
    )  # fmt: skip


def _listed(value: float | bool | str, rule: FieldRule) -> float | None:
    """The reading that the model lists for a text, a truth value or a code."""
    return rule.values.get(_text(value)) if rule.values else None


def _is_sentinel(value: float | bool | str, rule: FieldRule) -> bool:
    if isinstance(value, str):
        return value == "" or value.strip().lower() in rule.sentinel_texts
    return not isinstance(value, bool) and value in rule.sentinels


def _number(value: float | bool | str, rule: FieldRule) -> float | None:
    """The value as a number; a text is none, and a truth value only where 0 and 1 are."""
    if isinstance(value, str) or (isinstance(value, bool) and rule.metric.unit != "0/1"):
        return None
    return float(value)


def _converted(number: float, unit: str, rule: FieldRule, gas: str | None) -> float | None:
    if rule.scale is not None:
        return number * rule.scale + rule.offset
    return convert(number + rule.offset, unit, rule.metric, gas)


def _not_a_number(value: RawValue, rule: FieldRule) -> Reject:
    expected = f"one of {sorted(rule.values)}" if rule.values else "a number"
    detail = f"{value.name}: must be {expected} (got {str(value.value)[:60]!r})"
    return Reject(REASON_FIELD, detail)


def _not_convertible(value: RawValue, rule: FieldRule) -> Reject:
    unit = value.unit or rule.unit
    depends = " without knowing the gas" if "%LEL" in (unit, rule.metric.unit) else ""
    detail = f"{value.name}: {unit} cannot become {rule.metric.unit}{depends}"
    return Reject(REASON_FIELD, detail)


def _with_device_time(values: Sequence[RawValue], name: str) -> Sequence[RawValue]:
    """The device's own clock, where it agrees with the network's to the same limits by which
    the network's is judged against ours; stored points keep the times they have."""
    said = next((value for value in values if value.name.lower() == name.lower()), None)
    ts = time_or_none(said.sent if said is not None and said.sent is not None else None)
    if said is None or ts is None:
        return values
    if is_in_future(ts, said.ts) or is_implausibly_old(ts, said.ts):
        return values
    return [
        value if value.quality is Quality.LATE else replace(value, ts=ts, ts_from=TimeSource.DEVICE)
        for value in values
    ]
